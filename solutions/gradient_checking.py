# %% [markdown]
# # Trust, but verify: gradient checking
#
# Six exercises in code.
# The first three make the tools: the step, the differences, and the comparison.
# With them you write a check of gradients and have it graded on gradients that are right and others that are wrong; then a check for many entries, and at last a program that says which mistake it is looking at.
# A later exercise may call the functions of an earlier one.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("gradient_checking", globals())

# %% [markdown] exercise="best-h"
# ## The best step
#
# Write `best_h(f, x)`: it returns a step with which a central difference of `f` at `x` is about as accurate as one can be.
# `f` takes a float and returns a float, as smooth as you like.
# It may be called anywhere within $\tfrac12|x|$ of $x$, or within $\tfrac12$ of it where $x = 0$.
#
# The check takes the central difference with your step, at `x` and at a few places beside it, and compares its worst error with the least that theory promises.
# Thirty times as much is still good enough, so you need only find the right power of ten.
#
# One fixed number will not do: some of the `x` are large and some small, and one curve is a thousand times wigglier than its `x` lets you think.
# Two ways lead there.
# Either estimate what the formula for $h^\ast$ asks for, or try steps, each half the one before, and watch by how much the slope still changes from one to the next.
# Beware of luck there: far too small a step may give the same wrong slope twice, so let the changes before and after be small as well.


# %% solution="best-h"
def best_h(f, x):
    """f: float -> float; returns a step, a positive float."""
    ### BEGIN SOLUTION
    steps = (abs(x) or 1.0) / 2.0 ** np.arange(3, 48)
    slopes = np.array([(f(x + step) - f(x - step)) / (2 * step) for step in steps])
    drift = np.abs(np.diff(slopes))
    # A change of 0 may be luck: its neighbours must be small too.
    around = drift[:-2] + drift[1:-1] + drift[2:]
    return float(steps[1 + np.argmin(around)])
    ### END SOLUTION


# %% tests="best-h" points=5
exercise = checks.exercise("best-h")
# A curve, its slope, its third derivative, and where.
curves = {
    "exp near 0": (np.exp, np.exp, np.exp, [0.0, 0.9]),
    "log near a million": (np.log, lambda x: 1 / x, lambda x: 2 / x**3, [1.3e6]),
    "1/x near a ten-thousandth": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: -6 / x**4, [1.7e-4]),
    "exp(1000 x)": (lambda x: np.exp(1e3 * x), lambda x: 1e3 * np.exp(1e3 * x), lambda x: 1e9 * np.exp(1e3 * x), [0.05]),
}
### BEGIN HIDDEN TESTS
curves["exp near 0"][3].append(-1.2)
curves["log near a million"][3].append(4.1e7)
curves["1/x near a ten-thousandth"][3].append(-2.3e-5)
curves["exp(1000 x)"][3].append(-0.07)
### END HIDDEN TESTS


good_steps = {}


def step_fault(h, f, slope, third, x):
    """What is wrong with the step h, and which mistake it is."""
    if not isinstance(h, (int, float)):
        return f"at x = {x:g}: expected one number, got {type(h).__name__}.", ""
    if not 0 < h < np.inf:
        return f"at x = {x:g}: a step is a positive number, got {h}.", ""
    places = x + (abs(x) or 1.0) * np.linspace(-1e-3, 1e-3, 9)
    # The sum x + h is rounded as well as f.
    noise = np.finfo(float).eps * max(abs(f(x)), abs(x * slope(x)))
    ideal = np.cbrt(1.5 * noise / abs(third(x)))
    least = 0.75 * noise / ideal
    with np.errstate(all="ignore"):
        rise = np.array([f(place + h) - f(place - h) for place in places])
        worst = np.max(np.abs(rise / (2 * h) - slope(places)))
    if worst <= 30 * least:
        good_steps.setdefault(h, x)
        return None
    size = "small: rounding" if h < ideal else "large: the curve bends, and it"
    text = f"at x = {x:g} a step of {h:.1e} is too {size} leaves an error of {worst:.1e}, where {least:.1e} is possible."
    if h in good_steps:
        return f"{text[:-1]}; at x = {good_steps[h]:g} the same step is a good one.", "fixed-step"
    return text, "step-too-small" if h < ideal else "step-too-large"


for what, (f, slope, third, places) in curves.items():
    for x in places:
        judge = lambda h: step_fault(h, f, slope, third, x)
        exercise.holds("best_h", [lambda t: float(f(t)), x], judge, case=f"{what}, {x:g}", output=what)
exercise.score()


# %% mistake="step-too-small" of="best-h"
def best_h(f, x):
    return np.finfo(float).eps


# %% mistake="step-too-small" of="best-h" variant="as-small-as-it-looks"
def best_h(f, x):
    return 1e-10


# %% mistake="step-too-small" of="best-h" variant="square-root"
def best_h(f, x):
    return np.sqrt(np.finfo(float).eps) * max(abs(x), 1.0)


# %% mistake="step-too-large" of="best-h"
def best_h(f, x):
    return 0.01


# %% mistake="step-too-large" of="best-h" variant="a-share-of-x"
def best_h(f, x):
    return 0.001 * (abs(x) or 1.0)


# %% mistake="fixed-step" of="best-h"
def best_h(f, x):
    return 6e-6


# %% mistake="fixed-step" of="best-h" variant="cube-root"
def best_h(f, x):
    return np.cbrt(np.finfo(float).eps)


# %% mistake="fixed-step" of="best-h" variant="a-round-number"
def best_h(f, x):
    return 1e-5


# %% mistake="fixed-step" of="best-h" variant="units-of-x-only"
def best_h(f, x):
    return np.cbrt(np.finfo(float).eps) * (abs(x) or 1.0)


# %% mistake="fixed-step" of="best-h" variant="one-at-least"
def best_h(f, x):
    return np.cbrt(np.finfo(float).eps) * max(abs(x), 1.0)


# %% mistake="single-precision" of="best-h"
def best_h(f, x):
    return float(np.cbrt(np.finfo(np.float32).eps)) * (abs(x) or 1.0)


# %% accepted="formula" of="best-h"
def best_h(f, x):
    best, scale = None, abs(x) or 1.0
    for k in range(1, 20):
        s = scale / 4**k
        bend = abs(f(x + 2 * s) - 2 * f(x + s) + 2 * f(x - s) - f(x - 2 * s)) / (2 * s**3)
        noise = np.finfo(float).eps * abs(f(x)) / s**3
        if best is not None and abs(bend - best) < 0.05 * bend and noise < 0.1 * bend:
            return (1.5 * np.finfo(float).eps * abs(f(x)) / bend) ** (1 / 3)
        best = bend
    return 6e-6 * scale


# %% accepted="halving" of="best-h"
def best_h(f, x):
    central = lambda h: (f(x + h) - f(x - h)) / (2 * h)
    h = 0.125 * (abs(x) if x else 1.0)
    best, least = h, np.inf
    for _ in range(22):
        change = max(abs(central(h) - central(h / 2)), abs(central(h / 2) - central(h / 4)))
        if change < least:
            best, least = h / 2, change
        h /= 2
    return best


