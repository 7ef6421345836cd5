r"""The figures of "Activations and losses".

    draw_activations     each function and its slope, one small pair of axes each
    draw_signals         what several losses send back, against the logit
    draw_endings         where formulas that are equal on paper stop giving numbers
    draw_push            push one logit up: one probability rises, the others fall, and the changes add to zero
    draw_jacobian        a small Jacobian as a heat map with its numbers and the sums of its rows and columns
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from backprop.figures import (
    BACKWARD,
    BAD,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    STYLE,
    TEXT,
    canvas,
    label,
    number,
    plot,
    text_width,
)

DASHED = (0, (4, 2.5))


def draw_activations(functions, reach=4.0, columns=3):
    """Small axes, one per entry of `functions`: name -> (function, slope), both of an array, drawn on ±`reach`."""
    rows = -(-len(functions) // columns)
    side, tall = 172, 172
    width, height = side * columns + 20, tall * rows + 8
    z = np.linspace(-reach, reach, 401)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        for k, (name, (function, slope)) in enumerate(functions.items()):
            left, top = (k % columns) * side + 34, (k // columns) * tall + 28
            ax = figure.add_axes((left / width, 1 - (top + 112) / height, 138 / width, 112 / height))
            ax.axhline(0, color=GRID, linewidth=1)
            ax.axvline(0, color=GRID, linewidth=1)
            ax.plot(z, function(z), color=FORWARD, linewidth=2.5)
            # A jump of the slope is a gap, not a wall.
            steps = slope(z)
            jump = np.flatnonzero(np.abs(np.diff(steps)) > 0.5)
            ax.plot(np.insert(z, jump + 1, np.nan), np.insert(steps, jump + 1, np.nan), color=BACKWARD,
                    linewidth=2, linestyle=DASHED)  # fmt: skip
            ax.set(xlim=(-reach, reach), ylim=(-1.2, 2.2))
            ax.set_xticks([-reach, 0, reach], [number(-reach), "0", number(reach)])
            ax.set_yticks([-1, 0, 1, 2], [number(t) for t in (-1, 0, 1, 2)])
            ax.set_title(name, fontsize=TEXT, fontweight="bold", color=INK, loc="left")
    return figure


def draw_signals(z, signals, xlabel, ylabel):
    """Curves over the same axis: `signals` maps a name to (values, role, linestyle, (x, y) of its name)."""
    figure, ax = plot(390, 250, xlabel, ylabel, left=62, right=16)
    ax.axhline(0, color=MUTED, linewidth=1)
    for values, role, style, _ in signals.values():
        ax.plot(z, values, color=role, linewidth=2.5, linestyle=style)
    with matplotlib.rc_context(STYLE):
        for name, (_, role, _, place) in signals.items():
            ax.text(*place, name, color=role, fontsize=TEXT)
    ax.set_xlim(z[0], z[-1])
    return figure


def draw_endings(formulas, z):
    """Formulas of one function over positive `z`, both axes logarithmic: each line ends where it stops being finite.

    `formulas` maps the code of a formula to the function; lines are drawn one above the other, since they would
    coincide, and each ends with a cross and the first `z` that is lost, or with an arrow if none is.
    """
    leading = 62
    figure, ax = canvas(390, leading * len(formulas) + 40)
    left, right = 20, 366
    place = lambda value: left + (right - left) * np.log10(value / z[0]) / np.log10(z[-1] / z[0])
    for k, (code, formula) in enumerate(formulas.items()):
        y = 42 + k * leading
        with np.errstate(all="ignore"):
            good = np.isfinite(formula(z))
        last = len(z) if good.all() else int(np.argmin(good))
        role = GOOD if good.all() else BAD
        label(ax, left, y - 20, code, INK, align="left", mono=True)
        ax.plot([left, place(z[last - 1])], [y, y], color=role, linewidth=3, solid_capstyle="butt")
        if good.all():
            ax.plot([right], [y], marker=">", color=role, markersize=8)
        else:
            end = place(z[last])
            ax.plot([end], [y], marker="x", color=role, markersize=9, markeredgewidth=2.5)
            what = f"{number(float(_at(formula, z[last])))} from z = {number(z[last])}"
            after = end + 12 + text_width(what) < right
            if after:
                label(ax, end + 12, y, what, role, align="left")
            else:
                label(ax, end - 4, y + 16, what, role, align="right")
    bottom = leading * len(formulas) + 12
    ax.plot([left, right], [bottom, bottom], color=MUTED, linewidth=1)
    for power in range(int(np.ceil(np.log10(z[0]))), int(np.floor(np.log10(z[-1]))) + 1):
        tick = 10.0**power
        ax.plot([place(tick)] * 2, [bottom, bottom + 5], color=MUTED, linewidth=1)
        label(ax, place(tick), bottom + 15, number(tick), MUTED)
    label(ax, (left + right) / 2, bottom + 15, "z", MUTED, mono=True)
    return figure


def _at(formula, value):
    """The value of a formula at one place, where it may overflow without a word."""
    with np.errstate(all="ignore"):
        return formula(np.array([value]))[0]


def draw_push(function, z, which, push):
    """Bars of the probabilities `function(z)` before and after the logit `which` is pushed up by `push`."""
    before = function(z)
    moved = np.array(z, dtype=float)
    moved[which] += push
    change = function(moved) - before
    count, side, tall, top = len(before), 104, 150, 34
    figure, ax = canvas(side * count + 70, tall + top + 92)
    floor = top + tall
    scale = tall / max(np.max(before), np.max(before + change))
    for k, (old, delta) in enumerate(zip(before, change, strict=True)):
        x = 62 + k * side
        new = old + delta
        role = GOOD if delta > 0 else BAD
        ax.add_patch(Rectangle((x, floor - old * scale), 32, old * scale, facecolor=GRID, edgecolor=MUTED, linewidth=1))
        ax.add_patch(
            Rectangle((x + 36, floor - new * scale), 32, new * scale, facecolor=role, alpha=0.55, edgecolor=role)
        )
        label(ax, x + 16, floor - old * scale - 9, number(old, 3), MUTED)
        label(ax, x + 52, floor - new * scale - 9, number(new, 3), role)
        name = f"z[{k}] + {number(push)}" if k == which else f"z[{k}]"
        label(ax, x + 34, floor + 15, name, INK, mono=True, bold=k == which)
        sign = "+" if delta > 0 else ""
        label(ax, x + 34, floor + 42, f"{'▲' if delta > 0 else '▼'} {sign}{number(delta, 3)}", role, bold=True)
    ax.plot([50, 62 + count * side - 22], [floor, floor], color=MUTED, linewidth=1)
    label(ax, 6, floor + 15, "logit", MUTED, align="left")
    label(ax, 6, floor + 42, "change", MUTED, align="left")
    total = number(round(float(change.sum()), 12) + 0.0)
    label(ax, 62 + (count * side - 36) / 2, floor + 70, f"changes add to {total}", INK)
    label(ax, 62, 12, "before (grey) and after", MUTED, align="left")
    return figure


def draw_jacobian(J, unit, rows, columns):
    """The matrix `J` as a heat map in whole multiples of 1/`unit`, with the sums of its rows and columns.

    `rows` and `columns` name what moves and what is pushed; the sign is in the number as well as in the colour.
    """
    size = len(J)
    side, left, top = 68, 62, 42
    figure, ax = canvas(left + side * (size + 1) + 14, top + side * size + 64)
    peak = np.max(np.abs(J))
    edges_x, edges_y = left + side * np.arange(size + 1), top + side * np.arange(size + 1)
    for role, part in ((FORWARD, np.maximum(J, 0)), (BAD, np.maximum(-J, 0))):
        for i in range(size):
            for j in range(size):
                if part[i, j]:
                    ax.add_patch(
                        Rectangle((edges_x[j], edges_y[i]), side, side, facecolor=role, linewidth=0,
                                  alpha=float(0.08 + 0.62 * part[i, j] / peak), zorder=1)
                    )  # fmt: skip
    for edge_x, edge_y in zip(edges_x, edges_y, strict=True):
        ax.plot([edge_x] * 2, edges_y[[0, -1]], color=MUTED, linewidth=0.8, zorder=2)
        ax.plot(edges_x[[0, -1]], [edge_y] * 2, color=MUTED, linewidth=0.8, zorder=2)
    scaled = J * unit
    text = lambda value: f"{number(float(np.round(value, 9)) + 0.0)}/{unit}"
    for i in range(size):
        label(ax, left - 8, top + side * (i + 0.5), rows[i], INK, align="right", mono=True)
        label(ax, left + side * (i + 0.5), top - 14, columns[i], INK, mono=True)
        for j in range(size):
            label(ax, left + side * (j + 0.5), top + side * (i + 0.5), text(scaled[i, j]), INK, bold=i == j)
        label(ax, edges_x[-1] + 12, top + side * (i + 0.5), f"= {number(float(np.round(scaled[i].sum(), 9)) + 0.0)}",
              MUTED, align="left")  # fmt: skip
        label(ax, left + side * (i + 0.5), edges_y[-1] + 16,
              f"= {number(float(np.round(scaled[:, i].sum(), 9)) + 0.0)}", MUTED)  # fmt: skip
    if np.allclose(J.sum(axis=0), 0) and np.allclose(J.sum(axis=1), 0):
        label(ax, left + side * size / 2, edges_y[-1] + 44, "every row and every column adds to zero", MUTED)
    return figure
