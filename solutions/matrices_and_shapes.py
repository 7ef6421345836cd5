# %% [markdown]
# # Vectors, matrices and shapes
#
# Five exercises in code and one on paper.
# In each, transcribe what the chapter derives into NumPy, and mind the shapes: the gradient of an array has exactly the shape of that array.
# The checks under your answers use arrays of different lengths and arrays of equal lengths, and a random gradient from above.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("matrices_and_shapes", globals())

# %% [markdown] exercise="affine-backward"
# ## The way back through a layer
#
# The layer is $Z = XW + b$, and the way back has reached $Z$: you are given `dZ`.
# Write `affine_backward`, which returns the gradients of the three arrays.
# Three lines will do, without a loop.
# Nothing is divided by the number of examples: that factor is in `dZ` already.


# %%
def affine(X, W, b):
    """X (N, D), W (D, H), b (H,); returns Z (N, H)."""
    return X @ W + b


# %% solution="affine-backward"
def affine_backward(dZ, X, W):
    """dZ (N, H), X (N, D), W (D, H).

    Returns the tuple (dX, dW, db), in the shapes of X, W, b.
    """
    ### BEGIN SOLUTION
    dX = dZ @ W.T
    dW = X.T @ dZ
    db = np.sum(dZ, axis=0)
    return dX, dW, db
    ### END SOLUTION


# %% tests="affine-backward" points=12
exercise = checks.exercise("affine-backward")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6101, 6102, 6103]
### END HIDDEN TESTS
# Lengths N, D, H, and how large the weights are: all different, all equal, small weights.
sizes = [(6, 3, 4, 1.0), (5, 5, 5, 1.0), (7, 4, 2, 1e-3)]
for seed in seeds:
    for size, (N, D, H, scale) in enumerate(sizes):
        rng = np.random.default_rng([seed, size])
        arrays = {"X": rng.normal(size=(N, D)), "W": scale * rng.normal(size=(D, H)), "b": rng.normal(size=H)}
        forward = lambda p: affine(p["X"], p["W"], p["b"])
        given = lambda dZ, p: (dZ, p["X"], p["W"])
        exercise.vjp("affine_backward", forward, arrays, given, case=10 * seed + size)
exercise.score()


# %% mistake="weight-not-transposed" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W, X.T @ dZ, np.sum(dZ, axis=0)


# %% mistake="weight-not-transposed" of="affine-backward" variant="in-front"
def affine_backward(dZ, X, W):
    return W @ dZ, X.T @ dZ, np.sum(dZ, axis=0)


# %% mistake="gradient-transposed" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, dZ.T @ X, np.sum(dZ, axis=0)


# %% mistake="gradient-transposed" of="affine-backward" variant="inputs"
def affine_backward(dZ, X, W):
    return W @ dZ.T, X.T @ dZ, np.sum(dZ, axis=0)


# %% mistake="bias-averaged" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, np.mean(dZ, axis=0)


# %% mistake="bias-not-summed" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, dZ


# %% mistake="wrong-axis" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, np.sum(dZ, axis=1)


# %% mistake="keepdims-left" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, np.sum(dZ, axis=0, keepdims=True)


# %% mistake="summed-over-units" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, np.sum(dZ)


# %% mistake="summed-over-units" of="affine-backward" variant="spread"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ, np.full(W.shape[1], np.sum(dZ))


# %% mistake="last-example-only" of="affine-backward"
def affine_backward(dZ, X, W):
    for x, dz in zip(X, dZ, strict=True):
        dW, db = np.outer(x, dz), dz
    return dZ @ W.T, dW, db


# %% mistake="extra-batch-mean" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T @ dZ / len(X), np.sum(dZ, axis=0)


# %% mistake="wrong-operand" of="affine-backward"
def affine_backward(dZ, X, W):
    dW = X.T @ dZ
    return dZ @ dW.T, dW, np.sum(dZ, axis=0)


