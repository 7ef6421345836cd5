# %% [markdown]
# # Four uses
#
# Four exercises with a check under each, and one question that a person marks.
# In each of them a number is used in several places, or some places are empty; the rest you have written before.
# The checks use arrays of different lengths and a random gradient from above.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("four_uses", globals())

# %% [markdown] exercise="convolution"
# ## Back through a window that slides
#
# `convolve` slides a window along time, as the chapter's slides over a picture: at each of the places a kernel of `S` steps meets `S` neighbouring moments.
# A pixel was one number; here there are `D` numbers at each moment, and the kernel has a weight for each of them, so the sum forward runs over them too.
# Each of the `H` kernels has a column of its own in the last axis of `K`.
#
# Write `convolve_backward(dZ, X, K)`, which returns `dX`, `dK` and `db`.
# Loops over the `S` steps of the window are welcome, loops over examples are not needed.


# %%
def convolve(X, K, b):
    """X (N, T, D), K (S, D, H), b (H,); returns Z (N, T - S + 1, H)."""
    windows = np.lib.stride_tricks.sliding_window_view(X, len(K), axis=1)
    return np.einsum("ntds,sdh->nth", windows, K) + b


# %% solution="convolution"
def convolve_backward(dZ, X, K):
    """dZ (N, T - S + 1, H), X (N, T, D), K (S, D, H).

    Returns the tuple (dX, dK, db), in the shapes of X, K, b.
    """
    ### BEGIN SOLUTION
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=(0, 1))
    ### END SOLUTION


# %% tests="convolution" points=10
exercise = checks.exercise("convolution")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [8101, 8102]
### END HIDDEN TESTS
# Lengths N, T, D, S, H, and how large the weights are: all different, equal ones, small weights.
sizes = [(5, 8, 2, 3, 4, 1.0), (5, 7, 3, 3, 3, 1.0), (6, 7, 4, 2, 3, 1e-3)]
for seed in seeds:
    for size, (N, T, D, S, H, scale) in enumerate(sizes):
        rng = np.random.default_rng([seed, size])
        arrays = {
            "X": rng.normal(size=(N, T, D)),
            "K": scale * rng.normal(size=(S, D, H)),
            "b": rng.normal(size=H),
        }
        forward = lambda p: convolve(p["X"], p["K"], p["b"])
        given = lambda dZ, p: (dZ, p["X"], p["K"])
        exercise.vjp("convolve_backward", forward, arrays, given, case=10 * seed + size)
exercise.score()


# %% mistake="conv-kernel-not-flipped" of="convolution"
def convolve_backward(dZ, X, K):
    S, places = len(K), dZ.shape[1]
    wide = np.pad(dZ, ((0, 0), (S - 1, S - 1), (0, 0)))
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(S):
        dX += wide[:, s : s + X.shape[1]] @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="conv-kernel-not-flipped" of="convolution" variant="of-the-weights"
def convolve_backward(dZ, X, K):
    S, places = len(K), dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(S):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[S - 1 - s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="overwrite-for-accumulate" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] = dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="overwrite-for-accumulate" of="convolution" variant="places"
def convolve_backward(dZ, X, K):
    S = len(K)
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for t in range(dZ.shape[1]):
        dX[:, t : t + S] = np.einsum("nh,sdh->nsd", dZ[:, t], K)
        dK = dK + np.einsum("nsd,nh->sdh", X[:, t : t + S], dZ[:, t])
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="one-path-only" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = X[:, s].T @ dZ[:, 0]
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="one-path-only" of="convolution" variant="pixels"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    dX[:, :places] = dZ @ K[0].T
    for s in range(len(K)):
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=(0, 1))


# %% mistake="last-example-only" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        for x, dz in zip(X, dZ, strict=True):
            dK[s] = x[s : s + places].T @ dz
            db = np.sum(dz, axis=0)
    return dX, dK, db


# %% mistake="bias-not-summed" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ, axis=0)


# %% mistake="bias-averaged" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.mean(dZ, axis=(0, 1))


# %% mistake="bias-averaged" of="convolution" variant="over-time"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(np.mean(dZ, axis=1), axis=0)


# %% mistake="summed-over-units" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, np.sum(dZ)


