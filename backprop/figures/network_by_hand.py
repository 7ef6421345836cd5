r"""The figures of the chapter *A whole network by hand*.

    draw_network(values, grads)             a D-2-1 network with every value and every gradient at its place
    draw_ledger(values, grads, numeric)     the same numbers as a table: how each is reckoned, with finite differences
    draw_reuse(values, grads)               what each dZ is used for on the way back, with shapes
    draw_damage(verdicts)                   which gradients a mistake spoils, and which still look right

`values` holds X, W1, b1, Z1, A1, W2, b2, P, Y and L, `grads` the same names with a d before them.
"""

import numpy as np
from matplotlib.patches import Rectangle

from backprop.figures import (
    BACKWARD,
    BAD,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    PAPER,
    TEXT,
    arrow,
    canvas,
    label,
    node,
    number,
    table,
    text_width,
)  # fmt: skip

LEADING = TEXT * 1.5


def _both(name, value, gradient):
    """A row of a box: the name, its value, its gradient."""
    return name, f"→ {number(value)}", "" if gradient is None else f"← {number(gradient)}"


def _columns(boxes):
    """Widths of the three columns that all these boxes share."""
    rows = [row for box in boxes for row in box]
    return [max(text_width(row[k], mono=k == 0) for row in rows) + 7 for k in range(3)]


def _box(ax, x, y, rows, columns, role):
    """A box of `_both` rows in aligned columns, centred at (x, y)."""
    drawn = node(ax, x, y, [[("", INK, False)]] * len(rows), sum(columns) + 6, role)
    for k, row in enumerate(rows):
        height, left = y + (k - (len(rows) - 1) / 2) * LEADING, x - drawn.width / 2 + 8
        for text, colour, width in zip(row, (INK, FORWARD, BACKWARD), columns, strict=True):
            label(ax, left, height, text, colour, align="left", mono=colour == INK)
            left += width
    return drawn


def draw_network(values, grads, vertical=False):
    """A network with one example, any inputs, any hidden units and one output: a box per unit, a wire per weight.

    `vertical` lets it run downwards, for narrow pages.
    """
    v, g = values, grads
    inputs, hidden = v["W1"].shape
    boxes = {("X", d): [_both(f"X[0,{d}]", v["X"][0, d], g["dX"][0, d])] for d in range(inputs)}
    for j in range(hidden):
        boxes["H", j] = [
            _both(f"b1[{j}]", v["b1"][j], g["db1"][j]),
            _both(f"Z1[0,{j}]", v["Z1"][0, j], g["dZ1"][0, j]),
            _both(f"A1[0,{j}]", v["A1"][0, j], g["dA1"][0, j]),
        ]
    boxes["P", 0] = [
        _both("b2[0]", v["b2"][0], g["db2"][0]),
        _both("P[0,0]", v["P"][0, 0], g["dP"][0, 0]),
        _both("Y[0,0]", v["Y"][0, 0], None),
        _both("L", v["L"], 1.0),
    ]
    wires = {}
    for d in range(inputs):
        for j in range(hidden):
            wires[("X", d), ("H", j)] = (f"W1[{d},{j}]", v["W1"][d, j], g["dW1"][d, j])
    for j in range(hidden):
        wires[("H", j), ("P", 0)] = (f"W2[{j},0]", v["W2"][j, 0], g["dW2"][j, 0])

    counts = {"X": inputs, "H": hidden, "P": 1}
    columns = {layer: _columns([rows for key, rows in boxes.items() if key[0] == layer]) for layer in counts}
    wide = {layer: sum(widths) + 6 for layer, widths in columns.items()}
    edge = 6
    place = {}
    if vertical:
        pitch, tops = max(wide.values()) + 12, {"X": 19, "H": 240, "P": 430}
        middle = edge + (max(counts.values()) * pitch - 12) / 2
        for layer, k in boxes:
            place[layer, k] = (middle + (k - (counts[layer] - 1) / 2) * pitch, tops[layer])
        size = (2 * middle, tops["P"] + 46)
    else:
        gap, pitch = 148, 176
        lefts = {"X": edge, "H": edge + wide["X"] + gap, "P": edge + wide["X"] + wide["H"] + 2 * gap}
        middle = edge + 32 + (max(counts.values()) - 1) * pitch / 2
        for layer, k in boxes:
            place[layer, k] = (lefts[layer] + wide[layer] / 2, middle + (k - (counts[layer] - 1) / 2) * pitch)
        size = (lefts["P"] + wide["P"] + edge, 2 * middle)
    figure, ax = canvas(*size)
    drawn = {
        key: _box(ax, *place[key], rows, columns[key[0]], role=FORWARD if key[0] == "X" else MUTED)
        for key, rows in boxes.items()
    }
    for (start, end), (name, value, gradient) in wires.items():
        a, b = drawn[start], drawn[end]
        arrow(ax, a, b, FORWARD, offset=-3)
        arrow(ax, b, a, BACKWARD, offset=-3)
        # Wires that cross carry their numbers near one end each, so that no two lie on each other.
        straight = place[start][0 if vertical else 1] == place[end][0 if vertical else 1]
        share = 0.5 if straight or start[0] == "H" else (0.2 if start[1] < end[1] else 0.8)
        tail, head = a.border((b.x, b.y)), b.border((a.x, a.y))
        x, y = (tail[k] + share * (head[k] - tail[k]) for k in (0, 1))
        _wire_label(ax, x, y, name, value, gradient)
    return figure


