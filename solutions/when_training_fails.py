# %% [markdown]
# # When training fails
#
# Five exercises with a check under each, and one question that a person marks.
# Every gradient in this notebook is right; what fails is the training.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading
from backprop.data import digits

checks = grading.Assignment("when_training_fails", globals())

# %% [markdown] exercise="gradient-norms"
# ## How large is the gradient in each layer?
#
# `sigmoid_layers` takes X through as many layers as there are weights: the sigmoid in all of them but the last.
# It returns the arrays that enter the layers, X first, and at the end the sum of the last layer.
#
# Write `gradient_norms(dZ, weights, layers)`.
# `dZ` is the gradient of some loss at that last sum, `layers` is what `sigmoid_layers` returned.
# Return one number for each layer, the first layer first: the Euclidean norm of the gradient of its weights, which is the root of the sum of all entries squared.
#
# Then write `factor_per_layer(norms)`: one number which, multiplied once for each step from the last layer down to the first, takes the last norm to the first.


# %%
def sigmoid_layers(X, weights):
    """Returns [X, A1, A2, ..., Z]: one array more than there are layers."""
    layers = [X]
    for W in weights[:-1]:
        layers.append(1 / (1 + np.exp(-layers[-1] @ W)))
    return [*layers, layers[-1] @ weights[-1]]


# %% solution="gradient-norms"
def gradient_norms(dZ, weights, layers):
    """Returns the norms of dL/dW for every layer, the first layer first.

    dZ (N, C) belongs to the last sum; weights and layers are lists of arrays.
    """
    ### BEGIN SOLUTION
    norms = np.zeros(len(weights))
    for level in reversed(range(len(weights))):
        entered = layers[level]
        norms[level] = np.sqrt(np.sum((entered.T @ dZ) ** 2))
        dZ = dZ @ weights[level].T * entered * (1 - entered)
    return norms
    ### END SOLUTION


def factor_per_layer(norms):
    """Returns the factor of one step down, the same for every step."""
    ### BEGIN SOLUTION
    steps = len(norms) - 1
    return (norms[0] / norms[-1]) ** (1 / steps)
    ### END SOLUTION


# %% tests="gradient-norms" points=6
exercise = checks.exercise("gradient-norms")
cases = [(1, 6, [4, 5, 3, 7, 2], 1.0), (2, 5, [5, 5, 5, 5], 1.5), (3, 7, [3, 4, 6, 2], 0.3)]
### BEGIN HIDDEN TESTS
cases += [(7101, 8, [3, 6, 4, 5, 2], 0.8), (7102, 6, [6, 6, 6, 6, 6], 1.2), (7103, 5, [2, 7, 3, 4], 0.4)]
### END HIDDEN TESTS


def slopes(loss, weights, k):
    """The derivative of the loss by each entry of weights[k], by the complex step."""
    found = np.empty(weights[k].shape)
    for place in np.ndindex(found.shape):
        moved = [W.astype(complex) for W in weights]
        moved[k][place] += 1e-20j
        found[place] = loss(moved).imag / 1e-20
    return found


for seed, N, sizes, scale in cases:
    rng = np.random.default_rng(seed)
    weights = [scale * rng.normal(size=pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    X, dZ = rng.normal(size=(N, sizes[0])), rng.normal(size=(N, sizes[-1]))
    loss = lambda weights: np.sum(dZ * sigmoid_layers(X, weights)[-1])
    norms = np.array([np.linalg.norm(slopes(loss, weights, k)) for k in range(len(weights))])
    exercise.value("gradient_norms", [dZ, weights, sigmoid_layers(X, weights)], norms, case=seed, weight=2)
    exercise.value("factor_per_layer", [norms], np.exp(-np.diff(np.log(norms)).mean()), case=seed)
exercise.score()


# %% mistake="missing-activation-derivative" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T
    return np.array(norms[::-1])


# %% mistake="derivative-at-output" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        s = 1 / (1 + np.exp(-layers[k]))
        dZ = dZ @ weights[k].T * s * (1 - s)
    return np.array(norms[::-1])


# %% mistake="slope-of-another-activation" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * (1 - layers[k] ** 2)
    return np.array(norms[::-1])


# %% mistake="slope-of-another-activation" of="gradient-norms" variant="last-layer"
def gradient_norms(dZ, weights, layers):
    norms = []
    dZ = dZ * layers[-1] * (1 - layers[-1])
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="activation-for-derivative" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * layers[k]
    return np.array(norms[::-1])


# %% mistake="weight-not-transposed" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k] * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="wrong-operand" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k + 1].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="parameters-swapped" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms)


# %% mistake="extra-batch-mean" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ / len(dZ)
        norms.append(np.linalg.norm(dW))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-not-rooted" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.sum(dW**2))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-kind" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.linalg.norm(dW, 2))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-kind" of="gradient-norms" variant="largest-entry"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.max(np.abs(dW)))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-kind" of="gradient-norms" variant="sum-of-sizes"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.sum(np.abs(dW)))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-kind" of="gradient-norms" variant="root-of-the-mean"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        dW = layers[k].T @ dZ
        norms.append(np.sqrt(np.mean(dW**2)))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-array" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    norms = []
    for k in range(len(weights) - 1, -1, -1):
        norms.append(np.linalg.norm(dZ))
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.array(norms[::-1])


