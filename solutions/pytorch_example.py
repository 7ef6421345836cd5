# %% [markdown]
# # The PyTorch example
#
# Five exercises with a check under each, and one question that a person marks.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.
#
# The checks hand you NumPy arrays and want NumPy arrays or numbers back; where the work is done on tensors, a short function under your answer does the translating.

# %%
import zlib

import numpy as np
import torch
from torch import nn

from backprop import grading

checks = grading.Assignment("pytorch_example", globals())
torch.set_num_threads(1)


# %%
# The same training in NumPy, for the checks.
def in_numpy(params, X, Y, lr, steps, gate=1.0):
    """Parameters after `steps` steps of gradient descent, and the loss before each.

    Y is (N,): whole numbers are labels, for cross-entropy; real numbers are targets, for the squared error.
    `gate` (H,) multiplies the hidden activations.
    """
    p, losses = {name: value.copy() for name, value in params.items()}, []
    rows = np.arange(len(X))
    for _ in range(steps):
        bent = np.tanh(X @ p["W1"] + p["b1"])
        out = (bent * gate) @ p["W2"] + p["b2"]
        if Y.dtype.kind == "i":
            log_p = out - out.max(axis=1, keepdims=True)
            log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
            losses.append(-log_p[rows, Y].mean())
            back = np.exp(log_p)
            back[rows, Y] -= 1
        else:
            back = 2 * (out - Y[:, None])
            losses.append((back**2).mean() / 4)
        back = back / len(X)
        hidden = back @ p["W2"].T * gate * (1 - bent**2)
        step = {"W1": X.T @ hidden, "b1": hidden.sum(axis=0), "W2": (bent * gate).T @ back, "b2": back.sum(axis=0)}
        p = {name: value - lr * step[name] for name, value in p.items()}
    return p, losses


def draw(seed, N, D, H, C, labels=True):
    """Random parameters, X (N, D), and labels or targets (N,)."""
    rng = np.random.default_rng(seed)
    shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    y = rng.permutation(np.arange(N) % C) if labels else rng.normal(size=N)
    return params, rng.normal(size=(N, D)), y


# %% [markdown] exercise="predict-grad"
# ## Five programs, five gradients
#
# Each of these short programs leaves a number in `w.grad`.
# `w` and `x` are tensors with one number each; only `w` has `requires_grad=True`, and its `.grad` is `None` at the start.
#
# Say for each program what `w.grad` is at its end, as a formula in `w` and `x`.
# Do it with a pencil; then check with the cell below, and only then run the programs.
# Return a dict with one number for each program: `{"fork": ..., "again": ..., "cut": ..., "hooked": ..., "stepped": ...}`.
# Your function gets `w` and `x` as plain numbers.

# %%
def fork(w, x):
    a = w * x
    L = a * a + w
    L.backward()


def again(w, x):
    for _round in range(3):
        L = (w * x) ** 2
        L.backward()


def cut(w, x):
    a = w * x
    L = a * a.detach()
    L.backward()


def hooked(w, x):
    a = w * x
    a.register_hook(lambda da: 10 * da)
    L = a**2 + w
    L.backward()


def stepped(w, x):
    L = w**2 * x
    L.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad


# %% solution="predict-grad"
def predicted(w, x):
    """Returns {"fork": ..., "again": ..., "cut": ..., "hooked": ..., "stepped": ...}."""
    ### BEGIN SOLUTION
    square = w * x * x
    return {"fork": 2 * square + 1, "again": 6 * square, "cut": square, "hooked": 20 * square + 1, "stepped": 2 * w * x}
    ### END SOLUTION


# %% tests="predict-grad" points=5
exercise = checks.exercise("predict-grad")
points = [(2.0, 3.0), (-1.5, 0.5)]
### BEGIN HIDDEN TESTS
points += [(0.75, -2.0), (4.0, 1.25)]
### END HIDDEN TESTS
for w, x in points:
    left = {}
    for program in (fork, again, cut, hooked, stepped):
        leaf = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        program(leaf, torch.tensor(x, dtype=torch.float64))
        left[program.__name__] = leaf.grad.item()
    exercise.value("predicted", [w, x], left, case=f"w = {w:g}, x = {x:g}")
exercise.score()


# %% mistake="no-zero-grad" of="predict-grad"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 2 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="detached" of="predict-grad"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": 2 * w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="one-path-only" of="predict-grad" variant="both-taken-for-cut"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": 0.0,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="one-path-only" of="predict-grad" variant="both-taken-for-cut-whole"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": 0,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="one-path-only" of="predict-grad"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="one-path-only" of="predict-grad" variant="one-use-of-a"
def predicted(w, x):
    return {
        "fork": w * x**2 + 1, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="hook-misplaced" of="predict-grad"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 10, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="hook-misplaced" of="predict-grad" variant="only-watches"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 2 * w * x**2 + 1, "stepped": 2 * w * x,
    }  # fmt: skip


# %% mistake="updated-weights-used" of="predict-grad"
def predicted(w, x):
    moved = w - 0.1 * 2 * w * x
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": 2 * moved * x,
    }  # fmt: skip


# %% mistake="updated-weights-used" of="predict-grad" variant="the-weight-itself"
def predicted(w, x):
    return {
        "fork": 2 * w * x**2 + 1, "again": 6 * w * x**2, "cut": w * x**2,
        "hooked": 20 * w * x**2 + 1, "stepped": w - 0.2 * w * x,
    }  # fmt: skip


# %% mistake="local-slope-forgotten" of="predict-grad"
def predicted(w, x):
    return {"fork": 2 * w * x + 1, "again": 6 * w * x, "cut": w * x, "hooked": 20 * w * x + 1, "stepped": 2 * w * x}


# %% mistake="wrong-operand" of="predict-grad"
def predicted(w, x):
    a = w * x
    return {"fork": 2 * a * w + 1, "again": 6 * a * w, "cut": a * w, "hooked": 20 * a * w + 1, "stepped": w**2}


# %% accepted="line-by-line" of="predict-grad"
def predicted(w, x):
    a, slope = w * x, x
    fork = (a + a) * slope + 1
    cut = a * slope
    again = sum(2 * a * slope for _ in range(3))
    return {"fork": fork, "again": again, "cut": cut, "hooked": 10 * (2 * a) * slope + 1, "stepped": x * 2 * w}


