r"""The figures of "Blame, seasoning and clues".

    draw_mapping      the round of training, and what each analogy calls its stations
    draw_knob         the loss against one knob, with its tangent, or with steps on it
"""

import matplotlib
import numpy as np

from backprop.figures import (
    BACKWARD,
    BAD,
    FORWARD,
    GOOD,
    INK,
    MUTED,
    STYLE,
    TEXT,
    arrow,
    canvas,
    node,
    node_width,
    number,
    plot,
)

ROLES = [FORWARD, FORWARD, FORWARD, BACKWARD, BACKWARD]


def draw_mapping(stations, across=2):
    """The stations of training in a round, each with the words of the analogies for it.

    `stations` maps a station (and its name in code) to {analogy: its word}.  The way forward runs over the first
    three with solid arrows, and the way back over the others, dashed, to the first one again.
    `across` is 2 for two columns, down the left and up the right, or 1 for one column with the return at its side.
    """
    boxes = [
        [[(title, ROLES[k], False)], *[[(f"{who}: {word}", INK, False)] for who, word in words.items()]]
        for k, (title, words) in enumerate(stations.items())
    ]
    width = max(node_width(lines) for lines in boxes)
    height = max(len(lines) for lines in boxes) * TEXT * 1.5 + 8
    gap, edge = 30, 4
    count = len(boxes)
    if across == 1:
        left = edge + width / 2
        places = [(left, edge + height / 2 + k * (height + gap)) for k in range(count)]
        size = (width + 2 * edge + 22, edge * 2 + count * height + (count - 1) * gap)
    else:
        half = (count + 1) // 2
        places = [(edge + width / 2, edge + height / 2 + k * (height + gap)) for k in range(half)]
        right = edge + width * 1.5 + 2 * gap
        # Up again on the right; where it has one box fewer, its boxes stand between those on the left.
        shift = (half - (count - half)) * (height + gap) / 2
        places += [(right, places[half - 1 - k][1] - shift) for k in range(count - half)]
        size = (right + width / 2 + edge, places[half - 1][1] + height / 2 + edge)
    figure, ax = canvas(*size)
    nodes = []
    for k, ((x, y), lines) in enumerate(zip(places, boxes, strict=True)):
        nodes.append(node(ax, x, y, lines, width, role=ROLES[k]))
    for k in range(count - 1):
        arrow(ax, nodes[k], nodes[k + 1], FORWARD if k < 2 else BACKWARD)
    if across == 1:
        first, last = nodes[0], nodes[-1]
        side = first.x + width / 2
        style = dict(color=BACKWARD, linewidth=1.5, linestyle=(0, (3, 2)), zorder=2)
        ax.plot([side, side + 16, side + 16], [last.y, last.y, first.y], **style)
        arrow(ax, (side + 18, first.y), (side - 1, first.y), BACKWARD)
    else:
        arrow(ax, nodes[-1], nodes[0], BACKWARD)
    return figure


def draw_knob(loss, at, slope=None, walks=None, span=(0.0, 3.0), xlabel="knob w", top=None):
    """The loss against one knob.

    `loss` maps a number to a number.  With `slope` the tangent at `at` is drawn, and its triangle for one unit.
    `walks` maps a name to (knob settings, good), drawn as marks on the curve joined by lines.
    """
    figure, ax = plot(390, 270, xlabel, "loss L", right=16)
    w = np.linspace(*span, 241)
    L = np.array([loss(v) for v in w])
    top = 1.08 * L.max() if top is None else top
    with matplotlib.rc_context(STYLE):
        ax.plot(w, L, color=FORWARD, linewidth=2.5)
        ax.plot([at], [loss(at)], "o", color=INK, markersize=7, zorder=5)
        if slope is not None:
            ax.plot(w, loss(at) + slope * (w - at), color=BACKWARD, linewidth=1.5, linestyle=(0, (4, 3)))
            run = 0.25
            corner = (at + run, loss(at) + slope * run)
            ax.plot([at, corner[0], corner[0]], [loss(at), loss(at), corner[1]], color=MUTED, linewidth=1.2)
            words = f"{number(slope * run)} for {number(run)}: slope {number(slope)}"
            ax.annotate(
                words, ((at + corner[0]) / 2, loss(at)), xytext=(14, 10), textcoords="offset points", color=BACKWARD,
                fontsize=TEXT,
            )  # fmt: skip
        for k, (name, (settings, good)) in enumerate((walks or {}).items()):
            role = GOOD if good else BAD
            heights = [loss(v) for v in settings]
            ax.plot(settings, heights, color=role, linewidth=1.2, marker="os^D"[k], markersize=6, zorder=4)
            ax.annotate(
                f"{'✓' if good else '✗'} {name}", (settings[-1], heights[-1]), xytext=(-9, -3 if good else 6),
                textcoords="offset points", color=role, fontsize=TEXT, ha="right",
            )  # fmt: skip
        ax.set(xlim=span, ylim=(-0.04 * top, top))
    return figure
