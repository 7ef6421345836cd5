"""The engine: every operation is one row, checked against finite differences; then graphs, guards and errors."""

import gc
import operator
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop import ops, tape
from backprop.check import check_gradient
from backprop.tape import Tensor, grad_enabled, no_grad, topological_order

SIZES = {"B": 2, "N": 5, "D": 3, "H": 4, "C": 6, "1": 1}
y = np.array([4, 0, 5, 1, 3])
Y = np.linspace(0.1, 0.9, 30).reshape(5, 6)


@dataclass(frozen=True)
class Row:
    """`f` is called with tensors whose shapes are `shapes`; `positive` draws numbers above 0."""

    name: str
    f: Callable
    shapes: str
    positive: bool = False

    def draw(self, dtype=float):
        rng = np.random.default_rng(3)
        arrays = [rng.normal(size=[SIZES[letter] for letter in shape]) for shape in self.shapes.split(",")]
        return [(np.abs(a) + 0.5 if self.positive else a).astype(dtype) for a in arrays]


def unary(name, **options):
    return Row(name, getattr(tape, name), "NC", **options)


TABLE = [
    Row("add", operator.add, "ND,ND"),
    Row("add-row", operator.add, "ND,D"),
    Row("add-both", operator.add, "N1,1D"),
    Row("add-number", lambda a: 2 + a, "ND"),
    Row("add-itself", lambda a: a + a, "ND"),
    Row("subtract", operator.sub, "BND,N1"),
    Row("subtract-from-number", lambda a: 1 - a, "ND"),
    Row("multiply", operator.mul, "ND,ND"),
    Row("multiply-row", operator.mul, "D,ND"),
    Row("multiply-scalar", operator.mul, ",ND"),
    Row("multiply-array", lambda a: np.arange(3.0) * a, "ND"),
    Row("divide", operator.truediv, "ND,ND", positive=True),
    Row("divide-row", operator.truediv, "ND,D", positive=True),
    Row("divide-number", lambda a: 1 / a, "ND", positive=True),
    Row("power-2", lambda a: a**2, "ND"),
    Row("power-half", lambda a: a**0.5, "ND", positive=True),
    Row("negative", operator.neg, "ND"),
    Row("matmul", operator.matmul, "ND,DH"),
    Row("matmul-batched", operator.matmul, "BND,DH"),
    Row("matmul-array", lambda a: np.ones((2, 5)) @ a, "ND"),
    Row("affine", tape.affine, "ND,DH,H"),
    Row("affine-array", lambda W, b: tape.affine(np.ones((5, 3)), W, b), "DH,H"),
    *(
        Row(f"{name}-{axis}-{keepdims}", lambda a, n=name, x=axis, k=keepdims: getattr(a, n)(x, k), "NDH")
        for name in ("sum", "mean", "max")
        for axis in (None, 1, (0, 2))
        for keepdims in (False, True)
    ),
    Row("reshape", lambda a: a.reshape(3, -1), "NDH"),
    Row("reshape-tuple", lambda a: a.reshape((15, 4)), "NDH"),
    Row("transpose", lambda a: a.transpose(), "NDH"),
    Row("transpose-axes", lambda a: a.transpose(1, 2, 0), "NDH"),
    Row("T", lambda a: a.T, "ND"),
    Row("take-row", lambda a: a[1], "ND"),
    Row("take-slice", lambda a: a[1:, None, :2], "ND"),
    Row("take-repeats", lambda a: a[[0, 3, 0]], "ND"),
    Row("take-pairs", lambda a: a[np.arange(5), y % 3], "ND"),
    Row("take-mask", lambda a: a[np.arange(5) > 2], "ND"),
    unary("exp"),
    unary("log", positive=True),
    *(unary(name) for name in "sigmoid tanh relu leaky_relu gelu softplus softmax log_softmax logsumexp".split()),
    Row("leaky_relu-slope", lambda a: tape.leaky_relu(a, 0.3), "ND"),
    Row("mse", lambda P: tape.mse(P, Y), "NC"),
    Row("bce_with_logits", lambda Z: tape.bce_with_logits(Z, Y), "NC"),
    Row("softmax_cross_entropy", lambda Z: tape.softmax_cross_entropy(Z, y), "NC"),
    Row("l2_penalty", lambda W: tape.l2_penalty(W, 0.3), "DH"),
    Row("diamond", lambda a, b: tape.tanh(a * b) * a + a / (1 + b * b), "ND,D"),
    Row("chain", lambda a, W: tape.log_softmax(tape.relu(a @ W).sum(0) * 2.0), "ND,DH"),
]
rows = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def upstream_like(t):
    return np.random.default_rng(1).normal(size=t.shape).astype(t.dtype)