# %% mistake="elementwise-for-dot" of="affine-backward"
def affine_backward(dZ, X, W):
    return dZ @ W.T, X.T * dZ, np.sum(dZ, axis=0)


# %% mistake="elementwise-for-dot" of="affine-backward" variant="inputs"
def affine_backward(dZ, X, W):
    return dZ * W, X.T @ dZ, np.sum(dZ, axis=0)


# %% mistake="upstream-forgotten" of="affine-backward"
def affine_backward(dZ, X, W):
    ones = np.ones_like(dZ)
    return ones @ W.T, X.T @ ones, np.sum(ones, axis=0)


# %% mistake="parameters-swapped" of="affine-backward"
def affine_backward(dZ, X, W):
    return X.T @ dZ, dZ @ W.T, np.sum(dZ, axis=0)


# %% mistake="sign" of="affine-backward"
def affine_backward(dZ, X, W):
    return -dZ @ W.T, -X.T @ dZ, -np.sum(dZ, axis=0)


# %% accepted="entry-by-entry" of="affine-backward"
def affine_backward(dZ, X, W):
    dX, dW, db = np.zeros(X.shape), np.zeros(W.shape), np.zeros(W.shape[1])
    for n, example in enumerate(dZ):
        for j, gradient in enumerate(example):
            dX[n] += gradient * W[:, j]
            dW[:, j] += gradient * X[n]
            db[j] += gradient
    return dX, dW, db


# %% accepted="letters" of="affine-backward"
def affine_backward(dZ, X, W):
    return {
        "dX": np.einsum("nj,ij->ni", dZ, W),
        "dW": np.einsum("ni,nj->ij", X, dZ),
        "db": np.einsum("nj->j", dZ),
    }


# %% accepted="turned-over" of="affine-backward"
def affine_backward(dZ, X, W):
    return (W @ dZ.T).T, (dZ.T @ X).T, np.ones(len(dZ)) @ dZ


# %% accepted="bias-as-a-weight" of="affine-backward"
def affine_backward(dZ, X, W):
    widened = np.hstack([X, np.ones((len(X), 1))])
    both = widened.T @ dZ
    return np.dot(dZ, W.transpose()), both[:-1], both[-1]


# %% [markdown] exercise="unbroadcast"
# ## Undo a broadcast
#
# An array `a` of shape `shape` was broadcast to a larger shape, and `g` is the gradient of the large array.
# Write `unbroadcast(g, shape)`, which returns `da`, the gradient of the array that was copied.
# The chapter's two steps are all there is: first the axes that were put in front, then the axes that had length 1.
# Every shape that NumPy broadcasts must work: several axes in front, several stretched, both at once, a single number `()`, and nothing to do at all.


# %% solution="unbroadcast"
def unbroadcast(g, shape):
    """g has a shape that `shape` broadcasts to.

    Returns da, an array of shape `shape` (a tuple).
    """
    ### BEGIN SOLUTION
    while g.ndim > len(shape):
        g = np.sum(g, axis=0)
    for place, length in enumerate(shape):
        if length == 1:
            g = np.sum(g, axis=place, keepdims=True)
    return g
    ### END SOLUTION


# %% tests="unbroadcast" points=8
exercise = checks.exercise("unbroadcast")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6201, 6202]
### END HIDDEN TESTS
# What was copied, and what it became; each of the three kinds earns its share.
shapes = {
    "axes in front": [((3,), (5, 3)), ((), (5, 3)), ((4,), (4, 4)), ((3,), (2, 5, 3)), ((5, 3), (5, 3))],
    "axes of length 1": [((5, 1), (5, 3)), ((1, 3), (5, 3)), ((4, 1), (4, 4)), ((1, 4, 1), (2, 4, 3))],
    "both": [((3, 1), (2, 3, 4)), ((4, 1, 3), (2, 4, 5, 3)), ((1, 3), (5, 1, 3)), ((1,), (5, 3))],
}
for seed in seeds:
    case = 100 * seed
    for kind, pairs in shapes.items():
        for shape, full in pairs:
            case += 1
            a = np.array(np.random.default_rng(case).normal(size=shape))
            forward = lambda p: np.broadcast_to(p["a"], full)
            given = lambda g, p: (g, shape)
            exercise.vjp("unbroadcast", forward, {"a": a}, given, case=case, outputs={"a": kind})
