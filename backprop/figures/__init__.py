r"""The figures of the book: `draw_*(...) -> Figure` from real objects, and `show(figure, alt=...)` for a page.

One drawing serves the light page, the dark page and JupyterLab.
It is drawn in the role colours below, and `show` turns each of them into a CSS variable with a fallback.

    roles      INK MUTED GRID PAPER · FORWARD (values) BACKWARD (gradients) · GOOD BAD EXTRA
    surfaces   canvas(width, height)        a blank sheet in CSS pixels, origin at the top left, y downwards
               plot(width, height, ...)     a styled pair of axes for curves; `superscripts(axis)` for powers of ten
    parts      node(ax, x, y, lines)        a rounded box as wide as its text; returns a `Node`
               arrow(ax, start, end, role)  between nodes or points; backward arrows are dashed
               label(ax, x, y, text, role)  a line of text; mono=True for code
               table(ax, x, y, widths, rows)   text cells on a grid, in roles
    text       number(v)                    four significant figures, a true minus sign
               text_width(text, size)       CSS pixels, in the widest font that a page is likely to have
    code       read_lines(function)         the assignments of a forward or backward pass, with their operands
    frames     show_steps(frames)           several `show`s of one thing, one at a time, stepped with the arrow keys
    figures    draw_magnifier draw_table draw_circuit draw_counts, which serve several chapters;
               those of one chapter alone are in the module of its name, backprop/figures/<chapter>.py

Rules for a new `draw_*`.
It takes functions or arrays and computes every number it prints.
It never uses colour alone: forward is solid or above, backward is dashed or below, and right and wrong have a sign.
It writes names as the code has them (`dW1`), never as mathtext, whose glyphs need a font that the page lacks.
Its text is at least `SMALLEST` pixels high on a telephone: draw at most about 390 pixels wide with text of 12,
or draw a second, narrow version and pass both, `show(wide, narrow=narrow, alt=...)`.
Heat maps use `pcolormesh` in one role with alpha, so that they follow the page too.
"""

import ast
import base64
import hashlib
import html
import inspect
import io
import re
import textwrap
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.text import Text
from matplotlib.textpath import TextToPath
from matplotlib.ticker import FuncFormatter, NullFormatter

INK, MUTED, GRID, PAPER = "#20262e", "#6b7280", "#d4d8dd", "#fefefe"
FORWARD, BACKWARD = "#1f77c9", "#b8600b"
GOOD, BAD, EXTRA = "#2a8540", "#d94a4a", "#9a62c7"

# What a colour becomes in a page.
# A page without our style sheet gives its own text colour and background, and the accents are of a middle
# lightness that stands out from both white and near-black.
CSS = {
    INK: "var(--bp-ink, currentColor)",
    MUTED: "var(--bp-muted, var(--jp-content-font-color2, #7a7a7a))",
    GRID: "var(--bp-grid, var(--jp-border-color2, #8886))",
    PAPER: "var(--bp-paper, var(--jp-layout-color0, var(--vscode-editor-background, Canvas)))",
    FORWARD: f"var(--bp-forward, {FORWARD})",
    BACKWARD: f"var(--bp-backward, {BACKWARD})",
    GOOD: f"var(--bp-good, {GOOD})",
    BAD: f"var(--bp-bad, {BAD})",
    EXTRA: f"var(--bp-extra, {EXTRA})",
}
MONO = "var(--bp-mono, var(--pst-font-family-monospace, var(--jp-code-font-family, monospace)))"

NAME = "\0"  # the figure's id, which is a hash of the drawing, before it is known

TEXT = 12  # pixels
SMALLEST = 10  # pixels, at the width below
TELEPHONE = 328  # pixels: the text column of a page 360 pixels wide
LARGEST = 1.25  # a figure narrower than its column grows by no more than this
SLACK = 1.12  # the page's font may be wider than the one that matplotlib measures with

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "backprop",
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1,
    "axes.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
}


# ---------------------------------------------------------------------------------------------------- show


class Shown:
    """A figure as a page shows it: HTML with the drawing inside, the alternative text, and a PNG."""

    def __init__(self, html_text, png, alt):
        self._html, self._png, self._alt = html_text, png, alt

    def __repr__(self):
        return f"Figure: {self._alt}"

    def _repr_html_(self):
        return self._html

    def _repr_mimebundle_(self, include=None, exclude=None):
        png = base64.b64encode(self._png).decode()
        return {"text/html": self._html, "image/png": png, "text/plain": repr(self)}


