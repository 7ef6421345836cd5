# %% [markdown]
# # Blame, seasoning and clues
#
# Five exercises, each followed by a cell that checks your answer, and one question that a person reads.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("blame_seasoning_and_clues", globals())

# %% [markdown] exercise="taste-test"
# ## A fair tasting
#
# `f` is a dish: a function that takes one number, the setting of a knob, and returns one number, the loss.
# Write `taste_test(f, x, pinch)`, the slope of `f` at `x` as a fair tasting finds it: once with a `pinch` more than `x`, and once with a `pinch` less.
# Return how much the loss moves *per unit* of the knob.
#
# The check notes where you taste.
# Its dishes are parabolas, and for these a fair tasting finds the slope exactly, but for rounding.

# %% solution="taste-test"
def taste_test(f, x, pinch):
    """`f` takes and returns a float; returns a float."""
    ### BEGIN SOLUTION
    return (f(x + pinch) - f(x - pinch)) / (2 * pinch)
    ### END SOLUTION


# %% tests="taste-test" points=5
exercise = checks.exercise("taste-test")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6101, 6102, 6103]
### END HIDDEN TESTS


def tasting_fault(slope, tasted, x, pinch, bend, truth):
    """What is wrong with a slope that was found by tasting at `tasted`, and which mistake it is."""
    if not isinstance(slope, (int, float)):
        return f"expected one number, got a {type(slope).__name__}.", ""
    if not tasted:
        return "f was never called: taste it.", ""
    steps = [place - x for place in tasted]
    least, most, furthest = min(steps), max(steps), max(map(abs, steps))
    if furthest < 0.1 * pinch:
        return f"tasted no further than {furthest:.2g} from x; the pinch is {pinch}.", "step-too-small"
    if furthest > 1.1 * pinch:
        return f"tasted as far as {furthest:.2g} from x; the pinch is {pinch}.", "step-too-large"
    if least > -0.1 * pinch or most < 0.1 * pinch:
        return "tasted on one side of x only.", "forward-difference"
    if min(most, -least) < 0.9 * pinch:
        return f"tasted from {least:+.3g} to {most:+.3g}; the pinch is {pinch}.", ""
    if np.isclose(slope, truth, rtol=1e-9):
        return None
    names = {"sign": -truth, "factor-two": 2 * truth, "forward-difference": truth + bend * pinch}
    if np.isclose(slope, 2 * pinch * truth, rtol=1e-9):
        return "this is how much the loss moves between your two tastings, not yet per unit of the knob.", ""
    if np.isclose(slope, pinch * truth, rtol=1e-9):
        return "this is how much the loss moves for one pinch, not yet per unit of the knob.", ""
    if np.isclose(slope, pinch**2 * truth, rtol=1e-9):
        return "/ 2 * pinch divides by 2 and then multiplies: put 2 * pinch in brackets.", ""
    found = [name for name, wrong in names.items() if np.isclose(slope, wrong, rtol=1e-9)]
    return f"tasted in the right places; yours {slope:.6g}, the slope is {truth:.6g}.", found[0] if found else ""


for seed in seeds:
    bend, tilt, x = np.random.default_rng(seed).uniform(1, 3, size=3)
    tasted = []

    def dish(w):
        tasted.append(float(w))
        return bend * w**2 - 9 * tilt * w + 1

    truth = 2 * bend * x - 9 * tilt
    judge = lambda slope: tasting_fault(slope, tasted, x, 0.125, bend, truth)
    exercise.holds("taste_test", [dish, float(x), 0.125], judge, case=seed)
exercise.score()


# %% mistake="forward-difference" of="taste-test"
def taste_test(f, x, pinch):
    return (f(x + pinch) - f(x)) / pinch


# %% mistake="forward-difference" of="taste-test" variant="backward"
def taste_test(f, x, pinch):
    return (f(x) - f(x - pinch)) / pinch


# %% mistake="step-too-small" of="taste-test"
def taste_test(f, x, pinch):
    h = 1e-15
    return (f(x + h) - f(x - h)) / (2 * h)


# %% mistake="step-too-small" of="taste-test" variant="own-step"
def taste_test(f, x, pinch):
    pinch = 1e-7
    return (f(x + pinch) - f(x - pinch)) / (2 * pinch)


# %% mistake="step-too-large" of="taste-test"
def taste_test(f, x, pinch):
    return (f(x + 1) - f(x - 1)) / 2