exercise.score()


# %% mistake="broadcast-not-summed" of="unbroadcast"
def unbroadcast(g, shape):
    return g


# %% mistake="broadcast-not-summed" of="unbroadcast" variant="reshaped"
def unbroadcast(g, shape):
    return np.reshape(g, shape)


# %% mistake="broadcast-not-summed" of="unbroadcast" variant="in-front-only"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = np.sum(g, axis=0)
    return g


# %% mistake="broadcast-not-summed" of="unbroadcast" variant="stretched-only"
def unbroadcast(g, shape):
    for place, length in enumerate(shape):
        if length == 1:
            g = np.sum(g, axis=place, keepdims=True)
    return g


# %% mistake="keepdims-left" of="unbroadcast"
def unbroadcast(g, shape):
    added = g.ndim - len(shape)
    padded = (1,) * added + tuple(shape)
    axes = tuple(place for place, length in enumerate(padded) if length == 1)
    return g.sum(axis=axes, keepdims=True)


# %% mistake="wrong-axis" of="unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = np.sum(g, axis=-1)
    for place, length in enumerate(shape):
        if length == 1:
            g = np.sum(g, axis=place, keepdims=True)
    return g


# %% mistake="wrong-shape" of="unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = np.sum(g, axis=0)
    stretched = tuple(place for place, length in enumerate(shape) if length == 1)
    return np.sum(g, axis=stretched)


# %% mistake="bias-averaged" of="unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = np.mean(g, axis=0)
    for place, length in enumerate(shape):
        if length == 1:
            g = np.mean(g, axis=place, keepdims=True)
    return g


# %% mistake="one-path-only" of="unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g[0]
    for place, length in enumerate(shape):
        if length == 1:
            g = np.take(g, [0], axis=place)
    return g


# %% mistake="last-example-only" of="unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g[-1]
    for place, length in enumerate(shape):
        if length == 1:
            g = np.take(g, [-1], axis=place)
    return g


# %% mistake="summed-over-units" of="unbroadcast"
def unbroadcast(g, shape):
    return np.full(shape, np.sum(g))


# %% accepted="axes-at-once" of="unbroadcast"
def unbroadcast(g, shape):
    added = g.ndim - len(shape)
    padded = (1,) * added + tuple(shape)
    axes = tuple(place for place, length in enumerate(padded) if length == 1)
    return g.sum(axis=axes).reshape(shape)


# %% accepted="entry-by-entry" of="unbroadcast"
def unbroadcast(g, shape):
    out = np.zeros(shape)
    copies = np.broadcast_to(np.arange(out.size).reshape(shape), g.shape)
    for source in range(out.size):
        out.flat[source] = g[copies == source].sum()
    return out


# %% accepted="scatter" of="unbroadcast"
def unbroadcast(g, shape):
    size = int(np.prod(shape))
    places = np.broadcast_to(np.arange(size).reshape(shape), g.shape)
    return np.bincount(places.ravel(), weights=g.ravel(), minlength=size).reshape(shape)


# %% accepted="from-the-right" of="unbroadcast"
def unbroadcast(g, shape):
    for k in range(1, g.ndim + 1):
        if k > len(shape) or shape[-k] == 1:
            g = g.sum(axis=-k, keepdims=True)
    return g.reshape(shape)


# %% [markdown] exercise="multiply-backward"
# ## The way back through a product
#
# $C = A \odot B$, entry by entry, for any two arrays that broadcast.
# Write `multiply_backward`, which returns the gradients of both factors.
# First the case of equal shapes; then undo the copying, where there was any, with your `unbroadcast`.
# The check marks the two cases apart.


