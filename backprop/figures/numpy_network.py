r"""The figures of "A neural network in NumPy".

draw_digits          pictures of digits, with what each of them is
draw_paths           the way of several kinds of step down one valley, seen from above
draw_training        loss and gradient norm over the epochs, of several runs
draw_units           what each hidden unit looks for: its weights as squares in the form of the picture
draw_boundary        what a network with one logit says of a plane, after so many epochs
draw_layer_times     the time that each layer takes, forward and on the way back
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from backprop.figures import (
    BACKWARD,
    BAD,
    EXTRA,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    PAPER,
    STYLE,
    TEXT,
    canvas,
    label,
    number,
    plot,
    superscripts,
)

WIDTH = 390
STYLES = ["-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5))]
ROLES = [FORWARD, BACKWARD, GOOD, EXTRA]


def draw_digits(X, words, columns=6, roles=None):
    """Pictures of 8 x 8 pixels, the rows of X (N, 64), ink from 0 to 1, with a word under each."""
    side, gap = 56, (WIDTH - 56 * columns) / (columns + 1)
    rows = -(-len(X) // columns)
    figure, ax = canvas(WIDTH, rows * (side + 30) + 4)
    for k, (pixels, word) in enumerate(zip(X, words, strict=True)):
        left, top = gap + (k % columns) * (side + gap), 4 + (k // columns) * (side + 30)
        for (i, j), ink in np.ndenumerate(np.reshape(pixels, (8, 8))):
            if ink:
                corner = (left + j * side / 8, top + i * side / 8)
                ax.add_patch(Rectangle(corner, side / 8, side / 8, color=INK, alpha=float(ink), linewidth=0))
        ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor=GRID, linewidth=1))
        label(ax, left + side / 2, top + side + 13, word, roles[k] if roles else INK)
    return figure


def draw_paths(loss, reach, paths):
    """Level lines of `loss(x, y)` on the box `reach` (right, top), and the points of each path, (T, 2), joined.

    `paths` maps a name to its points; the end of each is marked.
    """
    right, top = reach
    figure, ax = plot(WIDTH, 250, left=40, right=14, bottom=30, top=34)
    x, y = np.meshgrid(np.linspace(-right, right, 121), np.linspace(-top, top, 121))
    heights = loss(x, y)
    ax.grid(False)
    ax.contour(x, y, heights, levels=heights.max() * np.array([0.003, 0.02, 0.07, 0.18, 0.36, 0.62]), colors=[GRID])
    ax.plot([0], [0], marker="+", color=INK, markersize=12, markeredgewidth=2, linestyle="none")
    for (name, points), role, style, mark in zip(paths.items(), ROLES, STYLES, "osD^", strict=False):
        ax.plot(*points.T, color=role, linewidth=1.8, linestyle=style, label=name)
        ax.plot(*points[-1:].T, color=role, marker=mark, markersize=7, linestyle="none")
    ax.set(xlim=(-right, right), ylim=(-top, top))
    with matplotlib.rc_context(STYLE):
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(paths), fontsize=TEXT, handlelength=1.6,
                  columnspacing=1.0, borderaxespad=0.2)  # fmt: skip
    return figure


def draw_training(runs, chance=None):
    """Two panels over the epochs, loss above and gradient norm below: `runs` maps a name to (losses, norms).

    `chance` is the loss of guessing, drawn as a line.
    """
    height, tall = 400, 148
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        for panel, what in enumerate(["loss", "gradient norm"]):
            bottom = height - 34 - tall - panel * (tall + 26)
            ax = figure.add_axes((58 / WIDTH, bottom / height, (WIDTH - 74) / WIDTH, tall / height))
            for (name, curves), role, style in zip(runs.items(), ROLES, STYLES, strict=False):
                values = curves[panel]
                ax.plot(np.arange(1, len(values) + 1), values, color=role, linestyle=style, linewidth=2, label=name)
            ax.set_yscale("log")
            superscripts(ax.yaxis)
            # A whole power of ten below, so that two of them have a label; room for a word above.
            lowest, highest = ax.dataLim.intervaly
            ax.set_ylim(10 ** np.floor(np.log10(lowest)), 2.2 * highest)
            ax.grid(True, color=GRID, linewidth=0.8)
            ax.set_axisbelow(True)
            ax.set_ylabel(what)
            if panel == 0:
                if chance:
                    ax.axhline(chance, color=MUTED, linewidth=1.2)
                    ax.annotate("guessing", (1, chance), xytext=(-2, 4), textcoords="offset points", ha="right",
                                xycoords=("axes fraction", "data"), color=MUTED, fontsize=TEXT)  # fmt: skip
                ax.tick_params(labelbottom=False)
                ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(runs), fontsize=TEXT,
                          handlelength=1.8, columnspacing=1.0, borderaxespad=0.2)  # fmt: skip
            else:
                ax.set_xlabel("epoch")
    return figure


def draw_units(W, titles, columns=4):
    """The weights of units as pictures, the columns of W (64, units): a square at each pixel, as large as its weight.

    A positive weight is a full square, a negative one an empty one.
    """
    side, gap, head = 80, (WIDTH - 80 * columns) / (columns + 1), 20
    rows = -(-W.shape[1] // columns)
    figure, ax = canvas(WIDTH, rows * (side + head + 10))
    largest, pixel = np.abs(W).max(), side / 8
    for k, (weights, title) in enumerate(zip(W.T, titles, strict=True)):
        left, top = gap + (k % columns) * (side + gap), head + (k // columns) * (side + head + 10)
        label(ax, left + side / 2, top - head / 2, title, INK, size=TEXT)
        ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor=GRID, linewidth=1))
        for (i, j), weight in np.ndenumerate(weights.reshape(8, 8)):
            size = 0.95 * pixel * np.sqrt(abs(weight) / largest)
            if size < 1:
                continue
            corner = (left + (j + 0.5) * pixel - size / 2, top + (i + 0.5) * pixel - size / 2)
            if weight > 0:
                ax.add_patch(Rectangle(corner, size, size, color=FORWARD, linewidth=0))
            else:
                ax.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=BAD, linewidth=1.2))
    return figure


def draw_boundary(panels, points, labels, reach, names):
    """What a network says of a plane: `panels` maps a title to P (n, n), the probability of class 1 on ±`reach`.

    Points (M, 2) of class 0 are rings, those of class 1 crosses; shaded is where class 1 is the answer, and the solid
    line is the border.
    """
    columns, side, head = 2, 158, 26
    rows = -(-len(panels) // columns)
    width, height = WIDTH, rows * (side + head + 8) + 34
    axis = np.linspace(-reach, reach, len(next(iter(panels.values()))))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        for k, (title, P) in enumerate(panels.items()):
            left, top = 44 + (k % columns) * (side + 24), head + (k // columns) * (side + head + 8)
            ax = figure.add_axes((left / width, 1 - (top + side) / height, side / width, side / height))
            ax.contourf(axis, axis, P, levels=[0.5, 1.01], colors=[FORWARD], alpha=0.16)
            if P.min() < 0.5 < P.max():
                ax.contour(axis, axis, P, levels=[0.5], colors=[INK], linewidths=1.8)
            for which, mark, role in ((0, "o", BACKWARD), (1, "x", FORWARD)):
                # A ring has no filling, and a cross none to have.
                style = {"markerfacecolor": "none"} if mark == "o" else {}
                ax.plot(*points[labels == which].T, marker=mark, color=role, markersize=4, linestyle="none",
                        markeredgewidth=1, **style)  # fmt: skip
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
            ticks = [-reach, 0, reach]
            ax.set_xticks(ticks, [number(t) for t in ticks] if k // columns == rows - 1 else [])
            ax.set_yticks(ticks, [number(t) for t in ticks] if k % columns == 0 else [])
            ax.set_title(title, fontsize=TEXT, color=INK, loc="left", pad=5)
        figure.text(0.5, 6 / height, names[0], ha="center", fontsize=TEXT, color=INK)
        figure.text(10 / width, 0.5, names[1], rotation=90, va="center", fontsize=TEXT, color=INK)
    return figure


def draw_layer_times(times):
    """Bars of microseconds: `times` maps the name of a layer to (forward, back)."""
    leading = 58
    figure, ax = canvas(WIDTH, leading * len(times) + 34)
    start, room = 96, WIDTH - 96 - 70
    largest = max(max(pair) for pair in times.values())
    for k, (name, pair) in enumerate(times.items()):
        y = 34 + k * leading
        label(ax, start - 10, y + 14, name, INK, align="right")
        for row, (value, role) in enumerate(zip(pair, (FORWARD, BACKWARD), strict=True)):
            long = room * value / largest
            bar = Rectangle((start, y + 21 * row), long, 15, facecolor=role if row == 0 else PAPER, edgecolor=role,
                            linewidth=1.5, hatch=None if row == 0 else "////")  # fmt: skip
            ax.add_patch(bar)
            label(ax, start + long + 6, y + 21 * row + 8, f"{value:.0f} µs", role, align="left")
    label(ax, start, 14, "forward: full", FORWARD, align="left")
    label(ax, start + 110, 14, "way back: hatched", BACKWARD, align="left")
    return figure