def show(figure, *, alt, caption=None, narrow=None):
    """Put a figure on the page.

    `alt` says in words what the drawing shows, for a reader who does not see it; its first sentence is the title.
    `caption` stands under the figure; `backquoted` parts become code.
    `narrow` is the same figure drawn for a telephone, shown where `figure` would be too small to read.
    Raises ValueError if `alt` is empty, or if text would be smaller than `SMALLEST` pixels on a telephone.
    """
    if not alt or not alt.strip():
        raise ValueError("alt is empty: say in words what the figure shows")
    alt = " ".join(alt.split())
    smallest = _text_size(narrow or figure, TELEPHONE)
    if smallest < SMALLEST:
        raise ValueError(
            f"text would be {smallest:.1f} px high on a telephone, at least {SMALLEST} are needed: "
            "draw it at most 390 px wide with text of 12, or pass narrow= a second drawing"
        )
    drawings = [_svg(figure, alt, "bp-wide" if narrow else "")]
    style = ""
    if narrow:
        drawings.append(_svg(narrow, alt, "bp-narrow"))
    name = "bp-" + hashlib.sha256("".join(drawings).encode()).hexdigest()[:10]
    if narrow:
        # A container query: a notebook's output can be narrow in a wide window.
        limit = round(SMALLEST / _text_size(figure, None) * _width(figure))
        style = (
            f"<style>#{name}{{container-type:inline-size}}#{name} .bp-narrow{{display:none}}"
            f"@container (max-width:{limit - 1}px){{#{name} .bp-wide{{display:none}}"
            f"#{name} .bp-narrow{{display:inline}}}}</style>"
        )
    text = html.escape(" ".join(caption.split())) if caption else ""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    body = "".join(drawings).replace(NAME, name)
    body += f"<figcaption>{text}</figcaption>" if text else ""
    layout = "margin: 1.5em 0; padding: 0; text-align: center"
    markup = f'{style}<figure class="bp-figure" id="{name}" style="{layout}">{body}</figure>'
    return Shown(markup, _png(figure), alt)


def show_steps(frames, *, title):
    """Frames of one story, one at a time: `frames` are `Shown`s, `title` says what they tell.

    Radio buttons choose the frame, so that the arrow keys step and no script is needed.
    Where the style is not understood all frames stand below each other.
    """
    if not title or not title.strip():
        raise ValueError("title is empty: say what the frames tell")
    count = len(frames)
    bodies = [f'<div class="bp-step">{frame._repr_html_()}</div>' for frame in frames]
    name = "bp-" + hashlib.sha256("".join(bodies).encode()).hexdigest()[:10]
    choices = [
        f'<label><input type="radio" name="{name}" value="{k}" aria-label="{k} of {count}"'
        f"{' checked' if k == 1 else ''}>{k}</label>"
        for k in range(1, count + 1)
    ] + [f'<label><input type="radio" name="{name}" value="all">all</label>']
    hidden = ",".join(
        f'#{name}:has([value="{k}"]:checked)>.bp-step:not(.bp-step-{k})' for k in range(1, count + 1)
    )
    style = (
        f"@media screen{{{hidden}{{display:none}}}}"
        f"#{name}{{margin:1.5em 0;padding:.5em 1em;border:1px solid {CSS[GRID]};border-radius:6px;min-width:0}}"
        f"#{name}>legend{{float:none;width:auto;margin:0;padding:0 .5em;font-size:1em}}"
        f"#{name} label{{display:inline-block;padding:.35em .9em .35em 0;cursor:pointer}}"
        f"#{name} input{{margin-right:.35em}}"
    )
    bodies = [body.replace('"bp-step"', f'"bp-step bp-step-{k}"', 1) for k, body in enumerate(bodies, 1)]
    markup = (
        f'<style>{style}</style><fieldset id="{name}"><legend>{html.escape(title)}</legend>'
        f"<div>{''.join(choices)}</div>{''.join(bodies)}</fieldset>"
    )
    return Shown(markup, frames[-1]._png, f"{title}: {' '.join(frame._alt for frame in frames)}")


def _width(figure):
    return figure.get_size_inches()[0] * 72


