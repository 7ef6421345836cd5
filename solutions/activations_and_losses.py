# %% [markdown]
# # Activations and losses
#
# Five exercises with a check under each, and one question that a person marks.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("activations_and_losses", globals())

# %% [markdown] exercise="activations-backward"
# ## Back through four activations
#
# The cell below gives four activations.
# Each takes an array $Z$ of shape `(N, H)` and works entry by entry; its result is called $A$.
#
# Write the way back through each.
# Every function receives the gradient `dA` of the loss with respect to $A$, the input `Z`, and the output `A`.
# It returns `dZ`, a new array of the same shape.
# Use whichever of `Z` and `A` your slope needs; the other may lie idle.

# %%
def sigmoid(Z):
    e = np.exp(-np.where(np.real(Z) >= 0, Z, -Z))
    return np.where(np.real(Z) >= 0, 1, e) / (1 + e)


def tanh(Z):
    return np.tanh(Z)


def relu(Z):
    return np.where(np.real(Z) > 0, Z, 0.0)


def leaky_relu(Z, slope=0.1):
    return np.where(np.real(Z) > 0, Z, slope * Z)


# %% solution="activations-backward"
def sigmoid_backward(dA, Z, A):
    """dA, Z and A = sigmoid(Z) have one shape, which dZ has too."""
    ### BEGIN SOLUTION
    return dA * A * (1 - A)
    ### END SOLUTION


def tanh_backward(dA, Z, A):
    """dA, Z and A = tanh(Z) have one shape, which dZ has too."""
    ### BEGIN SOLUTION
    return dA * (1 - A**2)
    ### END SOLUTION


def relu_backward(dA, Z, A):
    """dA, Z and A = relu(Z) have one shape, which dZ has too; no Z is 0."""
    ### BEGIN SOLUTION
    return np.where(Z > 0, dA, 0.0)
    ### END SOLUTION


def leaky_relu_backward(dA, Z, A, slope=0.1):
    """The same for A = leaky_relu(Z, slope)."""
    ### BEGIN SOLUTION
    return np.where(Z > 0, dA, slope * dA)
    ### END SOLUTION


# %% tests="activations-backward" points=8
exercise = checks.exercise("activations-backward")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6101, 6102]
### END HIDDEN TESTS
for seed in seeds:
    for N, H in [(5, 3), (5, 5)]:
        Z = np.random.default_rng([seed, H]).normal(scale=2.0, size=(N, H))
        for forward in [sigmoid, tanh, relu, leaky_relu]:
            exercise.vjp(
                f"{forward.__name__}_backward",
                lambda p: forward(p["Z"]),
                {"Z": Z},
                args=lambda dA, p: (dA, p["Z"], forward(p["Z"])),
                case=10 * seed + H,
            )
exercise.score()


# %% mistake="derivative-at-output" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA * sigmoid(A) * (1 - sigmoid(A))


def tanh_backward(dA, Z, A):
    return dA * (1 - np.tanh(A) ** 2)


# %% mistake="tanh-of-preactivation" of="activations-backward"
def tanh_backward(dA, Z, A):
    return dA * (1 - Z**2)


# %% mistake="tanh-of-preactivation" of="activations-backward" variant="sigmoid"
def sigmoid_backward(dA, Z, A):
    return dA * Z * (1 - Z)


# %% mistake="slope-of-another-activation" of="activations-backward"
def tanh_backward(dA, Z, A):
    return dA * A * (1 - A)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return dA * (Z > 0)


# %% mistake="slope-of-another-activation" of="activations-backward" variant="exchanged"
def sigmoid_backward(dA, Z, A):
    return dA * (1 - A**2)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return np.where(Z > 0, slope * dA, dA)


# %% mistake="activation-for-derivative" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA * A


def tanh_backward(dA, Z, A):
    return dA * A


def relu_backward(dA, Z, A):
    return dA * A


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return dA * A


# %% mistake="relu-mask-after-relu" of="activations-backward"
def relu_backward(dA, Z, A):
    return dA * (A >= 0)


