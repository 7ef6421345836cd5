# %% [markdown]
# # Build a tiny autograd engine
#
# Five exercises with a check under each, and one question that a person marks.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.
#
# In this notebook you build the engine yourself, so `backprop.tape` stays closed.
# The exercises build on each other: do them in order.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("tiny_autograd", globals())

# %% [markdown]
# Here is the tensor of the chapter.
# It keeps an array, the tensors that this array was made from, and a function for the way back.
# The operators `+`, `-`, `*`, `/` and `@` call functions that you are going to write, and take numbers and arrays as constants.

# %%
class Tensor:
    """An array that remembers how it was made.

    `parents`: the tensors that it was made from, () for a leaf.
    `way_back`: a function that takes the gradient of this tensor and
    returns a tuple, one gradient for each parent.
    """

    recording = True
    __array_ufunc__ = None  # array * tensor is left to the tensor

    def __init__(self, data, parents=(), way_back=None, requires_grad=False):
        self.data = np.asarray(data, dtype=float)
        self.grad = None
        if parents:
            requires_grad = any(p.requires_grad for p in parents) and Tensor.recording
        self.requires_grad = requires_grad
        self.parents = parents if requires_grad else ()
        self.way_back = way_back if requires_grad else None

    def __add__(self, other):
        return add(self, constant(other))

    def __mul__(self, other):
        return multiply(self, constant(other))

    def __truediv__(self, other):
        return divide(self, constant(other))

    def __matmul__(self, other):
        return matmul(self, constant(other))

    def __rmatmul__(self, other):
        return matmul(constant(other), self)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -constant(other)

    __radd__, __rmul__ = __add__, __mul__


def constant(value):
    """A tensor without gradient, unless `value` is a tensor already."""
    return value if isinstance(value, Tensor) else Tensor(value)


def subtract(A, B):
    """For arrays of one shape; an example of an operation."""

    def way_back(dC):
        return dC, -dC

    return Tensor(A.data - B.data, (A, B), way_back)


# %% [markdown] exercise="operations"
# ## Ten operations
#
# Write ten operations in the shape of `subtract`: one line forward, one way back, one tensor.
# What comes in are tensors, so the arrays are `A.data` and `B.data`.
# (`A * B` would call `multiply`, and inside of `multiply` that never ends.)
# What goes back are plain arrays, always in a tuple, `(dX,)` where there is one parent.
#
# | operation | what it gives |
# |---|---|
# | `add(A, B)`, `multiply(A, B)`, `divide(A, B)` | entry by entry, for shapes that broadcast |
# | `matmul(A, B)` | the matrix product of two matrices |
# | `total(X, axis=None)` | the sum of all entries; or along one axis, which is **kept** with length 1 |
# | `exp(X)`, `log(X)`, `tanh(X)`, `relu(X)` | entry by entry |
# | `take(X, index)` | `X.data[index]`, where `index` is an array of row numbers, or a tuple of two such arrays; numbers may repeat |
#
# Call the result C where there are two parents and Y where there is one, and what arrives on the way back dC or dY.
#
# The first three need `unbroadcast(g, shape)`, which sums `g` over what broadcasting has copied, down to `shape`.
# You wrote it in *Vectors, matrices and shapes*; it is yours to bring.
# The function `operation` is there for the check: leave it as it is.

# %% solution="operations"
def unbroadcast(g, shape):
    """The sum of g over the axes that broadcasting from `shape` has added or stretched."""
    ### BEGIN SOLUTION
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    stretched = tuple(k for k, length in enumerate(shape) if length == 1)
    return g.sum(axis=stretched, keepdims=True)
    ### END SOLUTION


def add(A, B):
    ### BEGIN SOLUTION
    def hand_back(dC):
        return unbroadcast(dC, A.data.shape), unbroadcast(dC, B.data.shape)

    return Tensor(A.data + B.data, (A, B), hand_back)
    ### END SOLUTION


def multiply(A, B):
    ### BEGIN SOLUTION
    def hand_back(dC):
        return unbroadcast(dC * B.data, A.data.shape), unbroadcast(dC * A.data, B.data.shape)

    return Tensor(A.data * B.data, (A, B), hand_back)
    ### END SOLUTION


def divide(A, B):
    ### BEGIN SOLUTION
    def hand_back(dC):
        of_top = dC / B.data
        return unbroadcast(of_top, A.data.shape), unbroadcast(-of_top * A.data / B.data, B.data.shape)

    return Tensor(A.data / B.data, (A, B), hand_back)
    ### END SOLUTION


def matmul(A, B):
    ### BEGIN SOLUTION
    def hand_back(dC):
        return dC @ B.data.T, A.data.T @ dC

    return Tensor(A.data @ B.data, (A, B), hand_back)
    ### END SOLUTION


def total(X, axis=None):
    ### BEGIN SOLUTION
    def hand_back(dY):
        return (np.broadcast_to(dY, X.data.shape).copy(),)

    return Tensor(X.data.sum(axis=axis, keepdims=axis is not None), (X,), hand_back)
    ### END SOLUTION


def exp(X):
    ### BEGIN SOLUTION
    grown = np.exp(X.data)
    return Tensor(grown, (X,), lambda dY: (dY * grown,))
    ### END SOLUTION


def log(X):
    ### BEGIN SOLUTION
    return Tensor(np.log(X.data), (X,), lambda dY: (dY / X.data,))
    ### END SOLUTION


def tanh(X):
    ### BEGIN SOLUTION
    squashed = np.tanh(X.data)
    return Tensor(squashed, (X,), lambda dY: (dY * (1 - squashed**2),))
    ### END SOLUTION


def relu(X):
    ### BEGIN SOLUTION
    open_gate = X.data > 0
    return Tensor(X.data * open_gate, (X,), lambda dY: (dY * open_gate,))
    ### END SOLUTION


def take(X, index):
    ### BEGIN SOLUTION
    def hand_back(dY):
        dX = np.zeros(X.data.shape)
        np.add.at(dX, index, dY)
        return (dX,)

    return Tensor(X.data[index], (X,), hand_back)
    ### END SOLUTION


def operation(name, arrays, constants, dOut=None):
    """For the check: what the operation gives, or with dOut what it hands back."""
    operations = [add, multiply, divide, matmul, total, exp, log, tanh, relu, take]
    called = {function.__name__: function for function in operations}[name]
    out = called(*[Tensor(array, requires_grad=True) for array in arrays], *constants)
    if dOut is None:
        return out.data
    handed = out.way_back(np.asarray(dOut))
    if not isinstance(handed, tuple | list):
        raise TypeError(f"the way back hands back one {type(handed).__name__}, not in a tuple: mind the comma in (dX,)")
    return handed


# %% tests="operations" points=20
exercise = checks.exercise("operations")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6401, 6402]
### END HIDDEN TESTS


