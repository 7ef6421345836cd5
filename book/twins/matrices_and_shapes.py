"""The displayed derivatives of Vectors, matrices and shapes, as code."""

import numpy as np
from twin import model, twin

three = model(
    x=lambda rng: rng.normal(size=2),
    G=lambda rng: rng.normal(size=3),
    y=lambda x: np.array([x[0] * x[1], x[0] + 3 * x[1], x[0] ** 2]),
    L=lambda G, y: np.sum(G * y),
)


@twin(three, "dL/dx")
def matrices_vjp(dL_dy, dy_dx):
    return dL_dy @ dy_dx


layer = model(X="ND", W="DH", b="H", G="NH", Z=lambda X, W, b: X @ W + b, L=lambda G, Z: np.sum(G * np.sin(Z)))


@twin(layer, "dZ/dW")
def matrices_local(X, W):
    units = np.eye(W.shape[1])
    return np.einsum("ni,kj->nkij", X, units)


@twin(layer, "dL/dW")
def matrices_dw_entry(X, dZ):
    return np.einsum("ni,nj->ij", X, dZ)


@twin(layer, "dL/dW")
def matrices_dw(X, dZ):
    return np.einsum("in,nj->ij", X.T, dZ)


@twin(layer, "dZ/dX")
def matrices_local_x(X, W):
    examples = np.eye(X.shape[0])
    return np.einsum("ij,mn->mjni", W, examples)


@twin(layer, "dL/dX")
def matrices_dx_entry(W, dZ):
    return np.einsum("nj,ij->ni", dZ, W)


@twin(layer, "dL/dX")
def matrices_dx(W, dZ):
    return np.einsum("nj,ji->ni", dZ, W.T)


@twin(layer, "dL/db")
def matrices_db_entry(dZ):
    return np.sum(dZ, axis=0)


gram = model(X="ND", G="NN", S=lambda X: X @ X.T, L=lambda G, S: np.sum(G * np.sin(S)))


@twin(gram, "dL/dX")
def matrices_gram_entry(X, dS):
    return np.einsum("nm,mi->ni", dS, X) + np.einsum("mn,mi->ni", dS, X)


@twin(gram, "dL/dX")
def matrices_gram(X, dS):
    return dS @ X + dS.T @ X


row = model(b="H", G="NH", B=lambda b, N: np.ones((N, 1)) * b, L=lambda G, B: np.sum(G * np.sin(B)))
column = model(
    a=lambda rng, N: rng.normal(size=(N, 1)),
    G="NH",
    A=lambda a, H: a * np.ones(H),
    L=lambda G, A: np.sum(G * np.sin(A)),
)


@twin(row, "dL/db")
def matrices_row_copied(dB):
    return np.sum(dB, axis=0)


@twin(column, "dL/da")
def matrices_column_copied(dA):
    return np.sum(dA, axis=1)[:, None]


product = model(A="NH", B="NH", G="NH", C=lambda A, B: A * B, L=lambda G, C: np.sum(G * np.sin(C)))


@twin(product, "dL/dA", "dL/dB")
def matrices_product(A, B, dC):
    return B * dC, A * dC


def reduced(by):
    return model(X="ND", G="N", y=by, L=lambda G, y: np.sum(G * np.sin(y)))


row_sum = reduced(lambda X: np.sum(X, axis=1))
row_mean = reduced(lambda X: np.mean(X, axis=1))
row_max = reduced(lambda X: np.max(X, axis=1))
row_length = reduced(lambda X: np.sqrt(np.sum(X**2, axis=1)))


@twin(row_sum, "dL/dX")
def matrices_sum(dy, D):
    return np.outer(dy, np.ones(D))


@twin(row_mean, "dL/dX")
def matrices_mean(dy, D):
    return np.outer(dy, np.ones(D)) / D


@twin(row_max, "dL/dX")
def matrices_max(X, y, dy):
    return np.where(X == y[:, None], dy[:, None], 0)


@twin(row_length, "dL/dX")
def matrices_length(X, y, dy):
    return dy[:, None] * X / y[:, None]


columns = model(
    X="DN",
    W="HD",
    b=lambda rng, H: rng.normal(size=(H, 1)),
    G="HN",
    Z=lambda X, W, b: W @ X + b,
    L=lambda G, Z: np.sum(G * np.sin(Z)),
)


@twin(columns, "dL/dW")
def matrices_columns_dw(X, dZ):
    return dZ @ X.T


@twin(columns, "dL/dX")
def matrices_columns_dx(W, dZ):
    return W.T @ dZ


torch = model(X="ND", W="HD", b="H", G="NH", Z=lambda X, W, b: X @ W.T + b, L=lambda G, Z: np.sum(G * np.sin(Z)))


@twin(torch, "dL/dW")
def matrices_torch_dw(X, dZ):
    return dZ.T @ X