# %% mistake="relu-mask-from-gradient" of="activations-backward"
def relu_backward(dA, Z, A):
    return np.where(dA > 0, dA, 0.0)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return np.where(dA > 0, dA, slope * dA)


# %% mistake="upstream-forgotten" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return A * (1 - A)


def tanh_backward(dA, Z, A):
    return 1 - A**2


def relu_backward(dA, Z, A):
    return np.where(Z > 0, 1.0, 0.0)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return np.where(Z > 0, 1.0, slope)


# %% mistake="missing-activation-derivative" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA.copy()


def tanh_backward(dA, Z, A):
    return dA.copy()


# %% mistake="dot-for-elementwise" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA @ (A * (1 - A))


def tanh_backward(dA, Z, A):
    return dA @ (1 - A**2)


# %% mistake="sign" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA * A * (A - 1)


# %% mistake="upstream-forgotten" of="activations-backward" variant="below-zero"
def leaky_relu_backward(dA, Z, A, slope=0.1):
    return np.where(Z > 0, dA, slope)


# %% mistake="upstream-forgotten" of="activations-backward" variant="the-mask-itself"
def relu_backward(dA, Z, A):
    return Z > 0


# %% accepted="at-the-input" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA / (2 + np.exp(Z) + np.exp(-Z))


def tanh_backward(dA, Z, A):
    return dA / np.cosh(Z) ** 2


def relu_backward(dA, Z, A):
    return dA * np.heaviside(Z, 0.0)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return dA * np.where(Z < 0, slope, 1.0)


# %% accepted="from-the-output" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    return dA * (A - A * A)


def tanh_backward(dA, Z, A):
    return (1 - A) * (1 + A) * dA


def relu_backward(dA, Z, A):
    return dA * (A > 0)


def leaky_relu_backward(dA, Z, A, slope=0.1):
    return dA * ((A > 0) + slope * (A <= 0))


# %% accepted="in-a-copy" of="activations-backward"
def sigmoid_backward(dA, Z, A):
    filled = np.empty_like(dA)
    for entry in np.ndindex(*A.shape):
        filled[entry] = dA[entry] * A[entry] * (1 - A[entry])
    return filled


def relu_backward(dA, Z, A):
    gated = dA.copy()
    gated[Z <= 0] = 0.0
    return gated


def leaky_relu_backward(dA, Z, A, slope=0.1):
    gated = dA.copy()
    gated[Z <= 0] *= slope
    return gated


# %% [markdown] exercise="mse"
# ## Squared error
#
# Predictions $P$ and targets $Y$ are arrays of one shape, `(N,)` or `(N, C)`, a row for each example.
# The loss adds up the squared differences of a row, and takes the mean over the rows:
#
# $$
# L = \frac{1}{N} \sum_{n} \sum_{k} (P_{nk} - Y_{nk})^2 .
# $$
#
# Write `mse(P, Y)`, which returns the loss and its gradient with respect to $P$.
# If the two shapes differ, raise a `ValueError` instead: what NumPy would do with `(N,)` and `(N, 1)` is never what was meant.

# %% solution="mse"
def mse(P, Y):
    """P and Y are (N,) or (N, C), both the same.

    Returns the tuple (L, dP), a float and an array of the shape of P.
    Raises ValueError if the shapes differ.
    """
    ### BEGIN SOLUTION
    if P.shape != Y.shape:
        raise ValueError(f"P is {P.shape} and Y is {Y.shape}")
    error = P - Y
    return np.sum(error**2) / len(P), 2 * error / len(P)
    ### END SOLUTION


# %% tests="mse" points=5
exercise = checks.exercise("mse")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6201, 6202]
### END HIDDEN TESTS
for seed in seeds:
    for shape in [(5, 3), (6, 6), (7,)]:
        rng = np.random.default_rng([seed, *shape])
        P, Y = rng.normal(size=shape), rng.normal(size=shape)
        loss = lambda p: sum(np.sum((p["P"][n] - Y[n]) ** 2) for n in range(len(Y))) / len(Y)
        exercise.gradient(
            "mse", loss, {"P": P}, args=lambda p: (p["P"], Y), with_loss=True, case=f"{seed} {shape}", weight=2
        )