# %% accepted="tens" of="best-h"
def best_h(f, x):
    places = [x, x * 1.0003 + (x == 0) * 3e-4, x * 0.9996 - (x == 0) * 4e-4]
    hs = [10.0**-k * (abs(x) or 1) for k in range(1, 12)]
    slopes = np.array([[(f(p + h) - f(p - h)) / 2 / h for p in places] for h in hs])
    change = np.abs(slopes[:-1] - slopes[1:]).max(axis=1)
    return hs[int(np.argmin(change[:-1] + change[1:])) + 1]


# %% [markdown] exercise="numerical-gradient"
# ## Every entry in turn
#
# Write `numerical_gradient(f, x, h)`: the gradient of `f` at `x` by central differences with the step `h`, one entry at a time.
# `f` takes an array of the shape of `x`, which may have any number of axes, and returns a float.
#
# The check notes every place where you call `f`.
# Mind two things.
# At each call, only one entry may differ from `x`.
# And `x` may be a transposed array: `x.ravel()` and `x.reshape(-1)` are then copies, and what you add to a copy never reaches `x`.


# %% solution="numerical-gradient"
def numerical_gradient(f, x, h):
    """x: float array, h: float; returns an array of the shape of x."""
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        right, left = x.copy(), x.copy()
        right[place] += h
        left[place] -= h
        gradient[place] = (f(right) - f(left)) / (2 * h)
    return gradient
    ### END SOLUTION


# %% tests="numerical-gradient" points=8
exercise = checks.exercise("numerical-gradient")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [7101, 7102]
### END HIDDEN TESTS


def difference_fault(found, asked, x, h, slope, bend):
    """What is wrong with a gradient found by calling a function at the places `asked`."""
    if x.shape != np.shape(found):
        return f"x has shape {x.shape}: expected a gradient of that shape, got {np.shape(found)}.", "wrong-shape"
    if not asked:
        return "f was never called.", ""
    if {place.dtype for place in asked} != {x.dtype}:
        return f"x holds {x.dtype}, and f is called with {asked[0].dtype}.", "single-precision"
    moved = np.array(asked) - x
    touched = np.abs(moved) > 1e-12
    entries = touched.reshape(len(asked), -1).sum(axis=1)
    if x.size > 1 and set(entries) <= {0, x.size} and entries.any():
        return "every entry of x is moved at once.", "all-nudged-at-once"
    if entries[0] > 1:
        return f"at the first call of f, {entries[0]} entries differ from x at once.", "all-nudged-at-once"
    if np.any(entries > 1):
        return f"at a call of f, {entries.max()} entries differ from x at once.", "perturbation-not-undone"
    if not entries.any():
        return "x is the same at every call of f.", "nudge-lost"
    if not np.all(touched.any(axis=0)):
        return f"{np.sum(~touched.any(axis=0))} of the {x.size} entries are never moved.", "one-entry-only"
    furthest = np.abs(moved).max()
    if furthest < 0.9 * h:
        return f"an entry is moved by {furthest:.2g} at most; h is {h}.", "step-too-small"
    if furthest > 1.1 * h:
        return f"an entry is moved by up to {furthest:.2g}; h is {h}.", "step-too-large"
    if np.any(moved.max(axis=0) < 0.9 * h) or np.any(moved.min(axis=0) > -0.9 * h):
        return "f is called on one side of x only.", "forward-difference"
    wrong = np.abs(found - slope) > 2 * np.abs(bend) * h**2 + 1e-9
    if not wrong.any():
        return None
    at = tuple(np.argwhere(wrong)[0])
    message = f"f is called at the right places; entry {[int(i) for i in at]}: yours {found[at]:.6g}, "
    if np.allclose(found, slope * h**2, rtol=1e-3):
        return message + f"the slope is {slope[at]:.6g}: to divide by 2 and multiply by h is not to divide by 2h.", ""
    if np.allclose(found, 2 * slope, rtol=1e-3):
        return message + f"the slope is {slope[at]:.6g}: the two places are 2h apart, not h.", "factor-two"
    turned = np.allclose(found, -slope, rtol=1e-3)
    return message + f"the slope is {slope[at]:.6g}.", "sign" if turned else ""


# The shape of x, and whether it is a transposed array; each kind earns its share.
shapes = {"one axis": [((5,), False), ((1,), False)], "two axes": [((2, 3), False), ((3, 4), True)],
          "three axes": [((2, 3, 2), True)]}  # fmt: skip
for seed in seeds:
    for kind, cases in shapes.items():
        for number, (shape, turned) in enumerate(cases):
            rng = np.random.default_rng([seed, len(shape), number])
            x, c, d = rng.uniform(1, 2, size=(3, *shape))
            x, c, d = (x.T, c.T, d.T) if turned else (x, c, d)
            asked = []

            def f(place):
                asked.append(np.array(place))
                return float(np.sum(c * place**3) + np.sum(d * place) ** 2)

            slope = 3 * c * x**2 + 2 * np.sum(d * x) * d
            judge = lambda found: difference_fault(found, asked, x, 0.0078125, slope, c)
            options = dict(case=f"{kind}, {number}, {seed}", output=kind, remember=False)
            exercise.holds("numerical_gradient", [f, x, 0.0078125], judge, **options)
exercise.score()


# %% mistake="forward-difference" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient, here = np.zeros(x.shape), f(x)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        moved[place] += h
        gradient[place] = (f(moved) - here) / h
    return gradient


# %% mistake="forward-difference" of="numerical-gradient" variant="backward"
def numerical_gradient(f, x, h):
    gradient, here = np.zeros(x.shape), f(x)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        moved[place] -= h
        gradient[place] = (here - f(moved)) / h
    return gradient


# %% mistake="perturbation-not-undone" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        x[place] += h
        more = f(x)
        x[place] -= 2 * h
        less = f(x)
        gradient[place] = (more - less) / (2 * h)
    return gradient


# %% mistake="perturbation-not-undone" of="numerical-gradient" variant="one-copy-for-all"
def numerical_gradient(f, x, h):
    gradient, right, left = np.zeros(x.shape), x.copy(), x.copy()
    for place in np.ndindex(*x.shape):
        right[place] += h
        left[place] -= h
        gradient[place] = (f(right) - f(left)) / (2 * h)
    return gradient


# %% mistake="perturbation-not-undone" of="numerical-gradient" variant="no-copy"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        right, left = x, x
        right[place] += h
        more = f(right)
        left[place] -= h
        gradient[place] = (more - f(left)) / (2 * h)
        left[place] -= h
    return gradient


# %% mistake="all-nudged-at-once" of="numerical-gradient"
def numerical_gradient(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h) * np.ones(x.shape)


# %% mistake="all-nudged-at-once" of="numerical-gradient" variant="rows"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        right, left = x.copy(), x.copy()
        right[i] += h
        left[i] -= h
        gradient[i] = (f(right) - f(left)) / (2 * h)
    return gradient


# %% mistake="one-entry-only" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        right, left = x.copy(), x.copy()
        right[place] += h
        left[place] -= h
        gradient[place] = (f(right) - f(left)) / (2 * h)
        return gradient


# %% mistake="nudge-lost" of="numerical-gradient" variant="two-names"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        right, left = x, x
        right[place] += h
        left[place] -= h
        gradient[place] = (f(right) - f(left)) / (2 * h)
    return gradient


