# %% [markdown]
# # The scalar chain rule
#
# Five exercises, each followed by a cell that checks your answer against finite differences.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("scalar_chain_rule", globals())

# %% [markdown] exercise="local-slopes"
# ## Four local slopes
#
# The cell below gives four functions that act on every entry of an array $z$:
#
# $$
# \begin{aligned}
# \sigma(z) &= \frac{1}{1 + e^{-z}} & \tanh(z) &= \frac{e^{z} - e^{-z}}{e^{z} + e^{-z}} \\
# \operatorname{relu}(z) &= \max(0, z) & \operatorname{softplus}(z) &= \log(1 + e^{z})
# \end{aligned}
# $$
#
# Write the slope of each at $z$.
# Every function takes an array of any shape and returns an array of the same shape: entry by entry, how much the output moves per unit that $z$ moves.
# You may call the four given functions.
# The input is always $z$, the value *before* the function is applied.

# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def tanh(z):
    return np.tanh(z)


def relu(z):
    return np.where(np.real(z) > 0, z, 0.0)


def softplus(z):
    return np.log(1 + np.exp(z))


# %% solution="local-slopes"
def sigmoid_grad(z):
    """Slope of `sigmoid` at every entry of the array `z`; same shape as `z`."""
    ### BEGIN SOLUTION
    s = sigmoid(z)
    return s * (1 - s)
    ### END SOLUTION


def tanh_grad(z):
    """Slope of `tanh` at every entry of the array `z`; same shape as `z`."""
    ### BEGIN SOLUTION
    return 1 - np.tanh(z) ** 2
    ### END SOLUTION


def relu_grad(z):
    """Slope of `relu` at every entry of the array `z`, which is never exactly 0; same shape as `z`."""
    ### BEGIN SOLUTION
    return np.where(z > 0, 1.0, 0.0)
    ### END SOLUTION


def softplus_grad(z):
    """Slope of `softplus` at every entry of the array `z`; same shape as `z`."""
    ### BEGIN SOLUTION
    return sigmoid(z)
    ### END SOLUTION


# %% tests="local-slopes" points=8
exercise = checks.exercise("local-slopes")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [5101, 5102, 5103]
### END HIDDEN TESTS
for seed in seeds:
    z = np.random.default_rng(seed).normal(scale=2.0, size=(3, 4))
    exercise.derivative("sigmoid_grad", sigmoid, z, case=seed)
    exercise.derivative("tanh_grad", tanh, z, case=seed)
    exercise.derivative("relu_grad", relu, z, case=seed)
    exercise.derivative("softplus_grad", softplus, z, case=seed)
exercise.score()


# %% mistake="derivative-at-output" of="local-slopes"
def sigmoid_grad(z):
    a = sigmoid(z)
    return sigmoid(a) * (1 - sigmoid(a))


def tanh_grad(z):
    a = np.tanh(z)
    return 1 - np.tanh(a) ** 2


def softplus_grad(z):
    return sigmoid(softplus(z))


# %% mistake="tanh-of-preactivation" of="local-slopes"
def tanh_grad(z):
    return 1 - z**2


# %% mistake="activation-for-derivative" of="local-slopes"
def sigmoid_grad(z):
    return sigmoid(z)


def tanh_grad(z):
    return np.tanh(z)


def relu_grad(z):
    return relu(z)


def softplus_grad(z):
    return softplus(z)


# %% mistake="local-slope-forgotten" of="local-slopes"
def sigmoid_grad(z):
    return -1 / (1 + np.exp(-z)) ** 2


def tanh_grad(z):
    return 2 * sigmoid(2 * z) * (1 - sigmoid(2 * z))


def softplus_grad(z):
    return 1 / (1 + np.exp(z))


# %% mistake="local-slope-forgotten" of="local-slopes" variant="sign-of-the-inside"
def sigmoid_grad(z):
    return 1 / (1 + np.exp(-z)) ** 2


# %% mistake="relu-mask-after-relu" of="local-slopes"
def relu_grad(z):
    a = relu(z)
    return np.where(a >= 0, 1.0, 0.0)


# %% mistake="sign" of="local-slopes"
def sigmoid_grad(z):
    return sigmoid(z) * (sigmoid(z) - 1)


