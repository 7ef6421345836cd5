# %% [markdown]
# # Computational graphs and reverse mode
#
# Five exercises, each followed by a cell that checks your answer, and one question that a person marks.
# Write your answer where the line `raise NotImplementedError()` stands, run that cell, then run the check under it.
# A wrong answer costs nothing until you hand the notebook in: the check says what is wrong and which mistake it looks like.
# When you are stuck, open the hints one at a time.

# %%
import numpy as np

from backprop import grading

checks = grading.Assignment("computational_graphs", globals())

# %% [markdown]
# Two exercises work on computations that your code has never seen.
# A computation is a dict: for every name, the operation and the names that it uses, in the order in which the lines are run.
# The names `x`, `y`, `z` are leaves, and the last name is `L`, the loss.
# An operation may use the same name twice, and not every name reaches `L`.

# %%
def larger(a, b):
    # Of complex numbers too, which the check uses.
    return a if np.real(a) > np.real(b) else b


OPERATIONS = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "max": larger,
    "sin": np.sin,
}


def run(graph, leaves, nudges=None):
    """The forward pass: the value of every name. A nudge is added to a value where it arises."""
    values = {}
    for name, (operation, operands) in graph.items():
        inputs = [values[operand] for operand in operands]
        value = leaves[name] if operation == "leaf" else OPERATIONS[operation](*inputs)
        values[name] = value + (nudges or {}).get(name, 0.0)
    return values


LEAVES = {"x": ("leaf", []), "y": ("leaf", []), "z": ("leaf", [])}

# A diamond with a long and a short side, and a name that is used twice by one line.
diamond = {
    **LEAVES,
    "u": ("multiply", ["x", "y"]),
    "v": ("sin", ["u"]),
    "s": ("add", ["v", "u"]),
    "q": ("multiply", ["s", "s"]),
    "m": ("max", ["q", "z"]),
    "L": ("multiply", ["m", "x"]),
}


def random_graph(seed):
    """A computation of eleven names and L, drawn at random."""
    rng = np.random.default_rng(seed)
    graph = dict(LEAVES)
    for k in range(1, 9):
        operation = str(rng.choice(list(OPERATIONS)))
        count = 1 if operation == "sin" else 2
        operands = rng.choice(list(graph)[-5:], size=count, replace=operation in ("add", "multiply"))
        graph[f"v{k}"] = (operation, [str(operand) for operand in operands])
    graph["L"] = ("add", ["v8", "v6"])
    return graph


# %% [markdown] exercise="topological-order"
# ## An order that works
#
# Somebody wrote down which names each name uses, but lost the order of the lines:
#
# ```python
# {"L": ["m", "p"], "m": ["p", "x"], "x": [], "p": ["x"]}
# ```
#
# Write `topological_order(graph)`.
# It returns every name exactly once, in a list, each name after all the names that it uses.
# For the example, `["x", "p", "m", "L"]` is right.
# Most graphs have many right orders, and any of them is accepted.

# %% solution="topological-order"
def topological_order(graph):
    """`graph` is {name: [names it uses]}; returns a list."""
    ### BEGIN SOLUTION
    order, placed = [], set()
    while len(order) < len(graph):
        for name, operands in graph.items():
            if name not in placed and placed.issuperset(operands):
                order.append(name)
                placed.add(name)
    return order
    ### END SOLUTION


# %% tests="topological-order" points=8
exercise = checks.exercise("topological-order")
seeds = [1, 2]
### BEGIN HIDDEN TESTS
seeds += [6101, 6102, 6103]
### END HIDDEN TESTS


def order_fault(graph, order):
    if not isinstance(order, (list, tuple)):
        return f"expected a list of names, got a {type(order).__name__}.", ""
    for name in sorted(graph):
        times = list(order).count(name)
        if times != 1:
            where = f"stands in the list {times} times, expected once." if times else "is not in the list."
            return f"{name} {where}", "node-visited-twice" if times else ""
    if len(order) != len(graph):
        return f"the list has {len(order)} entries, the graph {len(graph)} names.", ""
    for k, name in enumerate(order):
        for used in graph[name]:
            if used not in order[:k]:
                return f"{name} stands before {used}, which it uses.", "no-topological-order"
    return None