# %% mistake="norm-of-another-array" of="gradient-norms" variant="the-weights"
def gradient_norms(dZ, weights, layers):
    return np.array([np.linalg.norm(W) for W in weights])


# %% mistake="wrong-shape" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    total = 0.0
    for k in range(len(weights) - 1, -1, -1):
        total += np.sum((layers[k].T @ dZ) ** 2)
        dZ = dZ @ weights[k].T * layers[k] * (1 - layers[k])
    return np.sqrt(total)


# %% mistake="steps-miscounted" of="gradient-norms"
def factor_per_layer(norms):
    return (norms[0] / norms[-1]) ** (1 / len(norms))


# %% mistake="steps-miscounted" of="gradient-norms" variant="all-in-one"
def factor_per_layer(norms):
    return norms[0] / norms[-1]


# %% mistake="steps-miscounted" of="gradient-norms" variant="power-for-root"
def factor_per_layer(norms):
    return (norms[0] / norms[-1]) ** (len(norms) - 1)


# %% mistake="ratios-averaged" of="gradient-norms"
def factor_per_layer(norms):
    return np.mean(np.array(norms[:-1]) / np.array(norms[1:]))


# %% mistake="direction-reversed" of="gradient-norms"
def factor_per_layer(norms):
    return (norms[-1] / norms[0]) ** (1 / (len(norms) - 1))


# %% accepted="deltas-first" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    deltas = [dZ]
    for W, A in zip(weights[:0:-1], layers[-2:0:-1], strict=True):
        deltas.append((deltas[-1] @ W.T) * (A - A * A))
    return [float(np.linalg.norm(A.T @ d)) for A, d in zip(layers[:-1], deltas[::-1], strict=True)]


def factor_per_layer(norms):
    return float(np.exp((np.log(norms[0]) - np.log(norms[-1])) / (len(norms) - 1)))


# %% accepted="recursion" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    if not weights:
        return np.array([])
    *below, W = weights
    *entered, A, _ = layers
    here = np.hypot.reduce(np.ravel(A.T @ dZ))
    return np.append(gradient_norms(dZ @ W.T * A * (1 - A), below, [*entered, A]), here)


def factor_per_layer(norms):
    ratios = np.array(norms[:-1]) / np.array(norms[1:])
    return np.prod(ratios) ** (1 / len(ratios))


# %% accepted="pairs-of-examples" of="gradient-norms"
def gradient_norms(dZ, weights, layers):
    squares = {}
    for k in reversed(range(len(weights))):
        # The squared norm of a sum of outer products, from products of pairs of examples.
        squares[k] = np.sum((layers[k] @ layers[k].T) * (dZ @ dZ.T))
        dZ = np.einsum("nh,dh->nd", dZ, weights[k]) * layers[k] * (1 - layers[k])
    return np.array([squares[k] for k in range(len(weights))]) ** 0.5


def factor_per_layer(norms):
    steps = np.log(np.asarray(norms))
    return np.exp(np.mean(steps[:-1] - steps[1:]))


# %% [markdown] exercise="initial-weights"
# ## The first weights
#
# Draw the first weights of a layer with $D$ inputs and $H$ units, as an array of shape $(D, H)$.
# `he_init` draws them for ReLU, by He's rule; `xavier_init` for tanh, by Xavier's.
# Draw from a normal or from a uniform distribution, as you like: what counts is the middle, which is 0, and the variance.
#
# The same `seed` must give the same array, and another seed another one.
# The check draws large arrays and measures.


# %% solution="initial-weights"
def he_init(D, H, seed):
    """Returns W (D, H) for a layer with ReLU."""
    ### BEGIN SOLUTION
    generator = np.random.default_rng(seed)
    return generator.normal(scale=np.sqrt(2 / D), size=(D, H))
    ### END SOLUTION


def xavier_init(D, H, seed):
    """Returns W (D, H) for a layer with tanh."""
    ### BEGIN SOLUTION
    generator = np.random.default_rng(seed)
    edge = np.sqrt(6 / (D + H))
    return generator.uniform(-edge, edge, size=(D, H))
    ### END SOLUTION


# %% tests="initial-weights" points=6
exercise = checks.exercise("initial-weights")
cases = [(400, 90, 1), (90, 400, 2)]
### BEGIN HIDDEN TESTS
cases += [(500, 120, 7201), (110, 480, 7202)]
### END HIDDEN TESTS
drawn = {}