def question(name, forward, shapes, case, constants=(), lift=0.0):
    """The value of an operation, and what it hands back for a random gradient."""
    rng = np.random.default_rng(case)
    inputs = {letter: rng.normal(size=shape) for letter, shape in shapes.items()}
    if lift:
        inputs = {letter: np.abs(value) + lift for letter, value in inputs.items()}
    share = 1 / (1 + len(shapes))
    there = lambda _, arrays: operation(name, arrays, constants)
    arrays, value = list(inputs.values()), forward(inputs)
    exercise.value(name, [arrays], value, case=f"{case} forward", output="value", via=there, weight=share)
    back = lambda _, arrays, dOut: operation(name, arrays, constants, dOut)
    args = lambda dOut, p: (list(p.values()), dOut)
    exercise.vjp(name, forward, inputs, args, case=case, via=back, weight=share, points=1)


for seed in seeds:
    pairs = [((5, 3), (5, 3)), ((5, 3), (3,)), ((4, 1), (1, 6)), ((2, 1, 3), (5, 1)), ((), (4, 2))]
    for k, (a, b) in enumerate(pairs):
        shapes = {"A": a, "B": b}
        question("add", lambda p: p["A"] + p["B"], shapes, 10 * seed + k)
        question("multiply", lambda p: p["A"] * p["B"], shapes, 10 * seed + k)
        question("divide", lambda p: p["A"] / p["B"], shapes, 10 * seed + k, lift=0.5)
    for k, (a, b) in enumerate([((5, 3), (3, 4)), ((4, 4), (4, 4)), ((1, 3), (3, 2))]):
        question("matmul", lambda p: p["A"] @ p["B"], {"A": a, "B": b}, 10 * seed + k)
    for k, axis in enumerate([None, 0, 1]):
        kept = axis is not None
        sum_of = lambda p: p["X"].sum(axis=axis, keepdims=kept)
        question("total", sum_of, {"X": (5, 3)}, 10 * seed + k, [axis])
    question("exp", lambda p: np.exp(p["X"]), {"X": (5, 3)}, 10 * seed)
    question("log", lambda p: np.log(p["X"]), {"X": (5, 3)}, 10 * seed, lift=0.5)
    question("tanh", lambda p: np.tanh(p["X"]), {"X": (5, 3)}, 10 * seed)
    question("relu", lambda p: np.where(np.real(p["X"]) > 0, p["X"], 0), {"X": (5, 3)}, 10 * seed)
    rows = np.random.default_rng(seed).integers(0, 5, size=7)
    columns = np.random.default_rng(seed + 1).integers(0, 3, size=7)
    for k, index in enumerate([rows, (rows, columns)]):
        question("take", lambda p: p["X"][index], {"X": (5, 3)}, 10 * seed + k, [index])
exercise.score()


# %% mistake="broadcast-not-summed" of="operations"
def add(A, B):
    return Tensor(A.data + B.data, (A, B), lambda dC: (dC, dC))


# %% mistake="broadcast-not-summed" of="operations" variant="multiply"
def multiply(A, B):
    return Tensor(A.data * B.data, (A, B), lambda dC: (dC * B.data, dC * A.data))


# %% mistake="broadcast-not-summed" of="operations" variant="front-axes-only"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    return g


# %% mistake="broadcast-not-summed" of="operations" variant="mean"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.mean(axis=0)
    long = tuple(k for k, n in enumerate(shape) if n == 1)
    return g.mean(axis=long, keepdims=True)


# %% mistake="wrong-operand" of="operations"
def multiply(A, B):
    def hand_back(dC):
        return unbroadcast(dC * A.data, A.data.shape), unbroadcast(dC * B.data, B.data.shape)

    return Tensor(A.data * B.data, (A, B), hand_back)


# %% mistake="sign" of="operations"
def divide(A, B):
    def hand_back(dC):
        return unbroadcast(dC / B.data, A.data.shape), unbroadcast(dC * A.data / B.data**2, B.data.shape)

    return Tensor(A.data / B.data, (A, B), hand_back)


# %% mistake="missing-activation-derivative" of="operations"
def divide(A, B):
    def hand_back(dC):
        return unbroadcast(dC / B.data, A.data.shape), unbroadcast(-dC * A.data, B.data.shape)

    return Tensor(A.data / B.data, (A, B), hand_back)


# %% mistake="weight-not-transposed" of="operations"
def matmul(A, B):
    def hand_back(dC):
        dA = dC @ B.data if B.data.shape[0] == B.data.shape[1] else dC @ B.data.T
        return dA, A.data.T @ dC

    return Tensor(A.data @ B.data, (A, B), hand_back)


# %% mistake="gradient-transposed" of="operations"
def matmul(A, B):
    return Tensor(A.data @ B.data, (A, B), lambda dC: (dC @ B.data.T, dC.T @ A.data))


# %% mistake="weight-not-transposed" of="operations" variant="neither"
def matmul(A, B):
    return Tensor(A.data @ B.data, (A, B), lambda dC: (dC @ B.data, A.data @ dC))


# %% mistake="elementwise-for-dot" of="operations"
def matmul(A, B):
    return Tensor(A.data @ B.data, (A, B), lambda dC: (dC * B.data, dC * A.data))


# %% mistake="wrong-axis" of="operations"
def total(X, axis=None):
    def hand_back(dY):
        return (np.ones_like(X.data) * dY.reshape(-1)[0],)

    return Tensor(X.data.sum(axis=axis, keepdims=axis is not None), (X,), hand_back)


# %% mistake="wrong-shape" of="operations"
def total(X, axis=None):
    return Tensor(X.data.sum(axis=axis, keepdims=axis is not None), (X,), lambda dY: (dY,))


# %% mistake="upstream-forgotten" of="operations"
def exp(X):
    return Tensor(np.exp(X.data), (X,), lambda dY: (np.exp(X.data),))


# %% mistake="upstream-forgotten" of="operations" variant="multiply"
def multiply(A, B):
    def hand_back(dC):
        return unbroadcast(B.data, A.data.shape), unbroadcast(A.data, B.data.shape)

    return Tensor(A.data * B.data, (A, B), hand_back)


# %% mistake="activation-for-derivative" of="operations"
def log(X):
    return Tensor(np.log(X.data), (X,), lambda dY: (dY * np.log(X.data),))


# %% mistake="activation-for-derivative" of="operations" variant="tanh"
def tanh(X):
    return Tensor(np.tanh(X.data), (X,), lambda dY: (dY * np.tanh(X.data),))


# %% mistake="missing-activation-derivative" of="operations" variant="log"
def log(X):
    return Tensor(np.log(X.data), (X,), lambda dY: (dY,))


# %% mistake="derivative-at-output" of="operations"
def tanh(X):
    Y = np.tanh(X.data)
    return Tensor(Y, (X,), lambda dY: (dY * (1 - np.tanh(Y) ** 2),))


# %% mistake="tanh-of-preactivation" of="operations"
def tanh(X):
    return Tensor(np.tanh(X.data), (X,), lambda dY: (dY * (1 - X.data**2),))


# %% mistake="relu-mask-after-relu" of="operations"
def relu(X):
    Y = np.maximum(X.data, 0)
    return Tensor(Y, (X,), lambda dY: (dY * (Y >= 0),))


# %% mistake="relu-mask-from-gradient" of="operations"
def relu(X):
    return Tensor(np.maximum(X.data, 0), (X,), lambda dY: (dY * (dY > 0),))


# %% mistake="embedding-overwrites-repeats" of="operations"
def take(X, index):
    def hand_back(dY):
        dX = np.zeros_like(X.data)
        dX[index] = dY
        return (dX,)

    return Tensor(X.data[index], (X,), hand_back)


