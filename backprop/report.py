"""What a check found, as text, as HTML and as a figure."""

import io
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Finding", "Report"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in one line of the student's words.

    id: the mistake's name in the catalogue; parameter: a key of ``params`` or ""; message: one line;
    where: a place in the code or among the parameters, if known.
    """

    id: str
    parameter: str
    message: str
    where: str = ""


@dataclass
class Report:
    """What a check found.  ``str(report)`` starts with the one sentence a student needs.

    verdict: "pass", "fail" or "inconclusive" (the oracle's bound is too wide to tell).
    analytic: dict name -> array, the gradient under test.
    numeric, error_bound: dict name -> array, the oracle's value of each entry and how far off it may be.
        An entry that was not computed, because its array passed the screen, is nan, its bound inf.
    wrong: dict name -> boolean array.
    params: the parameters at which these numbers hold; error: the exception grad raised, or None;
    result: what grad returned, before any conversion; as_before: whether it passed as one that was accepted before.
    """

    verdict: str = "pass"
    findings: list = field(default_factory=list)
    analytic: dict = field(default_factory=dict)
    numeric: dict = field(default_factory=dict)
    error_bound: dict = field(default_factory=dict)
    wrong: dict = field(default_factory=dict)
    params: dict = field(default_factory=dict)
    error: BaseException | None = None
    result: object = None
    as_before: bool = False

    @property
    def ok(self):
        return self.verdict == "pass"

    def raise_if_failed(self):
        """Raise AssertionError with the text of the report if the verdict is "fail"."""
        if self.verdict == "fail":
            raise AssertionError(str(self))

    def __str__(self):
        return _as_text(self)

    def _repr_html_(self):
        return _as_html(self)

    def plot(self):
        """One heat map per parameter, in forward order: the size of the error, with a cross on each wrong entry."""
        return _as_figure(self)


# ---------------------------------------------------------------- numbers and places in words


def at(index):
    return f" [{', '.join(str(i) for i in index)}]" if index else ""


def count_of(some, total):
    return f"{some} of {total} {'entry is' if total == 1 else 'entries is' if some == 1 else 'entries are'}"


def as_measured(value, bound):
    return f"finite differences give {value:.4g} ± {bound:.0e}"


def told_apart(claim, value, digits):
    """Both numbers as text, with as many digits as it takes to see that they differ, and at least `digits`."""
    for places in range(digits, 18):
        yours, theirs = f"{claim:.{places}g}", f"{value:.{places}g}"
        if yours != theirs:
            break
    return yours, theirs


def yours_and_theirs(claim, value, bound):
    yours, theirs = told_apart(claim, value, 4)
    return f"yours {yours}, finite differences give {theirs} ± {bound:.0e}"


# ---------------------------------------------------------------- the table


def _rows(report):
    """The table: name, shape, wrong entries, worst entry, yours, numeric ± error; one row per parameter."""
    rows, undecided = [], {finding.parameter for finding in report.findings if finding.id == "inconclusive"}
    for name, value in report.params.items():
        yours = report.analytic.get(name)
        wrong = report.wrong[name]
        if yours is None:
            rows.append((name, str(value.shape), "missing", "", "", ""))
        elif yours.shape != value.shape:
            rows.append((name, str(value.shape), f"shape {yours.shape}", "", "", ""))
        elif not wrong.any():
            rows.append((name, str(value.shape), "cannot tell" if name in undecided else "none", "", "", ""))
        else:
            gap = np.where(wrong, np.nan_to_num(np.abs(yours - report.numeric[name]), nan=np.inf), -1.0)
            worst = np.unravel_index(np.argmax(gap), gap.shape)
            number, bound = report.numeric[name][worst], report.error_bound[name][worst]
            numbers = f"{yours[worst]:.6g}", f"{number:.6g} ± {bound:.0e}"
            rows.append((name, str(value.shape), f"{wrong.sum()} of {wrong.size}", at(worst).strip(), *numbers))
    return rows


COLUMNS = ("parameter", "shape", "wrong", "worst", "yours", "numeric ± error")


def _sentences(report):
    if report.findings:
        return [finding.message for finding in report.findings]
    return [f"Right: {', '.join('d' + name for name in report.params)}."]


def _as_text(report):
    lines = _sentences(report)
    if report.verdict == "pass":
        return "\n".join(lines)
    table = [COLUMNS, *_rows(report)]
    widths = [max(len(row[k]) for row in table) for k in range(len(COLUMNS))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)


def _as_html(report):
    from html import escape

    mark = {"pass": "✓ right", "fail": "✗ wrong", "inconclusive": "? cannot tell"}[report.verdict]
    colour = {"pass": "--jp-success-color1, #2e7d32", "fail": "--jp-error-color1, #c62828"}.get(
        report.verdict, "--jp-warn-color1, #b26a00"
    )
    cell = 'style="text-align: left; padding: 0.15em 0.8em; border-bottom: 1px solid currentColor"'
    first, *others = [escape(sentence) for sentence in _sentences(report)]
    head = "".join(f'<th scope="col" {cell}>{escape(title)}</th>' for title in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{escape(text)}</td>" for text in row) + "</tr>" for row in _rows(report)
    )
    more = "".join(f"<li>{sentence}</li>" for sentence in others)
    return (
        # Who has no pointer scrolls with the keyboard.
        f'<div role="group" aria-label="Report of the check" tabindex="0" style="color: inherit; '
        f'border-left: 4px solid var({colour}); padding-left: 0.8em; overflow-x: auto">'
        f"<p><strong>{mark}</strong> · {first}</p>"
        + (f"<ul>{more}</ul>" if more else "")
        + f'<table style="border-collapse: collapse; color: inherit"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _as_figure(report):
    from textwrap import wrap

    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

    class Shown(Figure):
        """A notebook shows a plain one only where pyplot has been imported."""

        def _repr_png_(self):
            page = io.BytesIO()
            self.savefig(page, format="png", dpi=100)
            return page.getvalue()

    names = list(report.params)
    columns = min(max(len(names), 1), 4)  # more would not be legible across a notebook
    rows = -(-len(names) // columns) or 1
    figure = Shown(figsize=(2.6 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    errors = {name: _error_grid(report, name) for name in names}
    sizes = [e[np.isfinite(e) & (e > 0)] for e in errors.values() if e is not None]
    sizes = np.concatenate(sizes) if sizes else np.array([])
    largest = sizes.max() if sizes.size else 1.0
    norm = LogNorm(min(sizes.min(), largest / 10) if sizes.size else 1e-16, largest)
    image = None
    for axis, name in zip(axes, names, strict=False):
        axis.set_title("\n".join(wrap(f"d{name}", 22)), parse_math=False)
        if errors[name] is None or not np.isfinite(errors[name]).any():
            axis.set_axis_off()
            axis.text(0.5, 0.5, _no_picture(report, name), ha="center", va="center", transform=axis.transAxes)
            continue
        image = axis.imshow(np.maximum(errors[name], norm.vmin), norm=norm, cmap="viridis", aspect="auto")
        wrong = _grid(report.wrong[name])
        down, across = np.nonzero(wrong)
        size = np.clip(120 / max(wrong.shape), 2, 7)  # in points, of a heat map that has some 150
        outline = [withStroke(linewidth=size / 2, foreground="black")]  # a cross shows on dark and on light cells
        axis.plot(across, down, "x", color="white", markersize=size, markeredgewidth=size / 5, path_effects=outline)
        axis.set_xticks([])
        axis.set_yticks([])
    if image is not None:
        figure.colorbar(image, ax=list(axes), label="|yours - numeric|")
    return figure


def _grid(array):
    """An array of any shape as a matrix: a vector as one row, more axes folded into the rows."""
    return array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)


def _error_grid(report, name):
    yours = report.analytic.get(name)
    if yours is None or yours.shape != report.params[name].shape or not yours.size:
        return None
    return _grid(np.abs(yours - report.numeric[name]).astype(float))


def _no_picture(report, name):
    yours = report.analytic.get(name)
    if yours is None:
        return "missing"
    expected = report.params[name].shape
    return f"shape {yours.shape}\nexpected {expected}" if yours.shape != expected else "right"