cards = {"L": ["m", "p"], "m": ["p", "x"], "x": [], "p": ["x"]}
exercise.holds("topological_order", [cards], lambda order: order_fault(cards, order), case="cards")
for seed in seeds:
    graph = {name: operands for name, (_, operands) in random_graph(seed).items()}
    names = list(np.random.default_rng(seed).permutation(list(graph)))
    shuffled = {str(name): graph[name] for name in names}
    exercise.holds("topological_order", [shuffled], lambda order: order_fault(shuffled, order), case=seed)
exercise.score()


# %% mistake="no-topological-order" of="topological-order"
def topological_order(graph):
    return list(graph)


# %% mistake="no-topological-order" of="topological-order" variant="loss-first"
def topological_order(graph):
    order = []
    while len(order) < len(graph):
        for name in graph:
            users = [user for user, used in graph.items() if name in used]
            if name not in order and all(user in order for user in users):
                order.append(name)
    return order


# %% mistake="no-topological-order" of="topological-order" variant="one-operand-is-enough"
def topological_order(graph):
    order = [name for name, operands in graph.items() if not operands]
    for name in order:
        for user, operands in graph.items():
            if name in operands and user not in order:
                order.append(user)
    return order


# %% mistake="no-topological-order" of="topological-order" variant="name-before-operands"
def topological_order(graph):
    order = []

    def visit(name):
        if name not in order:
            order.append(name)
            for operand in graph[name]:
                visit(operand)

    for name in graph:
        visit(name)
    return order


# %% mistake="node-visited-twice" of="topological-order"
def topological_order(graph):
    order = []

    def visit(name):
        for operand in graph[name]:
            visit(operand)
        order.append(name)

    visit("L")
    return order


# %% accepted="depth-first" of="topological-order"
def topological_order(graph):
    order, seen = [], set()

    def visit(name):
        if name in seen:
            return
        seen.add(name)
        for operand in graph[name]:
            visit(operand)
        order.append(name)

    for name in graph:
        visit(name)
    return order


# %% accepted="counting-what-is-missing" of="topological-order"
def topological_order(graph):
    missing = {name: len(set(operands)) for name, operands in graph.items()}
    ready = [name for name, count in missing.items() if count == 0]
    for done in ready:
        for name, operands in graph.items():
            if done in operands:
                missing[name] -= 1
                if missing[name] == 0:
                    ready.append(name)
    return ready


# %% accepted="sorted-by-depth" of="topological-order"
def topological_order(graph):
    depth = dict.fromkeys(graph, 0)
    for _ in graph:
        for name, operands in graph.items():
            depth[name] = max([depth[operand] + 1 for operand in operands], default=0)
    return sorted(graph, key=depth.get)


# %% accepted="from-the-end" of="topological-order"
def topological_order(graph):
    left, back = dict(graph), ()
    while left:
        used = {operand for operands in left.values() for operand in operands}
        free = next(name for name in left if name not in used)
        del left[free]
        back = (free, *back)
    return back


# %% [markdown] exercise="max-at-a-tie"
# ## The larger of two, also at a tie
#
# Write `max_shares(dm, a, b)`, the backward pass of `m = max(a, b)` for two numbers: it returns `da` and `db`.
#
# Where `a` and `b` differ, there is one right answer.
# Where they are equal there is a corner and no slope, and yet a program has to hand something back.
# Then this must hold: no share has the opposite sign of `dm`, and raising both numbers together counts as what it is, a raise of `m` by as much.
# Several answers do that, and any of them is accepted.

# %% solution="max-at-a-tie"
def max_shares(dm, a, b):
    """All arguments are floats; returns the tuple (da, db)."""
    ### BEGIN SOLUTION
    return (dm, 0.0) if a >= b else (0.0, dm)
    ### END SOLUTION