def looked_at(name, D, H, seed, variance, slips):
    """A judge of an array of weights, by its shape, its middle and its spread."""

    def judge(W):
        W = np.asarray(W, dtype=float)
        if W.shape != (D, H):
            return f"shape {W.shape}, expected {(D, H)}: a row for each input, a column for each unit.", ""
        if not np.all(np.isfinite(W)):
            return "there is a nan or an inf among the weights.", "not-finite"
        if np.ptp(W) == 0:
            return f"all weights are {W[0, 0]:g}.", "initial-symmetry"
        first = drawn.setdefault((name, D, H, seed), W)
        if not np.array_equal(first, W):
            return f"called twice with seed {seed} it gives two different arrays.", "seed-ignored"
        if any(np.array_equal(W, other) for key, other in drawn.items() if key[:3] == (name, D, H) and key[3] != seed):
            return "two different seeds give the same array.", "seed-ignored"
        if abs(W.mean()) > 6 * W.std() / np.sqrt(W.size):
            return f"the mean of the weights is {W.mean():.2g}, expected about 0.", "not-centred"
        if abs(np.log(W.var() / variance)) < 0.05:
            return None
        near = [slip for slip, wrong in slips if abs(np.log(W.var() / wrong)) < 0.05]
        said = f"the variance of W ({D}, {H}) is {W.var():.3g}, expected {variance:.3g}."
        return said, near[0] if near else ""

    return judge


for D, H, seed in cases:
    mean = (D + H) / 2
    he = [("gain-missing", 1 / D), ("wrong-fan", 2 / H), ("wrong-fan", 1 / mean), ("variance-for-deviation", 4 / D**2)]
    he += [("variance-for-deviation", 2 / D**2)]
    xavier = [("gain-missing", 0.5 / mean), ("wrong-fan", 1 / D), ("wrong-fan", 1 / H), ("wrong-fan", 2 / D)]
    xavier += [("variance-for-deviation", 1 / mean**2), ("variance-for-deviation", 0.5 / mean**2)]
    he += [("limit-for-deviation", 2 / D / 3), ("limit-for-deviation", 6 / D)]
    xavier += [("limit-for-deviation", 1 / mean / 3), ("limit-for-deviation", 3 / mean)]
    for name, variance, slips in [("he_init", 2 / D, he), ("xavier_init", 1 / mean, xavier)]:
        for s in (seed, seed, seed + 1):
            judge = looked_at(name, D, H, s, variance, slips)
            exercise.holds(name, [D, H, s], judge, case=f"{D}, {H}, {s}", remember=False)
exercise.score()


# %% mistake="variance-for-deviation" of="initial-weights"
def he_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=2 / D, size=(D, H))


# %% mistake="variance-for-deviation" of="initial-weights" variant="xavier"
def xavier_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=2 / (D + H), size=(D, H))


# %% mistake="variance-for-deviation" of="initial-weights" variant="root-of-the-numerator"
def he_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(2) / D, size=(D, H))


# %% mistake="variance-for-deviation" of="initial-weights" variant="xavier-root-of-the-numerator"
def xavier_init(D, H, seed):
    limit = np.sqrt(6) / (D + H)
    return np.random.default_rng(seed).uniform(-limit, limit, size=(D, H))


# %% mistake="gain-missing" of="initial-weights"
def he_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(1 / D), size=(D, H))


# %% mistake="gain-missing" of="initial-weights" variant="xavier"
def xavier_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(1 / (D + H)), size=(D, H))


# %% mistake="wrong-fan" of="initial-weights"
def he_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(2 / H), size=(D, H))


# %% mistake="wrong-fan" of="initial-weights" variant="xavier"
def xavier_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(1 / D), size=(D, H))


# %% mistake="limit-for-deviation" of="initial-weights"
def he_init(D, H, seed):
    limit = np.sqrt(2 / D)
    return np.random.default_rng(seed).uniform(-limit, limit, size=(D, H))


# %% mistake="limit-for-deviation" of="initial-weights" variant="xavier"
def xavier_init(D, H, seed):
    limit = np.sqrt(2 / (D + H))
    return np.random.default_rng(seed).uniform(-limit, limit, size=(D, H))


# %% mistake="limit-for-deviation" of="initial-weights" variant="limit-as-scale"
def xavier_init(D, H, seed):
    return np.random.default_rng(seed).normal(scale=np.sqrt(6 / (D + H)), size=(D, H))


# %% mistake="not-centred" of="initial-weights"
def xavier_init(D, H, seed):
    return np.random.default_rng(seed).uniform(0, 2 * np.sqrt(6 / (D + H)), size=(D, H))


# %% mistake="not-centred" of="initial-weights" variant="random"
def he_init(D, H, seed):
    return np.random.default_rng(seed).random((D, H)) * np.sqrt(2 / D)


# %% mistake="initial-symmetry" of="initial-weights"
def he_init(D, H, seed):
    return np.full((D, H), np.sqrt(2 / D))


# %% mistake="initial-symmetry" of="initial-weights" variant="zeros"
def he_init(D, H, seed):
    return np.zeros((D, H))