# %% solution="multiply-backward"
def multiply_backward(dC, A, B):
    """dC has the shape of A * B.

    Returns the tuple (dA, dB), in the shapes of A and B.
    """
    ### BEGIN SOLUTION
    dA = unbroadcast(dC * B, A.shape)
    dB = unbroadcast(dC * A, B.shape)
    return dA, dB
    ### END SOLUTION


# %% tests="multiply-backward" points=5
exercise = checks.exercise("multiply-backward")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6301, 6302]
### END HIDDEN TESTS
equal = [((5, 3), (5, 3)), ((4, 4), (4, 4))]
copied = [((5, 3), (3,)), ((5, 1), (5, 3)), ((5, 1), (3,)), ((4, 4), (4, 1))]
for seed in seeds:
    for number, (one, other) in enumerate(equal + copied):
        rng = np.random.default_rng([seed, number])
        arrays = {"A": rng.normal(size=one), "B": rng.normal(size=other)}
        parts = {"A": "dA", "B": "dB"} if one == other else {"A": "dA, copied", "B": "dB, copied"}
        forward = lambda p: p["A"] * p["B"]
        given = lambda dC, p: (dC, p["A"], p["B"])
        exercise.vjp("multiply_backward", forward, arrays, given, case=10 * seed + number, outputs=parts)
exercise.score()


# %% mistake="wrong-operand" of="multiply-backward"
def multiply_backward(dC, A, B):
    return unbroadcast(dC * A, A.shape), unbroadcast(dC * B, B.shape)


# %% mistake="upstream-forgotten" of="multiply-backward"
def multiply_backward(dC, A, B):
    ones = np.ones_like(dC)
    return unbroadcast(ones * B, A.shape), unbroadcast(ones * A, B.shape)


# %% mistake="broadcast-not-summed" of="multiply-backward"
def multiply_backward(dC, A, B):
    return dC * B, dC * A


# %% mistake="dot-for-elementwise" of="multiply-backward"
def multiply_backward(dC, A, B):
    return dC @ B.T, A.T @ dC


# %% mistake="sign" of="multiply-backward"
def multiply_backward(dC, A, B):
    return unbroadcast(dC * B, A.shape), unbroadcast(-dC * A, B.shape)


# %% mistake="one-path-only" of="multiply-backward"
def multiply_backward(dC, A, B):
    return unbroadcast(dC * B, A.shape), np.zeros(B.shape)


# %% accepted="scatter" of="multiply-backward"
def gather(g, shape):
    size = int(np.prod(shape))
    places = np.broadcast_to(np.arange(size).reshape(shape), g.shape)
    return np.bincount(places.ravel(), weights=g.ravel(), minlength=size).reshape(shape)


def multiply_backward(dC, A, B):
    return gather(B * dC, A.shape), gather(A * dC, B.shape)


# %% accepted="list" of="multiply-backward"
def multiply_backward(dC, A, B):
    grads = []
    for own, other in [(A, B), (B, A)]:
        grads.append(unbroadcast(other * dC, own.shape))
    return grads


# %% accepted="whole-arrays" of="multiply-backward"
def multiply_backward(dC, A, B):
    wide_a, wide_b = np.broadcast_arrays(A, B)
    da, db = wide_b * dC, dC * wide_a
    return unbroadcast(da, np.shape(A)), unbroadcast(db, np.shape(B))


# %% [markdown] exercise="reductions"
# ## Sum, mean and maximum
#
# The forward passes are NumPy's `np.sum`, `np.mean` and `np.max` of an array `X` of any number of axes.
# `axis` is the number of the axis that is reduced, or `None` for all of them; with `keepdims=True` a reduced axis stays with length 1.
# Write the way back through each: `dY` has the shape of the result, and what you return has the shape of `X`.
# No maximum is reached twice in these checks.


