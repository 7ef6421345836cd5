r"""The figures of *Four uses*.

    draw_kernels(K)                              the weights of each kernel, with their numbers
    draw_pixels(picture, gradient)               a picture, and on each pixel which way the loss moves with it
    draw_scores(words, scores)                   words on a scale from disliked to liked
    draw_spoken(spectrum, said, heard, silence)  a spectrogram, what was said at each frame and what was heard
    draw_matrices(panels)                        matrices of ratings as heat maps, blank where there is no rating
"""

import numpy as np
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from backprop.figures import (
    BACKWARD,
    BAD,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    canvas,
    label,
    number,
    text_width,
)

LEVELS = 8


def _cells(ax, x, y, values, side, tall=None, role=INK):
    """A heat map with its top left corner at (x, y): `values` from 0 (paper) to 1 (`role`); NaN stays paper.

    Each level of tint is one path, and equal neighbours in a row are one rectangle: a page has to carry them all.
    """
    tall = tall or side
    rows, columns = values.shape
    levels = np.round(LEVELS * np.clip(np.nan_to_num(values), 0, 1)).astype(int)
    for level in range(1, LEVELS + 1):
        rectangles = [
            Path.unit_rectangle().transformed(
                Affine2D().scale(side * (end - start), tall).translate(x + side * start, y + tall * r)
            )
            for r in range(rows)
            for start, end, what in _runs(levels[r])
            if what == level
        ]
        if rectangles:
            shape = Path.make_compound_path(*rectangles)
            ax.add_patch(PathPatch(shape, facecolor=role, alpha=level / LEVELS, linewidth=0))
    frame = Rectangle((x, y), side * columns, tall * rows, fill=False, edgecolor=GRID, linewidth=1)
    ax.add_patch(frame)


def _runs(labels):
    """(start, end, label) of every run of equal labels."""
    cuts = np.flatnonzero(np.diff(labels)) + 1
    starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(labels)]])
    return [(int(a), int(b), int(labels[a])) for a, b in zip(starts, ends, strict=True)]