def tanh_grad(z):
    return np.tanh(z) ** 2 - 1


def relu_grad(z):
    return np.where(z > 0, -1.0, 0.0)


def softplus_grad(z):
    return -sigmoid(z)


# %% accepted="exponentials" of="local-slopes"
def sigmoid_grad(z):
    return np.exp(-z) / (1 + np.exp(-z)) ** 2


def tanh_grad(z):
    return 1 / np.cosh(z) ** 2


def relu_grad(z):
    return (z > 0).astype(float)


def softplus_grad(z):
    return np.exp(z) / (1 + np.exp(z))


# %% accepted="by-symmetry" of="local-slopes"
def sigmoid_grad(z):
    return sigmoid(z) * sigmoid(-z)


def tanh_grad(z):
    return 4 * sigmoid(2 * z) * sigmoid(-2 * z)


def relu_grad(z):
    return np.heaviside(z, 0.0)


def softplus_grad(z):
    return 1 - sigmoid(-z)


# %% accepted="entry-by-entry" of="local-slopes"
def each(f, z):
    return np.array([f(float(entry)) for entry in z.ravel()]).reshape(z.shape)


def sigmoid_grad(z):
    return each(lambda t: np.exp(-abs(t)) / (1 + np.exp(-abs(t))) ** 2, z)


def tanh_grad(z):
    return each(lambda t: (1 - np.tanh(t)) * (1 + np.tanh(t)), z)


def relu_grad(z):
    return each(lambda t: 1.0 if t > 0 else 0.0, z)


def softplus_grad(z):
    return each(lambda t: 1 / (1 + np.exp(-t)), z)


# %% [markdown] exercise="nested"
# ## Forward and backward through a nest
#
# Two units in a row, each with one weight and one bias, and a squared error at the end:
#
# $$
# \begin{aligned}
# z_1 &= w_1 x + b_1 & a_1 &= \tanh(z_1) \\
# z_2 &= w_2 a_1 + b_2 & a_2 &= \sigma(z_2) \\
# L &= (a_2 - y)^2
# \end{aligned}
# $$
#
# `nested_forward` computes the five values and returns them all, since the way back needs them.
# `nested_backward` takes that dict as `cache` and returns, for every value and every parameter $v$, the slope $\partial L / \partial v$ under the key `"dv"`.
# Go from the loss to the input, one line per value, and use each result in the next.
# The slopes of $\tanh$ and $\sigma$ are those of the first exercise; you may call your functions.
# If one gradient is wrong, the later ones are judged by what you fed into them: they keep their points where they are right.

# %% solution="nested"
def nested_forward(x, y, w1, b1, w2, b2):
    """All numbers are floats; returns a dict with keys z1, a1, z2, a2, L."""
    ### BEGIN SOLUTION
    z1 = w1 * x + b1
    a1 = tanh(z1)
    z2 = w2 * a1 + b2
    a2 = sigmoid(z2)
    return {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "L": (a2 - y) ** 2}
    ### END SOLUTION


def nested_backward(x, y, w1, b1, w2, b2, cache):
    """`cache` is the dict of a forward pass; returns a dict with keys da2, dz2, dw2, db2, da1, dz1, dw1, db1."""
    ### BEGIN SOLUTION
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - cache["a1"] ** 2)
    return {
        "da2": da2,
        "dz2": dz2,
        "dw2": dz2 * cache["a1"],
        "db2": dz2,
        "da1": da1,
        "dz1": dz1,
        "dw1": dz1 * x,
        "db1": dz1,
    }
    ### END SOLUTION


# %% tests="nested" points=12
exercise = checks.exercise("nested")
seeds = [1, 2, 3]
### BEGIN HIDDEN TESTS
seeds += [5201, 5202, 5203]
### END HIDDEN TESTS
names = ["x", "y", "w1", "b1", "w2", "b2"]
forward = {
    "z1": lambda v: v.w1 * v.x + v.b1,
    "a1": lambda v: tanh(v.z1),
    "z2": lambda v: v.w2 * v.a1 + v.b2,
    "a2": lambda v: sigmoid(v.z2),
    "L": lambda v: (v.a2 - v.y) ** 2,
}
for seed in seeds:
    leaves = dict(zip(names, np.random.default_rng(seed).normal(size=6), strict=True))
    values = grading.forward_pass(forward, leaves)
    cache = {name: values[name] for name in forward}
    exercise.value("nested_forward", list(leaves.values()), cache, case=seed, weight=0.8)
    exercise.backward(
        "nested_backward",
        forward,
        leaves,
        wrt=["a2", "z2", "w2", "b2", "a1", "z1", "w1", "b1"],
        args=[*leaves.values(), cache],
        case=seed,
    )
