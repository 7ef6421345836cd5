"""The figures of "Trust, but verify: gradient checking" say what their functions give, and not what was hoped for."""

import numpy as np

from backprop.figures import BAD, FORWARD, GOOD, INK
from backprop.figures import gradient_checking as figures


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def kinked(w):
    return np.maximum(w, 0.0) * 2


def test_a_chord_that_crosses_the_kink_says_so():
    said = words(figures.draw_crossing(kinked, 0.1, 2.0, [0.4, 0.2, 0.05], span=(-1, 1), top=2.0))
    assert said.count("crosses the kink") == 2 and said.count("stays on one side") == 1
    # Central differences of 2 max(w, 0) at 0.1: half the chord lies on the flat part.
    assert {"1.25", "1.5", "2"} <= set(said)
    said = words(figures.draw_crossing(kinked, 0.5, 2.0, [0.4, 0.2, 0.05], span=(-1, 1), top=2.0))
    assert "crosses the kink" not in said and said.count("2") == 3


def test_the_best_step_stands_under_its_curve():
    steps = 10.0 ** np.arange(-8, 1.0)
    errors = {"a": np.maximum(1e-12 / steps, steps**2), "b": 0 * steps + 1e-3}
    places = {"a": (FORWARD, "-", 1e-6, 1.0, "left"), "b": (BAD, "--", 1e-6, 1e-2, "left")}
    axis = figures.draw_steps(steps, errors, places, {"a": 1e-4}).axes[0]
    [mark] = [line for line in axis.lines if line.get_marker() == "^"]
    assert list(mark.get_xdata()) == [1e-4] and mark.get_color() == FORWARD
    assert axis.get_ylim()[0] < mark.get_ydata()[0] < errors["a"].min()
    assert [text.get_text() for text in axis.texts] == ["a", "b"]


def test_an_error_of_zero_is_no_point_of_a_logarithmic_axis():
    steps = np.array([1e-2, 1e-1, 1.0])
    axis = figures.draw_steps(steps, {"a": np.array([0.0, 1e-3, 1.0])}, {"a": (INK, "-", 0.1, 0.1, "left")}, {}).axes[0]
    assert list(axis.lines[0].get_xdata()) == [0.1, 1.0]


def test_the_right_gradient_is_the_thick_curve():
    curves = {"right": ([3.0, 1.0], INK, "-"), "sign": ([3.0, 9.0], BAD, ":")}
    axis = figures.draw_training(curves, {"sign": (1, 9.0, "right")}, "loss").axes[0]
    right, wrong = axis.lines
    assert right.get_linewidth() > 1.5 * wrong.get_linewidth() and right.get_zorder() > wrong.get_zorder()
    assert [text.get_text() for text in axis.texts] == ["sign"]


def test_the_grid_counts_what_it_shows():
    catches = {"sign": {"shapes": False, "norms": True}, "zeros": {"shapes": False, "norms": True}}
    figure = figures.draw_catches(catches, {"shapes": "the shapes fit", "norms": "the norms agree"})
    said = words(figure)
    assert said[said.index("let through") + 1 :][:2] == ["2", "0"]
    marks = [line for line in figure.axes[0].lines if line.get_marker() in ("x", "o")]
    assert [(line.get_marker(), line.get_color()) for line in marks] == [("o", BAD), ("x", GOOD)] * 2