# %% mistake="seed-ignored" of="initial-weights"
def he_init(D, H, seed):
    return np.random.default_rng().normal(scale=np.sqrt(2 / D), size=(D, H))


# %% mistake="seed-ignored" of="initial-weights" variant="always-the-same"
def xavier_init(D, H, seed):
    return np.random.default_rng(0).normal(scale=np.sqrt(2 / (D + H)), size=(D, H))


# %% accepted="standard-normal" of="initial-weights"
def he_init(D, H, seed):
    return np.random.default_rng(seed).standard_normal((D, H)) * (2 / D) ** 0.5


def xavier_init(D, H, seed):
    return np.random.default_rng(seed).standard_normal((D, H)) * (2 / (D + H)) ** 0.5


# %% accepted="uniform" of="initial-weights"
def he_init(D, H, seed):
    r = np.sqrt(6 / D)
    return 2 * r * np.random.default_rng(seed).random((D, H)) - r


def xavier_init(D, H, seed):
    r = np.sqrt(12 / (D + H)) / np.sqrt(2)
    return np.random.default_rng(seed).uniform(-r, r, (D, H))


# %% accepted="old-generator" of="initial-weights"
def he_init(D, H, seed):
    old = np.random.RandomState(seed)
    return np.sqrt(2.0) * old.randn(D, H) / np.sqrt(D)


def xavier_init(D, H, seed):
    old = np.random.RandomState(seed)
    return old.randn(D, H) / np.sqrt((D + H) / 2)


# %% accepted="column-by-column" of="initial-weights"
def he_init(D, H, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.normal(0, np.sqrt(2 / D), D) for _ in range(H)], axis=1)


# %% [markdown] exercise="clip-by-global-norm"
# ## Clip all gradients together
#
# `grads` is a dict of arrays of any shapes, the gradients of all parameters.
# `global_norm(grads)` is the Euclidean norm of all of them together, as if they were one long vector.
#
# `clip_by_global_norm(grads, limit)` returns a new dict.
# Where the global norm is more than `limit`, all arrays are shortened by one common factor, so that the global norm becomes `limit`.
# Otherwise they stay as they are, also if all of them are 0.


# %% solution="clip-by-global-norm"
def global_norm(grads):
    """Returns the norm of all arrays of the dict together, one number."""
    ### BEGIN SOLUTION
    return np.sqrt(sum(np.sum(array**2) for array in grads.values()))
    ### END SOLUTION


def clip_by_global_norm(grads, limit):
    """Returns a dict like `grads`, its global norm at most `limit`."""
    ### BEGIN SOLUTION
    length = global_norm(grads)
    if length <= limit:
        return dict(grads)
    return {key: array * (limit / length) for key, array in grads.items()}
    ### END SOLUTION


# %% tests="clip-by-global-norm" points=4
exercise = checks.exercise("clip-by-global-norm")
cases = [(1, 10.0, 1.0), (2, 0.1, 5.0), (3, 0.0, 1.0), (4, 1e4, 0.5)]
### BEGIN HIDDEN TESTS
cases += [(7301, 20.0, 2.0), (7302, 0.05, 3.0), (7303, 0.0, 2.0), (7304, 1.0, 0.2)]
### END HIDDEN TESTS
for seed, size, limit in cases:
    rng = np.random.default_rng(seed)
    shapes = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
    # Of different sizes, as in a network: a common factor and one for each array are not the same.
    grads = {name: size * rng.uniform(0.1, 2) * rng.normal(size=shape) for name, shape in shapes.items()}
    together = np.concatenate([array.ravel() for array in grads.values()])
    norm = np.linalg.norm(together)
    expected = {name: array * min(1, limit / max(norm, limit)) for name, array in grads.items()}
    exercise.value("global_norm", [grads], norm, case=seed, weight=4)
    # A tiny number under the fraction is as good.
    exercise.value("clip_by_global_norm", [grads, limit], expected, case=seed, rtol=1e-4, weight=3)
exercise.score()


# %% mistake="norm-not-rooted" of="clip-by-global-norm"
def global_norm(grads):
    return sum(np.sum(g**2) for g in grads.values())


# %% mistake="norms-added" of="clip-by-global-norm"
def global_norm(grads):
    return sum(np.linalg.norm(g) for g in grads.values())


# %% mistake="norm-of-another-kind" of="clip-by-global-norm"
def global_norm(grads):
    return max(np.linalg.norm(g) for g in grads.values())


# %% mistake="norm-of-another-kind" of="clip-by-global-norm" variant="largest-entry"
def global_norm(grads):
    return max(np.max(np.abs(g)) for g in grads.values())


# %% mistake="norm-of-another-kind" of="clip-by-global-norm" variant="mean"
def global_norm(grads):
    return np.sqrt(np.mean(np.concatenate([g.ravel() ** 2 for g in grads.values()])))


# %% mistake="clipped-each-alone" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    clipped = {}
    for name, g in grads.items():
        norm = np.linalg.norm(g)
        clipped[name] = g * limit / norm if norm > limit else g
    return clipped