def draw_kernels(K, columns=4):
    """Kernels K (S, S, F): a square of numbers each, positive ones on one tint, negative ones on another."""
    size, count = K.shape[0], K.shape[2]
    side, gap = 27, 10
    step = side * size + gap
    rows = -(-count // columns)
    figure, ax = canvas(step * columns + gap, (step + 18) * rows + gap)
    largest = np.abs(K).max()
    for f in range(count):
        x, y = gap + f % columns * step, gap + 18 + f // columns * (step + 18)
        label(ax, x, y - 11, f"K[:, :, {f}]", MUTED, align="left", mono=True)
        for u, v in np.ndindex(size, size):
            value = K[u, v, f]
            at = (x + v * side, y + u * side)
            role = FORWARD if value > 0 else BACKWARD
            tint = 0.6 * abs(value) / largest
            ax.add_patch(Rectangle(at, side, side, facecolor=role, alpha=tint, linewidth=0))
            ax.add_patch(Rectangle(at, side, side, fill=False, edgecolor=GRID, linewidth=0.8))
            label(ax, at[0] + side / 2, at[1] + side / 2, number(round(float(value), 1)), INK)
    return figure


def draw_pixels(picture, gradient, side=38):
    """A picture (R, C) from 0 to 1 as grey squares; on each, + or − as large as its entry of `gradient`."""
    rows, columns = picture.shape
    figure, ax = canvas(side * columns + 16, side * rows + 16)
    _cells(ax, 8, 8, 0.55 * picture, side)
    largest = np.abs(gradient).max()
    for r, c in np.ndindex(rows, columns):
        size = 7 * abs(gradient[r, c]) / largest * side / 20
        if size < 1.2:
            continue
        x, y = 8 + (c + 0.5) * side, 8 + (r + 0.5) * side
        rising = gradient[r, c] > 0
        role = BACKWARD if rising else FORWARD
        ax.plot([x - size, x + size], [y, y], color=role, linewidth=2.5)
        if rising:
            ax.plot([x, x], [y - size, y + size], color=role, linewidth=2.5)
    return figure


def draw_scores(words, scores):
    """Words from the lowest to the highest score, each with a bar to the left or right of zero."""
    order = np.argsort(scores)
    leading, width = 21, 388
    left = 12 + max(text_width(word) for word in words)
    largest = np.abs(scores).max()
    zero = left + (width - left) / 2
    reach = (width - left) / 2 - 42
    figure, ax = canvas(width, leading * len(words) + 16)
    for k, which in enumerate(order):
        y, score = 8 + (k + 0.5) * leading, float(scores[which])
        role = GOOD if score > 0 else BAD
        end = zero + reach * score / largest
        label(ax, left - 8, y, words[which], INK, align="right")
        ax.plot([zero, end], [y, y], color=role, linewidth=9, solid_capstyle="butt")
        label(ax, end + (6 if score > 0 else -6), y, number(score, 2), role, align="left" if score > 0 else "right")
    ax.plot([zero, zero], [4, leading * len(words) + 12], color=MUTED, linewidth=1)
    return figure


def draw_spoken(spectrum, said, heard, silence, step, width=388):
    """A spectrogram (T, D), low tones below, and for each frame the digit that was said and that was heard.

    `said` and `heard` (T,) are labels, `silence` the one of no word; `step` is the time between frames in seconds.
    """
    frames, bands = spectrum.shape
    left, tall = 52, 5
    wide = (width - left - 8) / frames
    bottom = 8 + tall * bands
    figure, ax = canvas(width, bottom + 90)
    scaled = (spectrum - spectrum.min()) / np.ptp(spectrum)
    _cells(ax, left, 8, scaled.T[::-1], wide, tall, role=FORWARD)
    label(ax, left - 6, 15, "high", MUTED, align="right")
    label(ax, left - 6, bottom - 7, "low", MUTED, align="right")
    for row, (name, labels) in enumerate([("said", said), ("heard", heard)]):
        y = bottom + 20 + 24 * row
        label(ax, left - 6, y, name, INK, align="right")
        for start, end, what in _runs(labels):
            if what == silence:
                continue
            right = np.mean(said[start:end] == what) > 0.5
            role = INK if row == 0 else GOOD if right else BAD
            x = left + wide * start
            box = Rectangle((x, y - 9), wide * (end - start), 18, facecolor=role, alpha=0.18, linewidth=0)
            ax.add_patch(box)
            if wide * (end - start) > 10:
                label(ax, x + wide * (end - start) / 2, y, f"{what}" + ("" if right or row == 0 else " ×"), role)
    ax.plot([left, width - 8], [bottom + 58, bottom + 58], color=MUTED, linewidth=1)
    for second in np.arange(0, frames * step, 0.5):
        x = left + wide * second / step
        ax.plot([x, x], [bottom + 58, bottom + 63], color=MUTED, linewidth=1)
        label(ax, x, bottom + 73, f"{second:g} s", MUTED, align="left" if second == 0 else "center")
    return figure


def draw_matrices(panels, lowest, highest, width=388, columns=3):
    """`panels` maps a title to a matrix; `lowest` is a faint tint, `highest` a full one, NaN none at all."""
    rows_of, columns_of = next(iter(panels.values())).shape
    gap = 14
    side = (width - gap * (columns + 1)) / columns / columns_of
    tall = side * rows_of
    lines = -(-len(panels) // columns)
    figure, ax = canvas(width, lines * (tall + 24 + gap) + 4)
    for k, (title, values) in enumerate(panels.items()):
        x = gap + k % columns * (side * columns_of + gap)
        y = 26 + k // columns * (tall + 24 + gap)
        label(ax, x, y - 13, title, INK, align="left")
        _cells(ax, x, y, 0.12 + 0.88 * (values - lowest) / (highest - lowest), side, role=FORWARD)
    return figure