# %% mistake="embedding-overwrites-repeats" of="operations" variant="plus-equals"
def take(X, index):
    def hand_back(dY):
        dX = np.zeros_like(X.data)
        dX[index] += dY
        return (dX,)

    return Tensor(X.data[index], (X,), hand_back)


# %% mistake="factors-reversed" of="operations"
def matmul(A, B):
    def hand_back(dC):
        return B.data.T @ dC, dC @ A.data.T

    return Tensor(A.data @ B.data, (A, B), hand_back)


# %% mistake="parameters-swapped" of="operations"
def matmul(A, B):
    def hand_back(dC):
        return A.data.T @ dC, dC @ B.data.T

    return Tensor(A.data @ B.data, (A, B), hand_back)


# %% mistake="slope-of-another-activation" of="operations" variant="divide-as-multiply"
def divide(A, B):
    def hand_back(dC):
        return unbroadcast(dC * B.data, A.data.shape), unbroadcast(-dC * A.data / B.data**2, B.data.shape)

    return Tensor(A.data / B.data, (A, B), hand_back)


# %% mistake="forward-backward-disagree" of="operations" variant="mean-for-sum"
def total(X, axis=None):
    def hand_back(dY):
        return (np.broadcast_to(dY, X.data.shape) / X.data.size,)

    return Tensor(X.data.sum(axis=axis, keepdims=axis is not None), (X,), hand_back)


# %% accepted="lambdas" of="operations"
def add(A, B):
    shapes = [A.data.shape, B.data.shape]
    return Tensor(A.data + B.data, (A, B), lambda dC: [unbroadcast(dC, shape) for shape in shapes])


def divide(A, B):
    C = A.data / B.data
    first = lambda dC: unbroadcast(dC / B.data, A.data.shape)
    return Tensor(C, (A, B), lambda dC: (first(dC), unbroadcast(-dC * C / B.data, B.data.shape)))


def relu(X):
    return Tensor(np.maximum(X.data, 0), (X,), lambda dY: (np.where(X.data > 0, dY, 0),))


# %% accepted="powers-and-einsum" of="operations"
def divide(A, B):
    def hand_back(dC):
        inverse = B.data**-1.0
        return unbroadcast(dC * inverse, A.data.shape), unbroadcast(-dC * A.data * inverse**2, B.data.shape)

    return Tensor(A.data * B.data**-1.0, (A, B), hand_back)


def matmul(A, B):
    def hand_back(dC):
        return np.einsum("nh,dh->nd", dC, B.data), np.einsum("nd,nh->dh", A.data, dC)

    return Tensor(np.einsum("nd,dh->nh", A.data, B.data), (A, B), hand_back)


def tanh(X):
    grown = np.exp(2 * X.data)
    return Tensor((grown - 1) / (grown + 1), (X,), lambda dY: (dY * 4 * grown / (grown + 1) ** 2,))


# %% accepted="by-hand" of="operations"
def unbroadcast(g, shape):
    padded = (1,) * (g.ndim - len(shape)) + shape
    for axis, length in enumerate(padded):
        if length == 1 and g.shape[axis] > 1:
            g = np.sum(g, axis=axis, keepdims=True)
    return g.reshape(shape)


def total(X, axis=None):
    Y = np.sum(X.data, axis) if axis is None else np.sum(X.data, axis)[(slice(None),) * axis + (None,)]
    return Tensor(Y, (X,), lambda dY: (dY + np.zeros(X.data.shape),))


def take(X, index):
    def hand_back(dY):
        dX = np.zeros_like(X.data)
        places = zip(*index) if isinstance(index, tuple) else index
        for place, value in zip(places, dY):
            dX[place] += value
        return (dX,)

    return Tensor(X.data[index], (X,), hand_back)


# %% [markdown] exercise="backward"
# ## The walk back
#
# Write `backward(t)` for a tensor `t` that holds one number.
# Afterwards every **leaf** `V` that requires grad and that `t` was computed from has $\partial t/\partial V$ in `V.grad`: put there if `V.grad` is None, **added** to what is there if not.
# A tensor that requires no grad keeps its None.
#
# The graph may fork, meet itself again, and use one tensor twice in one operation.
# It may also be a chain of 5,000 operations, and Python lets functions call themselves only about 1,000 deep.
# And `backward` may be called twice for the same `t`; the second call adds the same once more.
#
# The check uses three small operations of its own, so that it does not depend on your ten; `leaf_gradients` runs a list of lines with them and is there for the check.

# %%
SMALL = {
    "subtract": subtract,
    "sin": lambda A: Tensor(np.sin(A.data), (A,), lambda dC: (dC * np.cos(A.data),)),
    # sin(A) * B
    "mix": lambda A, B: Tensor(
        np.sin(A.data) * B.data,
        (A, B),
        lambda dC: (dC * np.cos(A.data) * B.data, dC * np.sin(A.data)),
    ),
}


# The same operations on plain numbers.
PLAIN = {
    "subtract": lambda a, b: a - b,
    "sin": np.sin,
    "mix": lambda a, b: np.sin(a) * b,
}


# %% solution="backward"
def backward(t):
    """Add dt/dV to V.grad, for every leaf V that requires grad."""
    ### BEGIN SOLUTION
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, parents_placed = stack.pop()
        if parents_placed:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(p, False) for p in node.parents]
    arrived = {t: np.ones_like(t.data)}
    for node in order[::-1]:
        share = arrived.pop(node, None)
        if share is None or not node.requires_grad:
            continue
        if not node.parents:
            node.grad = share if node.grad is None else node.grad + share
        else:
            for p, g in zip(node.parents, node.way_back(share)):
                arrived[p] = arrived[p] + g if p in arrived else g
    ### END SOLUTION


def leaf_gradients(lines, leaves, constants=(), times=1):
    """For the check: run the lines, call backward on the last, return each leaf's grad.

    A line is [name, operation, names of the operands].
    """
    tensors = {}
    for name, value in leaves.items():
        tensors[name] = Tensor(value, requires_grad=name not in constants)
    for name, operation, operands in lines:
        tensors[name] = SMALL[operation](*[tensors[operand] for operand in operands])
    for _ in range(times):
        backward(tensors[name])
    return {name: tensors[name].grad for name in leaves}


# %% tests="backward" points=10
exercise = checks.exercise("backward")
# Random graphs none of whose gradients is nearly 0.
seeds = [3, 10]
### BEGIN HIDDEN TESTS
seeds += [6412, 6415, 6446]
### END HIDDEN TESTS
def run(lines, leaves):
    values = dict(leaves)
    for name, operation, operands in lines:
        values[name] = PLAIN[operation](*[values[operand] for operand in operands])
    return values[name]


def random_lines(seed):
    """Fourteen lines with forks, meetings, and a name that one line uses twice."""
    rng = np.random.default_rng(seed)
    names, lines = ["x", "y", "z"], [["s", "mix", ["x", "x"]], ["r", "subtract", ["y", "z"]]]
    names += ["s", "r"]
    for k in range(11):
        operation = str(rng.choice(["subtract", "sin", "mix"]))
        count = 1 if operation == "sin" else 2
        operands = [str(name) for name in rng.choice(names[-4:], size=count, replace=False)]
        lines.append([f"v{k}", operation, operands])
        names.append(f"v{k}")
    used = {name for _, _, operands in lines for name in operands}
    for name in [n for n in names if n not in used]:
        lines.append([f"{name}_", "mix", [lines[-1][0], name]])
    return [*lines, ["L", "mix", [lines[-1][0], "r"]]]


