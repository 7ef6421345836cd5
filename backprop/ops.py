r"""Every operation of the book: the forward beside its backward, in one shape.

``name(inputs...)`` computes the output.
``name_backward(dOut, inputs or saved values...)`` takes the gradient of the loss with respect to that output and
returns the gradient with respect to each input, in the order of the inputs, each with the shape of its input.

    forward                          backward                                     derived in
    affine(X, W, b)                  affine_backward(dZ, X, W, dX)                Vectors, matrices and shapes
    matmul(A, B)                     matmul_backward(dC, A, B)                    Vectors, matrices and shapes
    add(A, B)                        add_backward(dC, A, B)                       Vectors, matrices and shapes
    subtract(A, B)                   subtract_backward(dC, A, B)                  Build a tiny autograd engine
    multiply(A, B)                   multiply_backward(dC, A, B)                  Vectors, matrices and shapes
    divide(A, B)                     divide_backward(dC, A, B)                    Build a tiny autograd engine
    power(X, p)                      power_backward(dY, X, p)                     Build a tiny autograd engine
    exp(X)                           exp_backward(dY, Y)                          Build a tiny autograd engine
    log(X)                           log_backward(dY, X)                          Build a tiny autograd engine
    reshape(X, shape)                reshape_backward(dY, X, shape)               Build a tiny autograd engine
    transpose(X, axes)               transpose_backward(dY, X, axes)              Build a tiny autograd engine
    take(X, index)                   take_backward(dY, X, index)                  Build a tiny autograd engine
    broadcast(A, shape)              unbroadcast(dB, shape)                       Vectors, matrices and shapes
    sum(X, axis, keepdims)           sum_backward(dY, X, axis, keepdims)          Vectors, matrices and shapes
    mean(X, axis, keepdims)          mean_backward(dY, X, axis, keepdims)         Vectors, matrices and shapes
    max(X, axis, keepdims)           max_backward(dY, X, axis, keepdims)          Vectors, matrices and shapes
    sigmoid(Z)                       sigmoid_backward(dA, A)                      Activations and losses
    tanh(Z)                          tanh_backward(dA, A)                         Activations and losses
    relu(Z)                          relu_backward(dA, Z)                         Activations and losses
    leaky_relu(Z, slope)             leaky_relu_backward(dA, Z, slope)            Activations and losses
    gelu(Z)                          gelu_backward(dA, Z)                         Activations and losses
    softplus(Z)                      softplus_backward(dA, Z)                     Activations and losses
    softmax(Z)                       softmax_backward(dP, P)                      Activations and losses
    logsumexp(Z)                     logsumexp_backward(dY, Z)                    Activations and losses
    log_softmax(Z)                   log_softmax_backward(dY, Y)                  Activations and losses
    mse(P, Y)                        mse_backward(dL, P, Y)                       Activations and losses
    bce_with_logits(Z, Y)            bce_with_logits_backward(dL, Z, Y)           Activations and losses
    softmax_cross_entropy(Z, y, logP)  softmax_cross_entropy_backward(dL, Z, y, logP)  Activations and losses
    l2_penalty(W, lam)               l2_penalty_backward(dL, W, lam)              A whole network by hand

A letter says what a backward needs: ``A``, ``P``, ``Y`` are saved outputs, ``Z``, ``X``, ``W`` are inputs.
A row is an example, N of them; the 1/N of the mean over the batch stands in the three losses and nowhere else.
Targets (``Y``, ``y``), ``slope``, ``lam``, ``p`` and ``index`` are constants: they have no gradient.
Forwards accept complex numbers (for the complex step) and compare real parts only; float32 stays float32.
"""

import math

import numpy as np

# ---------------------------------------------------------------- products and sums of arrays


def affine(X, W, b):
    """Z = X @ W + b: X (N, D), W (D, H), b (H,) -> Z (N, H)."""
    return X @ W + b


def affine_backward(dZ, X, W, dX=True):
    """dZ (N, H) -> dX (N, D), dW (D, H), db (H,); every row used b, so db sums over the rows.

    Where X is data nobody asks for dX: with `dX=False` it is None, and its product is saved.
    """
    return dZ @ W.T if dX else None, X.T @ dZ, dZ.sum(axis=0)


