"""A rehearsal: a class of thirty that nobody is in, graded from release to export by the real tools, and judged.

The class hands in what is known to be wrong (each known mistake of the chapter), what is known to be right, and files
that are broken.  What each must get is reckoned apart: the instructor's notebook with those answers, run here.  All of
it lies in a folder of its own; the gradebook and the files of the course are not touched.
"""

import csv
import html
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from grader import notebooks

SIZE = 30
# The chapter that an instructor can grade in the least time.
CHAPTER = "scalar_chain_rule"
COMMENT = "A comment by a person."
CONFIG = """
from pathlib import Path

c = get_config()
root = Path(__file__).resolve().parent
c.CourseDirectory.root = str(root)
c.CourseDirectory.course_id = "rehearsal"
c.CourseDirectory.release_directory = "exercises"
c.Exchange.root = str(root / "exchange")
# The class hands in for itself, and one user owns everything here.
c.ExchangeCollect.check_owner = False
"""


@dataclass(frozen=True)
class Student:
    """Who hands in what, and what must come of it."""

    name: str
    what: str
    files: dict[str, bytes]
    points: float
    # Each must stand on the feedback page, as text.
    words: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    student: Student
    points: float | None
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.points is not None and abs(self.points - self.student.points) < 1e-9 and not self.missing

    def __str__(self) -> str:
        got = "no marks" if self.points is None else f"{self.points:g} points"
        mark = "ok   " if self.ok else "WRONG"
        said = "".join(f'  · the page does not say "{words}"' for words in self.missing)
        return f"{mark} {self.student.name}  {self.student.what:<52} {got:>9}, expected {self.student.points:g}{said}"


def summary(verdicts: list[Verdict]) -> str:
    """The last line."""
    right = sum(verdict.ok for verdict in verdicts)
    return f"{right} of {len(verdicts)} students got the marks and the words that they should."


class RehearsalError(Exception):
    """A tool that failed, with what it said."""


# The class ---------------------------------------------------------------------------------------------------


