"""Formulas set while the book is built: KaTeX runs here, once, and a page needs no script to show them.

Weighed against MathJax in the reader's browser (1.1 MB of script on every page, and text that moves when the
formulas arrive).  KaTeX's own HTML is what the eye sees and its MathML what a screen reader hears; a formula that
KaTeX can't read is a warning, and so fails the strict build.
"""

import functools
import json
import re
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)


@functools.cache
def _katex():
    context = quickjs.Context()
    context.eval((Path(__file__).parent / "katex.min.js").read_text(encoding="utf-8"))
    # Through JSON, since the bindings can't return the ropes that QuickJS makes of joined strings.
    return context.eval(
        "(tex, display) => JSON.stringify(katex.renderToString("
        "tex, {displayMode: display, throwOnError: true, strict: false,"
        " trust: context => context.command === '\\\\htmlClass'}))"
    )


@functools.cache
def render(tex: str, display: bool) -> str:
    """The HTML of a formula; ValueError with KaTeX's own words where it can't be read."""
    try:
        return json.loads(_katex()(tex, display))
    except quickjs.JSException as error:
        raise ValueError(str(error).splitlines()[0].removeprefix("ParseError: ")) from error


def _html(translator, node, tex: str, display: bool) -> str:
    try:
        return render(tex, display)
    except ValueError as error:
        logger.warning("%s in the formula %r", error, tex, location=node)
        return translator.encode(tex)


def _keep_together(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take the punctuation beside a formula into it: a browser breaks the line there otherwise."""
    for node in list(doctree.findall(nodes.math)):
        siblings, at = node.parent.children, node.parent.index(node)
        before, after = siblings[at - 1] if at else None, siblings[at + 1] if at + 1 < len(siblings) else None
        tex = node.astext()
        if isinstance(after, nodes.Text) and (found := re.match(r"[,.;:?!)\]\u2019\u201d]+", after)):
            siblings[at + 1] = nodes.Text(after[found.end() :])
            tex = rf"{tex}\htmlClass{{beside}}{{\text{{{found[0]}}}}}"
        if isinstance(before, nodes.Text) and (found := re.search(r"[(\[\u2018\u201c]+$", before)):
            siblings[at - 1] = nodes.Text(before[: found.start()])
            tex = rf"\htmlClass{{beside}}{{\text{{{found[0]}}}}}{tex}"
        node["tex"] = tex


def visit_inline(translator, node) -> None:
    html = _html(translator, node, node.get("tex", node.astext()), display=False)
    translator.body.append(f'<span class="math notranslate nohighlight">{html}</span>')
    raise nodes.SkipNode


def visit_display(translator, node) -> None:
    tex = node.astext().strip()
    if r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    # A label's number is ours to print; KaTeX would number each environment from 1.
    tex = re.sub(r"(\\(?:begin|end)\{(?:equation|align|gather|alignat))\}", r"\1*}", tex)
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate nohighlight"))
    translator.body.append('<div class="formula">' + _html(translator, node, tex, display=True) + "</div>")
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.connect("doctree-resolved", _keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
