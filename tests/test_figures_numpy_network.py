"""The figures of "A neural network in NumPy" draw what they are given, and say signs and classes without colour."""

import numpy as np
from matplotlib.patches import Rectangle

from backprop.figures import numpy_network as figures


def squares(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_a_picture_has_its_ink_where_the_pixels_are():
    X = np.zeros((1, 64))
    X[0, 8 + 3] = 0.75  # second row, fourth column
    ink, frame = squares(figures.draw_digits(X, ["5"]))
    column, row = (ink.get_x() - frame.get_x()) / ink.get_width(), (ink.get_y() - frame.get_y()) / ink.get_height()
    assert (round(column), round(row)) == (3, 1)
    assert ink.get_alpha() == 0.75 and not frame.get_fill()


def test_a_weight_is_full_or_empty_and_as_large_as_it_is():
    W = np.zeros((64, 1))
    W[0], W[63] = 1.0, -0.25
    frame, full, empty = squares(figures.draw_units(W, ["unit 0"]))
    assert full.get_fill() and not empty.get_fill()
    # The area is the weight, so that the side is its root.
    assert np.isclose(empty.get_width() / full.get_width(), 0.5)


def test_the_border_is_drawn_where_there_is_one():
    axis = np.linspace(-2, 2, 21)
    half = np.broadcast_to(np.where(axis > 0.1, 0.9, 0.1), (21, 21))
    points, labels = np.array([[-1.0, 0.0], [1.0, 0.0], [1.5, 1.0]]), np.array([0, 1, 1])
    panels = {"before": np.full((21, 21), 0.2), "after": half}
    before, after = figures.draw_boundary(panels, points, labels, 2, ["one", "two"]).axes
    borders = [[c for c in ax.collections if c.get_linewidths().max() > 1.5] for ax in (before, after)]
    assert [len(found) for found in borders] == [0, 1]
    edge = borders[1][0].get_paths()[0].vertices[:, 0]
    assert np.all(np.abs(edge - 0.1) < 0.11)
    rings, crosses = after.lines
    assert (rings.get_marker(), crosses.get_marker()) == ("o", "x")
    assert len(rings.get_xdata()) == 1 and len(crosses.get_xdata()) == 2


def test_bars_are_as_long_as_the_times_they_name():
    figure = figures.draw_layer_times({"64 to 32": (10.0, 20.0), "32 to 10": (5.0, 5.0)})
    widths = [bar.get_width() for bar in squares(figure)]
    assert np.allclose(np.array(widths) / widths[0], [1, 2, 0.5, 0.5])
    assert [bool(bar.get_hatch()) for bar in squares(figure)] == [False, True, False, True]
    assert {"10 µs", "20 µs", "5 µs"} <= {text.get_text() for text in figure.axes[0].texts}


def test_a_path_is_drawn_to_its_end():
    points = np.array([[-1.0, 1.0], [0.5, -0.5], [0.25, 0.0]])
    figure = figures.draw_paths(lambda x, y: x**2 + y**2, (2, 2), {"SGD": points})
    lines = figure.axes[0].lines
    assert any(np.array_equal(line.get_xydata(), points) for line in lines)
    assert any(np.array_equal(line.get_xydata(), points[-1:]) for line in lines)


def test_the_two_panels_of_a_training_share_their_epochs():
    figure = figures.draw_training({"SGD": ([2.0, 1.0, 0.5], [0.3, 0.9, 0.2])}, chance=2.3)
    above, below = figure.axes
    assert above.lines[0].get_ydata().tolist() == [2.0, 1.0, 0.5] and below.lines[0].get_ydata().tolist() == [
        0.3,
        0.9,
        0.2,
    ]
    assert [line.get_xdata().tolist() for line in (above.lines[0], below.lines[0])] == [[1, 2, 3]] * 2
    assert above.get_ylim()[1] > 2.3 and below.get_ylim()[0] <= 0.1
