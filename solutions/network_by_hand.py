# %% [markdown]
# # A whole network by hand
#
# Four exercises with a check under each, and one question that a person marks.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("network_by_hand", globals())

# %% [markdown] exercise="hand-table"
# ## Two tables by hand
#
# Here is a 2-2-1 network with leaky ReLU (slope 0.1) in the hidden layer and the squared error of one example as its loss.
# Column $j$ of `W1` belongs to hidden unit $j$.
#
# Take `first` through it with a pencil, forward and back: 22 numbers, none of them with more than two decimals.
# Then do the same with `second`, which is much less work; before you start, say which gradients must be 0.
#
# Write each table as `table(Z1=[[..., ...]], ...)`, every array as nested lists in the shape of the array, `L` as a number.
# The names are Z1, A1, P, L, and then dP, dW2, db2, dA1, dZ1, dW1, db1, dX.
# The check below looks at the first table, and tells you where you have gone astray: what follows rightly from your own earlier gradient keeps its marks.
# The second table is looked at when you hand in.

# %%
network = {
    "W1": np.array([[0.5, -1.5], [3.0, 2.0]]),
    "b1": np.array([-1.0, 7.0]),
    "W2": np.array([[-2.0], [0.5]]),
    "b2": np.array([0.4]),
}
first = {
    "X": np.array([[2.0, -1.0]]),
    "Y": np.array([[-0.5]]),
}
second = {
    "X": np.array([[0.0, 0.0]]),
    "Y": np.array([[4.0]]),
}


def table(**numbers):
    """The numbers of a table as float arrays, by name."""
    return {name: np.array(given, dtype=float) for name, given in numbers.items()}


# %% solution="hand-table"
def first_table():
    """Returns table(Z1=..., A1=..., P=..., L=..., dP=..., and so on)."""
    ### BEGIN SOLUTION
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 5], [1, -2.5]], db1=[-1, 2.5], dX=[[-4.25, 2]],
    )  # fmt: skip
    ### END SOLUTION


def second_table():
    """Returns the same for the example `second`."""
    ### BEGIN SOLUTION
    return table(
        Z1=[[-1, 7]], A1=[[-0.1, 7]], P=[[4.1]], L=0.01,
        dP=[[0.2]], dW2=[[-0.02], [1.4]], db2=[0.2], dA1=[[-0.4, 0.1]], dZ1=[[-0.04, 0.1]],
        dW1=[[0, 0], [0, 0]], db1=[-0.04, 0.1], dX=[[-0.17, 0.08]],
    )  # fmt: skip
    ### END SOLUTION


# %% tests="hand-table" points=8
exercise = checks.exercise("hand-table")
tables = {"first_table": first}
### BEGIN HIDDEN TESTS
tables |= {"second_table": second}
### END HIDDEN TESTS
forward = {
    "Z1": lambda v: v.X @ v.W1 + v.b1,
    "A1": lambda v: np.where(np.real(v.Z1) > 0, v.Z1, 0.1 * v.Z1),
    "P": lambda v: v.A1 @ v.W2 + v.b2,
    "L": lambda v: np.sum((v.P - v.Y) ** 2),
}
for name, example in tables.items():
    leaves = {**network, **example}
    values = grading.forward_pass(forward, leaves)
    exercise.value(name, [], {key: values[key] for key in forward}, case=name)
    wrt = ["P", "W2", "b2", "A1", "Z1", "W1", "b1", "X"]
    exercise.backward(name, forward, leaves, wrt, args=[], case=name)
exercise.score()


# %% mistake="missing-activation-derivative" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-10, 2.5]],
        dW1=[[-20, 5], [10, -2.5]], db1=[-10, 2.5], dX=[[-8.75, -25]],
    )  # fmt: skip


# %% mistake="sign" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[-5]], dW2=[[1.5], [-10]], db2=[-5], dA1=[[10, -2.5]], dZ1=[[1, -2.5]],
        dW1=[[2, -5], [-1, 2.5]], db1=[1, -2.5], dX=[[4.25, -2]],
    )  # fmt: skip


# %% mistake="factor-two" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[2.5]], dW2=[[-0.75], [5]], db2=[2.5], dA1=[[-5, 1.25]], dZ1=[[-0.5, 1.25]],
        dW1=[[-1, 2.5], [0.5, -1.25]], db1=[-0.5, 1.25], dX=[[-2.125, 1]],
    )  # fmt: skip