# %% mistake="sign" of="taste-test"
def taste_test(f, x, pinch):
    return (f(x - pinch) - f(x + pinch)) / (2 * pinch)


# %% mistake="factor-two" of="taste-test"
def taste_test(f, x, pinch):
    return (f(x + pinch) - f(x - pinch)) / pinch


# %% accepted="by-name" of="taste-test"
def taste_test(f, x, pinch):
    more = f(x + pinch)
    less = f(x - pinch)
    rise = more - less
    return rise / pinch / 2


# %% accepted="mean-of-two-sides" of="taste-test"
def taste_test(f, x, pinch):
    here = f(x)
    up = (f(x + pinch) - here) / pinch
    down = (here - f(x - pinch)) / pinch
    return (up + down) / 2


# %% accepted="fitted-line" of="taste-test"
def taste_test(f, x, pinch):
    places = [x - pinch, x + pinch]
    return float(np.polyfit(places, [f(place) for place in places], 1)[0])


# %% [markdown] exercise="one-knob"
# ## The blame of one knob
#
# A machine with one knob, and the loss of its answer:
#
# $$
# \begin{aligned}
# p &= w x \\
# L &= (p - \text{target})^2
# \end{aligned}
# $$
#
# The target is the chapter's $y$.
# Write `blame_one_knob(w, x, target)`: the slope of $L$ at the knob $w$.
# By formula, without tasting.

# %% solution="one-knob"
def blame_one_knob(w, x, target):
    """All arguments are floats; returns dw, a float."""
    ### BEGIN SOLUTION
    miss = w * x - target
    return 2 * miss * x
    ### END SOLUTION


# %% tests="one-knob" points=6
exercise = checks.exercise("one-knob")
seeds = [1, 2, 3]
### BEGIN HIDDEN TESTS
seeds += [6201, 6202, 6203]
### END HIDDEN TESTS
for seed in seeds:
    w, x, target = np.random.default_rng(seed).normal(scale=2.0, size=3)
    loss = lambda k: (k["w"] * x - target) ** 2
    exercise.gradient("blame_one_knob", loss, {"w": w}, args=lambda k: (k["w"], x, target), case=seed)
exercise.score()


# %% mistake="sign" of="one-knob"
def blame_one_knob(w, x, target):
    return 2 * (target - w * x) * x


# %% mistake="factor-two" of="one-knob"
def blame_one_knob(w, x, target):
    return (w * x - target) * x


# %% mistake="wrong-operand" of="one-knob"
def blame_one_knob(w, x, target):
    return 2 * (w * x - target) * w


# %% mistake="local-slope-forgotten" of="one-knob"
def blame_one_knob(w, x, target):
    return 2 * (w * x - target)


# %% mistake="upstream-forgotten" of="one-knob"
def blame_one_knob(w, x, target):
    return x


# %% mistake="target-forgotten" of="one-knob"
def blame_one_knob(w, x, target):
    return 2 * (w * x) * x


# %% mistake="activation-for-derivative" of="one-knob"
def blame_one_knob(w, x, target):
    return (w * x - target) ** 2


# %% mistake="forward-difference" of="one-knob"
def blame_one_knob(w, x, target):
    h = 1e-3
    return (((w + h) * x - target) ** 2 - (w * x - target) ** 2) / h


# %% accepted="link-by-link" of="one-knob"
def blame_one_knob(w, x, target):
    answer = x * w
    blame_of_answer = 2 * answer - 2 * target
    return blame_of_answer * x


# %% accepted="multiplied-out" of="one-knob"
def blame_one_knob(w, x, target):
    return 2 * w * x**2 - 2 * x * target


# %% accepted="array" of="one-knob"
def blame_one_knob(w, x, target):
    coefficients = np.array([x**2, -2 * x * target, target**2])
    return np.polyval(np.polyder(coefficients), w)


# %% [markdown] exercise="signs"
# ## Predict the sign
#
# Six situations of the machine $p = wx$ with the loss $L = (p - \text{target})^2$.
# For each, predict the sign of the slope of $L$ at $w$ before you compute anything: two glances are enough.
#
# | case | `w` | `x` | target |
# |---|---|---|---|
# | A | 2 | 3 | 10 |
# | B | 4 | 3 | 10 |
# | C | 2 | −3 | −10 |
# | D | 4 | −3 | −10 |
# | E | −1 | −3 | −3 |
# | F | 5 | 0 | 10 |
#
# Return six signs as one string, A first: `+` where turning $w$ up raises the loss, `-` where it lowers the loss, `0` where it does neither.