# %% mistake="extra-batch-mean" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ) / len(X)
    return dX, dK, np.sum(dZ, axis=(0, 1)) / len(X)


# %% mistake="parameters-swapped" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += dZ @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dK, dX, np.sum(dZ, axis=(0, 1))


# %% mistake="sign" of="convolution"
def convolve_backward(dZ, X, K):
    places = dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] -= dZ @ K[s].T
        dK[s] = -np.einsum("ntd,nth->dh", X[:, s : s + places], dZ)
    return dX, dK, -np.sum(dZ, axis=(0, 1))


# %% mistake="upstream-forgotten" of="convolution"
def convolve_backward(dZ, X, K):
    ones, places = np.ones_like(dZ), dZ.shape[1]
    dX, dK = np.zeros_like(X), np.zeros_like(K)
    for s in range(len(K)):
        dX[:, s : s + places] += ones @ K[s].T
        dK[s] = np.einsum("ntd,nth->dh", X[:, s : s + places], ones)
    return dX, dK, np.sum(ones, axis=(0, 1))


# %% accepted="place-by-place" of="convolution"
def convolve_backward(dZ, X, K):
    S = len(K)
    dX, dK, db = np.zeros(X.shape), np.zeros(K.shape), np.zeros(K.shape[2])
    for n in range(len(X)):
        for t in range(dZ.shape[1]):
            for s in range(S):
                dX[n, t + s] += K[s] @ dZ[n, t]
                dK[s] += np.outer(X[n, t + s], dZ[n, t])
            db += dZ[n, t]
    return dX, dK, db


