r"""Every displayed equation that claims a derivative is evaluated while the book is built.

For authors.  Label the equation, and write its twin in twins/<chapter>.py beside the chapter:

    ```{math}                                from twin import model, twin
    :label: neuron-dw
    \frac{\partial L}{\partial w}            neuron = model(
      = 2 (p - y)\, \sigma'(z)\, x               w="", b="", x="", y="",              # inputs: "" scalar, "ND" matrix
    ```                                          z=lambda w, x, b: w * x + b,         # definitions, in forward order
                                                 p=lambda z: ops.sigmoid(z),
                                                 L=lambda p, y: (p - y) ** 2,
                                             )

                                             @twin(neuron, "dL/dw")
                                             def neuron_dw(p, y, x):                  # the label, with _ for -
                                                 return 2 * (p - y) * p * (1 - p) * x

- A twin's arguments are names of its model, or derivatives by finite differences: `dZ` (of L), `dL_dZ`, `du_dx`.
- Several claims: `@twin(neuron, "dL/dw", "dL/db")`, and return a tuple.  A Jacobian has the axes of dp, then of dz.
- An input may be drawn: `x=lambda rng, N: rng.uniform(1, 2, N)`; or fixed, for a worked example: `x=lambda: 3.0`.
- The f and g of a general rule are `f=function(np.sin)`.  A layer with any loss above it: `G="NH"`, `L=np.sum(G * Z)`.
- The formula itself is read too (formula.py), side by side, and so must agree.  One that can't be read says so:
  `@twin(neuron, "dL/dw", unread="an ellipsis")`; the count shows it.
- A line of a derivation needs no twin: `:step-of: neuron-dw` evaluates it in that twin's model;
  `:unchecked-step-of: neuron-dw` (a limit, a definition) does not, and the count shows it.

The build fails where the twin, the formula and finite differences are not the same; where a claim has no twin; where a
twin has no equation; and where a twin may be broken (a sign, a factor, a transpose) and the check does not notice.
The directive {checked-formulas} prints the count.  Results are kept with Sphinx's own environment, so an unchanged
chapter is not evaluated again.
"""

import html
from dataclasses import asdict, dataclass, field
from pathlib import Path

import formula
import numpy as np
import twin as twins
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.directives.patches import MathDirective
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from backprop import check, ops, oracle, slopes

logger = logging.getLogger(__name__)
# A chapter is evaluated again where any of these has changed.
MODULES = (check, formula, ops, oracle, slopes, twins)
CODE = [Path(module.__file__).resolve() for module in MODULES] + [Path(__file__).resolve()]
STEP, UNCHECKED = "step-of", "unchecked-step-of"


class Math(MathDirective):
    """`math`, with the two ways to say that an equation is a line of a derivation."""

    option_spec = MathDirective.option_spec | dict.fromkeys((STEP, UNCHECKED), directives.unchanged_required)

    def run(self):
        found = super().run()
        for node in found:
            if isinstance(node, nodes.math_block):
                for option in (STEP, UNCHECKED):
                    if option in self.options:
                        node[option] = self.options[option].strip()
        return found


@dataclass
class Count:
    """What the build found in one chapter."""

    checked: int = 0
    read: int = 0
    steps: int = 0
    breaks: int = 0
    worst: float = 0.0
    unread: dict = field(default_factory=dict)
    unchecked: dict = field(default_factory=dict)

    def plus(self, other: "Count") -> "Count":
        return Count(
            self.checked + other.checked,
            self.read + other.read,
            self.steps + other.steps,
            self.breaks + other.breaks,
            max(self.worst, other.worst),
            self.unread | other.unread,
            self.unchecked | other.unchecked,
        )


@dataclass
class Finding:
    """What was found of one equation."""

    problems: list[str]
    worst_twin: float = 0.0
    worst_formula: float | None = None
    breaks: int = 0


