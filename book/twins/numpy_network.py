"""The displayed derivatives of A neural network in NumPy, as code."""

import numpy as np
from twin import function, model, twin

from backprop import ops

classifier = model(
    X="ND",
    W1="DH",
    b1="H",
    W2="HC",
    b2="C",
    Y=lambda rng, N, C: np.eye(C)[rng.integers(C, size=N)],
    Z1=lambda X, W1, b1: X @ W1 + b1,
    A1=lambda Z1: ops.relu(Z1),
    Z2=lambda A1, W2, b2: A1 @ W2 + b2,
    P=lambda Z2: ops.softmax(Z2),
    L=lambda Z2, Y: -np.sum(Y * ops.log_softmax(Z2)) / len(Y),
)
untrained = model(
    Y=lambda rng, N, C: np.eye(C)[rng.integers(C, size=N)],
    Z=lambda N, C: np.zeros((N, C)),
    L=lambda Z, Y: -np.sum(Y * ops.log_softmax(Z)) / len(Y),
)
stepped = model(
    W="DH",
    G="DH",
    f=function(lambda V: np.sum(np.sin(V + np.arange(V.size).reshape(V.shape)))),
    eta=lambda: 0.0,
    V=lambda W, G, eta: W - eta * G,
    L=lambda f, V: f(V),
)


@twin(classifier, "dL/dZ2")
def net_start(P, Y, N):
    return (P - Y) / N


@twin(classifier, "dL/dZ1")
def net_hidden(dZ2, W2, Z1):
    return (dZ2 @ W2.T) * (Z1 > 0)


@twin(untrained, "dL/dZ")
def net_chance(Y, N, C):
    return (1 / C - Y) / N


@twin(stepped, "dL/deta")
def net_promise(G, dW):
    return -np.sum(G * dW)