# %% mistake="target-forgotten" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[4]], dW2=[[-1.2], [8]], db2=[4], dA1=[[-8, 2]], dZ1=[[-0.8, 2]],
        dW1=[[-1.6, 4], [0.8, -2]], db1=[-0.8, 2], dX=[[-3.4, 1.6]],
    )  # fmt: skip


# %% mistake="activation-for-derivative" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[3, 5]],
        dW1=[[6, 10], [-3, -5]], db1=[3, 5], dX=[[-6, 19]],
    )  # fmt: skip


# %% mistake="upstream-forgotten" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-2, 0.5]], dZ1=[[-0.2, 0.5]],
        dW1=[[-0.4, 1], [0.2, -0.5]], db1=[-0.2, 0.5], dX=[[-0.85, 0.4]],
    )  # fmt: skip


# %% mistake="upstream-forgotten" of="hand-table" variant="slope-alone"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[0.1, 1]],
        dW1=[[0.2, 2], [-0.1, -1]], db1=[0.1, 1], dX=[[-1.45, 2.3]],
    )  # fmt: skip


# %% mistake="wrong-operand" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-15], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 5], [1, -2.5]], db1=[-1, 2.5], dX=[[-4.25, 2]],
    )  # fmt: skip


# %% mistake="wrong-operand" of="hand-table" variant="weight-for-input"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-0.5, -3.75], [-3, 5]], db1=[-1, 2.5], dX=[[-4.25, 2]],
    )  # fmt: skip


# %% mistake="gradient-transposed" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 1], [5, -2.5]], db1=[-1, 2.5], dX=[[-4.25, 2]],
    )  # fmt: skip


# %% mistake="weight-not-transposed" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 5], [1, -2.5]], db1=[-1, 2.5], dX=[[7, 6.5]],
    )  # fmt: skip


# %% mistake="one-path-only" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 5], [1, -2.5]], db1=[-1, 2.5], dX=[[-0.5, -3]],
    )  # fmt: skip


# %% mistake="one-path-only" of="hand-table" variant="second-unit"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[-1, 2.5]],
        dW1=[[-2, 5], [1, -2.5]], db1=[-1, 2.5], dX=[[-3.75, 5]],
    )  # fmt: skip


# %% mistake="slope-of-another-activation" of="hand-table"
def first_table():
    return table(
        Z1=[[-3, 2]], A1=[[-0.3, 2]], P=[[2]], L=6.25,
        dP=[[5]], dW2=[[-1.5], [10]], db2=[5], dA1=[[-10, 2.5]], dZ1=[[0, 2.5]],
        dW1=[[0, 5], [0, -2.5]], db1=[0, 2.5], dX=[[-3.75, 5]],
    )  # fmt: skip


# %% accepted="dict-of-arrays" of="hand-table"
def first_table():
    delta = np.array([[-1.0, 2.5]])
    return {
        "Z1": np.array([[-3.0, 2.0]]), "A1": np.array([[-3 / 10, 2.0]]), "P": np.array([[2.0]]), "L": 25 / 4,
        "dP": np.array([[5.0]]), "dW2": np.array([[-3 / 2], [10.0]]), "db2": np.array([5.0]),
        "dA1": np.array([[-10.0, 5 / 2]]), "dZ1": delta, "dW1": np.array([2 * delta[0], -delta[0]]),
        "db1": delta[0], "dX": np.array([[-17 / 4, 2.0]]),
    }  # fmt: skip


# %% accepted="reckoned-by-python" of="hand-table"
def reckon(X, Y):
    W1, b1, W2, b2 = network.values()
    Z1 = X @ W1 + b1
    slope = np.where(Z1 > 0, 1.0, 0.1)
    A1 = slope * Z1
    P = A1 @ W2 + b2
    dP = 2 * (P - Y)
    dZ1 = dP @ W2.T * slope
    return {
        "Z1": Z1, "A1": A1, "P": P, "L": float(((P - Y) ** 2).sum()),
        "dP": dP, "dW2": A1.T @ dP, "db2": dP[0], "dA1": dP @ W2.T, "dZ1": dZ1,
        "dW1": np.outer(X, dZ1), "db1": dZ1[0], "dX": dZ1 @ W1.T,
    }  # fmt: skip


def first_table():
    return reckon(**first)