def check_document(app: Sphinx, doctree: nodes.document) -> None:
    """Bind the equations of a chapter to their twins, evaluate both, and mark the equations."""
    env = app.env
    _counts(env).pop(env.docname, None)
    equations = [node for node in doctree.findall(nodes.math_block) if not _is_output(node)]
    path = _twins_of(app, env.docname)
    found = {}
    if path.exists():
        for code in (path, *CODE):
            env.note_dependency(str(code))
        try:
            found = twins.load(path)
        except twins.Misread as error:
            logger.warning("%s", error, location=f"{_shown(app, path)}:{error.line}")
            return
    elif not any(_claims(node) for node in equations):
        return
    count = Count()
    labels = {node["label"] for node in equations if node.get("label")}
    for node in equations:
        label = node.get("label")
        if label in found:
            _mark_twin(node, found[label], count, app)
        elif STEP in node or UNCHECKED in node:
            _mark_step(node, found, labels, count)
        elif _claims(node):
            what = f"`def {label.replace('-', '_')}`" if label else "give it a :label: and write one"
            _warn(node, label, f"claims a derivative and has no twin in {_shown(app, path)}: {what}")
    for label, one in found.items():
        if label not in labels:
            message = f"[{label}] no equation of {env.docname} has this label, so the twin checks nothing"
            logger.warning(message, location=f"{_shown(app, one.path)}:{one.line}")
    _counts(env)[env.docname] = asdict(count)


def examine(latex: str, one: twins.Twin) -> Finding:
    """Finite differences against the twin, and the formula against both."""
    verdict = twins.judge(one)
    finding = Finding(verdict.problems, verdict.worst, None, verdict.breaks)
    if finding.problems:
        return finding
    try:
        stated = formula.statements(latex)
    except formula.Unread as error:
        stated, finding.problems = [], _unless_said(one, error)
    met, read_all = set(), True
    for statement in stated:
        claims = statement.claims_a_derivative()
        try:
            worst, seen = _agreement(statement, verdict.points)
        except formula.Unread as error:
            # Words and definitions around the claim need not be read.
            if claims:
                finding.problems += _unless_said(one, error)
                read_all = False
            continue
        except twins.Misread as error:
            finding.problems.append(f"`{statement}`: {error}")
            continue
        if isinstance(worst, str):
            finding.problems.append(worst)
            continue
        finding.worst_formula = max(finding.worst_formula or 0.0, worst)
        about = {k for k in range(len(one.claims)) if any(_same(side, verdict.claimed, k) for side in seen)}
        if claims and not about:
            said = " and ".join(f"d{of}/d{by}" for of, by in one.claims)
            finding.problems.append(f"the twin claims {said}, and that is not what `{statement}` is about")
        met |= about
    if finding.problems:
        return finding
    if not read_all or not stated:
        finding.worst_formula = None
    elif one.unread:
        finding.problems.append(f"the twin says unread={one.unread!r}, but the formula can be read: drop it")
    elif missing := [f"d{of}/d{by}" for k, (of, by) in enumerate(one.claims) if k not in met]:
        finding.problems.append(f"the twin claims {' and '.join(missing)}, which the formula does not state")
    return finding


def _unless_said(one: twins.Twin, error: Exception) -> list[str]:
    if one.unread:
        return []
    return [f"the formula can't be read ({error}); write it plainly, or say unread=... in the twin"]


def _agreement(statement: formula.Statement, points) -> tuple:
    """(worst disagreement among the sides, or words for it; the values of each side at each point)."""
    worst, seen = 0.0, [[] for _ in statement.sides]
    for point in points:
        sides = formula.values(statement, point)
        for kept, side in zip(seen, sides, strict=True):
            kept.append(side)
        for k, relation in enumerate(statement.relations, 1):
            left, right = sides[k - 1 : k + 1]
            if relation == "=":
                apart = twins.disagreement(left, right)
                worst, agree = max(worst, apart), apart <= twins.TOLERANCE
            elif relation == "~":
                agree = left.shape == right.shape and np.all(abs(left - right) <= formula.rounding(statement.sides[k]))
            else:
                raise formula.Unread(relation)
            if not agree:
                return f"`{_equal(statement, k)}`: {_contrast(left, right)}", seen
    return worst, seen


def _equal(statement: formula.Statement, k: int) -> str:
    sign = r" \approx " if statement.relations[k - 1] == "~" else " = "
    return formula.text(statement.sides[k - 1]) + sign + formula.text(statement.sides[k])