# %% solution="reductions"
def sum_backward(dY, X, axis, keepdims):
    """dY has the shape of np.sum(X, axis, keepdims=keepdims).

    Returns dX, in the shape of X.
    """
    ### BEGIN SOLUTION
    if axis is not None and not keepdims:
        dY = np.expand_dims(dY, axis)
    return dY * np.ones(X.shape)
    ### END SOLUTION


def mean_backward(dY, X, axis, keepdims):
    """dY has the shape of np.mean(X, axis, keepdims=keepdims).

    Returns dX, in the shape of X.
    """
    ### BEGIN SOLUTION
    count = X.size if axis is None else X.shape[axis]
    return sum_backward(dY, X, axis, keepdims) / count
    ### END SOLUTION


def max_backward(dY, X, axis, keepdims):
    """dY has the shape of np.max(X, axis, keepdims=keepdims).

    Returns dX, in the shape of X.
    """
    ### BEGIN SOLUTION
    largest = np.max(X, axis=axis, keepdims=True)
    return sum_backward(dY, X, axis, keepdims) * (X == largest)
    ### END SOLUTION


# %% tests="reductions" points=9
exercise = checks.exercise("reductions")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6401, 6402]
### END HIDDEN TESTS
# Shape of X, axis, keepdims.
reduced = [
    ((5, 3), 1, False), ((5, 3), 0, False), ((5, 3), 0, True), ((5, 3), 1, True), ((5, 3), None, False),
    ((4, 4), 1, False), ((4, 4), 0, False), ((2, 5, 3), 1, False), ((2, 5, 3), None, True),
]  # fmt: skip
forwards = {"sum_backward": np.sum, "mean_backward": np.mean, "max_backward": np.max}
for seed in seeds:
    for number, (shape, axis, keepdims) in enumerate(reduced):
        X = np.random.default_rng([seed, number]).normal(size=shape)
        for function, reduce in forwards.items():
            forward = lambda p: reduce(p["X"], axis=axis, keepdims=keepdims)
            given = lambda dY, p: (dY, p["X"], axis, keepdims)
            exercise.vjp(function, forward, {"X": X}, given, case=100 * seed + number, outputs={"X": ""})
exercise.score()


# %% mistake="keepdims-dropped" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    return dY * np.ones(X.shape)


# %% mistake="keepdims-dropped" of="reductions" variant="full"
def sum_backward(dY, X, axis, keepdims):
    return np.full_like(X, dY)


# %% mistake="wrong-axis" of="reductions" variant="always-a-column"
def sum_backward(dY, X, axis, keepdims):
    return dY[:, None] * np.ones(X.shape)


# %% mistake="keepdims-left" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    if axis is not None:
        dY = np.expand_dims(dY, axis)
    return dY * np.ones(X.shape)


# %% mistake="wrong-shape" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    return dY


def mean_backward(dY, X, axis, keepdims):
    return dY * np.size(dY) / X.size


def max_backward(dY, X, axis, keepdims):
    return dY


# %% mistake="upstream-forgotten" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    return np.ones(X.shape)


def mean_backward(dY, X, axis, keepdims):
    count = X.size if axis is None else X.shape[axis]
    return np.ones(X.shape) / count


def max_backward(dY, X, axis, keepdims):
    return (X == np.max(X, axis=axis, keepdims=True)).astype(float)


# %% mistake="forward-backward-disagree" of="reductions" variant="mean-as-sum"
def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims)


# %% mistake="forward-backward-disagree" of="reductions" variant="sum-as-mean"
def sum_backward(dY, X, axis, keepdims):
    if axis is not None and not keepdims:
        dY = np.expand_dims(dY, axis)
    count = X.size if axis is None else X.shape[axis]
    return dY * np.ones(X.shape) / count


def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims)


# %% mistake="forward-backward-disagree" of="reductions" variant="count-of-rows"
def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims) / len(X)


# %% mistake="forward-backward-disagree" of="reductions" variant="count-of-all"
def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims) / X.size


