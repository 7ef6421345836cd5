"""The displayed derivatives of The PyTorch example, as code."""

import numpy as np
from twin import model, twin

from backprop import ops

sigmoids = model(
    X="ND",
    Y=lambda rng, N, C: rng.integers(0, 2, size=(N, C)).astype(float),
    W1="DH",
    b1="H",
    W2="HC",
    b2="C",
    Z1=lambda X, W1, b1: X @ W1 + b1,
    A1=lambda Z1: ops.sigmoid(Z1),
    Z2=lambda A1, W2, b2: A1 @ W2 + b2,
    P=lambda Z2: ops.sigmoid(Z2),
    L=lambda P, Y: -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / len(P),
)
transposed = model(
    X="ND",
    w="HD",
    b="H",
    G="NH",
    Z=lambda X, w, b: X @ w.T + b,
    L=lambda G, Z: np.sum(G * np.tanh(Z)),
)
stepped = model(
    w="D",
    lr=lambda: 0.0,
    v=lambda w, lr: w - lr * (np.cos(w) + 2 * w),
    L=lambda v: np.sum(np.sin(v) + v**2),
)


@twin(sigmoids, "dL/dZ2")
def torch_dZ2(P, Y, N):
    return (P - Y) / N


@twin(sigmoids, "dL/dZ1")
def torch_dZ1(dZ2, W2, A1):
    return (dZ2 @ W2.T) * A1 * (1 - A1)


@twin(stepped, "dL/dlr", unread="a derivative at a point, and a sum over parameters; here the learning rate is 0")
def torch_fall(dw):
    return -np.sum(dw**2)


@twin(transposed, "dL/dw")
def torch_layout(dZ, X):
    return dZ.T @ X
