"""The figures of "When training fails" say what the arrays say."""

import numpy as np

from backprop.figures import BAD, FORWARD, GOOD
from backprop.figures import when_training_fails as figures


def test_a_histogram_prints_the_deviation_of_its_layer():
    rng = np.random.default_rng(0)
    networks = {"small": [rng.normal(scale=s, size=4000) for s in (0.01, 0.3)], "flat": [np.full(9, 0.5), np.zeros(9)]}
    figure = figures.draw_histograms(networks, [1, 7])
    assert [ax.get_title() for ax in figure.axes[:2]] == ["layer 1: ±0.01", "layer 7: ±0.3"]
    assert [ax.get_title() for ax in figure.axes[2:]] == ["layer 1: ±0", "layer 7: ±0"]
    assert [text.get_text() for text in figure.texts] == ["small", "flat"]
    narrow = figures.draw_histograms(networks, [1, 7], vertical=True)
    assert narrow.get_size_inches()[0] < figure.get_size_inches()[0]
    assert {ax.get_title() for ax in narrow.axes} == {"1: ±0.01", "7: ±0.3", "1: ±0", "7: ±0"}


def test_depth_has_one_line_for_each_network_and_one_point_for_each_layer():
    networks = {"a": (np.array([1e-8, 1e-4, 1.0]), BAD, "s", (1, 1e-7)), "b": (np.ones(3), GOOD, "o", (1, 2.0))}
    ax = figures.draw_depth(networks, "norm").axes[0]
    assert ax.get_yscale() == "log"
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1e-8, 1e-4, 1.0], [1.0, 1.0, 1.0]]
    assert [text.get_text() for text in ax.texts] == ["a", "b"]


def test_a_path_that_ends_where_it_began_is_drawn_too():
    loss = lambda u, v: (1 - u * v) ** 2 / 2
    paths = {"still": (np.zeros((5, 2)), BAD, "s", (0, 0)), "moving": ([(0, 0), (1, 1)], GOOD, "o", (0, 0))}
    ax = figures.draw_saddle(loss, paths, 2, (0, 0), levels=[0.1, 0.5, 1]).axes[0]
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["still", "moving"]


def test_curves_end_at_the_bottom_and_show_the_levels():
    curves = {"loss": (np.arange(3), np.array([1.0, 0.1, 1e-9]), FORWARD, "-", (0, 1))}
    ax = figures.draw_curves(curves, "step", "", levels=[(0.1, "stair")], bottom=0.01).axes[0]
    assert ax.get_ylim()[0] == 0.01 and ax.lines[1].get_ydata() == [0.1, 0.1]
    assert figures.draw_curves(curves, "step", "").axes[0].get_yscale() == "linear"
