"""The displayed derivatives of A whole network by hand, as code."""

import numpy as np
from twin import function, model, twin

squares = model(
    X="ND",
    Y="NC",
    W1="DH",
    b1="H",
    W2="HC",
    b2="C",
    f=function(np.tanh),
    Z1=lambda X, W1, b1: X @ W1 + b1,
    A1=lambda f, Z1: f(Z1),
    P=lambda A1, W2, b2: A1 @ W2 + b2,
    L=lambda P, Y: np.sum((P - Y) ** 2) / len(P),
)
penalised = model(
    X="ND",
    Y="NC",
    W1="DH",
    b1="H",
    W2="HC",
    b2="C",
    lam="",
    A1=lambda X, W1, b1: np.tanh(X @ W1 + b1),
    P=lambda A1, W2, b2: A1 @ W2 + b2,
    penalty=lambda lam, W1, W2: lam / 2 * (np.sum(W1**2) + np.sum(W2**2)),
    L=lambda P, Y, penalty: np.sum((P - Y) ** 2) / len(P) + penalty,
)
deep = model(
    X="ND",
    Y="NC",
    W1="DH",
    b1="H",
    W2="HK",
    b2="K",
    W3="KC",
    b3="C",
    f=function(np.tanh),
    Z1=lambda X, W1, b1: X @ W1 + b1,
    A1=lambda f, Z1: f(Z1),
    Z2=lambda A1, W2, b2: A1 @ W2 + b2,
    A2=lambda f, Z2: f(Z2),
    Z3=lambda A2, W3, b3: A2 @ W3 + b3,
    L=lambda Z3, Y: np.sum((Z3 - Y) ** 2) / len(Z3),
)


@twin(squares, "dL/dP")
def hand_dP(P, Y, N):
    return 2 / N * (P - Y)


@twin(squares, "dL/dW2")
def hand_dW2_entry(A1, dP):
    return np.einsum("nj,nk->jk", A1, dP)


@twin(squares, "dL/dW2")
def hand_dW2(A1, dP):
    return A1.T @ dP


@twin(squares, "dL/db2")
def hand_db2(dP):
    return dP.sum(axis=0)


@twin(squares, "dL/dA1")
def hand_dA1_entry(dP, W2):
    return np.einsum("nk,jk->nj", dP, W2)


@twin(squares, "dL/dA1")
def hand_dA1(dP, W2):
    return dP @ W2.T


@twin(squares, "dL/dZ1")
def hand_dZ1(dP, W2, A1):
    return (dP @ W2.T) * (1 - A1**2)


@twin(squares, "dL/dW1", "dL/db1")
def hand_first_layer(X, dZ1):
    return X.T @ dZ1, dZ1.sum(axis=0)


@twin(penalised, "dL/dW2")
def hand_penalty(A1, dP, lam, W2):
    return A1.T @ dP + lam * W2


@twin(deep, "dL/dZ1", "dL/dZ2", unread="the number of a layer is a letter; here it is 1 and 2")
def hand_recursion(dZ2, W2, A1, dZ3, W3, A2):
    return (dZ2 @ W2.T) * (1 - A1**2), (dZ3 @ W3.T) * (1 - A2**2)


@twin(deep, "dL/dW2", "dL/db2", unread="the number of a layer is a letter; here it is 2")
def hand_any_layer(A1, dZ2):
    return A1.T @ dZ2, dZ2.sum(axis=0)