# %% accepted="flipped" of="convolution"
def convolve_backward(dZ, X, K):
    S = len(K)
    wide = np.pad(dZ, ((0, 0), (S - 1, S - 1), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(wide, S, axis=1)
    read = np.lib.stride_tricks.sliding_window_view(X, S, axis=1)
    dX = np.einsum("nths,sdh->ntd", seen, K[::-1])
    dK = np.einsum("ntds,nth->sdh", read, dZ)
    return dX, dK, dZ.reshape(-1, dZ.shape[2]).sum(axis=0)


# %% accepted="as-a-layer" of="convolution"
def convolve_backward(dZ, X, K):
    S, D, H = K.shape
    places = dZ.shape[1]
    rows = np.concatenate([X[:, s : s + places] for s in range(S)], axis=2)
    dK = np.tensordot(rows, dZ, axes=([0, 1], [0, 1])).reshape(S, D, H)
    d_rows = dZ @ K.reshape(S * D, H).T
    dX = np.zeros_like(X)
    for s in range(S):
        dX[:, s : s + places] += d_rows[:, :, s * D : (s + 1) * D]
    return {"dX": dX, "dK": dK, "db": dZ.sum(axis=0).sum(axis=0)}


# %% [markdown] exercise="embedding-bag"
# ## Back into a table of words
#
# Each row of `ids` is a sentence: the numbers of its words, filled up with 0, which is no word.
# `bag` looks up the words' rows in the table `E` and takes their mean.
#
# Write `embedding_bag_backward(dB, ids, V)`, which returns `dE`, the gradient of the whole table with its `V` rows.
# A word may stand several times in a sentence, and in several sentences.


# %%
def bag(E, ids):
    """E (V, K), ids (N, T) from 0 (empty) to V - 1; returns B (N, K), the mean row of each sentence."""
    words = np.where(ids == 0, 0.0, 1.0)[:, :, None]
    return (E[ids] * words).sum(axis=1) / words.sum(axis=1)


# %% solution="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    """dB (N, K), ids (N, T) from 0 (empty) to V - 1.

    Returns dE (V, K).
    """
    ### BEGIN SOLUTION
    there = ids != 0
    share = dB / np.sum(there, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    return dE
    ### END SOLUTION


# %% tests="embedding-bag" points=10
exercise = checks.exercise("embedding-bag")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [8201, 8202]
### END HIDDEN TESTS
# Sentences, places, words and numbers for each word; words repeat within a sentence and across sentences.
sizes = [(6, 5, 9, 3), (5, 5, 5, 5), (7, 8, 4, 2)]
for seed in seeds:
    for size, (N, T, V, K) in enumerate(sizes):
        rng = np.random.default_rng([seed, size])
        ids = rng.integers(1, V, size=(N, T))
        ids[0, :2], ids[1, 0] = V - 1, V - 1
        lengths = rng.integers(2, T + 1, size=N)
        lengths[0], lengths[1] = T - 1, T
        ids[np.arange(T) >= lengths[:, None]] = 0
        forward = lambda p: bag(p["E"], ids)
        given = lambda dB, p: (dB, ids.copy(), V)
        table = {"E": rng.normal(size=(V, K))}
        exercise.vjp("embedding_bag_backward", forward, table, given, case=10 * seed + size)
exercise.score()


# %% mistake="embedding-overwrites-repeats" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = dB / np.sum(there, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    dE[ids] += share[:, None, :] * there[:, :, None]
    return dE


# %% mistake="embedding-overwrites-repeats" of="embedding-bag" variant="in-a-sentence"
def embedding_bag_backward(dB, ids, V):
    dE = np.zeros((V, dB.shape[1]))
    for n, row in enumerate(ids):
        words = row[row != 0]
        dE[words] += dB[n] / len(words)
    return dE


# %% mistake="embedding-overwrites-repeats" of="embedding-bag" variant="loop"
def embedding_bag_backward(dB, ids, V):
    dE = np.zeros((V, dB.shape[1]))
    for n, row in enumerate(ids):
        words = row[row != 0]
        for word in words:
            dE[word] = dB[n] / len(words)
    return dE


# %% mistake="padding-counted" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = dB / ids.shape[1]
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    return dE


# %% mistake="padding-counted" of="embedding-bag" variant="row-of-the-empty"
def embedding_bag_backward(dB, ids, V):
    share = dB / np.sum(ids != 0, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, np.repeat(share[:, None, :], ids.shape[1], axis=1))
    return dE


# %% mistake="padding-counted" of="embedding-bag" variant="everywhere"
def embedding_bag_backward(dB, ids, V):
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, np.repeat(dB[:, None, :] / ids.shape[1], ids.shape[1], axis=1))
    return dE


# %% mistake="local-slope-forgotten" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, dB[:, None, :] * there[:, :, None])
    return dE


# %% mistake="upstream-forgotten" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = np.ones_like(dB) / np.sum(there, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    return dE


# %% mistake="extra-batch-mean" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = dB / np.sum(there, axis=1, keepdims=True) / len(dB)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    return dE


# %% mistake="last-example-only" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    for n, row in enumerate(ids):
        words = row[row != 0]
        dE = np.zeros((V, dB.shape[1]))
        np.add.at(dE, words, dB[n] / len(words))
    return dE


# %% mistake="bias-averaged" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = dB / np.sum(there, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    uses = np.bincount(ids[there], minlength=V)
    return dE / np.maximum(uses, 1)[:, None]


# %% mistake="sign" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = -dB / np.sum(there, axis=1, keepdims=True)
    dE = np.zeros((V, dB.shape[1]))
    np.add.at(dE, ids, share[:, None, :] * there[:, :, None])
    return dE


# %% mistake="broadcast-not-summed" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    there = ids != 0
    share = dB / np.sum(there, axis=1, keepdims=True)
    return share[:, None, :] * there[:, :, None]


# %% accepted="one-hot" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    counts = np.zeros((len(ids), V))
    for n, row in enumerate(ids):
        for word in row[row != 0]:
            counts[n, word] += 1
    return (counts / counts.sum(axis=1, keepdims=True)).T @ dB


# %% accepted="loop" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    dE = np.zeros((V, dB.shape[1]))
    for upstream, row in zip(dB, ids, strict=True):
        words = [word for word in row if word]
        for word in words:
            dE[word] = dE[word] + upstream / len(words)
    return dE


# %% accepted="row-of-the-empty-cleared" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    lengths = np.count_nonzero(ids, axis=1)
    dE = np.zeros((V, dB.shape[1]))
    for t in range(ids.shape[1]):
        np.add.at(dE, ids[:, t], dB / lengths[:, None])
    dE[0] = 0
    return dE


# %% accepted="word-by-word" of="embedding-bag"
def embedding_bag_backward(dB, ids, V):
    lengths = (ids > 0).sum(axis=1)
    rows = [((ids == word).sum(axis=1) / lengths) @ dB for word in range(1, V)]
    return np.vstack([np.zeros(dB.shape[1]), *rows])


# %% [markdown] exercise="frames"
# ## A loss over real frames
#
# Recordings of different lengths stand in one array, and the short ones are filled up.
# `Z` holds the scores of every frame; `y` holds its label, and −1 where the frame is filled up.
# The loss is softmax cross-entropy, averaged over the real frames of the whole batch: add them up and divide once, by their number.
#
# Write `frame_loss(Z, y)`, which returns the pair `L, dZ`.
# Scores can be large: the check uses some near 1000.
# What stands in the scores of a filled frame must not matter.


# %% solution="frames"
def frame_loss(Z, y):
    """Z (N, T, C) scores, y (N, T) labels from 0 to C - 1, or -1 for a filled frame.

    Returns the pair (L, dZ), a number and an array of the shape of Z.
    """
    ### BEGIN SOLUTION
    real = y >= 0
    M = np.sum(real)
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    L = -np.sum(logP[n, t, y[n, t]]) / M
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return L, dZ / M
    ### END SOLUTION


# %% tests="frames" points=8
exercise = checks.exercise("frames")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [8301, 8302]
### END HIDDEN TESTS


def frames_forward(Z, y):
    """The loss of the real frames, one after the other."""
    total, count = 0, 0
    for scores, labels in zip(Z, y, strict=True):
        for z, label in zip(scores, labels, strict=True):
            if label >= 0:
                top = z[np.argmax(np.real(z))]
                total, count = total + top + np.log(np.sum(np.exp(z - top))) - z[label], count + 1
    return total / count


# Recordings, frames, labels, and how large the scores are.
sizes = [(5, 7, 3, 1.0), (6, 6, 6, 1.0), (5, 4, 3, 700.0)]
for seed in seeds:
    for size, (N, T, C, scale) in enumerate(sizes):
        rng = np.random.default_rng([seed, size])
        Z = scale * rng.normal(size=(N, T, C))
        y = rng.integers(0, C, size=(N, T))
        y[:, 0] = np.arange(N) % C
        lengths = rng.integers(1, T + 1, size=N)
        lengths[:2] = 2, T
        y[np.arange(T) >= lengths[:, None]] = -1
        loss = lambda p: frames_forward(p["Z"], y)
        exercise.gradient(
            "frame_loss", loss, {"Z": Z}, args=lambda p: (p["Z"], y.copy()), case=10 * seed + size, with_loss=True,
        )
exercise.score()


# %% mistake="padding-counted" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / y.size, dZ / y.size


# %% mistake="padding-counted" of="frames" variant="label-of-the-filled"
def frame_loss(Z, y):
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    n, t = np.indices(y.shape)
    dZ = np.exp(logP)
    dZ[n, t, y] -= 1
    return -np.mean(logP[n, t, y]), dZ / y.size


# %% mistake="padding-counted" of="frames" variant="gradient-left"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ / np.sum(real)


# %% mistake="mean-of-means" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    lengths = np.sum(real, axis=1)
    L = -np.sum(logP[n, t, y[n, t]] / lengths[n]) / len(Z)
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return L, dZ / lengths[:, None, None] / len(Z)


# %% mistake="missing-batch-mean" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]), dZ


# %% mistake="missing-batch-mean" of="frames" variant="in-the-gradient"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ


# %% mistake="missing-batch-mean" of="frames" variant="by-recordings"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / len(Z), dZ / len(Z)


# %% mistake="averaged-over-units" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    Y = y[:, :, None] == np.arange(Z.shape[2])
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    entries = np.sum(real) * Z.shape[2]
    return -np.mean((Y * logP)[real]), (np.exp(logP) - Y) * real[:, :, None] / entries


# %% mistake="averaged-over-units" of="frames" variant="in-the-loss"
def frame_loss(Z, y):
    real = y >= 0
    Y = y[:, :, None] == np.arange(Z.shape[2])
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    return -np.mean((Y * logP)[real]), (np.exp(logP) - Y) * real[:, :, None] / np.sum(real)


# %% mistake="sign" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = -np.exp(logP)
    dZ[n, t, y[n, t]] += 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ / np.sum(real)


# %% mistake="target-forgotten" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ / np.sum(real)


# %% mistake="softmax-wrong-axis" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=1, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ / np.sum(real)


# %% mistake="unstable-exp-log" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    P = np.exp(Z) / np.sum(np.exp(Z), axis=2, keepdims=True)
    L = -np.sum(np.log(P[n, t, y[n, t]])) / np.sum(real)
    dZ = P.copy()
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return L, dZ / np.sum(real)


# %% mistake="unstable-exp-log" of="frames" variant="small-number-added"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    E = np.exp(Z - np.max(Z, axis=2, keepdims=True))
    P = E / np.sum(E, axis=2, keepdims=True)
    L = -np.sum(np.log(P[n, t, y[n, t]] + 1e-9)) / np.sum(real)
    dZ = P.copy()
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return L, dZ / np.sum(real)


# %% mistake="derivative-twice" of="frames"
def frame_loss(Z, y):
    real = y >= 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    P = np.exp(logP)
    dP = P.copy()
    dP[n, t, y[n, t]] -= 1
    dP[~real] = 0
    dZ = P * (dP - np.sum(dP * P, axis=2, keepdims=True))
    return -np.sum(logP[n, t, y[n, t]]) / np.sum(real), dZ / np.sum(real)


# %% mistake="class-zero-left-out" of="frames"
def frame_loss(Z, y):
    real = y > 0
    n, t = np.nonzero(real)
    shifted = Z - np.max(Z, axis=2, keepdims=True)
    logP = shifted - np.log(np.sum(np.exp(shifted), axis=2, keepdims=True))
    dZ = np.exp(logP)
    dZ[n, t, y[n, t]] -= 1
    dZ[~real] = 0
    return -np.sum(logP[n, t, y[n, t]]) / len(n), dZ / len(n)


# %% accepted="one-hot" of="frames"
def frame_loss(Z, y):
    C = Z.shape[2]
    real = (y >= 0)[:, :, None]
    Y = np.eye(C)[np.maximum(y, 0)] * real
    E = np.exp(Z - Z.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)
    top = Z.max(axis=2)
    logsum = top + np.log(E.sum(axis=2))
    losses = (logsum - np.sum(Z * Y, axis=2)) * real[:, :, 0]
    return losses.sum() / real.sum(), (P * real - Y) / real.sum()


# %% accepted="rows-of-the-real" of="frames"
def frame_loss(Z, y):
    real = y != -1
    rows, labels = Z[real], y[real]
    at = np.arange(len(rows))
    shifted = rows - rows.max(axis=1, keepdims=True)
    logP = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    d_rows = np.exp(logP)
    d_rows[at, labels] -= 1
    dZ = np.zeros(Z.shape)
    dZ[real] = d_rows / len(rows)
    return float(-logP[at, labels].mean()), dZ


# %% accepted="frame-by-frame" of="frames"
def frame_loss(Z, y):
    M = int((y >= 0).sum())
    L, dZ = 0.0, np.zeros_like(Z)
    for n in range(Z.shape[0]):
        for t in range(Z.shape[1]):
            if y[n, t] < 0:
                continue
            z = Z[n, t] - Z[n, t].max()
            p = np.exp(z) / np.exp(z).sum()
            L += (np.log(np.exp(z).sum()) - z[y[n, t]]) / M
            dZ[n, t] = p / M
            dZ[n, t, y[n, t]] -= 1 / M
    return L, dZ


# %% [markdown] exercise="matrix-factorisation"
# ## Two tables that multiply
#
# `R` holds ratings, viewers by films, with NaN where there is none.
# Viewer $i$ has a row $U_i$ of tastes and a habit $a_i$, film $j$ a row $V_j$ of traits and a fame $c_j$.
# With `n` ratings given, the loss is
#
# $$L = \frac 1 n \sum_{(i, j)\ \text{given}} \bigl(U_i \cdot V_j + a_i + c_j - R_{ij}\bigr)^2 + \frac\lambda2 \sum_{ik} U_{ik}^2 + \frac\lambda2 \sum_{jk} V_{jk}^2$$
#
# Write `factor_grads(U, V, a, c, R, lam)`, which returns `dU`, `dV`, `da` and `dc`.
# A viewer or a film may have no rating at all.
# No mean is taken off the ratings here: the habits and fames stand in its place.


# %% solution="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    """U (N, K), V (M, K), a (N,), c (M,), R (N, M) with NaN where there is no rating, lam a number.

    Returns the tuple (dU, dV, da, dc), in the shapes of U, V, a, c.
    """
    ### BEGIN SOLUTION
    given = ~np.isnan(R)
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.where(given, guess - np.where(given, R, 0), 0) / np.sum(given)
    return slope @ V + lam * U, slope.T @ U + lam * V, np.sum(slope, axis=1), np.sum(slope, axis=0)
    ### END SOLUTION


# %% tests="matrix-factorisation" points=10
exercise = checks.exercise("matrix-factorisation")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [8401, 8402]
### END HIDDEN TESTS
# Viewers, films, traits, and the share of ratings given.
sizes = [(6, 8, 3, 0.5), (5, 5, 5, 0.6), (9, 7, 2, 0.3)]
for seed in seeds:
    for size, (N, M, K, share) in enumerate(sizes):
        rng = np.random.default_rng([seed, size])
        params = {"U": (N, K), "V": (M, K), "a": (N,), "c": (M,)}
        params = {name: rng.normal(size=shape) for name, shape in params.items()}
        R = rng.normal(size=(N, M)) + 2
        R[rng.random(size=(N, M)) > share] = np.nan
        R[0, :3], R[:, 1], R[2] = 1.5, np.nan, np.nan
        i, j = np.nonzero(np.isfinite(R))
        lam = 0.3

        def loss(p):
            guesses = np.sum(p["U"][i] * p["V"][j], axis=1) + p["a"][i] + p["c"][j]
            errors = guesses - R[i, j]
            penalty = np.sum(p["U"] * p["U"]) + np.sum(p["V"] * p["V"])
            return errors @ errors / len(errors) + lam / 2 * penalty

        args = lambda p: (p["U"], p["V"], p["a"], p["c"], R.copy(), lam)
        exercise.gradient("factor_grads", loss, params, args=args, case=10 * seed + size)
exercise.score()


# %% mistake="missing-as-zero" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * (guess - np.nan_to_num(R)) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="missing-as-zero" of="matrix-factorisation" variant="all-cells"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * (guess - np.nan_to_num(R)) / R.size
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="padding-counted" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / R.size
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="mean-of-means" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    counts = np.maximum(np.sum(~np.isnan(R), axis=1, keepdims=True), 1)
    slope = 2 * np.nan_to_num(guess - R) / counts / len(R)
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="not-finite" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    given = ~np.isnan(R)
    slope = 2 * (guess - R) * given / np.sum(given)
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="missing-batch-mean" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R)
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="factor-two" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="sign" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(R - guess) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="sign" of="matrix-factorisation" variant="all"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(R - guess) / np.sum(~np.isnan(R))
    return slope @ V - lam * U, slope.T @ U - lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="penalty-missing" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V, slope.T @ U, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="penalty-factor-two" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + 2 * lam * U, slope.T @ U + 2 * lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="penalty-factor-two" of="matrix-factorisation" variant="half"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + lam / 2 * U, slope.T @ U + lam / 2 * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="penalty-divided-by-batch" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    n = np.sum(~np.isnan(R))
    slope = 2 * np.nan_to_num(guess - R) / n
    return slope @ V + lam / n * U, slope.T @ U + lam / n * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="penalty-on-bias" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    da, dc = slope.sum(axis=1) + lam * a, slope.sum(axis=0) + lam * c
    return slope @ V + lam * U, slope.T @ U + lam * V, da, dc


# %% mistake="bias-averaged" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.mean(axis=1), slope.mean(axis=0)


# %% mistake="wrong-axis" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=0), slope.sum(axis=1)


# %% mistake="keepdims-left" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1, keepdims=True), slope.sum(axis=0)


# %% mistake="updated-weights-used" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    dU = slope @ V + lam * U
    U = U - 0.1 * dU
    return dU, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="parameters-swapped" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - R) / np.sum(~np.isnan(R))
    return slope.T @ U + lam * V, slope @ V + lam * U, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="target-forgotten" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    given = ~np.isnan(R)
    slope = 2 * guess * given / np.sum(given)
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="forward-backward-disagree" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    slope = 2 * np.nan_to_num(U @ V.T - R) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% mistake="forward-backward-disagree" of="matrix-factorisation" variant="less-the-mean"
def factor_grads(U, V, a, c, R, lam):
    guess = U @ V.T + a[:, None] + c
    slope = 2 * np.nan_to_num(guess - (R - np.nanmean(R))) / np.sum(~np.isnan(R))
    return slope @ V + lam * U, slope.T @ U + lam * V, slope.sum(axis=1), slope.sum(axis=0)


# %% accepted="rating-by-rating" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    dU, dV, da, dc = lam * U, lam * V, np.zeros(a.shape), np.zeros(c.shape)
    n = sum(not np.isnan(r) for r in R.flat)
    for i in range(len(R)):
        for j in range(R.shape[1]):
            if not np.isnan(R[i, j]):
                e = 2 / n * (U[i] @ V[j] + a[i] + c[j] - R[i, j])
                dU[i], dV[j] = dU[i] + e * V[j], dV[j] + e * U[i]
                da[i], dc[j] = da[i] + e, dc[j] + e
    return dU, dV, da, dc


# %% accepted="holes-to-nothing" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    E = np.nan_to_num(U @ V.T + np.add.outer(a, c) - R)
    n = R.size - np.isnan(R).sum()
    return {
        "dU": 2 / n * E @ V + lam * U,
        "dV": 2 / n * E.T @ U + lam * V,
        "da": 2 / n * E @ np.ones(len(c)),
        "dc": 2 / n * np.ones(len(a)) @ E,
    }


# %% accepted="a-list-of-ratings" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    i, j = np.nonzero(~np.isnan(R))
    e = 2 / len(i) * (np.sum(U[i] * V[j], axis=1) + a[i] + c[j] - R[i, j])
    dU, dV = lam * U, lam * V
    np.add.at(dU, i, e[:, None] * V[j])
    np.add.at(dV, j, e[:, None] * U[i])
    return dU, dV, np.bincount(i, e, len(a)), np.bincount(j, e, len(c))


# %% accepted="biases-as-columns" of="matrix-factorisation"
def factor_grads(U, V, a, c, R, lam):
    left = np.column_stack([U, a, np.ones(len(a))])
    right = np.column_stack([V, np.ones(len(c)), c])
    mask = np.isfinite(R)
    E = 2 / mask.sum() * np.where(mask, left @ right.T - np.nan_to_num(R), 0.0)
    d_left, d_right = E @ right, E.T @ left
    K = U.shape[1]
    return d_left[:, :K] + lam * U, d_right[:, :K] + lam * V, d_left[:, K], d_right[:, K + 1]


# %% [markdown] marked="ninety-two-per-cent" points=2
# ## Ninety-two per cent
#
# Someone shows you a network for recordings of a telephone line: it labels each frame as speech or silence, and 92 % of the frames of the training recordings are labelled rightly.
# Two things keep this number from meaning what it seems to mean.
# Name both, say for each which number you would ask for instead, and say what that number could turn out to be that would make you throw the network away.
#
# ### BEGIN SOLUTION
# **Model answer.**
# First, there is no baseline: on a telephone line most frames may be silence, and if 92 % of them are, a program that always says silence is as good.
# I would ask for the share of the most frequent label, and throw the network away if it is 92 % or more.
# Second, the recordings are those it was trained on, so it may have learned them by heart.
# I would ask for the share of right frames on recordings that were held back, best of other speakers, and throw the network away if that is no better than the baseline there.
#
# **Rubric.**
# 2: both the missing baseline and the missing held-out data, each with the number asked for and a value that would decide against the network.
# 1.5: both named, one of them without a number or without a value that decides.
# 1: one of the two, complete.
# 0: neither, or only "the accuracy is too low".
# ### END SOLUTION
