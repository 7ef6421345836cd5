"""The displayed derivatives of The scalar chain rule, as code."""

import numpy as np
from twin import function, model, twin

square = model(r="", s=lambda r: r**2)
exp = model(z="", a=lambda z: np.exp(z))
log = model(z=lambda rng: rng.uniform(0.5, 2), a=lambda z: np.log(z))
reciprocal = model(z="", a=lambda z: 1 / z)
sqrt = model(z=lambda rng: rng.uniform(0.5, 2), a=lambda z: np.sqrt(z))
bump = model(z="", u=lambda z: 1 + z**2, a=lambda u: 1 / u)


@twin(square, "ds/dr")
def scalar_square_slope(r):
    return 2 * r


@twin(exp, "da/dz")
def scalar_exp_slope(z):
    return np.exp(z)


@twin(log, "da/dz")
def scalar_log_slope(z):
    return 1 / z


@twin(reciprocal, "da/dz")
def scalar_reciprocal_slope(z):
    return -1 / z**2


@twin(sqrt, "da/dz")
def scalar_sqrt_slope(z):
    return 1 / (2 * np.sqrt(z))


@twin(bump, "da/dz")
def scalar_bump_slope(z, a):
    return -2 * z * a**2


chain = model(
    x="",
    f=function(lambda t: np.log(3 + t)),
    g=function(np.sin),
    u=lambda g, x: g(x),
    L=lambda f, u: f(u),
)


@twin(chain, "dL/dx")
def scalar_chain(dL_du, du_dx):
    return dL_du * du_dx


cauchy = model(
    w="",
    x="",
    y="",
    p=lambda w, x: w * x,
    r=lambda p, y: p - y,
    s=lambda r: r**2,
    t=lambda s: 1 + s,
    L=lambda t: np.log(t),
)


@twin(cauchy, "dL/dt")
def scalar_cauchy_dt(t):
    return 1 / t


@twin(cauchy, "dL/ds")
def scalar_cauchy_ds(dt):
    return dt


@twin(cauchy, "dL/dr")
def scalar_cauchy_dr(ds, r):
    return ds * 2 * r


@twin(cauchy, "dL/dp")
def scalar_cauchy_dp(dr):
    return dr


@twin(cauchy, "dL/dy")
def scalar_cauchy_dy(dr):
    return -dr


@twin(cauchy, "dL/dw")
def scalar_cauchy_dw(dp, x):
    return dp * x


@twin(cauchy, "dL/dx")
def scalar_cauchy_dx(dp, w):
    return dp * w


quotient = model(
    x="",
    u=lambda x: x**2,
    v=lambda x: x + 1,
    L=lambda u, v: u / v,
)


@twin(quotient, "dL/du")
def scalar_quotient_du(v):
    return 1 / v


@twin(quotient, "dL/dv")
def scalar_quotient_dv(u, v):
    return -u / v**2


@twin(quotient, "dL/dx")
def scalar_two_paths(dL_du, du_dx, dL_dv, dv_dx):
    return dL_du * du_dx + dL_dv * dv_dx


@twin(quotient, "dL/dx")
def scalar_quotient_rule(x):
    return (2 * x * (x + 1) - x**2) / (x + 1) ** 2


squash = model(
    z="",
    q=lambda z: np.sqrt(1 + z**2),
    p=lambda z, q: z / q,
)


@twin(squash, "dq/dz")
def scalar_root_slope(z):
    return z / np.sqrt(1 + z**2)


@twin(squash, "dp/dz")
def scalar_squash_slope(q):
    return 1 / q**3