def matmul(A, B):
    """C = A @ B: A (..., M, K), B (..., K, P) -> C (..., M, P); the leading axes broadcast."""
    return A @ B


def matmul_backward(dC, A, B):
    """dC (..., M, P) -> dA, dB, with the shapes of A and B."""
    dA = dC @ np.swapaxes(B, -1, -2)
    dB = np.swapaxes(A, -1, -2) @ dC
    return unbroadcast(dA, np.shape(A)), unbroadcast(dB, np.shape(B))


def add(A, B):
    """C = A + B, of any two shapes that broadcast."""
    return A + B


def add_backward(dC, A, B):
    """dC with the shape of A + B -> dA, dB, with the shapes of A and B."""
    return unbroadcast(dC, np.shape(A)), unbroadcast(dC, np.shape(B))


def subtract(A, B):
    """C = A - B, of any two shapes that broadcast."""
    return A - B


def subtract_backward(dC, A, B):
    """dC with the shape of A - B -> dA, dB, with the shapes of A and B."""
    return unbroadcast(dC, np.shape(A)), unbroadcast(-dC, np.shape(B))


def multiply(A, B):
    """C = A * B, entry by entry, of any two shapes that broadcast."""
    return A * B


def multiply_backward(dC, A, B):
    """dC with the shape of A * B -> dA, dB, with the shapes of A and B; each needs the other's value."""
    return unbroadcast(dC * B, np.shape(A)), unbroadcast(dC * A, np.shape(B))


def divide(A, B):
    """C = A / B, entry by entry, of any two shapes that broadcast."""
    return A / B


def divide_backward(dC, A, B):
    """dC with the shape of A / B -> dA, dB, with the shapes of A and B."""
    dA = dC / B
    return unbroadcast(dA, np.shape(A)), unbroadcast(-dA * A / B, np.shape(B))


def power(X, p):
    """Y = X ** p, entry by entry; the exponent p is a number."""
    return X**p


def power_backward(dY, X, p):
    """dY, and the input X -> dX; the slope of X ** 0 is 0, also at X = 0."""
    return dY * p * X ** (p - 1) if p else dY * np.zeros_like(X)


def exp(X):
    """Y = exp(X)."""
    return np.exp(X)


def exp_backward(dY, Y):
    """dY, and the output Y -> dX."""
    return dY * Y


def log(X):
    """Y = log(X), the natural logarithm."""
    return np.log(X)


def log_backward(dY, X):
    """dY, and the input X -> dX."""
    return dY / X


# ---------------------------------------------------------------- the same entries in other places


def reshape(X, shape):
    """The entries of X, in their order, in another shape."""
    return np.reshape(X, shape)


def reshape_backward(dY, X, shape=None):
    """dY -> dX: every entry goes back to where it was, whatever `shape` it was given in between."""
    return np.reshape(dY, np.shape(X)).copy()


def transpose(X, axes=None):
    """X with its axes in the order `axes` (None: reversed)."""
    return np.transpose(X, axes)


def transpose_backward(dY, X, axes=None):
    """dY -> dX: the axes go back in the order that undoes `axes`."""
    return np.transpose(dY, None if axes is None else np.argsort([a % np.ndim(X) for a in axes])).copy()


def take(X, index):
    """X[index], for any index that NumPy knows: numbers, slices, arrays of integers or of booleans."""
    return X[index]


def take_backward(dY, X, index):
    """dY with the shape of X[index] -> dX: entries not taken get 0, and one that was taken twice gets both."""
    dX = np.zeros(np.shape(X), dtype=np.result_type(dY))
    np.add.at(dX, index, dY)
    return dX


# ---------------------------------------------------------------- broadcasting and reductions


def broadcast(A, shape):
    """A, its entries repeated to fill `shape`; ValueError where NumPy cannot."""
    return np.broadcast_to(A, shape).copy()