# %% mistake="clipped-by-entry" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


# %% mistake="scaled-without-need" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    if norm == 0:
        return grads
    return {name: g * limit / norm for name, g in grads.items()}


# %% mistake="zero-norm" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    return {name: g / norm * min(norm, limit) for name, g in grads.items()}


# %% mistake="limit-forgotten" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    if norm <= limit:
        return grads
    return {name: g / norm for name, g in grads.items()}


# %% mistake="factor-inverted" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    if norm <= limit:
        return grads
    return {name: g * norm / limit for name, g in grads.items()}


# %% mistake="norms-added" of="clip-by-global-norm" variant="in-the-factor"
def clip_by_global_norm(grads, limit):
    norm = sum(np.linalg.norm(g) for g in grads.values())
    if norm <= limit:
        return grads
    return {name: g * limit / norm for name, g in grads.items()}


# %% mistake="none-returned" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    if norm > limit:
        for g in grads.values():
            g *= limit / norm


# %% accepted="one-long-vector" of="clip-by-global-norm"
def global_norm(grads):
    return float(np.linalg.norm(np.concatenate([np.ravel(g) for g in grads.values()])))


def clip_by_global_norm(grads, limit):
    factor = min(1.0, limit / (global_norm(grads) + 1e-6))
    return {name: factor * g for name, g in grads.items()}


# %% accepted="limit-over-zero-is-infinite" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    return {name: g * np.minimum(1, limit / norm) for name, g in grads.items()}


# %% accepted="norm-of-norms" of="clip-by-global-norm"
def global_norm(grads):
    return np.linalg.norm([np.linalg.norm(g) for g in grads.values()])


def clip_by_global_norm(grads, limit):
    norm = global_norm(grads)
    return {name: g / max(1.0, norm / limit) for name, g in grads.items()}


# %% accepted="in-place" of="clip-by-global-norm"
def clip_by_global_norm(grads, limit):
    norm = sum(float((g * g).sum()) for g in grads.values()) ** 0.5
    if norm > limit:
        for g in grads.values():
            g *= limit / norm
    return grads


# %% [markdown] exercise="diagnose-runs"
# ## Six runs, six findings
#
# `example_run(finding, seed)` trains a small network on the digits, and something may be wrong with it.
# Sizes, depth, learning rate and the unit of the loss are drawn from the seed, so no two runs are alike.
# A run is a dict of recordings, with one row per step:
#
# - `loss`, the loss of the step;
# - `delta`, for each layer the norm of the gradient at its sum, the first layer first;
# - `step`, for each layer the norm of the change of its weights over the norm of its weights;
# - `dead`, for each hidden layer the share of units that are 0 for every example;
# - `spread`, for each hidden layer how much its units differ: their standard deviation over their mean size.
#
# A run stops where its numbers are no longer finite.
#
# Write `diagnose(run)`, which looks at the recordings and returns one of the six findings.
# Look at as many runs as you like before you write it; the check makes runs with other seeds.

# %%
FINDINGS = ["healthy", "vanishing", "exploding", "dead units", "equal units", "small steps"]
CURVES = {"sigmoid": lambda Z: 1 / (1 + np.exp(-Z)), "tanh": np.tanh, "relu": lambda Z: np.maximum(Z, 0)}
SLOPES = {"sigmoid": lambda A: A * (1 - A), "tanh": lambda A: 1 - A * A, "relu": lambda A: np.sign(A)}
PICTURES, LABELS = (array[:100] for array in digits("train"))


def trained(weights, activation, lr, steps, X, y, skip=False, unit=1.0, jolt=None):
    """Trains by gradient descent with softmax cross-entropy; returns a run.

    `skip` adds to the output of each hidden layer but the first what entered it.
    `unit` multiplies the loss.  `jolt` = (step, layer, size) lowers the biases of a hidden layer at that step.
    """
    weights = [W.copy() for W in weights]
    biases, last, rows = [np.zeros(W.shape[1]) for W in weights], len(weights) - 1, np.arange(len(y))
    run = {name: [] for name in ["loss", "delta", "step", "dead", "spread"]}
    for step in range(steps):
        if jolt and step == jolt[0]:
            biases[jolt[1]] -= jolt[2]
        with np.errstate(all="ignore"):
            entered, units = [X], []
            for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
                Z = entered[-1] @ W + b
                if k < last:
                    units.append(CURVES[activation](Z))
                    entered.append(units[-1] + entered[-1] if skip and k else units[-1])
            odds = np.exp(Z - Z.max(axis=1, keepdims=True))
            P = odds / odds.sum(axis=1, keepdims=True)
            loss = unit * np.mean(np.log(odds.sum(axis=1)) - (Z - Z.max(axis=1, keepdims=True))[rows, y])
            dZ = unit / len(y) * (P - np.eye(P.shape[1])[y])
            delta, moved, above = [], [], 0.0
            for k in range(last, -1, -1):
                dW, db, dA = entered[k].T @ dZ, dZ.sum(axis=0), dZ @ weights[k].T
                if skip and 0 < k < last:
                    dA = dA + above
                delta.insert(0, np.linalg.norm(dZ))
                moved.insert(0, lr * np.linalg.norm(dW) / (np.linalg.norm(weights[k]) or 1.0))
                weights[k] -= lr * dW
                biases[k] -= lr * db
                above = dA
                if k:
                    dZ = dA * SLOPES[activation](units[k - 1])
        if not np.all(np.isfinite([loss, *delta, *moved])):
            break
        run["loss"].append(loss)
        run["delta"].append(delta)
        run["step"].append(moved)
        run["dead"].append([np.mean(np.all(A == 0, axis=0)) for A in units])
        run["spread"].append([np.mean(np.std(A, axis=1)) / (np.mean(np.abs(A)) or 1.0) for A in units])
    run = {name: np.array(rows) for name, rows in run.items()}
    run["accuracy"] = float(np.mean(P.argmax(axis=1) == y))
    return run


