"""Right and wrong gradients by the thousand, by seed: what check and diagnosis are tried on.

``cases(seed)`` yields `Case` objects, about 550 right and 3,800 wrong.  Every right gradient is written by hand
here; every wrong one makes one mistake of the catalogue.  A mistake that makes no difference on its fixture is a
right gradient, so it is left out: a case is wrong only if some entry differs from the right gradient by more than
1e-4 of that entry (and 1e-9 of the largest); differences in between are left out too.

Shape of a case::

    Case(name="mlp2-tanh/plain/penalty-missing@W1",
         family="mlp",            # one of the families below
         f=..., grad=...,         # f(params) -> scalar, grad(params) -> dict like params
         params={...},            # arrays (or Python floats) in forward order
         right=False,
         mistake="penalty-missing",   # id of the catalogue, None for a right one
         parameter="b2",          # going backwards from the loss, the first parameter that is wrong
         signature=True,          # can the mistake be told from (analytic, numeric, params) alone, on this fixture?
         group="mlp2-tanh/plain",     # cases of a group share f and params, as the answers to an exercise do
         variant="plain",         # one of VARIANTS
         batch=5)                 # N, the number of examples, or None

The mistakes of a group with ``own=True`` are the exercise's own list, written into its backward pass; the others
are done to the arrays afterwards (factor, transpose, ...), all of those with a signature.
``degenerate`` says that shapes or N are such that different mistakes coincide.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    f: Callable
    grad: Callable
    params: dict
    right: bool
    mistake: str | None = None
    parameter: str | None = None
    signature: bool = False
    group: str = ""
    variant: str = "plain"
    batch: int | None = None
    own: bool = False
    degenerate: bool = False


@dataclass(frozen=True)
class Model:
    """A loss with its gradient; grad(params, bug) makes the mistake ``bug``, written "id" or "id@parameter"."""

    name: str
    family: str
    f: Callable
    grad: Callable
    params: dict
    bugs: dict  # bug -> has it a signature in the arrays?
    batch: int | None = None
    safe: bool = True  # f takes complex numbers, long double and arrays of any kind


# ---------------------------------------------------------------- activations and losses, shared by the families


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    return np.where(z > 0, z, 0)


GELU = np.sqrt(2 / np.pi)

# name: function, derivative
ACTIVATIONS = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (relu, lambda z: (z > 0) * 1.0),
    "leaky": (lambda z: np.where(z > 0, z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1)),
    "softplus": (lambda z: np.log(1 + np.exp(z)), sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z)))),
    "gelu": (
        lambda z: 0.5 * z * (1 + np.tanh(GELU * (z + 0.044715 * z**3))),
        lambda z: 0.5 * (1 + np.tanh(GELU * (z + 0.044715 * z**3)))
        + 0.5 * z * (1 - np.tanh(GELU * (z + 0.044715 * z**3)) ** 2) * GELU * (1 + 3 * 0.044715 * z**2),
    ),
    "elu": (lambda z: np.where(z > 0, z, np.exp(z) - 1), lambda z: np.where(z > 0, 1.0, np.exp(z))),
}


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def mse(P, Y):
    return ((P - Y) ** 2).sum() / len(Y), 2 * (P - Y) / len(Y)


def bce(Z, Y):
    positive = np.where(Z > 0, Z, 0)
    absolute = np.where(Z > 0, Z, -Z)
    loss = (positive - Y * Z + np.log(1 + np.exp(-absolute))).sum() / len(Y)
    return loss, (sigmoid(Z) - Y) / len(Y)


def cross_entropy(Z, Y):
    shifted = Z - Z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(Y * log_p).sum() / len(Y), (np.exp(log_p) - Y) / len(Y)


def huber(P, Y):
    R = P - Y
    small = np.where(R > 0, R, -R) < 1
    absolute = np.where(R > 0, R, -R)
    return np.where(small, R**2 / 2, absolute - 0.5).sum() / len(Y), np.where(small, R, np.sign(R)) / len(Y)


def hinge(P, Y):
    margin = 1 - (2 * Y - 1) * P
    return relu(margin).sum() / len(Y), -(2 * Y - 1) * (margin > 0) / len(Y)


LOSSES = {"mse": mse, "bce": bce, "ce": cross_entropy, "huber": huber, "hinge": hinge}


def targets(rng, loss, N, C):
    if loss == "ce":
        return np.eye(C)[rng.permutation(np.arange(N) % C)]
    if loss in ("bce", "hinge"):
        return rng.permutation(np.arange(N * C) % 2).reshape(N, C) * 1.0
    return rng.normal(size=(N, C))


# what each loss's gradient is when a mistake is made in it
def loss_backward(loss, P, Y, bug):
    N = len(Y)
    _, dP = LOSSES[loss](P, Y)
    if bug == "sign":
        return -dP
    if bug == "missing-batch-mean":
        return dP * N
    if bug == "extra-batch-mean":
        return dP / N
    if bug == "factor-two":
        return dP / 2 if loss == "mse" else dP * 2
    if bug == "target-forgotten":
        return LOSSES[loss](P, 0 * Y)[1] if loss in ("mse", "bce", "ce") else dP
    if bug == "labels-misaligned":
        return LOSSES[loss](P, np.roll(Y, 1, axis=0))[1]
    if bug == "derivative-twice" and loss == "bce":
        return dP * sigmoid(P) * (1 - sigmoid(P))
    if bug == "softmax-wrong-axis" and loss == "ce":
        return (softmax(P, axis=0) - Y) / N
    if bug == "softmax-diagonal-only" and loss == "ce":
        S = softmax(P)
        return -Y / S * S * (1 - S) / N
    return dP


LOSS_BUGS = {
    "sign": True, "missing-batch-mean": True, "extra-batch-mean": True, "factor-two": True, "labels-misaligned": False,
}  # fmt: skip
OWN_LOSS_BUGS = {
    "mse": {"target-forgotten": False},
    "bce": {"target-forgotten": False, "derivative-twice": False},
    "ce": {"target-forgotten": False, "softmax-wrong-axis": False, "softmax-diagonal-only": False},
    "huber": {},
    "hinge": {},
}


# ---------------------------------------------------------------- the families


def scalar(rng, op):
    """One operation on Python floats: the chapter on the scalar chain rule."""
    import math

    table = {
        # name: f, (df/da, df/db), wrong (df/da, df/db) by mistake
        "product": (lambda a, b: a * b, lambda a, b: (b, a), {"wrong-operand": lambda a, b: (a, b)}),
        "quotient": (lambda a, b: a / b, lambda a, b: (1 / b, -a / b**2), {"sign": lambda a, b: (1 / b, a / b**2)}),
        "power": (lambda a, b: a**3 * b, lambda a, b: (3 * a**2 * b, a**3),
                  {"factor-two": lambda a, b: (6 * a**2 * b, a**3)}),
        "two-paths": (
            lambda a, b: a * b + a**2,
            lambda a, b: (b + 2 * a, a),
            {"one-path-only": lambda a, b: (b, a), "paths-multiplied": lambda a, b: (2 * a * b, a)},
        ),
        "exp": (lambda a, b: math.exp(a * b), lambda a, b: (b * math.exp(a * b), a * math.exp(a * b)),
                {"upstream-forgotten": lambda a, b: (math.exp(a * b), math.exp(a * b))}),
        "sin": (lambda a, b: math.sin(a) * b, lambda a, b: (math.cos(a) * b, math.sin(a)),
                {"activation-for-derivative": lambda a, b: (math.sin(a) * b, math.sin(a))}),
        "neuron": (
            lambda a, b: (math.tanh(a * 0.7 + b) - 0.3) ** 2,
            lambda a, b: _neuron(a, b, lambda z: 1 - math.tanh(z) ** 2),
            {"missing-activation-derivative": lambda a, b: _neuron(a, b, lambda z: 1.0),
             "tanh-of-preactivation": lambda a, b: _neuron(a, b, lambda z: 1 - z**2)},
        ),
        "log": (lambda a, b: math.log(a * a + b * b), lambda a, b: (2 * a / (a * a + b * b), 2 * b / (a * a + b * b)),
                {"upstream-forgotten": lambda a, b: (1 / (a * a + b * b), 1 / (a * a + b * b))}),
    }  # fmt: skip
    f, df, wrong = table[op]

    def grad(p, bug=None):
        da, db = wrong.get(bug, df)(p["a"], p["b"])
        return {"a": da, "b": db}

    params = {"a": float(rng.uniform(0.4, 2)), "b": float(-rng.uniform(0.3, 1.5))}
    bugs = dict.fromkeys(wrong, False)
    return Model(f"scalar-{op}", "scalar", lambda p: f(p["a"], p["b"]), grad, params, bugs, safe=False)


def _neuron(w, b, slope):
    import math

    z = w * 0.7 + b
    common = 2 * (math.tanh(z) - 0.3) * slope(z)
    return common * 0.7, common


def activation(rng, kind):
    """Sum of U * act(X @ W + b)."""
    N, D, H = 5, 3, 4
    X, U = rng.normal(size=(N, D)), rng.normal(size=(N, H))
    act, slope = ACTIVATIONS[kind]

    def f(p):
        return (U * act(X @ p["W"] + p["b"])).sum()

    def grad(p, bug=None):
        Z = X @ p["W"] + p["b"]
        local = {
            "missing-activation-derivative": lambda: np.ones_like(Z),
            "derivative-at-output": lambda: slope(act(Z)),
            "activation-for-derivative": lambda: act(Z),
            "tanh-of-preactivation": lambda: 1 - Z**2,
            "relu-mask-after-relu": lambda: (act(Z) >= 0) * 1.0,
            "relu-mask-from-gradient": lambda: (U > 0) * 1.0,
        }.get(bug, lambda: slope(Z))()
        dZ = local if bug == "upstream-forgotten" else U * local
        return affine_backward(dZ, X, p, "W", "b", bug)

    bugs = dict.fromkeys(("missing-activation-derivative", "derivative-at-output", "activation-for-derivative",
                          "upstream-forgotten"), False)  # fmt: skip
    if kind == "tanh":
        bugs |= {"tanh-of-preactivation": False}
    if kind in ("relu", "leaky"):
        bugs |= {"relu-mask-after-relu": False, "relu-mask-from-gradient": False}
    params = {"W": rng.normal(size=(D, H)), "b": 0.3 * rng.normal(size=H)}
    return Model(f"activation-{kind}", "activation", f, grad, params, bugs | AFFINE_BUGS, N)


AFFINE_BUGS = {
    "bias-averaged": True, "bias-not-summed": True, "keepdims-left": True, "summed-over-units": False,
    "last-example-only": False, "gradient-transposed": True,
}  # fmt: skip


def affine_backward(dZ, X, p, W, b, bug):
    """dW and db of Z = X @ W + b, with the mistakes one makes there."""
    N = len(X)
    db = {
        "bias-averaged": lambda: dZ.mean(axis=0),
        "bias-not-summed": lambda: dZ,
        "keepdims-left": lambda: dZ.sum(axis=0, keepdims=True),
        "summed-over-units": lambda: np.full(dZ.shape[1], dZ.sum()),
        "last-example-only": lambda: dZ[N - 1],
    }.get(bug, lambda: dZ.sum(axis=0))()
    dW = X.T @ dZ
    return {W: dW.T if bug == "gradient-transposed" else dW, b: db}


def linear_loss(rng, loss):
    """A linear model under each loss."""
    N, D, C = 7, 3, 4
    X, Y = rng.normal(size=(N, D)), targets(rng, loss, N, C)

    def f(p):
        return LOSSES[loss](X @ p["W"] + p["b"], Y)[0]

    def grad(p, bug=None):
        return affine_backward(loss_backward(loss, X @ p["W"] + p["b"], Y, bug), X, p, "W", "b", bug)

    params = {"W": rng.normal(size=(D, C)), "b": 0.3 * rng.normal(size=C)}
    return Model(f"loss-{loss}", "loss", f, grad, params, LOSS_BUGS | OWN_LOSS_BUGS[loss] | AFFINE_BUGS, N)


def mlp(rng, depth, kind, loss, sizes=None, N=5, tag=""):
    """Depth affine layers with an activation between them, a mean loss and an L2 penalty on the weights."""
    sizes = sizes or [3, 4, 6, 2, 7, 4][:depth] + [3]
    lam = 0.1
    X, Y = rng.normal(size=(N, sizes[0])), targets(rng, loss, N, sizes[-1])
    act, slope = ACTIVATIONS[kind]

    def forward(p):
        A, Z = [X], []
        for k in range(1, depth + 1):
            Z.append(A[-1] @ p[f"W{k}"] + p[f"b{k}"])
            A.append(act(Z[-1]) if k < depth else Z[-1])
        return A, Z

    def f(p):
        A, _ = forward(p)
        return LOSSES[loss](A[-1], Y)[0] + lam / 2 * sum((p[f"W{k}"] ** 2).sum() for k in range(1, depth + 1))

    def grad(p, bug=None):
        made = [part.partition("@")[::2] for part in (bug or "").split("+")]  # "id@W2+id@b1": two at once
        A, Z = forward(p)
        delta, grads = loss_backward(loss, A[-1], Y, next((kind for kind, at in made if not at), "")), {}
        for k in range(depth, 0, -1):
            here = next((kind for kind, at in made if at in (f"W{k}", f"b{k}")), "")
            grads |= affine_backward(delta, A[k - 1], p, f"W{k}", f"b{k}", here)
            if here != "gradient-transposed":
                grads[f"W{k}"] = grads[f"W{k}"] + _penalty(p[f"W{k}"], lam, N, here)
            if here == "penalty-on-bias":
                grads[f"b{k}"] = grads[f"b{k}"] + lam * p[f"b{k}"]
            if here == "wrong-operand" and k > 1:
                grads[f"W{k}"] = Z[k - 2].T @ delta + lam * p[f"W{k}"]
            if k > 1:
                W = p[f"W{k}"] * 0.9 if here == "updated-weights-used" else p[f"W{k}"]
                back = delta @ (W if here == "weight-not-transposed" else W.T)
                local = {
                    "missing-activation-derivative": lambda: 1.0,
                    "derivative-at-output": lambda k=k: slope(A[k - 1]),
                    "activation-for-derivative": lambda k=k: A[k - 1],
                    "tanh-of-preactivation": lambda k=k: 1 - Z[k - 2] ** 2,
                    "relu-mask-after-relu": lambda k=k: (A[k - 1] >= 0) * 1.0,
                    "relu-mask-from-gradient": lambda back=back: (back > 0) * 1.0,
                }.get(here, lambda k=k: slope(Z[k - 2]))()
                delta = local * np.ones_like(back) if here == "upstream-forgotten" else back * local
        return {name: grads[name] for name in p}

    bugs = LOSS_BUGS | OWN_LOSS_BUGS[loss]
    for k in range(1, depth + 1):
        both = ["bias-averaged", "bias-not-summed", "keepdims-left", "penalty-missing", "penalty-factor-two",
                "penalty-divided-by-batch", "penalty-on-bias"]  # fmt: skip
        bugs |= {f"{bug}@{'b' if 'bias' in bug or 'dims' in bug else 'W'}{k}": True for bug in both}
        bugs |= {f"last-example-only@b{k}": False, f"summed-over-units@b{k}": False}
        if k > 1:
            inner = ["missing-activation-derivative", "derivative-at-output", "activation-for-derivative",
                     "upstream-forgotten", "updated-weights-used", "wrong-operand"]  # fmt: skip
            inner += ["tanh-of-preactivation"] * (kind == "tanh")
            inner += ["relu-mask-after-relu", "relu-mask-from-gradient"] * (kind == "relu")
            inner += ["weight-not-transposed"] * (sizes[k - 1] == sizes[k])
            bugs |= {f"{bug}@W{k}": False for bug in inner}
    params = {}
    for k in range(1, depth + 1):
        params[f"W{k}"] = rng.normal(size=(sizes[k - 1], sizes[k])) / np.sqrt(sizes[k - 1])
        params[f"b{k}"] = 0.3 * rng.normal(size=sizes[k])
    return Model(f"mlp{depth}-{kind}-{loss}{tag}", "mlp", f, grad, params, bugs, N)


def _penalty(W, lam, N, bug):
    factor = {"penalty-missing": 0, "penalty-factor-two": 2, "penalty-divided-by-batch": 1 / N}.get(bug, 1)
    return factor * lam * W


def normalised(rng, kind):
    """tanh of a batch- or layer-normalised affine map.  Under batch-norm the gradient of the bias b is exactly 0."""
    N, D, H = 8, 3, 5
    axis = 0 if kind == "batchnorm" else 1
    X, U, eps = rng.normal(size=(N, D)), rng.normal(size=(N, H)), 1e-5

    def forward(p):
        Z = X @ p["W"] + p["b"]
        centred = Z - Z.mean(axis=axis, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + eps)
        return centred / deviation, deviation

    def f(p):
        Xhat, _ = forward(p)
        return (U * np.tanh(p["gamma"] * Xhat + p["beta"])).sum() / N

    def grad(p, bug=None):
        Xhat, deviation = forward(p)
        dY = U / N * (1 - np.tanh(p["gamma"] * Xhat + p["beta"]) ** 2)
        dX = dY * p["gamma"]
        dZ = dX.copy()
        if bug != "batchnorm-mean-constant":
            dZ = dZ - dX.mean(axis=axis, keepdims=True)
        if bug != "batchnorm-variance-constant":
            dZ = dZ - Xhat * (dX * Xhat).mean(axis=axis, keepdims=True)
        dZ = dZ / deviation
        grads = affine_backward(dZ, X, p, "W", "b", None)
        dbeta = dY.mean(axis=0) if bug == "bias-averaged" else dY.sum(axis=0)
        return grads | {"gamma": (dY * Xhat).sum(axis=0), "beta": dbeta}

    params = {"W": rng.normal(size=(D, H)), "b": 0.3 * rng.normal(size=H),
              "gamma": rng.uniform(0.5, 2, size=H), "beta": 0.3 * rng.normal(size=H)}  # fmt: skip
    bugs = {"batchnorm-mean-constant": False, "batchnorm-variance-constant": False, "bias-averaged": True}
    return Model(kind, kind, f, grad, params, bugs, N)


def conv(rng, stride):
    """Two valid convolutions (cross-correlations) with one channel and a tanh between."""
    N, size = 4, 11
    X = rng.normal(size=(N, size))

    def slide(A, K, stride):
        windows = np.arange(0, A.shape[1] - len(K) + 1, stride)[:, None] + np.arange(len(K))
        return A[:, windows], A[:, windows] @ K

    def f(p):
        H = np.tanh(slide(X, p["K1"], stride)[1] + p["c"])
        return (slide(H, p["K2"], 1)[1] ** 2).sum() / N

    def grad(p, bug=None):
        wX, Z = slide(X, p["K1"], stride)
        H = np.tanh(Z + p["c"])
        wH, out = slide(H, p["K2"], 1)
        dout = 2 * out / N
        K2 = p["K2"][::-1] if bug == "conv-kernel-not-flipped" else p["K2"]
        dH = np.zeros_like(H)
        for k in range(len(K2)):
            dH[:, k : k + out.shape[1]] += dout * K2[k]
        dZ = dH * (1 - H**2)
        if bug == "conv-stride-ignored":
            wX = slide(X, p["K1"], 1)[0][:, : Z.shape[1]]
        return {"K1": np.einsum("ntk,nt->k", wX, dZ), "c": dZ.sum(), "K2": np.einsum("ntk,nt->k", wH, dout)}

    params = {"K1": rng.normal(size=4), "c": np.array(0.2), "K2": rng.normal(size=3)}
    bugs = {"conv-kernel-not-flipped": False} | ({"conv-stride-ignored": False} if stride > 1 else {})
    return Model(f"conv-stride{stride}", "conv", f, grad, params, bugs, N)


def embedding(rng, loss):
    """Mean of word vectors, then a linear classifier; words repeat within and between sentences."""
    N, T, V, D, C = 5, 4, 6, 3, 2
    words = rng.integers(0, V - 1, size=(N, T))
    words[0, :2] = 1
    Y = targets(rng, loss, N, C)

    def f(p):
        return LOSSES[loss](p["E"][words].mean(axis=1) @ p["W"] + p["b"], Y)[0]

    def grad(p, bug=None):
        A = p["E"][words].mean(axis=1)
        delta = loss_backward(loss, A @ p["W"] + p["b"], Y, bug)
        dE, dA = np.zeros_like(p["E"]), np.repeat((delta @ p["W"].T)[:, None] / T, T, axis=1)
        if bug == "embedding-overwrites-repeats":
            dE[words] = dA
        else:
            np.add.at(dE, words, dA)
        return {"E": dE} | affine_backward(delta, A, p, "W", "b", bug)

    params = {"E": rng.normal(size=(V, D)), "W": rng.normal(size=(D, C)), "b": 0.3 * rng.normal(size=C)}
    bugs = LOSS_BUGS | {"embedding-overwrites-repeats": False}
    return Model(f"embedding-{loss}", "embedding", f, grad, params, bugs, N)


def attention(rng, tag):
    """One head of self-attention."""
    T, D, H = 5, 4, 3
    X, U = rng.normal(size=(T, D)), rng.normal(size=(T, H))

    def forward(p):
        Q, K, V = X @ p["Wq"], X @ p["Wk"], X @ p["Wv"]
        return Q, K, V, softmax(Q @ K.T / np.sqrt(H))

    def f(p):
        _, _, V, S = forward(p)
        return (U * (S @ V)).sum()

    def grad(p, bug=None):
        Q, K, V, S = forward(p)
        dS = U @ V.T
        axis = 0 if bug == "attention-softmax-axis" else 1
        dE = S * (1 - S) * dS if bug == "softmax-diagonal-only" else S * (dS - (dS * S).sum(axis=axis, keepdims=True))
        dE = dE if bug == "attention-scale-missing" else dE / np.sqrt(H)
        dV = S @ U if bug == "weight-not-transposed" else S.T @ U
        dQ, dK = dE @ K, dE.T @ Q
        if bug == "parameters-swapped":
            dQ, dK = dK, dQ
        return {"Wq": X.T @ dQ, "Wk": X.T @ dK, "Wv": X.T @ dV}

    params = {name: rng.normal(size=(D, H)) for name in ("Wq", "Wk", "Wv")}
    bugs = {"attention-softmax-axis": False, "softmax-diagonal-only": False, "attention-scale-missing": False,
            "weight-not-transposed": False, "parameters-swapped": True}  # fmt: skip
    return Model(f"attention-{tag}", "attention", f, grad, params, bugs)


def rnn(rng, T):
    """A tanh RNN whose last state is compared with a target."""
    N, D, H = 4, 2, 3
    X, Y = rng.normal(size=(T, N, D)), rng.normal(size=(N, H))

    def states(p):
        S = [np.zeros((N, H))]
        for t in range(T):
            S.append(np.tanh(X[t] @ p["Wx"] + S[-1] @ p["Wh"] + p["b"]))
        return S

    def f(p):
        return mse(states(p)[-1], Y)[0]

    def grad(p, bug=None):
        S = states(p)
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        dS = loss_backward("mse", S[-1], Y, bug)
        for t in range(T - 1, -1, -1):
            dZ = dS if bug == "missing-activation-derivative" else dS * (1 - S[t + 1] ** 2)
            step = {"Wx": X[t].T @ dZ, "Wh": S[t].T @ dZ, "b": dZ.sum(axis=0)}
            grads = step if bug == "overwrite-for-accumulate" else {n: grads[n] + step[n] for n in grads}
            if bug == "bptt-last-step-only":
                break
            dS = dZ @ (p["Wh"] if bug == "weight-not-transposed" else p["Wh"].T)
        return grads

    params = {"Wx": rng.normal(size=(D, H)), "Wh": 0.7 * rng.normal(size=(H, H)), "b": 0.3 * rng.normal(size=H)}
    own = ("bptt-last-step-only", "overwrite-for-accumulate", "weight-not-transposed", "missing-activation-derivative")
    return Model(f"rnn-{T}", "rnn", f, grad, params, LOSS_BUGS | dict.fromkeys(own, False), N)


def dropout(rng, rate):
    """Inverted dropout with a fixed mask between two layers."""
    N, D, H = 6, 3, 5
    X, Y = rng.normal(size=(N, D)), rng.normal(size=(N, 1))
    keep = rng.random((N, H)) > rate
    other = rng.random((N, H)) > rate

    def f(p):
        A = np.tanh(X @ p["W1"]) * keep / (1 - rate)
        return mse(A @ p["W2"], Y)[0]

    def grad(p, bug=None):
        A = np.tanh(X @ p["W1"])
        M = (other if bug == "dropout-mask-redrawn" else keep) / (1.0 if bug == "dropout-scale-missing" else 1 - rate)
        delta = loss_backward("mse", A * keep / (1 - rate) @ p["W2"], Y, bug)
        dA = delta @ p["W2"].T * M
        return {"W1": X.T @ (dA * (1 - A**2)), "W2": (A * keep / (1 - rate)).T @ delta}

    params = {"W1": rng.normal(size=(D, H)), "W2": rng.normal(size=(H, 1))}
    bugs = {"dropout-mask-redrawn": False, "dropout-scale-missing": False}
    return Model(f"dropout-{rate}", "dropout", f, grad, params, LOSS_BUGS | bugs, N)


def kink(rng, kind):
    """Functions with kinks, exactly at one where ``params`` are: every slope between the two sides is right."""
    N, D, H = 5, 3, 4
    X, U = rng.normal(size=(N, D)), rng.normal(size=(N, H))
    X[0] = 0  # with b = 0, the first example sits on the kink of every unit
    at = {"relu-0": 0.0, "relu-1": 1.0, "relu-half": 0.5}.get(kind, 0.0)

    if kind.startswith("relu"):

        def f(p):
            Z = X @ p["W"] + p["b"]
            return (U * np.where(Z > 0, Z, 0)).sum()

        def grad(p, bug=None):
            Z = X @ p["W"] + p["b"]
            slope = np.where(Z > 0, 1.0, np.where(Z == 0, at, 0.0))
            slope = {"relu-mask-after-relu": np.ones_like(Z), "activation-for-derivative": relu(Z)}.get(bug, slope)
            return affine_backward(U * slope, X, p, "W", "b", bug)

        params = {"W": rng.normal(size=(D, H)), "b": np.zeros(H)}
        bugs = {"relu-mask-after-relu": False, "activation-for-derivative": False, "bias-averaged": True}
        return Model(f"kink-{kind}", "kink", f, grad, params, bugs, N)

    pairs = {
        # name: f, right gradient, wrong gradients
        "abs": (lambda x: np.abs(x), lambda x: np.sign(x), {"sign": lambda x: -np.sign(x)}),
        "abs-one": (
            lambda x: np.abs(x), lambda x: np.where(x >= 0, 1.0, -1.0), {"factor-two": lambda x: 2 * np.sign(x)}
        ),
        "max": (
            lambda x: np.maximum(x, 0.0), lambda x: (x > 0) * 1.0, {"relu-mask-after-relu": lambda x: np.ones_like(x)}
        ),
        "hard-tanh": (
            lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1) * 1.0, {"upstream-forgotten": lambda x: x}
        ),
        "soft-threshold": (
            lambda x: np.where(x > 0.5, x - 0.5, np.where(x < -0.5, x + 0.5, 0 * x)),
            lambda x: ((x > 0.5) | (x < -0.5)) * 1.0,
            {"relu-mask-after-relu": lambda x: (x > 0.5) * 1.0},
        ),
    }  # fmt: skip
    g, slope, wrong = pairs[kind]
    u = rng.normal(size=6)
    x = rng.normal(size=6) * 1.5
    x[1], x[3], x[4] = 0.0, {"hard-tanh": 1.0, "soft-threshold": -0.5}.get(kind, 0.0), -1.7

    def f1(p):
        return (u * g(p["x"])).sum()

    def grad1(p, bug=None):
        return {"x": u * wrong.get(bug, slope)(p["x"])}

    return Model(f"kink-{kind}", "kink", f1, grad1, {"x": x}, dict.fromkeys(wrong, False))


def models(rng) -> Iterator[Model]:
    for op in ("product", "quotient", "power", "two-paths", "exp", "sin", "neuron", "log"):
        yield scalar(rng, op)
    for kind in ACTIVATIONS:
        yield activation(rng, kind)
    for loss in LOSSES:
        yield linear_loss(rng, loss)
    for depth in range(1, 6):
        yield mlp(rng, depth, ("tanh", "relu", "sigmoid")[depth % 3], ("mse", "ce", "bce")[depth % 3])
    yield mlp(rng, 2, "tanh", "ce", sizes=[4, 4, 4], N=4, tag="-square")
    yield mlp(rng, 3, "relu", "mse", sizes=[3, 3, 3, 3], N=6, tag="-square")
    yield mlp(rng, 2, "sigmoid", "mse", N=1, tag="-single")
    yield normalised(rng, "batchnorm")
    yield normalised(rng, "layernorm")
    for stride in (1, 2):
        yield conv(rng, stride)
    for loss in ("ce", "mse"):
        yield embedding(rng, loss)
    for tag in ("a", "b"):
        yield attention(rng, tag)
    for T in (2, 4):
        yield rnn(rng, T)
    for rate in (0.25, 0.5):
        yield dropout(rng, rate)
    for kind in ("relu-0", "relu-1", "relu-half", "abs", "abs-one", "max", "hard-tanh", "soft-threshold"):
        yield kink(rng, kind)


# ---------------------------------------------------------------- mistakes done to the arrays afterwards


def pairs(seed: int, count: int) -> Iterator[tuple[Case, tuple[str, str], Model]]:
    """(case, its two mistakes, the model whose bugs are the exercise's list), of networks of two or three layers.

    Half have two mistakes of the list at once, in different layers or in the loss and a layer; half have one of the
    list and one more done to an array.
    """
    rng, made = np.random.default_rng([seed, 2]), 0
    while made < count:
        kind, loss = ("tanh", "relu", "sigmoid")[rng.integers(3)], ("mse", "ce", "bce")[rng.integers(3)]
        model = mlp(rng, int(rng.integers(2, 4)), kind, loss)
        right = model.grad(model.params)
        places = {bug: bug.partition("@")[2][1:] for bug in model.bugs}
        one, two = (list(model.bugs)[k] for k in rng.permutation(len(model.bugs))[:2])
        if made % 2:
            mistakes = [m for m in array_mistakes(rng, model, right) if m[0] in ("sign", "factor-two")]
            second, _, spoil, _ = mistakes[rng.integers(len(mistakes))]
            grad = lambda p, one=one, model=model, spoil=spoil: spoil(model.grad(p, one))
        else:
            second, grad = two, lambda p, bug=f"{one}+{two}", model=model: model.grad(p, bug)
        names = one.partition("@")[0], second.partition("@")[0]
        answers = [model.grad(model.params, one), model.grad(model.params, two), grad(model.params)]
        effects = [any(_differs(a[n], right[n], 1e-12) == "yes" for n in right) for a in answers]
        alone = any(all(_differs(answers[2][n], a[n], 1e-12) == "no" for n in right) for a in answers[:2])
        if places[one] == places[two] or names[0] == names[1] or not all(effects) or alone:
            continue
        made += 1
        base = dict(family="mlp", f=model.f, params=model.params, group=model.name, batch=model.batch)
        yield Case(f"{model.name}/pair:{one}+{second}", grad=grad, right=False, **base), (one, second), model


def array_mistakes(rng, model, right):
    """(mistake, parameter, function of the right gradient dict, signature) for every array it can be done to."""
    N = model.batch or 5
    names = [name for name, value in right.items() if np.size(value)]
    for name in names:
        value = np.asarray(right[name])
        yield "sign", name, lambda g, n=name: g | {n: -g[n]}, True
        yield "factor-two", name, lambda g, n=name: g | {n: 2 * g[n]}, True
        bias = value.ndim == 1 and name.rstrip("0123456789") in ("b", "beta", "gamma")
        divided = "bias-averaged" if bias else "extra-batch-mean"
        yield divided, name, lambda g, n=name: g | {n: g[n] / N}, bool(model.batch)
        yield "missing-batch-mean", name, lambda g, n=name: g | {n: g[n] * N}, bool(model.batch)
        yield "zeros", name, lambda g, n=name: g | {n: 0 * g[n]}, True
        if value.ndim == 2 and value.shape[0] == value.shape[1]:
            yield "gradient-transposed", name, lambda g, n=name: g | {n: g[n].T.copy()}, True
        if value.ndim == 2 and value.shape[0] != value.shape[1]:
            yield "gradient-transposed", name, lambda g, n=name: g | {n: g[n].T.copy()}, True
        if value.size > 1:
            index = int(rng.integers(value.size))
            yield "few-entries", name, lambda g, n=name, i=index: g | {n: _spoil(g[n], i)}, value.size > 2
            yield "wrong-dtype", name, lambda g, n=name: g | {n: np.rint(np.asarray(g[n])).astype(int)}, True
            yield "not-finite", name, lambda g, n=name, i=index: g | {n: _spoil(g[n], i, np.nan)}, True
    for a, b in zip(names, names[1:], strict=False):
        if np.shape(right[a]) == np.shape(right[b]):
            yield "parameters-swapped", b, lambda g, a=a, b=b: g | {a: g[b], b: g[a]}, True
    yield "none-returned", None, lambda g: None, True


def _spoil(array, index, value=None):
    spoilt = np.array(array)
    spoilt.flat[index] = 1.7 * spoilt.flat[index] + 0.3 * np.abs(spoilt).max() if value is None else value
    return spoilt


# ---------------------------------------------------------------- variants: the same gradient in another guise


def _like(value, array):
    """array in the form of a parameter: Python floats stay Python floats."""
    return float(array) if isinstance(value, float) else np.asarray(array)


def scaled(factor, offset=0.0):
    def change(model):
        f = lambda p: factor * model.f(p) + offset
        grad = lambda p, bug=None: {n: factor * g for n, g in model.grad(p, bug).items()}
        return f, grad, model.params

    return change


def single(model):
    """Parameters in float32; the data stay float64, so that the oracle may use all its digits."""

    def grad(p, bug=None):
        return {n: np.asarray(g, dtype=np.float32) for n, g in model.grad(p, bug).items()}

    return model.f, grad, {n: np.asarray(v, dtype=np.float32) for n, v in model.params.items()}


def buffered(model):
    """The same arrays and the same dict are returned by every call."""
    kept = {}

    def grad(p, bug=None):
        for name, value in model.grad(p, bug).items():
            if name not in kept or kept[name].shape != np.shape(value):
                kept[name] = np.array(value, dtype=float)
            kept[name][...] = value
        return kept

    return model.f, grad, {n: np.asarray(v) for n, v in model.params.items()}


def stateful(model):
    """f keeps what it saw, grad uses that and nothing else, like the layers of a framework."""
    seen = {}

    def f(p):
        seen.clear()
        seen.update({n: v if isinstance(v, float | complex) else np.array(v) for n, v in p.items()})
        return model.f(p)

    return f, lambda p, bug=None: model.grad(dict(seen), bug), model.params


def laid_out(model):
    """Fortran order, read-only, or every second entry of something bigger."""
    params = {}
    for k, (name, value) in enumerate(model.params.items()):
        array = np.asarray(value)
        if array.ndim == 0:
            params[name] = array
        elif k % 3 == 0:
            params[name] = np.asfortranarray(array)
        elif k % 3 == 1:
            params[name] = array.copy()
            params[name].flags.writeable = False
        else:
            params[name] = np.repeat(array, 2, axis=0)[::2]
    return model.f, model.grad, params


def opaque(model):
    """f returns a Python float: no complex numbers, no long double."""
    return (lambda p: float(model.f(p))), model.grad, model.params


def dropped(model):
    """f loses the imaginary part of one parameter without a word."""
    name = list(model.params)[0]
    return (lambda p: model.f(p | {name: np.real(p[name])})), model.grad, model.params


VARIANTS = {
    "plain": lambda model: (model.f, model.grad, model.params),
    "small": scaled(1e-6),
    "large": scaled(1e6),
    "tiny": scaled(1e-12),
    "offset": scaled(1.0, offset=1e6),
    "far": scaled(1e-6, offset=100.0),
    "float32": single,
    "buffer": buffered,
    "stateful": stateful,
    "layout": laid_out,
    "opaque": opaque,
    "dropped": dropped,
}
FLOATS_ONLY = {"plain", "small", "large", "tiny", "offset", "far", "stateful"}  # variants of functions of Python floats


# ---------------------------------------------------------------- losses drowned in rounding


def noisy(rng, count: int) -> Iterator[Case]:
    """Small networks with kinks, seen through Python floats, the loss scaled down and far from 0: right and wrong.

    An error here is at least a fifth of its array; where rounding is louder than that, nothing can be said of it.
    """
    for number in range(count):
        N, D, H, C = (int(n) for n in rng.integers(2, 8, 4))
        X, T, U = rng.normal(size=(N, D)), rng.normal(size=(N, C)), rng.normal(size=(N, C))
        slope = {"abs": -1.0, "relu": 0.0, "leaky": 0.1, "tanh": None}
        kind = list(slope)[rng.integers(4)]
        head = ("abs", "max", "square")[rng.integers(3)]
        scale, offset = 10.0 ** rng.integers(-6, 1), 10.0 ** rng.integers(3, 7)
        params = {"W1": rng.normal(size=(D, H)), "b1": rng.normal(size=H),
                  "W2": rng.normal(size=(H, C)) * 10.0 ** rng.integers(-3, 2), "b2": rng.normal(size=C)}  # fmt: skip

        def forward(p, X=X, low=slope[kind]):
            Z = X @ p["W1"] + p["b1"]
            A = np.tanh(Z) if low is None else np.where(Z > 0, Z, low * Z)
            return Z, A, A @ p["W2"] + p["b2"]

        def f(p, forward=forward, head=head, T=T, U=U, scale=scale, offset=offset):
            Q = forward(p)[2]
            heads = {"abs": np.abs(Q - T).mean(), "max": Q.max() + (U * Q).mean(), "square": ((Q - T) ** 2).mean()}
            return float(scale * heads[head] + offset)

        def grad(p, forward=forward, head=head, T=T, U=U, X=X, low=slope[kind], scale=scale):
            Z, A, Q = forward(p)
            top = Q == Q.max()  # several where no unit is active in several rows: any share between them is right
            heads = {"abs": np.sign(Q - T) / Q.size, "max": top / top.sum() + U / Q.size}
            dQ = scale * heads.get(head, 2 * (Q - T) / Q.size)
            dZ = dQ @ p["W2"].T * (1 - A**2 if low is None else np.where(Z > 0, 1.0, low))
            return {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dQ, "b2": dQ.sum(axis=0)}

        group = f"noisy-{number}-{kind}-{head}-{scale:.0e}-{offset:.0e}"
        base = dict(family="noisy", f=f, params=params, group=group, variant="noisy", batch=N)
        yield Case(f"{group}/right", grad=grad, right=True, **base)
        name = list(params)[rng.integers(4)]
        for mistake, spoil in (("sign", np.negative), ("factor", lambda g: 1.2 * g), ("few-entries", _spoil_largest)):
            if grad(params)[name].any():
                done = lambda p, spoil=spoil, name=name, grad=grad: (g := grad(p)) | {name: spoil(g[name])}
                yield Case(f"{group}/{mistake}@{name}", grad=done, right=False, **base)


def _spoil_largest(array):
    return _spoil(array, int(np.argmax(np.abs(array))), 0.5 * array.flat[np.argmax(np.abs(array))])


# ---------------------------------------------------------------- cases


def cases(seed: int, per_variant: int = 4) -> Iterator[Case]:
    """All cases of a seed, group by group; the right one of a group comes first."""
    rng = np.random.default_rng(seed)
    for model in models(rng):
        for variant, change in VARIANTS.items():
            if not model.safe and variant not in FLOATS_ONLY:
                continue
            f, grad, params = change(model)
            group = f"{model.name}/{variant}"
            base = dict(family=model.family, f=f, params=params, group=group, variant=variant, batch=model.batch)
            base["degenerate"] = model.name.endswith(("-square", "-single")) or model.family in ("scalar", "kink")
            yield Case(f"{group}/right", grad=grad, right=True, **base)
            wrong = list(_wrong_cases(rng, model, f, grad, params, base))
            if variant != "plain":
                order = rng.permutation(len(wrong))[:per_variant]
                wrong = [wrong[k] for k in sorted(order)]
            yield from wrong
            if variant == "plain":
                yield from _behaviours(group, f, grad, params, base)


def _wrong_cases(rng, model, f, grad, params, base):
    f(params)
    right = dict(grad(params))
    right = {n: np.array(g) for n, g in right.items()}
    for bug, signature in model.bugs.items():
        mistake = bug.partition("@")[0]
        case = _case(f"{base['group']}/{bug}", lambda p, bug=bug: grad(p, bug), mistake, signature, True, base, right)
        if case:
            yield case
    for mistake, name, spoil, signature in array_mistakes(rng, model, right):
        label = f"{base['group']}/array:{mistake}@{name}"
        done = lambda p, spoil=spoil: spoil({n: g for n, g in grad(p).items()})
        case = _case(label, done, mistake, signature, False, base, right)
        if case:
            yield case


def _case(name, grad, mistake, signature, own, base, right):
    """The case, or None if its gradient is the right one or nearly so."""
    base["f"](base["params"])
    result = grad(base["params"])
    parameter = None
    if result is not None:
        result = {n: np.array(g) for n, g in result.items()}
        zero = 1e-12 * max(np.abs(g).max(initial=0) for g in right.values())
        different = {n: _differs(result[n], right[n], zero, base["variant"] == "float32") for n in right}
        if "unclear" in different.values() or "yes" not in different.values():
            return None
        parameter = [n for n in right if different[n] == "yes"][-1]
    labels = dict(mistake=mistake, parameter=parameter, signature=signature, own=own)
    return Case(name, grad=grad, right=False, **labels, **base)


def _differs(wrong, right, zero, single=False):
    if wrong.shape != right.shape or wrong.dtype.kind != right.dtype.kind or not np.isfinite(wrong).all():
        return "yes"
    gap, size = np.abs(wrong.astype(float) - right), np.abs(right.astype(float))
    top = size.max(initial=0)
    if gap.max(initial=0) <= zero:
        return "no"
    if (gap > (1e-2 if single else 1e-4) * size + (1e-3 if single else 1e-9) * top).any():
        return "yes"
    return "no" if (gap <= 1e-12 * top).all() else "unclear"


def _behaviours(group, f, grad, params, base):
    """Mistakes that one call at one place does not show."""
    names = list(params)
    last = names[-1]

    def case(label, mistake, wrong):
        own = dict(base, f=f)
        return Case(f"{group}/{label}", grad=wrong, right=False, mistake=mistake, parameter=last, **own)

    kept = {}

    def stale(p):
        if not kept:
            kept.update({n: np.array(g) if not isinstance(g, float) else g for n, g in grad(p).items()})
        return dict(kept)

    total = {}

    def accumulating(p):
        for name, value in grad(p).items():
            total[name] = total.get(name, 0.0) + value
        return dict(total)

    def mutating(p):
        result = grad(p)
        p[last] = p[last] * 0.9 + 0.01
        return result

    def in_place(p):
        result = grad(p)
        if isinstance(p[last], np.ndarray):
            p[last] -= 0.1 * p[last] + 0.01
        else:
            p[last] = p[last] - 0.1
        return result

    draws = np.random.default_rng(0)

    def random(p):
        return {n: _like(params[n], g * (1 + 0.1 * draws.random())) for n, g in grad(p).items()}

    here = _gradient_at(f, grad, params, 1.0, 0.0)
    if any(array.any() for array in here.values()):  # zeros add up to zeros, and any multiple of them is right
        yield case("accumulates", "not-zeroed", accumulating)
        yield case("random", "randomness-between-calls", random)
    yield case("rebinds", "input-mutated", mutating)
    yield case("mutates", "input-mutated", in_place)
    # Where the gradient is constant on one side (ReLU), an earlier answer may be right at the next place too.
    if all(_moves(here, _gradient_at(f, grad, params, 1 + step, step / 10)) for step in (1e-3, -1e-3)):
        yield case("stale", "stale-cache", stale)
    yield case("list", "wrong-container", lambda p: list(grad(p).values()))


def _gradient_at(f, grad, params, factor, shift):
    place = {n: v * factor + shift for n, v in params.items()}
    f(place)
    return {n: np.array(g) for n, g in grad(place).items()}


def _moves(here, there):
    return any(np.abs(there[n] - here[n]).max() > 1e-6 * np.abs(here[n]).max() for n in here)