# %% accepted="as-arrays" of="predict-grad"
def predicted(w, x):
    factors = np.array([2, 6, 1, 20]) * w * np.square(x) + np.array([1, 0, 0, 1])
    return dict(zip(["fork", "again", "cut", "hooked", "stepped"], [*factors, 2.0 * w * x], strict=True))


# %% accepted="by-running" of="predict-grad"
def predicted(w, x):
    found = {}
    for program in [fork, again, cut, hooked, stepped]:
        w_leaf = torch.tensor(w, dtype=torch.double).requires_grad_()
        program(w_leaf, torch.tensor(x))
        found[program.__name__] = w_leaf.grad.numpy()
    return found


# %% [markdown] exercise="softmax-function"
# ## An operation that PyTorch does not have
#
# Pretend that PyTorch had no cross-entropy, and write it as a `torch.autograd.Function`.
#
# $$
# \begin{aligned}
# P &= \operatorname{softmax}(Z), \text{ along each row} \\
# L &= -\frac 1 N \sum_n \log P_{n, y_n}
# \end{aligned}
# $$
#
# - `forward(ctx, Z, y)` gets the logits `Z` (N, C) and the labels `y` (N,), whole numbers from 0 to C - 1.
#   It keeps what the way back needs with `ctx.save_for_backward`, and returns the loss, a tensor with one number.
# - `backward(ctx, dL)` gets the gradient of the final loss at your output, and returns one gradient for each argument of `forward`: `None` for the labels.
#
# The logits may be as large as 1000, and the graph may be gone through more than once.
# PyTorch says `dim` and `keepdim` where NumPy says `axis` and `keepdims`; the largest entry of each row is `Z.amax(dim=1, keepdim=True)`.
# Tensor operations only: inside a `Function` nothing is recorded, so what you write in `backward` is what happens.

# %% solution="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    """The mean cross-entropy of the softmax of logits Z (N, C) against labels y (N,)."""

    @staticmethod
    def forward(ctx, Z, y):
        ### BEGIN SOLUTION
        log_p = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(log_p, y)
        return -log_p.gather(1, y[:, None]).mean()
        ### END SOLUTION

    @staticmethod
    def backward(ctx, dL):
        ### BEGIN SOLUTION
        log_p, y = ctx.saved_tensors
        target = torch.zeros_like(log_p).scatter_(1, y[:, None], 1.0)
        return dL * (log_p.exp() - target) / y.numel(), None
        ### END SOLUTION


def softmax_cross_entropy(Z, y, factor):
    """For the check: `factor` times your loss, and its gradient at Z, found twice in one graph."""
    Z, y = torch.tensor(Z, requires_grad=True), torch.tensor(y)
    total = factor * SoftmaxCrossEntropy.apply(Z, y)
    torch.autograd.grad(total, Z, retain_graph=True)
    (dZ,) = torch.autograd.grad(total, Z)
    return total.item(), dZ.numpy()


# %% tests="softmax-function" points=12
exercise = checks.exercise("softmax-function")
cases = [(1, 6, 4, 1.0, 2.5), (2, 5, 5, 1.0, -0.7), (3, 7, 3, 0.01, 1.3), (4, 6, 4, 1000.0, 2.0)]
### BEGIN HIDDEN TESTS
cases += [(7201, 8, 5, 1.0, -1.9), (7202, 4, 4, 0.02, 3.1), (7203, 5, 6, 1200.0, 0.6)]
### END HIDDEN TESTS


