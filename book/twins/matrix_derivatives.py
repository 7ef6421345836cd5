"""The displayed derivatives of the table of matrix derivatives, as code."""

import numpy as np
from twin import function, model, twin

from backprop import ops


def regular(rng, D):
    """A square matrix with an inverse and a positive determinant."""
    return 2 * np.eye(D) + 0.5 * rng.normal(size=(D, D))


def determinant(X):
    """The determinant of a 3 x 3 matrix of real or complex numbers."""
    return X[0] @ np.cross(X[1], X[2])


def spread(X):
    """Each row less its mean, over its standard deviation."""
    centred = X - np.mean(X, axis=1, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True))


linear = model(A="ND", X="ND", L=lambda A, X: np.sum(A * X))
square = model(X="ND", L=lambda X: np.sum(X**2) / 2)
least = model(X="ND", W="DH", Y="NH", L=lambda X, W, Y: np.sum((X @ W - Y) ** 2) / 2)
bilinear = model(x="N", A="ND", y="D", L=lambda x, A, y: x @ A @ y)
quadratic = model(x="N", A="NN", L=lambda x, A: x @ A @ x)
trace = model(A="ND", X="DN", L=lambda A, X: np.trace(A @ X))
tracequad = model(A="NN", X="ND", L=lambda A, X: np.trace(X.T @ A @ X))
logdet = model(X=regular, V=lambda X: np.linalg.inv(X), L=lambda X: np.log(determinant(X)))
det = model(X=regular, V=lambda X: np.linalg.inv(X), L=lambda X: determinant(X))
norm = model(x="N", L=lambda x: np.sqrt(np.sum(x * x)))
lse = model(x="N", L=lambda x: np.log(np.sum(np.exp(x))))
plus = model(A="ND", X="ND", G="ND", Y=lambda A, X: A + X, L=lambda G, Y: np.sum(G * Y))
matmul = model(A="ND", X="DH", G="NH", Y=lambda A, X: A @ X, L=lambda G, Y: np.sum(G * Y))
sandwich = model(A="ND", X="DH", B="HC", G="NC", Y=lambda A, X, B: A @ X @ B, L=lambda G, Y: np.sum(G * Y))
transpose = model(X="ND", G="DN", Y=lambda X: X.T, L=lambda G, Y: np.sum(G * Y))
gram = model(X="ND", G="DD", Y=lambda X: X.T @ X, L=lambda G, Y: np.sum(G * Y))
product = model(A="ND", X="ND", G="ND", Y=lambda A, X: A * X, L=lambda G, Y: np.sum(G * Y))
entrywise = model(X="ND", G="ND", f=function(np.sin), Y=lambda f, X: f(X), L=lambda G, Y: np.sum(G * Y))
bias = model(X="ND", b="D", G="ND", Y=lambda X, b: X + b, L=lambda G, Y: np.sum(G * Y))
rows = model(X="ND", g="N", y=lambda X: np.sum(X, axis=1), L=lambda g, y: np.sum(g * y))
outer = model(x="N", v="D", G="ND", Y=lambda x, v: x[:, None] * v, L=lambda G, Y: np.sum(G * Y))
inverse = model(X=regular, G="DD", Y=lambda X: np.linalg.inv(X), L=lambda G, Y: np.sum(G * Y))
solve = model(
    A=regular,
    B="DH",
    G="DH",
    V=lambda A: np.linalg.inv(A),
    Y=lambda A, B: np.linalg.solve(A, B),
    L=lambda G, Y: np.sum(G * Y),
)
softmax = model(Z="ND", G="ND", P=lambda Z: ops.softmax(Z), L=lambda G, P: np.sum(G * P))
logsoftmax = model(Z="ND", G="ND", Y=lambda Z: ops.log_softmax(Z), L=lambda G, Y: np.sum(G * Y))
unit = model(
    X="ND",
    G="ND",
    s=lambda X: np.sqrt(np.sum(X * X, axis=1)),
    Y=lambda X: X / np.sqrt(np.sum(X * X, axis=1, keepdims=True)),
    L=lambda G, Y: np.sum(G * Y),
)
standard = model(
    X="NC",
    G="NC",
    D=lambda C: C,
    s=lambda X: np.sqrt(np.mean((X - np.mean(X, axis=1, keepdims=True)) ** 2, axis=1)),
    Y=lambda X: spread(X),
    L=lambda G, Y: np.sum(G * Y),
)
mse = model(P="NC", Y="NC", L=lambda P, Y, N: np.sum((P - Y) ** 2) / N)
bce = model(
    z="N",
    y=lambda rng, N: rng.integers(0, 2, N) * 1.0,
    p=lambda z: ops.sigmoid(z),
    L=lambda p, y, N: -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)) / N,
)
xent = model(
    Z="NC",
    Y=lambda rng, N, C: ops.softmax(rng.normal(size=(N, C))),
    P=lambda Z: ops.softmax(Z),
    L=lambda P, Y, N: -np.sum(Y * np.log(P)) / N,
)
penalty = model(lam="", W="DH", L=lambda lam, W: lam / 2 * np.sum(W**2))