# %% solution="signs"
def predicted_signs():
    """Returns six of "+", "-", "0" as one string."""
    ### BEGIN SOLUTION
    return "-+-+-0"
    ### END SOLUTION


# %% tests="signs" points=3
exercise = checks.exercise("signs")
hairs = [1e-6]
### BEGIN HIDDEN TESTS
hairs += [1e-4]
### END HIDDEN TESTS
situations = {"A": (2, 3, 10), "B": (4, 3, 10), "C": (2, -3, -10), "D": (4, -3, -10), "E": (-1, -3, -3), "F": (5, 0, 10)}


def signs_fault(said, hair):
    """Turn every knob up by a hair, see what the loss does, and compare."""
    said = said.replace("\N{MINUS SIGN}", "-").replace(" ", "") if isinstance(said, str) else said
    if not isinstance(said, str) or len(said) != 6 or set(said) - set("+-0"):
        return f"expected a string of six signs out of + - 0, got {said!r}.", ""
    rises = [((w + hair) * x - t) ** 2 - (w * x - t) ** 2 for w, x, t in situations.values()]
    wrong = [name for name, mine, rise in zip(situations, said, rises, strict=True) if mine != "0+-"[int(np.sign(rise))]]
    if not wrong:
        return None
    # Each glance alone gives a pattern of its own.
    too_high = "".join("0+-"[int(np.sign(w * x - t))] for w, x, t in situations.values())
    raises = "".join("0+-"[int(np.sign(x))] for w, x, t in situations.values())
    slips = {too_high: "local-slope-forgotten", too_high[:5] + "0": "local-slope-forgotten", raises: "upstream-forgotten"}
    slip = "sign" if wrong == list("ABCDE") and "0" not in said[:5] else slips.get(said, "")
    return f"{len(wrong)} of 6 differ from what a hair more of w does: {', '.join(wrong)}.", slip


for hair in hairs:
    exercise.holds("predicted_signs", [], lambda said, hair=hair: signs_fault(said, hair), case=hair)
exercise.score()


# %% mistake="sign" of="signs"
def predicted_signs():
    return "+-+-+0"


# %% mistake="local-slope-forgotten" of="signs"
def predicted_signs():
    return "-+" + "+-" + "+-"


# %% mistake="local-slope-forgotten" of="signs" variant="zero-seen"
def predicted_signs():
    return "-+" + "+-" + "+0"


# %% mistake="upstream-forgotten" of="signs"
def predicted_signs():
    return "++" + "---" + "0"


# %% accepted="joined" of="signs"
def predicted_signs():
    return "".join(["-", "+", "-", "+", "-", "0"])


# %% accepted="computed" of="signs"
def predicted_signs():
    cases = [(2, 3, 10), (4, 3, 10), (2, -3, -10), (4, -3, -10), (-1, -3, -3), (5, 0, 10)]
    slopes = [(w * x - t) * x for w, x, t in cases]
    return "".join("+" if slope > 0 else "-" if slope < 0 else "0" for slope in slopes)


# %% accepted="typeset-minus" of="signs"
def predicted_signs():
    return "\N{MINUS SIGN}+" * 2 + "\N{MINUS SIGN}0"


# %% accepted="two-glances" of="signs"
def predicted_signs():
    too_high = [False, True, True, False, True, False]
    raises = [True, True, False, False, False, None]
    signs = ""
    for high, up in zip(too_high, raises, strict=True):
        signs += "0" if up is None else "+" if high == up else "-"
    return signs


# %% [markdown] exercise="two-knobs"
# ## The blame of two knobs
#
# $$
# \begin{aligned}
# p &= w_1 x_1 + w_2 x_2 \\
# L &= (p - \text{target})^2
# \end{aligned}
# $$
#
# Write `blame_two_knobs(w1, w2, x1, x2, target)`: it returns the slope of $L$ at $w_1$, then at $w_2$.

# %% solution="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    """Returns the tuple (dw1, dw2) of floats."""
    ### BEGIN SOLUTION
    miss = w1 * x1 + w2 * x2 - target
    return 2 * miss * x1, 2 * miss * x2
    ### END SOLUTION