# %% mistake="nudge-lost" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    flat, out = x.ravel(), gradient.ravel()
    for i in range(x.size):
        flat[i] += h
        more = f(x)
        flat[i] -= 2 * h
        less = f(x)
        flat[i] += h
        out[i] = (more - less) / (2 * h)
    return gradient


# %% mistake="step-too-small" of="numerical-gradient"
def numerical_gradient(f, x, h):
    h, gradient = 1e-12, np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        push = np.zeros(x.shape)
        push[place] = h
        gradient[place] = (f(x + push) - f(x - push)) / (2 * h)
    return gradient


# %% mistake="step-too-large" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        push = np.zeros(x.shape)
        push[place] = 1.0
        gradient[place] = (f(x + push) - f(x - push)) / 2
    return gradient


# %% mistake="factor-two" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        push = np.zeros(x.shape)
        push[place] = h
        gradient[place] = (f(x + push) - f(x - push)) / h
    return gradient


# %% mistake="sign" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        push = np.zeros(x.shape)
        push[place] = h
        gradient[place] = (f(x - push) - f(x + push)) / (2 * h)
    return gradient


# %% mistake="single-precision" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        right, left = x.astype(np.float32), x.astype(np.float32)
        right[place] += h
        left[place] -= h
        gradient[place] = (f(right) - f(left)) / (2 * h)
    return gradient


# %% mistake="wrong-shape" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = []
    for place in np.ndindex(*x.shape):
        right, left = x.copy(), x.copy()
        right[place] += h
        left[place] -= h
        gradient.append((f(right) - f(left)) / (2 * h))
    return np.array(gradient) if x.ndim > 1 else np.array(gradient)[:, None]


# %% accepted="in-place" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        kept = x[place]
        x[place] = kept + h
        more = f(x)
        x[place] = kept - h
        less = f(x)
        x[place] = kept
        gradient[place] = (more - less) / (2 * h)
    return gradient


# %% accepted="flat" of="numerical-gradient"
def numerical_gradient(f, x, h):
    rows = h * np.eye(x.size)
    pushes = [row.reshape(x.shape) for row in rows]
    return np.array([f(x + push) - f(x - push) for push in pushes]).reshape(x.shape) / (2 * h)


# %% accepted="iterator" of="numerical-gradient"
def numerical_gradient(f, x, h):
    gradient = np.zeros_like(x)
    it = np.nditer(x, flags=["multi_index"])
    while not it.finished:
        e = np.zeros(x.shape)
        e[it.multi_index] = h
        gradient[it.multi_index] = f(x + e) / (2 * h) - f(x - e) / (2 * h)
        it.iternext()
    return gradient


# %% accepted="through-flat" of="numerical-gradient"
def numerical_gradient(f, x, h):
    x, slopes = np.array(x), []
    for i in range(x.size):
        values = []
        for way in (1, -1):
            x.flat[i] += way * h
            values.append(f(x))
            x.flat[i] -= way * h
        slopes.append((values[0] - values[1]) / 2 / h)
    return np.reshape(slopes, x.shape)


# %% [markdown] exercise="relative-error"
# ## How far apart?
#
# Write `relative_error(a, n)` for two arrays of one shape, say a gradient and what finite differences make of it:
#
# $$
# \frac{\lVert a - n \rVert}{\lVert a \rVert + \lVert n \rVert},
# $$
#
# where $\lVert\cdot\rVert$ is the root of the sum of the squares of all entries, whatever the shape.
# The result is one float between 0 and 1.
# Decide what it is where there is nothing to divide by: two gradients that are zero throughout agree.


# %% solution="relative-error"
def relative_error(a, n):
    """a, n: float arrays of one shape; returns a float."""
    ### BEGIN SOLUTION
    size = np.sqrt(np.sum(a**2)) + np.sqrt(np.sum(n**2))
    if size == 0:
        return 0.0
    return float(np.sqrt(np.sum((a - n) ** 2)) / size)
    ### END SOLUTION


# %% tests="relative-error" points=4
exercise = checks.exercise("relative-error")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [7201, 7202]
### END HIDDEN TESTS
# 3 and 4 make 5: these you can redo in your head.
a, n = np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([[0.0, 0.0], [0.0, 4.0]])
exercise.value("relative_error", [a, n], 3 / 9, case="by hand", rtol=1e-6, output="size")
exercise.value("relative_error", [a, -a], 1.0, case="opposite", rtol=1e-6, output="size")
exercise.value("relative_error", [0 * a, 0 * a], 0.0, case="zeros", rtol=1e-6, output="zeros")
exercise.value("relative_error", [a, 0 * a], 1.0, case="one of zeros", rtol=1e-6, output="zeros")
for seed in seeds:
    c = np.random.default_rng(seed).uniform(2, 3, size=(4, 5))
    # Twice as much is a third off, and a hundredth more a 201st, whatever the size.
    exercise.value("relative_error", [2 * c, c], 1 / 3, case=f"twice {seed}", rtol=1e-6, output="size")
    exercise.value("relative_error", [1e-11 * c, 1.01e-11 * c], 1 / 201, case=f"small {seed}", rtol=1e-6, output="small")
    exercise.value("relative_error", [1e11 * c, 1.01e11 * c], 1 / 201, case=f"large {seed}", rtol=1e-6, output="large")
exercise.score()


# %% mistake="zero-over-zero" of="relative-error"
def relative_error(a, n):
    return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n))


# %% mistake="zero-over-zero" of="relative-error" variant="one-of-them"
def relative_error(a, n):
    if not a.any() or not n.any():
        return 0.0
    return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n))


# %% mistake="zero-over-zero" of="relative-error" variant="called-different"
def relative_error(a, n):
    size = np.linalg.norm(a) + np.linalg.norm(n)
    return np.linalg.norm(a - n) / size if size > 0 else 1.0


# %% mistake="another-norm" of="relative-error"
def relative_error(a, n):
    size = max(np.linalg.norm(a), np.linalg.norm(n))
    return np.linalg.norm(a - n) / size if size > 0 else 0.0


# %% mistake="another-norm" of="relative-error" variant="one-below"
def relative_error(a, n):
    size = np.linalg.norm(n)
    return np.linalg.norm(a - n) / size if size > 0 else 0.0


# %% mistake="another-norm" of="relative-error" variant="no-brackets"
def relative_error(a, n):
    if not a.any() and not n.any():
        return 0.0
    return np.linalg.norm(a - n) / np.linalg.norm(a) + np.linalg.norm(n)


# %% mistake="another-norm" of="relative-error" variant="no-root"
def relative_error(a, n):
    size = np.sum(a**2) + np.sum(n**2)
    return np.sum((a - n) ** 2) / size if size > 0 else 0.0


# %% mistake="another-norm" of="relative-error" variant="sizes-summed"
def relative_error(a, n):
    size = np.sum(np.abs(a)) + np.sum(np.abs(n))
    return np.sum(np.abs(a - n)) / size if size > 0 else 0.0


# %% mistake="another-norm" of="relative-error" variant="of-a-matrix"
def relative_error(a, n):
    size = np.linalg.norm(a, 2) + np.linalg.norm(n, 2)
    return np.linalg.norm(a - n, 2) / size if size > 0 else 0.0


