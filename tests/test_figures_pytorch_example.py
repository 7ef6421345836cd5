"""The figures of "The PyTorch example" say what PyTorch's own objects hold, and what was measured."""

import numpy as np
import pytest
import torch
from torch import nn

from backprop.figures import pytorch_example as figures


def words(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.fixture
def graph():
    """A two-layer network's loss, and its tensors by name."""
    torch.manual_seed(0)
    X, Y = torch.randn(7, 3), torch.ones(7, 1)
    first, last = nn.Linear(3, 4), nn.Linear(4, 1)
    A1 = torch.sigmoid(first(X))
    Z2 = last(A1)
    L = nn.BCEWithLogitsLoss()(Z2, Y)
    return L, {"X": X, "Y": Y, "A1": A1, "Z2": Z2, "w1": first.weight, "b1": first.bias, "w2": last.weight}


def test_the_graph_names_what_each_operation_keeps(graph):
    L, names = graph
    said = words(figures.draw_autograd(L.grad_fn, names))
    assert said.count("Addmm") == 2 and {"BinaryCrossEntropy", "WithLogits", "Sigmoid"} <= set(said)
    # The sigmoid keeps its output; the first layer keeps X and not its weights, since nobody wants dX.
    sigmoid = L.grad_fn.next_functions[0][0].next_functions[1][0]
    first = sigmoid.next_functions[0][0]
    assert figures.kept(sigmoid, names) == [("A1", (7, 4))]
    assert figures.kept(first, names) == [("X", (7, 3))]
    assert said.count("A1") == 2 and said.count("X") == 1
    assert {"b1", "w1", "(4, 3)", "via T"} <= set(said)


def test_an_input_that_wants_a_gradient_makes_the_first_layer_keep_its_weights(graph):
    _, names = graph
    X = names["X"].clone().requires_grad_()
    Z = nn.functional.linear(X, names["w1"], names["b1"])
    assert [name for name, _ in figures.kept(Z.grad_fn, {**names, "X": X})] == ["X", "w1"]


def test_a_tensor_without_a_name_is_called_by_its_slot(graph):
    L, names = graph
    del names["Z2"], names["b1"]
    assert figures.kept(L.grad_fn, names)[0] == ("self", (7, 1))
    assert "leaf" in words(figures.draw_autograd(L.grad_fn, names))


def test_the_dotted_line_falls_by_what_the_gradient_promises():
    norms = np.array([0.5, 0.4, 0.2])
    run = {"losses": [0.7, 0.65, 0.63], "norms": norms, "lr": 0.2}
    top, under = figures.draw_start({"a": run, "b": {**run, "lr": 0.1}}, np.log(2)).axes
    dotted = [line for line in top.lines if line.get_color() == figures.BACKWARD]
    assert np.allclose(dotted[0].get_ydata(), [0.7, 0.7 - 0.2 * 0.25])  # what would be below all losses is left out
    assert np.allclose(dotted[1].get_ydata(), [0.7, 0.7 - 0.1 * 0.25, 0.7 - 0.1 * (0.25 + 0.16)])
    assert np.allclose(under.lines[0].get_ydata(), norms) and under.get_yscale() == "log"


def test_a_gap_of_nothing_stands_at_the_edge_and_one_too_large_beyond_the_line():
    gaps = {"one and two": {"W1": 0.0, "b1": 1e-15}, "one and float32": {"W1": 1e-7, "b1": 1e-7}}
    figure = figures.draw_parity(gaps, 1e-10)
    ax = figure.axes[0]
    dashed = next(line for line in ax.lines if line.get_linestyle() == "--")
    at = {line.get_marker(): [] for line in ax.lines if len(line.get_xdata()) == 1}
    for line in ax.lines:
        if len(line.get_xdata()) == 1:
            at[line.get_marker()].append(line.get_xdata()[0])
    limit = dashed.get_xdata()[0]
    legend, zero, small = at["o"][-1], *at["o"][:-1]
    assert legend < zero < small < limit < min(at["s"][:-1])
    assert "one and float32" in words(figure)
