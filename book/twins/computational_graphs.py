"""The displayed derivatives of Computational graphs and reverse mode, as code."""

import numpy as np
from twin import model, twin

# As in the text, s is the larger.
four_lines = model(
    w=lambda rng: rng.uniform(0.5, 2),
    x=lambda rng: rng.uniform(0.5, 2),
    c=lambda rng: rng.uniform(-2, -1),
    p=lambda w, x: w * x,
    s=lambda p, x: p + x,
    m=lambda s, c: np.where(np.real(s) > np.real(c), s, c),
    L=lambda m, p: m * p,
)


@twin(four_lines, "dL/dx")
def graph_three_paths(w, m, p):
    return w * m + w * p + p


add = model(a="", b="", s=lambda a, b: a + b, L=lambda s: np.sin(s))
multiply = model(a="", b="", t=lambda a, b: a * b, L=lambda t: np.sin(t))
maximum = model(
    a="",
    b="",
    m=lambda a, b: np.where(np.real(a) > np.real(b), a, b),
    L=lambda m: np.sin(m),
)


@twin(add, "dL/da", "dL/db")
def graph_add(ds):
    return ds, ds


@twin(multiply, "dL/da", "dL/db")
def graph_multiply(dt, a, b):
    return dt * b, dt * a


@twin(maximum, "dL/da", "dL/db")
def graph_max(dm, a, b):
    return dm * (a > b), dm * (b > a)


copy = model(v="", v1=lambda v: v, v2=lambda v: v, L=lambda v1, v2: v1 * np.sin(v2))


@twin(copy, "dL/dv")
def graph_copy(dv1, dv2):
    return dv1 + dv2


users = model(
    v="",
    a="K",
    u=lambda v, a: np.sin(a * v),
    L=lambda u: np.sum(np.exp(u) * np.arange(1, len(u) + 1)),
)


@twin(users, "dL/dv")
def graph_reverse(dL_du, du_dv):
    return np.sum(dL_du * du_dv)


operands = model(
    x="",
    a="K",
    v=lambda x, a: np.sin(a * x),
    u=lambda v: np.sum(np.exp(v) * np.arange(1, len(v) + 1)),
)


@twin(operands, "du/dx")
def graph_forward(du_dv, dv_dx):
    return np.sum(du_dv * dv_dx)


checkpoints = model(n=lambda rng: rng.uniform(4, 9), k=lambda rng: rng.uniform(1, 4), M=lambda n, k: n / k + k)


@twin(checkpoints, "dM/dk")
def graph_checkpoints(n, k):
    return -n / k**2 + 1
