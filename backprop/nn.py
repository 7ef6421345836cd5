r"""Networks, optimisers and a training loop, in NumPy.

    params = init_params([64, 32, 10], seed=0)                 {"W1": (64, 32) array, "b1": (32,), "W2": ..., "b2": ...}
    net = MLP([64, 32, 10], activation="relu", lam=1e-4)       describes a network, and holds no numbers itself
    L, grads = net.loss_and_grads(params, X, y)                by hand, with backprop.ops: the book's "NumPy network"
    L = net.tape_loss(tensors, X, y); L.backward()             the same network on backprop.tape
    history = train(net, params, X, y, Adam(1e-3), epochs=20, batch_size=32, seed=0)

    init_params(sizes, seed, scheme, scale)   parameters of every layer
    MLP(sizes, activation, loss, lam)         .forward .loss .loss_and_grads .tape_loss .predict .accuracy
    SGD(lr)  Momentum(lr, beta)  Adam(lr, beta1, beta2, eps)        .step(params, grads) changes params in place
    clip_by_global_norm(grads, limit)         scales grads in place, returns their norm before
    batches(N, size, rng)                     index arrays of one epoch
    train(net, params, X, y, optimiser, epochs, batch_size, seed, ...)     the whole of it

A network's parameters are a dict of arrays, W1, b1, W2, b2, ..., and its gradients a dict with the same names.
A network with M layers is affine, activation, affine, ..., affine; the last sum Z_M goes into the loss.
"""

import time
from collections.abc import Iterator

import numpy as np

from backprop import ops, tape

__all__ = ["MLP", "SGD", "Adam", "Momentum", "batches", "clip_by_global_norm", "init_params", "train"]

# An activation, its backward, and whether that takes the output A or the input Z.
ACTIVATIONS = {
    "relu": (ops.relu, ops.relu_backward, "Z"),
    "leaky_relu": (ops.leaky_relu, ops.leaky_relu_backward, "Z"),
    "gelu": (ops.gelu, ops.gelu_backward, "Z"),
    "softplus": (ops.softplus, ops.softplus_backward, "Z"),
    "sigmoid": (ops.sigmoid, ops.sigmoid_backward, "A"),
    "tanh": (ops.tanh, ops.tanh_backward, "A"),
}
LOSSES = {
    "softmax_cross_entropy": (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward),
    "bce_with_logits": (ops.bce_with_logits, ops.bce_with_logits_backward),
    "mse": (ops.mse, ops.mse_backward),
}
# The standard deviation of a weight, given how many units a layer takes and gives.
SCHEMES = {
    "he": lambda d, h: (2 / d) ** 0.5,
    "xavier": lambda d, h: (2 / (d + h)) ** 0.5,
    "normal": lambda d, h: 1.0,
}


def init_params(sizes, seed, scheme="he", scale=1.0, dtype=float) -> dict[str, np.ndarray]:
    """Parameters of the layers between `sizes`, e.g. [D, H, C]: normal weights, biases 0.

    The standard deviation of the weights is `scale` times sqrt(2/D) for "he", sqrt(2/(D + H)) for "xavier",
    and 1 for "normal".
    """
    _one_of(scheme, SCHEMES, "scheme")
    if len(sizes) < 2:
        raise ValueError(f"sizes lists the inputs, the units of every layer, and the outputs; got {list(sizes)}")
    rng = np.random.default_rng(seed)
    params = {}
    for layer, (d, h) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), 1):
        params[f"W{layer}"] = (scale * SCHEMES[scheme](d, h) * rng.normal(size=(d, h))).astype(dtype)
        params[f"b{layer}"] = np.zeros(h, dtype)
    return params


