"""Every operation is one row: its backward against the complex step, `backprop.check` and PyTorch."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from backprop import ops
from backprop.check import check_vjp

SIZES = {
    "distinct": {"B": 2, "N": 5, "D": 3, "H": 4, "C": 6, "1": 1},
    "equal": {"B": 3, "N": 3, "D": 3, "H": 3, "C": 3, "1": 1},
}


def labels(Z):
    """Every class in turn, not in order."""
    return np.arange(len(Z)) * 7 % Z.shape[1]


def targets(P):
    """Numbers between 0 and 1 in the shape and the precision of P."""
    return ((np.cos(np.arange(P.size)).reshape(P.shape) + 1) / 2).astype(P.real.dtype)


@dataclass(frozen=True)
class Row:
    """`inputs` maps a name to the letters of its shape; `backward(upstream, **inputs)`; `torch(*tensors)`."""

    name: str
    inputs: dict[str, str]
    forward: Callable
    backward: Callable
    torch: Callable

    def draw(self, sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {k: rng.normal(size=[sizes[letter] for letter in v]) for k, v in self.inputs.items()}

    def gradients(self, upstream, inputs) -> dict[str, np.ndarray]:
        out = self.backward(upstream, **inputs)
        return dict(zip(inputs, out if isinstance(out, tuple) else (out,), strict=True))


def plain(name, torch, **shapes):
    """A row of an operation whose backward takes its inputs."""
    return Row(name, shapes, getattr(ops, name), getattr(ops, f"{name}_backward"), torch)


def saved(name, torch, **shapes):
    """A row of an operation of one input whose backward takes the saved output."""
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    return Row(name, shapes, forward, lambda up, **x: backward(up, forward(**x)), torch)


def reduction(name, torch, axis, keepdims):
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    return Row(
        f"{name}-axis{axis}-{keepdims}",
        {"X": "NDH"},
        lambda X: forward(X, axis, keepdims),
        lambda up, X: backward(up, X, axis, keepdims),
        lambda X: torch(X, axis, keepdims),
    )


def everything(axis):
    return (0, 1, 2) if axis is None else axis


TABLE = [
    Row(
        "affine",
        {"X": "ND", "W": "DH", "b": "H"},
        ops.affine,
        lambda dZ, X, W, b: ops.affine_backward(dZ, X, W),
        lambda X, W, b: F.linear(X, W.T, b),
    ),
    plain("matmul", lambda A, B: A @ B, A="ND", B="DH"),
    Row("matmul-batched", {"A": "BND", "B": "BDH"}, ops.matmul, ops.matmul_backward, lambda A, B: A @ B),
    Row("matmul-broadcast", {"A": "ND", "B": "BDH"}, ops.matmul, ops.matmul_backward, lambda A, B: A @ B),
    Row("matmul-stretched", {"A": "1ND", "B": "BDH"}, ops.matmul, ops.matmul_backward, lambda A, B: A @ B),
    plain("add", lambda A, B: A + B, A="ND", B="ND"),
    Row("add-row", {"A": "ND", "B": "D"}, ops.add, ops.add_backward, lambda A, B: A + B),
    Row("add-column", {"A": "N1", "B": "ND"}, ops.add, ops.add_backward, lambda A, B: A + B),
    plain("multiply", lambda A, B: A * B, A="ND", B="ND"),
    Row("multiply-row", {"A": "ND", "B": "D"}, ops.multiply, ops.multiply_backward, lambda A, B: A * B),
    Row("multiply-both", {"A": "N1", "B": "1D"}, ops.multiply, ops.multiply_backward, lambda A, B: A * B),
    Row("multiply-scalar", {"A": "", "B": "BND"}, ops.multiply, ops.multiply_backward, lambda A, B: A * B),
    plain("subtract", lambda A, B: A - B, A="ND", B="ND"),
    Row("subtract-row", {"A": "ND", "B": "D"}, ops.subtract, ops.subtract_backward, lambda A, B: A - B),
    plain("divide", lambda A, B: A / B, A="ND", B="ND"),
    Row("divide-column", {"A": "N1", "B": "ND"}, ops.divide, ops.divide_backward, lambda A, B: A / B),
    *(
        Row(
            f"power-{p}",
            {"X": "ND"},
            lambda X, p=p: ops.power(X, p),
            lambda dY, X, p=p: ops.power_backward(dY, X, p),
            lambda X, p=p: X**p,
        )
        for p in (1, 2, 3, -1)
    ),
    saved("exp", torch.exp, X="ND"),
    # Logarithms of numbers that are positive.
    Row(
        "log",
        {"X": "ND"},
        lambda X: ops.log(1 + X * X),
        lambda dY, X: 2 * X * ops.log_backward(dY, 1 + X * X),
        lambda X: torch.log(1 + X * X),
    ),
    Row(
        "reshape",
        {"X": "NDH"},
        lambda X: ops.reshape(X, (X.shape[0], -1)),
        ops.reshape_backward,
        lambda X: X.reshape(X.shape[0], -1),
    ),
    *(
        Row(
            f"transpose-{axes}",
            {"X": "NDH"},
            lambda X, axes=axes: ops.transpose(X, axes),
            lambda dY, X, axes=axes: ops.transpose_backward(dY, X, axes),
            lambda X, axes=axes: X.permute((2, 1, 0) if axes is None else axes),
        )
        for axes in (None, (1, 2, 0), (0, -1, 1))
    ),
    *(
        Row(
            f"take-{index}",
            {"X": "NDH"},
            lambda X, index=index: ops.take(X, index),
            lambda dY, X, index=index: ops.take_backward(dY, X, index),
            lambda X, index=index: X[index],
        )
        for index in (1, (..., 0), np.s_[1:, :2], [2, 0, 2], ([0, 1, 1], [1, 2, 2]))
    ),
    Row(
        "broadcast",
        {"A": "1D"},
        lambda A: ops.broadcast(A, (2, 5, A.shape[1])),
        lambda dB, A: ops.unbroadcast(dB, A.shape),
        lambda A: A.expand(2, 5, -1),
    ),
    *(
        reduction(name, torch_op, axis, keepdims)
        for name, torch_op in [
            ("sum", lambda X, axis, keepdims: X.sum(everything(axis), keepdims)),
            ("mean", lambda X, axis, keepdims: X.mean(everything(axis), keepdims)),
            ("max", lambda X, axis, keepdims: X.amax(everything(axis), keepdims)),
        ]
        for axis in (None, 0, -1, (0, 2))
        for keepdims in (False, True)
    ),
    saved("sigmoid", torch.sigmoid, Z="ND"),
    saved("tanh", torch.tanh, Z="ND"),
    plain("relu", F.relu, Z="ND"),
    plain("leaky_relu", F.leaky_relu, Z="ND"),
    plain("gelu", lambda Z: F.gelu(Z, approximate="tanh"), Z="ND"),
    plain("softplus", F.softplus, Z="ND"),
    saved("softmax", lambda Z: F.softmax(Z, -1), Z="NC"),
    plain("logsumexp", lambda Z: torch.logsumexp(Z, -1), Z="NC"),
    saved("log_softmax", lambda Z: F.log_softmax(Z, -1), Z="NC"),
    Row(
        "softmax-vector",
        {"Z": "C"},
        ops.softmax,
        lambda dP, Z: ops.softmax_backward(dP, ops.softmax(Z)),
        lambda Z: F.softmax(Z, -1),
    ),
    Row(
        "log_softmax-batched",
        {"Z": "BNC"},
        ops.log_softmax,
        lambda dY, Z: ops.log_softmax_backward(dY, ops.log_softmax(Z)),
        lambda Z: F.log_softmax(Z, -1),
    ),
    *(
        Row(
            f"mse-{letters}",
            {"P": letters},
            lambda P: ops.mse(P, targets(P)),
            lambda dL, P: ops.mse_backward(dL, P, targets(P)),
            lambda P: F.mse_loss(P, torch.tensor(targets(P.detach().numpy())), reduction="sum") / len(P),
        )
        for letters in ("N", "NC")
    ),
    *(
        Row(
            f"bce_with_logits-{letters}",
            {"Z": letters},
            lambda Z: ops.bce_with_logits(Z, targets(Z)),
            lambda dL, Z: ops.bce_with_logits_backward(dL, Z, targets(Z)),
            lambda Z: F.binary_cross_entropy_with_logits(
                Z, torch.tensor(targets(Z.detach().numpy())), reduction="sum") / len(Z),
        )
        for letters in ("N", "NC")
    ),
    Row(
        "softmax_cross_entropy",
        {"Z": "NC"},
        lambda Z: ops.softmax_cross_entropy(Z, labels(Z)),
        lambda dL, Z: ops.softmax_cross_entropy_backward(dL, Z, labels(Z)),
        lambda Z: F.cross_entropy(Z, torch.tensor(labels(Z))),
    ),
    Row(
        "l2_penalty",
        {"W": "DH"},
        lambda W: ops.l2_penalty(W, 0.3),
        lambda dL, W: ops.l2_penalty_backward(dL, W, 0.3),
        lambda W: 0.15 * (W**2).sum(),
    ),
]
rows = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
sizes = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)


def upstream_like(out, seed=1):
    return np.random.default_rng(seed).normal(size=np.shape(out))


def complex_step(row, upstream, inputs):
    """The gradient of sum(upstream * forward), one entry at a time."""
    gradients = {}
    for name, x in inputs.items():
        gradients[name] = g = np.empty(x.shape)
        for i in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[i] += 1e-30j
            g[i] = np.sum(upstream * row.forward(**{**inputs, name: moved})).imag / 1e-30
    return gradients


def assert_equal(got, expected):
    for name in expected:
        assert np.shape(got[name]) == np.shape(expected[name]), name
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-12, atol=1e-14, err_msg=name)


@rows
@sizes
def test_backward_against_the_complex_step(row, sizes):
    inputs = row.draw(sizes)
    upstream = upstream_like(row.forward(**inputs))
    assert_equal(row.gradients(upstream, inputs), complex_step(row, upstream, inputs))


@rows
@sizes
def test_backward_against_the_checker(row, sizes):
    report = check_vjp(row.forward, lambda upstream, **inputs: row.gradients(upstream, inputs), row.draw(sizes))
    assert report.ok, report


@pytest.mark.parametrize("wrong", [lambda g: -g, lambda g: 2 * g, lambda g: g + 0.01, lambda g: g[..., None]])
@rows
def test_the_checker_refuses_a_wrong_backward(row, wrong):
    def backward(upstream, **inputs):
        return {name: wrong(np.asarray(g)) for name, g in row.gradients(upstream, inputs).items()}

    assert check_vjp(row.forward, backward, row.draw(SIZES["distinct"])).verdict == "fail"


@rows
@sizes
def test_forward_and_backward_against_torch(row, sizes):
    inputs = row.draw(sizes)
    out = row.forward(**inputs)
    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in inputs.items()}
    expected = row.torch(*tensors.values())
    assert np.shape(out) == tuple(expected.shape)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    upstream = upstream_like(out)
    expected.backward(torch.tensor(upstream))
    assert_equal(row.gradients(upstream, inputs), {name: t.grad.numpy() for name, t in tensors.items()})


@rows
def test_single_precision_stays_single(row):
    inputs = {name: x.astype(np.float32) for name, x in row.draw(SIZES["distinct"]).items()}
    out = row.forward(**inputs)
    upstream = np.float32(upstream_like(out))
    assert {out.dtype, *(g.dtype for g in row.gradients(upstream, inputs).values())} == {np.dtype(np.float32)}


def test_the_table_of_contents_is_complete():
    listed = dict(re.findall(r"^    (\w+)\(.*?\) +(\w+)\(", ops.__doc__, re.M))
    public = {name for name, _ in inspect.getmembers(ops, inspect.isfunction) if not name.startswith("_")}
    assert set(listed) | set(listed.values()) == public
    assert all(back == f"{name}_backward" for name, back in listed.items() if name != "broadcast")
    assert {row.name.split("-")[0] for row in TABLE} == set(listed)


def test_the_table_of_contents_gives_the_arguments():
    for name, arguments in re.findall(r"(\w+)\(([^()]*)\)", ops.__doc__.split("A letter says")[0]):
        if hasattr(ops, name):
            assert list(inspect.signature(getattr(ops, name)).parameters) == arguments.split(", "), name


EXTREME = np.array([[-1000.0, -20.0, 0.0, 20.0, 1000.0]])


@pytest.mark.parametrize("row", [row for row in TABLE if set(row.inputs) == {"Z"}], ids=lambda row: row.name)
def test_large_logits_neither_overflow_nor_lose_the_gradient(row):
    letters = row.inputs["Z"]
    Z = EXTREME[0] if len(letters) == 1 else EXTREME.reshape([1] * (len(letters) - 1) + [5])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        out = row.forward(Z=Z)
        upstream = upstream_like(out)
        assert_equal(row.gradients(upstream, {"Z": Z}), complex_step(row, upstream, {"Z": Z}))
    assert np.isfinite(out).all()


def test_large_logits_give_the_values_of_the_limit():
    np.testing.assert_array_equal(ops.sigmoid(EXTREME[0, [0, 2, 4]]), [0, 0.5, 1])
    np.testing.assert_array_equal(ops.softplus(EXTREME[0, [0, 4]]), [0, 1000])
    assert ops.softplus(-20.0) == pytest.approx(np.exp(-20) - np.exp(-40) / 2, rel=1e-15)
    assert ops.bce_with_logits(np.array([-1000.0, 1000.0]), np.array([1.0, 0.0])) == 1000
    assert ops.bce_with_logits(np.array([-1000.0, 1000.0]), np.array([0.0, 1.0])) == 0
    assert ops.softmax_cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000
    assert ops.softmax_cross_entropy(np.array([[1000.0, -1000.0]]), np.array([0])) == 0


def test_plain_numbers_will_do():
    assert ops.relu(-2.0) == 0 and ops.relu(2.0) == 2
    assert ops.sigmoid(0.0) == 0.5 and ops.sigmoid_backward(2.0, 0.5) == 0.5
    assert ops.softplus(0.0) == pytest.approx(np.log(2))
    assert ops.multiply_backward(2.0, 3.0, 5.0) == (10, 6)


def test_at_a_tie_the_winners_share():
    X = np.array([[3.0, 1.0, 3.0], [2.0, 5.0, 4.0]])
    np.testing.assert_array_equal(ops.max_backward(np.array([6.0, 7.0]), X, 1), [[3, 0, 3], [0, 7, 0]])
    np.testing.assert_array_equal(ops.max_backward(np.array([4.0]), np.full(4, 2.0), 0, True), [1, 1, 1, 1])


def test_at_a_kink_the_left_slope_is_taken():
    np.testing.assert_array_equal(ops.relu_backward(np.ones(3), np.array([-1.0, 0.0, 1.0])), [0, 0, 1])
    np.testing.assert_array_equal(ops.leaky_relu_backward(np.ones(3), np.array([-1.0, 0.0, 1.0]), 0.1), [0.1, 0.1, 1])


@pytest.mark.parametrize(
    "full, shape",
    [((2, 5, 3), (3,)), ((2, 5, 3), (5, 1)), ((2, 5, 3), (1, 5, 3)), ((2, 5, 3), ()), ((5, 3), (1, 1)), ((0, 3), (3,))],
)
def test_unbroadcast_sums_what_was_repeated(full, shape):
    g = np.random.default_rng(0).normal(size=full)
    got = ops.unbroadcast(g, shape)
    repeated = np.broadcast_to(np.arange(np.prod(shape, dtype=int)).reshape(shape), full)
    expected = [g[repeated == k].sum() for k in range(np.prod(shape, dtype=int))]
    np.testing.assert_allclose(got, np.reshape(expected, shape), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("loss", [ops.mse, ops.bce_with_logits, ops.softmax_cross_entropy])
def test_a_column_of_targets_is_refused_where_it_would_broadcast(loss):
    prediction = np.zeros((5, 2)) if loss is ops.softmax_cross_entropy else np.zeros(5)
    with pytest.raises(ValueError, match=r"\(5,\) and targets \(5, 1\) must have one shape"):
        loss(prediction, np.zeros((5, 1), dtype=int))


def test_gradients_can_be_written_to():
    for row in TABLE:
        inputs = row.draw(SIZES["distinct"])
        for g in row.gradients(upstream_like(row.forward(**inputs)), inputs).values():
            g += 1
        assert all((row.draw(SIZES["distinct"])[name] == x).all() for name, x in inputs.items()), row.name


def test_a_constant_power_has_no_slope_anywhere():
    X = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(ops.power_backward(np.ones(3), X, 0), 0 * X)


def test_the_product_for_dX_is_saved_where_nobody_asks_for_it():
    dZ, X, W = np.ones((5, 4)), np.ones((5, 3)), np.ones((3, 4))
    dX, dW, db = ops.affine_backward(dZ, X, W, dX=False)
    assert dX is None
    for got, expected in zip((dW, db), ops.affine_backward(dZ, X, W)[1:], strict=True):
        np.testing.assert_array_equal(got, expected)