def gradients(f, arrays):
    """The gradient of sum(upstream * f) with respect to each array, by the engine."""
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    out = f(*tensors)
    out.backward(upstream_like(out))
    return [t.grad for t in tensors]


@rows
def test_backward_against_finite_differences(row):
    params = {str(i): a for i, a in enumerate(row.draw())}

    def f(p):
        out = row.f(*(Tensor(a) for a in p.values()))
        return np.sum(upstream_like(out) * out.data)

    report = check_gradient(f, lambda p: dict(zip(p, gradients(row.f, p.values()), strict=True)), params)
    assert report.ok, report


@rows
def test_single_precision_stays_single(row):
    tensors = [Tensor(a, requires_grad=True) for a in row.draw(np.float32)]
    out = row.f(*tensors)
    if row.name.endswith("-array"):
        return
    out.backward(upstream_like(out))
    assert {out.dtype, *(t.grad.dtype for t in tensors)} == {np.dtype(np.float32)}


@rows
def test_gradients_are_arrays_that_share_nothing(row):
    arrays = row.draw()
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    before = [a.copy() for a in arrays]
    out = row.f(*tensors)
    seed = upstream_like(out)
    out.backward(seed)
    for i, t in enumerate(tensors):
        assert type(t.grad) is np.ndarray and t.grad.shape == t.shape
        others = [out.data, seed, *arrays, *(o.grad for o in tensors[:i])]
        assert not any(np.shares_memory(t.grad, other) for other in others)
        t.grad += 1
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))


def test_every_operation_has_a_row():
    made = set()
    for row in TABLE:
        made |= {t.op for t in topological_order(row.f(*(Tensor(a, requires_grad=True) for a in row.draw())))}
    assert made - {""} == set(tape.OPS)


def test_the_engine_and_the_operations_cover_each_other():
    backwards = {name.removesuffix("_backward") for name in dir(ops) if name.endswith("_backward")}
    assert set(tape.OPS) == backwards


def test_a_wrong_derivative_is_seen(monkeypatch):
    wrong = tape.OPS["tanh"]._replace(backward=lambda dA, A: dA * (1 - A))
    monkeypatch.setitem(tape.OPS, "tanh", wrong)
    with pytest.raises(AssertionError):
        test_backward_against_finite_differences(next(row for row in TABLE if row.name == "tanh"))


# ---------------------------------------------------------------- graphs


def test_gradients_add_up_where_a_tensor_is_used_twice_and_where_backward_is_called_twice():
    a = Tensor(3.0, requires_grad=True)
    (a * a + a).backward()
    assert a.grad == 7
    (2 * a).backward()
    assert a.grad == 9 and type(a.grad) is np.ndarray
    a.zero_grad()
    assert a.grad is None