def example_run(finding, seed):
    """A run of 40 steps that deserves the finding."""
    rng = np.random.default_rng(seed)
    depth, width = rng.integers(6, 11), int(rng.integers(20, 33))
    sizes = [64, *[width] * (depth - 1), 10]
    unit, lr, gain, activation, jolt = 10 ** rng.uniform(-6, 3), rng.uniform(0.01, 0.05), 2.0, "relu", None
    if finding == "vanishing":
        gain, activation = 1.0, "sigmoid"
    if finding == "exploding":
        gain = rng.uniform(10, 20)
    if finding == "small steps":
        lr *= 10 ** rng.uniform(-6, -4)
    if finding == "dead units":
        jolt = (int(rng.integers(5, 30)), int(rng.integers(1, depth - 1)), 1e3)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    weights = [rng.normal(scale=np.sqrt(gain / D), size=(D, H)) for D, H in pairs]
    if finding == "equal units":
        weights = [np.full((D, H), rng.uniform(1, 1.5) / D) for D, H in pairs]
    return trained(weights, activation, lr / unit, 40, PICTURES, LABELS, unit=unit, jolt=jolt)


def show_run(run):
    """Prints the first and the last step of a run."""
    for row in (0, -1):
        print(f"step {row % len(run['loss'])}: loss {run['loss'][row]:.3g}")
        for name in ["delta", "step", "dead", "spread"]:
            print(f"  {name:<7}", " ".join(f"{value:8.1e}" for value in run[name][row]))


show_run(example_run("dead units", seed=1))


# %% solution="diagnose-runs"
def diagnose(run):
    """Returns one of FINDINGS."""
    ### BEGIN SOLUTION
    fade = run["delta"][0, 0] / run["delta"][0, -1]
    if fade > 20:
        return "exploding"
    if np.max(run["spread"][0]) < 1e-6:
        return "equal units"
    if np.max(run["dead"]) == 1:
        return "dead units"
    if fade < 0.01:
        return "vanishing"
    return "small steps" if np.max(run["step"]) < 1e-4 else "healthy"
    ### END SOLUTION


# %% tests="diagnose-runs" points=8
exercise = checks.exercise("diagnose-runs")
seeds = [1, 2, 3, 4]
### BEGIN HIDDEN TESTS
seeds += [7401, 7402]
### END HIDDEN TESTS


def finding_is(truth, run):
    """A judge of what was said of the run."""

    def judge(said):
        said = str(said)
        if said == truth:
            return None
        if said not in FINDINGS:
            return f"{said!r} is none of the findings.", ""
        slip = ""
        if truth in ("dead units", "equal units"):
            slip = "symptom-for-cause" if said != "healthy" else ""
        if truth == "dead units" and said == "healthy":
            slip = "first-step-only"
        if {truth, said} == {"small steps", "healthy"}:
            # The unit of the loss is drawn anew for every run: no fixed number tells a small gradient.
            slip = "absolute-tolerance"
        ends = run["delta"][0]
        seen = f"delta from {ends[-1]:.1g} in the last layer to {ends[0]:.1g} in the first, steps up to {run['step'].max():.1g}"
        seen += f", dead up to {run['dead'].max():.2g}, spread at first {run['spread'][0].min():.1g} or more"
        return f"{said!r} for a run with {seen}.", slip

    return judge


for seed in seeds:
    for finding in FINDINGS:
        run = example_run(finding, seed)
        exercise.holds("diagnose", [run], finding_is(finding, run), case=f"{finding} {seed}", output=finding)
exercise.score()


# %% mistake="symptom-for-cause" of="diagnose-runs"
def diagnose(run):
    ratio = run["delta"][-1, 0] / run["delta"][-1, -1]
    if ratio < 1e-2:
        return "vanishing"
    if ratio > 1e2:
        return "exploding"
    if run["dead"][-1].max() == 1:
        return "dead units"
    if run["spread"][-1].max() < 1e-6:
        return "equal units"
    return "small steps" if run["step"].max() < 1e-4 else "healthy"