# %% tests="two-knobs" points=6
exercise = checks.exercise("two-knobs")
seeds = [1, 2, 3]
### BEGIN HIDDEN TESTS
seeds += [6301, 6302, 6303]
### END HIDDEN TESTS
for seed in seeds:
    w1, w2, x1, x2, target = np.random.default_rng(seed).normal(scale=2.0, size=5)
    loss = lambda k: (k["w1"] * x1 + k["w2"] * x2 - target) ** 2
    args = lambda k: (k["w1"], k["w2"], x1, x2, target)
    exercise.gradient("blame_two_knobs", loss, {"w1": w1, "w2": w2}, args=args, case=seed)
exercise.score()


# %% mistake="wrong-operand" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (w1 * x1 + w2 * x2 - target)
    return dp * w1, dp * w2


# %% mistake="parameters-swapped" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (w1 * x1 + w2 * x2 - target)
    return dp * x2, dp * x1


# %% mistake="sign" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (target - w1 * x1 - w2 * x2)
    return dp * x1, dp * x2


# %% mistake="factor-two" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (w1 * x1 + w2 * x2 - target)
    half = dp / 2
    return half * x1, half * x2


# %% mistake="local-slope-forgotten" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (w1 * x1 + w2 * x2 - target)
    return dp, dp


# %% mistake="upstream-forgotten" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    return x1, x2


# %% mistake="target-forgotten" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    p = w1 * x1 + w2 * x2
    return 2 * p * x1, 2 * p * x2


# %% mistake="forward-backward-disagree" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    return 2 * (w1 * x1 - target) * x1, 2 * (w2 * x2 - target) * x2


# %% accepted="dict" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dp = 2 * (w1 * x1 + w2 * x2 - target)
    return {"dw1": dp * x1, "dw2": dp * x2}


# %% accepted="arrays" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    x = np.array([x1, x2])
    dw1, dw2 = 2 * x * (np.array([w1, w2]) @ x - target)
    return dw1, dw2


# %% accepted="multiplied-out" of="two-knobs"
def blame_two_knobs(w1, w2, x1, x2, target):
    dw1 = 2 * w1 * x1**2 + 2 * w2 * x2 * x1 - 2 * target * x1
    dw2 = 2 * w2 * x2**2 + 2 * w1 * x1 * x2 - 2 * target * x2
    return [dw1, dw2]


# %% [markdown] exercise="chain"
# ## Blame along a chain
#
# Another party.
# At each of $x$ tables sit $a$ children, which makes $u$ children, and each of them brings $b$ friends, which makes $v$ friends.
# A child eats one slice of cake and a friend eats $c$ slices:
#
# $$
# \begin{aligned}
# u &= a x \\
# v &= b u \\
# p &= u + c v \\
# L &= (p - \text{target})^2
# \end{aligned}
# $$
#
# Write `blame_chain(a, b, c, x, target)`: it returns the slopes of $L$ at the dials $a$, $b$ and $c$, in this order.
# Start at the loss and go back, one station at a time.
# There are two trails from $p$ back to $u$: draw the machine before you begin.

# %% solution="chain"
def blame_chain(a, b, c, x, target):
    """Returns the tuple (da, db, dc) of floats."""
    ### BEGIN SOLUTION
    children = a * x
    friends = b * children
    d_eaten = 2 * (children + c * friends - target)
    d_friends = d_eaten * c
    d_children = d_eaten + d_friends * b
    return d_children * x, d_friends * children, d_eaten * friends
    ### END SOLUTION


# %% tests="chain" points=6
exercise = checks.exercise("chain")
seeds = [1, 2, 3]
### BEGIN HIDDEN TESTS
seeds += [6401, 6402, 6403]
### END HIDDEN TESTS
for seed in seeds:
    a, b, c, x, target = np.random.default_rng(seed).normal(scale=1.5, size=5)
    loss = lambda k: (k["a"] * x + k["c"] * k["b"] * k["a"] * x - target) ** 2
    args = lambda k: (k["a"], k["b"], k["c"], x, target)
    exercise.gradient("blame_chain", loss, {"a": a, "b": b, "c": c}, args=args, case=seed)
exercise.score()


# %% mistake="paths-multiplied" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    dv = dp * c
    du = dp * (dv * b)
    return du * x, dv * u, dp * v


# %% mistake="one-path-only" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    return dp * x, dp * c * u, dp * v


# %% mistake="one-path-only" of="chain" variant="through-friends"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    dv = dp * c
    du = dv * b
    return du * x, dv * u, dp * v