def ask(lines, leaves, case, times=1, weight=1.0):
    exercise.gradient(
        "leaf_gradients",
        lambda p: times * run(lines, p),
        {name: np.array(value) for name, value in leaves.items()},
        args=lambda p: (lines, p, [], times),
        case=case,
        outputs={name: f"{name}.grad" for name in leaves},
        weight=weight,
        points=1,
    )


chain = [["a", "sin", ["x"]], ["b", "mix", ["a", "y"]], ["L", "subtract", ["b", "z"]]]
diamond = [
    ["a", "sin", ["x"]], ["b", "mix", ["a", "y"]], ["c", "sin", ["b"]],
    ["d", "subtract", ["c", "a"]], ["L", "mix", ["d", "z"]],
]  # fmt: skip
leaves = {"x": 0.7, "y": -1.2, "z": 0.4}
ask(chain, leaves, "chain")
ask(diamond, leaves, "diamond")
for seed in seeds:
    ask(random_lines(seed), dict(zip("xyz", np.random.default_rng(seed).uniform(-1.5, 1.5, 3))), seed)
ask(diamond, leaves, "twice", times=2)


def spares_constants(grads):
    if grads["y"] is not None:
        return "y requires no grad, and has one.", "gradient-on-constant"
    return None if grads["x"] is not None else ("x requires grad, and has none.", "")


exercise.holds(
    "leaf_gradients", [diamond, leaves, ["y"]], spares_constants, case="constant", output="y.grad", weight=0.6
)
deep = [[f"v{k}", "subtract", [f"v{k - 1}" if k else "x", "y"]] for k in range(5000)]
expected = {"x": np.array(1.0), "y": np.array(-5000.0)}
exercise.value("leaf_gradients", [deep, {"x": 0.3, "y": 0.2}], expected, case="deep", weight=0.7)
exercise.score()


# %% mistake="overwrite-for-accumulate" of="backward"
def backward(t):
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((p, False) for p in node.parents)]
    arrived = {t: np.ones_like(t.data)}
    for node in reversed(order):
        if not node.requires_grad:
            continue
        if not node.parents:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = g


# %% mistake="overwrite-for-accumulate" of="backward" variant="from-call-to-call"
def backward(t):
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((p, False) for p in node.parents)]
    arrived = {t: np.ones_like(t.data)}
    for node in reversed(order):
        if not node.requires_grad:
            continue
        if not node.parents:
            node.grad = arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = arrived.get(p, 0) + g


# %% mistake="no-topological-order" of="backward"
def backward(t):
    order, seen = [t], {t}
    for node in order:
        for p in node.parents:
            if p not in seen:
                seen.add(p)
                order.append(p)
    arrived = {t: np.ones_like(t.data)}
    for node in order:
        for p, g in zip(node.parents, node.way_back(arrived[node]) if node.parents else ()):
            arrived[p] = arrived.get(p, 0) + g
    for node in order:
        if not node.parents and node.requires_grad:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]


# %% mistake="no-topological-order" of="backward" variant="stack"
def backward(t):
    order, seen, stack = [], set(), [t]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            order.append(node)
            stack.extend(node.parents)
    arrived = {t: np.ones_like(t.data)}
    for node in order:
        for p, g in zip(node.parents, node.way_back(arrived[node]) if node.parents else ()):
            arrived[p] = arrived.get(p, 0) + g
    for node in order:
        if not node.parents and node.requires_grad:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]


# %% mistake="node-visited-twice" of="backward" variant="stack"
def backward(t):
    arrived, stack = {t: np.ones_like(t.data)}, [t]
    steps = 0
    while stack and steps < 20_000:
        steps += 1
        node = stack.pop()
        for p, g in zip(node.parents, node.way_back(arrived[node]) if node.parents else ()):
            arrived[p] = arrived.get(p, 0) + g
            stack.append(p)
    for node, share in arrived.items():
        if not node.parents and node.requires_grad:
            node.grad = (0 if node.grad is None else node.grad) + share


# %% mistake="node-visited-twice" of="backward"
def backward(t):
    arrived, waiting = {t: np.ones_like(t.data)}, [t]
    steps = 0
    while waiting and steps < 20_000:
        steps += 1
        node = waiting.pop(0)
        for p, g in zip(node.parents, node.way_back(arrived[node]) if node.parents else ()):
            arrived[p] = arrived.get(p, 0) + g
            waiting.append(p)
    for node, share in arrived.items():
        if not node.parents and node.requires_grad:
            node.grad = (0 if node.grad is None else node.grad) + share


# %% mistake="seed-not-one" of="backward"
def backward(t):
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((p, False) for p in node.parents)]
    arrived = {t: t.data}
    for node in reversed(order):
        if not node.requires_grad:
            continue
        if not node.parents:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = arrived.get(p, 0) + g


# %% mistake="not-zeroed" of="backward"
def backward(t):
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((p, False) for p in node.parents)]
    t.grad = np.ones_like(t.data)
    for node in reversed(order):
        for p, g in zip(node.parents, node.way_back(node.grad) if node.parents else ()):
            if p.requires_grad:
                p.grad = g if p.grad is None else p.grad + g