column = np.arange(5.0)[:, None]
exercise.refuses("mse", [column[:, 0], column], "shapes (5,) and (5, 1) went through.", "column-against-row", weight=1)
exercise.score()


# %% mistake="factor-two" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / len(P), (P - Y) / len(P)


# %% mistake="factor-two" of="mse" variant="half-a-square"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / (2 * len(P)), (P - Y) / len(P)


# %% mistake="missing-batch-mean" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2), 2 * (P - Y)


# %% mistake="missing-batch-mean" of="mse" variant="gradient"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / len(P), 2 * (P - Y)


# %% mistake="extra-batch-mean" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / len(P), 2 * (P - Y) / len(P) ** 2


# %% mistake="averaged-over-units" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.mean((P - Y) ** 2), 2 * (P - Y) / P.size


# %% mistake="averaged-over-units" of="mse" variant="loss"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.mean((P - Y) ** 2), 2 * (P - Y) / len(P)


# %% mistake="sign" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / len(P), 2 * (Y - P) / len(P)


# %% mistake="target-forgotten" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / len(P), 2 * P / len(P)


# %% mistake="wrong-axis" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("shapes")
    return np.sum((P - Y) ** 2) / P.shape[-1], 2 * (P - Y) / P.shape[-1]


# %% mistake="column-against-row" of="mse"
def mse(P, Y):
    return np.sum((P - Y) ** 2) / len(P), 2 * (P - Y) / len(P)


# %% accepted="mean-of-row-sums" of="mse"
def mse(P, Y):
    if np.shape(P) != np.shape(Y):
        raise ValueError("predictions and targets must have one shape")
    squares = np.square(Y - P).reshape(len(P), -1)
    return squares.sum(axis=1).mean(), (P - Y) * (2 / P.shape[0])


# %% accepted="inner-product" of="mse"
def mse(P, Y):
    if P.ndim != Y.ndim or P.shape != Y.shape:
        raise ValueError(P.shape)
    r = (P - Y).ravel()
    return r @ r / P.shape[0], (r + r).reshape(P.shape) / P.shape[0]


# %% accepted="row-by-row" of="mse"
def mse(P, Y):
    if P.shape != Y.shape:
        raise ValueError("P and Y differ in shape")
    L, rows = 0.0, []
    for prediction, target in zip(P, Y, strict=True):
        L += np.sum((prediction - target) ** 2) / len(P)
        rows.append(2 * (prediction - target) / len(P))
    return L, np.stack(rows)


# %% [markdown] exercise="bce-with-logits"
# ## Binary cross-entropy on logits
#
# A logit $z$ stands for the probability $p = \sigma(z)$ that the answer is yes, and the target $y$ is 1 for yes and 0 for no.
# The loss of one entry is $-\log p$ where $y = 1$ and $-\log(1 - p)$ where $y = 0$.
# It is added up over the entries of a row, and the mean is taken over the rows.
#
# The cell below computes it by this definition, one entry at a time.
# It fails for a logit of 40: there $1 - p$ is rounded to 0.
#
# Write `bce_with_logits(Z, Y)`, which returns the loss and its gradient with respect to the **logits** $Z$.
# Both must be right from $-1000$ to 1000.

# %%
def bce_by_definition(Z, Y):
    total = 0.0
    for z, y in zip(Z.ravel(), Y.ravel(), strict=True):
        p = sigmoid(z)
        total += -np.log(p) if y == 1 else -np.log(1 - p)
    return total / len(Z)


# %% solution="bce-with-logits"
def bce_with_logits(Z, Y):
    """Z and Y are (N,) or (N, C), both the same; each Y is 0 or 1.

    Returns the tuple (L, dZ), a float and an array of the shape of Z.
    """
    ### BEGIN SOLUTION
    losses = np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))
    return np.sum(losses) / len(Z), (sigmoid(Z) - Y) / len(Z)
    ### END SOLUTION


