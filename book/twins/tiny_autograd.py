"""The displayed derivatives of Build a tiny autograd engine, as code."""

import numpy as np
from twin import model, twin

bias = model(A="NH", b="H", G="NH", C=lambda A, b: A + b, L=lambda C, G: np.sum(G * np.sin(C)))


@twin(bias, "dL/db")
def tape_broadcast(dC):
    return dC.sum(axis=0)


fork = model(w="", x="", p=lambda w, x: w * x, s=lambda p, x: p + x, L=lambda s, p: s * p)


@twin(fork, "dL/dp")
def tape_accumulate(ds, s):
    return ds * 1 + s


cube = model(x="", L=lambda x: x**3)


@twin(cube, "dL/dx")
def tape_cube(x):
    return 3 * x**2
