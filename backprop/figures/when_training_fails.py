r"""The figures of "When training fails".

draw_depth           the size of something in each layer on a logarithmic axis, one line for each network
draw_histograms      how the numbers of several layers are spread, one row for each network
draw_saddle          level lines of a loss of two weights, with paths of descent
draw_curves          curves over steps, with their names beside them and levels to compare with
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from backprop.figures import BACKWARD, FORWARD, INK, MUTED, STYLE, TEXT, number, plot, superscripts

DASHED = (0, (4, 2.5))


def _name(ax, text, at, role, offset=(0, 0), align="left"):
    with matplotlib.rc_context(STYLE):
        ax.annotate(text, at, xytext=offset, textcoords="offset points", ha=align, color=role, fontsize=TEXT)


def draw_depth(networks, ylabel):
    """`networks` maps a name to (one positive number per layer, role, marker, (layer, value) of its name)."""
    figure, ax = plot(390, 310, "layer", ylabel, left=64, right=16)
    ax.set_yscale("log")
    for values, role, marker, _ in networks.values():
        layers = np.arange(1, len(values) + 1)
        ax.plot(layers, values, color=role, marker=marker, linewidth=2, markersize=5)
    superscripts(ax.yaxis)
    for name, (*_, role, _, place) in networks.items():
        _name(ax, name, place, role)
    ax.set_xticks([1, *range(5, len(values) + 1, 5)])
    ax.margins(y=0.12)
    return figure


def draw_histograms(networks, layers, reach=1.0, vertical=False):
    """`networks` maps a name to one array per layer of `layers`; each gets a histogram over ±`reach` and its deviation.

    A row is a network, or with `vertical`, for narrow pages, a column.
    """
    rows, columns = (len(layers), len(networks)) if vertical else (len(networks), len(layers))
    left, broad, high, gap = (14, 90, 58, 18) if vertical else (16, 118, 62, 20)
    head, above, below = (24, 24, 24) if vertical else (0, 44, 26)
    width, height = 2 * left + broad * columns + gap * (columns - 1), head + (above + high + below) * rows
    edges = np.linspace(-reach, reach, 32)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        for r, (name, arrays) in enumerate(networks.items()):
            for c, (layer, values) in enumerate(zip(layers, arrays, strict=True)):
                row, column = (c, r) if vertical else (r, c)
                x, y = left + (broad + gap) * column, head + (above + high + below) * row + above + high
                ax = figure.add_axes((x / width, 1 - y / height, broad / width, high / height))
                share = np.histogram(np.clip(values, -reach, reach), edges)[0]
                ax.stairs(share / share.max(), edges, fill=True, color=FORWARD, alpha=0.45)
                ax.stairs(share / share.max(), edges, color=FORWARD, linewidth=1.2)
                ax.set(xlim=(-reach, reach), ylim=(0, 1.08))
                ax.set_xticks([-reach, 0, reach], [number(-reach), "0", number(reach)])
                ax.set_yticks([])
                ax.spines["left"].set_visible(False)
                spread = f"±{number(np.std(values), 2)}"
                title = f"{layer}: {spread}" if vertical else f"layer {layer}: {spread}"
                ax.set_title(title, fontsize=TEXT, color=MUTED, pad=3)
                if c == 0:
                    at = (broad / 2, high + 24) if vertical else (0, high + 22)
                    figure.text(
                        (x + at[0]) / width, 1 - (y - at[1]) / height, name, color=INK, fontsize=TEXT,
                        fontweight="bold", ha="center" if vertical else "left",
                    )  # fmt: skip
    return figure


def draw_saddle(loss, paths, reach, saddle, levels, names=("w1", "w2")):
    """Level lines of `loss(u, v)` over ±`reach`, and `paths`, name -> (points (T, 2), role, marker, place of the name).

    A path begins at its marker and ends at its arrowhead; `saddle` is the point marked with a cross.
    """
    figure, ax = plot(370, 340, *names, left=60)
    axis = np.linspace(-reach, reach, 201)
    u, v = np.meshgrid(axis, axis)
    ax.grid(False)
    ax.contour(u, v, loss(u, v), levels=levels, colors=MUTED, linewidths=0.8, alpha=0.7)
    for name, (points, role, marker, place) in paths.items():
        points = np.asarray(points)
        ax.plot(*points.T, color=role, linewidth=2)
        ax.plot(*points[0], marker=marker, color=role, markersize=7)
        moving = np.linalg.norm(points - points[-1], axis=1) > 0.06 * reach
        tail = points[np.flatnonzero(moving)[-1]] if moving.any() else points[0]
        ax.annotate("", points[-1], tail, arrowprops={"arrowstyle": "-|>", "color": role, "linewidth": 2})
        _name(ax, name, place, role)
    ax.plot(*saddle, marker="x", color=INK, markersize=10, markeredgewidth=2.5)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return figure


def draw_curves(curves, xlabel, ylabel, levels=(), bottom=None):
    """`curves` maps a name to (x, y, role, linestyle, (x, y) of its name); `levels` are (value, text) drawn across.

    With `bottom` the axis is logarithmic and ends there.
    """
    figure, ax = plot(390, 250, xlabel, ylabel, left=62, right=16)
    for x, y, role, style, _ in curves.values():
        ax.plot(x, y, color=role, linewidth=2, linestyle=style)
    if bottom:
        ax.set_yscale("log")
        ax.set_ylim(bottom=bottom)
        superscripts(ax.yaxis)
    for name, (*_, role, _, place) in curves.items():
        _name(ax, name, place, role)
    for value, text in levels:
        ax.axhline(value, color=BACKWARD, linewidth=1.2, linestyle=DASHED)
        _name(ax, text, (ax.get_xlim()[1], value), BACKWARD, offset=(-2, 4), align="right")
    return figure