def test_a_chain_of_ten_thousand_and_one_of_a_million_parts():
    a = Tensor(1.0, requires_grad=True)
    t = a
    for _ in range(10_000):
        t = t * 1.0001
    assert len(topological_order(t)) == 20_001
    t.backward()
    assert a.grad == pytest.approx(1.0001**10_000)
    # A sum of a sum of ...: twice as many paths at each step.
    t = a
    for _ in range(60):
        t = t + t
    a.zero_grad()
    t.backward()
    assert a.grad == 2.0**60


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from("+*-t"), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25))
def test_random_graphs_agree_with_the_complex_step(steps):
    """Forks, diamonds and parts that lead nowhere."""

    def f(leaves, tanh):
        values = list(leaves)
        for op, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append({"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b * 0.5}[op](a, b)
                          if op != "t" else tanh(a))  # fmt: skip
        return values[-1] + 0 * sum(leaves)

    start = [0.7, -0.4, 1.1]
    leaves = [Tensor(x, requires_grad=True) for x in start]
    out = f(leaves, tape.tanh)
    order = topological_order(out)
    place = {t: k for k, t in enumerate(order)}
    assert order[-1] is out and all(place[p] < place[t] for t in order for p in t.parents)
    out.backward()
    for i, leaf in enumerate(leaves):
        moved = [x + 1e-30j * (i == k) for k, x in enumerate(start)]
        assert leaf.grad == pytest.approx(f(moved, np.tanh).imag / 1e-30, rel=1e-12, abs=1e-12)


def test_parents_and_names_say_how_a_tensor_came_about():
    a, b = Tensor(2.0, requires_grad=True), Tensor([1.0, 2.0])
    c = a * b
    assert (c.op, c.parents, c.requires_grad) == ("multiply", (a, b), True)
    assert (a.op, a.parents) == ("", ())
    assert repr(a) == "Tensor(2., requires_grad=True)" and repr(c) == "Tensor([2., 4.], op='multiply')"


def test_a_result_keeps_its_gradient_when_asked_to():
    a = Tensor([1.0, 2.0], requires_grad=True)
    b = (a * a).retain_grad()
    c = b.reshape(2, 1)
    (3 * c).sum().backward()
    np.testing.assert_array_equal(b.grad, [3, 3])
    assert c.grad is None and not np.shares_memory(a.grad, b.grad)


def test_constants_get_no_gradient():
    a, b = Tensor(2.0, requires_grad=True), Tensor(5.0)
    (a * b).backward()
    assert a.grad == 5 and b.grad is None
    detached = (a * b).detach()
    assert not detached.requires_grad and detached.parents == ()


def test_no_grad_records_nothing():
    a = Tensor(2.0, requires_grad=True)
    with no_grad():
        assert not grad_enabled()
        with no_grad():
            b = a * a
        assert not grad_enabled() and (b.op, b.parents, b.requires_grad) == ("", (), False)
    assert grad_enabled() and (a * a).requires_grad
    assert not no_grad()(lambda: a * a)().requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert grad_enabled()


def test_a_graph_lives_as_long_as_its_last_tensor():
    a = Tensor(np.ones(5), requires_grad=True)
    middle = tape.exp(a)
    L = middle.sum()
    seen = weakref.ref(middle)
    del middle
    assert seen() is not None
    gc.disable()
    try:
        del L
        assert seen() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- guards


def test_results_are_read_only():
    a = Tensor(np.ones(3), requires_grad=True)
    for out in (tape.exp(a), a.reshape(3, 1), a.T, a + 1):
        with pytest.raises(ValueError, match="read-only"):
            out.data += 1
    a.data += 1


@rows
def test_a_leaf_overwritten_before_backward_is_an_error_or_no_harm(row):
    """Whatever an operation has saved: either the gradient is still right or there is an error."""
    expected = gradients(row.f, row.draw())
    for i in range(len(expected)):
        tensors = [Tensor(a, requires_grad=True) for a in row.draw()]
        out = row.f(*tensors)
        tensors[i].data.flat[-1] += 0.25
        try:
            out.backward(upstream_like(out))
        except RuntimeError as error:
            assert "was overwritten between the way forward and the way back" in str(error)
            assert all(t.grad is None for t in tensors)
        else:
            assert all((t.grad == e).all() for t, e in zip(tensors, expected, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: operator.imul(a, -1),
        lambda a: np.random.default_rng(0).shuffle(a),
        lambda a: operator.iadd(a[2:3], 1e-9),
        lambda a: np.negative(a, out=a),
        lambda a: a.sort(),
        lambda a: a.reshape(5, 2).__setitem__((0, slice(None)), 0),
    ],
)
def test_whatever_overwrites_a_saved_leaf_is_seen(change):
    base = np.random.default_rng(4).normal(size=10)
    a = Tensor(base[:], requires_grad=True)
    L = (a * a).sum()
    change(base)
    with pytest.raises(RuntimeError, match=r"A of 'multiply', an array of shape \(10,\), was overwritten"):
        L.backward()


def test_a_view_of_a_leaf_is_guarded_too():
    a = Tensor(np.arange(4.0), requires_grad=True)
    L = (a.reshape(2, 2) ** 2).sum()
    a.data[0] = 7
    with pytest.raises(RuntimeError, match="X of 'power'"):
        L.backward()


def test_targets_and_an_index_are_copied():
    expected = gradients(lambda Z: tape.softmax_cross_entropy(Z, y) + tape.mse(Z, Y) + Z[[0, 1]].sum(), [Y])
    Z, labels, targets, index = Tensor(Y, requires_grad=True), y.copy(), Y.copy(), np.array([0, 1])
    L = tape.softmax_cross_entropy(Z, labels) + tape.mse(Z, targets) + Z[index].sum()
    labels[0], targets[0, 0], index[0] = 0, 5, 4
    L.backward(upstream_like(L))
    np.testing.assert_array_equal(Z.grad, expected[0])


def test_after_backward_a_leaf_may_be_written():
    W = Tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        W.zero_grad()
        (W * W).sum().backward()
        W.data -= 0.1 * W.grad
    np.testing.assert_allclose(W.data, 0.8**3)


def test_not_a_number_is_not_an_overwritten_number():
    a = Tensor([np.nan, 1.0, np.inf], requires_grad=True)
    with np.errstate(invalid="ignore"):
        (a * a).sum().backward()
    assert a.grad[1] == 2


# ---------------------------------------------------------------- errors


def test_a_second_walk_says_what_to_do():
    a = Tensor(2.0, requires_grad=True)
    b = a * a
    b.backward()
    for t in (b, b * 3):
        with pytest.raises(RuntimeError, match="Compute the loss again before each backward"):
            t.backward()
    assert a.grad == 4


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (lambda a: (a * a).backward(), ValueError, r"shape (3,) needs dL"),
        (lambda a: a.sum().backward(np.ones(3)), ValueError, "dL has shape (3,), and must have that of the tensor"),
        (lambda a: (a * a).backward(np.ones((1, 3))), ValueError, r"dL has shape (1, 3)"),
        (lambda a: Tensor(1.0).backward(), RuntimeError, "requires no grad"),
        (lambda a: a.detach().sum().backward(), RuntimeError, "requires no grad"),
        (lambda a: Tensor(1.0).retain_grad(), RuntimeError, "requires no grad"),
        (lambda a: Tensor(3, requires_grad=True), TypeError, "of int64: nothing can move by a little"),
        (lambda a: Tensor([1 + 1j], requires_grad=True), TypeError, "needs floats"),
        (lambda a: Tensor(["a"]), TypeError, "holds numbers"),
        (lambda a: Tensor(a), TypeError, "t.detach()"),
        (lambda a: a**a, TypeError, "the exponent p is a number"),
        (lambda a: np.exp(a), TypeError, "does not support ufuncs"),
        (lambda a: np.asarray(a), TypeError, "NumPy can't record"),
        (lambda a: tape.mse(a, a), ValueError, "targets are constants"),
        (lambda a: tape.mse(a, np.ones((3, 1))), ValueError, "must have one shape"),
    ],
)
def test_errors_say_what_and_why(wrong, error, message):
    with pytest.raises(error, match=re.escape(message)):
        wrong(Tensor(np.ones(3), requires_grad=True))


def test_an_error_on_the_way_back_leaves_every_grad_as_it_was():
    a, b = Tensor(1.0, requires_grad=True), Tensor([2.0], requires_grad=True)
    L = (a * 2 + (b * b).sum()) * 1.0
    b.data[0] = 5
    with pytest.raises(RuntimeError, match="overwritten"):
        L.backward()
    assert a.grad is None and b.grad is None
