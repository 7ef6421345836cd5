"""{kill-matrix}: what the tests of every exercise make of every known wrong answer, a table per chapter.

Read from _build/mistaken/<chapter>/kill_matrix.json, which `make exercises` writes by running each of them; a chapter
with exercises and no such file, or one of an older build, is a warning, and so is a mistake that keeps all its points.
"""

import json
from pathlib import Path

from docutils import nodes
from exercise import chapters, notebook_path, read
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
# What grader.notebooks.kill_matrix writes of each.
KEYS = {"earned", "points", "named", "said", "shares"}


def read_matrix(directive: SphinxDirective, chapter: str) -> dict[str, dict]:
    """What the tests of a chapter make of each known wrong answer: {exercise: {mistake: {"earned", "named", ...}}}.

    Empty, after a warning, where it was not built, or not from the exercises as they are.
    """
    root = Path(directive.env.srcdir)
    path = root / "_build" / "mistaken" / chapter / "kill_matrix.json"
    directive.env.note_dependency(str(path))
    problem = "is missing"
    if path.exists():
        matrix = json.loads(path.read_text(encoding="utf-8"))
        entries = [entry for row in matrix.values() for entry in row.values()]
        if set(matrix) <= set(read(root, chapter)) and all(KEYS <= set(entry) for entry in entries):
            return matrix
        problem = "is of an older build"
    logger.warning("%s %s: run `make exercises`", path, problem, location=directive.get_location())
    return {}


class KillMatrix(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        in_order = [page.rsplit("/", 1)[-1] for page in self.env.app.config.external_site_map]
        found = [chapter for chapter in in_order if chapter in chapters(root)]
        if not found:
            logger.warning("no chapter has exercises, so the kill matrix is empty", location=self.get_location())
        result: list[nodes.Node] = []
        for chapter in found:
            self.env.note_dependency(str(notebook_path(root, chapter)))
            matrix = read_matrix(self, chapter)
            if matrix:
                result.append(self._table(chapter, matrix))
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
