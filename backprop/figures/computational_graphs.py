r"""The figures of the chapter *Computational graphs and reverse mode*.

    draw_frame(forward, inputs, slopes, at, frame)   one backward pass, stopped after so many lines
    draw_gates(gates)                                what an operation does forwards, and what it hands back
    draw_fork(value, shares)                         a value copied to several users; their gradients add
    draw_work(groups)                                bars of work, to scale
    draw_memory(curves)                              how many numbers are held, step by step
"""

import matplotlib
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator

from backprop.figures import (
    BACKWARD,
    BAD,
    EXTRA,
    FORWARD,
    GOOD,
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
    read_lines,
    text_width,
)  # fmt: skip


def draw_frame(forward, inputs, slopes, at, frame, vertical=False):
    """One backward pass as a circuit, stopped: frame 0 has values alone, 1 has dL = 1, then one line more in each.

    `forward(**inputs)` returns a dict of values, the loss last; each line uses a name at most once.
    `slopes` maps (from, to) to the local slope of that wire; `at` places each name by (column, row).
    A gradient that still waits for a share ends in "…"; the line that hands back in this frame is shaded.
    """
    values = {**inputs, **forward(**inputs)}
    lines = read_lines(forward)
    code = {line.name: f"{line.name} = {line.code}" for line in lines}
    steps = lines[::-1]
    frames = [_shares(values, steps, slopes, k) for k in range(len(steps) + 2)]
    width = max(node_width(_rows(name, values, code, shares)) for shares in frames for name in values)
    shares = frames[frame]
    done = steps[: max(frame - 1, 0)]

    height, across, down = 62, 34, 34
    if vertical:
        across, down = 10, 46
    columns, rows = [c for c, _ in at.values()], [r for _, r in at.values()]
    left, top = 4 + width / 2 - min(columns) * (width + across), 4 + height / 2 - min(rows) * (height + down)
    place = {name: (left + c * (width + across), top + r * (height + down)) for name, (c, r) in at.items()}
    size = [max(p[k] for p in place.values()) + (width, height)[k] / 2 + 4 for k in range(2)]
    figure, ax = canvas(*size)
    boxes = {}
    for name in at:
        finished = shares[name][0] and not shares[name][1]
        role = BACKWARD if finished else FORWARD if name in inputs else MUTED
        boxes[name] = node(ax, *place[name], _rows(name, values, code, shares), width, role)
    if frame:
        active = boxes[done[-1].name if done else steps[0].name]
        corner = (active.x - width / 2, active.y - height / 2)
        ax.add_patch(Rectangle(corner, width, height, color=BACKWARD, alpha=0.14, linewidth=0, zorder=3.5))
    for line in lines:
        for used in line.uses:
            start, end = boxes[used], boxes[line.name]
            arrow(ax, start, end, FORWARD, offset=-4 if line in done else 0)
            if line in done:
                arrow(ax, end, start, BACKWARD, offset=-4)
            if done and line is done[-1]:
                share = sum(shares[line.name][0]) * slopes[used, line.name]
                tail, head = start.border((end.x, end.y)), end.border((start.x, start.y))
                _beside(ax, head, tail, number(share))
    return figure


def _beside(ax, tail, head, text):
    """A label on that side of the backward arrow where no forward arrow runs."""
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    length = (dx**2 + dy**2) ** 0.5
    across, down = dy / length, -dx / length
    reach = 7 + abs(across) * text_width(text, bold=True) / 2 + abs(down) * TEXT / 2
    x, y = (tail[0] + head[0]) / 2 + across * reach, (tail[1] + head[1]) / 2 + down * reach
    label(ax, x, y, text, BACKWARD, bold=True)


def _shares(values, steps, slopes, frame):
    """name -> (the shares that have arrived, whether more will come) in that frame."""
    arrived = {name: [] for name in values}
    waiting = {name: sum(name in line.uses for line in steps) for name in values}
    if frame:
        arrived[steps[0].name].append(1.0)
    for line in steps[: max(frame - 1, 0)]:
        for used in line.uses:
            arrived[used].append(sum(arrived[line.name]) * slopes[used, line.name])
            waiting[used] -= 1
    return {name: (arrived[name], waiting[name] > 0) for name in values}