def _wire_label(ax, x, y, name, value, gradient):
    forward, backward = f"→ {number(value)}", f"← {number(gradient)}"
    half = (text_width(forward) + 6 + text_width(backward)) / 2
    ax.add_patch(Rectangle((x - half - 2, y - 17), 2 * half + 4, 35, color=PAPER, linewidth=0, zorder=4))
    label(ax, x, y - 8, name, MUTED, mono=True)
    label(ax, x - half, y + 9, forward, FORWARD, align="left")
    label(ax, x + half, y + 9, backward, BACKWARD, align="right")


# ------------------------------------------------------------------------------------------------- the table


def _term(value):
    """A number as a factor or a summand: negative ones in brackets."""
    return f"({number(value)})" if value < 0 else number(value)


def _sum(pairs, more=()):
    """Products and further summands, written out: 2·1 + 1·(−1) + 0.5."""
    return " + ".join([f"{_term(a)}·{_term(b)}" for a, b in pairs] + [_term(value) for value in more])


def _ledger(values, grads):
    """(name, entry of the arrays, how the value comes about, how the gradient does) for every number, in order."""
    v, g = values, grads
    (inputs, hidden), slope = v["W1"].shape, v["slope"]
    units = range(hidden)
    gates = [1.0 if v["Z1"][0, j] > 0 else slope for j in units]
    for d in range(inputs):
        back = _sum([(g["dZ1"][0, j], v["W1"][d, j]) for j in units])
        yield "X", (0, d), "", back
    for d in range(inputs):
        for j in units:
            yield "W1", (d, j), "", _sum([(v["X"][0, d], g["dZ1"][0, j])])
    for j in units:
        yield "b1", (j,), "", number(g["dZ1"][0, j])
    for j in units:
        pairs = [(v["X"][0, d], v["W1"][d, j]) for d in range(inputs)]
        yield "Z1", (0, j), _sum(pairs, [v["b1"][j]]), _sum([(g["dA1"][0, j], gates[j])])
    for j in units:
        yield "A1", (0, j), _sum([(gates[j], v["Z1"][0, j])]), _sum([(g["dP"][0, 0], v["W2"][j, 0])])
    for j in units:
        yield "W2", (j, 0), "", _sum([(v["A1"][0, j], g["dP"][0, 0])])
    yield "b2", (0,), "", number(g["dP"][0, 0])
    error = f"({number(v['P'][0, 0])} − {_term(v['Y'][0, 0])})"
    pairs = [(v["A1"][0, j], v["W2"][j, 0]) for j in units]
    yield "P", (0, 0), _sum(pairs, [v["b2"][0]]), f"2·{error}"
    yield "L", (), f"{error}²", ""