def second_table():
    return reckon(**second)


# %% accepted="entry-by-entry" of="hand-table"
def first_table():
    x, (w, v), error = [2, -1], (network["W1"], network["W2"][:, 0]), 2.5
    z = [sum(x[i] * w[i, j] for i in range(2)) + network["b1"][j] for j in range(2)]
    gate = [1 if z[j] > 0 else 0.1 for j in range(2)]
    delta = [2 * error * v[j] * gate[j] for j in range(2)]
    return table(
        Z1=[z], A1=[[gate[j] * z[j] for j in range(2)]], P=[[error - 0.5]], L=error * error,
        dP=[[2 * error]], dW2=[[2 * error * gate[j] * z[j]] for j in range(2)], db2=[2 * error],
        dA1=[[2 * error * v[j] for j in range(2)]], dZ1=[delta],
        dW1=[[x[i] * delta[j] for j in range(2)] for i in range(2)], db1=delta,
        dX=[[sum(delta[j] * w[i, j] for j in range(2)) for i in range(2)]],
    )  # fmt: skip


# %% [markdown] exercise="mlp-forward"
# ## Forward through two layers
#
# A classifier for $C$ classes: tanh in the hidden layer, softmax at the end, the mean cross-entropy as its loss, and a penalty on the weights.
#
# $$
# \begin{aligned}
# Z_1 &= X W_1 + \mathbf b_1, \qquad A_1 = \tanh(Z_1) \\
# Z_2 &= A_1 W_2 + \mathbf b_2 \\
# P &= \operatorname{softmax}(Z_2) \\
# L &= -\frac 1 N \sum_n \log P_{n, y_n} \\
# &\quad + \frac \lambda 2 \Bigl(\sum_{ij} W_{1,ij}^2 + \sum_{jk} W_{2,jk}^2\Bigr)
# \end{aligned}
# $$
#
# Softmax runs along each row; `y[n]` is the number of the right class of example $n$.
# Return everything in a dict: X, Z1, A1, Z2, P and L.
# Logits can be large, so take the logarithm with the given `log_softmax`, which is safe.

# %%
def log_softmax(Z):
    """The logarithm of the softmax of every row of Z (N, C), safe."""
    lowered = Z - np.real(Z).max(axis=-1, keepdims=True)
    return lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))


def random_network(seed, N, D, H, C, scale=1.0, lift=0.0):
    """Parameters, X (N, D), y (N,) with every class in it, and lam.

    `scale` makes parameters small, `lift` makes all logits large.
    """
    rng = np.random.default_rng(seed)
    shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    params = {name: scale * rng.normal(size=size) for name, size in shapes.items()}
    params["b2"] += lift
    X, y = rng.normal(size=(N, D)), rng.permutation(np.arange(N) % C)
    return params, X, y, rng.uniform(0.2, 0.8)


# Every value in forward order, for the checks.
classifier = {
    "Z1": lambda v: v.X @ v.W1 + v.b1,
    "A1": lambda v: np.tanh(v.Z1),
    "Z2": lambda v: v.A1 @ v.W2 + v.b2,
    "logP": lambda v: log_softmax(v.Z2),
    "L": lambda v: (
        -v.logP[np.arange(len(v.y)), v.y].mean()
        + v.lam / 2 * ((v.W1**2).sum() + (v.W2**2).sum())
    ),
}


# %% solution="mlp-forward"
def mlp_forward(params, X, y, lam):
    """Returns a dict with X, Z1, A1, Z2, P and L.

    `params` is a dict with W1 (D, H), b1 (H,), W2 (H, C), b2 (C,);
    X is (N, D), y (N,) holds labels from 0 to C - 1, lam is a number.
    """
    ### BEGIN SOLUTION
    hidden_sum = X @ params["W1"] + params["b1"]
    hidden = np.tanh(hidden_sum)
    logits = hidden @ params["W2"] + params["b2"]
    log_p = log_softmax(logits)
    data_loss = -np.mean(log_p[np.arange(len(y)), y])
    price = lam / 2 * (np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2))
    return {"X": X, "Z1": hidden_sum, "A1": hidden, "Z2": logits, "P": np.exp(log_p), "L": data_loss + price}
    ### END SOLUTION


