"""The displayed derivatives of Activations and losses, as code."""

import numpy as np
from twin import function, model, twin

from backprop import ops


def zero_or_one(rng):
    return float(rng.integers(2))


def either_side(rng):
    """A logit on one side of the kink or on the other, near enough to notice a kink elsewhere."""
    return rng.choice([-1, 1]) * rng.uniform(0.2, 0.8)


def one_hot(rng, C):
    return np.eye(C)[rng.integers(C)]


layer = model(Z="NH", G="NH", f=function(np.sin), A=lambda f, Z: f(Z), L=lambda G, A: np.sum(G * A))


@twin(layer, "dL/dZ")
def act_entry(dA, Z):
    return dA * np.cos(Z)


@twin(layer, "dL/dZ")
def act_layer(dA, Z):
    return dA * np.cos(Z)


softplus = model(z="", a=lambda z: np.log(1 + np.exp(z)))
sigmoid = model(z="", u=lambda z: 1 + np.exp(-z), a=lambda u: 1 / u)
tanh = model(
    z="",
    s=lambda z: (np.exp(z) - np.exp(-z)) / 2,
    c=lambda z: (np.exp(z) + np.exp(-z)) / 2,
    a=lambda s, c: s / c,
)
relu = model(z=either_side, a=lambda z: np.where(np.real(z) > 0, z, 0))
leaky = model(
    z=either_side, alpha=lambda rng: rng.uniform(0.05, 0.3), a=lambda z, alpha: np.where(np.real(z) > 0, z, alpha * z)
)
gelu = model(
    z="",
    c=lambda: np.sqrt(2 / np.pi),
    q=lambda: 0.044715,
    u=lambda z, c, q: c * (z + q * z**3),
    t=lambda u: np.tanh(u),
    a=lambda z, t: z * (1 + t) / 2,
)


@twin(softplus, "da/dz")
def act_softplus_slope(z):
    return np.exp(z) * (1 / (1 + np.exp(z)))


@twin(sigmoid, "da/dz")
def act_sigmoid_slope(a):
    return a * (1 - a)


@twin(tanh, "da/dz")
def act_tanh_slope(a):
    return 1 - a**2


@twin(relu, "da/dz")
def act_relu_slope(z):
    return 1.0 if z > 0 else 0.0


@twin(leaky, "da/dz")
def act_leaky_slope(z, alpha):
    return 1.0 if z > 0 else alpha


@twin(gelu, "da/dz")
def act_gelu_slope(z, t, c, q):
    return (1 + t) / 2 + z / 2 * (1 - t**2) * c * (1 + 3 * q * z**2)


squared = model(P="NC", Y="NC", L=lambda P, Y, N: np.sum((P - Y) ** 2) / N)
absolute = model(P="NC", Y="NC", L=lambda P, Y, N: np.sum(np.where(np.real(P) > np.real(Y), P - Y, Y - P)) / N)


@twin(squared, "dL/dP")
def loss_squared_dp(P, Y, N):
    return 2 * (P - Y) / N


@twin(absolute, "dL/dP")
def loss_absolute_dp(P, Y, N):
    return np.where(P > Y, 1 / N, -1 / N)


binary = model(
    z="",
    y=zero_or_one,
    p=lambda z: 1 / (1 + np.exp(-z)),
    L=lambda p, y: -y * np.log(p) - (1 - y) * np.log(1 - p),
)
fused = model(z="", y=zero_or_one, L=lambda z, y: np.log(1 + np.exp(z)) - y * z)
squashed = model(z="", y=zero_or_one, p=lambda z: 1 / (1 + np.exp(-z)), L=lambda p, y: (p - y) ** 2)
binary_batch = model(
    Z="NH",
    Y=lambda rng, N, H: rng.integers(2, size=(N, H)).astype(float),
    P=lambda Z: ops.sigmoid(Z),
    L=lambda P, Y, N: -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / N,
)


@twin(binary, "dL/dp")
def bce_dp(p, y):
    return (p - y) / (p * (1 - p))


@twin(binary, "dL/dz")
def bce_dz(p, y):
    return p - y


@twin(squashed, "dL/dz")
def bce_squared_dz(p, y):
    return 2 * (p - y) * p * (1 - p)


@twin(fused, "dL/dz")
def bce_fused_dz(z, y):
    return 1 / (1 + np.exp(-z)) - y


@twin(binary_batch, "dL/dZ")
def bce_batch(P, Y, N):
    return (P - Y) / N


softmax = model(
    z="C",
    g="C",
    s=lambda z: np.sum(np.exp(z)),
    p=lambda z, s: np.exp(z) / s,
    L=lambda g, p: np.sum(g * np.sin(3 * p)),
)
cross_entropy = model(
    z="C",
    y=one_hot,
    s=lambda z: np.sum(np.exp(z)),
    p=lambda z, s: np.exp(z) / s,
    L=lambda p, y: -np.sum(y * np.log(p)),
)
log_sum_exp = model(z="C", s=lambda z: np.sum(np.exp(z)), p=lambda z, s: np.exp(z) / s, ell=lambda s: np.log(s))
log_softmax = model(
    z="C",
    g="C",
    s=lambda z: np.sum(np.exp(z)),
    p=lambda z, s: np.exp(z) / s,
    ell=lambda s: np.log(s),
    a=lambda z, ell: z - ell,
    L=lambda g, a: np.sum(g * np.sin(3 * a)),
)
batch = model(
    Z="NC",
    Y=lambda rng, N, C: np.eye(C)[rng.integers(C, size=N)],
    P=lambda Z: ops.softmax(Z),
    L=lambda P, Y, N: -np.sum(Y * np.log(P)) / N,
)


@twin(softmax, "dp/dz")
def softmax_jacobian(p):
    return np.diag(p) - np.outer(p, p)


@twin(softmax, "dL/dz")
def softmax_way_back(dp, p):
    return p * (dp - np.sum(dp * p))


@twin(cross_entropy, "dL/dp")
def ce_dp(y, p):
    return -y / p


@twin(cross_entropy, "dL/dz")
def ce_dz(p, y):
    return p - y


@twin(log_sum_exp, "dell/dz")
def lse_slope(z, s):
    return np.exp(z) / s


@twin(log_softmax, "dL/dz")
def log_softmax_way_back(da, p):
    return da - p * np.sum(da)


@twin(batch, "dL/dZ")
def ce_batch(P, Y, N):
    return (P - Y) / N
