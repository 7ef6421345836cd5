r"""The figures of the chapter *Build a tiny autograd engine*, drawn from `Tensor`s and what they remember.

    shares_of(t, overwrite)       walk back from t: every gradient, and what is handed along every edge
    draw_graph(t, names, ...)     the graph of t: a box for each tensor, an arrow from each parent
    draw_growth(curves)           how many tensors are kept alive, step by step
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from backprop import tape
from backprop.figures import (
    BACKWARD,
    BAD,
    FORWARD,
    INK,
    MUTED,
    STYLE,
    TEXT,
    arrow,
    canvas,
    label,
    matplotlib,
    node,
    node_width,
    number,
    plot,
    text_width,
)

SYMBOLS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@",
    "softmax_cross_entropy": "cross-entropy",
}  # fmt: skip
LONG = 12  # characters of a title that stay in one line


def shares_of(t, overwrite=False):
    """{tensor: gradient} and {(tensor, which parent): what it hands to that parent}, from a graph not yet walked.

    With `overwrite` a share replaces those that have arrived, instead of being added to them.
    """
    grads, shares = {t: np.ones_like(t.data)}, {}
    for made in reversed(tape.topological_order(t)):
        if not made.op or made not in grads:
            continue
        handed = tape.OPS[made.op].backward(grads[made], *made._saved[0])
        for k, (parent, share) in enumerate(
            zip(made.parents, handed if len(made.parents) > 1 else (handed,), strict=True)
        ):
            if parent.requires_grad:
                shares[made, k] = share
                grads[parent] = share if overwrite or parent not in grads else grads[parent] + share
    return grads, shares


def draw_graph(t, names, grads=None, shares=None, right=None, at=None, vertical=False):
    """The graph of `t` as boxes with their operation, value and, if given, gradient.

    `names` maps tensors to what they are called; `grads` and `shares` are those of `shares_of`.  Where `right`, the
    gradients of an engine that makes no mistake, differ, the box has a cross.  `at` places each name by
    (column, row), otherwise a tensor stands behind its parents; `vertical` exchanges the two, for narrow pages.
    """
    order = tape.topological_order(t)
    titles = {made: [part for part in (names.get(made), SYMBOLS.get(made.op, made.op)) if part] for made in order}
    split = max(len(" = ".join(title)) for title in titles.values()) > LONG
    boxes = {made: _rows(made, titles[made], split, grads, right) for made in order}
    width, height = max(node_width(rows) for rows in boxes.values()), 1.5 * TEXT * len(boxes[t]) + 8
    across, down = (8, 36) if vertical else (40, 18)
    if shares:
        across = down = 60 if vertical else 56
    spots = {made: at[names[made]] for made in order} if at else _layers(order)
    place = {}
    for made, (column, row) in spots.items():
        x, y = (row, column) if vertical else (column, row)
        place[made] = (x * (width + across), y * (height + down))
    left, top = (min(p[axis] for p in place.values()) for axis in range(2))
    place = {made: (x - left + width / 2 + 6, y - top + height / 2 + 6) for made, (x, y) in place.items()}
    size = [max(p[axis] for p in place.values()) + (width, height)[axis] / 2 + 6 for axis in range(2)]
    figure, ax = canvas(*size)
    drawn = {}
    for made, rows in boxes.items():
        drawn[made] = node(ax, *place[made], rows, width, MUTED if made.op else FORWARD)
    for made in order:
        for k, parent in enumerate(made.parents):
            arrow(ax, drawn[parent], drawn[made], FORWARD, offset=-4 if (made, k) in (shares or {}) else 0)
            if shares and (made, k) in shares:
                arrow(ax, drawn[made], drawn[parent], BACKWARD, offset=-4)
                _beside(ax, drawn[parent], drawn[made], number(float(shares[made, k])))
    return figure


def _layers(order):
    """(column, row) of each tensor: behind its parents, and a leaf just before the first that uses it."""
    column = {}
    for made in order:
        column[made] = 1 + max((column[p] for p in made.parents), default=-1)
    for made in order:
        if not made.parents and made is not order[-1]:
            column[made] = min(column[user] for user in order if made in user.parents) - 1
    spots = {}
    for k in range(max(column.values()) + 1):
        rank = [made for made in order if column[made] == k]
        rank.sort(key=lambda made: np.mean([spots[p][1] for p in made.parents if p in spots] or [0]))
        spots |= {made: (k, j - (len(rank) - 1) / 2) for j, made in enumerate(rank)}
    return spots


def _beside(ax, parent, made, text):
    """What is handed back along an arrow, on the side of its dashed arrow."""
    tail, head = parent.border((made.x, made.y)), made.border((parent.x, parent.y))
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    length = np.hypot(dx, dy)
    across, down = -dy / length, dx / length
    reach = 8 + abs(across) * text_width(text, bold=True) / 2 + abs(down) * TEXT / 2
    x, y = (tail[0] + head[0]) / 2 + across * reach, (tail[1] + head[1]) / 2 + down * reach
    label(ax, x, y, text, BACKWARD, bold=True)


def _rows(made, title, split, grads, right):
    rows = [[(part, INK, True)] for part in title] if split else [[(" = ".join(title), INK, True)]]
    if split and len(title) == 1:
        rows.append([("leaf" if not made.op else " ", MUTED, False)])
    rows.append([(f"→ {_short(made.data)}", FORWARD, False)])
    if grads is not None:
        wrong = right is not None and made in right and not np.allclose(grads[made], right[made])
        text = f"← {_short(grads[made])}" if made in grads else "no gradient"
        rows.append([(f"× {text}" if wrong else text, BAD if wrong else BACKWARD if made in grads else MUTED, False)])
    return rows


def _short(array):
    """One number, or the shape of many."""
    return number(float(array)) if np.size(array) == 1 else str(np.shape(array))


def draw_growth(curves, xlabel="step", ylabel="tensors kept alive"):
    """`curves` maps a name to (counts, role, line style): one count per step."""
    figure, ax = plot(390, 230, xlabel, ylabel, right=14)
    for name, (counts, role, style) in curves.items():
        steps = np.arange(1, len(counts) + 1)
        ax.plot(steps, counts, color=role, linestyle=style, linewidth=2, marker="o", markersize=4)
        with matplotlib.rc_context(STYLE):
            ax.text(steps[-1], counts[-1] + 4, name, color=role, ha="right", va="bottom", fontsize=TEXT)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(0, 1.25 * max(max(counts) for counts, *_ in curves.values()))
    return figure