# %% tests="mlp-forward" points=6
exercise = checks.exercise("mlp-forward")
cases = [(1, 6, 4, 5, 3, 1.0), (2, 5, 5, 5, 5, 1.0), (3, 7, 3, 4, 2, 0.01), (4, 6, 4, 5, 3, 1.0, 900.0)]
### BEGIN HIDDEN TESTS
cases += [(6101, 8, 2, 6, 4, 1.0), (6102, 6, 6, 6, 6, 1.0), (6103, 9, 5, 3, 4, 0.02), (6104, 5, 3, 4, 2, 1.0, 1000.0)]
### END HIDDEN TESTS
for seed, *sizes in cases:
    params, X, y, lam = random_network(seed, *sizes)
    values = grading.forward_pass(classifier, {**params, "X": X, "y": y, "lam": lam})
    expected = {"Z1": values["Z1"], "A1": values["A1"], "Z2": values["Z2"], "P": np.exp(values["logP"]), "L": values["L"]}
    exercise.value("mlp_forward", [params, X, y, lam], expected, case=seed)
exercise.score()


# %% mistake="penalty-missing" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), y].mean()
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="penalty-factor-two" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), y].mean()
    L += lam * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="penalty-divided-by-batch" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), y].mean()
    L += lam / 2 / len(y) * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="penalty-on-bias" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), y].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in params)
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="missing-batch-mean" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), y].sum()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="sign" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = logP[np.arange(len(y)), y].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="labels-misaligned" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[:, y].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="labels-misaligned" of="mlp-forward" variant="sorted"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2)
    L = -logP[np.arange(len(y)), np.sort(y)].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="softmax-wrong-axis" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    logP = log_softmax(Z2.T).T
    L = -logP[np.arange(len(y)), y].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": np.exp(logP), "L": L}


# %% mistake="unstable-exp-log" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    P = np.exp(Z2) / np.exp(Z2).sum(axis=1, keepdims=True)
    logP = np.log(P)
    L = -logP[np.arange(len(y)), y].mean()
    L += lam / 2 * sum((params[name] ** 2).sum() for name in ["W1", "W2"])
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": P, "L": L}


# %% accepted="loop-over-examples" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    values = {"X": X, "Z1": [], "A1": [], "Z2": [], "P": []}
    losses = []
    for x, label in zip(X, y, strict=True):
        values["Z1"].append(x @ params["W1"] + params["b1"])
        values["A1"].append(np.tanh(values["Z1"][-1]))
        values["Z2"].append(values["A1"][-1] @ params["W2"] + params["b2"])
        row = log_softmax(values["Z2"][-1])
        values["P"].append(np.exp(row))
        losses.append(-row[label])
    values["L"] = np.mean(losses) + lam / 2 * (np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2))
    return {name: np.array(value) for name, value in values.items()}


# %% accepted="one-hot" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    W1, b1, W2, b2 = (params[name] for name in ["W1", "b1", "W2", "b2"])
    cache = {"X": X}
    cache["Z1"] = np.dot(X, W1) + b1
    cache["A1"] = np.tanh(cache["Z1"])
    cache["Z2"] = np.dot(cache["A1"], W2) + b2
    cache["P"] = np.exp(log_softmax(cache["Z2"]))
    targets = np.eye(W2.shape[1])[y]
    cache["L"] = -(targets * log_softmax(cache["Z2"])).sum() / len(X)
    cache["L"] += 0.5 * lam * (np.vdot(W1, W1) + np.vdot(W2, W2))
    return cache


# %% accepted="own-stable-softmax" of="mlp-forward"
def mlp_forward(params, X, y, lam):
    Z1 = np.einsum("nd,dh->nh", X, params["W1"]) + params["b1"]
    A1 = 1 - 2 / (1 + np.exp(2 * Z1))
    Z2 = np.einsum("nh,hc->nc", A1, params["W2"]) + params["b2"]
    top = Z2.max(axis=1)
    E = np.exp(Z2 - top[:, None])
    right = Z2[np.arange(len(X)), y]
    loss = (top + np.log(E.sum(axis=1)) - right).sum() / len(X)
    norm = np.linalg.norm(params["W1"]) ** 2 + np.linalg.norm(params["W2"]) ** 2
    return {"X": X, "Z1": Z1, "A1": A1, "Z2": Z2, "P": E / E.sum(axis=1)[:, None], "L": loss + lam * norm / 2}