# %% mistake="first-step-only" of="diagnose-runs"
def diagnose(run):
    ratio = run["delta"][0, 0] / run["delta"][0, -1]
    if ratio > 20:
        return "exploding"
    if run["dead"][0].max() == 1:
        return "dead units"
    if run["spread"][0].max() < 1e-6:
        return "equal units"
    if ratio < 1e-2:
        return "vanishing"
    return "small steps" if run["step"][0].max() < 1e-4 else "healthy"


# %% mistake="absolute-tolerance" of="diagnose-runs"
def diagnose(run):
    if run["delta"][0, 0] > 1e3:
        return "exploding"
    if run["dead"].max() == 1:
        return "dead units"
    if run["spread"].max() < 1e-6:
        return "equal units"
    if run["delta"][0, 0] < 1e-4:
        return "vanishing"
    return "small steps" if run["step"].max() < 1e-4 else "healthy"


# %% mistake="loss-alone" of="diagnose-runs"
def diagnose(run):
    ratio = run["loss"][-1] / run["loss"][0]
    if ratio > 2:
        return "exploding"
    if ratio > 0.99:
        return "small steps"
    return "vanishing" if ratio > 0.7 else "healthy"


# %% accepted="geometric-factor" of="diagnose-runs"
def diagnose(run):
    delta = run["delta"][0]
    with np.errstate(divide="ignore"):
        factor = np.exp(np.diff(-np.log(delta)).mean())
    if factor > 1.5:
        return "exploding"
    if run["spread"][0].mean() < 1e-9:
        return "equal units"
    if (run["dead"] > 0.999).any():
        return "dead units"
    if factor < 0.5:
        return "vanishing"
    return "healthy" if run["step"][0].mean() > 1e-5 else "small steps"


# %% accepted="by-exclusion" of="diagnose-runs"
def diagnose(run):
    found = {
        "exploding": run["delta"][0, 0] > 10 * run["delta"][0, -1],
        "dead units": run["dead"][-1].max() > 0.95,
        "equal units": run["spread"][0].max() < 1e-3,
        "vanishing": run["step"][0, 0] < 1e-2 * run["step"][0, -1],
        "small steps": run["step"].max() < 1e-4,
    }
    return next((name for name, is_so in found.items() if is_so), "healthy")


# %% accepted="step-by-step" of="diagnose-runs"
def diagnose(run):
    first, last = run["delta"][0][[0, -1]]
    if first > 15 * last:
        return "exploding"
    if run["dead"].max(axis=1)[-1] == 1:
        return "dead units"
    if np.all(run["spread"] < 1e-8):
        return "equal units"
    if last > 50 * first:
        return "vanishing"
    return "small steps" if np.median(run["step"]) < 1e-5 else "healthy"


# %% [markdown] exercise="fix-deep-network"
# ## Twenty layers that learn
#
# The network with `sizes` has 20 layers, and as it was set up, it learns nothing in 200 steps:
#
# ```python
# weights = [rng.normal(scale=0.1, size=pair) for pair in ...]
# trained(weights, "sigmoid", lr=0.01, steps=200, X=CENTRED, y=LABELS)
# ```
#
# `CENTRED` holds 100 digits, with each pixel's mean taken away.
#
# Write `repaired(sizes, seed)`, which sets it up anew.
# Return four things: the list of weights, the name of the activation (sigmoid, tanh or relu), the learning rate, and whether there are skips (True or False).
# Number and sizes of the layers stay as they are.
#
# After 200 steps at least 80 of the 100 digits must be right, whatever the seed.
# Try your setup with several seeds before you run the check: `run["accuracy"]` is the share that is right.
# More than one way leads there.
# He's weights with ReLU and no skip get there with some seeds only: they keep the size of a gradient on the average, and in narrow layers it strays from its average, the more the more layers there are.

# %%
DEEP = [64, *[24] * 19, 10]
CENTRED = PICTURES - PICTURES.mean(axis=0)


# %% solution="fix-deep-network"
def repaired(sizes, seed):
    """Returns weights, activation, lr, skip."""
    ### BEGIN SOLUTION
    generator = np.random.default_rng(seed)
    shapes = zip(sizes[:-1], sizes[1:], strict=True)
    drawn = [generator.normal(scale=np.sqrt(2 / (D + H)), size=(D, H)) for D, H in shapes]
    return drawn, "tanh", 0.1, False
    ### END SOLUTION


# %% tests="fix-deep-network" points=4
exercise = checks.exercise("fix-deep-network")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [7501]
### END HIDDEN TESTS