# %% tests="bce-with-logits" points=8
exercise = checks.exercise("bce-with-logits")
seeds, far = [1, 2], [1000.0]
### BEGIN HIDDEN TESTS
seeds, far = seeds + [6301, 6302], far + [800.0, 40.0]
### END HIDDEN TESTS
for seed in seeds:
    for shape, scale in [((5, 3), 2.0), ((6, 6), 1.0), ((7,), 0.01)]:
        rng = np.random.default_rng([seed, *shape])
        Z = rng.normal(scale=scale, size=shape)
        Y = rng.permutation(np.arange(Z.size) % 2).reshape(shape).astype(float)
        loss = lambda p: bce_by_definition(p["Z"], Y)
        exercise.gradient(
            "bce_with_logits", loss, {"Z": Z}, args=lambda p: (p["Z"], Y), with_loss=True, case=f"{seed} {shape}"
        )
Y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
for z in far:
    exercise.value(
        "bce_with_logits",
        [np.array([z, -z, z, -z, 0.0]), Y],
        {"L far out": (2 * z + np.log(2)) / 5, "dZ far out": np.array([0.0, 0.0, 1.0, -1.0, -0.5]) / 5},
        case=f"far {z:g}",
    )
exercise.score()


# %% mistake="derivative-twice" of="bce-with-logits"
def bce_with_logits(Z, Y):
    chance = sigmoid(Z)
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), (chance - Y) * chance * (1 - chance) / len(Z)


# %% mistake="unstable-exp-log" of="bce-with-logits"
def bce_with_logits(Z, Y):
    chance = sigmoid(Z)
    return -np.sum(Y * np.log(chance) + (1 - Y) * np.log(1 - chance)) / len(Z), (chance - Y) / len(Z)


# %% mistake="unstable-exp-log" of="bce-with-logits" variant="overflow"
def bce_with_logits(Z, Y):
    return np.sum(np.log(1 + np.exp(Z)) - Y * Z) / len(Z), (sigmoid(Z) - Y) / len(Z)


# %% mistake="unstable-exp-log" of="bce-with-logits" variant="clipped"
def bce_with_logits(Z, Y):
    chance = np.clip(sigmoid(Z), 1e-12, 1 - 1e-12)
    return -np.sum(Y * np.log(chance) + (1 - Y) * np.log(1 - chance)) / len(Z), (chance - Y) / len(Z)


# %% mistake="unstable-exp-log" of="bce-with-logits" variant="epsilon"
def bce_with_logits(Z, Y):
    chance = sigmoid(Z)
    return -np.sum(Y * np.log(chance + 1e-15) + (1 - Y) * np.log(1 - chance + 1e-15)) / len(Z), (chance - Y) / len(Z)


# %% mistake="unstable-exp-log" of="bce-with-logits" variant="gradient"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), (np.exp(Z) / (1 + np.exp(Z)) - Y) / len(Z)


# %% mistake="missing-activation-derivative" of="bce-with-logits"
def bce_with_logits(Z, Y):
    chance = sigmoid(Z)
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), (-Y / chance + (1 - Y) / (1 - chance)) / len(Z)


# %% mistake="sign" of="bce-with-logits"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), (Y - sigmoid(Z)) / len(Z)


# %% mistake="target-forgotten" of="bce-with-logits"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), sigmoid(Z) / len(Z)


# %% mistake="missing-batch-mean" of="bce-with-logits"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z), sigmoid(Z) - Y


# %% mistake="missing-batch-mean" of="bce-with-logits" variant="gradient"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), sigmoid(Z) - Y


# %% mistake="extra-batch-mean" of="bce-with-logits"
def bce_with_logits(Z, Y):
    return np.sum(np.logaddexp(0, Z) - Y * Z) / len(Z), (sigmoid(Z) - Y) / len(Z) ** 2


# %% mistake="averaged-over-units" of="bce-with-logits"
def bce_with_logits(Z, Y):
    return np.mean(np.logaddexp(0, Z) - Y * Z), (sigmoid(Z) - Y) / Z.size


# %% mistake="logits-for-probabilities" of="bce-with-logits"
def bce_with_logits(Z, Y):
    losses = np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))
    return np.sum(losses) / len(Z), (Z - Y) / len(Z)