def cross_entropy(Z, y):
    """The loss in NumPy, safe for large logits."""
    lowered = Z - np.real(Z).max(axis=1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean()


for seed, N, C, scale, factor in cases:
    rng = np.random.default_rng(seed)
    Z, y = scale * rng.normal(size=(N, C)), rng.permutation(np.arange(N) % C)
    if scale >= 1000:
        # As far apart as that, and yet a loss with a slope: two classes of each row nearly tie.
        Z[np.arange(N), (y + 1) % C] = Z[np.arange(N), y] = scale
        Z[np.arange(N), y] -= rng.normal(size=N)
        # And in one row the right class has a probability that is rounded to 0.
        Z[0, y[0]] = -scale
    exercise.gradient(
        "softmax_cross_entropy",
        lambda p: factor * cross_entropy(p["Z"], y),
        {"Z": Z},
        args=lambda p: (p["Z"], y, factor),
        with_loss=True,
        case=seed,
    )
exercise.score()


# %% mistake="sign" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        target = torch.eye(P.shape[1], dtype=P.dtype)[y]
        return dL * (target - P) / len(y), None


# %% mistake="sign" of="softmax-function" variant="plus-one"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] += 1
        return dL * dZ / len(y), None


# %% mistake="upstream-forgotten" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dZ / len(y), None


# %% mistake="missing-batch-mean" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ, None


# %% mistake="missing-batch-mean" of="softmax-function" variant="sum-of-losses"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y, reduction="sum")

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ, None


# %% mistake="averaged-over-units" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / dZ.numel(), None


# %% mistake="target-forgotten" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        return dL * P / len(y), None


# %% mistake="softmax-wrong-axis" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=0)
        ctx.save_for_backward(P, y)
        return -torch.log(P[torch.arange(len(y)), y]).mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="softmax-wrong-axis" of="softmax-function" variant="on-the-way-back"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        ctx.save_for_backward(Z, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        Z, y = ctx.saved_tensors
        dZ = torch.softmax(Z, dim=0)
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="softmax-diagonal-only" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        target = torch.eye(P.shape[1], dtype=P.dtype)[y]
        return -dL * target * (1 - P) / len(y), None


# %% mistake="derivative-twice" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        target = torch.eye(P.shape[1], dtype=P.dtype)[y]
        return dL * (P - target) * P * (1 - P) / len(y), None


# %% mistake="softmax-before-cross-entropy" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(P, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="labels-misaligned" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        target = torch.eye(P.shape[1], dtype=P.dtype)[y.sort().values]
        return dL * (P - target) / len(y), None


# %% mistake="labels-misaligned" of="softmax-function" variant="whole-columns"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[:, y] -= 1
        return dL * dZ / len(y), None


# %% mistake="softmax-wrong-axis" of="softmax-function" variant="by-logarithms"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_P = Z - torch.logsumexp(Z, dim=0, keepdim=True)
        ctx.save_for_backward(torch.exp(log_P), y)
        return -log_P[torch.arange(len(y)), y].mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="labels-misaligned" of="softmax-function" variant="whole-columns-on-the-way-forward"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_P = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(torch.exp(log_P), y)
        return -log_P[:, y].mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="sign" of="softmax-function" variant="loss-turned-round"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_P = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(torch.exp(log_P), y)
        return log_P[torch.arange(len(y)), y].mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="detached" of="softmax-function" variant="a-number-returned"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_P = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(torch.exp(log_P), y)
        return -log_P[torch.arange(len(y)), y].mean().item()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="unstable-exp-log" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        E = torch.exp(Z)
        P = E / E.sum(dim=1, keepdim=True)
        ctx.save_for_backward(P, y)
        return -torch.log(P[torch.arange(len(y)), y]).mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="unstable-exp-log" of="softmax-function" variant="log-of-a-rounded-zero"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return -torch.log(P[torch.arange(len(y)), y]).mean()

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% mistake="in-place-on-saved" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        P[torch.arange(len(y)), y] -= 1
        return dL * P / len(y), None


# %% mistake="in-place-on-saved" of="softmax-function" variant="kept-without-a-guard"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        ctx.P, ctx.y = torch.softmax(Z, dim=1), y
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        ctx.P[torch.arange(len(ctx.y)), ctx.y] -= 1
        return dL * ctx.P / len(ctx.y), None


# %% mistake="gradients-miscounted" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y)


# %% mistake="gradients-miscounted" of="softmax-function" variant="wrong-order"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        P = torch.softmax(Z, dim=1)
        ctx.save_for_backward(P, y)
        return torch.nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        P, y = ctx.saved_tensors
        dZ = P.clone()
        dZ[torch.arange(len(y)), y] -= 1
        return None, dL * dZ / len(y)


# %% mistake="logits-for-probabilities" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_p = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(log_p, y, Z)
        return -log_p.gather(1, y[:, None]).mean()

    @staticmethod
    def backward(ctx, dL):
        log_p, y, Z = ctx.saved_tensors
        target = torch.zeros_like(log_p).scatter_(1, y[:, None], 1.0)
        return dL * (Z - target) / y.numel(), None


# %% mistake="logits-for-probabilities" of="softmax-function" variant="logarithms"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_p = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(log_p, y, Z)
        return -log_p.gather(1, y[:, None]).mean()

    @staticmethod
    def backward(ctx, dL):
        log_p, y, Z = ctx.saved_tensors
        target = torch.zeros_like(log_p).scatter_(1, y[:, None], 1.0)
        return dL * (log_p - target) / y.numel(), None


# %% mistake="local-slope-forgotten" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_p = Z - torch.logsumexp(Z, dim=1, keepdim=True)
        ctx.save_for_backward(log_p, y, Z)
        return -log_p.gather(1, y[:, None]).mean()

    @staticmethod
    def backward(ctx, dL):
        log_p, y, Z = ctx.saved_tensors
        target = torch.zeros_like(log_p).scatter_(1, y[:, None], 1.0)
        return dL * (-target / log_p.exp()) / y.numel(), None


# %% accepted="library-forward" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        ctx.save_for_backward(Z, y)
        return nn.functional.cross_entropy(Z, y)

    @staticmethod
    def backward(ctx, dL):
        Z, y = ctx.saved_tensors
        dZ = torch.softmax(Z, dim=1)
        dZ[torch.arange(len(y)), y] -= 1
        return dL * dZ / len(y), None


# %% accepted="row-by-row" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        ctx.rows, ctx.labels = [], y.tolist()
        loss = torch.zeros((), dtype=Z.dtype)
        for row, label in zip(Z, ctx.labels, strict=True):
            top = row.max()
            e = torch.exp(row - top)
            ctx.rows.append(e / e.sum())
            loss += top + torch.log(e.sum()) - row[label]
        return loss / len(ctx.labels)

    @staticmethod
    def backward(ctx, dL):
        grads = []
        for p, label in zip(ctx.rows, ctx.labels, strict=True):
            one_hot = torch.zeros_like(p)
            one_hot[label] = 1
            grads.append((p - one_hot) * dL / len(ctx.labels))
        return torch.stack(grads), None


# %% accepted="gradient-ready-in-forward" of="softmax-function"
class SoftmaxCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Z, y):
        log_p = torch.log_softmax(Z, dim=-1)
        one_hot = nn.functional.one_hot(y, Z.shape[1]).to(Z.dtype)
        ctx.save_for_backward((log_p.exp() - one_hot) / Z.shape[0])
        return -(one_hot * log_p).sum(dim=1).mean()

    @staticmethod
    def backward(ctx, dL):
        return dL * ctx.saved_tensors[0], None


# %% [markdown] exercise="parity"
# ## Two programs, one network
#
# A network D-H-C with tanh in the hidden layer and mean cross-entropy on its logits, in this book's names: `W1` (D, H), `b1` (H,), `W2` (H, C), `b2` (C,).
#
# First write `torch_loss_and_grads(params, X, y)`.
# Build the network from `nn.Linear` layers, put these numbers into them, let PyTorch work out the loss and all gradients, and return them in *our* layout: the loss as a number, and a dict with dW1, db1, dW2 and db2 as NumPy arrays, each in the shape of its parameter.
# Work in float64, as the parameters are.
#
# Then write `numpy_torch_parity(ours, theirs)`, which says how far two such dicts are apart.
# For each name divide the largest difference of two entries (without its sign) by the largest entry in either array (without its sign); where both arrays are nothing but zeros, that name counts 0.
# Return the largest of these numbers.
# Where the names or the shapes are not the same there is no sensible number: raise `ValueError`.

# %% solution="parity"
def torch_loss_and_grads(params, X, y):
    """Returns the loss, and {"dW1": ..., "db1": ..., "dW2": ..., "db2": ...} as arrays in this book's layout."""
    ### BEGIN SOLUTION
    hidden, out = nn.Linear(*params["W1"].shape), nn.Linear(*params["W2"].shape)
    for layer, number in ((hidden, 1), (out, 2)):
        layer.weight = nn.Parameter(torch.from_numpy(params[f"W{number}"].T.copy()))
        layer.bias = nn.Parameter(torch.from_numpy(params[f"b{number}"].copy()))
    loss = nn.functional.cross_entropy(out(torch.tanh(hidden(torch.tensor(X)))), torch.tensor(y))
    loss.backward()
    grads = {}
    for layer, number in ((hidden, 1), (out, 2)):
        grads[f"dW{number}"] = layer.weight.grad.numpy().T
        grads[f"db{number}"] = layer.bias.grad.numpy()
    return loss.item(), grads
    ### END SOLUTION


def numpy_torch_parity(ours, theirs):
    """Returns the largest gap between two dicts of arrays, each relative to the size of its arrays."""
    ### BEGIN SOLUTION
    if ours.keys() != theirs.keys():
        raise ValueError(f"the names differ: {sorted(ours)} and {sorted(theirs)}")
    gaps = []
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise ValueError(f"{name}: the shapes differ, {mine.shape} and {other.shape}")
        size = max(np.abs(mine).max(), np.abs(other).max())
        gaps.append(np.abs(mine - other).max() / size if size > 0 else 0.0)
    return max(gaps)
    ### END SOLUTION


# %% tests="parity" points=8
exercise = checks.exercise("parity")
cases = [(1, 6, 4, 5, 3), (2, 5, 5, 5, 5), (3, 7, 3, 4, 2)]
apart = [(1, 1e-11), (2, 0.3), (3, 0.4)]
### BEGIN HIDDEN TESTS
cases += [(7301, 8, 5, 3, 4), (7302, 6, 6, 6, 6)]
apart += [(7303, 1e-7), (7304, 2.0), (7305, 0.5)]
### END HIDDEN TESTS


def tanh_loss(p, X, y):
    """The loss of the network in NumPy."""
    out = np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    return np.mean(np.log(np.exp(out).sum(axis=1)) - out[np.arange(len(y)), y])


def rounded(answer, truth):
    """Right to six or seven digits and no more: somewhere it went through float32."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return None
    grads = answer[1] if isinstance(answer[1], dict) else dict(zip(truth, answer[1], strict=False))
    if not all(np.shape(grads.get(name)) == truth[name].shape for name in truth):
        return None
    apart = [np.abs(np.asarray(grads[name], dtype=float) - truth[name]).max() / np.abs(truth[name]).max() for name in truth]
    if 1e-10 < max(apart) < 1e-5:
        return f"the gradients are {max(apart):.0e} away from what they are in float64.", "single-precision"
    return None


for seed, *sizes in cases:
    params, X, y = draw(seed, *sizes)
    once, _ = in_numpy(params, X, y, 1.0, 1)
    truth = {"d" + name: params[name] - once[name] for name in params}
    judge = lambda answer, truth=truth: rounded(answer, truth)
    exercise.holds("torch_loss_and_grads", [params, X, y], judge, output="precision", case=f"precision, {seed}")
    exercise.gradient(
        "torch_loss_and_grads",
        lambda p: tanh_loss(p, X, y),
        params,
        args=lambda p: (p, X, y),
        with_loss=True,
        case=seed,
    )
for seed, size in apart:
    rng = np.random.default_rng(seed)
    ours = {"dW1": 1e-6 * rng.normal(size=(4, 3)), "db1": np.zeros(3), "dW2": 50 * rng.normal(size=(3, 3))}
    # Smaller than ours for one seed, larger for the next: which of them is which must not matter.
    theirs = {name: array * (1 + (-1) ** seed * size * rng.uniform(0.5, 1, array.shape)) for name, array in ours.items()}
    several = [("dW1", "db1", "dW2"), ("db1", "dW1"), ("dW2",)]
    for names in several:
        a, b = ({name: d[name] for name in names} for d in (ours, theirs))
        far = [np.abs(a[n] - b[n]).max() / max(np.abs(a[n]).max(), np.abs(b[n]).max()) for n in names if n != "db1"]
        exercise.value("numpy_torch_parity", [a, b], max(far), rtol=1e-6, case=f"{seed}: {', '.join(names)}", weight=2.0)
square = np.arange(9.0).reshape(3, 3)
exercise.refuses(
    "numpy_torch_parity", [{"db1": np.ones(3)}, {"db1": np.ones((3, 1))}], "shapes (3,) and (3, 1) went through.", "column-against-row"
)
exercise.refuses("numpy_torch_parity", [{"dW1": square}, {"dW1": square, "db1": np.ones(3)}], "a name that one of them lacks went through.")
exercise.score()


# %% mistake="linear-not-transposed" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(params["W1"]))
        model[0].bias.copy_(torch.tensor(params["b1"]))
        model[2].weight.copy_(torch.tensor(params["W2"]))
        model[2].bias.copy_(torch.tensor(params["b2"]))
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="linear-not-transposed" of="parity" variant="reshaped"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name]).reshape(parameter.shape)
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="gradient-transposed" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


# %% mistake="gradient-transposed" of="parity" variant="reshaped"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    grads = {"d" + name: p.grad.numpy() for name, p in zip(["W1", "b1", "W2", "b2"], model.parameters(), strict=True)}
    return L.item(), {name: grad.reshape(params[name[1:]].shape) for name, grad in grads.items()}


# %% mistake="single-precision" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"])))
    with torch.no_grad():
        for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
            parameter.copy_(torch.tensor(params[name].T))
    L = nn.functional.cross_entropy(model(torch.tensor(X, dtype=torch.float32)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="single-precision" of="parity" variant="half-of-it"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"])))
    with torch.no_grad():
        for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
            parameter.copy_(torch.tensor(params[name].T))
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="softmax-before-cross-entropy" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"])), nn.Softmax(dim=1)).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="missing-batch-mean" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y), reduction="sum")
    L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="no-zero-grad" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    for _ in range(2):
        L = nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
        L.backward()
    dW1, db1, dW2, db2 = [p.grad.numpy() for p in model.parameters()]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="detached" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"]))).double()
    for parameter, name in zip(model.parameters(), ["W1", "b1", "W2", "b2"], strict=True):
        parameter.data = torch.tensor(params[name].T)
    A1 = torch.tensor(model[:2](torch.tensor(X)).detach().numpy())
    L = nn.functional.cross_entropy(model[2](A1), torch.tensor(y))
    L.backward()
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    dW1, db1, dW2, db2 = [g.numpy() for g in grads]
    return L.item(), {"dW1": dW1.T, "db1": db1, "dW2": dW2.T, "db2": db2}


# %% mistake="sign" of="parity" variant="larger-than-only"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    worst = 0.0
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        size = max(np.abs(a).max(), np.abs(b).max())
        if size:
            worst = max(worst, (b - a).max() / size)
    return worst


# %% mistake="sign" of="parity" variant="smaller-than-only"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    gaps = []
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        size = max(np.abs(a).max(), np.abs(b).max())
        gaps.append((a - b).max() / size if size else 0.0)
    return max(gaps)


# %% mistake="relative-per-entry" of="parity"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    worst = 0.0
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        size = np.maximum(np.abs(a), np.abs(b))
        worst = max(worst, np.max(np.abs(a - b)[size > 0] / size[size > 0], initial=0.0))
    return worst


# %% mistake="column-against-row" of="parity"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    worst = 0.0
    for name in ours:
        a, b = ours[name], theirs[name]
        size = max(np.abs(a).max(), np.abs(b).max())
        if size:
            worst = max(worst, np.abs(a - b).max() / size)
    return worst


# %% mistake="absolute-tolerance" of="parity"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    worst = 0.0
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        worst = max(worst, np.abs(a - b).max())
    return worst


# %% mistake="absolute-tolerance" of="parity" variant="one-size-for-all"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    if any(ours[name].shape != theirs[name].shape for name in ours):
        raise ValueError("not the same shapes")
    size = max(np.abs(array).max() for d in (ours, theirs) for array in d.values())
    return max(np.abs(ours[name] - theirs[name]).max() for name in ours) / size


# %% mistake="zero-over-zero" of="parity"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    gaps = []
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        gaps.append(np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max()))
    return np.max(gaps)


# %% mistake="zero-over-zero" of="parity" variant="max-of-a-list"
def numpy_torch_parity(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError("not the same names")
    gaps = []
    for name in ours:
        a, b = ours[name], theirs[name]
        if a.shape != b.shape:
            raise ValueError(name)
        gaps.append(np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max()))
    return max(gaps)


# %% mistake="lopsided-quotient" of="parity"
def numpy_torch_parity(ours, theirs):
    if ours.keys() != theirs.keys():
        raise ValueError("names")
    gaps = []
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise ValueError("shapes")
        size = np.abs(mine).max()
        gaps.append(np.abs(mine - other).max() / size if size > 0 else 0.0)
    return max(gaps)


# %% mistake="lopsided-quotient" of="parity" variant="theirs"
def numpy_torch_parity(ours, theirs):
    if ours.keys() != theirs.keys():
        raise ValueError("names")
    gaps = []
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise ValueError("shapes")
        size = np.abs(other).max()
        gaps.append(np.abs(mine - other).max() / size if size > 0 else 0.0)
    return max(gaps)


# %% accepted="leaves-in-our-layout" of="parity"
def torch_loss_and_grads(params, X, y):
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    hidden = torch.tanh(nn.functional.linear(torch.tensor(X), leaves["W1"].T, leaves["b1"]))
    logits = hidden @ leaves["W2"] + leaves["b2"]
    loss = nn.functional.cross_entropy(logits, torch.tensor(y))
    found = torch.autograd.grad(loss, list(leaves.values()))
    return loss.item(), {"d" + name: d.numpy() for name, d in zip(leaves, found, strict=True)}


# %% accepted="sequential-and-state" of="parity"
def torch_loss_and_grads(params, X, y):
    D, H = params["W1"].shape
    model = nn.Sequential(nn.Linear(D, H), nn.Tanh(), nn.Linear(H, len(params["b2"])))
    model.double()
    keys = {"0.weight": "W1", "0.bias": "b1", "2.weight": "W2", "2.bias": "b2"}
    model.load_state_dict({key: torch.tensor(params[name].T.copy()) for key, name in keys.items()})
    loss = nn.CrossEntropyLoss()(model(torch.tensor(X)), torch.tensor(y))
    model.zero_grad()
    loss.backward()
    return float(loss), {
        "d" + keys[key]: np.ascontiguousarray(p.grad.numpy().T) for key, p in model.named_parameters()
    }


def numpy_torch_parity(ours, theirs):
    if sorted(ours) != sorted(theirs) or any(ours[n].shape != theirs[n].shape for n in ours):
        raise ValueError("different names or shapes")
    largest = 0.0
    for name in ours:
        pair = np.stack([ours[name], theirs[name]])
        if np.any(pair):
            largest = max(largest, float(np.abs(pair[0] - pair[1]).max() / np.abs(pair).max()))
    return largest


# %% accepted="copied-in" of="parity"
def torch_loss_and_grads(params, X, y):
    layers = []
    for number in (1, 2):
        layer = nn.Linear(*params[f"W{number}"].shape, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(params[f"W{number}"]).T)
            layer.bias.copy_(torch.tensor(params[f"b{number}"]))
        layers.append(layer)
    logits = layers[1](layers[0](torch.tensor(X)).tanh())
    loss = torch.logsumexp(logits, 1).mean() - logits[torch.arange(len(y)), torch.tensor(y)].mean()
    loss.backward()
    return loss.detach().numpy(), (
        layers[0].weight.grad.T.numpy(), layers[0].bias.grad.numpy(),
        layers[1].weight.grad.T.numpy(), layers[1].bias.grad.numpy(),
    )  # fmt: skip


def numpy_torch_parity(ours, theirs):
    gaps = [0.0]
    for name in set(ours) | set(theirs):
        if name not in ours or name not in theirs or np.shape(ours[name]) != np.shape(theirs[name]):
            raise ValueError(f"{name} can't be compared")
        size = np.linalg.norm(np.concatenate([ours[name].ravel(), theirs[name].ravel()]), np.inf)
        gaps.append(np.linalg.norm((ours[name] - theirs[name]).ravel(), np.inf) / (size or 1.0))
    return np.max(gaps)


# %% [markdown] exercise="train-step"
# ## One step of training, twice
#
# `Network` below is a PyTorch model whose parameters keep this book's layout; it returns logits, or plain numbers, with no activation at the end.
#
# Write one step of training for two kinds of target.
#
# - `train_step(model, optimiser, X, y)`: `y` (N,) holds labels, the model returns one logit per class, (N, C), and the loss is the mean cross-entropy.
# - `train_step_numbers(model, optimiser, X, y)`: `y` (N,) holds real numbers, the model returns one number per example, (N, 1), and the loss is the mean of the squared errors.
#
# Each takes one step with the optimiser and returns the loss *before* the step, as a plain number: it will be kept in a list for thousands of steps.
# The step must not depend on what was done before it.

# %%
class Network(nn.Module):
    """D-H-C with tanh: parameters W1 (D, H), b1 (H,), W2 (H, C), b2 (C,)."""

    def __init__(self, params):
        super().__init__()
        for name, array in params.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(array)))

    def forward(self, X):
        A1 = torch.tanh(X @ self.W1 + self.b1)
        return A1 @ self.W2 + self.b2


def run_steps(step, params, X, y, lr, steps, kind=Network):
    """A network of this kind with these parameters after `steps` steps: what it has become, as numbers and arrays."""
    model, X, y = kind(params), torch.tensor(X), torch.tensor(y)
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    losses = [step(model, sgd, X, y) for _ in range(steps)]
    if any(loss is None for loss in losses):
        raise TypeError("the step returned None: return its loss as a number")
    kept = [loss for loss in losses if isinstance(loss, torch.Tensor) and loss.grad_fn is not None]
    numbers = [loss.item() if isinstance(loss, torch.Tensor) else float(loss) for loss in losses]
    arrays = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    return {**arrays, "losses": np.array(numbers), "graphs kept": len(kept)}


# %% solution="train-step"
def train_step(model, optimiser, X, y):
    """One step on labels y (N,); returns the loss before it."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def train_step_numbers(model, optimiser, X, y):
    """One step on real targets y (N,), for a model that returns (N, 1); returns the loss before it."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    loss = nn.functional.mse_loss(model(X), y[:, None])
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def after_steps(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(train_step, params, X, y, lr, steps)


def after_steps_numbers(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(train_step_numbers, params, X, y, lr, steps)


# %% tests="train-step" points=8
exercise = checks.exercise("train-step")
cases = [(1, 6, 4, 5, 3), (2, 5, 5, 5, 5)]
### BEGIN HIDDEN TESTS
cases += [(7401, 8, 5, 3, 4), (7402, 7, 3, 6, 2)]
### END HIDDEN TESTS
for seed, N, D, H, C in cases:
    for function, labels in {"after_steps": True, "after_steps_numbers": False}.items():
        params, X, y = draw(seed, N, D, H, C if labels else 1, labels)
        after, losses = in_numpy(params, X, y, 0.1, 3)
        expected = {**after, "losses": np.array(losses), "graphs kept": 0}
        exercise.value(function, [params, X, y, 0.1, 3], expected, case=seed)
exercise.score()


# %% mistake="no-zero-grad" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="no-zero-grad" of="train-step" variant="both"
def train_step(model, optimiser, X, y):
    loss = nn.CrossEntropyLoss()(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.item()


def train_step_numbers(model, optimiser, X, y):
    loss = nn.MSELoss()(model(X)[:, 0], y)
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="zeroed-before-step" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()
    return loss.item()


# %% mistake="zeroed-before-step" of="train-step" variant="numbers"
def train_step_numbers(model, optimiser, X, y):
    loss = nn.functional.mse_loss(model(X), y[:, None])
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()
    return loss.item()


# %% mistake="softmax-before-cross-entropy" of="train-step"
def train_step(model, optimiser, X, y):
    P = torch.softmax(model(X), dim=1)
    loss = nn.functional.cross_entropy(P, y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="detached" of="train-step"
def train_step(model, optimiser, X, y):
    logits = model(X)
    L = nn.functional.cross_entropy(logits, y).item()
    loss = torch.tensor(L, requires_grad=True)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="detached" of="train-step" variant="logits"
def train_step(model, optimiser, X, y):
    logits = model(X).detach()
    loss = nn.functional.cross_entropy(logits, y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="detached" of="train-step" variant="through-numpy"
def train_step_numbers(model, optimiser, X, y):
    P = torch.tensor(model(X).tolist(), dtype=torch.float64, requires_grad=True)
    loss = ((P[:, 0] - y) ** 2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="detached" of="train-step" variant="number-before-backward"
def train_step(model, optimiser, X, y):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y).item()
    loss.backward()
    optimiser.step()
    return loss


# %% mistake="factor-two" of="train-step"
def train_step_numbers(model, optimiser, X, y):
    loss = ((model(X)[:, 0] - y) ** 2).mean() / 2
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="shape-broadcast-in-loss" of="train-step"
def train_step_numbers(model, optimiser, X, y):
    loss = ((model(X) - y) ** 2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="shape-broadcast-in-loss" of="train-step" variant="library-loss"
def train_step_numbers(model, optimiser, X, y):
    loss = nn.functional.mse_loss(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="graph-kept" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


# %% mistake="graph-kept" of="train-step" variant="both"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def train_step_numbers(model, optimiser, X, y):
    loss = ((model(X).squeeze(1) - y) ** 2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


# %% mistake="eval-or-no-grad-misplaced" of="train-step"
def train_step(model, optimiser, X, y):
    with torch.no_grad():
        logits = model(X)
    loss = nn.functional.cross_entropy(logits, y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="missing-batch-mean" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y, reduction="sum")
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="missing-batch-mean" of="train-step" variant="numbers"
def train_step_numbers(model, optimiser, X, y):
    loss = ((model(X)[:, 0] - y) ** 2).sum()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="loss-after-step" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return nn.functional.cross_entropy(model(X), y).item()


# %% mistake="loss-after-step" of="train-step" variant="numbers"
def train_step_numbers(model, optimiser, X, y):
    loss = nn.functional.mse_loss(model(X), y[:, None])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return ((model(X)[:, 0] - y) ** 2).mean().item()


# %% mistake="sign" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    (-loss).backward()
    optimiser.step()
    return loss.item()


# %% mistake="zeroed-before-step" of="train-step" variant="step-before-backward"
def train_step(model, optimiser, X, y):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.step()
    loss.backward()
    return loss.item()


# %% accepted="zeroed-at-the-end" of="train-step"
def train_step(model, optimiser, X, y):
    model.zero_grad()
    log_p = torch.log_softmax(model(X), dim=1)
    loss = nn.functional.nll_loss(log_p, y)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return float(loss.detach())


def train_step_numbers(model, optimiser, X, y):
    optimiser.zero_grad(set_to_none=False)
    loss = nn.MSELoss()(model(X).squeeze(1), y)
    loss.backward()
    optimiser.step()
    return loss.detach().numpy()


# %% accepted="gradients-handed-over" of="train-step"
def train_step(model, optimiser, X, y):
    loss = nn.CrossEntropyLoss()(model(X), y)
    for p, d in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
        p.grad = d
    optimiser.step()
    return loss.item()


def train_step_numbers(model, optimiser, X, y):
    error = model(X).flatten() - y
    loss = error @ error / len(y)
    for p, d in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
        p.grad = d
    optimiser.step()
    return loss.item()


# %% accepted="closure" of="train-step"
def train_step(model, optimiser, X, y):
    def loss_of_the_batch():
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(X), y)
        loss.backward()
        return loss

    model.train()
    return optimiser.step(loss_of_the_batch).item()


def train_step_numbers(model, optimiser, X, y):
    for p in model.parameters():
        p.grad = None
    P = model(X)
    loss = ((P - y.reshape(P.shape)) ** 2).mean()
    loss.backward()
    optimiser.step()
    return loss.detach()


# %% [markdown] exercise="five-loops"
# ## Five broken loops
#
# Below is what five training loops do in each of their steps, and each has one mistake of the PyTorch family:
# `no-zero-grad`, `softmax-before-cross-entropy`, `detached`, `in-place-on-saved`, `graph-kept`, `shape-broadcast-in-loss`, `eval-or-no-grad-misplaced`.
# No two of them have the same mistake.
# Run them with `run_steps` on a small network, look at what comes back, print shapes and `grad_fn`:
# `run_steps(broken_4, *draw(1, 6, 4, 5, 3), 0.1, 4)` takes four steps; the first loop wants `draw(1, 6, 4, 5, 1, labels=False)`, and the third `Gated` as a last argument.
#
# Say in `diagnosis` which loop has which mistake, and write each step again so that it trains the network as its author meant to: `mended_1` for `broken_1`, and so on.
# A mended step returns the loss before the step, as a plain number.
#
# `Gated`, which the third loop trains, is a stand-in for dropout that can be checked: in training mode it lets every other hidden unit through, doubled, and in evaluation mode all of them.

# %%
class Gated(Network):
    """Network whose hidden units are gated while it is in training mode."""

    def forward(self, X):
        A1 = torch.tanh(X @ self.W1 + self.b1)
        if self.training:
            A1 = A1 * (2.0 * (torch.arange(len(self.b1)) % 2 == 0))
        return A1 @ self.W2 + self.b2


def broken_1(model, sgd, X, y):
    """Real targets y (N,), and a model that returns (N, 1): the mean squared error."""
    sgd.zero_grad()
    error = model(X) - y
    L = (error**2).mean()
    L.backward()
    sgd.step()
    return L.item()


def broken_2(model, sgd, X, y):
    """Labels y (N,), cross-entropy from log-probabilities."""
    sgd.zero_grad()
    scores = model(X)
    scores -= torch.logsumexp(scores, dim=1, keepdim=True)
    L = -scores[torch.arange(len(y)), y].mean()
    L.backward()
    sgd.step()
    return L.item()


def broken_3(model, sgd, X, y):
    """Labels y (N,), cross-entropy, a Gated model, and its accuracy as it goes along."""
    sgd.zero_grad()
    L = nn.functional.cross_entropy(model(X), y)
    L.backward()
    sgd.step()
    model.eval()
    with torch.no_grad():
        print("accuracy", (model(X).argmax(dim=1) == y).double().mean().item())
    return L.item()


def broken_4(model, sgd, X, y):
    """Labels y (N,), cross-entropy."""
    sgd.zero_grad()
    L = nn.functional.cross_entropy(model(X), y)
    L.backward()
    sgd.step()
    return L


def broken_5(model, sgd, X, y):
    """Labels y (N,), cross-entropy."""
    sgd.zero_grad()
    A1 = torch.tanh(X @ model.W1 + model.b1).data
    L = nn.functional.cross_entropy(A1 @ model.W2 + model.b2, y)
    L.backward()
    sgd.step()
    return L.item()


# %% solution="five-loops"
def diagnosis():
    """Returns {"broken_1": "<name of its mistake>", ..., "broken_5": "..."}."""
    ### BEGIN SOLUTION
    return {
        "broken_1": "shape-broadcast-in-loss",
        "broken_2": "in-place-on-saved",
        "broken_3": "eval-or-no-grad-misplaced",
        "broken_4": "graph-kept",
        "broken_5": "detached",
    }
    ### END SOLUTION


def mended_1(model, optimiser, X, y):
    """broken_1, mended."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    error = model(X) - y[:, None]
    loss = (error**2).mean()
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def mended_2(model, optimiser, X, y):
    """broken_2, mended."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    logits = model(X)
    logits = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    loss = -logits[torch.arange(len(y)), y].mean()
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def mended_3(model, optimiser, X, y):
    """broken_3, mended."""
    ### BEGIN SOLUTION
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    scores = model.train(False)(X).detach()
    model.train()
    print(f"accuracy {(scores.argmax(dim=1) == y).double().mean():.2f}")
    return loss.item()
    ### END SOLUTION


def mended_4(model, optimiser, X, y):
    """broken_4, mended."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def mended_5(model, optimiser, X, y):
    """broken_5, mended."""
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    hidden = torch.tanh(X @ model.W1 + model.b1)
    loss = nn.functional.cross_entropy(hidden @ model.W2 + model.b2, y)
    loss.backward()
    optimiser.step()
    return loss.item()
    ### END SOLUTION


def after_mended_1(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(mended_1, params, X, y, lr, steps)


def after_mended_2(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(mended_2, params, X, y, lr, steps)


def after_mended_3(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(mended_3, params, X, y, lr, steps, Gated)


def after_mended_4(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(mended_4, params, X, y, lr, steps)


def after_mended_5(params, X, y, lr, steps):
    """For the check: arrays in, arrays out."""
    return run_steps(mended_5, params, X, y, lr, steps)


# %% tests="five-loops" points=10
exercise = checks.exercise("five-loops")
cases = [(1, 6, 4, 5, 3), (2, 5, 5, 5, 5)]
### BEGIN HIDDEN TESTS
cases += [(7501, 8, 5, 4, 2), (7502, 7, 3, 6, 4)]
### END HIDDEN TESTS
# Check sums of the answers, which the check can compare and you can't read.
sums = {"broken_1": 3601579765, "broken_2": 1007791268, "broken_3": 3692684821, "broken_4": 166422108, "broken_5": 2360908462}


def misread(said, loop):
    """What is wrong with the diagnosis of one loop."""
    if not isinstance(said, dict) or not isinstance(said.get(loop), str):
        return f"expected a dict with the name of the mistake of {loop}.", ""
    name = said[loop].strip().strip("`[]").lower().replace("_", "-")
    if zlib.crc32(f"{loop}: {name}".encode()) == sums[loop]:
        return None
    return f"{loop}: its mistake is not {name}. Run it, and look at what it says and returns.", ""


def differs(got, want):
    """The first thing in a summary that is not as it should be."""
    for name, value in want.items():
        mine = np.asarray(got[name], dtype=float)
        if mine.shape != np.shape(value):
            return f"{name}: shape {mine.shape}, expected {np.shape(value)}.", ""
        if not np.allclose(mine, value, rtol=1e-9, atol=1e-12):
            worst = np.unravel_index(np.argmax(np.abs(mine - value)), mine.shape)
            return f"{name}: yours {mine[worst]:.6g}, expected {np.asarray(value)[worst]:.6g}.", ""
    return None


for loop in sums:
    exercise.holds("diagnosis", [], lambda said, loop=loop: misread(said, loop), output=loop, case=loop)
for number in range(1, 6):
    for seed, N, D, H, C in cases:
        params, X, y = draw(seed, N, D, H, C if number > 1 else 1, number > 1)
        gate = 2.0 * (np.arange(H) % 2 == 0) if number == 3 else 1.0
        after, losses = in_numpy(params, X, y, 0.1, 4, gate)
        want = {**after, "losses": np.array(losses), "graphs kept": 0}
        judge = lambda got, want=want: differs(got, want)
        exercise.holds(f"after_mended_{number}", [params, X, y, 0.1, 4], judge, output=f"mended_{number}", case=f"{number}, {seed}")
exercise.score()


# %% mistake="shape-broadcast-in-loss" of="five-loops"
def mended_1(model, optimiser, X, y):
    return broken_1(model, optimiser, X, y)


# %% mistake="shape-broadcast-in-loss" of="five-loops" variant="the-wrong-one-turned"
def mended_1(model, optimiser, X, y):
    loss = ((model(X).squeeze(1) - y[:, None]) ** 2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="in-place-on-saved" of="five-loops"
def mended_2(model, optimiser, X, y):
    return broken_2(model, optimiser, X, y)


# %% mistake="detached" of="five-loops" variant="error-silenced"
def mended_2(model, optimiser, X, y):
    scores = model(X)
    scores = scores - torch.logsumexp(scores, dim=1, keepdim=True).detach()
    loss = -scores[torch.arange(len(y)), y].mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="softmax-before-cross-entropy" of="five-loops"
def mended_2(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(torch.softmax(model(X), dim=1), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="eval-or-no-grad-misplaced" of="five-loops"
def mended_3(model, optimiser, X, y):
    return broken_3(model, optimiser, X, y)


# %% mistake="eval-or-no-grad-misplaced" of="five-loops" variant="never-in-training-mode"
def mended_3(model, optimiser, X, y):
    model.eval()
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


# %% mistake="graph-kept" of="five-loops"
def mended_4(model, optimiser, X, y):
    return broken_4(model, optimiser, X, y)


# %% mistake="graph-kept" of="five-loops" variant="retained"
def mended_4(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    optimiser.zero_grad()
    loss.backward(retain_graph=True)
    optimiser.step()
    return loss * 1.0


# %% mistake="detached" of="five-loops"
def mended_5(model, optimiser, X, y):
    return broken_5(model, optimiser, X, y)


# %% mistake="no-zero-grad" of="five-loops"
def mended_5(model, optimiser, X, y):
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.item()


# %% accepted="steps-of-the-exercise-before" of="five-loops"
def mended_1(model, optimiser, X, y):
    return train_step_numbers(model, optimiser, X, y)


def mended_2(model, optimiser, X, y):
    return train_step(model, optimiser, X, y)


def mended_3(model, optimiser, X, y):
    return train_step(model.train(), optimiser, X, y)


def mended_4(model, optimiser, X, y):
    return broken_4(model, optimiser, X, y).item()


def mended_5(model, optimiser, X, y):
    return train_step(model, optimiser, X, y)


# %% accepted="other-words" of="five-loops"
def diagnosis():
    names = "shape_broadcast_in_loss, in_place_on_saved, eval_or_no_grad_misplaced, graph_kept, Detached".split(", ")
    return {f"broken_{number}": f"[{name}]" for number, name in enumerate(names, 1)}


# %% accepted="switched-back-and-cut-loose" of="five-loops"
def mended_1(model, optimiser, X, y):
    loss = torch.square(model(X).flatten() - y).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def mended_3(model, optimiser, X, y):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    model.eval()
    with torch.no_grad():
        print((model(X).argmax(dim=1) == y).double().mean())
    model.train()
    return loss.detach()


def mended_4(model, optimiser, X, y):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(model(X), y)
    loss.backward()
    optimiser.step()
    return loss.detach()


# %% [markdown] marked="slow-start" points=2
# ## A flat loss
#
# A colleague trains 10-5-1 with sigmoids, binary cross-entropy and a learning rate of 0.01 for 100 epochs.
# The loss goes from 0.706 to 0.689.
# She has printed the length of the whole gradient, all parameters together: it begins at 0.15 and is 0.12 at the end.
# "The gradient has vanished," she says, "I need another activation."
#
# Answer in four to six sentences.
# From her numbers alone, how much should the loss have fallen in these 100 epochs, and does what she saw agree with it?
# Has the gradient vanished?
# Name one change and say from the same numbers why it must help, and one measurement that would have shown a vanished gradient.
#
# ### BEGIN SOLUTION
# **Model answer.**
# A small step against the gradient changes the loss by about minus lr times the squared length of the gradient.
# With a length between 0.12 and 0.15 that is 0.01 times 0.014 to 0.023, so 0.00014 to 0.00023 for an epoch and 0.014 to 0.023 for a hundred of them: the fall of 0.017 is what the gradient promised.
# The gradient has not vanished, since its length is still four fifths of what it was, and it predicts the fall.
# What is small is the step: a learning rate a hundred times larger promises a fall of about 0.02 in each epoch as long as the gradient keeps its length, which is as much as she had in all.
# A vanished gradient would show layer by layer, as a length of the gradient at the first layer's sum or weights that is orders of magnitude below that at the last layer, or in activations that sit at 0 or 1 where the slope is nearly 0.
#
# **Rubric.**
# 2: the fall reckoned from lr times the squared length and compared, "not vanished" with that reason, a larger step justified by the same numbers, and a measurement layer by layer (or of the slopes).
# 1.5: three of these four.
# 1: says that the step is too small and gives one number that supports it.
# 0.5: says "raise the learning rate" without a reason from the numbers.
# 0: agrees that the gradient has vanished.
# ### END SOLUTION
