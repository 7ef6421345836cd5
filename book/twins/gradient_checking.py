"""The displayed derivatives of Trust, but verify: gradient checking, as code."""

import numpy as np
from twin import model, twin

# The numbers are of one size, so that both parts of the error count.
positive = lambda rng: rng.uniform(0.5, 2)
error = model(
    varepsilon=positive,
    F=positive,
    M=positive,
    h=positive,
    E=lambda varepsilon, F, h, M: varepsilon * F / (2 * h) + h**2 * M / 6,
)
line = model(
    x="D",
    v="D",
    t="",
    u=lambda x, t, v: x + t * v,
    L=lambda u: np.sum(np.sin(u) * u),
)


@twin(error, "dE/dh")
def check_step_slope(varepsilon, F, h, M):
    return -varepsilon * F / (2 * h**2) + h * M / 3


@twin(line, "dL/dt")
def check_direction(du, v):
    return np.sum(du * v)