# %% accepted="logaddexp" of="bce-with-logits"
def bce_with_logits(Z, Y):
    losses = np.logaddexp(0, Z) - Z * Y
    half = 0.5 * (1 + np.tanh(Z / 2))
    return losses.sum() / Z.shape[0], (half - Y) / Z.shape[0]


# %% accepted="sign-of-the-target" of="bce-with-logits"
def bce_with_logits(Z, Y):
    S = 1 - 2 * Y
    M = S * Z
    losses = np.where(M > 0, M, 0.0) + np.log1p(np.exp(-np.abs(M)))
    return np.sum(losses) / len(Z), S * sigmoid(M) / len(Z)


# %% accepted="entry-by-entry" of="bce-with-logits"
def bce_with_logits(Z, Y):
    L, dZ = 0.0, np.empty_like(Z)
    for k in np.ndindex(*Z.shape):
        z, y = float(Z[k]), Y[k]
        tail = np.exp(-abs(z))
        L += max(z, 0.0) - y * z + np.log1p(tail)
        dZ[k] = (1 if z >= 0 else tail) / (1 + tail) - y
    return L / len(Z), dZ / len(Z)


# %% [markdown] exercise="softmax-backward"
# ## Back through softmax
#
# Softmax turns a row of $C$ logits into $C$ probabilities.
# You have the probabilities $P$, of shape `(N, C)`, and the gradient `dP` of some loss with respect to each of them.
#
# Write `softmax_backward(dP, P)`, which returns the gradient with respect to the logits.
# Each row is an example by itself.
# You may build the Jacobian of each row, but you do not need it.

# %%
def softmax(Z):
    E = np.exp(Z - np.max(np.real(Z), axis=-1, keepdims=True))
    return E / np.sum(E, axis=-1, keepdims=True)


# %% solution="softmax-backward"
def softmax_backward(dP, P):
    """dP and P = softmax(Z) are (N, C), as is dZ, which it returns."""
    ### BEGIN SOLUTION
    inner = np.sum(dP * P, axis=1, keepdims=True)
    return P * (dP - inner)
    ### END SOLUTION


# %% tests="softmax-backward" points=8
exercise = checks.exercise("softmax-backward")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6401, 6402]
### END HIDDEN TESTS
for seed in seeds:
    for (N, C), scale in [((6, 4), 1.5), ((5, 5), 1.0), ((7, 3), 0.01)]:
        Z = np.random.default_rng([seed, N]).normal(scale=scale, size=(N, C))
        exercise.vjp(
            "softmax_backward",
            lambda p: softmax(p["Z"]),
            {"Z": Z},
            args=lambda dP, p: (dP, softmax(p["Z"])),
            case=10 * seed + N,
        )
exercise.score()


# %% mistake="softmax-diagonal-only" of="softmax-backward"
def softmax_backward(dP, P):
    return dP * P * (1 - P)


# %% mistake="activation-for-derivative" of="softmax-backward"
def softmax_backward(dP, P):
    return dP * P


# %% mistake="softmax-wrong-axis" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (dP - np.sum(dP * P, axis=0, keepdims=True))


# %% mistake="keepdims-dropped" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (dP - np.sum(dP * P, axis=1))


# %% mistake="summed-over-units" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (dP - np.sum(dP * P))


# %% mistake="upstream-forgotten" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (1 - P)


# %% mistake="sign" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (np.sum(dP * P, axis=1, keepdims=True) - dP)


# %% mistake="derivative-at-output" of="softmax-backward"
def softmax_backward(dP, P):
    Q = softmax(P)
    return Q * (dP - np.sum(dP * Q, axis=1, keepdims=True))


# %% mistake="missing-activation-derivative" of="softmax-backward"
def softmax_backward(dP, P):
    return dP.copy()


# %% mistake="row-mean-unweighted" of="softmax-backward"
def softmax_backward(dP, P):
    return P * (dP - dP.mean(axis=1, keepdims=True))


# %% mistake="row-mean-unweighted" of="softmax-backward" variant="sum"
def softmax_backward(dP, P):
    return P * (dP - dP.sum(axis=1, keepdims=True))