def unbroadcast(dB, shape):
    """dB with any shape that `shape` broadcasts to -> dA (`shape`): what was repeated is summed."""
    if np.shape(dB) == shape:
        return np.array(dB)
    dA = np.asarray(dB)
    dA = dA.sum(axis=tuple(range(dA.ndim - len(shape))))
    return dA.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def sum(X, axis=None, keepdims=False):
    """Sum of X over `axis` (None: all; a number; a tuple)."""
    return np.sum(X, axis=axis, keepdims=keepdims)


def sum_backward(dY, X, axis=None, keepdims=False):
    """dY with the shape of the sum -> dX: every entry that was added has slope one."""
    return _spread(dY, X, axis, keepdims)


def mean(X, axis=None, keepdims=False):
    """Mean of X over `axis` (None: all; a number; a tuple)."""
    return np.mean(X, axis=axis, keepdims=keepdims)


def mean_backward(dY, X, axis=None, keepdims=False):
    """dY with the shape of the mean -> dX: each of the n entries averaged has slope 1/n."""
    n = np.size(X) // np.size(dY)
    return _spread(dY, X, axis, keepdims) / n


def max(X, axis=None, keepdims=False):
    """Largest entry of X along `axis` (None: all; a number; a tuple)."""
    return np.max(X, axis=axis, keepdims=keepdims)


def max_backward(dY, X, axis=None, keepdims=False):
    """dY with the shape of the maximum -> dX: the winner takes it all; at a tie the winners share equally."""
    won = np.max(X, axis=axis, keepdims=True) == X
    winners = won.sum(axis=axis, keepdims=True, dtype=np.result_type(X))
    return _spread(dY, X, axis, keepdims) * won / winners


def _spread(dY, X, axis, keepdims):
    """dY, put back on the axes that a reduction of X over `axis` took away, and repeated to the shape of X."""
    if axis is not None and not keepdims:
        dY = np.expand_dims(dY, axis)
    return broadcast(dY, np.shape(X))


# ---------------------------------------------------------------- activations, entry by entry


def sigmoid(Z):
    """A = 1 / (1 + exp(-Z)); exp is only taken of numbers <= 0, so it never overflows."""
    e = np.exp(-_magnitude(Z))
    return np.where(np.real(Z) >= 0, 1, e) / (1 + e)


def sigmoid_backward(dA, A):
    """dA, and the output A -> dZ."""
    return dA * A * (1 - A)


def tanh(Z):
    """A = tanh(Z)."""
    return np.tanh(Z)


def tanh_backward(dA, A):
    """dA, and the output A -> dZ."""
    return dA * (1 - A * A)


def relu(Z):
    """A = Z where Z > 0, else 0."""
    return np.where(np.real(Z) > 0, Z, 0)


def relu_backward(dA, Z):
    """dA, and the input Z -> dZ; at the kink (Z = 0) the slope is taken to be 0."""
    return np.where(np.real(Z) > 0, dA, 0)


def leaky_relu(Z, slope=0.01):
    """A = Z where Z > 0, else slope * Z."""
    return np.where(np.real(Z) > 0, Z, slope * Z)


def leaky_relu_backward(dA, Z, slope=0.01):
    """dA, and the input Z -> dZ; at the kink (Z = 0) the slope is taken to be `slope`."""
    return np.where(np.real(Z) > 0, dA, slope * dA)


def gelu(Z):
    """A = Z/2 (1 + tanh u), u = sqrt(2/pi) (Z + 0.044715 Z^3): the usual approximation of Z Phi(Z)."""
    u = math.sqrt(2 / math.pi) * (Z + 0.044715 * Z * Z * Z)
    return Z * (1 + np.tanh(u)) / 2


def gelu_backward(dA, Z):
    """dA, and the input Z -> dZ."""
    t = np.tanh(math.sqrt(2 / math.pi) * (Z + 0.044715 * Z * Z * Z))
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * Z * Z)
    return dA * (1 + t + Z * (1 - t * t) * du) / 2


def softplus(Z):
    """A = log(1 + exp(Z)); exp is only taken of numbers <= 0, so it never overflows."""
    return np.where(np.real(Z) >= 0, Z, 0) + np.log1p(np.exp(-_magnitude(Z)))