def draw_ledger(values, grads, numeric, vertical=False):
    """Every number of the network in one table: how it is reckoned from others, forward and back.

    `numeric` holds finite differences under the names of `grads`; `values` has the slope of leaky ReLU too.
    `vertical` puts the way back under the way forward, for narrow pages.
    """
    rows = []
    for name, entry, forward, backward in _ledger(values, grads):
        gradient = grads["d" + name][entry] if "d" + name in grads else 1.0
        seen = number(np.asarray(numeric["d" + name])[entry]) if "d" + name in numeric else ""
        title = f"{name}[{','.join(map(str, entry))}]" if entry else name
        rows.append([
            (title, INK, True),
            (forward or "given", MUTED, False), (number(np.asarray(values[name])[entry]), FORWARD, False),
            (backward, MUTED, False), (number(gradient), BACKWARD, False), (seen, INK, False),
        ])  # fmt: skip
    heading = ["", "forward ↓", "value ↓", "way back ↑", "gradient ↑", "nudged"]
    if vertical:
        blank = ("", INK, False)
        rows = [half for row in rows for half in (
            [row[0], row[1], row[2], blank], [blank, row[3], row[4], row[5]],
        )]  # fmt: skip
        heading = ["", "forward, then way back", "↓ ↑", "nudged"]
    widths = [
        max([text_width(title)] + [text_width(row[k][0], mono=row[k][2]) for row in rows]) + 12
        for k, title in enumerate(heading)
    ]
    leading = 22 if vertical else 25
    figure, ax = canvas(sum(widths) + 4, leading * (len(rows) + 1) + 6)
    table(ax, 2, 2, widths, rows, heading, leading, group=2 if vertical else 1)
    return figure


# ------------------------------------------------------------------------------------------------- the reuse


def draw_reuse(values, grads, vertical=False):
    """The way back through two layers as boxes with shapes: each dZ is made once and used three times."""

    def shape(name):
        return str(np.shape(grads[name]))

    links = [("dP", "dW2"), ("dP", "db2"), ("dP", "dA1"), ("dA1", "dZ1"), ("dZ1", "dW1"), ("dZ1", "db1"), ("dZ1", "dX")]
    uses = {
        "dP": "needs P, Y", "dW2": "needs A1", "db2": "", "dA1": "needs W2",
        "dZ1": "needs Z1", "dW1": "needs X", "db1": "", "dX": "needs W1",
    }  # fmt: skip
    if vertical:
        at = {"dP": (1, 0), "dW2": (0, 1), "db2": (2, 1), "dA1": (1, 1.25), "dZ1": (1, 2.35), "dW1": (0, 3.35),
              "dX": (1, 3.6), "db1": (2, 3.35)}  # fmt: skip
        place = {name: (60 + 118 * column, 30 + 78 * row) for name, (column, row) in at.items()}
        size = (356, 30 + 78 * 3.6 + 34)
    else:
        at = {"dP": (3, 1), "dA1": (2, 1), "dZ1": (1, 1), "dX": (0, 1), "dW2": (2, 0), "db2": (2, 2), "dW1": (0, 0),
              "db1": (0, 2)}  # fmt: skip
        place = {name: (72 + 168 * column, 36 + 88 * row) for name, (column, row) in at.items()}
        size = (72 + 168 * 3 + 72, 36 + 88 * 2 + 36)
    figure, ax = canvas(*size)
    drawn = {}
    for name, spot in place.items():
        rows = [[(name, INK, True), (shape(name), MUTED, False)]]
        if uses[name]:
            rows.append([(uses[name], MUTED, False)])
        drawn[name] = node(ax, *spot, rows, role=BACKWARD if name in ("dP", "dZ1") else MUTED)
    for start, end in links:
        arrow(ax, drawn[start], drawn[end], BACKWARD)
    return figure


# ------------------------------------------------------------------------------------------------- the damage


def draw_damage(verdicts, vertical=False):
    """A grid: `verdicts` maps a mistake to {gradient: right or not}; a cross is wrong, a dot is right.

    `vertical` puts the name of a mistake above its row, for narrow pages.
    """
    columns = list(next(iter(verdicts.values())))
    names = max(text_width(name, mono=True) for name in verdicts) + 14
    cell = max(text_width(name, mono=True) for name in columns) + (6 if vertical else 14)
    leading = 27
    left = 4 if vertical else names
    height = leading * (1 + len(verdicts) * (2 if vertical else 1)) + 6
    width = max(left + cell * len(columns) + 4, names if vertical else 0)
    figure, ax = canvas(width, height)
    for k, name in enumerate(columns):
        label(ax, left + cell * (k + 0.5), leading / 2, name, INK, mono=True)
    y = leading
    for mistake, right in verdicts.items():
        ax.plot([2, width - 2], [y, y], color=GRID, linewidth=0.8)
        label(ax, 4, y + leading / 2, mistake, INK, align="left", mono=True)
        y += leading if vertical else 0
        for k, name in enumerate(columns):
            x, middle = left + cell * (k + 0.5), y + leading / 2
            if right[name]:
                ax.plot([x], [middle], "o", color=GOOD, markersize=4.5)
            else:
                ax.plot([x], [middle], "x", color=BAD, markersize=TEXT * 0.75, markeredgewidth=2.2)
        y += leading
    return figure