# %% mistake="absolute-tolerance" of="relative-error"
def relative_error(a, n):
    return np.linalg.norm(a - n)


# %% mistake="absolute-tolerance" of="relative-error" variant="added-below"
def relative_error(a, n):
    return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n) + 1e-8)


# %% mistake="absolute-tolerance" of="relative-error" variant="one-at-least"
def relative_error(a, n):
    return np.linalg.norm(a - n) / max(np.linalg.norm(a) + np.linalg.norm(n), 1.0)


# %% mistake="relative-per-entry" of="relative-error"
def relative_error(a, n):
    sizes = np.abs(a) + np.abs(n)
    return np.max(np.abs(a - n) / np.where(sizes > 0, sizes, 1.0))


# %% mistake="relative-per-entry" of="relative-error" variant="mean"
def relative_error(a, n):
    sizes = np.abs(a) + np.abs(n)
    return np.mean(np.abs(a - n) / np.where(sizes > 0, sizes, 1.0))


# %% mistake="lengths-compared" of="relative-error"
def relative_error(a, n):
    size = np.linalg.norm(a) + np.linalg.norm(n)
    return abs(np.linalg.norm(a) - np.linalg.norm(n)) / size if size else 0.0


# %% mistake="factor-two" of="relative-error"
def relative_error(a, n):
    size = np.linalg.norm(a) + np.linalg.norm(n)
    return 2 * np.linalg.norm(a - n) / size if size else 0.0


# %% mistake="wrong-shape" of="relative-error"
def relative_error(a, n):
    sizes = np.abs(a) + np.abs(n)
    return np.abs(a - n) / np.where(sizes > 0, sizes, 1.0)


# %% mistake="another-norm" of="relative-error" variant="of-the-sum"
def relative_error(a, n):
    size = np.sqrt(np.sum((a + n) ** 2))
    if size == 0:
        return 0.0
    return float(np.sqrt(np.sum((a - n) ** 2)) / size)


# %% mistake="another-norm" of="relative-error" variant="one-root-for-both"
def relative_error(a, n):
    size = np.sqrt(np.sum(a**2) + np.sum(n**2))
    if size == 0:
        return 0.0
    return float(np.sqrt(np.sum((a - n) ** 2)) / size)


# %% mistake="absolute-tolerance" of="relative-error" variant="small-taken-for-zero"
def relative_error(a, n):
    size = np.sqrt(np.sum(a**2)) + np.sqrt(np.sum(n**2))
    if size < 1e-8:
        return 0.0
    return float(np.sqrt(np.sum((a - n) ** 2)) / size)


# %% accepted="norms" of="relative-error"
def relative_error(a, n):
    total = np.linalg.norm(a) + np.linalg.norm(n)
    return np.linalg.norm(a - n) / total if total > 0 else 0.0


# %% accepted="early" of="relative-error"
def relative_error(a, n):
    if np.array_equal(a, n):
        return 0.0
    length = lambda v: sum(t * t for t in v.ravel()) ** 0.5
    return length(a - n) / (length(a) + length(n))


# %% accepted="scaled" of="relative-error"
def relative_error(a, n):
    peak = max(np.max(np.abs(a)), np.max(np.abs(n)))
    if peak == 0:
        return 0
    a, n = a.ravel() / peak, n.ravel() / peak
    return np.sqrt((a - n) @ (a - n)) / (np.sqrt(a @ a) + np.sqrt(n @ n))


# %% [markdown] exercise="grad-check"
# ## Grade the checker
#
# Now put it together.
# Write `grad_check(f, grad, x)`: it returns `True` if `grad` is the gradient of `f`, and `False` if not.
# `f(x)` returns a float and `grad(x)` should return an array of the shape of `x`; both may be called as often as you like, and at other places than `x`.
#
# The check hands it six right gradients and twenty wrong ones.
# The right ones together are worth half of the points and the wrong ones the other half; a checker that says the same of all earns nothing.
# Their names, in the cell below, tell you what to expect.
#
# - An error of a thousandth of the gradient's norm must be found, whatever the size of the gradient and of `x`.
# - Broadcasting hides a wrong shape, and comparisons with `nan` are false.
# - At a kink, any value between the two slopes is right, so ask beside it.
# - A gradient may be right where it is first asked for, and only there.
# - A right gradient may use the same array for all its answers.


# %%
def checkups(seed):
    """{what it is: (f, grad, x, is it right?)}, made anew at each call."""
    rng = np.random.default_rng(seed)
    X, Y, W = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.normal(size=(4, 4))
    c, x = rng.uniform(1, 3, size=7), rng.uniform(0.2, 1.2, size=7)
    # The last entry hardly counts, and two others sit at a kink.
    c[6], far, beside = 1e-9, 1e6 * x, x - 0.7
    beside[[1, 4]] = 0.0, 2e-7

    def fit(W):
        return float(np.sum((np.tanh(X @ W) - Y) ** 2) / len(X) + 0.01 * np.sum(W**2))

    def fit_grad(W, loss=1.0, slope=True, penalty=0.02):
        Z = X @ W
        A = np.tanh(Z)
        dZ = loss * 2 * (A - Y) / len(X) * (1 - A**2 if slope else 1.0)
        return X.T @ dZ + penalty * W

    def but(entry, value):
        def grad(W):
            g = fit_grad(W)
            g[entry] = value
            return g

        return grad

    waves, waves_grad = lambda x: float(np.sum(c * np.sin(x))), lambda x: c * np.cos(x)
    tiny, tiny_grad = lambda x: 1e-9 * waves(x), lambda x: 1e-9 * waves_grad(x)
    flat, flat_grad = lambda x: 2.5, lambda x: np.zeros(x.shape)
    logs, logs_grad = lambda x: float(np.sum(x * np.log(x))), lambda x: np.log(x) + 1
    kinks, kinks_grad = lambda x: float(np.sum(c * np.maximum(x, 0))), lambda x: c * (x > 0)
    shared, added, first = np.zeros(7), np.zeros(7), []

    def shared_grad(x):
        np.multiply(c, np.cos(x), out=shared)
        return shared

    def adding_grad(x):
        np.add(added, waves_grad(x), out=added)
        return added

    def first_grad(x):
        first.append(waves_grad(x))
        return first[0]

    with_nan = lambda x: np.where(np.arange(7) == 3, np.nan, waves_grad(x))
    right = {
        "a right gradient, of a layer": (fit, fit_grad, W),
        "a right gradient, of a loss of about 1e-9": (tiny, tiny_grad, x),
        "a right gradient, of a flat loss": (flat, flat_grad, x),
        "a right gradient, far from 0": (logs, logs_grad, far),
        "a right gradient, at kinks": (kinks, kinks_grad, beside),
        "a right gradient, always in the same array": (waves, shared_grad, x),
    }
    wrong = {
        "a wrong gradient: the sign": (fit, lambda W: -fit_grad(W), W),
        "a wrong gradient: twice": (fit, lambda W: 2 * fit_grad(W), W),
        "a wrong gradient: a thousandth too large": (fit, lambda W: 1.004 * fit_grad(W), W),
        "a wrong gradient: no penalty": (fit, lambda W: fit_grad(W, penalty=0), W),
        "a wrong gradient: no 1/N": (fit, lambda W: fit_grad(W, loss=6.0), W),
        "a wrong gradient: no slope of tanh": (fit, lambda W: fit_grad(W, slope=False), W),
        "a wrong gradient: transposed": (fit, lambda W: fit_grad(W).T, W),
        "a wrong gradient: two rows exchanged": (fit, lambda W: fit_grad(W)[[1, 0, 2, 3]], W),
        "a wrong gradient: 0 in the last entry": (fit, but((3, 3), 0.0), W),
        "a wrong gradient: 0 in an entry of the second row": (fit, but((1, 2), 0.0), W),
        "a wrong gradient: a row for a vector": (waves, lambda x: waves_grad(x)[None, :], x),
        "a wrong gradient: a column for a vector": (waves, lambda x: waves_grad(x)[:, None], x),
        "a wrong gradient: one number for all entries": (waves, lambda x: np.sum(waves_grad(x)), x),
        "a wrong gradient: not a number in one entry": (waves, with_nan, x),
        "a wrong gradient: what it was at the first call": (waves, first_grad, x),
        "a wrong gradient: added to that of the call before": (waves, adding_grad, x),
        "a wrong gradient: twice, of a loss of about 1e-9": (tiny, lambda x: 2 * tiny_grad(x), x),
        "a wrong gradient: 0 for a loss of about 1e-9": (tiny, flat_grad, x),
        "a wrong gradient: a thousandth too large, far from 0": (logs, lambda x: 1.004 * logs_grad(x), far),
        "a wrong gradient: as if no kink were ever passed": (kinks, lambda x: c + 0 * x, beside),
    }
    return {what: (*case, True) for what, case in right.items()} | {what: (*case, False) for what, case in wrong.items()}