def students(source: notebooks.Source, size: int = SIZE) -> list[Student]:
    """A class of `size`; mistakes are spread over the exercises."""
    known = notebooks.fingerprints(source)
    full = notebooks.solved(source, known)
    release = notebooks.released(full)
    name = f"{source.chapter}.ipynb"
    total = sum(cell.points for cell in source.role("tests"))
    found: list[tuple[str, dict[str, bytes], float, tuple[str, ...]]] = []

    def add(what: str, notebook, points: float, *words: str, file: str = name) -> None:
        content = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
        found.append((what, {file: content}, points, words))

    right = notebooks.filled(release, source.answers())
    test = source.role("tests")[0].name
    tests = lambda notebook: next(cell for cell in notebook.cells if cell.id == f"tests-{test}")

    add("the model answers", right, total)
    add("nothing but the release", release, 0.0, "is not written yet")
    add("a notebook cut short", nbformat.writes(right).encode()[:500], 0.0, "could not be graded", "is not JSON")
    add("an empty file", b"", 0.0, "could not be graded", "is empty")
    add("the right answers under another name", right, total, file="my homework (1).ipynb")
    edited = notebooks.filled(release, source.answers())
    tests(edited).source = f"{1e6!r}"
    add("a test cell that was made to give a million", edited, total)
    cut = notebooks.filled(release, source.answers())
    cut.cells.remove(tests(cut))
    add("a test cell that was deleted", cut, total)
    first = source.role("solution")[0]
    function = re.search(r"^def (\w+)\((.*?)\)", first.text, re.MULTILINE)
    for what, body in (("an endless loop", "while True:\n        pass"), ("an exit", "import os\n    os._exit(0)")):
        answers = source.answers()
        answers[first.name] = f"def {function[1]}({function[2]}):\n    {body}"
        points = notebooks.run(
            notebooks.filled(
                full, {**answers, first.name: f"def {function[1]}({function[2]}):\n    raise ValueError()"}
            )
        ).points
        add(what, notebooks.filled(release, answers), sum(points.values()))

    mistakes = _spread(source.role("mistake"), lambda cell: cell.of)
    accepted = _spread(source.role("accepted"), lambda cell: cell.of)
    rights = max(3, (size - len(found)) // 5)
    cells = accepted[:rights] + mistakes[: size - len(found) - min(rights, len(accepted))]
    for cell in cells:
        answers = source.answers(cell)
        ran = notebooks.run(notebooks.filled(full, answers))
        what = f"{cell.key} in {cell.of}" if cell.role == "mistake" else f"{cell.of}, right in another way: {cell.name}"
        words = tuple(f"[{name}]" for name in ran.named[cell.of]) if cell.role == "mistake" else ()
        add(what, notebooks.filled(release, answers), sum(ran.points.values()), *words)
    return [Student(f"student{number:02}", *each) for number, each in enumerate(found, 1)]


def _spread(cells: list, group: Callable) -> list:
    """One of each group, then the next of each."""
    groups: dict[str, list] = {}
    for cell in cells:
        groups.setdefault(group(cell), []).append(cell)
    rounds = max(map(len, groups.values()), default=0)
    return [cells[number] for number in range(rounds) for cells in groups.values() if number < len(cells)]


# The course --------------------------------------------------------------------------------------------------


def rehearse(root: Path, chapter: str = CHAPTER, sandbox: str = "auto", say: Callable = print) -> list[Verdict]:
    """Release, hand in, collect, grade, mark, give back and export in the empty folder `root`; the verdict on each."""
    source = notebooks.read(notebooks.SOURCES / f"{chapter}.py")
    (root / "home").mkdir(parents=True)
    (root / "nbgrader_config.py").write_text(CONFIG)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))} | {
        "HOME": str(root / "home"),
        "JUPYTER_CONFIG_DIR": str(root / "home" / "jupyter"),
        "JUPYTER_DATA_DIR": str(root / "home" / "data"),
        "USER": "instructor",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(notebooks.ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        # SQLAlchemy and Jupyter warn of things that are not ours.
        "PYTHONWARNINGS": "ignore",
    }

    def tool(*command: str, folder: Path = root) -> str:
        say(f"  $ {' '.join(command)}")
        module = ["-m", "nbgrader", *command[1:]] if command[0] == "nbgrader" else ["-m", *command[2:]]
        process = subprocess.run(
            [sys.executable, *module],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        if process.returncode:
            raise RehearsalError(f"{' '.join(command)} ended with {process.returncode}:\n{process.stderr[-4000:]}")
        return process.stdout + process.stderr

    say(f"A class of {SIZE} from the known answers to {chapter}, in {root}")
    class_ = students(source)
    into = {kind: root / folder for kind, folder in (("solved", "source"), ("released", "b"), ("mistaken", "m"))}
    notebooks.build([source.path], into)
    tool("nbgrader", "generate_assignment", chapter)
    tool("nbgrader", "release_assignment", chapter)

    _hand_in(root, chapter, class_, tool)
    tool("nbgrader", "collect", chapter)
    grade = ["python", "-m", "grader", "grade", chapter, "--sandbox", sandbox]
    if sandbox == "none":
        grade[-2:] = ["--no-sandbox"]
    lines = tool(*grade, "--cell-seconds", "5")
    say("\n".join(f"    {line}" for line in lines.splitlines() if line.startswith("student")))
    first = class_[0].name
    _mark(root, source, first)
    again = tool(*grade, "--cell-seconds", "5")
    if f"0 graded, {len(class_)} unchanged" not in again:
        raise RehearsalError(f"a class that did not change was graded again:\n{again}")
    tool("nbgrader", "release_feedback", chapter)
    tool("nbgrader", "fetch_feedback", chapter, "--student", first, folder=root / "home" / first)
    if not list((root / "home" / first / chapter / "feedback").rglob("*.html")):
        raise RehearsalError("the feedback of the student who handed in by nbgrader submit can't be fetched")
    tool("nbgrader", "export")
    return _judge(root, chapter, class_, sum(cell.points for cell in source.graded.values()))


def _hand_in(root: Path, chapter: str, class_: list[Student], tool: Callable) -> None:
    """The first by `nbgrader fetch_assignment` and `submit`, the others as `submit` lays it down."""
    first, *others = class_
    home = root / "home" / first.name
    home.mkdir()
    (home / "nbgrader_config.py").write_text(CONFIG.replace("resolve().parent", "resolve().parent.parent.parent"))
    tool("nbgrader", "fetch_assignment", chapter, folder=home)
    for file, content in first.files.items():
        (home / chapter / file).write_bytes(content)
    tool("nbgrader", "submit", chapter, "--student", first.name, folder=home)
    inbound = root / "exchange" / "rehearsal" / "inbound"
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    for student in others:
        folder = inbound / f"{student.name}+{chapter}+{when}"
        folder.mkdir()
        (folder / "timestamp.txt").write_text(when)
        (folder / "submission_secret.txt").write_text(secrets.token_hex(64))
        for file, content in student.files.items():
            (folder / file).write_bytes(content)


def _mark(root: Path, source: notebooks.Source, student: str) -> None:
    """What a person does in formgrader: a comment on an answer."""
    from nbgrader.api import Gradebook

    name = source.role("solution")[0].name
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        comment = book.find_comment(f"solution-{name}", source.chapter, source.chapter, student)
        comment.manual_comment = COMMENT
        book.db.commit()


def _judge(root: Path, chapter: str, class_: list[Student], total: float) -> list[Verdict]:
    """Marks by nbgrader's export, words by the page that each student gets."""
    with open(root / "grades.csv", newline="") as file:
        points = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    with open(root / "reports" / "grades.csv", newline="") as file:
        ours = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    if points != ours:
        raise RehearsalError("nbgrader export and reports/grades.csv differ")
    verdicts = []
    for number, student in enumerate(class_):
        path = root / "feedback" / student.name / chapter / f"{chapter}.html"
        page = path.read_text(encoding="utf-8") if path.exists() else ""
        words = (f"(Score: {student.points:.1f} / {total:.1f})", *student.words)
        if number == 0:
            words = (*words, COMMENT)
        missing = tuple(each for each in words if each not in html.unescape(page))
        verdicts.append(Verdict(student, points.get(student.name), missing))
    return verdicts
