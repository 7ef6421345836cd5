"""The figures of "Build a tiny autograd engine" are drawn from tensors, and say what the engine computes."""

import numpy as np
import pytest

from backprop import tape
from backprop.figures import tiny_autograd as figures
from backprop.tape import Tensor


def fork():
    w, x = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    p = w * x
    s = p + x
    L = s * p
    return L, {w: "w", x: "x", p: "p", s: "s", L: "L"}


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_shares_are_those_of_the_engine():
    L, names = fork()
    grads, shares = figures.shares_of(L)
    by_name = {names[t]: float(g) for t, g in grads.items()}
    assert by_name == {"L": 1, "s": 6, "p": 15, "x": 36, "w": 45}
    assert sorted(float(share) for share in shares.values()) == [6, 6, 6, 9, 30, 45]
    L.backward()
    assert all(t.grad == grads[t] for t, name in names.items() if name in "wx")


def test_an_engine_that_overwrites_is_drawn_with_its_crosses():
    L, names = fork()
    right, _ = figures.shares_of(L)
    wrong, shares = figures.shares_of(L, overwrite=True)
    at = {"w": (0, 0), "x": (0, 1), "p": (1, 0), "s": (1, 1), "L": (2, 0.5)}
    said = words(figures.draw_graph(L, names, wrong, shares, right, at=at))
    assert sorted(word for word in said if word.startswith("×")) == ["× ← 12", "× ← 18", "× ← 6"]
    assert not [word for word in words(figures.draw_graph(L, names, right, at=at)) if word.startswith("×")]


@pytest.mark.parametrize("vertical", [False, True])
def test_every_tensor_has_a_box_with_its_shape(vertical):
    X = Tensor(np.ones((5, 3)))
    W, b = (Tensor(np.ones(shape), requires_grad=True) for shape in [(3, 4), (4,)])
    L = tape.mse(tape.affine(X, W, b), np.zeros((5, 4)))
    grads, _ = figures.shares_of(L)
    said = words(figures.draw_graph(L, {X: "X", W: "W", b: "b", L: "L"}, grads, vertical=vertical))
    assert {"→ (5, 3)", "← (3, 4)", "← (4,)", "no gradient", "affine"} <= set(said)


def test_boxes_do_not_overlap():
    L, _ = fork()
    order = tape.topological_order(L)
    spots = figures._layers(order)
    assert len(set(spots.values())) == len(order)
    assert all(spots[p][0] < spots[t][0] for t in order for p in t.parents)