# %% solution="grad-check"
def grad_check(f, grad, x):
    """f: array -> float, grad: array -> array; returns True or False."""
    ### BEGIN SOLUTION
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        # Beside x, where there is hardly ever a kink.
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        measured = numerical_gradient(f, place, 6e-6 * scale)
        if not relative_error(claimed, measured) <= 1e-6:
            return False
    return True
    ### END SOLUTION


# %% tests="grad-check" points=15
exercise = checks.exercise("grad-check")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [7301, 7302]
### END HIDDEN TESTS
for seed in seeds:
    cases = {what: ((f, grad, x), truth) for what, (f, grad, x, truth) in checkups(seed).items()}
    exercise.verdicts("grad_check", cases, case=seed)
exercise.score()


# %% mistake="absolute-tolerance" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        if not np.max(np.abs(claimed - numerical_gradient(f, place, 6e-6 * scale))) < 1e-6:
            return False
    return True


# %% mistake="absolute-tolerance" of="grad-check" variant="allclose"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        if not np.allclose(claimed, numerical_gradient(f, place, 6e-6 * scale)):
            return False
    return True


# %% mistake="absolute-tolerance" of="grad-check" variant="a-hundredth"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        if not np.allclose(claimed, numerical_gradient(f, place, 6e-6 * scale), rtol=1e-2, atol=1e-2):
            return False
    return True


# %% mistake="forward-difference" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    h = 6e-6 * scale
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        here, measured = f(place), np.zeros(x.shape)
        for i in np.ndindex(*x.shape):
            push = np.zeros(x.shape)
            push[i] = h
            measured[i] = (f(place + push) - here) / h
        if not relative_error(claimed, measured) <= 1e-6:
            return False
    return True


# %% mistake="step-too-small" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        if not relative_error(claimed, numerical_gradient(f, place, 1e-12)) <= 1e-6:
            return False
    return True


# %% mistake="step-too-large" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        if not relative_error(claimed, numerical_gradient(f, place, 0.01 * scale)) <= 1e-5:
            return False
    return True


# %% mistake="fixed-step" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        if not relative_error(claimed, numerical_gradient(f, place, 6e-6)) <= 1e-6:
            return False
    return True


# %% mistake="zero-over-zero" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        a = np.array(grad(place))
        if a.shape != x.shape:
            return False
        n = numerical_gradient(f, place, 6e-6 * scale)
        if not np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)) <= 1e-6:
            return False
    return True


# %% mistake="ones-upstream" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        h = 6e-6 * scale
        rate = (f(place + h) - f(place - h)) / (2 * h)
        if not abs(rate - claimed.sum()) <= 1e-6 * np.abs(claimed).sum():
            return False
    return True


# %% mistake="one-entry-only" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        measured = numerical_gradient(f, place, 6e-6 * scale)
        if not relative_error(claimed.ravel()[:1], measured.ravel()[:1]) <= 1e-5:
            return False
    return True


# %% mistake="one-entry-only" of="grad-check" variant="any-for-all"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        measured = numerical_gradient(f, place, 6e-6 * scale)
        if not np.any(np.abs(claimed - measured) <= 1e-6 * np.linalg.norm(measured)):
            return False
    return True


# %% mistake="fixed-step" of="grad-check" variant="here-and-once"
def grad_check(f, grad, x):
    claimed = grad(x)
    return np.shape(claimed) == x.shape and bool(relative_error(claimed, numerical_gradient(f, x, 6e-6)) < 1e-5)


# %% mistake="fixed-step" of="grad-check" variant="nothing-else"
def grad_check(f, grad, x):
    return bool(relative_error(grad(x), numerical_gradient(f, x, 6e-6)) < 1e-5)


# %% mistake="at-a-kink" of="grad-check" variant="here-and-beside"
def grad_check(f, grad, x):
    dice, scale = np.random.default_rng(0), np.max(np.abs(x))
    for place in (x, x + 1e-3 * scale * dice.normal(size=x.shape)):
        claimed = grad(place)
        if np.shape(claimed) != x.shape:
            return False
        if relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) > 1e-5:
            return False
    return True


# %% mistake="at-a-kink" of="grad-check" variant="beside-by-a-hair"
def grad_check(f, grad, x):
    dice, scale = np.random.default_rng(0), np.max(np.abs(x))
    for _ in range(2):
        place = x + 1e-7 * dice.normal(size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        if not relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) <= 1e-5:
            return False
    return True


# %% mistake="at-a-kink" of="grad-check"
def grad_check(f, grad, x):
    scale = np.max(np.abs(x)) or 1.0
    dice = np.random.default_rng(3)
    for place in (x, x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)):
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        if not relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) <= 1e-6:
            return False
    return True


# %% mistake="at-a-kink" of="grad-check" variant="and-nowhere-else"
def grad_check(f, grad, x):
    scale = np.max(np.abs(x)) or 1.0
    claimed = np.array(grad(x))
    if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
        return False
    return relative_error(claimed, numerical_gradient(f, x, 6e-6 * scale)) <= 1e-6


# %% mistake="one-place-only" of="grad-check"
def grad_check(f, grad, x):
    scale = np.max(np.abs(x)) or 1.0
    place = x + 0.01 * scale * np.random.default_rng(3).uniform(-1, 1, size=x.shape)
    claimed = np.array(grad(place))
    if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
        return False
    return relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) <= 1e-6


# %% mistake="shape-unchecked" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if not np.all(np.isfinite(claimed)):
            return False
        claimed = np.resize(claimed, x.shape)
        if not relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) <= 1e-6:
            return False
    return True