# %% mistake="local-slope-forgotten" of="softmax-backward"
def softmax_backward(dP, P):
    return dP - np.sum(dP * P, axis=1, keepdims=True)


# %% mistake="sign" of="softmax-backward" variant="of-the-sum"
def softmax_backward(dP, P):
    return P * (dP + np.sum(dP * P, axis=1, keepdims=True))


# %% accepted="jacobian-of-each-row" of="softmax-backward"
def softmax_backward(dP, P):
    rows = [(np.diag(p) - np.outer(p, p)) @ upstream for p, upstream in zip(P, dP, strict=True)]
    return np.stack(rows)


# %% accepted="all-jacobians-at-once" of="softmax-backward"
def softmax_backward(dP, P):
    J = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
    return np.einsum("nij,ni->nj", J, dP)


# %% accepted="two-terms" of="softmax-backward"
def softmax_backward(dP, P):
    diagonal = P * dP
    return diagonal - P * np.einsum("nc,nc->n", P, dP)[:, np.newaxis]


# %% accepted="four-loops" of="softmax-backward"
def softmax_backward(dP, P):
    N, C = P.shape
    dZ = [[sum(dP[n, k] * P[n, k] * ((k == j) - P[n, j]) for k in range(C)) for j in range(C)] for n in range(N)]
    return np.array(dZ)


# %% [markdown] exercise="softmax-cross-entropy"
# ## Softmax cross-entropy
#
# Logits $Z$ have shape `(N, C)`, and the label $y_n$ is the right class of example $n$, a whole number from 0 to $C - 1$.
# The loss of an example is $-\log$ of the probability that softmax gives to its label, and $L$ is the mean over the examples.
#
# The cell below computes it by this definition, one example at a time.
# It fails when the right class gets so little that its probability is rounded to 0.
#
# Write `softmax_cross_entropy(Z, y)`, which returns the loss and its gradient with respect to the logits.
# Both must be right from $-1000$ to 1000, and `Z` must be left as it was.

# %%
def cross_entropy_by_definition(Z, y):
    total = 0.0
    for z, label in zip(Z, y, strict=True):
        total += -np.log(softmax(z)[label])
    return total / len(Z)