# %% tests="max-at-a-tie" points=4
exercise = checks.exercise("max-at-a-tie")
seeds = [1, 2, 3, 4]
### BEGIN HIDDEN TESTS
seeds += [6301, 6302, 6303, 6304]
### END HIDDEN TESTS
for seed in seeds:
    dm, a, b = np.random.default_rng(seed).normal(size=3)
    loss = lambda p: dm * larger(p["a"], p["b"])
    exercise.gradient("max_shares", loss, {"a": a, "b": b}, args=lambda p: (dm, p["a"], p["b"]), case=seed)

    def tie_fault(shares):
        da, db = shares.values() if isinstance(shares, dict) else shares
        if abs(da + db - dm) > 1e-9 * abs(dm):
            return f"for a = b and dm = {dm:.4g}, da + db = {da + db:.4g}: both together must get dm.", "at-a-kink"
        if min(da / dm, db / dm) < 0:
            return f"for a = b and dm = {dm:.4g}, a share has the opposite sign: {da:.4g}, {db:.4g}.", "at-a-kink"
        return None

    exercise.holds("max_shares", [dm, a, a], tie_fault, case=f"tie {seed}", weight=2)
exercise.score()


# %% mistake="at-a-kink" of="max-at-a-tie"
def max_shares(dm, a, b):
    return dm * (a >= b), dm * (b >= a)


# %% mistake="at-a-kink" of="max-at-a-tie" variant="neither"
def max_shares(dm, a, b):
    return float(a > b) * dm, float(a < b) * dm


# %% mistake="forward-backward-disagree" of="max-at-a-tie"
def max_shares(dm, a, b):
    return dm / 2, dm / 2


# %% mistake="parameters-swapped" of="max-at-a-tie"
def max_shares(dm, a, b):
    return (0.0, dm) if a > b else (dm, 0.0)


# %% mistake="upstream-forgotten" of="max-at-a-tie"
def max_shares(dm, a, b):
    return (1.0, 0.0) if a >= b else (0.0, 1.0)


# %% accepted="the-second" of="max-at-a-tie"
def max_shares(dm, a, b):
    first = float(a > b)
    return first * dm, (1 - first) * dm


# %% accepted="half-each" of="max-at-a-tie"
def max_shares(dm, a, b):
    da = dm * np.heaviside(a - b, 0.5)
    return {"da": da, "db": dm - da}


# %% accepted="by-index" of="max-at-a-tie"
def max_shares(dm, a, b):
    shares = [0.0, 0.0]
    shares[int(np.argmax([a, b]))] = dm
    return shares


# %% [markdown] exercise="backprop-scalar"
# ## Reverse mode on any graph
#
# Here a computation is a dict: for every name, the operation and the list of its operands, in the order in which the lines are run.
#
# ```python
# {"x": ("leaf", []),
#  "u": ("sin", ["x"]),
#  "L": ("multiply", ["u", "x"])}
# ```
#
# Write two functions.
# `local_slopes(operation, at)` knows the operations: `at` is the list of the operands' values, and the result is a list with the slope for each operand.
# The operations are `add`, `multiply`, `max` (of two values that are never equal), `sin` and `leaf`, which has no operands and so no slopes.
#
# `backprop_scalar(graph, values)` knows the graph, and calls the first; `values` has the value of each name.
# It returns a dict with the gradient of `L` for every name, leaves and `L` among them; 0 for a name that does not reach `L`.

# %% solution="backprop-scalar"
def local_slopes(operation, at):
    """Returns a list: a slope for each value in `at`."""
    ### BEGIN SOLUTION
    if operation == "add":
        return [1.0, 1.0]
    if operation == "multiply":
        return [at[1], at[0]]
    if operation == "max":
        return [1.0, 0.0] if at[0] > at[1] else [0.0, 1.0]
    if operation == "sin":
        return [np.cos(at[0])]
    return []
    ### END SOLUTION