# %% mistake="nan-passes" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape:
            return False
        if relative_error(claimed, numerical_gradient(f, place, 6e-6 * scale)) > 1e-6:
            return False
    return True


# %% mistake="lengths-compared" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        mine, theirs = np.linalg.norm(claimed), np.linalg.norm(numerical_gradient(f, place, 6e-6 * scale))
        if abs(mine - theirs) > 1e-6 * (mine + theirs):
            return False
    return True


# %% mistake="relative-per-entry" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        measured = numerical_gradient(f, place, 6e-6 * scale)
        sizes = np.abs(claimed) + np.abs(measured)
        if not np.max(np.abs(claimed - measured) / np.where(sizes > 0, sizes, 1)) <= 1e-6:
            return False
    return True


# %% mistake="randomness-between-calls" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    beside = lambda: x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
    for _ in range(2):
        claimed = np.array(grad(beside()))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        if not relative_error(claimed, numerical_gradient(f, beside(), 6e-6 * scale)) <= 1e-6:
            return False
    return True


# %% mistake="perturbation-not-undone" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(3)
    scale = np.max(np.abs(x)) or 1.0
    h = 6e-6 * scale
    for _ in range(2):
        place = x + 0.01 * scale * dice.uniform(-1, 1, size=x.shape)
        claimed = np.array(grad(place))
        if claimed.shape != x.shape or not np.all(np.isfinite(claimed)):
            return False
        measured = np.zeros(x.shape)
        for i in np.ndindex(*x.shape):
            place[i] += h
            more = f(place)
            place[i] -= 2 * h
            measured[i] = (more - f(place)) / (2 * h)
        if not relative_error(claimed, measured) <= 1e-6:
            return False
    return True


# %% accepted="directions" of="grad-check"
def grad_check(f, grad, x):
    dice = np.random.default_rng(11)
    scale = max(np.abs(x).max(), 1e-300)
    for _ in range(4):
        here = x + scale * 0.02 * dice.normal(size=x.shape)
        g = np.array(grad(here), dtype=float)
        if g.shape != x.shape or not np.isfinite(g).all():
            return False
        for _ in range(5):
            v, h = dice.normal(size=x.shape), 4e-6 * scale
            rate, promised = (f(here + h * v) - f(here - h * v)) / (2 * h), np.sum(g * v)
            if abs(rate - promised) > 1e-5 * np.linalg.norm(g):
                return False
    return True


# %% accepted="norms-of-each-row" of="grad-check"
def grad_check(f, grad, x):
    unit = np.abs(x).max()
    shifts = np.random.default_rng(5).uniform(0.001, 0.003, size=(3, *x.shape))
    verdicts = []
    for shift in shifts:
        p = x * (1 + shift) + unit * shift
        g = np.copy(grad(p))
        if np.shape(g) != np.shape(x):
            return False
        n = np.zeros(x.shape)
        for k in range(x.size):
            e = np.zeros(x.size)
            e[k] = 1e-5 * unit
            e = e.reshape(x.shape)
            n.flat[k] = (f(p + e) - f(p - e)) / (2e-5 * unit)
        verdicts.append(np.linalg.norm(g - n) <= 1e-5 * np.linalg.norm(n))
    return bool(np.all(verdicts))


# %% accepted="twice-here-and-once-beside" of="grad-check"
def grad_check(f, grad, x):
    unit = np.abs(x).max()
    beside = x + unit * 0.003 * np.random.default_rng(0).normal(size=x.shape)
    one = np.array(grad(x))
    two = np.array(grad(beside))
    if one.shape != x.shape or two.shape != x.shape or np.isnan(two).any():
        return False
    again = np.array(grad(x))
    return np.array_equal(one, again) and relative_error(two, numerical_gradient(f, beside, 1e-5 * unit)) < 1e-5


# %% [markdown] exercise="directional-check"
# ## Many entries
#
# Write `directional_check(f, grad, x)`: as before, `True` or `False`, but now `x` has some 20,000 entries, and `f` may be called no more than 20 times.
# Push all entries at once, in a direction drawn at random.
# There are no kinks here, and no tricks: one call of `grad` is enough.
#
# An error in a single entry must be found, if that entry is wrong by as much as it is large.


# %%
def crowds(seed):
    """{what it is: (f, grad, x, is it right?)} with some 20,000 entries each."""
    rng = np.random.default_rng(seed)
    shape = (100, 200)
    c, x = rng.uniform(1, 2, size=shape), rng.uniform(-1, 1, size=shape)

    def waves(x):
        return float(np.sum(c * np.sin(x)))

    def waves_grad(x):
        return c * np.cos(x)

    def spoiled(x):
        g = waves_grad(x)
        g[70, 140] = 0.0
        return g

    tiny, tiny_grad = lambda x: 1e-9 * waves(x), lambda x: 1e-9 * waves_grad(x)
    bowl, bowl_grad = lambda x: float(1e6 * np.sum(c * x**2)), lambda x: 2e6 * c * x
    half = np.where(np.arange(200) < 100, 1.0, -1.0)
    return {
        "a right gradient": (waves, waves_grad, x, True),
        "a right gradient of a small loss": (tiny, tiny_grad, x, True),
        "a right gradient of a large loss": (bowl, bowl_grad, x, True),
        "a wrong gradient: 0 in one of 20,000 entries": (waves, spoiled, x, False),
        "a wrong gradient: half of the signs": (waves, lambda x: half * waves_grad(x), x, False),
        "a wrong gradient: every row one row too low": (waves, lambda x: np.roll(waves_grad(x), 1, axis=0), x, False),
        "a wrong gradient: twice, of a small loss": (tiny, lambda x: 2 * tiny_grad(x), x, False),
        "a wrong gradient: a thousandth too small": (bowl, lambda x: 0.998 * bowl_grad(x), x, False),
        "a wrong gradient: an axis too many": (waves, lambda x: waves_grad(x)[None], x, False),
    }


# %% solution="directional-check"
def directional_check(f, grad, x):
    """f: array -> float, grad: array -> array; returns True or False."""
    ### BEGIN SOLUTION
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    for _ in range(3):
        way = dice.normal(size=x.shape)
        seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
        if not abs(seen - np.sum(found * way)) <= 1e-5 * np.linalg.norm(found):
            return False
    return True
    ### END SOLUTION


# %% tests="directional-check" points=5
exercise = checks.exercise("directional-check")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [7401, 7402]
### END HIDDEN TESTS
calls = []


def at_most(f, limit):
    """f, which says so when it has been called more often than that."""
    count = []

    def counted(place):
        count.append(1)
        calls.append(1)
        if len(count) > limit:
            raise RuntimeError(f"f was called more than {limit} times for one check: push all entries at once")
        return f(place)

    return counted


for seed in seeds:
    cases = {what: ((at_most(f, 20), grad, x), truth) for what, (f, grad, x, truth) in crowds(seed).items()}
    exercise.verdicts("directional_check", cases, case=seed)
exercise.score()


# %% mistake="ones-upstream" of="directional-check"
def directional_check(f, grad, x):
    found = grad(x)
    if np.shape(found) != x.shape:
        return False
    seen = (f(x + 6e-6) - f(x - 6e-6)) / 12e-6
    return bool(abs(seen - np.sum(found)) <= 1e-5 * np.abs(seen))