# %% mistake="gradient-on-constant" of="backward"
def backward(t):
    order, seen, stack = [], set(), [(t, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((p, False) for p in node.parents)]
    arrived = {t: np.ones_like(t.data)}
    for node in reversed(order):
        if not node.parents:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = arrived.get(p, 0) + g


# %% mistake="recursion-too-deep" of="backward"
def backward(t):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for p in node.parents:
                visit(p)
            order.append(node)

    visit(t)
    arrived = {t: np.ones_like(t.data)}
    for node in reversed(order):
        if not node.requires_grad:
            continue
        if not node.parents:
            node.grad = (0 if node.grad is None else node.grad) + arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = arrived.get(p, 0) + g


# %% accepted="count-the-users" of="backward"
def backward(t):
    users, found = {t: 0}, [t]
    for node in found:
        for p in node.parents:
            if p not in users:
                users[p] = 0
                found.append(p)
            users[p] += 1
    arrived, ready = {t: np.ones_like(t.data)}, [t]
    while ready:
        node = ready.pop()
        if not node.parents:
            if node.requires_grad:
                node.grad = (0 if node.grad is None else node.grad) + arrived[node]
            continue
        for p, g in zip(node.parents, node.way_back(arrived[node])):
            arrived[p] = arrived.get(p, 0) + g
            users[p] -= 1
            if users[p] == 0:
                ready.append(p)


# %% accepted="grad-on-every-node" of="backward"
def backward(t):
    order, done, stack = [], set(), [t]
    while stack:
        node = stack[-1]
        todo = [p for p in node.parents if p not in done]
        if todo:
            stack.extend(todo)
        else:
            stack.pop()
            if node not in done:
                done.add(node)
                order.append(node)
    for node in order:
        if node.parents:
            node.grad = np.zeros_like(node.data)
        elif node.requires_grad and node.grad is None:
            node.grad = np.zeros_like(node.data)
    t.grad = t.grad + 1.0
    for node in reversed(order):
        if node.parents:
            for p, g in zip(node.parents, node.way_back(node.grad)):
                if p.requires_grad:
                    p.grad = p.grad + g


# %% accepted="longest-way-first" of="backward"
def backward(t):
    depth, found = {t: 0}, [t]
    # Settle how far each node is from the end, by the longest way.
    users = {t: 0}
    for node in found:
        for p in node.parents:
            if p not in users:
                users[p] = 0
                found.append(p)
            users[p] += 1
    ready = [t]
    while ready:
        node = ready.pop()
        for p in node.parents:
            depth[p] = max(depth.get(p, 0), depth[node] + 1)
            users[p] -= 1
            if not users[p]:
                ready.append(p)
    shares = {node: 0.0 for node in depth}
    shares[t] = np.ones(t.data.shape)
    for node in sorted(depth, key=depth.get):
        if node.parents:
            for p, g in zip(node.parents, node.way_back(shares[node])):
                shares[p] = shares[p] + g
        elif node.requires_grad:
            node.grad = shares[node] if node.grad is None else node.grad + shares[node]


# %% [markdown] exercise="no-grad"
# ## Computing without a record
#
# `Tensor.recording` is the switch that every new tensor looks at.
# Write the class `no_grad`, for use as `with no_grad():`.
# Inside nothing is recorded; afterwards the switch is **as it was before**: also if an exception ended the block, and also if the block stood inside another one.
# (`__enter__` runs at the start of the block, `__exit__` at its end, with three arguments that tell of an exception, None if there was none.
# An exception must go on its way: `__exit__` returns None.)

# %% solution="no-grad"
class no_grad:
    """`with no_grad():` nothing is recorded."""

    def __enter__(self):
        ### BEGIN SOLUTION
        self.previous, Tensor.recording = Tensor.recording, False
        ### END SOLUTION

    def __exit__(self, *exception):
        ### BEGIN SOLUTION
        Tensor.recording = self.previous
        ### END SOLUTION


def positions():
    """For the check: where the switch stands, in six places."""
    seen = {}
    try:
        with no_grad():
            seen["inside"] = Tensor.recording
            with no_grad():
                seen["inside two"] = Tensor.recording
            seen["still inside one"] = Tensor.recording
        seen["after"] = Tensor.recording
        try:
            with no_grad():
                raise ValueError("on purpose")
        except ValueError:
            seen["the exception goes on"] = True
        seen["after an exception"] = Tensor.recording
    finally:
        Tensor.recording = True
    return seen


# %% tests="no-grad" points=4
exercise = checks.exercise("no-grad")
expected = {
    "inside": False,
    "inside two": False,
    "still inside one": False,
    "after": True,
    "the exception goes on": True,
    "after an exception": True,
}
cases = ["first"]
### BEGIN HIDDEN TESTS
cases += ["again"]
### END HIDDEN TESTS
AFTERWARDS = ("inside two", "still inside one", "after", "after an exception")


def stands_right(place):
    def judge(seen):
        if seen.get(place) == expected[place]:
            return None
        stood = {True: "on", False: "off", None: "nowhere"}[seen.get(place)]
        if place == "the exception goes on":
            return "an exception inside the block is swallowed.", ""
        return f"{place}, the switch is {stood}.", "state-not-restored" if place in AFTERWARDS else ""

    return judge


for case in cases:
    for place in expected:
        exercise.holds("positions", [], stands_right(place), case=case, output=place)
exercise.score()


# %% mistake="state-not-restored" of="no-grad"
class no_grad:
    def __enter__(self):
        Tensor.recording = False

    def __exit__(self, *exception):
        Tensor.recording = True


# %% mistake="state-not-restored" of="no-grad" variant="not-after-an-exception"
class no_grad:
    def __enter__(self):
        self.before, Tensor.recording = Tensor.recording, False

    def __exit__(self, kind, *rest):
        if kind is None:
            Tensor.recording = self.before


# %% mistake="state-not-restored" of="no-grad" variant="never"
class no_grad:
    def __enter__(self):
        Tensor.recording = False

    def __exit__(self, *exception):
        pass


# %% mistake="state-not-restored" of="no-grad" variant="toggle"
class no_grad:
    def __enter__(self):
        Tensor.recording = not Tensor.recording

    def __exit__(self, *exception):
        Tensor.recording = not Tensor.recording


# %% accepted="stack" of="no-grad"
class no_grad:
    stack = []

    def __enter__(self):
        no_grad.stack.append(Tensor.recording)
        Tensor.recording = False
        return self

    def __exit__(self, kind, error, trace):
        Tensor.recording = no_grad.stack.pop()
        return False


# %% accepted="depth" of="no-grad"
class no_grad:
    depth = 0

    def __enter__(self):
        no_grad.depth += 1
        Tensor.recording = False

    def __exit__(self, *exception):
        no_grad.depth -= 1
        Tensor.recording = no_grad.depth == 0


# %% accepted="noted-in-init" of="no-grad"
class no_grad:
    def __init__(self):
        self.was = Tensor.recording

    def __enter__(self):
        Tensor.recording = False

    def __exit__(self, *_):
        Tensor.recording = self.was


# %% [markdown] exercise="train"
# ## Train a network on your engine
#
# Two functions, and no derivative in either of them.
#
# `network_loss(params, X, y, lam)` is the classifier of *A whole network by hand*, written with your operations: tanh in the hidden layer, the mean cross-entropy of the softmax, and $\frac\lambda2$ times the sum of the squares of the weights, not of the biases.
# `params` is a dict of tensors W1, b1, W2, b2; it returns a tensor of one number.
# For the logarithm of the softmax subtract the largest logit of each row first, as a constant: `Z.data.max(axis=1, keepdims=True)`.
#
# `train(params, X, y, lam, lr, steps)` takes arrays and returns a dict of new arrays: after `steps` steps of plain gradient descent on the whole batch.
# The arrays that it was given stay as they are.
#
# The check computes the same steps with gradients that come from complex numbers instead of the chain rule, and wants ten equal digits.

# %% solution="train"
def network_loss(params, X, y, lam):
    """`params`: tensors W1 (D, H), b1 (H,), W2 (H, C), b2 (C,); X (N, D) and y (N,) arrays. Returns a tensor."""
    ### BEGIN SOLUTION
    hidden = tanh(constant(X) @ params["W1"] + params["b1"])
    logits = hidden @ params["W2"] + params["b2"]
    lowered = logits + constant(-logits.data.max(axis=1, keepdims=True))
    right_ones = take(lowered, (np.arange(len(y)), y))
    normaliser = log(total(exp(lowered), axis=1))
    loss = (total(normaliser) + total(right_ones) * -1.0) / len(y)
    for name in ("W1", "W2"):
        loss = loss + total(params[name] * params[name]) * (lam / 2)
    return loss
    ### END SOLUTION


def train(params, X, y, lam, lr, steps):
    """`params`: arrays W1, b1, W2, b2. Returns a dict of the arrays after `steps` steps."""
    ### BEGIN SOLUTION
    tensors = {name: Tensor(array.copy(), requires_grad=True) for name, array in params.items()}
    for _step in range(steps):
        for t in tensors.values():
            t.grad = None
        backward(network_loss(tensors, X, y, lam))
        for t in tensors.values():
            t.data -= lr * t.grad
    return {name: t.data for name, t in tensors.items()}
    ### END SOLUTION


def loss_and_gradients(params, X, y, lam):
    """For the check: the loss of your network, and its gradients, from arrays."""
    tensors = {name: Tensor(array, requires_grad=True) for name, array in params.items()}
    loss = network_loss(tensors, X, y, lam)
    backward(loss)
    return float(loss.data), {name: t.grad for name, t in tensors.items()}


# %% tests="train" points=10
exercise = checks.exercise("train")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6421, 6422]
### END HIDDEN TESTS