def backprop_scalar(graph, values):
    """Returns {name: the gradient of L for it}."""
    ### BEGIN SOLUTION
    slope_of_L = {name: 0.0 for name in graph}
    slope_of_L["L"] = 1.0
    for name in reversed(list(graph)):
        operation, operands = graph[name]
        local = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, local, strict=True):
            slope_of_L[operand] += slope_of_L[name] * slope
    return slope_of_L
    ### END SOLUTION


# %% tests="backprop-scalar" points=14
exercise = checks.exercise("backprop-scalar")
seeds = [10, 44]
### BEGIN HIDDEN TESTS
seeds += [6216, 6217, 6235]
### END HIDDEN TESTS
for operation, count in {"add": 2, "multiply": 2, "max": 2, "sin": 1}.items():
    for seed in seeds:
        # "d(multiply)/d(operand 0)" is what the report calls the first slope of a product.
        numbers = np.random.default_rng(seed).normal(size=count)
        operands = {f"({operation})/d(operand {k})": number for k, number in enumerate(numbers)}
        exercise.gradient(
            "local_slopes",
            lambda p: OPERATIONS[operation](*p.values()),
            operands,
            via=lambda local_slopes, *at: tuple(slope * 1.0 for slope in local_slopes(operation, list(at))),
            case=f"{operation} {seed}",
        )
graphs = {"diamond": diamond, **{seed: random_graph(seed) for seed in seeds}}
leaves = {"x": 0.7, "y": 1.9, "z": 1.2}
for case, graph in graphs.items():
    values = run(graph, leaves)
    # How far does L move when one value is nudged, and all that use it follow?
    exercise.gradient(
        "backprop_scalar",
        lambda nudges: run(graph, leaves, nudges)["L"],
        dict.fromkeys(graph, 0.0),
        args=lambda nudges: (graph, values),
        case=case,
        points=1,
    )
exercise.score()


# %% mistake="overwrite-for-accumulate" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] = grads[name] * slope
    return grads


# %% mistake="seed-not-one" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = values["L"]
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += grads[name] * slope
    return grads


# %% mistake="seed-not-one" of="backprop-scalar" variant="zero"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += grads[name] * slope
    return grads


# %% mistake="no-topological-order" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    for name in graph:
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += grads[name] * slope
    return grads


# %% mistake="no-topological-order" of="backprop-scalar" variant="first-come"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    queue = ["L"]
    for name in queue:
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += grads[name] * slope
            if operand not in queue:
                queue.append(operand)
    return grads


# %% mistake="node-visited-twice" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0

    def visit(name):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += grads[name] * slope
            visit(operand)

    visit("L")
    return grads


# %% mistake="one-path-only" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = {"L": 1.0}
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            if operand not in grads:
                grads[operand] = grads.get(name, 0.0) * slope
    return {name: grads.get(name, 0.0) for name in graph}


# %% mistake="one-path-only" of="backprop-scalar" variant="same-name-twice"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in dict(zip(operands, slopes, strict=True)).items():
            grads[operand] += grads[name] * slope
    return grads


# %% mistake="paths-multiplied" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = {"L": 1.0}
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] = grads.get(operand, 1.0) * grads.get(name, 0.0) * slope
    return {name: grads.get(name, 0.0) for name in graph}


# %% mistake="upstream-forgotten" of="backprop-scalar"
def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    for name in reversed(graph):
        operation, operands = graph[name]
        slopes = local_slopes(operation, [values[operand] for operand in operands])
        for operand, slope in zip(operands, slopes, strict=True):
            grads[operand] += slope
    return grads


# %% mistake="wrong-operand" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[0], at[1]],
        "max": lambda: [float(at[0] > at[1]), float(at[0] < at[1])],
        "sin": lambda: [np.cos(at[0])],
    }[operation]()


# %% mistake="forward-backward-disagree" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [1.0, 1.0],
        "sin": lambda: [np.cos(at[0])],
    }[operation]()


# %% mistake="activation-for-derivative" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [float(at[0] > at[1]), float(at[0] < at[1])],
        "sin": lambda: [np.sin(at[0])],
    }[operation]()


