r"""The figures of the chapter *The PyTorch example*.

    draw_autograd(root, names)         the graph behind a tensor, from real `grad_fn` objects: ops, and what they keep
    draw_start(runs, chance)           loss and length of the gradient against epochs, with what the gradient promised
    draw_parity(gaps, limit)           how far programs are apart, parameter by parameter

PyTorch itself is not imported here: a `grad_fn` is asked for `name()`, `next_functions`, `variable` and `_saved_...`.
"""

import math
import re

import matplotlib
import numpy as np

from backprop.figures import (
    BACKWARD,
    BAD,
    EXTRA,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    STYLE,
    TEXT,
    arrow,
    canvas,
    label,
    node,
    node_width,
    number,
    plot,
    superscripts,
    text_width,
)  # fmt: skip

LEADING = TEXT * 1.5


def kept(fn, names):
    """The tensors that a `grad_fn` keeps for its backward, as (name, shape), in its own order.

    `names` maps a name to a tensor; one that it does not have is called by the name of its slot.
    """
    found = []
    for slot in sorted(dir(fn)):
        if not slot.startswith("_saved_"):
            continue
        tensor = getattr(fn, slot)
        if not hasattr(tensor, "data_ptr"):
            continue
        same = [name for name, t in names.items() if t.data_ptr() == tensor.data_ptr() and t.numel() == tensor.numel()]
        found.append((same[0] if same else slot.removeprefix("_saved_"), tuple(tensor.shape)))
    return found


def _short(fn):
    return fn.name().rsplit("::", 1)[-1].removesuffix("0").removesuffix("Backward")


def _lines(name, most=20):
    """A name in capitalised words, broken between them where it is longer than `most`."""
    lines = [""]
    for word in re.findall("[A-Z][^A-Z]*|^[^A-Z]+", name):
        if lines[-1] and len(lines[-1] + word) > most:
            lines.append("")
        lines[-1] += word
    return lines


def draw_autograd(root, names):
    """The graph behind the tensor whose `grad_fn` is `root`, drawn downwards: values were computed from the bottom up.

    The chain of operations runs down the left; on the right stand the leaves that collect a gradient.
    `names` maps names to tensors: parameters, inputs and values of the forward pass.
    """
    chain, sides, fn = [], [], root
    while fn is not None:
        rows, following = [[(line, INK, True)] for line in _lines(_short(fn))], None
        for name, shape in kept(fn, names):
            rows.append([("keeps", MUTED, False), (name, FORWARD, True), (str(shape), MUTED, False)])
        chain.append(rows)
        leaves = []
        for child, _ in fn.next_functions:
            if child is None:
                continue
            bottom, steps = child, []
            while len(bottom.next_functions) == 1 and not hasattr(bottom, "variable") and not kept(bottom, names):
                steps.append(_short(bottom))
                bottom = bottom.next_functions[0][0]
            if hasattr(bottom, "variable"):
                leaves.append((bottom.variable, steps))
            else:
                following = child
        sides.append([_leaf(variable, steps, names) for variable, steps in leaves])
        fn = following
    left = node_width([row for rows in chain for row in rows])
    right = node_width([row for side in sides for rows in side for row in rows])
    gap, edge = 34, 6
    heights = []
    for rows, side in zip(chain, sides, strict=True):
        tall = LEADING * len(rows) + 8
        heights.append(max(tall, sum(LEADING * len(r) + 18 for r in side)))
    figure, ax = canvas(left + gap + right + 2 * edge, sum(heights) + 30 * (len(chain) - 1) + 2 * edge)
    y, above = edge, None
    for rows, side, height in zip(chain, sides, heights, strict=True):
        box = node(ax, edge + left / 2, y + height / 2, rows, left)
        if above is not None:
            arrow(ax, above, box, BACKWARD)
        top = y + height / 2 - sum(LEADING * len(r) + 18 for r in side) / 2
        for leaf in side:
            tall = LEADING * len(leaf) + 8
            drawn = node(ax, edge + left + gap + right / 2, top + tall / 2 + 5, leaf, right, role=FORWARD)
            arrow(ax, box, (edge + left + gap, drawn.y), BACKWARD)
            top += tall + 10
        above, y = box, y + height + 30
    return figure


def _leaf(variable, steps, names):
    name = next((name for name, t in names.items() if t is variable), "leaf")
    rows = [[(name, FORWARD, True), (str(tuple(variable.shape)), MUTED, False)]]
    if steps:
        rows.append([(f"via {', '.join(steps)}", MUTED, False)])
    return rows