# %% mistake="one-entry-only" of="directional-check"
def directional_check(f, grad, x):
    found = grad(x)
    if np.shape(found) != x.shape:
        return False
    for k in range(5):
        way = np.zeros(x.shape)
        way.flat[k] = 1.0
        seen = (f(x + 1e-3 * way) - f(x - 1e-3 * way)) / 2e-3
        if not abs(seen - found.flat[k]) <= 1e-5 * abs(seen):
            return False
    return True


# %% mistake="absolute-tolerance" of="directional-check"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    way = dice.normal(size=x.shape)
    seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
    return bool(abs(seen - np.sum(found * way)) <= 1e-5)


# %% mistake="absolute-tolerance" of="directional-check" variant="allclose"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    way = dice.normal(size=x.shape)
    seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
    return np.allclose(seen, np.sum(found * way), atol=1e-3)


# %% mistake="forward-difference" of="directional-check"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    way = dice.normal(size=x.shape)
    seen = (f(x + 6e-6 * way) - f(x)) / 6e-6
    return bool(abs(seen - np.sum(found * way)) <= 1e-5 * np.linalg.norm(found))


# %% mistake="step-too-large" of="directional-check"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    way = dice.normal(size=x.shape)
    seen = (f(x + 0.1 * way) - f(x - 0.1 * way)) / 0.2
    return bool(abs(seen - np.sum(found * way)) <= 1e-5 * np.linalg.norm(found))


# %% mistake="shape-unchecked" of="directional-check"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    way = dice.normal(size=x.shape)
    seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
    return bool(abs(seen - np.sum(found * way)) <= 1e-5 * np.linalg.norm(found))


# %% mistake="ones-upstream" of="directional-check" variant="along-the-gradient"
def directional_check(f, grad, x):
    found = grad(x)
    if np.shape(found) != x.shape:
        return False
    way = found / np.linalg.norm(found)
    seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
    return bool(abs(seen - np.sum(found * way)) <= 1e-5 * np.linalg.norm(found))


# %% mistake="check-one-sided" of="directional-check"
def directional_check(f, grad, x):
    dice, found = np.random.default_rng(5), grad(x)
    if np.shape(found) != x.shape:
        return False
    way = dice.normal(size=x.shape)
    seen = (f(x + 6e-6 * way) - f(x - 6e-6 * way)) / 12e-6
    return bool(seen - np.sum(found * way) <= 1e-5 * np.linalg.norm(found))


# %% accepted="unit-direction" of="directional-check"
def directional_check(f, grad, x):
    g = np.asarray(grad(x), dtype=float)
    if g.shape != x.shape:
        return False
    dice = np.random.default_rng(17)
    for _ in range(5):
        v = dice.standard_normal(x.shape)
        v /= np.linalg.norm(v)
        rate = (f(x + 1e-3 * v) - f(x - 1e-3 * v)) / 2e-3
        if abs(rate - np.vdot(g, v)) > 2e-5 * np.linalg.norm(g) / np.sqrt(x.size):
            return False
    return True


# %% accepted="signs" of="directional-check"
def directional_check(f, grad, x):
    g = grad(x)
    if g.shape != x.shape:
        return False
    errors = []
    for seed in range(4):
        s = np.random.default_rng(seed).choice([-1.0, 1.0], size=x.shape)
        errors.append((f(x + 1e-5 * s) - f(x - 1e-5 * s)) / 2e-5 - (g * s).sum())
    return max(np.abs(errors)) < 1e-5 * np.sqrt(np.sum(g**2))


# %% accepted="extrapolated" of="directional-check"
def directional_check(f, grad, x):
    g, dice = np.array(grad(x)), np.random.default_rng(2)
    if np.shape(g) != np.shape(x):
        return False
    for _ in range(4):
        v = dice.uniform(-1, 1, size=x.shape)
        wide = (f(x + 2e-3 * v) - f(x - 2e-3 * v)) / 4e-3
        close = (f(x + 1e-3 * v) - f(x - 1e-3 * v)) / 2e-3
        if not np.isclose((4 * close - wide) / 3, np.sum(g * v), rtol=0, atol=1e-5 * np.linalg.norm(g)):
            return False
    return True


# %% [markdown] exercise="clinic"
# ## Clinic
#
# A network with two layers comes to you with its loss and its gradients, and exactly one of its four gradients is wrong.
# Write `examine(f, grad, params)`: it returns a pair, the name of the parameter whose gradient is wrong, and the name of the mistake.
# `params` is a dict with `W1`, `b1`, `W2`, `b2`; `f(params)` returns a float, and `grad(params)` a dict with the same keys.
# Your program will see patients drawn at random, so it has to know these six mistakes by their marks:
#
# | name | what is handed back instead of the gradient `dV` |
# |---|---|
# | `"sign"` | `-dV` |
# | `"factor-two"` | `2 * dV` |
# | `"gradient-transposed"` | `dV.T`, for a square matrix |
# | `"bias-averaged"` | `db / N`, with `N` = 6 examples |
# | `"penalty-missing"` | `dW - lam * W`, with `lam` = 0.1 |
# | `"zeros"` | zeros |
#
# So: measure each gradient; find the one that disagrees; then make of what you have measured what each mistake would have made of it, and see which of the six it is.
# To nudge one parameter and leave the others: `lambda V: f({**params, name: V})`.

# %%
N, lam = 6, 0.1


def patient(seed):
    """(f, grad, params, name of the parameter, name of the mistake)."""
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(N, 4)), rng.normal(size=(N, 4))
    params = {name: rng.normal(size=(4, 4) if name[0] == "W" else 4) for name in ("W1", "b1", "W2", "b2")}
    name = ("W1", "b1", "W2", "b2")[rng.integers(4)]
    ailments = ["sign", "factor-two", "zeros"]
    ailments += ["gradient-transposed", "penalty-missing"] if name[0] == "W" else ["bias-averaged"]
    ailment = ailments[rng.integers(len(ailments))]
    scale = 1.0 if ailment == "penalty-missing" else 10.0 ** (-3 * rng.integers(0, 5))

    def f(p):
        A = np.tanh(X @ p["W1"] + p["b1"])
        P = A @ p["W2"] + p["b2"]
        penalty = lam / 2 * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2))
        return float(scale * (np.sum((P - Y) ** 2) / N + penalty))

    def grad(p):
        A = np.tanh(X @ p["W1"] + p["b1"])
        dP = scale * 2 * (A @ p["W2"] + p["b2"] - Y) / N
        dZ = dP @ p["W2"].T * (1 - A**2)
        g = {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dP, "b2": dP.sum(axis=0)}
        for W in ("W1", "W2"):
            g[W] += scale * lam * p[W]
        marks = {"sign": -1, "factor-two": 2, "zeros": 0, "bias-averaged": 1 / N}
        if ailment in marks:
            g[name] = marks[ailment] * g[name]
        elif ailment == "gradient-transposed":
            g[name] = g[name].T.copy()
        else:
            g[name] = g[name] - lam * p[name]
        return g

    return f, grad, params, name, ailment