def _contrast(left, right) -> str:
    if left.shape != right.shape:
        return f"the left side has shape {left.shape}, the right side {right.shape}"
    where = np.unravel_index(np.argmax(np.abs(left - right)), left.shape) if left.shape else ()
    entry = f" at {[int(i) for i in where]}" if where else ""
    return f"the left side is {left[where]:.6g}, the right side {right[where]:.6g}{entry}"


def _same(side, claimed, k) -> bool:
    # The one column of an (N, 1) matrix, a_{n0}, is what is claimed of the whole.
    pairs = [(np.squeeze(value), np.squeeze(at[k])) for value, at in zip(side, claimed, strict=False)]
    return bool(pairs) and all(twins.disagreement(*pair) <= twins.TOLERANCE for pair in pairs)


# ---------------------------------------------------------------- what the page shows


def _mark_twin(node, one: twins.Twin, count: Count, app: Sphinx) -> None:
    for option in (STEP, UNCHECKED):
        if option in node:
            _warn(node, one.label, f"has a twin, and so is no :{option}:")
    finding = examine(node.astext(), one)
    for problem in finding.problems:
        _warn(node, one.label, f"{problem} (its twin: {_shown(app, one.path)}:{one.line})")
    if finding.problems:
        return
    count.checked += 1
    count.breaks += finding.breaks
    count.worst = max(count.worst, finding.worst_twin, finding.worst_formula or 0.0)
    if finding.worst_formula is None:
        count.unread[one.label] = one.unread
        words = f"The formula itself is not read by the build: {one.unread}."
    else:
        count.read += 1
        words = f"The formula, read by the build, side by side: {_apart(finding.worst_formula)}."
    measured = (
        f"This code and finite differences, at {twins.POINTS} points: {_apart(finding.worst_twin)}. {words} "
        f"Broken on purpose in {finding.breaks} ways, it was refused {finding.breaks} times."
    )
    model_text, twin_text = twins.sources(one)
    code = nodes.literal_block("", "\n\n".join(filter(None, [model_text, twin_text])), language="python")
    summary = '<summary><span aria-hidden="true">✓ </span>checked</summary>'
    opening = nodes.raw("", f'<details class="checked">{summary}', format="html")
    closing = nodes.raw("", "</details>", format="html")
    _after(node, opening, nodes.paragraph("", measured), code, closing)


def _apart(worst: float) -> str:
    return f"apart by {worst:.0e} of the largest entry" if worst else "no difference"


def _mark_step(node, found: dict[str, twins.Twin], labels: set, count: Count) -> None:
    option = STEP if STEP in node else UNCHECKED
    goal, label = node[option], node.get("label")
    if goal not in found or goal not in labels:
        _warn(node, label, f":{option}: {goal} names no equation with a twin in this chapter")
        return
    name = label or formula.text(formula.tokens(node.astext())).strip(",.")
    if option == UNCHECKED:
        count.unchecked[name] = goal
        words = "not evaluated, a step of "
    else:
        try:
            points = [found[goal].model.point(seed) for seed in range(twins.POINTS)]
            for statement in formula.statements(node.astext()):
                worst, _ = _agreement(statement, points)
                if isinstance(worst, str):
                    raise twins.Misread(worst)
                count.worst = max(count.worst, worst)
        except formula.Unread as error:
            _warn(node, label, f"can't be read ({error}); write it plainly, or say :{UNCHECKED}: {goal}")
            return
        except twins.Misread as error:
            _warn(node, label, f"{error} (a step of {goal})")
            return
        count.steps += 1
        words = "✓ checked, a step of "
    paragraph = nodes.paragraph("", words, classes=["checked"])
    paragraph += nodes.reference("", "the result", refid=nodes.make_id(f"equation-{goal}"))
    _after(node, paragraph)


def _after(node, *new) -> None:
    """Put nodes after an equation, outside the paragraph that may hold it."""
    while isinstance(node.parent, nodes.paragraph):
        node = node.parent
    at = node.parent.index(node)
    node.parent[at + 1 : at + 1] = list(new)


class Table(SphinxDirective):
    """The count of all chapters."""

    def run(self):
        return [_Placeholder()]


class _Placeholder(nodes.General, nodes.Element):
    pass