def draw_start(runs, chance):
    """Two panels over epochs: the loss, and the length of the gradient of all parameters together.

    `runs` maps a name to a dict with `losses`, `norms` (one for each epoch) and `lr`.
    The dotted line starts at the first loss and falls by lr times the squared length in each epoch.
    `chance` is the loss of answering one half to everything.
    """
    styles = [(FORWARD, "-"), (GOOD, (0, (6, 2)))]
    figure, top = plot(390, 430, "", "loss", bottom=244, right=14)
    with matplotlib.rc_context(STYLE):
        under = figure.add_axes((56 / 390, 44 / 430, 320 / 390, 170 / 430), sharex=top)
        under.grid(True, color=GRID, linewidth=0.8)
        under.set_axisbelow(True)
        under.set_xlabel("epoch")
        under.set_ylabel("length of the gradient")
    under.set_yscale("log")
    superscripts(under.yaxis)
    top.axhline(chance, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    floor = min(min(run["losses"]) for run in runs.values())
    for (name, run), (role, dash) in zip(runs.items(), styles, strict=True):
        epochs = np.arange(len(run["losses"]))
        top.plot(epochs, run["losses"], color=role, linestyle=dash, linewidth=2)
        promised = run["losses"][0] - np.concatenate([[0], np.cumsum(run["lr"] * np.square(run["norms"]))[:-1]])
        shown = promised >= floor
        top.plot(epochs[shown], promised[shown], color=BACKWARD, linestyle=(0, (1, 2)), linewidth=2.5)
        under.plot(epochs, run["norms"], color=role, linestyle=dash, linewidth=2)
        at = int(0.62 * len(epochs))
        for ax, series in ((top, run["losses"]), (under, run["norms"])):
            ax.annotate(
                name, (epochs[at], series[at]), xytext=(0, -8), textcoords="offset points", ha="center", va="top",
                color=role, fontsize=TEXT,
            )  # fmt: skip
    top.annotate(
        "chance", (len(epochs) - 1, chance), xytext=(0, 4), textcoords="offset points", ha="right", color=MUTED,
        fontsize=TEXT,
    )  # fmt: skip
    top.set_ylim(floor - 0.12, None)
    return figure


def draw_parity(gaps, limit):
    """How far apart pairs of programs are: `gaps` maps a pair to {parameter: relative gap}; `limit` is what is asked.

    A gap of exactly 0 stands at the left edge, where the axis says so.
    """
    names = list(next(iter(gaps.values())))
    markers = [(FORWARD, "o"), (GOOD, "s"), (EXTRA, "^"), (BAD, "x")]
    low, high = -18.0, math.ceil(max(np.log10(max(gap, 1e-18)) for row in gaps.values() for gap in row.values())) + 1
    legend = 24 * len(gaps)
    left, pitch = max(text_width(name, mono=True) for name in names) + 16, 34
    width, height = 390, legend + pitch * len(names) + 50
    figure, ax = canvas(width, height)
    across = lambda power: left + (width - left - 16) * (power - low) / (high - low)
    bottom = legend + pitch * len(names)
    for power in range(int(low) + 2, int(high) + 1, 4):
        ax.plot([across(power)] * 2, [legend, bottom], color=GRID, linewidth=0.8)
        label(ax, across(power), bottom + 13, number(10.0**power, 1).replace("1×", ""), MUTED)
    ax.plot([across(low)] * 2, [legend, bottom], color=GRID, linewidth=0.8)
    label(ax, across(low), bottom + 13, "0", MUTED)
    label(ax, across((low + high) / 2), bottom + 36, "relative gap", INK)
    ax.plot([across(math.log10(limit))] * 2, [legend - 4, bottom], color=INK, linewidth=1.5, linestyle=(0, (4, 3)))
    for k, name in enumerate(names):
        middle = legend + pitch * (k + 0.5)
        label(ax, 4, middle, name, INK, align="left", mono=True)
        ax.plot([left, width - 16], [middle] * 2, color=GRID, linewidth=0.8)
        for j, ((role, marker), row) in enumerate(zip(markers, gaps.values(), strict=False)):
            x = across(low if row[name] == 0 else math.log10(row[name]))
            ax.plot([x], [middle + 6 * (j - (len(gaps) - 1) / 2)], marker, color=role, markersize=7, markeredgewidth=2)
    for j, ((role, marker), pair) in enumerate(zip(markers, gaps, strict=False)):
        ax.plot([12], [12 + 22 * j], marker, color=role, markersize=7, markeredgewidth=2)
        label(ax, 24, 12 + 22 * j, pair, INK, align="left")
    return figure