# %% mistake="derivative-at-output" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [float(at[0] > at[1]), float(at[0] < at[1])],
        "sin": lambda: [np.cos(np.sin(at[0]))],
    }[operation]()


# %% mistake="missing-activation-derivative" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [float(at[0] > at[1]), float(at[0] < at[1])],
        "sin": lambda: [1.0],
    }[operation]()


# %% mistake="sign" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [float(at[0] > at[1]), float(at[0] < at[1])],
        "sin": lambda: [-np.cos(at[0])],
    }[operation]()


# %% mistake="parameters-swapped" of="backprop-scalar"
def local_slopes(operation, at):
    return {
        "leaf": lambda: [],
        "add": lambda: [1.0, 1.0],
        "multiply": lambda: [at[1], at[0]],
        "max": lambda: [float(at[0] < at[1]), float(at[0] > at[1])],
        "sin": lambda: [np.cos(at[0])],
    }[operation]()


# %% mistake="stale-cache" of="backprop-scalar"
first_values = {}


def backprop_scalar(graph, values):
    grads = dict.fromkeys(graph, 0.0)
    grads["L"] = 1.0
    for name in reversed(graph):
        operation, operands = graph[name]
        at = [first_values.setdefault(operand, values[operand]) for operand in operands]
        for operand, slope in zip(operands, local_slopes(operation, at), strict=True):
            grads[operand] += grads[name] * slope
    return grads


# %% accepted="one-name-at-a-time" of="backprop-scalar"
def backprop_scalar(graph, values):
    names = list(graph)
    total = {}
    for name in names[::-1]:
        total[name] = 1.0 if name == "L" else 0.0
        for user, (operation, operands) in graph.items():
            for k, operand in enumerate(operands):
                if operand == name:
                    other = values[operands[1 - k]] if len(operands) == 2 else None
                    if operation == "add":
                        total[name] += total[user]
                    if operation == "multiply":
                        total[name] += total[user] * other
                    if operation == "max" and values[name] > other:
                        total[name] += total[user]
                    if operation == "sin":
                        total[name] += total[user] * np.cos(values[name])
    return total


# %% accepted="recursive-with-memory" of="backprop-scalar"
def backprop_scalar(graph, values):
    known = {"L": 1.0}

    def grad(name):
        if name not in known:
            known[name] = sum(share(user, k) for user in graph for k, used in enumerate(graph[user][1]) if used == name)
        return known[name]

    def share(user, k):
        operation, operands = graph[user]
        mine, other = values[operands[k]], values[operands[1 - k]] if len(operands) > 1 else 0.0
        slope = {"add": 1.0, "multiply": other, "max": np.where(mine > other, 1.0, 0.0), "sin": np.cos(mine)}[operation]
        return grad(user) * float(slope)

    return {name: grad(name) for name in graph}


# %% accepted="forward-mode" of="backprop-scalar"
def backprop_scalar(graph, values):
    answer = {}
    for start in graph:
        moved = dict.fromkeys(graph, 0.0)
        for name, (operation, operands) in graph.items():
            if name == start:
                moved[name] = 1.0
                continue
            if operation == "add":
                moved[name] = moved[operands[0]] + moved[operands[1]]
            elif operation == "multiply":
                first, second = operands
                moved[name] = moved[first] * values[second] + values[first] * moved[second]
            elif operation == "max":
                moved[name] = moved[max(operands, key=values.get)]
            elif operation == "sin":
                moved[name] = np.cos(values[operands[0]]) * moved[operands[0]]
        answer[f"d{start}"] = moved["L"]
    return answer


# %% accepted="list-of-edges" of="backprop-scalar"
def backprop_scalar(graph, values):
    edges = []
    for name, (operation, operands) in graph.items():
        if operation == "sin":
            edges.append((operands[0], name, np.cos(values[operands[0]])))
        elif operation != "leaf":
            a, b = operands
            if operation == "add":
                pair = 1, 1
            elif operation == "multiply":
                pair = values[b], values[a]
            else:
                pair = int(values[a] >= values[b]), int(values[b] > values[a])
            edges += [(a, name, pair[0]), (b, name, pair[1])]
    d = {name: np.float64(name == "L") for name in graph}
    for tail, head, slope in edges[::-1]:
        d[tail] = d[tail] + d[head] * slope
    return d