def softplus_backward(dA, Z):
    """dA, and the input Z -> dZ."""
    return dA * sigmoid(Z)


def _magnitude(Z):
    """|Z| for the complex step: np.abs would drop the imaginary part, which carries the derivative."""
    return np.where(np.real(Z) >= 0, Z, -Z)


# ---------------------------------------------------------------- softmax and its logarithm, along the last axis


def softmax(Z):
    """P = exp(Z) / sum(exp(Z)): Z (..., C) -> P (..., C), rows that sum to one."""
    E = np.exp(Z - np.real(Z).max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True)


def softmax_backward(dP, P):
    """dP, and the output P -> dZ, all (..., C); diag(p) - p p^T is never formed."""
    return P * (dP - (dP * P).sum(axis=-1, keepdims=True))


def logsumexp(Z):
    """Y = log(sum(exp(Z))): Z (..., C) -> Y (...); the largest entry is taken out of the sum first."""
    top = np.real(Z).max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(Z - top).sum(axis=-1))


def logsumexp_backward(dY, Z):
    """dY (...), and the input Z (..., C) -> dZ (..., C)."""
    return np.expand_dims(dY, -1) * softmax(Z)


def log_softmax(Z):
    """Y = Z - logsumexp(Z): Z (..., C) -> Y (..., C); the largest entry is taken out of both first."""
    S = Z - np.real(Z).max(axis=-1, keepdims=True)
    return S - np.log(np.exp(S).sum(axis=-1, keepdims=True))


def log_softmax_backward(dY, Y):
    """dY, and the output Y -> dZ, all (..., C)."""
    return dY - np.exp(Y) * np.sum(dY, axis=-1, keepdims=True)


# ---------------------------------------------------------------- losses: a mean over the batch, hence the 1/N


def mse(P, Y):
    """L = 1/N sum((P - Y)^2): predictions P and targets Y of one shape, (N,) or (N, C) -> scalar."""
    _same_shape(P, Y)
    return np.sum((P - Y) ** 2) / len(P)


def mse_backward(dL, P, Y):
    """dL scalar -> dP, with the shape of P."""
    return dL * 2 * (P - Y) / len(P)


def bce_with_logits(Z, Y):
    """L = 1/N sum(softplus(Z) - Y Z), binary cross-entropy of sigmoid(Z): Z, Y of one shape, (N,) or (N, C)."""
    _same_shape(Z, Y)
    return np.sum(softplus(Z) - Y * Z) / len(Z)


def bce_with_logits_backward(dL, Z, Y):
    """dL scalar -> dZ, with the shape of Z."""
    return dL * (sigmoid(Z) - Y) / len(Z)


def softmax_cross_entropy(Z, y, logP=None):
    """L = -1/N sum_i log softmax(Z)[i, y_i]: logits Z (N, C), labels y (N,) from 0 to C - 1 -> scalar.

    Hand `logP`, which is log_softmax(Z), to this and to its backward, and it is computed once.
    """
    rows = np.arange(len(Z))
    _same_shape(rows, y)
    logP = log_softmax(Z) if logP is None else logP
    return -logP[rows, y].sum() / len(Z)


def softmax_cross_entropy_backward(dL, Z, y, logP=None):
    """dL scalar -> dZ (N, C): the probabilities, less one at each true label."""
    dZ = softmax(Z) if logP is None else np.exp(logP)
    dZ[np.arange(len(Z)), y] -= 1
    dZ *= dL / len(Z)
    return dZ


def l2_penalty(W, lam):
    """L = lam/2 sum(W^2) -> scalar; not a mean over the batch, so no 1/N."""
    return lam * np.sum(W * W) / 2


def l2_penalty_backward(dL, W, lam):
    """dL scalar -> dW, with the shape of W."""
    return dL * lam * W


def _same_shape(A, B):
    """ValueError unless A and B have one shape: (N,) with (N, 1) would broadcast to (N, N) without a word."""
    if np.shape(A) != np.shape(B):
        raise ValueError(f"predictions {np.shape(A)} and targets {np.shape(B)} must have one shape")