def _text_size(figure, column):
    """Height of the smallest text in pixels when the page gives the figure `column` pixels."""
    shrink = min(1, column / _width(figure)) if column else 1
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return shrink * min(sizes, default=SMALLEST)


def _png(figure):
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="png", dpi=144, facecolor=PAPER, metadata={"Software": None})
    return out.getvalue()


def _svg(figure, alt, css_class):
    """The drawing as an `<svg>` element; NAME stands for the prefix that makes its ids unique in the page."""
    out = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    # Matplotlib's own <style> would restyle every drawing of the page.
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    prefix = f"{NAME}-{css_class[3:] or 'only'}-"
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{prefix}", svg)
    svg = re.sub(r"font-family: '[^;\"]* Mono'[^;\"]*", f"font-family: {MONO}", svg)
    svg = re.sub(r"font-family: '[^;\"]*;?\s?", "", svg)  # the page's own font
    svg = svg.replace("#000000", INK).replace("#ffffff", PAPER)
    for colour, variable in CSS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'transform="rotate\(-?0 [^"]*"', "", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")
    title, _, rest = alt.partition(". ")
    words = f'<title id="{prefix}t">{html.escape(title.rstrip("."))}</title>'
    labels = f"{prefix}t"
    if rest:
        words += f'<desc id="{prefix}d">{html.escape(rest)}</desc>'
        labels += f" {prefix}d"
    width, height = figure.get_size_inches() * 72
    opening = (
        f'<svg class="{css_class}" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{labels}" '
        f'style="width: 100%; max-width: {LARGEST * width:g}px; height: auto; font-family: var(--bp-sans, inherit); '
        f'stroke-linejoin: round; stroke-linecap: butt">'
    )
    return opening.replace(' class=""', "") + words + svg[svg.index(">") + 1 :].strip()


# ------------------------------------------------------------------------------------------------ surfaces


