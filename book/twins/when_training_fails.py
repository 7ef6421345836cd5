"""The displayed derivatives of When training fails, as code."""

import numpy as np
from twin import function, model, twin

from backprop import ops

chain = model(
    a0="",
    w="",
    z1=lambda a0, w: w * a0,
    a1=lambda z1: ops.sigmoid(z1),
    z2=lambda a1, w: w * a1,
    a2=lambda z2: ops.sigmoid(z2),
    z3=lambda a2, w: w * a2,
    a3=lambda z3: ops.sigmoid(z3),
)
deep = model(
    X="ND",
    Y="NC",
    W1="DH",
    W2="HK",
    W3="KC",
    f=function(np.tanh),
    Z1=lambda X, W1: X @ W1,
    A1=lambda f, Z1: f(Z1),
    Z2=lambda A1, W2: A1 @ W2,
    A2=lambda f, Z2: f(Z2),
    Z3=lambda A2, W3: A2 @ W3,
    L=lambda Z3, Y: np.sum((Z3 - Y) ** 2) / len(Z3),
)
skip = model(
    A1="NH",
    W2=lambda rng, H: rng.normal(size=(H, H)),
    b2="H",
    G="NH",
    f=function(np.tanh),
    Z2=lambda A1, W2, b2: A1 @ W2 + b2,
    A2=lambda A1, f, Z2: A1 + f(Z2),
    L=lambda G, A2: np.sum(G * A2**2),
)
saddle = model(
    w1="",
    w2="",
    L=lambda w1, w2: (1 - w1 * w2) ** 2 / 2,
)


@twin(chain, "da3/da0")
def fail_chain(w, a1, a2, a3):
    return w * a3 * (1 - a3) * w * a2 * (1 - a2) * w * a1 * (1 - a1)


@twin(deep, "dL/dZ2", "dL/dZ1")
def fail_two_steps(dZ3, W3, A2, dZ2, W2, A1):
    return (dZ3 @ W3.T) * (1 - A2**2), (dZ2 @ W2.T) * (1 - A1**2)


@twin(skip, "dL/dA1")
def fail_skip(dA2, A1, A2, W2):
    bend = A2 - A1
    return dA2 + (dA2 * (1 - bend**2)) @ W2.T


@twin(saddle, "dL/dw1", "dL/dw2")
def fail_saddle(w1, w2):
    return -(1 - w1 * w2) * w2, -(1 - w1 * w2) * w1