def fill_tables(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for place in list(doctree.findall(_Placeholder)):
        place.replace_self(nodes.raw("", _table(app, docname), format="html"))


HEADS = "chapter, checked, read as printed, steps, not read, steps not evaluated, ways to break, worst".split(", ")


def _table(app: Sphinx, docname: str) -> str:
    order = _order(app)
    rows, notes, total = [], [], Count()
    for name, counted in sorted(_counts(app.env).items(), key=lambda item: order.get(item[0], len(order))):
        one = Count(**counted)
        title = html.escape(app.env.titles[name].astext())
        link = f'<a href="{app.builder.get_relative_uri(docname, name)}">{title}</a>'
        rows.append(_row(link, one))
        notes += [_note(link, label, f"not read: {why}") for label, why in one.unread.items()]
        notes += [_note(link, label, f"not evaluated, a step of {goal}") for label, goal in one.unchecked.items()]
        total = total.plus(one)
    head = "".join(f'<th scope="col">{name}</th>' for name in HEADS)
    table = (
        '<div class="checked-formulas" role="region" aria-label="Checked formulas" tabindex="0"><table class="table">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        f"<tfoot>{_row('all', total)}</tfoot></table></div>"
    )
    return table + (f"<ul>{''.join(notes)}</ul>" if notes else "")


def _row(first: str, one: Count) -> str:
    numbers = [one.checked, one.read, one.steps, len(one.unread), len(one.unchecked), one.breaks, f"{one.worst:.0e}"]
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{number}</td>" for number in numbers) + "</tr>"


def _note(link: str, label: str, what: str) -> str:
    return f"<li>{link}, <code>{html.escape(label)}</code>, {html.escape(what)}</li>"


def _order(app: Sphinx) -> dict[str, int]:
    """Where each page stands in the book."""
    found, stack = {}, [app.config.root_doc]
    while stack:
        name = stack.pop()
        found.setdefault(name, len(found))
        stack += [n for n in reversed(app.env.toctree_includes.get(name, [])) if n not in found]
    return found


# ---------------------------------------------------------------- Sphinx


def _claims(node) -> bool:
    try:
        return any(statement.claims_a_derivative() for statement in formula.statements(node.astext()))
    except formula.Unread:
        # What can't even be split into sides is held to be a claim where a derivative stands in it.
        return formula.holds_derivative(formula.tokens(node.astext()))


def _is_output(node) -> bool:
    while node := node.parent:
        if "cell_output" in node.get("classes", []):
            return True
    return False


def _warn(node, label: str | None, message: str) -> None:
    logger.warning("[%s] %s", label or "no label", message, location=node)


def _twins_of(app: Sphinx, docname: str) -> Path:
    page = Path(app.env.doc2path(docname))
    return page.parent / "twins" / f"{page.stem}.py"


def _shown(app: Sphinx, path: Path) -> str:
    return str(path.relative_to(app.srcdir)) if path.is_relative_to(app.srcdir) else str(path)


def _counts(env) -> dict:
    if not hasattr(env, "checked_formulas"):
        env.checked_formulas = {}
    return env.checked_formulas


def purge(app: Sphinx, env, docname: str) -> None:
    _counts(env).pop(docname, None)


def merge(app: Sphinx, env, docnames, other) -> None:
    _counts(env).update({name: count for name, count in _counts(other).items() if name in docnames})


def pages_with_tables(app: Sphinx, env) -> list[str]:
    """Pages that show the count are written again after every change."""
    return [name for name in env.found_docs if any(env.get_doctree(name).findall(_Placeholder))]


def find_orphans(app: Sphinx, env) -> None:
    pages = {_twins_of(app, name) for name in env.found_docs}
    for folder in {page.parent for page in pages}:
        for path in sorted(set(folder.glob("*.py")) - pages):
            logger.warning("no page has the name of these twins", location=f"{_shown(app, path)}:1")


def setup(app: Sphinx) -> dict:
    app.add_directive("math", Math, override=True)
    app.add_directive("checked-formulas", Table)
    app.add_node(_Placeholder)
    app.connect("doctree-read", check_document)
    app.connect("doctree-resolved", fill_tables)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", pages_with_tables)
    app.connect("env-check-consistency", find_orphans)
    app.add_css_file("checked.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