def _rows(name, values, code, shares):
    arrived, more = shares[name]
    text = " + ".join([number(share) for share in arrived] + ["…"] * (more and bool(arrived)))
    if len(arrived) > 1 and not more:
        text += f" = {number(sum(arrived))}"
    return [
        [(code.get(name, name), INK, True)],
        [(f"→ {number(values[name])}", FORWARD, False)],
        [(f"← {text}" if text else " ", BACKWARD, False)],
    ]


def draw_gates(gates, vertical=False):
    """Gates side by side: `gates` is a list of (code, {operand: value}, result, gradient, {operand: gradient}, habit).

    `vertical` stacks them, for narrow pages.
    """
    wide, tall = 252, 140
    count = len(gates)
    figure, ax = canvas(*((wide + 76, tall * count) if vertical else (wide * count, tall)))
    for k, (code, operands, result, gradient, shares, habit) in enumerate(gates):
        left, top = (38, k * tall) if vertical else (k * wide, 0)
        name = code.split(" = ")[0]
        out = node(ax, left + 176, top + 78, _pair(code, result, gradient, name))
        for j, (operand, value) in enumerate(operands.items()):
            box = node(ax, left + 40, top + 48 + j * 60, _pair(operand, value, shares[operand], operand))
            arrow(ax, box, out, FORWARD, offset=-4)
            arrow(ax, out, box, BACKWARD, offset=-4)
        label(ax, left + wide / 2, top + 12, habit, INK, bold=True)
    return figure


def _pair(code, value, gradient, name):
    return [
        [(code, INK, True)],
        [(f"→ {number(value)}", FORWARD, False), (f"← {number(gradient)}", BACKWARD, False)],
    ]


def draw_fork(name, value, shares):
    """One value copied to several users: `shares` maps a user to the gradient that comes back from it."""
    figure, ax = canvas(390, 76 * len(shares) + 8)
    middle = figure.get_size_inches()[1] * 36
    text = " + ".join(number(share) for share in shares.values()) + f" = {number(sum(shares.values()))}"
    rows = [[(name, INK, True)], [(f"→ {number(value)}", FORWARD, False)], [(f"← {text}", BACKWARD, False)]]
    start = node(ax, 8 + node_width(rows) / 2, middle, rows, role=BACKWARD)
    for k, (user, share) in enumerate(shares.items()):
        rows = [[(user, INK, True)], [(f"{name} here: {number(value)}", FORWARD, False)]]
        end = node(ax, 382 - node_width(rows) / 2, 42 + 76 * k, rows)
        arrow(ax, start, end, FORWARD, offset=-5)
        arrow(ax, end, start, BACKWARD, offset=-5)
        tail, head = start.border((end.x, end.y)), end.border((start.x, start.y))
        _beside(ax, head, tail, number(share))
    return figure


def draw_work(groups):
    """Bars of work, to scale within each group: `groups` maps a title to {method: count}."""
    roles = [BAD, EXTRA, GOOD]
    left = max(text_width(name) for group in groups.values() for name in group) + 10
    room = 376 - left - max(text_width(f"{n:,}") for group in groups.values() for n in group.values())
    figure, ax = canvas(390, sum(40 + 26 * len(group) for group in groups.values()))
    y = 0
    for title, group in groups.items():
        label(ax, 4, y + 18, title, INK, align="left", bold=True)
        y += 36
        for (name, count), role in zip(group.items(), roles, strict=True):
            length = max(room * count / max(group.values()), 1)
            label(ax, left, y + 8, name, INK, align="right")
            ax.add_patch(Rectangle((left + 8, y), length, 16, color=role, linewidth=0))
            label(ax, left + 14 + length, y + 8, f"{count:,}", INK, align="left")
            y += 26
        y += 4
    return figure


def draw_memory(curves):
    """Numbers held against steps: `curves` maps a name to (held, role, line style, where its name stands)."""
    figure, ax = plot(390, 280, "steps of the computation", "numbers held")
    for name, (held, role, style, where) in curves.items():
        ax.step(range(1, len(held) + 1), held, color=role, linestyle=style, linewidth=2, where="mid")
        with matplotlib.rc_context(STYLE):
            ax.text(*where, name, color=role, fontsize=TEXT, ha="center")
    ax.yaxis.set_major_locator(MultipleLocator(4))
    ax.set_ylim(0, 1.15 * max(max(held) for held, *_ in curves.values()))
    return figure