# %% [markdown] exercise="mlp-backward"
# ## Back through two layers
#
# Now the way back through the same network.
# `cache` is what a right forward pass returned: X, Z1, A1, Z2, P and L.
# Return every gradient in a dict: dZ2, dW2, db2, dA1, dZ1, dW1, db1 and dX, each in the shape of its value.
#
# Work from the loss to the input, one line for each, and use each result in the next.
# Use NumPy only.
# Go straight from the loss to the logits: softmax and cross-entropy have one short gradient together, which *Activations and losses* derives.
# If one gradient is wrong, the later ones are judged by what you fed into them: they keep their marks where they are right.

# %% solution="mlp-backward"
def mlp_backward(params, cache, y, lam):
    """Returns a dict with dZ2, dW2, db2, dA1, dZ1, dW1, db1 and dX.

    `params`, y and lam are those of the forward pass, `cache` what it returned.
    """
    ### BEGIN SOLUTION
    N, C = cache["P"].shape
    grads = {"dZ2": (cache["P"] - np.eye(C)[y]) / N}
    grads["dW2"] = cache["A1"].T @ grads["dZ2"] + lam * params["W2"]
    grads["db2"] = grads["dZ2"].sum(axis=0)
    grads["dA1"] = grads["dZ2"] @ params["W2"].T
    grads["dZ1"] = grads["dA1"] * (1 - cache["A1"] ** 2)
    grads["dW1"] = cache["X"].T @ grads["dZ1"] + lam * params["W1"]
    grads["db1"] = grads["dZ1"].sum(axis=0)
    grads["dX"] = grads["dZ1"] @ params["W1"].T
    return grads
    ### END SOLUTION


# %% tests="mlp-backward" points=18
exercise = checks.exercise("mlp-backward")
cases = [(1, 6, 4, 5, 3, 1.0), (2, 5, 5, 5, 5, 1.0), (3, 7, 3, 4, 2, 0.01)]
### BEGIN HIDDEN TESTS
cases += [(6201, 8, 2, 6, 4, 1.0), (6202, 6, 6, 6, 6, 1.0), (6203, 9, 5, 3, 4, 0.02)]
### END HIDDEN TESTS
for seed, *sizes in cases:
    params, X, y, lam = random_network(seed, *sizes)
    leaves = {**params, "X": X, "y": y, "lam": lam}
    values = grading.forward_pass(classifier, leaves)
    cache = {"X": X, "P": np.exp(values["logP"]), **{name: values[name] for name in ["Z1", "A1", "Z2", "L"]}}
    wrt = ["Z2", "W2", "b2", "A1", "Z1", "W1", "b1", "X"]
    exercise.backward("mlp_backward", classifier, leaves, wrt, args=[params, cache, y, lam], case=seed)
exercise.score()


# %% mistake="missing-activation-derivative" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="derivative-at-output" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - np.tanh(A1) ** 2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="tanh-of-preactivation" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - Z1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="slope-of-another-activation" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="slope-of-another-activation" of="mlp-backward" variant="relu"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="activation-for-derivative" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * A1
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="upstream-forgotten" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = 1 - A1**2
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="derivative-twice" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 * P * (1 - P) / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="stale-cache" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    cache = vars(mlp_backward).setdefault("kept", cache)
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="weight-not-transposed" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="weight-not-transposed" of="mlp-backward" variant="first-layer"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="gradient-transposed" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = dZ2.T @ A1 + lam * W2.T, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = dZ1.T @ X + lam * W1.T, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="dot-for-elementwise" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 @ (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="dot-for-elementwise" of="mlp-backward" variant="transposed"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 @ (1 - A1**2).T
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="elementwise-for-dot" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1 * dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="wrong-operand" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = Z1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="wrong-operand" of="mlp-backward" variant="input"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = X.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="wrong-operand" of="mlp-backward" variant="hidden-for-input"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = A1.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="wrong-operand" of="mlp-backward" variant="gradient-for-weight"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ (A1.T @ dZ2).T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="updated-weights-used" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0)
    params["W2"] -= 0.1 * dW2
    dA1 = dZ2 @ params["W2"].T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="parameters-swapped" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW1, "db2": db1, "dA1": dA1, "dZ1": dZ1, "dW1": dW2, "db1": db2, "dX": dX}


