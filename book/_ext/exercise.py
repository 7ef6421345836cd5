"""Exercises in the chapters, read from the notebooks that students get.

    ```{exercise} local-slopes
    ```

shows that exercise of exercises/<chapter>/<chapter>.ipynb: title, points, prompt, the code it starts from, and where
to get the notebook.  {points}`scalar_chain_rule` is a chapter's total, {points}`book` that of the whole book.  The
notebook says which cells belong to which exercise (`metadata.backprop`, written by grader/notebooks.py), so nothing
is typed twice.  A name the notebook does not have, and an exercise that no page shows, are warnings.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exercise:
    """One exercise as its page shows it: `given` and `start` are the code before and in the answer's cells."""

    name: str
    title: str
    points: float
    prompt: str
    given: str
    start: str


def notebook_path(root: Path, chapter: str) -> Path:
    return Path(root) / "exercises" / chapter / f"{chapter}.ipynb"


def chapters(root: Path) -> list[str]:
    """The chapters that have exercises, by name."""
    return sorted(path.stem for path in Path(root).glob("exercises/*/*.ipynb") if path.stem == path.parent.name)


def read(root: Path, chapter: str) -> dict[str, Exercise]:
    """A chapter's exercises by name, in order; empty where it has none."""
    path = notebook_path(root, chapter)
    if not path.exists():
        return {}
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    order = list(cells)
    found = {}
    for name, entry in notebook["metadata"]["backprop"]["exercises"].items():
        answers = entry["cells"]
        # What is given stands between the prompt and the answer.
        between = order[order.index(entry["text"]) + 1 : order.index(answers[0])] if answers else []
        given = [_source(cells[i]) for i in between if cells[i]["cell_type"] == "code"]
        prompt = re.sub(r"\A\s*#+ +.+\n*", "", _source(cells[entry["text"]]))
        # nbgrader's mark for the place of an answer, in a cell that a person marks.
        prompt = prompt.removesuffix("YOUR ANSWER HERE").rstrip()
        start = [_source(cells[i]) for i in answers]
        found[name] = Exercise(
            name, entry["title"], entry["points"], prompt, "\n\n\n".join(given), "\n\n\n".join(start)
        )
    return found


def total(root: Path, chapter: str) -> float:
    return sum(exercise.points for exercise in read(root, chapter).values())


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _docname_to_chapter(docname: str) -> str:
    return PurePosixPath(docname).name


class ExerciseDirective(SphinxDirective):
    """The box that shows an exercise where it belongs in the text."""

    required_arguments = 1
    option_spec = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        name, chapter = self.arguments[0], _docname_to_chapter(self.env.docname)
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(notebook_path(root, chapter)))
        exercises = read(root, chapter)
        if name not in exercises:
            known = ", ".join(exercises) or "none"
            logger.warning(
                "exercises/%s has no exercise %r; it has: %s", chapter, name, known, location=self.get_location()
            )
            return []
        exercise = exercises[name]
        _shown(self.env).setdefault(self.env.docname, []).append(name)

        box = nodes.admonition(classes=["exercise"], ids=[f"exercise-{name}"])
        title, messages = self.state.inline_text(exercise.title, self.lineno)
        box += nodes.title(
            "",
            "",
            nodes.inline("", "Exercise", classes=["exercise-label"]),
            nodes.Text(" "),
            nodes.inline("", "", *title, classes=["exercise-title"]),
            nodes.Text(" "),
            nodes.inline("", _points(exercise.points), classes=["exercise-points"]),
        )
        box += messages
        path = notebook_path(root, chapter)
        self.state.nested_parse(StringList(exercise.prompt.splitlines(), source=str(path)), 0, box)
        for label, code in (("Given", exercise.given), ("Yours to write", exercise.start)):
            if code:
                box += nodes.paragraph("", label, classes=["exercise-code-label"])
                block = nodes.literal_block(code, code, language="python")
                self.set_source_info(block)
                box += block
        box += self._links(chapter)
        return [box]

    def _links(self, chapter: str) -> nodes.paragraph:
        notebook = "/" + notebook_path(Path(), chapter).as_posix()
        download = addnodes.download_reference("", "", reftarget=notebook, refdoc=self.env.docname)
        download += nodes.inline("", "Download the notebook")
        how = addnodes.pending_xref(
            "",
            nodes.inline("", "How to open it"),
            refdomain="std",
            reftype="ref",
            reftarget="doing-the-exercises",
            refexplicit=True,
            refdoc=self.env.docname,
            refwarn=True,
        )
        return nodes.paragraph("", "", download, nodes.Text(" · "), how, classes=["exercise-links"])


class PointsRole(SphinxRole):
    """The points of a chapter, or of all chapters together, as a number."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        root = Path(self.env.srcdir)
        wanted = chapters(root) if self.text == "book" else [self.text]
        for chapter in wanted:
            self.env.note_dependency(str(notebook_path(root, chapter)))
        points = sum(total(root, chapter) for chapter in wanted)
        if not points:
            logger.warning("%r is no chapter with exercises", self.text, location=self.get_location())
        return [nodes.inline("", f"{points:g}", classes=["points"])], []


def _points(points: float) -> str:
    return f"{points:g} point" + ("" if points == 1 else "s")


def _shown(env) -> dict[str, list[str]]:
    if not hasattr(env, "exercises_shown"):
        env.exercises_shown = {}
    return env.exercises_shown


def _purge(app, env, docname: str) -> None:
    _shown(env).pop(docname, None)


def _merge(app, env, docnames, other) -> None:
    _shown(env).update(_shown(other))


def _check_all_shown(app, env) -> None:
    shown = {(_docname_to_chapter(doc), name) for doc, names in _shown(env).items() for name in names}
    for chapter in chapters(env.srcdir):
        for name in read(env.srcdir, chapter):
            if (chapter, name) not in shown:
                logger.warning("no page shows the exercise %r of exercises/%s", name, chapter)


def setup(app: Sphinx) -> dict:
    app.add_directive("exercise", ExerciseDirective)
    app.add_role("points", PointsRole())
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("env-check-consistency", _check_all_shown)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
