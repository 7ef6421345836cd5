"""The displayed derivatives of Four uses, as code."""

import numpy as np
from twin import model, twin

from backprop import ops

# Pictures of 7 x 8 under six kernels of 3 x 2: 5 x 7 places.
image = model(
    X="NKM",
    K="DBC",
    b="C",
    G=lambda rng: rng.normal(size=(5, 5, 7, 6)),
    Z=lambda X, K, b: np.einsum("nijuv,uvf->nijf", np.lib.stride_tricks.sliding_window_view(X, (3, 2), (1, 2)), K) + b,
    L=lambda G, Z: np.sum(G * Z),
)
# M holds how often each word stands in each sentence, over the number of its words.
text = model(
    M=lambda rng, N, K: rng.integers(0, 3, (N, K)) / rng.integers(4, 9, (N, 1)),
    E="KH",
    G="NH",
    B=lambda M, E: M @ E,
    L=lambda G, B: np.sum(G * B),
)
# Five recordings of up to seven frames, six labels.
speech = model(
    Z="NKC",
    r=lambda rng, N, K: 1.0 * (np.arange(K) < rng.integers(3, K + 1, (N, 1))),
    Y=lambda rng, N, K, C: np.eye(C)[rng.integers(0, C, (N, K))],
    M=lambda r: np.sum(r),
    P=lambda Z: ops.softmax(Z),
    L=lambda r, P, Y, M: -np.sum(r * np.sum(Y * np.log(P), axis=-1)) / M,
)
films = model(
    U="NH",
    V="KH",
    R="NK",
    m=lambda rng, N, K: 1.0 * (rng.random((N, K)) < 0.5),
    lam="",
    M=lambda m: np.sum(m),
    E=lambda m, U, V, R: m * (U @ V.T - R),
    L=lambda E, M, lam, U, V: np.sum(E**2) / M + lam / 2 * (np.sum(U**2) + np.sum(V**2)),
)


@twin(image, "dL/dK", unread="indices that are sums")
def uses_dK(X, dZ):
    return np.einsum("nijuv,nijf->uvf", np.lib.stride_tricks.sliding_window_view(X, (3, 2), (1, 2)), dZ)


@twin(image, "dL/db")
def uses_db(dZ):
    return dZ.sum(axis=(0, 1, 2))


@twin(image, "dL/dX", unread="indices that are differences")
def uses_dX(K, dZ):
    # With a border of zeros, the places that do not exist count as zero.
    wide = np.pad(dZ, ((0, 0), (2, 2), (1, 1), (0, 0)))
    return np.einsum("nrcfuv,uvf->nrc", np.lib.stride_tricks.sliding_window_view(wide, (3, 2), (1, 2)), K[::-1, ::-1])


@twin(text, "dL/dE")
def uses_bag(M, dB):
    return M.T @ dB


@twin(speech, "dL/dZ")
def uses_frames(r, M, P, Y):
    return r[:, :, None] / M * (P - Y)


@twin(films, "dL/dU")
def uses_dU(M, E, V, lam, U):
    return 2 / M * E @ V + lam * U


@twin(films, "dL/dV")
def uses_dV(M, E, V, lam, U):
    return 2 / M * E.T @ U + lam * V