# %% mistake="forward-backward-disagree" of="reductions" variant="max-as-sum"
def max_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims)


# %% mistake="wrong-axis" of="reductions"
def max_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims) * (X == np.max(X))


# %% mistake="activation-for-derivative" of="reductions"
def max_backward(dY, X, axis, keepdims):
    largest = np.max(X, axis=axis, keepdims=True)
    return sum_backward(dY, X, axis, keepdims) * np.where(X == largest, X, 0.0)


# %% accepted="reshape" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    return np.reshape(dY, np.sum(X, axis=axis, keepdims=True).shape) + np.zeros_like(X)


def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY, X, axis, keepdims) * np.size(dY) / X.size


def max_backward(dY, X, axis, keepdims):
    return np.where(X >= X.max(axis=axis, keepdims=True), sum_backward(dY, X, axis, keepdims), 0.0)


# %% accepted="moved-in-front" of="reductions"
def spread(dY, X, axis):
    if axis is None:
        return np.full(X.shape, np.ravel(dY)[0])
    front = np.moveaxis(np.zeros(X.shape), axis, 0)
    return np.moveaxis(front + np.reshape(dY, front.shape[1:]), 0, axis)


def sum_backward(dY, X, axis, keepdims):
    return spread(dY, X, axis)


def mean_backward(dY, X, axis, keepdims):
    return spread(dY, X, axis) / (X.size // np.size(dY))


def max_backward(dY, X, axis, keepdims):
    return spread(dY, X, axis) * (spread(np.max(X, axis=axis), X, axis) == X)


# %% accepted="repeated" of="reductions"
def sum_backward(dY, X, axis, keepdims):
    if axis is None:
        return np.broadcast_to(np.reshape(dY, (1,) * X.ndim), X.shape)
    column = dY if keepdims else np.expand_dims(dY, axis)
    return np.repeat(column, X.shape[axis], axis=axis)


def mean_backward(dY, X, axis, keepdims):
    return sum_backward(dY / np.mean(np.ones_like(X).sum(axis=axis)), X, axis, keepdims)


def max_backward(dY, X, axis, keepdims):
    dX = np.zeros(X.shape)
    if axis is None:
        dX.flat[np.argmax(X)] = np.ravel(dY)[0]
    else:
        column = dY if keepdims else np.expand_dims(dY, axis)
        np.put_along_axis(dX, np.expand_dims(np.argmax(X, axis=axis), axis), column, axis=axis)
    return dX


# %% [markdown] exercise="dot-product-test"
# ## Test a backward pass
#
# Write `dot_product_test(forward, backward, x)`: it returns `True` if `backward` is the way back of `forward` at `x`, and `False` if not.
# `forward(x)` returns an array, of any shape; `backward(dy, x)` should return the gradient of `x`.
#
# Compare $u \cdot (Jv)$, measured by running `forward` on both sides of `x`, with $(uJ) \cdot v$, claimed by `backward`.
# Three things decide whether your test is any good: what you draw $u$ and $v$ from, what you compare the difference with, and whether you look at the shape of what `backward` returns before you multiply, for broadcasting would hide a wrong one.
# Errors of a thousandth of the gradient must be found, in gradients of any size.
#
# The check hands your test backward passes that are right and others that are wrong.
# You earn a share for each verdict, and nothing for a test that says the same of all.


# %% solution="dot-product-test"
def dot_product_test(forward, backward, x):
    """x is a float array; returns True or False."""
    ### BEGIN SOLUTION
    generator = np.random.default_rng(8)
    step = 1e-5 * generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))
    ### END SOLUTION


# %%
# What your test will be given: five backward passes that are right, and seven that are wrong.
def row_swap(x):
    return x[::-1]


def likeness(x):
    return x @ x.T


def smaller_sine(x):
    return 1e-12 * np.sin(x)


def five_copies(x):
    return np.ones((5, 1)) * x


def mixed(x):
    M = np.arange(25.0).reshape(5, 5) % 7 - 2
    return M @ x