# %% mistake="one-path-only" of="chain" variant="children-eat-nothing"
def blame_chain(a, b, c, x, target):
    dp = 2 * (c * b * a * x - target)
    return dp * c * b * x, dp * c * a * x, dp * b * a * x


# %% mistake="upstream-forgotten" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    return x, u, v


# %% mistake="upstream-forgotten" of="chain" variant="of-the-answer"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    return (1 + c * b) * x, c * u, v


# %% mistake="local-slope-forgotten" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    dv = dp * c
    du = dp + dv * b
    return du, dv, dp


# %% mistake="sign" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (target - u - c * v)
    dv = dp * c
    du = dp + dv * b
    return du * x, dv * u, dp * v


# %% mistake="factor-two" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = u + c * v - target
    dv = dp * c
    du = dp + dv * b
    return du * x, dv * u, dp * v


# %% mistake="wrong-operand" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    dv = dp * c
    du = dp + dv * b
    return du * a, dv * b, dp * c


# %% mistake="parameters-swapped" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = b * u
    dp = 2 * (u + c * v - target)
    dv = dp * c
    du = dp + dv * b
    return dp * v, dv * u, du * x


# %% accepted="accumulated" of="chain"
def blame_chain(a, b, c, x, target):
    u = a * x
    v = u * b
    dp = 2 * (u + v * c - target)
    du = dp * 1.0
    dc, dv = v * dp, c * dp
    db = u * dv
    du += b * dv
    return {"da": x * du, "db": db, "dc": dc}


# %% accepted="whole-formulas" of="chain"
def blame_chain(a, b, c, x, target):
    miss = a * x * (1 + b * c) - target
    return 2 * miss * x * (1 + b * c), 2 * miss * a * x * c, 2 * miss * a * x * b


# %% accepted="two-trails" of="chain"
def blame_chain(a, b, c, x, target):
    p = a * x + c * b * a * x
    straight = 2 * (p - target) * x
    through_friends = 2 * (p - target) * c * b * x
    slopes = np.array([0.0, c * a * x, b * a * x]) * 2 * (p - target)
    slopes[0] = straight + through_friends
    return tuple(slopes)


# %% [markdown] marked="analogy" points=4
# ## Where an analogy fails
#
# Find an analogy for training a network that is not in the chapter: a coach with the film of a match, a child's game of "warmer, colder", a committee after a failed project, tuning a radio, or one of your own.
#
# 1. Give the mapping: what in your story are the weights, the prediction, the target, the loss, the gradient and the update?
# 2. Name one thing about back-propagation that your story gets right and that one of the teacher, the chef and the detective does not.
# 3. Say where it breaks: one false thing about gradients that somebody would believe who took the story at its word, and the numbers of a small example (one or two knobs are enough) that prove it false.
#
# Half a page.
#
# ### BEGIN SOLUTION
# **Model answer** (one of many).
# The game "warmer, colder": a child looks for a hidden thing.
#
# 1. Weights: where the child stands. Prediction: that place. Target: the hiding place. Loss: the distance, squared. Gradient: what the distance would do for a small step in each direction. Update: the step that the child takes.
# 2. The child hears only whether the loss grew, and must go on from where it stands, in small steps, without ever seeing the whole garden. The teacher, who goes over all the answers at once, says nothing of small steps; the detective takes none.
# 3. "Colder" and "warmer" suggest that the gradient says how far away the goal is: a loud "warmer" would mean "nearly there". For L = (wx - y)^2 with x = 10, y = 20, w = 1 the gradient is 2(10 - 20)10 = -200, and the right w is 1 away. With x = 0.1, y = 0.2, w = 1 the gradient is 2(0.1 - 0.2)0.1 = -0.02, and the right w is again 1 away. The same distance, and gradients that differ by a factor of ten thousand: the gradient is a slope, not a distance. (Another break: the caller knows the place and tells one direction for each try, so that the child needs a try per direction, as the chef does.)
#
# **Rubric.**
# 4: a mapping with all six parts that fit together; a real strength; a false belief about gradients that does follow from the story; numbers that prove it false.
# 3: as 4, but one part of the mapping does not fit, or the numbers are right and it is not said what they show.
# 2: the mapping is sound, and the break is named but only in general ("it is simpler than reality"), or has no numbers.
# 1: a story with two or three parts mapped, and no break that concerns gradients.
# 0: none of this, or only a retelling of the chapter.
# ### END SOLUTION