# %% solution="clinic"
def examine(f, grad, params):
    """Returns a pair of strings: (parameter, mistake)."""
    ### BEGIN SOLUTION
    handed = grad(params)
    for name, value in params.items():
        seen = numerical_gradient(lambda V: f({**params, name: V}), value, 1e-5)
        if relative_error(handed[name], seen) < 1e-4:
            continue
        would_be = {
            "sign": -seen, "factor-two": 2 * seen, "gradient-transposed": seen.T,
            "bias-averaged": seen / N, "penalty-missing": seen - lam * value, "zeros": 0 * seen,
        }  # fmt: skip
        return name, min(would_be, key=lambda m: relative_error(handed[name], would_be[m]))
    ### END SOLUTION


# %% tests="clinic" points=8
exercise = checks.exercise("clinic")
seeds = [2, 3, 6, 8, 12, 16, 19, 22, 30, 38]
### BEGIN HIDDEN TESTS
seeds += [7501, 7502, 7503, 7504, 7511, 7512, 7519]
### END HIDDEN TESTS


ailments = {"sign", "factor-two", "gradient-transposed", "bias-averaged", "penalty-missing", "zeros"}


def finding_fault(pair, name, ailment):
    """What is wrong with a finding (parameter, mistake)."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(word, str) for word in pair):
        return f"expected a pair of strings, (parameter, mistake), got {pair!r:.60}.", ""
    if pair[0] != name:
        return f"you find {pair[0]!r} wrong; it is right, and another gradient is wrong.", ""
    if pair[1] not in ailments:
        return f"d{name} is wrong, as you say; but {pair[1]!r} is none of the six names.", ""
    if pair[1] != ailment:
        return f"d{name} is wrong, as you say; but {pair[1]!r} would not have given these numbers.", ""
    return None


for seed in seeds:
    f, grad, params, name, ailment = patient(seed)
    judge = lambda pair: finding_fault(pair, name, ailment)
    exercise.holds("examine", [f, grad, params], judge, case=f"patient {seed}", output=ailment)
exercise.score()


# %% mistake="absolute-tolerance" of="clinic"
def examine(f, grad, params):
    handed = grad(params)
    for name, value in params.items():
        seen = numerical_gradient(lambda V: f({**params, name: V}), value, 1e-5)
        if np.allclose(handed[name], seen):
            continue
        would_be = {
            "sign": -seen, "factor-two": 2 * seen, "gradient-transposed": seen.T,
            "bias-averaged": seen / N, "penalty-missing": seen - lam * value, "zeros": 0 * seen,
        }  # fmt: skip
        return name, min(would_be, key=lambda m: relative_error(handed[name], would_be[m]))
    return "", ""


# %% mistake="one-entry-only" of="clinic"
def examine(f, grad, params):
    handed = grad(params)
    for name, value in params.items():
        seen = numerical_gradient(lambda V: f({**params, name: V}), value, 1e-5)
        if abs(handed[name].flat[0] - seen.flat[0]) < 1e-4 * abs(seen.flat[0]):
            continue
        would_be = {
            "sign": -seen, "factor-two": 2 * seen, "gradient-transposed": seen.T,
            "bias-averaged": seen / N, "penalty-missing": seen - lam * value, "zeros": 0 * seen,
        }  # fmt: skip
        return name, min(would_be, key=lambda m: relative_error(handed[name], would_be[m]))
    return "", ""


# %% mistake="lengths-compared" of="clinic"
def examine(f, grad, params):
    handed = grad(params)
    for name, value in params.items():
        seen = numerical_gradient(lambda V: f({**params, name: V}), value, 1e-5)
        mine, theirs = np.linalg.norm(handed[name]), np.linalg.norm(seen)
        if abs(mine - theirs) < 1e-4 * theirs:
            continue
        would_be = {
            "sign": -seen, "factor-two": 2 * seen, "gradient-transposed": seen.T,
            "bias-averaged": seen / N, "penalty-missing": seen - lam * value, "zeros": 0 * seen,
        }  # fmt: skip
        return name, min(would_be, key=lambda m: relative_error(handed[name], would_be[m]))
    return "", ""


# %% mistake="parameters-swapped" of="clinic"
def examine(f, grad, params):
    handed, names = grad(params), list(params)
    for name, other in zip(names, reversed(names), strict=True):
        seen = numerical_gradient(lambda V: f({**params, name: V}), params[name], 1e-5)
        if relative_error(handed[name], seen) > 1e-4:
            would_be = {
                "sign": -seen, "factor-two": 2 * seen, "gradient-transposed": seen.T,
                "bias-averaged": seen / N, "penalty-missing": seen - lam * params[name], "zeros": 0 * seen,
            }  # fmt: skip
            return other, min(would_be, key=lambda m: relative_error(handed[name], would_be[m]))


# %% accepted="ratios" of="clinic"
def examine(f, grad, params):
    handed = grad(params)
    for name in reversed(list(params)):
        d = handed[name]
        n = numerical_gradient(lambda V: f({**params, name: V}), params[name], 3e-6)
        if np.linalg.norm(d - n) <= 1e-5 * np.linalg.norm(n):
            continue
        if not d.any():
            return name, "zeros"
        k = np.sum(d * n) / np.sum(n * n)
        if np.linalg.norm(d - k * n) < 1e-4 * np.linalg.norm(n):
            return name, {-1: "sign", 2: "factor-two"}.get(round(k), "bias-averaged")
        same = np.linalg.norm(d.T - n) < 1e-4 * np.linalg.norm(n)
        return name, "gradient-transposed" if same else "penalty-missing"


# %% accepted="closest" of="clinic"
def examine(f, grad, params):
    handed = grad(params)
    truth = {k: numerical_gradient(lambda V, k=k: f({**params, k: V}), v, 1e-5) for k, v in params.items()}
    name = max(params, key=lambda k: relative_error(handed[k], truth[k]))
    made = [
        ["sign", -truth[name]], ["factor-two", truth[name] * 2], ["zeros", np.zeros_like(truth[name])],
        ["bias-averaged", truth[name] / 6], ["gradient-transposed", truth[name].transpose()],
        ["penalty-missing", truth[name] - 0.1 * params[name]],
    ]  # fmt: skip
    if name.startswith("b"):
        made = [m for m in made if m[0] not in ("gradient-transposed", "penalty-missing")]
    distances = [np.linalg.norm(handed[name] - array) for _, array in made]
    return [name, made[int(np.argmin(distances))][0]]


# %% accepted="in-order-of-size" of="clinic"
def off(d, n):
    return np.linalg.norm(d - n) / (np.linalg.norm(n) + np.linalg.norm(d) or 1.0)


def examine(f, grad, params):
    g = grad(params)
    for name, V in params.items():
        n = numerical_gradient(lambda W: f(params | {name: W}), V, 1e-5)
        if off(g[name], n) > 1e-4:
            if off(g[name], -n) < 1e-4:
                return name, "sign"
            if off(g[name] / 2, n) < 1e-4:
                return name, "factor-two"
            if off(g[name] * N, n) < 1e-4:
                return name, "bias-averaged"
            if np.max(np.abs(g[name])) == 0:
                return name, "zeros"
            return name, "gradient-transposed" if off(g[name].T, n) < 1e-4 else "penalty-missing"