def canvas(width, height):
    """A blank sheet: (Figure, Axes) in CSS pixels, origin at the top left, y downwards."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    return figure, ax


def plot(width, height, xlabel="", ylabel="", left=56, bottom=44, right=12, top=12):
    """Axes for curves: (Figure, Axes); sizes and margins in CSS pixels."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
        ax = figure.add_axes(box)
        ax.grid(True, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
    return figure, ax


def superscripts(axis):
    """Write the powers of ten of a logarithmic axis as plain text; call it after `set_xscale("log")`."""
    axis.set_major_formatter(FuncFormatter(lambda v, _: "10" + _raised(f"{np.log10(v):.0f}")))
    axis.set_minor_formatter(NullFormatter())


# ---------------------------------------------------------------------------------------------------- text


def _raised(text):
    return text.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def number(value, digits=4):
    """`value` with `digits` significant figures, a true minus sign and plain powers of ten."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    text = mantissa.replace("-", "−")
    return f"{text}×10{_raised(str(int(exponent)))}" if exponent else text


def text_width(text, size=TEXT, mono=False, bold=False):
    """Width of one line of text in CSS pixels, with room for a wider font than matplotlib's."""
    font = FontProperties(
        family="DejaVu Sans Mono" if mono else "DejaVu Sans", size=size, weight="bold" if bold else "normal"
    )
    return TextToPath().get_text_width_height_descent(text, font, ismath=False)[0] * SLACK


def label(ax, x, y, text, role=INK, size=TEXT, align="center", mono=False, bold=False, halo=False):
    """One line of text, centred at height `y`; `halo` clears the paper behind it where it crosses a line."""
    with matplotlib.rc_context(STYLE):
        artist = ax.text(
            x, y, text, color=role, fontsize=size, ha=align, va="center_baseline",
            family="DejaVu Sans Mono" if mono else "DejaVu Sans", weight="bold" if bold else "normal", zorder=5,
        )  # fmt: skip
    if halo:
        width, height = text_width(text, size, mono, bold) + 4, size + 4
        left = x - width * {"left": 0, "center": 0.5, "right": 1}[align]
        ax.add_patch(Rectangle((left, y - height / 2), width, height, color=PAPER, linewidth=0, zorder=4))
    return artist


# --------------------------------------------------------------------------------------------------- parts


@dataclass(frozen=True)
class Node:
    """A drawn box: its centre and size in CSS pixels."""

    x: float
    y: float
    width: float
    height: float

    def border(self, towards):
        """The point of the border on the straight line to the point `towards`."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        if not (dx or dy):
            return self.x, self.y
        reach = min(self.width / 2 / abs(dx) if dx else np.inf, self.height / 2 / abs(dy) if dy else np.inf)
        return self.x + dx * reach, self.y + dy * reach


def node_width(lines):
    """Width in CSS pixels of the box that `node` draws around `lines`."""
    return max(sum(part + 8 for part in _part_widths(row)) for row in lines) + 6


def _part_widths(row):
    return [text_width(text, mono=mono) for text, _, mono in row]


def node(ax, x, y, lines, width=None, role=MUTED, fill=PAPER):
    """A rounded box around lines of text, centred at (x, y).

    `lines` is a list of rows; a row is a list of (text, role, mono) parts set side by side.
    """
    pad, leading = 8, TEXT * 1.5
    width = node_width(lines) if width is None else width
    height = leading * len(lines) + pad
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=6",
        facecolor=fill, edgecolor=role, linewidth=1.2, zorder=3,
    )  # fmt: skip
    ax.add_patch(box)
    for k, row in enumerate(lines):
        line_y = y + (k - (len(lines) - 1) / 2) * leading
        left = x - width / 2
        spare = (width - sum(_part_widths(row))) / len(row)
        for (text, colour, mono), part in zip(row, _part_widths(row), strict=True):
            label(ax, left + (part + spare) / 2, line_y, text, colour, mono=mono)
            left += part + spare
    return Node(x, y, width, height)


def arrow(ax, start, end, role=FORWARD, offset=0, bend=0):
    """An arrow between two `Node`s or points; `offset` pixels to its right, `bend` as a share of its length."""
    points = [(p.x, p.y) if isinstance(p, Node) else p for p in (start, end)]
    tail = start.border(points[1]) if isinstance(start, Node) else points[0]
    head = end.border(points[0]) if isinstance(end, Node) else points[1]
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    length = np.hypot(dx, dy) or 1
    shift = (-dy / length * offset, dx / length * offset)
    patch = FancyArrowPatch(
        (tail[0] + shift[0], tail[1] + shift[1]), (head[0] + shift[0], head[1] + shift[1]),
        arrowstyle="-|>,head_length=5,head_width=3", connectionstyle=f"arc3,rad={bend}", shrinkA=2, shrinkB=2,
        linestyle=(0, (3, 2)) if role == BACKWARD else "-", color=role, linewidth=1.5, mutation_scale=1, zorder=2,
    )  # fmt: skip
    ax.add_patch(patch)
    return patch


def table(ax, x, y, widths, rows, heading=None, leading=26, shade=(), group=1):
    """Cells of text on a grid with its top left corner at (x, y); returns the y of its bottom.

    `rows` are lists of (text, role, mono); `widths` in pixels, one per column; `shade` lists rows to tint;
    a line is ruled under every `group` rows.
    """
    lefts = x + np.concatenate([[0], np.cumsum(widths)])
    top = y
    if heading:
        for left, text in zip(lefts[:-1], heading, strict=True):
            label(ax, left + 6, y + leading / 2, text, MUTED, align="left")
        y += leading
        ax.plot(lefts[[0, -1]], [y, y], color=MUTED, linewidth=1, zorder=2)
    for k, row in enumerate(rows):
        if k in shade:
            ax.add_patch(
                Rectangle((x, y), lefts[-1] - x, leading, color=BACKWARD, alpha=0.12, linewidth=0, zorder=1)
            )
        for left, (text, role, mono) in zip(lefts[:-1], row, strict=True):
            label(ax, left + 6, y + leading / 2, text, role, align="left", mono=mono)
        y += leading
        if (k + 1) % group == 0:
            ax.plot(lefts[[0, -1]], [y, y], color=GRID, linewidth=0.8, zorder=2)
    for left in lefts[1:-1]:
        ax.plot([left, left], [top, y], color=GRID, linewidth=0.8, zorder=2)
    return y


# ------------------------------------------------------------------------------------------- code as data


@dataclass(frozen=True)
class Line:
    """One assignment of a function: `name = code`; `uses` are the names in it that are not modules or functions."""

    name: str
    code: str
    uses: tuple


def read_lines(function):
    """The assignments of a function's body, in order, as `Line`s: the figure prints the code that runs.

    Library prefixes are dropped (`np.log(t)` reads `log(t)`).
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    lines = []
    for statement in tree.body[0].body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = statement.value
            called = {id(part.func) for part in ast.walk(value) if isinstance(part, ast.Call)}
            names = [part for part in ast.walk(value) if isinstance(part, ast.Name) and id(part) not in called]
            uses = tuple(dict.fromkeys(name.id for name in names if name.id != "np"))
            lines.append(Line(statement.targets[0].id, ast.unparse(value).replace("np.", ""), uses))
    return lines


# ------------------------------------------------------------------------------------------------- figures


def draw_magnifier(f, slope, at, zooms=(1, 10, 100), vertical=False):
    """A curve and its tangent through one lens after another: under magnification the curve is a line.

    `f` maps an array to an array, `slope` is its slope at the number `at`; a zoom of 10 shows `at` ± 0.1.
    Each panel prints the largest gap between curve and tangent as a share of the panel's height.
    """
    count, side, tall = len(zooms), 210, 214
    width, height = (330, tall * count) if vertical else (side * count + 4, tall)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        for k, zoom in enumerate(zooms):
            left, top, broad = (56, k * tall, 240) if vertical else (k * side + 42, 0, 160)
            ax = figure.add_axes((left / width, 1 - (top + 166) / height, broad / width, 136 / height))
            x = at + np.linspace(-1, 1, 201) / zoom
            tangent = f(at) + slope * (x - at)
            ax.plot(x, f(x), color=FORWARD, linewidth=2.5)
            ax.plot(x, tangent, color=BACKWARD, linewidth=1.5, linestyle=(0, (4, 3)))
            ax.plot([at], [f(at)], "o", color=INK, markersize=5)
            span = 1.4 * abs(slope) / zoom
            ax.set(xlim=(x[0], x[-1]), ylim=(f(at) - span, f(at) + span))
            ax.set_xticks([x[0], at, x[-1]], [number(t) for t in (x[0], at, x[-1])], fontsize=TEXT - 1)
            ticks = [f(at) - span, f(at), f(at) + span]
            ax.set_yticks(ticks, [number(t) for t in ticks], fontsize=TEXT - 1)
            for tick, align in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
                tick.set_ha(align)
            gap = np.max(np.abs(f(x) - tangent)) / (2 * span)
            ax.set_title(f"{zoom} ×" if zoom > 1 else "no lens", fontsize=TEXT, fontweight="bold", color=INK)
            ax.set_xlabel(f"gap: {number(100 * gap, 2)} % of the height", fontsize=TEXT - 1, labelpad=6)
    return figure


def draw_table(forward, backward, inputs, done=None, vertical=False):
    """The two passes as one table: code and value going down, gradient code and gradient going up.

    `forward(**inputs)` returns a dict of values and `backward(values)` a dict of gradients, names as in their code.
    `done` is how many lines of the backward pass are filled in, counted from the loss; all of them if None.
    `vertical` puts the way back under the line instead of beside it, for narrow pages.
    """
    values = {**inputs, **forward(**inputs)}
    grads = backward(values)
    code = {line.name: line.code for line in read_lines(forward)}
    steps = [line for line in read_lines(backward) if line.name in grads]
    filled = steps if done is None else steps[:done]
    written = {line.name: line.code for line in filled}
    rows = []
    for name, value in values.items():
        d = f"d{name}"
        rows.append([
            (f"{name} = {code[name]}" if name in code else name, INK, True),
            (number(value), FORWARD, False),
            (f"{d} = {written[d]}" if d in written else "", INK, True),
            (number(grads[d]) if d in written else "", BACKWARD, False),
        ])  # fmt: skip
    latest = [k for k, name in enumerate(values) if done and f"d{name}" == filled[-1].name]
    heading = ["line", "value ↓", "way back", "gradient ↑"]
    back = [f"{step.name} = {step.code}" for step in steps]  # frames of one table keep their size while it fills
    if vertical:
        rows = [half for row in rows for half in (row[:2], row[2:])]
        heading = ["line, then way back", "↓ ↑"]
        latest = [2 * k + 1 for k in latest]
    widths = []
    for k, title in enumerate(heading):
        texts = [row[k][0] for row in rows] + (back if k == (0 if vertical else 2) else [])
        widths.append(max(text_width(title), *(text_width(text, mono=k % 2 == 0) for text in texts)) + 12)
    leading = 26
    figure, ax = canvas(sum(widths) + 4, leading * (len(rows) + 1) + 6)
    table(ax, 2, 2, widths, rows, heading, leading, shade=latest, group=2 if vertical else 1)
    return figure


def draw_circuit(forward, inputs, at, backward=None, slopes=None, vertical=False):
    """A forward pass as a circuit: one box per line of code, its value after "→", its gradient after "←".

    `forward(**inputs)` returns a dict of values; `backward(values)`, if given, a dict of gradients.
    `at` places each name by (column, row), columns from the inputs to the loss.
    `slopes` maps (from, to) to the local slope to print on that wire.
    `vertical` lets the columns run downwards, for narrow pages.
    """
    values = {**inputs, **forward(**inputs)}
    grads = backward(values) if backward else {}
    lines = {line.name: line for line in read_lines(forward)}
    contents = {}
    for name, value in values.items():
        first = [(f"{name} = {lines[name].code}" if name in lines else name, INK, True)]
        second = [(f"→ {number(value)}", FORWARD, False)]
        if f"d{name}" in grads:
            second.append((f"← {number(grads[f'd{name}'])}", BACKWARD, False))
        contents[name] = [first, second]

    columns = sorted({column for column, _ in at.values()})
    rows = [row for _, row in at.values()]
    slopes = slopes or {}
    gap = max([text_width("×" + number(slope)) + 10 for slope in slopes.values()], default=30)
    height = 2 * TEXT * 1.5 + 8
    wide = {c: max(node_width(contents[name]) for name in at if at[name][0] == c) for c in columns}
    place, edge = {}, 6
    if vertical:
        pitch = max(wide.values()) + 16
        for name, (column, row) in at.items():
            step = height + 36
            place[name] = (edge + max(wide.values()) / 2 + (row - min(rows)) * pitch, edge + height / 2 + column * step)
        size = (max(x for x, _ in place.values()) + max(wide.values()) / 2 + edge,
                max(y for _, y in place.values()) + height / 2 + edge)  # fmt: skip
    else:
        left = {c: edge + sum(wide[e] + gap for e in columns if e < c) for c in columns}
        for name, (column, row) in at.items():
            place[name] = (left[column] + wide[column] / 2, edge + height / 2 + (row - min(rows)) * (height + 32))
        size = (max(left.values()) + wide[columns[-1]] + edge, max(y for _, y in place.values()) + height / 2 + edge)
    figure, ax = canvas(*size)
    boxes = {name: node(ax, *place[name], contents[name], role=FORWARD if name in inputs else MUTED) for name in at}
    for line in lines.values():
        for used in line.uses:
            start, end = boxes[used], boxes[line.name]
            arrow(ax, start, end, FORWARD, offset=-3 if grads else 0)
            if grads:
                arrow(ax, end, start, BACKWARD, offset=-3)
            if (used, line.name) in slopes:
                tail, head = start.border((end.x, end.y)), end.border((start.x, start.y))
                text = "×" + number(slopes[used, line.name])
                x, y = (tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2
                if vertical or abs(head[1] - tail[1]) > abs(head[0] - tail[0]):
                    side = -1 if x < size[0] / 2 - 1 else 1
                    reach = 12 + min(abs(head[0] - tail[0]) / 4, 8)
                    label(ax, x + reach * side, y, text, MUTED, align="right" if side < 0 else "left")
                else:
                    # Outside the circuit: above in its upper half, below in the other.
                    side = -1 if at[used][1] + at[line.name][1] <= 0 else 1
                    label(ax, x, y + side * (14 + min(abs(head[1] - tail[1]) / 3, 8)), text, MUTED)
    return figure


def draw_counts(sizes, series, xlabel, ylabel):
    """Counts of work on a logarithmic axis: `series` maps a name to (counts, role, marker), one count per size."""
    figure, ax = plot(390, 250, xlabel, ylabel, right=20)
    ax.set_yscale("log")
    superscripts(ax.yaxis)
    for counts, role, marker in series.values():
        ax.plot(sizes, counts, color=role, marker=marker, linewidth=2, markersize=5)
    for name, (counts, role, _) in series.items():
        with matplotlib.rc_context(STYLE):
            ax.annotate(
                name, (sizes[-1], counts[-1]), xytext=(-4, 9), textcoords="offset points", ha="right", color=role,
                fontsize=TEXT,
            )  # fmt: skip
    ax.margins(y=0.15)
    return figure
