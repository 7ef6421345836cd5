"""{kill-matrix}: what the tests of every exercise make of every known wrong answer, a table per chapter.

Read from _build/mistaken/<chapter>/kill_matrix.json, which `make exercises` writes by running each of them; a chapter
with exercises and no such file is a warning, and so is a mistake that keeps all its points.
"""

import json
from pathlib import Path

from docutils import nodes
from exercise import chapters, notebook_path, read
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)


class KillMatrix(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        in_order = [page.rsplit("/", 1)[-1] for page in self.env.app.config.external_site_map]
        found = [chapter for chapter in in_order if chapter in chapters(root)]
        if not found:
            logger.warning("no chapter has exercises, so the kill matrix is empty", location=self.get_location())
        result: list[nodes.Node] = []
        for chapter in found:
            path = root / "_build" / "mistaken" / chapter / "kill_matrix.json"
            self.env.note_dependency(str(path))
            self.env.note_dependency(str(notebook_path(root, chapter)))
            if not path.exists():
                logger.warning("%s is missing: run `make exercises`", path, location=self.get_location())
                continue
            result.append(self._table(chapter, json.loads(path.read_text(encoding="utf-8"))))
        return result

    def _table(self, chapter: str, matrix: dict[str, dict]) -> nodes.table:
        exercises = {name: entry for name, entry in read(Path(self.env.srcdir), chapter).items() if name in matrix}
        mistakes = sorted({key for row in matrix.values() for key in row})
        table = nodes.table("", classes=["kill-matrix"])
        table += nodes.title("", chapter.replace("_", " ").capitalize())
        group = nodes.tgroup(cols=1 + len(exercises))
        table += group
        group += [nodes.colspec(colwidth=3)] + [nodes.colspec(colwidth=2) for _ in exercises]
        head = _row("mistake", *[entry.title for entry in exercises.values()])
        group += nodes.thead("", head)
        body = nodes.tbody()
        for key in mistakes:
            body += _row(key, *[self._verdict(name, key, matrix[name].get(key)) for name in exercises])
        group += body
        return table

    def _verdict(self, exercise: str, key: str, result: dict | None) -> str:
        if result is None:
            return ""
        if result["earned"] >= result["points"]:
            logger.warning("%s: the mistake %s keeps all its points", exercise, key, location=self.get_location())
        name = key.split("/")[0]
        how = "not named" if name not in result["named"] else "named" if len(result["named"]) == 1 else "tie"
        return f"{how}, {result['earned']:g} of {result['points']:g}"


def _row(*texts: str) -> nodes.row:
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", text)) for text in texts])


def setup(app: Sphinx) -> dict:
    app.add_directive("kill-matrix", KillMatrix)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