exercise.score()


# %% mistake="missing-activation-derivative" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2
    da1 = dz2 * w2
    dz1 = da1
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="stale-cache" of="nested"
first = {}


def nested_backward(x, y, w1, b1, w2, b2, cache):
    kept = first.setdefault("cache", cache)
    da2 = 2 * (kept["a2"] - y)
    dz2 = da2 * kept["a2"] * (1 - kept["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - kept["a1"] ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * kept["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="derivative-at-output" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2 * sigmoid(cache["a2"]) * (1 - sigmoid(cache["a2"]))
    da1 = dz2 * w2
    dz1 = da1 * (1 - np.tanh(cache["a1"]) ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="tanh-of-preactivation" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - cache["z1"] ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="sign" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (y - cache["a2"])
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - cache["a1"] ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="factor-two" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = cache["a2"] - y
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - cache["a1"] ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["a1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="wrong-operand" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2 * w2
    dz1 = da1 * (1 - cache["a1"] ** 2)
    return {
        "da2": da2, "dz2": dz2, "dw2": dz2 * cache["z1"], "db2": dz2,
        "da1": da1, "dz1": dz1, "dw1": dz1 * x, "db1": dz1,
    }


# %% mistake="local-slope-forgotten" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * (cache["a2"] - y)
    dz2 = da2 * cache["a2"] * (1 - cache["a2"])
    da1 = dz2
    dz1 = da1 * (1 - cache["a1"] ** 2)
    return {"da2": da2, "dz2": dz2, "dw2": dz2, "db2": dz2, "da1": da1, "dz1": dz1, "dw1": dz1, "db1": dz1}


# %% accepted="reversed-names" of="nested"
def nested_forward(x, y, w1, b1, w2, b2):
    values = {"z1": x * w1 + b1}
    values["a1"] = np.tanh(values["z1"])
    values["z2"] = values["a1"] * w2 + b2
    values["a2"] = 1 / (1 + np.exp(-values["z2"]))
    values["L"] = (y - values["a2"]) ** 2
    return values


def nested_backward(x, y, w1, b1, w2, b2, cache):
    grads = {"da2": -2 * (y - cache["a2"])}
    grads["dz2"] = grads["da2"] * (cache["a2"] - cache["a2"] ** 2)
    grads["db2"] = grads["dz2"]
    grads["dw2"] = cache["a1"] * grads["dz2"]
    grads["da1"] = w2 * grads["dz2"]
    grads["dz1"] = (1 - cache["a1"]) * (1 + cache["a1"]) * grads["da1"]
    grads["db1"] = grads["dz1"]
    grads["dw1"] = x * grads["dz1"]
    return grads


# %% accepted="slopes-at-the-input" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    da2 = 2 * cache["a2"] - 2 * y
    dz2 = da2 * sigmoid(cache["z2"]) * sigmoid(-cache["z2"])
    da1 = w2 * dz2
    dz1 = da1 / np.cosh(cache["z1"]) ** 2
    return dict(da2=da2, dz2=dz2, dw2=dz2 * tanh(cache["z1"]), db2=dz2, da1=da1, dz1=dz1, dw1=dz1 * x, db1=dz1)


# %% accepted="whole-products" of="nested"
def nested_backward(x, y, w1, b1, w2, b2, cache):
    a1, a2 = cache["a1"], cache["a2"]
    outer = 2 * (a2 - y) * a2 * (1 - a2)
    inner = outer * w2 * (1 - a1 * a1)
    return {
        "db1": inner, "dw1": inner * x, "dz1": inner, "da1": outer * w2,
        "db2": outer, "dw2": outer * a1, "dz2": outer, "da2": (a2 - y) + (a2 - y),
    }


# %% [markdown] exercise="two-paths"
# ## Two paths add
#
# The number $x$ reaches the loss on two paths:
#
# $$
# u = x^2, \qquad v = \sin x, \qquad L = u\,v .
# $$
#
# Write `two_paths_grad(x)`, the slope of $L$ at $x$.
# Follow one path at a time: multiply along a path, then decide what to do with the two results.

# %% solution="two-paths"
def two_paths_grad(x):
    """`x` is a float; returns the slope of L = x**2 * sin(x) at `x`, a float."""
    ### BEGIN SOLUTION
    through_u = 2 * x * np.sin(x)
    through_v = np.cos(x) * x**2
    return through_u + through_v
    ### END SOLUTION


# %% tests="two-paths" points=6
exercise = checks.exercise("two-paths")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [5301, 5302, 5303]
### END HIDDEN TESTS
for seed in seeds:
    x = np.random.default_rng(seed).uniform(0.5, 3.0)
    exercise.derivative("two_paths_grad", lambda x: x**2 * np.sin(x), x, case=seed)
exercise.score()


# %% mistake="paths-multiplied" of="two-paths"
def two_paths_grad(x):
    return (2 * x * np.sin(x)) * (np.cos(x) * x**2)


# %% mistake="paths-multiplied" of="two-paths" variant="slopes-only"
def two_paths_grad(x):
    return 2 * x * np.cos(x)


# %% mistake="one-path-only" of="two-paths"
def two_paths_grad(x):
    return 2 * x * np.sin(x)


# %% mistake="one-path-only" of="two-paths" variant="the-other"
def two_paths_grad(x):
    return np.cos(x) * x**2


# %% mistake="upstream-forgotten" of="two-paths"
def two_paths_grad(x):
    return 2 * x + np.cos(x)


# %% mistake="sign" of="two-paths"
def two_paths_grad(x):
    return 2 * x * np.sin(x) - np.cos(x) * x**2


# %% accepted="factored" of="two-paths"
def two_paths_grad(x):
    return x * (2 * np.sin(x) + x * np.cos(x))


# %% accepted="accumulated" of="two-paths"
def two_paths_grad(x):
    u, v = x * x, np.sin(x)
    dx = 0.0
    dx += v * 2 * x
    dx += u * np.cos(x)
    return dx


# %% accepted="three-factors" of="two-paths"
def two_paths_grad(x):
    s, c = np.sin(x), np.cos(x)
    return x * s + x * s + x * x * c


# %% [markdown] exercise="neuron"
# ## One neuron
#
# A neuron with one input, a sigmoid, and a squared error:
#
# $$
# \begin{aligned}
# z &= w x + b \\
# p &= \sigma(z) \\
# L &= (p - y)^2
# \end{aligned}
# $$
#
# Write `neuron_grads(w, b, x, y)`: it returns the two slopes of $L$ that a training step needs, first for $w$, then for $b$.
# You may call the given functions; what you wrote in the first exercise is not needed here.

# %% solution="neuron"
def neuron_grads(w, b, x, y):
    """All arguments are floats; returns the tuple (dw, db) of floats."""
    ### BEGIN SOLUTION
    p = sigmoid(w * x + b)
    dp = 2 * (p - y)
    dz = dp * p * (1 - p)
    return dz * x, dz
    ### END SOLUTION


# %% tests="neuron" points=6
exercise = checks.exercise("neuron")
seeds = [1, 2, 3]
### BEGIN HIDDEN TESTS
seeds += [5401, 5402, 5403]
### END HIDDEN TESTS
for seed in seeds:
    w, b, x = np.random.default_rng(seed).normal(size=3)
    y = float(seed % 2)
    loss = lambda p: (sigmoid(p["w"] * x + p["b"]) - y) ** 2
    exercise.gradient("neuron_grads", loss, {"w": w, "b": b}, args=lambda p: (p["w"], p["b"], x, y), case=seed)
exercise.score()


# %% mistake="missing-activation-derivative" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y)
    return dz * x, dz


# %% mistake="sign" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (y - p) * p * (1 - p)
    return dz * x, dz


# %% mistake="factor-two" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = (p - y) * p * (1 - p)
    return dz * x, dz


# %% mistake="upstream-forgotten" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    return p * (1 - p) * x, p * (1 - p)


# %% mistake="wrong-operand" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y) * p * (1 - p)
    return dz * w, dz


# %% mistake="derivative-at-output" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y) * sigmoid(p) * (1 - sigmoid(p))
    return dz * x, dz


# %% mistake="activation-for-derivative" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y) * p
    return dz * x, dz


# %% mistake="local-slope-forgotten" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y) * p * (1 - p)
    return dz, dz


# %% mistake="parameters-swapped" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(w * x + b)
    dz = 2 * (p - y) * p * (1 - p)
    return dz, dz * x


# %% accepted="bias-first" of="neuron"
def neuron_grads(w, b, x, y):
    z = b + x * w
    db = -2 * (y - sigmoid(z)) * sigmoid(z) * sigmoid(-z)
    return db * x, db


# %% accepted="dict" of="neuron"
def neuron_grads(w, b, x, y):
    e = np.exp(-(w * x + b))
    p = 1 / (1 + e)
    slope = 2 * p**2 * e * (p - y)
    return {"dw": slope * x, "db": slope}


# %% accepted="arrays" of="neuron"
def neuron_grads(w, b, x, y):
    p = sigmoid(np.array([w, b]) @ np.array([x, 1.0]))
    dw, db = 2 * (p - y) * (p - p**2) * np.array([x, 1.0])
    return dw, db


# %% [markdown] exercise="line-order"
# ## Put the lines in order
#
# Somebody wrote a backward pass on six cards and dropped them.
# The forward pass is $u = a x$, $v = c x$, $L = u v$, so $x$ reaches the loss through both $u$ and $v$.
#
# | card | line |
# |---|---|
# | A | `dx = du * a + dv * c` |
# | B | `dv = dL * u` |
# | C | `da = du * x` |
# | D | `dL = 1.0` |
# | E | `dc = dv * x` |
# | F | `du = dL * v` |
#
# Return the six letters in an order that works, as one string.
# Several orders are right: a line may stand anywhere after the lines whose results it uses.

# %%
cards = {
    "A": "dx = du * a + dv * c",
    "B": "dv = dL * u",
    "C": "da = du * x",
    "D": "dL = 1.0",
    "E": "dc = dv * x",
    "F": "du = dL * v",
}


def lay_out(order, a, c, x):
    """Run the cards in the given order; returns {"da": ..., "dc": ..., "dx": ...}."""
    if not isinstance(order, str) or not set(order) <= set(cards):
        raise ValueError(f"the order is a string of the letters {''.join(cards)}, got {order!r}")
    missing = [card for card in cards if card not in order]
    if missing:
        raise ValueError(f"every card is needed, and {order!r} leaves out {', '.join(missing)}")
    values = {"a": a, "c": c, "x": x, "u": a * x, "v": c * x}
    for card in order:
        exec(cards[card], {}, values)
    return {name: values[name] for name in ("da", "dc", "dx")}


# %% solution="line-order"
def line_order():
    """Returns the six letters A to F in an order that works, as a string."""
    ### BEGIN SOLUTION
    return "DFBCEA"
    ### END SOLUTION


# %% tests="line-order" points=3
exercise = checks.exercise("line-order")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [5501]
### END HIDDEN TESTS
for seed in seeds:
    a, c, x = np.random.default_rng(seed).normal(size=3)
    exercise.gradient(
        "line_order",
        lambda p: p["a"] * p["x"] * p["c"] * p["x"],
        {"a": a, "c": c, "x": x},
        via=lambda line_order, a, c, x: lay_out(line_order(), a, c, x),
        case=seed,
    )
exercise.score()


# %% mistake="no-topological-order" of="line-order"
def line_order():
    return "DFCABE"


# %% mistake="no-topological-order" of="line-order" variant="forward"
def line_order():
    return "ACEFBD"


# %% accepted="other-path-first" of="line-order"
def line_order():
    return "DBFECA"


# %% accepted="input-first" of="line-order"
def line_order():
    return "DFBACE"


# %% accepted="path-by-path" of="line-order"
def line_order():
    return "DFCBEA"