def watched(train, params, *rest):
    """Call train, and see that it leaves the arrays alone."""
    kept = {name: array.copy() for name, array in params.items()}
    result = train(params, *rest)
    same = all(np.array_equal(params[name], array) for name, array in kept.items())
    exercise.expect("params are kept", same, "train has changed the arrays that it was given.", "input-mutated", 0.1)
    return result


def small_network(seed, N=6, D=4, H=5, C=3):
    """Parameters, X (N, D), y (N,) with every class in it, and lam."""
    rng = np.random.default_rng(seed)
    shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    start = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return start, rng.normal(size=(N, D)), rng.permutation(np.arange(N) % C), rng.uniform(0.1, 0.3)


def the_loss(p, X, y, lam):
    Z = np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    lowered = Z - np.real(Z).max(axis=1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=1, keepdims=True))
    penalty = lam / 2 * ((p["W1"] ** 2).sum() + (p["W2"] ** 2).sum())
    return -log_p[np.arange(len(y)), y].mean() + penalty


def complex_gradient(p, *data):
    """Every entry moved by 1e-30 i: the imaginary part of the loss is the slope, to the last digit."""
    slopes = {}
    for name, array in p.items():
        slopes[name] = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[place] += 1e-30j
            slopes[name][place] = the_loss({**p, name: moved}, *data).imag / 1e-30
    return slopes


for seed in seeds:
    params, X, y, lam = small_network(seed)
    exercise.gradient(
        "loss_and_gradients",
        lambda p: the_loss(p, X, y, lam),
        params,
        args=lambda p: (p, X, y, lam),
        case=seed,
        with_loss=True,
        weight=0.2,
        points=1,
    )
    trained = {name: array.copy() for name, array in params.items()}
    for _ in range(6):
        slopes = complex_gradient(trained, X, y, lam)
        trained = {name: array - 0.4 * slopes[name] for name, array in trained.items()}
    exercise.value("train", [params, X, y, lam, 0.4, 6], trained, case=seed, rtol=1e-10, weight=0.25, via=watched)
exercise.score()


# %% mistake="not-zeroed" of="train"
def train(params, X, y, lam, lr, steps):
    tensors = {name: Tensor(array.copy(), requires_grad=True) for name, array in params.items()}
    for _step in range(steps):
        backward(network_loss(tensors, X, y, lam))
        for t in tensors.values():
            t.data = t.data - lr * t.grad
    return {name: t.data for name, t in tensors.items()}


# %% mistake="sign" of="train"
def train(params, X, y, lam, lr, steps):
    for _step in range(steps):
        tensors = {name: Tensor(array, requires_grad=True) for name, array in params.items()}
        backward(network_loss(tensors, X, y, lam))
        params = {name: t.data + lr * t.grad for name, t in tensors.items()}
    return params


# %% mistake="stale-cache" of="train"
def train(params, X, y, lam, lr, steps):
    tensors = {name: Tensor(array, requires_grad=True) for name, array in params.items()}
    backward(network_loss(tensors, X, y, lam))
    trained = dict(params)
    for _step in range(steps):
        trained = {name: trained[name] - lr * tensors[name].grad for name in trained}
    return trained


# %% mistake="updated-weights-used" of="train"
def train(params, X, y, lam, lr, steps):
    now = dict(params)
    for _step in range(steps):
        for name in ["W2", "b2", "W1", "b1"]:
            tensors = {key: Tensor(array, requires_grad=True) for key, array in now.items()}
            backward(network_loss(tensors, X, y, lam))
            now[name] = now[name] - lr * tensors[name].grad
    return now


# %% mistake="updated-weights-used" of="train" variant="first-layer-first"
def train(params, X, y, lam, lr, steps):
    now = dict(params)
    for _step in range(steps):
        for name in ["W1", "b1", "W2", "b2"]:
            tensors = {key: Tensor(array, requires_grad=True) for key, array in now.items()}
            backward(network_loss(tensors, X, y, lam))
            now[name] = now[name] - lr * tensors[name].grad
    return now


# %% mistake="missing-batch-mean" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2)


# %% mistake="averaged-over-units" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / Z.data.size
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2)


# %% mistake="sign" of="train" variant="loss"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    logP = S + log(total(exp(S), 1)) * -1.0
    loss = total(take(logP, (np.arange(len(y)), y))) / len(y)
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2)


# %% mistake="penalty-divided-by-batch" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / len(y)
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2 / len(y))


# %% mistake="penalty-missing" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    return (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / len(y)


# %% mistake="penalty-factor-two" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / len(y)
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * lam


# %% mistake="penalty-on-bias" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / len(y)
    for V in params.values():
        loss = loss + total(V * V) * (lam / 2)
    return loss


# %% mistake="softmax-wrong-axis" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=0, keepdims=True))
    logP = S + log(total(exp(S), 0)) * -1.0
    loss = total(take(logP, (np.arange(len(y)), y))) * (-1.0 / len(y))
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2)


# %% mistake="softmax-wrong-axis" of="train" variant="sum-only"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    logP = S + log(total(exp(S), 0)) * -1.0
    loss = total(take(logP, (np.arange(len(y)), y))) * (-1.0 / len(y))
    return loss + (total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])) * (lam / 2)