# %% solution="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    """Z is (N, C), y is (N,) and holds whole numbers.

    Returns the tuple (L, dZ), a float and an array (N, C).
    """
    ### BEGIN SOLUTION
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    examples = np.arange(len(y))
    dZ = np.exp(log_P)
    dZ[examples, y] -= 1
    return -np.sum(log_P[examples, y]) / len(y), dZ / len(y)
    ### END SOLUTION


# %% tests="softmax-cross-entropy" points=12
exercise = checks.exercise("softmax-cross-entropy")
seeds, far = [1, 2], [1000.0]
### BEGIN HIDDEN TESTS
seeds, far = seeds + [6501, 6502], far + [800.0]
### END HIDDEN TESTS


def watched(f, Z, y):
    """Call f, and see that it leaves Z alone."""
    kept = Z.copy()
    result = f(Z, y)
    if isinstance(result, tuple):
        same = np.array_equal(Z, kept)
        exercise.expect("Z is kept", same, "softmax_cross_entropy changed Z in place.", "input-mutated")
    return result


for seed in seeds:
    for (N, C), scale in [((6, 4), 1.5), ((5, 5), 1.0), ((7, 3), 0.01)]:
        rng = np.random.default_rng([seed, N])
        Z, y = rng.normal(scale=scale, size=(N, C)), rng.permutation(np.arange(N) % C)
        loss = lambda p: cross_entropy_by_definition(p["Z"], y)
        exercise.gradient(
            "softmax_cross_entropy", loss, {"Z": Z}, args=lambda p: (p["Z"], y), case=f"{seed} {N}",
            with_loss=True, weight=4, via=watched,
        )  # fmt: skip
y = np.array([0, 1, 2, 1, 0])
dZ = np.array([[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3], [0, -1, 1], [-1 / 2, 1 / 2, 0]]) / 5
for z in far:
    Z = np.array([[z, 0, -z], [z, 0, -z], [-z, -z, -z], [0, 0, z], [z, z, -z]])
    L = (z + np.log(3) + z + np.log(2)) / 5
    exercise.value(
        "softmax_cross_entropy", [Z, y], {"L far out": L, "dZ far out": dZ}, case=f"far {z:g}", weight=1.5
    )
exercise.score()


# %% mistake="sign" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.mean(losses), -G / len(y)


# %% mistake="target-forgotten" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    return np.mean(losses), softmax(Z) / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[:, y] -= 1
    return np.mean(losses), G / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="whole-rows"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[y] -= 1
    return np.mean(losses), G / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="from-one"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y - 1]
    G = softmax(Z)
    G[range(len(y)), y - 1] -= 1
    return np.mean(losses), G / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="columns-first"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[y, range(len(y))] -= 1
    return np.mean(losses), G / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="number-for-place"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    return np.mean(losses), (softmax(Z) - y[:, None]) / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="all-columns-in-the-loss"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1, keepdims=True) - Z[:, y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.mean(losses), G / len(y)


# %% mistake="missing-batch-mean" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.sum(losses), G


# %% mistake="missing-batch-mean" of="softmax-cross-entropy" variant="gradient"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.mean(losses), G


# %% mistake="extra-batch-mean" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.mean(losses), G / len(y) ** 2


# %% mistake="averaged-over-units" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = softmax(Z)
    G[range(len(y)), y] -= 1
    return np.sum(losses) / Z.size, G / Z.size


# %% mistake="softmax-wrong-axis" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    E = np.exp(Z - Z.max(axis=0))
    G = E / E.sum(axis=0)
    L = -np.mean(np.log(G[range(len(y)), y]))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="softmax-wrong-axis" of="softmax-cross-entropy" variant="all-entries"
def softmax_cross_entropy(Z, y):
    E = np.exp(Z - Z.max())
    G = E / E.sum()
    L = -np.mean(np.log(G[range(len(y)), y]))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="keepdims-dropped" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    E = np.exp(Z - Z.max(axis=1))
    G = E / E.sum(axis=1)
    L = -np.mean(np.log(G[range(len(y)), y]))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="labels-misaligned" of="softmax-cross-entropy" variant="number-for-place-in-a-row"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    return np.mean(losses), (softmax(Z) - y) / len(y)


# %% mistake="unstable-exp-log" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    E = np.exp(Z)
    G = E / E.sum(axis=1, keepdims=True)
    L = -np.mean(np.log(G[range(len(y)), y]))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="unstable-exp-log" of="softmax-cross-entropy" variant="log-of-zero"
def softmax_cross_entropy(Z, y):
    G = softmax(Z)
    L = -np.mean(np.log(G[range(len(y)), y]))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="unstable-exp-log" of="softmax-cross-entropy" variant="epsilon"
def softmax_cross_entropy(Z, y):
    G = softmax(Z)
    L = -np.mean(np.log(G[range(len(y)), y] + 1e-12))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="unstable-exp-log" of="softmax-cross-entropy" variant="smaller-epsilon"
def softmax_cross_entropy(Z, y):
    G = softmax(Z)
    L = -np.mean(np.log(np.maximum(G[range(len(y)), y], 1e-15)))
    G[range(len(y)), y] -= 1
    return L, G / len(y)


# %% mistake="derivative-twice" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    Q = softmax(Z)
    G = Q.copy()
    G[range(len(y)), y] -= 1
    return np.mean(losses), Q * (G - np.sum(G * Q, axis=1, keepdims=True)) / len(y)


# %% mistake="derivative-twice" of="softmax-cross-entropy" variant="as-for-a-sigmoid"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    Q = softmax(Z)
    G = Q.copy()
    G[range(len(y)), y] -= 1
    return np.mean(losses), Q * (1 - Q) * G / len(y)


# %% mistake="softmax-diagonal-only" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    losses = np.logaddexp.reduce(Z, axis=1) - Z[range(len(y)), y]
    G = np.zeros_like(Z)
    G[range(len(y)), y] = softmax(Z)[range(len(y)), y] - 1
    return np.mean(losses), G / len(y)


# %% mistake="input-mutated" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    Z -= Z.max(axis=1, keepdims=True)
    log_G = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    G = np.exp(log_G)
    G[range(len(y)), y] -= 1
    return -np.mean(log_G[range(len(y)), y]), G / len(y)


# %% mistake="logits-for-probabilities" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    Y = np.eye(Z.shape[1])[y]
    return -np.sum(log_P * Y) / len(y), (Z - Y) / len(y)


# %% mistake="logits-for-probabilities" of="softmax-cross-entropy" variant="logarithms"
def softmax_cross_entropy(Z, y):
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    Y = np.eye(Z.shape[1])[y]
    return -np.sum(log_P * Y) / len(y), (log_P - Y) / len(y)


# %% mistake="local-slope-forgotten" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    Y = np.eye(Z.shape[1])[y]
    return -np.sum(log_P * Y) / len(y), -Y / np.exp(np.maximum(log_P, -700)) / len(y)


# %% accepted="one-hot" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    N, C = Z.shape
    T = np.eye(C)[y]
    m = np.max(Z, axis=1, keepdims=True)
    lse = m + np.log(np.exp(Z - m).sum(axis=1, keepdims=True))
    return np.sum((lse - Z) * T) / N, (np.exp(Z - lse) - T) / N


# %% accepted="through-the-jacobian" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    L, dZ = 0.0, np.zeros_like(Z)
    for n, label in enumerate(y):
        p = softmax(Z[n])
        L += np.logaddexp.reduce(Z[n]) - Z[n, label]
        # Row `label` of the Jacobian is p[label] times this, and -1/p[label] undoes the factor.
        dZ[n] = -((np.arange(len(p)) == label) - p)
    return L / len(y), dZ / len(y)


# %% accepted="picked-by-take-along-axis" of="softmax-cross-entropy"
def softmax_cross_entropy(Z, y):
    lse = np.logaddexp.reduce(Z, axis=1)
    chosen = np.take_along_axis(Z, y[:, None], axis=1)[:, 0]
    rest = softmax(Z)
    np.subtract.at(rest, (np.arange(len(Z)), y), 1.0)
    return (lse - chosen).mean(), rest / len(Z)


# %% [markdown] marked="shift-invariance" points=4
# ## Shift invariance
#
# Add one and the same number $c$ to every logit of an example.
#
# 1. Show that the probabilities, and with them the loss, do not change.
# 2. What must the entries of a row of `dZ` then add up to? Give the reason without the formula $(P - Y)/N$, then confirm it with the formula.
# 3. The logits come from a layer with biases $\mathbf{b}$, one per class. What can the gradient never do to the sum of the biases?
# 4. Where does the code of this chapter use the invariance, and what for?
#
# ### BEGIN SOLUTION
# 1. The new probability is $e^{z_i + c} / \sum_j e^{z_j + c} = e^c e^{z_i} / (e^c \sum_j e^{z_j})$, and $e^c$ cancels. The loss depends on the logits through the probabilities only.
# 2. To zero. Moving along $c$ changes nothing, so the slope of the loss with respect to $c$ is 0. But $c$ reaches the loss through all the logits of the row, with slope 1 into each, and paths add: that slope is the sum of the row. The formula agrees: the probabilities add to 1, the one-hot target adds to 1, and $1 - 1 = 0$.
# 3. Move it. The gradient of the biases is the sum of the rows of `dZ`, so its entries add to zero too, and no step along it changes the sum of the biases: it stays what it was at the start. (The penalty on weights is another matter, if it includes the biases.)
# 4. In softmax and log-sum-exp: the largest logit is subtracted from its row, so that no exponent is positive and nothing overflows. The invariance says that the result is the same.
#
# Rubric: 4 all four parts, with the reason in 2 by the chain rule (or by the Jacobian's zero sums); 3 one part missing or the reason of 2 only by the formula; 1 to 2 the cancellation in 1 is right and little else; 0 nothing of this.
# ### END SOLUTION