right_ones = {
    "a right backward of the cube": (lambda x: x**3, lambda dy, x: 3 * x**2 * dy),
    "a right backward of row_swap": (row_swap, lambda dy, x: dy[::-1]),
    "a right backward of likeness": (likeness, lambda dy, x: (dy + dy.T) @ x),
    "a right backward of smaller_sine": (smaller_sine, lambda dy, x: 1e-12 * np.cos(x) * dy),
    "a right backward of a large exponential": (lambda x: 1e8 * np.exp(x), lambda dy, x: 1e8 * np.exp(x) * dy),
}
wrong_ones = {
    "a wrong backward of the cube: 2 for 3": (lambda x: x**3, lambda dy, x: 2 * x**2 * dy),
    "a wrong backward of the cube: off by a thousandth": (lambda x: x**3, lambda dy, x: 3.003 * x**2 * dy),
    "a wrong backward of row_swap: not swapped back": (row_swap, lambda dy, x: dy),
    "a wrong backward of likeness: one path doubled": (likeness, lambda dy, x: 2 * dy @ x),
    "a wrong backward of smaller_sine: sine for cosine": (smaller_sine, lambda dy, x: 1e-12 * np.sin(x) * dy),
    "a wrong backward of mixed: wrong in the last row only": (
        mixed, lambda dy, x: (mixed(np.eye(5)) - np.diag([0, 0, 0, 0, 1])).T @ dy,
    ),
    "a wrong backward of five_copies: the copies not added up": (five_copies, lambda dy, x: dy),
}  # fmt: skip


# %% tests="dot-product-test" points=6
exercise = checks.exercise("dot-product-test")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6501, 6502]
### END HIDDEN TESTS
for seed in seeds:
    x = np.random.default_rng(seed).normal(size=(5, 3))
    cases = {}
    for truth, passes in [(True, right_ones), (False, wrong_ones)]:
        for what, (forward, backward) in passes.items():
            cases[what] = ((forward, backward, x[0] if forward is five_copies else x), truth)
    exercise.verdicts("dot_product_test", cases, case=seed)
exercise.score()


# %% mistake="ones-upstream" of="dot-product-test"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    step = 1e-5 * generator.normal(size=x.shape)
    weights = np.ones(forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% mistake="ones-upstream" of="dot-product-test" variant="direction"
def dot_product_test(forward, backward, x):
    step = 1e-5 * np.ones(x.shape)
    weights = np.random.default_rng(8).normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% mistake="absolute-tolerance" of="dot-product-test" variant="allclose"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    v = generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + 1e-5 * v) - forward(x - 1e-5 * v))) / 2e-5
    found = backward(weights, x)
    return np.shape(found) == x.shape and np.allclose(rate, np.sum(found * v))


# %% mistake="absolute-tolerance" of="dot-product-test"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    v = generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + 1e-5 * v) - forward(x - 1e-5 * v))) / 2e-5
    found = backward(weights, x)
    return np.shape(found) == x.shape and bool(abs(rate - np.sum(found * v)) <= 1e-7)


