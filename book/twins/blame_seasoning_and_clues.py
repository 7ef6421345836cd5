"""The displayed derivatives of Blame, seasoning and clues, as code."""

import numpy as np
from twin import model, twin

one = model(w="", x="", y="", p=lambda w, x: w * x, L=lambda p, y: (p - y) ** 2)


@twin(one, "dL/dp")
def blame_dp(p, y):
    return 2 * (p - y)


@twin(one, "dL/dw")
def blame_one_knob(p, y, x):
    return 2 * (p - y) * x


two = model(
    w_1="",
    w_2="",
    x_1="",
    x_2="",
    y="",
    p=lambda w_1, x_1, w_2, x_2: w_1 * x_1 + w_2 * x_2,
    L=lambda p, y: (p - y) ** 2,
)


@twin(two, "dL/dw_1")
def blame_first_knob(p, y, x_1):
    return 2 * (p - y) * x_1


@twin(two, "dL/dw_2")
def blame_second_knob(p, y, x_2):
    return 2 * (p - y) * x_2


party = model(
    a="",
    b="",
    c="",
    x="",
    y="",
    u=lambda a, x: a * x,
    v=lambda b, u: b * u,
    p=lambda c, v: c * v,
    L=lambda p, y: (p - y) ** 2,
)


@twin(party, "dL/dc")
def blame_dc(dp, v):
    return dp * v


@twin(party, "dL/dv")
def blame_dv(dp, c):
    return dp * c


@twin(party, "dL/db")
def blame_db(dv, u):
    return dv * u


@twin(party, "dL/du")
def blame_du(dv, b):
    return dv * b


@twin(party, "dL/da")
def blame_da(du, x):
    return du * x


quiz = model(w="", x="N", y="N", p=lambda w, x: w * x, L=lambda p, y: np.mean((p - y) ** 2))


@twin(quiz, "dL/dw")
def blame_quiz(p, y, x):
    return np.sum(2 * (p - y) * x) / len(x)