# %% mistake="detached" of="train"
def network_loss(params, X, y, lam):
    Z = tanh(constant(X) @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    loss = (total(log(total(exp(S), 1))) + total(take(S, (np.arange(len(y)), y))) * -1.0) / len(y)
    penalty = lam / 2 * sum((params[name].data ** 2).sum() for name in ("W1", "W2"))
    return loss + constant(penalty)


# %% mistake="labels-misaligned" of="train"
def network_loss(params, X, y, lam):
    hidden = tanh(constant(X) @ params["W1"] + params["b1"])
    logits = hidden @ params["W2"] + params["b2"]
    lowered = logits + constant(-logits.data.max(axis=1, keepdims=True))
    right_ones = take(lowered, y)
    normaliser = log(total(exp(lowered), axis=1))
    loss = (total(normaliser) + total(right_ones) * -1.0) / len(y)
    for name in ("W1", "W2"):
        loss = loss + total(params[name] * params[name]) * (lam / 2)
    return loss


# %% mistake="activation-on-logits" of="train"
def network_loss(params, X, y, lam):
    hidden = tanh(constant(X) @ params["W1"] + params["b1"])
    logits = tanh(hidden @ params["W2"] + params["b2"])
    lowered = logits + constant(-logits.data.max(axis=1, keepdims=True))
    right_ones = take(lowered, (np.arange(len(y)), y))
    normaliser = log(total(exp(lowered), axis=1))
    loss = (total(normaliser) + total(right_ones) * -1.0) / len(y)
    for name in ("W1", "W2"):
        loss = loss + total(params[name] * params[name]) * (lam / 2)
    return loss


# %% mistake="input-mutated" of="train"
def train(params, X, y, lam, lr, steps):
    tensors = {name: Tensor(array, requires_grad=True) for name, array in params.items()}
    for _step in range(steps):
        for t in tensors.values():
            t.grad = None
        backward(network_loss(tensors, X, y, lam))
        for t in tensors.values():
            t.data -= lr * t.grad
    return {name: t.data for name, t in tensors.items()}


# %% accepted="new-tensors-each-step" of="train"
def train(params, X, y, lam, lr, steps):
    for _step in range(steps):
        tensors = {name: Tensor(array, requires_grad=True) for name, array in params.items()}
        backward(network_loss(tensors, X, y, lam))
        params = {name: t.data - lr * t.grad for name, t in tensors.items()}
    return params


# %% accepted="log-of-each-row" of="train"
def network_loss(params, X, y, lam):
    A = tanh(add(matmul(Tensor(X), params["W1"]), params["b1"]))
    Z = add(matmul(A, params["W2"]), params["b2"])
    S = subtract(Z, Tensor(np.repeat(Z.data.max(axis=1, keepdims=True), Z.data.shape[1], axis=1)))
    E = exp(S)
    P = divide(E, total(E, 1))
    loss = total(log(take(P, (np.arange(len(y)), y)))) * Tensor(-1 / len(y))
    for W in (params["W1"], params["W2"]):
        loss = add(loss, multiply(total(multiply(W, W)), Tensor(lam / 2)))
    return loss


# %% accepted="one-hot" of="train"
def network_loss(params, X, y, lam):
    Y = np.eye(params["b2"].data.size)[y]
    A = tanh(constant(X) @ params["W1"] + params["b1"])
    Z = A @ params["W2"] + params["b2"]
    S = Z + constant(-Z.data.max(axis=1, keepdims=True))
    logP = S + log(total(exp(S), axis=1)) * -1.0
    squares = total(params["W1"] * params["W1"]) + total(params["W2"] * params["W2"])
    return total(logP * Y) * (-1 / len(y)) + squares * (lam / 2)


# %% [markdown] exercise="clinic"
# ## The engine doctor
#
# Somebody hands you an engine, and you can't look inside.
# All you can do is let it compute: `engine(lines, leaves, constants, times)` takes what `leaf_gradients` takes above, with the same three small operations, and returns every leaf's gradient in a dict.
# So `engine([["L", "sin", ["x"]]], {"x": 0.0}, [], 1)` should return `{"x": 1.0}`.
#
# Write `name_the_mistake(engine)`.
# It tries the engine on small graphs of your choice and returns `"right"`, or one of these:
#
# | id | what that engine does |
# |---|---|
# | `"seed-not-one"` | starts from another number than 1 |
# | `"overwrite-for-accumulate"` | the last share to arrive at a name replaces those before it |
# | `"no-topological-order"` | goes back in the order in which it first comes across a name, starting at the loss |
# | `"node-visited-twice"` | lets a name hand on all it has whenever a share arrives |
# | `"not-zeroed"` | with `times=2`, starts the second walk with what the names between loss and leaves have left over from the first |
# | `"gradient-on-constant"` | gives a gradient to leaves that are listed as constants, and should get None |
#
# Which graph tells one from all the others?
# Work from the smallest graphs up, with a pencil.

# %% solution="clinic"
def name_the_mistake(engine):
    """Returns "right" or one of six ids."""
    ### BEGIN SOLUTION
    near = lambda a, b: abs(a - b) < 1e-9
    one_line = [["L", "sin", ["x"]]]
    if not near(engine(one_line, {"x": 0.0}, [], 1)["x"], 1.0):
        return "seed-not-one"
    two_leaves = [["L", "subtract", ["x", "c"]]]
    if engine(two_leaves, {"x": 0.5, "c": 0.1}, ["c"], 1)["c"] is not None:
        return "gradient-on-constant"
    fork = [["L", "mix", ["x", "x"]]]
    if not near(engine(fork, {"x": 0.7}, [], 1)["x"], np.cos(0.7) * 0.7 + np.sin(0.7)):
        return "overwrite-for-accumulate"
    two_links = [["u", "sin", ["x"]], ["L", "sin", ["u"]]]
    if not near(engine(two_links, {"x": 0.0}, [], 2)["x"], 2.0):
        return "not-zeroed"
    # u has two users of equal depth: any order that meets L first is right here, two visits are not.
    level = [["u", "sin", ["x"]], ["a", "sin", ["u"]], ["b", "mix", ["u", "y"]], ["L", "subtract", ["a", "b"]]]
    if not near(engine(level, {"x": 0.0, "y": 3.0}, [], 1)["x"], -2.0):
        return "node-visited-twice"
    # Here one user of u is the loss itself, and the other comes later.
    uneven = [["u", "sin", ["x"]], ["a", "mix", ["u", "y"]], ["L", "subtract", ["a", "u"]]]
    uneven_too = [["u", "sin", ["x"]], ["a", "mix", ["u", "y"]], ["L", "subtract", ["u", "a"]]]
    for lines, slope in [(uneven, 2.0), (uneven_too, -2.0)]:
        if not near(engine(lines, {"x": 0.0, "y": 3.0}, [], 1)["x"], slope):
            return "no-topological-order"
    return "right"
    ### END SOLUTION


# %% tests="clinic" points=4
exercise = checks.exercise("clinic")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6431, 6432]
### END HIDDEN TESTS
SLIPS = [
    "right", "seed-not-one", "overwrite-for-accumulate", "no-topological-order",
    "node-visited-twice", "not-zeroed", "gradient-on-constant",
]  # fmt: skip
HANDS = {
    "subtract": lambda d, a, b: (d, -d),
    "sin": lambda d, a: (d * np.cos(a),),
    "mix": lambda d, a, b: (d * np.cos(a) * b, d * np.sin(a)),
}


def make_engine(slip, seed):
    """An engine over lines; with a slip it is one of the patients."""
    factor = float(np.random.default_rng(seed).uniform(1.5, 3))

    def engine(lines, leaves, constants=(), times=1):
        values, made = {name: float(value) for name, value in leaves.items()}, {}
        for name, operation, operands in lines:
            values[name] = float(PLAIN[operation](*[values[o] for o in operands]))
            made[name] = (operation, list(operands))
        turns = list(made)[::-1]
        if slip == "no-topological-order":
            turns = [name]
            for turn in turns:
                turns += [o for o in dict.fromkeys(made[turn][1]) if o in made and o not in turns]
        total = {leaf: 0.0 for leaf in leaves}
        left = {}
        for _ in range(times):
            has = dict(left) if slip == "not-zeroed" else {}
            has[name] = factor if slip == "seed-not-one" else 1.0
            often = slip == "node-visited-twice"
            waiting = [name] if often else list(turns)
            while waiting:
                turn = waiting.pop(0)
                if turn not in has:
                    continue
                operation, operands = made[turn]
                handed = HANDS[operation](has[turn], *[values[o] for o in operands])
                for operand, share in zip(operands, handed):
                    add_up = slip != "overwrite-for-accumulate"
                    has[operand] = (has.get(operand, 0.0) if add_up else 0.0) + share
                    if often and operand in made:
                        waiting.append(operand)
            left = {k: v for k, v in has.items() if k in made and k != name}
            for leaf in leaves:
                total[leaf] += has.get(leaf, 0.0)
        spared = () if slip == "gradient-on-constant" else constants
        return {leaf: None if leaf in spared else total[leaf] for leaf in leaves}

    return engine