class MLP:
    """A network of fully connected layers: what it computes, but not its parameters.

    `sizes` is [D, H, ..., C]; `activation` and `loss` are names of `backprop.ops`; `lam` prices the weights by
    lam/2 times the sum of their squares, biases free.
    Inputs X are (N, D).  Targets are labels y (N,) for "softmax_cross_entropy", and for the other two losses an
    array of the shape of the output, (N, C).
    """

    def __init__(self, sizes, activation="relu", loss="softmax_cross_entropy", lam=0.0):
        _one_of(activation, ACTIVATIONS, "activation")
        _one_of(loss, LOSSES, "loss")
        if len(sizes) < 2:
            raise ValueError(f"sizes lists the inputs, the units of every layer, and the outputs; got {list(sizes)}")
        self.sizes, self.activation, self.loss_name, self.lam = tuple(sizes), activation, loss, lam
        self.names = [(f"W{layer}", f"b{layer}") for layer in range(1, len(sizes))]

    def __repr__(self):
        return f"MLP({list(self.sizes)}, activation={self.activation!r}, loss={self.loss_name!r}, lam={self.lam:g})"

    def forward(self, params, X) -> np.ndarray:
        """The last sum (N, C): logits, or the predictions of a squared error."""
        return self._sums(params, X)[1]

    def loss(self, params, X, y):
        """The loss of a batch with its penalty: one number."""
        Z = self.forward(params, X)
        return LOSSES[self.loss_name][0](Z, *self._targets(y, Z)) + self._penalty(params)

    def loss_and_grads(self, params, X, y) -> tuple[float, dict[str, np.ndarray]]:
        """The loss of a batch, and its gradient with respect to each parameter."""
        loss, loss_backward = LOSSES[self.loss_name]
        backward, takes = ACTIVATIONS[self.activation][1:]
        saved, Z = self._sums(params, X)
        targets = self._targets(y, Z)
        L = loss(Z, *targets) + self._penalty(params)
        dZ = loss_backward(1.0, Z, *targets)
        grads = {}
        for layer in range(len(saved) - 1, -1, -1):
            A, Z_before = saved[layer]
            W, b = self.names[layer]
            dA, dW, db = ops.affine_backward(dZ, A, params[W], dX=layer > 0)
            grads[W], grads[b] = dW, db
            if self.lam:
                dW += ops.l2_penalty_backward(1.0, params[W], self.lam)
            if layer > 0:
                dZ = backward(dA, A if takes == "A" else Z_before)
        return L, grads

    def tape_loss(self, params, X, y) -> "tape.Tensor":
        """The loss of a batch, on the tape; `params` are Tensors, W1, b1, W2, ..."""
        activation, loss = getattr(tape, self.activation), getattr(tape, self.loss_name)
        Z = None
        for W, b in self.names:
            Z = tape.affine(X if Z is None else activation(Z), params[W], params[b])
        L = loss(Z, y)
        if self.lam:
            for W, _ in self.names:
                L = L + tape.l2_penalty(params[W], self.lam)
        return L

    def predict(self, params, X) -> np.ndarray:
        """Labels (N,): the largest logit, or whether the one logit is above 0."""
        Z = self.forward(params, X)
        return (Z[:, 0] > 0).astype(int) if Z.shape[1] == 1 else Z.argmax(axis=1)

    def accuracy(self, params, X, y) -> float:
        """The share of examples whose label is predicted; y is (N,), or (N, 1) for one logit."""
        y = np.asarray(y)
        return float(np.mean(self.predict(params, X) == (y[:, 0] if y.ndim == 2 else y)))

    def _sums(self, params, X) -> tuple[list, np.ndarray]:
        """What enters each layer, with the sum it was made from (None for X), and the last sum of all."""
        activation = ACTIVATIONS[self.activation][0]
        saved, Z = [], None
        for W, b in self.names:
            A = X if Z is None else activation(Z)
            saved.append((A, Z))
            Z = ops.affine(A, params[W], params[b])
        return saved, Z

    def _penalty(self, params):
        return sum(ops.l2_penalty(params[W], self.lam) for W, _ in self.names) if self.lam else 0

    def _targets(self, y, Z) -> tuple:
        """What follows Z in the call of the loss: what was computed for the one serves its backward too."""
        if self.loss_name == "softmax_cross_entropy":
            return np.asarray(y), ops.log_softmax(Z)
        return (np.asarray(y, dtype=np.real(Z).dtype),)


# ---------------------------------------------------------------- optimisers: a gradient is not yet an update


class SGD:
    """V -= lr * dV."""

    def __init__(self, lr):
        self.lr = lr

    def step(self, params, grads) -> None:
        """Change every array of `params` in place."""
        for name, dV in grads.items():
            V = params[name]
            V -= self.lr * dV


