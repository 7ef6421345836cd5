r"""The figures of "Trust, but verify: gradient checking".

    draw_steps           the error of a difference against its step, on logarithmic axes, with predicted best steps
    draw_crossing        chords across a kink, and the difference that each of them gives
    draw_training        losses while training, with the name of each curve at its end
    draw_catches         a grid: which check catches which wrong gradient
"""

import matplotlib
import numpy as np

from backprop.figures import (
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
    superscripts,
    text_width,
)

DASHED = (0, (4, 2.5))
DOTTED = (0, (1, 1.8))


def draw_steps(steps, errors, places, best):
    """Errors against steps, both logarithmic.

    `errors` maps a name to an array with one error per step; `places` maps it to (role, linestyle, x, y, align), the
    look of the curve and where its name stands; `best` maps some names to the step that theory recommends.
    """
    figure, ax = plot(390, 330, "step h", "relative error of the slope", left=62, right=14)
    ax.set_xscale("log")
    ax.set_yscale("log")
    superscripts(ax.xaxis)
    superscripts(ax.yaxis)
    for name, values in errors.items():
        role, style, x, y, align = places[name]
        seen = values > 0
        ax.plot(steps[seen], values[seen], color=role, linewidth=1.8, linestyle=style)
        with matplotlib.rc_context(STYLE):
            ax.text(x, y, name, color=role, fontsize=TEXT, ha=align, va="center")
    lowest = min(values[values > 0].min() for values in errors.values())
    ax.set_ylim(lowest / 30, 30)
    for name, h in best.items():
        role = places[name][0]
        ax.plot([h], [lowest / 10], marker="^", color=role, markersize=9)
    ax.set_xlim(steps[0], steps[-1])
    return figure


def draw_crossing(f, at, slope, steps, span, top):
    """A curve with a kink at 0 and a point `at` to the right of it, with the chord of each step; below, the slopes.

    `f` maps an array to an array; `slope` is its slope at `at`; `span` and `top` are the limits of the upper axes.
    """
    figure, ax = canvas(390, 350)
    left, right, high, floor = 24, 366, 16, 214
    x = lambda value: left + (right - left) * (value - span[0]) / (span[1] - span[0])
    y = lambda value: floor - (floor - high) * value / top
    w = np.linspace(*span, 401)
    ax.plot(x(w), y(f(w)), color=FORWARD, linewidth=2.5)
    ax.plot([left, right], [floor, floor], color=MUTED, linewidth=1)
    label(ax, x(0) - 2, floor + 14, "kink", MUTED, align="right")
    label(ax, x(at) - 3, floor + 14, "w", INK, mono=True, align="left")
    ax.plot([x(0)] * 2, [floor, floor + 5], color=MUTED, linewidth=1)
    ax.plot([x(at)] * 2, [floor, y(f(at))], color=MUTED, linewidth=1, linestyle=DOTTED)
    ax.plot([x(at)], [y(f(at))], "o", color=INK, markersize=6, zorder=6)
    rows = []
    for h, style in zip(steps, ("-", DASHED, DOTTED), strict=True):
        ends = np.array([at - h, at + h])
        rise = float((f(ends[1]) - f(ends[0])) / (2 * h))
        crosses = at - h < 0 < at + h
        role = BAD if crosses else GOOD
        ax.plot(x(ends), y(f(ends)), color=role, linewidth=1.8, linestyle=style, marker="s", markersize=5, zorder=5)
        rows.append((h, rise, role, "crosses the kink" if crosses else "stays on one side", style))
    label(ax, left, 248, "h", MUTED, align="left", mono=True)
    label(ax, left + 70, 248, "difference", MUTED, align="left")
    label(ax, left + 160, 248, f"(the slope at w is {number(slope)})", MUTED, align="left")
    for k, (h, rise, role, words, style) in enumerate(rows):
        middle = 276 + 26 * k
        label(ax, left, middle, number(h), INK, align="left")
        label(ax, left + 70, middle, number(rise), role, align="left", bold=True)
        label(ax, left + 160, middle, words, role, align="left")
        ax.plot([right - 38, right - 4], [middle, middle], color=role, linewidth=1.8, linestyle=style)
    return figure


def draw_training(curves, named, ylabel):
    """Curves over training steps: `curves` maps a name to (losses, role, linestyle), `named` some to (x, y, align)."""
    figure, ax = plot(390, 330, "training step", ylabel, left=58, right=14)
    ax.set_yscale("log")
    superscripts(ax.yaxis)
    for losses, role, style in curves.values():
        ax.plot(losses, color=role, linewidth=2.6 if role == INK else 1.3, linestyle=style, zorder=3 + (role == INK))
    with matplotlib.rc_context(STYLE):
        for name, (x, y, align) in named.items():
            ax.text(x, y, name, color=curves[name][1], fontsize=TEXT, ha=align, va="center")
    return figure


def draw_catches(catches, checks):
    """A grid with one row per wrong gradient: `catches` maps its name to {check: is it caught?}.

    `checks` maps the name of a check to the words that explain it under the grid; a letter stands over each column.
    """
    leading, cell = 21, 19
    names = max(text_width(name, mono=True) for name in catches) + 4
    letters = [chr(ord("A") + k) for k in range(len(checks))]
    key = 22 * len(checks) + 16
    height = leading * (len(catches) + 2) + key
    figure, ax = canvas(names + cell * len(checks) + 2, height)
    for k, letter in enumerate(letters):
        label(ax, names + cell * (k + 0.5), leading / 2, letter, INK, bold=True)
    for row, (name, caught) in enumerate(catches.items()):
        y = leading * (row + 1.5)
        label(ax, 2, y, name, INK, align="left", mono=True)
        ax.plot([4, names + cell * len(checks)], [y + leading / 2] * 2, color=GRID, linewidth=0.7, zorder=1)
        for k, check in enumerate(checks):
            x = names + cell * (k + 0.5)
            if caught[check]:
                ax.plot([x], [y], marker="x", color=GOOD, markersize=6, markeredgewidth=1.8)
            else:
                ax.plot([x], [y], marker="o", color=BAD, markersize=7)
    y = leading * (len(catches) + 1.5)
    label(ax, 4, y, "let through", MUTED, align="left")
    for k, check in enumerate(checks):
        through = sum(not caught[check] for caught in catches.values())
        label(ax, names + cell * (k + 0.5), y, str(through), BAD if through else GOOD, bold=True)
    for k, (letter, words) in enumerate(zip(letters, checks.values(), strict=True)):
        label(ax, 4, y + leading + 4 + 22 * k, letter, INK, align="left", bold=True)
        label(ax, 24, y + leading + 4 + 22 * k, words, INK, align="left")
    return figure