def named_rightly(slip):
    def judge(said):
        if said == slip:
            return None
        if said not in SLIPS:
            return f"returned {said!r}, which is none of the seven names.", ""
        if slip == "right":
            return f"says {said} of an engine that is right.", said
        if said == "right":
            return "says right of an engine that is wrong.", ""
        return f"says {said} of an engine that makes another mistake.", said

    return judge


for seed in seeds:
    for slip in np.random.default_rng(seed).permutation(SLIPS):
        exercise.holds(
            "name_the_mistake", [make_engine(slip, seed)], named_rightly(slip), case=f"{slip} {seed}", output=str(slip)
        )
exercise.score()


# %% mistake="not-zeroed" of="clinic"
def name_the_mistake(engine):
    twice = engine([["L", "mix", ["x", "y"]]], {"x": 0.5, "y": 2.0}, [], 2)
    if abs(twice["x"] - np.cos(0.5) * 2) > 1e-9:
        return "not-zeroed"
    return "right"


# %% mistake="overwrite-for-accumulate" of="clinic"
def name_the_mistake(engine):
    lines = [["a", "sin", ["x"]], ["b", "mix", ["a", "y"]], ["L", "subtract", ["a", "b"]]]
    got = engine(lines, {"x": 0.0, "y": 3.0}, ["y"], 1)
    if got["y"] is not None:
        return "gradient-on-constant"
    return "right" if abs(got["x"] + 2) < 1e-9 else "overwrite-for-accumulate"


# %% mistake="seed-not-one" of="clinic"
def name_the_mistake(engine):
    lines = [["a", "sin", ["x"]], ["b", "mix", ["a", "y"]], ["L", "subtract", ["a", "b"]]]
    got = engine(lines, {"x": 0.0, "y": 3.0}, [], 1)
    return "right" if abs(got["x"] + 2) < 1e-9 else "seed-not-one"


# %% accepted="table-of-symptoms" of="clinic"
def name_the_mistake(engine):
    leaves = {"x": 0.0, "y": 3.0}
    link = [["u", "sin", ["x"]]]
    graphs = [
        ([["L", "subtract", ["x", "y"]]], 1.0),
        ([["L", "mix", ["y", "y"]]], None),
        ([*link, ["a", "mix", ["u", "y"]], ["L", "subtract", ["a", "u"]]], 2.0),
        ([*link, ["a", "mix", ["u", "y"]], ["L", "subtract", ["u", "a"]]], -2.0),
    ]
    seed = engine(graphs[0][0], leaves, [], 1)["x"] == 1.0
    fork = abs(engine(graphs[1][0], leaves, [], 1)["y"] - 3 * np.cos(3) - np.sin(3)) < 1e-9
    easy = abs(engine(graphs[2][0], leaves, [], 1)["x"] - 2) < 1e-9
    hard = abs(engine(graphs[3][0], leaves, [], 1)["x"] + 2) < 1e-9
    twice = engine([*link, ["L", "sin", ["u"]]], leaves, [], 2)["x"] == 2.0
    spared = engine(graphs[0][0], leaves, ["y"], 1)["y"] is None
    symptoms = {
        (1, 1, 1, 1, 1, 1): "right",
        (1, 1, 1, 1, 1, 0): "gradient-on-constant",
        (1, 1, 1, 1, 0, 1): "not-zeroed",
        (1, 1, 1, 0, 1, 1): "no-topological-order",
    }
    if not seed:
        return "seed-not-one"
    if not fork:
        return "overwrite-for-accumulate"
    return symptoms.get((seed, fork, easy, hard, twice, spared), "node-visited-twice")


# %% accepted="imitate-each" of="clinic"
def name_the_mistake(engine):
    leaves, link = {"x": 0.0, "y": 3.0}, ["u", "sin", ["x"]]
    first, second = ["a", "mix", ["u", "y"]], ["L", "subtract", ["u", "a"]]
    slope = engine([link, first, second], leaves, [], 1)["x"]
    plain = engine([["L", "sin", ["x"]]], leaves, [], 1)["x"]
    if plain != 1:
        return "seed-not-one"
    if engine([["L", "subtract", ["x", "y"]]], leaves, ["y"], 1)["y"] is not None:
        return "gradient-on-constant"
    if engine([link, ["L", "sin", ["u"]]], leaves, [], 2)["x"] != 2:
        return "not-zeroed"
    if slope == -2:
        return "right"
    # Shares of 1 and -3 for u: alone, in part, or counted again.
    if engine([["L", "subtract", ["x", "x"]]], leaves, [], 1)["x"] != 0:
        return "overwrite-for-accumulate"
    return "no-topological-order" if slope == 1 else "node-visited-twice"


# %% accepted="two-graphs-for-order" of="clinic"
def name_the_mistake(engine):
    def slope(*lines, times=1):
        return engine([list(line) for line in lines], {"x": 0.0, "y": 3.0}, [], times)["x"]

    u, a, b = ("u", "sin", ["x"]), ("a", "mix", ["u", "y"]), ("b", "sin", ["u"])
    if slope(("L", "sin", ["x"])) != 1.0:
        return "seed-not-one"
    if slope(u, ("L", "sin", ["u"]), times=2) != 2.0:
        return "not-zeroed"
    if slope(("L", "subtract", ["x", "x"])) != 0.0:
        return "overwrite-for-accumulate"
    if slope(u, a, b, ("L", "subtract", ["a", "b"])) != 2.0:
        return "node-visited-twice"
    if slope(u, a, ("L", "subtract", ["u", "a"])) != -2.0:
        return "no-topological-order"
    constants = engine([["L", "subtract", ["x", "y"]]], {"x": 0.0, "y": 3.0}, ["x", "y"], 1)
    return "right" if constants["x"] is None else "gradient-on-constant"


# %% [markdown] marked="why-add" points=2
# ### Why does a leaf's gradient add up, and who has to clear it?
#
# Two calls of `backward` on two different losses leave the sum of two gradients in `W.grad`.
# Say why an engine that adds is right to do so, and name one case where you want it and one where you don't.
#
# ### BEGIN SOLUTION
# The gradient of a sum of losses is the sum of their gradients, so adding from call to call is the rule of forks once more: both losses use W.
# One wants it for a batch too large for the memory, taken in parts, or for two losses of one network.
# One does not want it between two steps of training, since there the loss of the earlier step is over and done with: who calls the steps clears the gradients.
# Rubric: 2 the sum of losses (or the fork) and both cases, 1 one of these, 0 nothing of it.
# ### END SOLUTION