class Momentum:
    """velocity = beta * velocity + dV;  V -= lr * velocity."""

    def __init__(self, lr, beta=0.9):
        self.lr, self.beta, self.velocity = lr, beta, {}

    def step(self, params, grads) -> None:
        """Change every array of `params` in place."""
        for name, dV in grads.items():
            if name not in self.velocity:
                self.velocity[name] = np.zeros_like(params[name])
            velocity = self.velocity[name]
            velocity *= self.beta
            velocity += dV
            params[name] -= self.lr * velocity


class Adam:
    """V -= lr * m / (sqrt(v) + eps), with m and v the running means of dV and dV^2, corrected for starting at 0.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.
    """

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m, self.v, self.t = {}, {}, 0

    def step(self, params, grads) -> None:
        """Change every array of `params` in place."""
        self.t += 1
        first, second = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        for name, dV in grads.items():
            if name not in self.m:
                self.m[name], self.v[name] = np.zeros_like(params[name]), np.zeros_like(params[name])
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (dV - m)
            v += (1 - self.beta2) * (dV * dV - v)
            params[name] -= self.lr / first * m / (np.sqrt(v / second) + self.eps)


def clip_by_global_norm(grads, limit) -> float:
    """Scale all gradients in place by one factor, so that their common norm is at most `limit`.

    Returns the norm before: the root of the sum of all squares in all arrays.
    """
    norm = float(np.sqrt(sum(np.sum(dV * dV) for dV in grads.values())))
    if norm > limit:
        for dV in grads.values():
            dV *= limit / norm
    return norm


# ---------------------------------------------------------------- training


def batches(N, size, rng) -> Iterator[np.ndarray]:
    """The numbers 0 to N - 1 in random order, `size` at a time; the last batch may be smaller."""
    if size < 1:
        raise ValueError(f"a batch holds at least one example; got size={size}")
    order = rng.permutation(N)
    for start in range(0, N, size):
        yield order[start : start + size]


def train(
    net,
    params,
    X,
    y,
    optimiser,
    epochs,
    batch_size,
    seed,
    *,
    limit=None,
    evaluate=None,
    progress=None,
) -> dict[str, list]:
    """Train `params` in place with mini-batches; returns {"loss": [...], "norm": [...], ...}, one entry per epoch.

    "loss" is the mean loss of the epoch's examples, each measured before the step that it was part of, and "norm"
    the mean norm of the gradient of all parameters.  `limit` clips that norm.  `evaluate(params)` is called after
    every epoch and returns a dict of numbers, which are recorded too.  `progress` says whether to print a line of
    progress; None prints one once training has lasted 5 seconds.
    ValueError where X and y don't pair up, FloatingPointError where the loss is no longer finite.
    """
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} examples and y {len(y)}")
    rng, history, started = np.random.default_rng(seed), {"loss": [], "norm": []}, time.monotonic()
    told = False
    for epoch in range(1, epochs + 1):
        total, norms = 0.0, []
        for rows in batches(len(X), batch_size, rng):
            L, grads = net.loss_and_grads(params, X[rows], y[rows])
            if not np.isfinite(L):
                raise FloatingPointError(
                    f"epoch {epoch}: the loss is {L}. Is the learning rate too large? "
                    f"The parameters are those before this step"
                )
            norms.append(clip_by_global_norm(grads, np.inf if limit is None else limit))
            optimiser.step(params, grads)
            total += float(L) * len(rows)
        history["loss"].append(total / len(X))
        history["norm"].append(float(np.mean(norms)))
        for name, value in (evaluate(params) if evaluate else {}).items():
            history.setdefault(name, []).append(value)
        if progress or (progress is None and time.monotonic() - started > 5):
            told = True
            rest = (time.monotonic() - started) / epoch * (epochs - epoch)
            line = f"epoch {epoch} of {epochs}, loss {history['loss'][-1]:.4f}, {rest:.0f} s to go"
            print(f"\r{line:<60}", end="", flush=True)
    if told:
        print()
    return history


def _one_of(name, known, what):
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: {', '.join(known)}")