# %% [markdown] exercise="missing-edge"
# ## Find the missing edge
#
# A computation with two leaves, `r` and `g`:
#
# $$
# \begin{aligned}
# p &= r g & q &= p + r \\
# s &= \sin q & t &= s p \\
# m &= q t & L &= m + p
# \end{aligned}
# $$
#
# Someone drew its graph, forgot one edge, and went backwards along the edges that are there.
# The cell below shows the gradients that came out, beside those that finite differences see.
#
# Which edge was forgotten?
# Return it as a pair of names: first the name that is used, then the line that uses it; `("r", "p")` is an edge of this graph.
# Go backwards to the first gradient that is wrong.
# It tells you where the edge begins; the number that is there instead of the right one tells you which use was forgotten.

# %%
def puzzle(r, g, name="", h=0.0):
    """The value of every name; h is added to that of `name`."""
    n = dict.fromkeys("rgpqstmL", 0.0) | {name: h}
    r, g = r + n["r"], g + n["g"]
    p = r * g + n["p"]
    q = p + r + n["q"]
    s = np.sin(q) + n["s"]
    t = s * p + n["t"]
    m = q * t + n["m"]
    L = m + p + n["L"]
    return dict(r=r, g=g, p=p, q=q, s=s, t=t, m=m, L=L)


values = puzzle(0.5, 3.0)
drawn = {
    "L": 1.0, "m": 1.0, "t": 2.0, "s": 3.0,
    "q": -1.2484, "p": 1.5702, "r": 3.462, "g": 0.7851,
}

h = 1e-5
for name, claim in drawn.items():
    up = puzzle(0.5, 3.0, name, h)["L"]
    down = puzzle(0.5, 3.0, name, -h)["L"]
    print(f"{name} = {values[name]:.4f}, ", end="")
    print(f"d{name} drawn {claim:.4f}, ", end="")
    print(f"seen {(up - down) / (2 * h):.4f}")

# %% solution="missing-edge"
def missing_edge():
    """Returns a pair: (the name used, the line using it)."""
    ### BEGIN SOLUTION
    return ("q", "m")
    ### END SOLUTION


# %% tests="missing-edge" points=4
exercise = checks.exercise("missing-edge")
seeds = [1]
### BEGIN HIDDEN TESTS
seeds += [6401]
### END HIDDEN TESTS
v = puzzle(0.5, 3.0)
slopes = {
    ("r", "p"): v["g"], ("g", "p"): v["r"], ("p", "q"): 1, ("r", "q"): 1, ("q", "s"): np.cos(v["q"]), ("s", "t"): v["p"],
    ("p", "t"): v["s"], ("q", "m"): v["t"], ("t", "m"): v["q"], ("m", "L"): 1, ("p", "L"): 1,
}  # fmt: skip


def moves(start, forgotten):
    """How far L moves per unit of `start`, along all edges but one."""
    moved = dict.fromkeys(v, 0.0) | {start: 1.0}
    for (begin, end), slope in slopes.items():
        if (begin, end) != forgotten:
            moved[end] += slope * moved[begin]
    return moved["L"]


def edge_fault(edge):
    edge = tuple(edge)
    if edge not in slopes:
        return f"{edge} is no edge: name first what is used, then the line that uses it.", ""
    for name, claim in drawn.items():
        would_be = moves(name, edge)
        if abs(would_be - claim) > 1e-3:
            return f"without {edge}, d{name} would have come out as {would_be:.4f}, not {claim:.4f}.", "one-path-only"
    return None


for seed in seeds:
    exercise.holds("missing_edge", [], edge_fault, case=seed)
exercise.score()


# %% mistake="one-path-only" of="missing-edge"
def missing_edge():
    return ("q", "s")


