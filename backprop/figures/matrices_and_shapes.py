r"""The figures of "Vectors, matrices and shapes".

    draw_touch           Z = X @ W + b as three grids: one entry of X, W or b, and every entry of Z that it moves
    draw_bricks          arrays as bricks whose sides are their lengths: which products fit
    draw_candidates      several answers for one gradient beside finite differences, entry by entry
    draw_broadcast       copying an array on the way forward, adding up the copies on the way back
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
    arrow,
    canvas,
    label,
    number,
    text_width,
)

CELL = 30


def _grid(ax, x, y, rows, width=CELL, height=CELL, role=INK, edge=MUTED):
    """A matrix as cells with its top left corner at (x, y); `rows` are lists of texts; returns (width, height)."""
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            left, top = x + c * width, y + r * height
            ax.add_patch(Rectangle((left, top), width, height, facecolor="none", edgecolor=GRID, linewidth=1, zorder=2))
            label(ax, left + width / 2, top + height / 2, text, role)
    size = width * len(rows[0]), height * len(rows)
    ax.add_patch(Rectangle((x, y), *size, facecolor="none", edgecolor=edge, linewidth=1.2, zorder=3))
    return size


def _mark(ax, x, y, width, height, role, fill=0.16):
    """A thick frame with a tint."""
    ax.add_patch(Rectangle((x, y), width, height, facecolor=role, alpha=fill, linewidth=0, zorder=1))
    ax.add_patch(
        Rectangle((x + 1, y + 1), width - 2, height - 2, facecolor="none", edgecolor=role, linewidth=2, zorder=4)
    )


def _texts(array):
    return [[number(value) for value in row] for row in np.atleast_2d(array)]


def draw_touch(X, W, b, name, entry):
    """Z = X @ W + b with X left of Z, W and b above it, so that row n of X and column j of W meet in Z[n, j].

    `name` is "X", "W" or "b" and `entry` an index into it.
    That entry is framed; each entry of Z that it moves is framed too, and says what a push of h does to it; the
    numbers that h is multiplied by are tinted where they stand.
    """
    Z = X @ W + b
    (N, D), H = X.shape, W.shape[1]
    # The push is done, not assumed: the slopes come from moving the entry by one, since Z is linear in it.
    pushed = {"X": X.astype(float), "W": W.astype(float), "b": b.astype(float)}
    pushed[name] = pushed[name].copy()
    pushed[name][entry] += 1
    moves = pushed["X"] @ pushed["W"] + pushed["b"] - Z
    rows, columns = {"X": ([entry[0]], range(H)), "W": (range(N), [entry[-1]]), "b": (range(N), [entry[-1]])}[name]
    wide, tall, gap = 58, 34, 46
    left, top = 30, 22
    x_z, y_z = left + D * CELL + gap, top + D * tall + 16 + tall + gap - 14
    figure, ax = canvas(x_z + H * wide + 8, y_z + N * tall + 6)
    y_b = top + D * tall + 16
    corners = {"X": (left, y_z, CELL, tall), "W": (x_z, top, wide, tall), "b": (x_z, y_b, wide, tall)}
    for key, array in {"X": X, "W": W, "b": b}.items():
        x, y, cell_width, cell_height = corners[key]
        _grid(ax, x, y, _texts(array), cell_width, cell_height)
    _grid(ax, x_z, y_z, [["" for _ in range(H)] for _ in range(N)], wide, tall)
    label(ax, left + D * CELL / 2, y_z - 14, f"X {X.shape}", MUTED)
    label(ax, x_z + H * wide / 2, top - 12, f"W {W.shape}", MUTED)
    label(ax, x_z - 8, y_b + tall / 2, "b", MUTED, align="right")
    label(ax, x_z - 8, y_z + tall * N / 2, "Z", MUTED, align="right")
    for r in range(N):
        for c in range(H):
            x, y = x_z + c * wide, y_z + r * tall
            touched = r in rows and c in columns
            text = number(Z[r, c])
            if not touched:
                label(ax, x + wide / 2, y + tall / 2, text, MUTED)
                continue
            _mark(ax, x, y, wide, tall, FORWARD)
            slope = moves[r, c]
            sign, size = ("−" if slope < 0 else "+"), number(abs(slope))
            label(ax, x + wide / 2, y + tall / 2, f"{text} {sign} {'' if size == '1' else size}h")
    x, y, cell_width, cell_height = corners[name]
    at = (0, entry[0]) if name == "b" else entry
    x, y = x + at[1] * cell_width, y + at[0] * cell_height
    _mark(ax, x, y, cell_width, cell_height, BACKWARD, 0.25)
    if name == "W":
        _tint(ax, left + entry[0] * CELL, y_z, CELL, N * tall)
    if name == "X":
        _tint(ax, x_z, top + entry[1] * tall, H * wide, tall)
    if name == "X":
        arrow(ax, (x + cell_width, y + tall / 2), (x_z - 20, y + tall / 2), FORWARD)
    elif name == "W":
        arrow(ax, (x + wide - 9, y + cell_height), (x + wide - 9, y_z), FORWARD)
    else:
        arrow(ax, (x + wide / 2, y + cell_height), (x + wide / 2, y_z), FORWARD)
    return figure


def _tint(ax, x, y, width, height):
    ax.add_patch(Rectangle((x, y), width, height, facecolor=FORWARD, alpha=0.16, linewidth=0, zorder=1))


def draw_bricks(arrays, products, wanted):
    """Bricks as high as their rows and as wide as their columns: a product fits where the inner lengths agree.

    `arrays` maps a name to an array; `products` are pairs of names, where "Xᵀ" is the array X turned over.
    `wanted` is the shape that the result should have.
    """
    unit, gap, pad = 18, 20, 30
    known = {**arrays, **{f"{name}ᵀ": array.T for name, array in arrays.items()}}
    tallest = [max(known[name].shape[0] for name in pair) * unit for pair in products]
    widest = max(sum(known[name].shape[1] for name in pair) for pair in products) * unit
    words = 8 + widest + gap + 22
    size = words + text_width(f"gives {wanted}, not {wanted}"), sum(tallest) + 2 * pad * len(products)
    figure, ax = canvas(*size)
    y = 0
    for pair, tall in zip(products, tallest, strict=True):
        (rows, inner), (other, columns) = (known[name].shape for name in pair)
        middle, x = y + pad + tall / 2, 8
        for name in pair:
            height, width = (unit * length for length in known[name].shape)
            box = dict(facecolor=FORWARD, alpha=0.16, linewidth=0, zorder=1)
            ax.add_patch(Rectangle((x, middle - height / 2), width, height, **box))
            box = dict(facecolor="none", edgecolor=INK, linewidth=1.4, zorder=2)
            ax.add_patch(Rectangle((x, middle - height / 2), width, height, **box))
            label(ax, x + width / 2, middle, name, mono=True)
            label(ax, x + width / 2, middle - height / 2 - 11, str(known[name].shape), MUTED)
            x += width + gap
        fits, wrong = inner == other, (rows, columns) != wanted
        label(ax, 8 + inner * unit + gap / 2, middle, "·" if fits else "≠", INK if fits else BAD, bold=True)
        first = f"{inner} = {other}, fits" if fits else f"{inner} ≠ {other}"
        label(ax, words, middle - 9, first, GOOD if fits else BAD, align="left", bold=True)
        second = f"gives {rows, columns}" + (f", not {wanted}" if wrong else "") if fits else "does not fit"
        label(ax, words, middle + 9, second, BAD if wrong or not fits else GOOD, align="left")
        y += tall + 2 * pad
    return figure


def draw_candidates(candidates, truth, title, per_row=3):
    """Answers for one gradient, entry by entry: right entries are plain, wrong ones are crossed out.

    `candidates` maps a name to an array of the shape of `truth`, which stands first under the name `title`.
    """
    panels = {title: truth, **candidates}
    rows, columns = truth.shape
    wide, tall, gap = 44, 34, 22
    panel = max(columns * wide, *(text_width(name, mono=True) for name in panels)) + gap
    block = rows * tall + 62
    lines = -(-len(panels) // per_row)
    figure, ax = canvas(panel * per_row, block * lines)
    for k, (name, array) in enumerate(panels.items()):
        centre, top = (k % per_row + 0.5) * panel, (k // per_row) * block + 32
        left = centre - columns * wide / 2
        wrong = array != truth
        role = MUTED if k == 0 else BAD if wrong.any() else GOOD
        label(ax, centre, top - 16, name, INK, mono=k > 0)
        _grid(ax, left, top, _texts(array), wide, tall, edge=role)
        for r, c in np.argwhere(wrong):
            x, y = left + c * wide, top + r * tall
            ax.add_patch(Rectangle((x, y), wide, tall, facecolor=BAD, alpha=0.14, linewidth=0, zorder=1))
            ax.plot([x + 7, x + wide - 7], [y + tall - 7, y + 7], color=BAD, linewidth=1.6, zorder=4)
        verdict = f"{wrong.sum()} of {wrong.size} wrong" if wrong.any() else "all right"
        label(ax, centre, top + rows * tall + 14, "the truth" if k == 0 else verdict, role, bold=k > 0)
    return figure


def draw_broadcast(array, gradient, name, vertical=False):
    """On the left `array` (one row or one column) is copied to the shape of `gradient`; on the right the gradients of
    the copies are added up, back to the shape of the array.
    """
    rows, columns = gradient.shape
    small = np.atleast_2d(array)
    along = int(small.shape[1] == 1)  # the axis of the copies: 0 for a row, 1 for a column
    total = gradient.sum(axis=along, keepdims=True)
    cell, gap, edge = 34, 36, 8
    cells = (rows + small.shape[0] if along == 0 else rows) * cell, (columns + 1 if along else columns) * cell
    height, width = cells[0] + (gap if along == 0 else 0), cells[1] + (gap if along else 0)
    heading = 44
    step = (0, height + heading + 20) if vertical else (max(width, 150) + 30, 0)
    size = max(width, 150) + 2 * edge + step[0], height + heading + step[1] + edge
    figure, ax = canvas(*size)
    passes = (
        (f"forward: copy {name}", small, np.broadcast_to(small, gradient.shape), FORWARD),
        (f"backward: add up to d{name}", total, gradient, BACKWARD),
    )
    for k, (title, one, many, role) in enumerate(passes):
        x0, y0 = edge + k * step[0], k * step[1] + heading
        label(ax, x0 + max(width, 150) / 2, y0 - 26, title, role, bold=True)
        x0 += (max(width, 150) - width) / 2
        _grid(ax, x0, y0, _texts(one), cell, cell, role, edge=role)
        x, y = (x0 + cell + gap, y0) if along else (x0, y0 + cell + gap)
        _grid(ax, x, y, _texts(many), cell, cell, role if k else INK)
        for n in range(rows if along else columns):
            near = (x0 + cell, y0 + (n + 0.5) * cell) if along else (x0 + (n + 0.5) * cell, y0 + cell)
            far = (x, near[1]) if along else (near[0], y)
            arrow(ax, *((near, far) if k == 0 else (far, near)), role)
    return figure