@twin(linear, "dL/dX")
def md_linear(A):
    return A


@twin(square, "dL/dX")
def md_square(X):
    return X * 1.0


@twin(least, "dL/dW")
def md_least_squares_W(X, W, Y):
    return X.T @ (X @ W - Y)


@twin(least, "dL/dX")
def md_least_squares_X(X, W, Y):
    return (X @ W - Y) @ W.T


@twin(bilinear, "dL/dA")
def md_bilinear(x, y):
    return np.outer(x, y)


@twin(bilinear, "dL/dx")
def md_bilinear_x(A, y):
    return A @ y


@twin(quadratic, "dL/dx")
def md_quadratic(A, x):
    return A @ x + A.T @ x


@twin(quadratic, "dL/dA")
def md_quadratic_A(x):
    return np.outer(x, x)


@twin(trace, "dL/dX")
def md_trace(A):
    return A.T


@twin(tracequad, "dL/dX")
def md_trace_quadratic(A, X):
    return (A + A.T) @ X


@twin(logdet, "dL/dX")
def md_logdet(V):
    return V.T


@twin(det, "dL/dX")
def md_det(L, V):
    return L * V.T


@twin(norm, "dL/dx")
def md_norm(x, L):
    return x / L


@twin(lse, "dL/dx")
def md_logsumexp(x):
    return np.exp(x) / np.sum(np.exp(x))


@twin(plus, "dL/dX")
def md_sum(dY):
    return dY * 1.0


@twin(matmul, "dL/dA")
def md_matmul_A(dY, X):
    return dY @ X.T


@twin(matmul, "dL/dX")
def md_matmul_X(dY, A):
    return A.T @ dY


@twin(sandwich, "dL/dX")
def md_sandwich(A, dY, B):
    return A.T @ dY @ B.T


@twin(transpose, "dL/dX")
def md_transpose(dY):
    return dY.T


@twin(gram, "dL/dX")
def md_gram(X, dY):
    return X @ (dY + dY.T)


@twin(product, "dL/dX")
def md_product(A, dY):
    return A * dY


@twin(entrywise, "dL/dX")
def md_entrywise(X, dY):
    return np.cos(X) * dY


@twin(bias, "dL/db")
def md_bias(dY):
    return dY.sum(axis=0)


@twin(rows, "dL/dX")
def md_rows(dy, D):
    return np.repeat(dy[:, None], D, axis=1)


@twin(outer, "dL/dx")
def md_outer(dY, v):
    return dY @ v


@twin(inverse, "dL/dX")
def md_inverse(Y, dY):
    return -Y.T @ dY @ Y.T


@twin(solve, "dL/dB")
def md_solve_B(V, dY):
    return V.T @ dY


@twin(solve, "dL/dA")
def md_solve_A(dB, Y):
    return -dB @ Y.T


@twin(softmax, "dL/dZ")
def md_softmax(P, dP):
    return P * (dP - np.sum(dP * P, axis=1, keepdims=True))


@twin(logsoftmax, "dL/dZ")
def md_log_softmax(dY, Y):
    return dY - np.exp(Y) * np.sum(dY, axis=1, keepdims=True)


@twin(unit, "dL/dX")
def md_unit(s, dY, Y):
    return (dY - Y * np.sum(dY * Y, axis=1, keepdims=True)) / s[:, None]


@twin(standard, "dL/dX")
def md_standardise(s, dY, Y):
    return (dY - np.mean(dY, axis=1, keepdims=True) - Y * np.mean(dY * Y, axis=1, keepdims=True)) / s[:, None]


@twin(mse, "dL/dP")
def md_mse(N, P, Y):
    return 2 / N * (P - Y)


@twin(bce, "dL/dz")
def md_bce(N, p, y):
    return (p - y) / N


@twin(xent, "dL/dZ")
def md_cross_entropy(N, P, Y):
    return (P - Y) / N


@twin(penalty, "dL/dW")
def md_penalty(lam, W):
    return lam * W