# %% mistake="forward-difference" of="dot-product-test"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    step = 1e-2 * generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x)))
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% mistake="step-too-large" of="dot-product-test"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    step = generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% mistake="one-entry-only" of="dot-product-test"
def dot_product_test(forward, backward, x):
    step = np.zeros(x.shape)
    step.flat[0] = 1e-5
    weights = np.random.default_rng(8).normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    found = backward(weights, x)
    if np.shape(found) != x.shape:
        return False
    promised = np.sum(found * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% mistake="wrong-shape" of="dot-product-test"
def dot_product_test(forward, backward, x):
    generator = np.random.default_rng(8)
    step = 1e-5 * generator.normal(size=x.shape)
    weights = generator.normal(size=forward(x).shape)
    rate = np.sum(weights * (forward(x + step) - forward(x - step))) / 2
    promised = np.sum(backward(weights, x) * step)
    return bool(abs(rate - promised) <= 1e-6 * (abs(rate) + abs(promised)))


# %% accepted="complex-step" of="dot-product-test"
def dot_product_test(forward, backward, x):
    draw = np.random.default_rng(9).uniform
    v, u = draw(-1, 1, x.shape), draw(-1, 1, forward(x).shape)
    dx = backward(u, x)
    if dx.shape != x.shape:
        return False
    return np.isclose(np.vdot(u, np.imag(forward(x + 1e-30j * v)) * 1e30), np.vdot(dx, v), rtol=1e-9, atol=0)


# %% accepted="several-directions" of="dot-product-test"
def dot_product_test(forward, backward, x):
    rng = np.random.default_rng(42)
    for _ in range(5):
        v, u = rng.standard_normal(x.shape), rng.standard_normal(np.shape(forward(x)))
        dx = backward(u, x)
        left = ((forward(x + 1e-4 * v) - forward(x - 1e-4 * v)) * u).sum() / 2e-4
        if dx.shape != x.shape or abs(left - (dx * v).sum()) > 1e-5 * np.linalg.norm(dx) * np.linalg.norm(v):
            return False
    return True


# %% accepted="entry-by-entry" of="dot-product-test"
def dot_product_test(forward, backward, x):
    u = np.random.default_rng(9).normal(size=forward(x).shape)
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[place] = 1e-5
        slopes[place] = np.sum(u * (forward(x + nudge) - forward(x - nudge))) / 2e-5
    dx = backward(u, x)
    return dx.shape == x.shape and bool(np.linalg.norm(slopes - dx) <= 1e-6 * np.linalg.norm(dx))


# %% [markdown] marked="least-squares" points=5
# ## Derive it yourself: least squares
#
# For data $X$ `(N, D)`, weights $W$ `(D, H)` and targets $Y$ `(N, H)` let
#
# $$
# \begin{aligned}
# L &= \tfrac12 \lVert XW - Y \rVert^2 \\
# &= \tfrac12 \sum_n \sum_j \Bigl( \sum_i X_{ni} W_{ij} - Y_{nj} \Bigr)^2 .
# \end{aligned}
# $$
#
# Derive the gradient of $L$ with respect to $W$ in indices, one entry at a time.
# Say which terms of the sum contain the entry that you differentiate by, where the ½ goes, and over which letter the sum that is left runs.
# Turn the sum into a matrix product, and say in one sentence why the transpose stands where it does.
# Test your result on the smallest case, $N = D = H = 1$.
#
# ### BEGIN SOLUTION
# Name the residual $R_{nj} = \sum_i X_{ni} W_{ij} - Y_{nj}$, so that $L = \tfrac12 \sum_n \sum_j R_{nj}^2$.
# The entry $W_{ij}$ stands in $R_{nk}$ only for $k = j$, once for every $n$, and there its factor is $X_{ni}$.
# The slope of $\tfrac12 R_{nj}^2$ for $R_{nj}$ is $R_{nj}$: the 2 of the square meets the ½.
# Multiply along and add over the paths, one for each example: $\partial L / \partial W_{ij} = \sum_n R_{nj} X_{ni}$.
# The summed letter $n$ stands first in both factors, and a matrix product needs it last in the first one: $\sum_n (X^{\mathsf T})_{in} R_{nj}$, which is the entry $(i, j)$ of $X^{\mathsf T}(XW - Y)$.
# The transpose is there because the sum runs over the examples, which are the rows of $X$.
# Smallest case: $L = \tfrac12 (xw - y)^2$ has the slope $(xw - y)\,x$.
#
# Rubric.
# 5: complete in indices, with the reason for the vanishing terms, the ½, the letter summed over, the reason for the transpose, and the smallest case.
# 4: right in indices and as a product, one of these reasons missing.
# 2: the right result without a derivation in indices, or a derivation with one error of index, sign or factor.
# 0: neither.
# ### END SOLUTION