# %% mistake="one-path-only" of="missing-edge" variant="further-back"
def missing_edge():
    return ("p", "t")


# %% mistake="one-path-only" of="missing-edge" variant="a-leaf"
def missing_edge():
    return ("r", "q")


# %% accepted="list" of="missing-edge"
def missing_edge():
    return ["q", "m"]


# %% accepted="characters" of="missing-edge"
def missing_edge():
    return tuple("qm")


# %% accepted="named" of="missing-edge"
def missing_edge():
    first_wrong, forgotten_use = "q", "m"
    return first_wrong, forgotten_use


# %% [markdown] exercise="count-passes"
# ## How many passes?
#
# A computation turns `n_in` numbers into `n_out` numbers, and you want the slope of every output for every input, `n_in * n_out` slopes in all.
#
# Write `count_passes(n_in, n_out)`.
# It returns a dict with the number of passes through the graph that each mode needs for that, under the keys `"forward"` and `"reverse"`.
# The forward pass that computes the values is not counted.

# %% solution="count-passes"
def count_passes(n_in, n_out):
    """Returns {"forward": ..., "reverse": ...}."""
    ### BEGIN SOLUTION
    return {"forward": n_in, "reverse": n_out}
    ### END SOLUTION


# %% tests="count-passes" points=3
exercise = checks.exercise("count-passes")
sizes = [(7, 1), (1, 5), (3, 4)]
### BEGIN HIDDEN TESTS
sizes += [(1000, 1), (2, 9), (6, 6)]
### END HIDDEN TESTS
for n_in, n_out in sizes:
    # Column by column in one mode, row by row in the other.
    slopes = np.ones((n_out, n_in))
    passes = {"forward": len(slopes.T), "reverse": len(slopes)}
    exercise.value("count_passes", [n_in, n_out], passes, case=f"{n_in} {n_out}")
exercise.score()


# %% mistake="parameters-swapped" of="count-passes"
def count_passes(n_in, n_out):
    return {"forward": n_out, "reverse": n_in}


# %% accepted="tuple" of="count-passes"
def count_passes(n_in, n_out):
    return n_in, n_out


# %% accepted="counted-one-by-one" of="count-passes"
def count_passes(n_in, n_out):
    passes = {"forward": 0, "reverse": 0}
    for _ in range(n_in):
        passes["forward"] += 1
    for _ in range(n_out):
        passes["reverse"] += 1
    return passes


# %% accepted="floats" of="count-passes"
def count_passes(n_in, n_out):
    both = np.array([n_in, n_out], dtype=float)
    return dict(zip(("forward", "reverse"), both, strict=True))


# %% [markdown] marked="price-of-one-pass" points=2
# ## The price of one pass
#
# A network has a million weights and one loss.
# Explain in four to six sentences: why one pass in reverse gives the slopes for all the weights while forward mode needs a pass for each; what reverse mode has to keep in memory that forward mode does not, and why; and one way to keep less, with what it costs.
#
# ### BEGIN SOLUTION
# **Model answer.**
# A pass in forward mode carries, for every value, its slope with respect to one input, so each weight needs a pass of its own: a million.
# A pass in reverse carries, for every value, the slope of the one loss with respect to it; these are shared by all the paths that end there, and at the end every weight has its own.
# Local slopes are taken at the values of the forward pass, and reverse mode uses them in the opposite order: the first values are needed last, so all of them are kept until the way back reaches them.
# Forward mode goes along with the computation and may drop a value as soon as no later line uses it.
# To keep less, store only every k-th value and compute the ones between again on the way back; that costs about one more forward pass.
#
# **Rubric.**
# 2: all three: whose slope each mode carries (one input's, or the one loss's) and hence the count; that values are needed in reverse order and so kept; a saving with its price.
# 1.5: the count with its reason and the memory with its reason, but no saving, or one without its price.
# 1: the count and that values are kept, without reasons for one of them.
# 0: only "reverse mode is faster", or the modes exchanged.
# ### END SOLUTION