def learns(setup):
    """A judge of a setup: it trains, and looks for the reason where that fails."""
    weights, activation, lr, skip = setup
    weights = [np.asarray(W, dtype=float) for W in weights]
    if [W.shape for W in weights] != list(zip(DEEP[:-1], DEEP[1:], strict=True)):
        return "the shapes of the weights do not belong to the sizes.", ""
    if activation not in CURVES or lr <= 0:
        return f"activation {activation!r} and lr {lr}: expected one of {', '.join(CURVES)}, and a positive number.", ""
    if any(np.ptp(W) == 0 for W in weights):
        return "all weights of a layer are equal.", "initial-symmetry"
    run = trained(weights, activation, lr, 200, CENTRED, LABELS, skip=bool(skip))
    if run["accuracy"] >= 0.8 and len(run["loss"]) == 200:
        return None
    right = f"{100 * run['accuracy']:.0f} of 100 are right"
    if not len(run["loss"]) or run["delta"][0, 0] > 100 * run["delta"][0, -1]:
        return f"{right}, and the gradient grows on its way to the first layer.", "gradient-explodes"
    delta, step = run["delta"][0], run["step"]
    if delta[0] < delta[-1] / 100:
        return f"{right}, and {delta[0] / delta[-1]:.1g} of the gradient reaches the first layer.", "gradient-vanishes"
    if len(run["loss"]) < 200 or run["dead"][-1].max() == 1 or step[0].max() > 0.1:
        return (
            f"{right}, and at the first step weights moved by {step[0].max():.1%} of their size.",
            "learning-rate-too-large",
        )
    if step.max() < 0.003:
        return f"{right}, and no step moved weights by more than {step.max():.1g} of their size.", "too-few-steps"
    return (
        f"{right}; between first and last layer the gradient's norm differs by a factor of {delta[0] / delta[-1]:.2g}.",
        "",
    )


for seed in seeds:
    exercise.holds("repaired", [DEEP, seed], learns, case=seed, remember=False)
exercise.score()


# %% mistake="gradient-vanishes" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=0.1, size=pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "sigmoid", 10.0, False


# %% mistake="gradient-vanishes" of="fix-deep-network" variant="xavier-with-sigmoid"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=np.sqrt(2 / (D + H)), size=(D, H)) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "sigmoid", 0.1, False


# %% mistake="gradient-vanishes" of="fix-deep-network" variant="relu-alone"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=0.1, size=pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "relu", 0.1, False


# %% mistake="gradient-explodes" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "relu", 0.01, False


# %% mistake="gradient-explodes" of="fix-deep-network" variant="he-with-skips"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=np.sqrt(2 / D), size=(D, H)) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "relu", 0.01, True


# %% mistake="initial-symmetry" of="fix-deep-network"
def repaired(sizes, seed):
    weights = [np.full((D, H), 1 / D) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "tanh", 0.1, True


# %% mistake="learning-rate-too-large" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=np.sqrt(2 / (D + H)), size=(D, H)) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "tanh", 5.0, False


# %% mistake="too-few-steps" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=np.sqrt(2 / (D + H)), size=(D, H)) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "tanh", 0.0001, False


# %% accepted="relu-with-skips" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [0.1 * rng.standard_normal((D, H)) for D, H in zip(sizes[:-1], sizes[1:], strict=True)]
    return weights, "relu", 0.05, True


# %% accepted="tanh-with-skips" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(scale=0.1, size=pair) for pair in zip(sizes, sizes[1:], strict=False)], "tanh", 0.1, True


# %% accepted="orthogonal" of="fix-deep-network"
def repaired(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = []
    for D, H in zip(sizes[:-1], sizes[1:], strict=True):
        U, _, V = np.linalg.svd(rng.normal(size=(D, H)), full_matrices=False)
        weights.append(U @ V)
    return weights, "tanh", 0.05, False


# %% [markdown] marked="stuck" points=2
# ## What is it stuck in?
#
# A colleague trains a network with eight hidden layers.
# The loss has not moved for an hour, and he says: "It is stuck in a local minimum. I shall start again with another seed."
#
# In four to six sentences: which other explanations are there, and which two or three things would you measure to tell them apart?
# Say what each measurement would show if it were a local minimum.
#
# ### BEGIN SOLUTION
# A flat loss says only that the steps change nothing; why they do not, it does not say.
# The gradient may vanish on its way to the first layers (compare the norms layer by layer: the first ones are smaller by orders of magnitude), units may be dead or all alike (count the units that are 0 for all examples, compare columns), the steps may be too small for the weights (norm of the step over norm of the weights), or it is a saddle or a plateau.
# At a local minimum the norm of the gradient of *all* layers is as good as zero, while units are alive and differ; and no small nudge lowers the loss: the Hessian has no negative eigenvalue.
# One negative eigenvalue, or one direction in which a nudge lowers the loss, and it is a saddle, which noise or patience will leave.
# In wide networks a bad local minimum is the least likely of these, so it is the last to believe in.
#
# **Rubric.**
# 2: at least two other explanations, a measurement that tells each of them apart, and what a minimum would show (gradient zero everywhere and no direction down).
# 1.5: two other explanations and measurements for them, but nothing that tells a minimum from a saddle.
# 1: other explanations without measurements, or measurements without what they would show.
# 0: agrees with the colleague, or only "try another learning rate".
# ### END SOLUTION
