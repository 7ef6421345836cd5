"""{mistakes}: every entry of the catalogue, with what it looks like when it is made, and its cure.

The looks are not drawn by hand: `make exercises` runs every known wrong answer and keeps what the checker said and how
the first wrong gradient compares with the right one (_build/mistaken/<chapter>/kill_matrix.json).
An entry that a known wrong answer is named by, and that has no numbers to show, shows its line alone.
"""

import html
import math
import re
from pathlib import Path

from docutils import nodes
from exercise import chapters, read
from killmatrix import read_matrix
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from backprop.diagnosis import CATALOGUE, Mistake

LEGEND = {"•": "is right", "×": "has no ratio"}
logger = logging.getLogger(__name__)


class Mistakes(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        made = self._made(root)
        if not made:
            logger.warning("no known wrong answer was run: run `make exercises`", location=self.get_location())
        result: list[nodes.Node] = []
        for family in dict.fromkeys(mistake.family for mistake in CATALOGUE.values()):
            section = _section(family, family.lower().replace(" ", "-"))
            for mistake in CATALOGUE.values():
                if mistake.family == family:
                    section += self._entry(mistake, made.get(mistake.id, []))
            self.state.document.note_explicit_target(section, section)
            result.append(section)
        return result

    def _made(self, root: Path) -> dict[str, list[dict]]:
        """The known wrong answers by the mistake they are, in the order of the book."""
        in_order = [page.rsplit("/", 1)[-1] for page in self.env.app.config.external_site_map]
        made: dict[str, list[dict]] = {}
        for chapter in [chapter for chapter in in_order if chapter in chapters(root)]:
            titles = {name: entry.title for name, entry in read(root, chapter).items()}
            for exercise, row in read_matrix(self, chapter).items():
                for key, found in row.items():
                    name = key.split("/")[0]
                    if name in found["named"]:
                        made.setdefault(name, []).append({**found, "chapter": chapter, "title": titles[exercise]})
        return made

    def _entry(self, mistake: Mistake, made: list[dict]) -> nodes.section:
        section = _section(mistake.id, mistake.id)
        self.state.document.note_explicit_target(section, section)
        section += nodes.paragraph("", mistake.sentence)
        alone = [found for found in made if len(found["named"]) == 1] or made
        # The first of those with most to see; a single number shows no pattern.
        shown = max(alone, key=lambda found: min(_entries(found), 6), default=None)
        if shown:
            section += nodes.raw("", self._looks(shown), format="html")
        cure = nodes.enumerated_list(classes=["cure"])
        cure += [nodes.list_item("", nodes.paragraph("", hint)) for hint in mistake.hints]
        section += cure
        section += self._links(mistake, made)
        return section

    def _looks(self, found: dict) -> str:
        """What the checker said, and the gradient as a small table."""
        # A line of the wrong answer may be one of the right answer too.
        line = re.sub(r" \(in your line `.*`\)", "", found["said"])
        said = f'<p class="said"><code>{html.escape(line)}</code></p>'
        if not found["shares"]:
            return said
        name, shape, rows = (found["shares"][key] for key in ("name", "shape", "rows"))
        cells = "".join(
            "<tr>" + "".join(f'<td class="{_kind(text)}">{html.escape(text)}</td>' for text in row) + "</tr>"
            for row in rows
        )
        total, marks = math.prod(shape), {text for row in rows for text in row}
        part = "" if _entries(found) == total else f", {_entries(found)} of {total} entries"
        legend = "".join(f"; {mark} {what}" for mark, what in LEGEND.items() if mark in marks)
        caption = f"<p>d{html.escape(name)}, yours ÷ right{part}{legend}</p>"
        return f'{said}<div class="shares"><table><tbody>{cells}</tbody></table>{caption}</div>'

    def _links(self, mistake: Mistake, made: list[dict]) -> nodes.paragraph:
        """Where it is explained, and in which exercises it is known."""
        paragraph = nodes.paragraph(classes=["seen-in"])
        chapter, _, _ = mistake.link.partition("#")
        known = {page.rsplit("/", 1)[-1]: page for page in self.env.app.config.external_site_map}
        if chapter in known:
            paragraph += [nodes.Text("Explained in "), _link(known[chapter], self.env.docname), nodes.Text(". ")]
        seen = list(dict.fromkeys((found["chapter"], found["title"]) for found in made))
        if seen:
            exercises = ", ".join(title for _, title in seen[:4]) + (" and others" if len(seen) > 4 else "")
            count = f"{len(made)} known wrong answer{'s' if len(made) > 1 else ''}"
            paragraph += nodes.Text(f"{count}, in: {exercises}.")
        else:
            paragraph += nodes.Text("No known wrong answer of an exercise is this mistake.")
        return paragraph


def _section(title: str, identity: str) -> nodes.section:
    section = nodes.section(ids=[identity], names=[identity])
    section += nodes.title("", title)
    return section


def _entries(found: dict) -> int:
    """How many entries there are to see."""
    return sum(map(len, found["shares"]["rows"])) if found["shares"] else 0


def _kind(text: str) -> str:
    return "good" if text == "•" else "bad"


def _link(page: str, docname: str) -> pending_xref:
    options = {"refdomain": "std", "reftype": "doc", "reftarget": "/" + page, "refexplicit": False, "refwarn": True}
    return pending_xref("", nodes.inline("", ""), refdoc=docname, **options)


def setup(app: Sphinx) -> dict:
    app.add_directive("mistakes", Mistakes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
