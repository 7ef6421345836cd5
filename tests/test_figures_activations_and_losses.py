"""The figures of "Activations and losses" say what their functions give, and not what was hoped for."""

import numpy as np

from backprop import ops
from backprop.figures import activations_and_losses as figures

LOGITS = np.log([1.0, 2.0, 5.0])


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_push_of_softmax_adds_to_zero_and_one_of_sigmoids_does_not():
    assert "changes add to 0" in words(figures.draw_push(ops.softmax, LOGITS, 1, 0.5))
    said = words(figures.draw_push(ops.sigmoid, LOGITS, 1, 0.5))
    assert [word for word in said if word.startswith("changes add to")] != ["changes add to 0"]
    assert len([word for word in said if word.startswith("▲")]) == 1


def test_the_jacobian_prints_its_entries_and_their_sums():
    p = ops.softmax(LOGITS)
    names = ["a", "b", "c"]
    said = words(figures.draw_jacobian(np.diag(p) - np.outer(p, p), 64, names, names))
    assert {"7/64", "12/64", "15/64", "−2/64", "−5/64", "−10/64"} <= set(said)
    assert said.count("= 0") == 6 and "every row and every column adds to zero" in said
    said = words(figures.draw_jacobian(np.diag(p * (1 - p)), 64, names, names))
    assert "= 0" not in said and "every row and every column adds to zero" not in said


def test_a_formula_ends_where_it_is_first_not_finite():
    z = np.array([1.0, 10.0, 100.0, 709.0, 710.0, 1000.0])
    formulas = {"log(1 + exp(z))": lambda z: np.log(1 + np.exp(z)), "softplus": ops.softplus}
    said = words(figures.draw_endings(formulas, z))
    assert [word for word in said if "from z" in word] == ["inf from z = 710"]


def test_a_jump_of_a_slope_is_a_gap():
    figure = figures.draw_activations({"ReLU": (ops.relu, lambda z: ops.relu_backward(1.0, z))})
    steps = figure.axes[0].lines[-1].get_ydata()
    assert np.isnan(steps).sum() == 1 and set(steps[~np.isnan(steps)]) == {0.0, 1.0}