# %% mistake="missing-batch-mean" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="extra-batch-mean" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N**2
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="extra-batch-mean" of="mlp-backward" variant="weights"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 / N + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 / N + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="bias-averaged" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.mean(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.mean(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="bias-not-summed" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2, dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1, dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="wrong-axis" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=1), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=1), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="keepdims-left" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0, keepdims=True), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0, keepdims=True), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="last-example-only" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2[-1], dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1[-1], dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="summed-over-units" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, np.full(len(params["b2"]), dZ2.sum()), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, np.full(len(params["b1"]), dZ1.sum()), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="sign" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = -dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="factor-two" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = 2 * dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="target-forgotten" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="softmax-diagonal-only" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dP = np.zeros_like(P)
    dP[np.arange(N), y] = -1 / P[np.arange(N), y] / N
    dZ2 = dP * P * (1 - P)
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="labels-misaligned" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[:, y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="labels-misaligned" of="mlp-backward" variant="sorted"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), np.sort(y)] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="softmax-wrong-axis" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = np.exp(log_softmax(cache["Z2"].T)).T
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="penalty-missing" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="penalty-factor-two" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + 2 * lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + 2 * lam * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="penalty-factor-two" of="mlp-backward" variant="halved"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam / 2 * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam / 2 * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="penalty-divided-by-batch" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam / N * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam / N * W1, dZ1.sum(axis=0), dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="penalty-on-bias" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0) + lam * params["b2"], dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1, dX = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0) + lam * params["b1"], dZ1 @ W1.T
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": dX}


# %% mistake="none-returned" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, grads = len(y), {}
    grads["dZ2"] = (cache["P"] - np.eye(len(params["b2"]))[y]) / N


# %% mistake="zeros" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N, W1, W2 = len(y), params["W1"], params["W2"]
    X, Z1, A1, P = (cache[name] for name in ["X", "Z1", "A1", "P"])
    dZ2 = P.copy()
    dZ2[np.arange(N), y] -= 1
    dZ2 = dZ2 / N
    dW2, db2, dA1 = A1.T @ dZ2 + lam * W2, dZ2.sum(axis=0), dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1, db1 = X.T @ dZ1 + lam * W1, dZ1.sum(axis=0)
    return {"dZ2": dZ2, "dW2": dW2, "db2": db2, "dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1, "dX": np.zeros_like(X)}


# %% accepted="in-place" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    delta = cache["P"]
    delta[range(len(y)), y] -= 1
    delta /= len(y)
    back = np.dot(delta, params["W2"].T)
    inner = back - back * np.square(cache["A1"])
    ones = np.ones(len(y))
    return {
        "dZ2": delta, "db2": ones @ delta, "dW2": lam * params["W2"] + np.dot(cache["A1"].T, delta),
        "dZ1": inner, "db1": ones @ inner, "dW1": lam * params["W1"] + np.dot(cache["X"].T, inner),
        "dA1": back, "dX": np.dot(inner, params["W1"].T),
    }  # fmt: skip


# %% accepted="sums-over-indices" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    C = len(params["b2"])
    dZ2 = (cache["P"] - (y[:, None] == np.arange(C))) / len(y)
    dA1 = np.einsum("nc,hc->nh", dZ2, params["W2"])
    dZ1 = dA1 / np.cosh(cache["Z1"]) ** 2
    return dict(
        dZ2=dZ2, dW2=np.einsum("nh,nc->hc", cache["A1"], dZ2) + lam * params["W2"], db2=np.einsum("nc->c", dZ2), dA1=dA1,
        dZ1=dZ1, dW1=np.einsum("nd,nh->dh", cache["X"], dZ1) + lam * params["W1"], db1=np.einsum("nh->h", dZ1),
        dX=np.einsum("nh,dh->nd", dZ1, params["W1"]),
    )  # fmt: skip


# %% accepted="one-example-at-a-time" of="mlp-backward"
def mlp_backward(params, cache, y, lam):
    N = len(y)
    grads = {"dW2": lam * params["W2"], "db2": 0 * params["b2"], "dW1": lam * params["W1"], "db1": 0 * params["b1"]}
    rows = {"dZ2": [], "dA1": [], "dZ1": [], "dX": []}
    for n in range(N):
        delta2 = cache["P"][n] / N
        delta2[y[n]] -= 1 / N
        through = params["W2"] @ delta2
        delta1 = through * (1 - cache["A1"][n]) * (1 + cache["A1"][n])
        grads["dW2"] = grads["dW2"] + np.outer(cache["A1"][n], delta2)
        grads["dW1"] = grads["dW1"] + np.outer(cache["X"][n], delta1)
        grads["db2"], grads["db1"] = grads["db2"] + delta2, grads["db1"] + delta1
        for name, row in zip(rows, [delta2, through, delta1, params["W1"] @ delta1], strict=True):
            rows[name].append(row)
    return grads | {name: np.array(several) for name, several in rows.items()}


# %% [markdown] marked="delta-reused" points=2
# ## Why one array is enough
#
# A colleague writes one function for the gradient of each weight matrix, and each function starts at the loss.
# All her gradients are right.
# Explain in four to six sentences, for a network with $M$ layers: what is computed again and again, which array would save it and why that array is enough for everything below it, and how the number of matrix products grows with $M$ in her way and in yours.
#
# ### BEGIN SOLUTION
# **Model answer.**
# The gradient of the weights of layer l needs the gradient at the sum of layer l, and this needs the one of layer l + 1, and so on up to the loss.
# Her function for layer l walks that whole way again, so the steps near the loss are taken once for every layer below them.
# The gradient at the sum Z of a layer is enough for everything below, since whatever lies below reaches the loss through this Z and in no other way: by the chain rule its gradient is the gradient at Z times something local.
# Keep it, and a layer costs one product for its own weights and one to go on to the next layer.
# That makes 2M - 1 products in all, in proportion to M; hers are M + M(M - 1)/2, in proportion to the square of M.
#
# **Rubric.**
# 2: what is repeated, why the gradient at Z is enough (all paths go through it), and linear against quadratic growth.
# 1.5: what is repeated and the growth, but not why that array is enough.
# 1: says that something is reused and what, without the reason and without the growth.
# 0: no reuse named, or only "it is faster".
# ### END SOLUTION

# %% [markdown] exercise="deep-backward"
# ## Back through any number of layers
#
# `deep_forward` takes X through as many layers as there are weights: tanh in all of them but the last.
# It returns the arrays that enter the layers, X first, and at the end the sum of the last layer.
#
# Write `deep_backward(dZ, weights, layers)`.
# `dZ` is the gradient of some loss at that last sum, `layers` is what `deep_forward` returned.
# Return two lists in the order of the layers, the first layer first: the gradients of the weights, and those of the biases.
# There is no penalty here, and any $1/N$ is in `dZ` already.

# %%
def deep_forward(X, weights, biases):
    """Returns [X, A1, A2, ..., Z]: one array more than there are layers."""
    layers = [X]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(np.tanh(layers[-1] @ W + b))
    return [*layers, layers[-1] @ weights[-1] + biases[-1]]


def named(weights, biases):
    """Two lists as one dict, the last layer first."""
    params = {}
    for layer in range(len(weights), 0, -1):
        params[f"W{layer}"] = weights[layer - 1]
        params[f"b{layer}"] = biases[layer - 1]
    return params


def listed(params):
    """The dict as two lists again, the first layer first."""
    layers = range(1, len(params) // 2 + 1)
    return [params[f"W{k}"] for k in layers], [params[f"b{k}"] for k in layers]


# %% solution="deep-backward"
def deep_backward(dZ, weights, layers):
    """Returns two lists, the gradients of the weights and those of the biases."""
    ### BEGIN SOLUTION
    dWs, dbs = [], []
    for level in reversed(range(len(weights))):
        entered = layers[level]
        dWs.insert(0, entered.T @ dZ)
        dbs.insert(0, dZ.sum(axis=0))
        dZ = dZ @ weights[level].T * (1 - entered**2)
    return dWs, dbs
    ### END SOLUTION


# %% tests="deep-backward" points=6
exercise = checks.exercise("deep-backward")
cases = [(1, 6, [4, 5, 3, 7, 2], 1.0), (2, 5, [5, 5, 5, 5], 1.0), (3, 7, [3, 4, 6, 2], 0.05), (4, 6, [4, 3], 1.0)]
### BEGIN HIDDEN TESTS
cases += [(6301, 8, [3, 6, 4, 5, 2], 0.8), (6302, 6, [6, 6, 6], 1.0), (6303, 5, [2, 7, 3, 4], 0.05)]
### END HIDDEN TESTS
for seed, N, sizes, scale in cases:
    rng = np.random.default_rng(seed)
    weights = [scale * rng.normal(size=pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    biases = [scale * rng.normal(size=size) for size in sizes[1:]]
    X, dZ = rng.normal(size=(N, sizes[0])), rng.normal(size=(N, sizes[-1]))
    run = lambda p: deep_forward(X, *listed(p))
    exercise.gradient(
        "deep_backward",
        lambda p: np.sum(dZ * run(p)[-1]),
        named(weights, biases),
        args=lambda p: (dZ, listed(p)[0], run(p)),
        via=lambda f, *args: named(*f(*args)),
        watch=["deep_forward"],
        case=seed,
    )
exercise.score()


# %% mistake="missing-activation-derivative" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA
    return grads_W, grads_b


# %% mistake="derivative-at-output" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - np.tanh(layers[k]) ** 2)
    return grads_W, grads_b


# %% mistake="slope-of-another-activation" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * layers[k] * (1 - layers[k])
    return grads_W, grads_b


# %% mistake="slope-of-another-activation" of="deep-backward" variant="last-layer"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    dZ = dZ * (1 - layers[-1] ** 2)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="activation-for-derivative" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * layers[k]
    return grads_W, grads_b


# %% mistake="upstream-forgotten" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dZ = 1 - layers[k] ** 2
    return grads_W, grads_b


# %% mistake="weight-not-transposed" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k]
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="gradient-transposed" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = dZ.T @ layers[k]
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="wrong-operand" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k + 1].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="wrong-operand" of="deep-backward" variant="off-by-one"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [], []
    for W, A in zip(reversed(weights), reversed(layers), strict=False):
        grads_W.append(A.T @ dZ)
        grads_b.append(dZ.sum(axis=0))
        dZ = dZ @ W.T * (1 - A**2)
    return grads_W[::-1], grads_b[::-1]


# %% mistake="wrong-operand" of="deep-backward" variant="slope-of-the-layer-above"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k + 1] ** 2)
    return grads_W, grads_b


# %% mistake="wrong-operand" of="deep-backward" variant="weights-of-the-layer-below"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k - 1].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="bias-averaged" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.mean(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="bias-not-summed" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="wrong-axis" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=1)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="keepdims-left" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0, keepdims=True)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="extra-batch-mean" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ / len(dZ)
        grads_b[k] = dZ.sum(axis=0) / len(dZ)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="updated-weights-used" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        weights[k] -= 0.1 * grads_W[k]
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="slope-of-another-activation" of="deep-backward" variant="tanh-of-the-last-sum"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    dZ = dZ * (1 - np.tanh(layers[-1]) ** 2)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% mistake="parameters-swapped" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = layers[k].T @ dZ
        grads_b[k] = dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W[::-1], grads_b[::-1]


# %% mistake="sign" of="deep-backward"
def deep_backward(dZ, weights, layers):
    grads_W, grads_b = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        grads_W[k] = -layers[k].T @ dZ
        grads_b[k] = -dZ.sum(axis=0)
        dA = dZ @ weights[k].T
        dZ = dA * (1 - layers[k] ** 2)
    return grads_W, grads_b


# %% accepted="recursion" of="deep-backward"
def deep_backward(dZ, weights, layers):
    if not weights:
        return [], []
    *below, W = weights
    *entered, A, _ = layers
    earlier_W, earlier_b = deep_backward((dZ @ W.T) * (1 - A * A), below, [*entered, A])
    return [*earlier_W, A.T @ dZ], [*earlier_b, dZ.sum(0)]


# %% accepted="deltas-first" of="deep-backward"
def deep_backward(dZ, weights, layers):
    deltas = [dZ]
    for W, A in zip(weights[:0:-1], layers[-2:0:-1], strict=True):
        deltas.append(deltas[-1] @ W.T * (1 + A) * (1 - A))
    deltas.reverse()
    return [A.T @ d for A, d in zip(layers[:-1], deltas, strict=True)], [d.sum(axis=0) for d in deltas]


# %% accepted="columns" of="deep-backward"
def deep_backward(dZ, weights, layers):
    delta, of_weights, of_biases = dZ.T, {}, {}
    for k in reversed(range(len(weights))):
        of_weights[k] = (delta @ layers[k]).T
        of_biases[k] = delta @ np.ones(delta.shape[1])
        delta = (weights[k] @ delta) * (1 - layers[k].T ** 2)
    order = range(len(weights))
    return [of_weights[k] for k in order], [of_biases[k] for k in order]
