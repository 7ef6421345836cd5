"""One submission without a gradebook: collected, mended, executed, rendered.

    collect(folder, student, assignment)    what lies in submitted/, as bytes; never follows a link
    grade(submission, assignment)           the autograded notebooks, their points, and what the instructor should know
    feedback(page)                          the page that the student gets, as nbgrader's own exporter makes it

`grade` and `feedback` run in worker processes, on this machine or another: what they take and return can be pickled,
and they read no file of the course.  A submission that can't be graded is no exception: it is graded with 0 points and
one line that says why, for the student as for the instructor.
"""

import contextlib
import copy
import functools
import hashlib
import json
import os
import pickle
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

# More than this is no notebook that a person wrote.
MOST_BYTES = 200 * 2**20
MOST_EXTRA_BYTES = 20 * 2**20
# The feedback page shows no line of given code that is longer: it holds fingerprints.
LONGEST_LINE = 1000
# What of the grader has no say in marks.
AROUND = ("__init__", "__main__", "classroom", "gradebook", "notebooks", "pool", "rehearsal", "report")


@dataclass(frozen=True)
class Master:
    """A notebook of an assignment as the gradebook knows it: those cells that have nbgrader's metadata, in order.

    `solved` is the same with the instructor's answers.
    """

    notebook: NotebookNode
    solved: NotebookNode | None = None

    @property
    def cells(self) -> list[NotebookNode]:
        return self.notebook.cells

    @property
    def kernelspec(self) -> dict:
        return dict(self.notebook.metadata.get("kernelspec", {}))

    @property
    def points(self) -> dict[str, float]:
        """The most points of each graded cell."""
        graded = [cell for cell in self.cells if cell.metadata.nbgrader.get("grade")]
        return {_name(cell): float(cell.metadata.nbgrader["points"]) for cell in graded}


@dataclass(frozen=True)
class Assignment:
    """An assignment: its notebooks by name, and other files of its source that every submission gets.

    It goes with every task, so it is pickled once, and unpickled once by each worker.
    """

    name: str
    notebooks: Mapping[str, Master]
    files: Mapping[str, bytes]
    digest: str

    @functools.cached_property
    def _packed(self) -> bytes:
        return pickle.dumps((self.name, self.notebooks, self.files, self.digest))

    def __reduce__(self):
        return _unpacked, (self._packed,)


@functools.lru_cache(4)
def _unpacked(packed: bytes) -> Assignment:
    return Assignment(*pickle.loads(packed))


@dataclass(frozen=True)
class Submission:
    """What a student handed in.  `problem` says in one line why it can't be graded, where it can't."""

    student: str
    notebooks: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    timestamp: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""

    def digest(self, *others: str) -> str:
        """What tells this submission from every other; equal digests get equal marks."""
        total = hashlib.sha256()
        parts = [*others, self.student, self.timestamp, self.problem, *self.notes]
        for part in [*map(str.encode, parts), *_flat(self.notebooks), *_flat(self.files)]:
            total.update(len(part).to_bytes(8, "big") + part)
        return total.hexdigest()


@dataclass
class Graded:
    """One notebook after grading; `scores` and `comments` are by grade_id, None where a person decides."""

    text: str
    scores: dict[str, float | None] = field(default_factory=dict)
    comments: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Outcome:
    """A whole submission after grading."""

    student: str
    notebooks: dict[str, Graded] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    flags: list[dict[str, str]] = field(default_factory=list)
    mistakes: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Page:
    """What a feedback page shows: an autograded notebook, and what the gradebook says of it."""

    assignment: str
    notebook: str
    student: str
    text: str
    scores: Mapping[str, float]
    points: Mapping[str, float]
    comments: Mapping[str, str | None]
    penalty: float

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(sorted(vars(self).items())).encode()).hexdigest()


class Refused(Exception):
    """A submission that can't be graded, in one line for the student."""


def _flat(files: Mapping[str, bytes]) -> list[bytes]:
    return [part for name in sorted(files) for part in (name.encode("utf-8", "surrogateescape"), files[name])]


def _name(cell: NotebookNode) -> str:
    return cell.metadata.nbgrader["grade_id"]


# Collecting --------------------------------------------------------------------------------------------------


def collect(folder: Path, student: str, assignment: Assignment) -> Submission:
    """Read `submitted/<student>/<assignment>/`: regular files alone, each of bounded size."""
    files: dict[str, bytes] = {}
    timestamp, notes = "", []
    try:
        kind = os.lstat(folder).st_mode
        if stat.S_ISLNK(kind):
            raise Refused(f"{folder.name} is a link, expected a folder")
        if not stat.S_ISDIR(kind):
            raise Refused(f"{folder.name} is a file, expected a folder with {_listed(assignment.notebooks)}")
        paths = sorted(_walk(folder))
        for path in paths:
            if path.suffix == ".ipynb":
                continue
            inside = path.relative_to(folder).as_posix()
            try:
                files[inside] = _read(path, MOST_EXTRA_BYTES)
            except Refused as problem:
                notes.append(f"left out: {problem}")
        if "timestamp.txt" in files:
            timestamp, unreadable = _timestamp(files["timestamp.txt"])
            notes += unreadable
        found, more = _pick(folder, paths, assignment)
        notes += more
        notebooks = {name: _read(path, MOST_BYTES) for name, path in found.items()}
    except Refused as problem:
        return Submission(student, {}, files, timestamp, tuple(notes), str(problem))
    except OSError as error:
        return Submission(student, {}, files, timestamp, tuple(notes), f"{error.filename or folder}: {error.strerror}")
    return Submission(student, notebooks, {**files, **assignment.files}, timestamp, tuple(notes))


def _walk(folder: Path):
    """Every file below `folder` but what nbgrader ignores; links to folders are not followed."""
    for entry in os.scandir(folder):
        if entry.name in (".ipynb_checkpoints", "__pycache__", "feedback") or entry.name.endswith(".pyc"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
            # A folder in a notebook's place is told, not descended into silently.
            if entry.name.endswith(".ipynb"):
                yield Path(entry.path)
        else:
            yield Path(entry.path)


def _pick(folder: Path, paths: list[Path], assignment: Assignment) -> tuple[dict[str, Path], list[str]]:
    """Which file is which notebook of the assignment."""
    here = {path.stem: path for path in paths if path.suffix == ".ipynb" and path.parent == folder}
    found = {name: here[name] for name in assignment.notebooks if name in here}
    missing = [name for name in assignment.notebooks if name not in here]
    others = sorted(path for path in paths if path.suffix == ".ipynb" and path not in found.values())
    names = ", ".join(path.relative_to(folder).as_posix() for path in others)
    if len(missing) == 1 and len(others) == 1 and len(assignment.notebooks) == 1:
        return {missing[0]: others[0]}, [f"wrong name: {names} was graded as {missing[0]}.ipynb"]
    notes = []
    if found and others:
        notes.append(f"not looked at, beside {_listed(found)}: {names}")
    if found and missing:
        notes.append(f"no file {_listed(missing)}")
    if not found and others:
        raise Refused(f"{len(others)} notebooks and none is named {_listed(missing)}: {names}")
    if not found:
        raise Refused(f"no notebook: expected {_listed(missing)}" + (f", found {paths[0].name}" if paths else ""))
    return found, notes


def _read(path: Path, most: int) -> bytes:
    """The bytes of a regular file; a link, a pipe or a device is refused before it is opened."""
    kind = os.lstat(path)
    if not stat.S_ISREG(kind.st_mode):
        what = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder"}.get(stat.S_IFMT(kind.st_mode), "no regular file")
        raise Refused(f"{path.name} is {what}, expected a file")
    if kind.st_size > most:
        raise Refused(f"{path.name} has {kind.st_size / 2**20:.0f} MB, at most {most / 2**20:.0f} are read")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        return file.read(most)


def _timestamp(content: bytes) -> tuple[str, list[str]]:
    from nbgrader.utils import parse_utc

    text = content.decode("utf-8", "replace").strip()
    try:
        return (parse_utc(text).isoformat() if text else ""), []
    except (ValueError, OverflowError):
        return "", [f"timestamp.txt holds no date: {text[:40]!r}"]


def _listed(names) -> str:
    return " and ".join(f"{name}.ipynb" for name in names)


# Grading -----------------------------------------------------------------------------------------------------


def grade(submission: Submission, assignment: Assignment) -> Outcome:
    """Mend, execute and judge every notebook of a submission."""
    if submission.problem:
        return refused(submission, assignment, submission.problem)
    outcome = Outcome(submission.student, notes=list(submission.notes))
    for name, master in assignment.notebooks.items():
        try:
            if name not in submission.notebooks:
                raise Refused(f"no file {name}.ipynb")
            notebook = parse(submission.notebooks[name], name, outcome.notes)
            outcome.notebooks[name] = _execute(_recognise(notebook, master), master, outcome)
        except Refused as problem:
            outcome.problem = outcome.problem or str(problem)
            outcome.notebooks[name] = Graded(_refusal(str(problem), master), dict.fromkeys(master.points, 0.0))
    return outcome


def refused(submission: Submission, assignment: Assignment, problem: str) -> Outcome:
    """A submission that earns nothing, and why."""
    outcome = Outcome(submission.student, notes=list(submission.notes), problem=problem)
    for name, master in assignment.notebooks.items():
        outcome.notebooks[name] = Graded(_refusal(problem, master), dict.fromkeys(master.points, 0.0))
    return outcome


def parse(content: bytes, name: str, notes: list[str]) -> NotebookNode:
    """A notebook of the current format from a file, older formats among them; `Refused` where it is none."""
    if not content.strip():
        raise Refused(f"{name}.ipynb is empty")
    try:
        text = content.decode("utf-8-sig")
        raw = json.loads(text)
    except UnicodeDecodeError as error:
        raise Refused(f"{name}.ipynb is not text in UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        # Some of its messages end as if the place followed.
        raise Refused(f"{name}.ipynb is not JSON: {error.msg.removesuffix(' at')} in line {error.lineno}") from None
    except (RecursionError, ValueError) as error:
        raise Refused(f"{name}.ipynb is not JSON that can be read: {type(error).__name__}") from None
    if not isinstance(raw, dict) or not ("cells" in raw or "worksheets" in raw):
        raise Refused(f"{name}.ipynb is no notebook: it has no cells")
    try:
        # Outputs can be large, and are made anew.
        for cell in raw.get("cells", ()):
            if "outputs" in cell:
                cell["outputs"] = []
        notebook = nbformat.from_dict(raw)
        if raw.get("nbformat") != 4:
            notebook = nbformat.reads(text, as_version=4)
            notes.append(f"{name}.ipynb: notebook format {raw.get('nbformat')}, converted")
        for cell in notebook.cells:
            if isinstance(cell.source, list):
                cell.source = "".join(cell.source)
            if not isinstance(cell.source, str) or cell.cell_type not in ("code", "markdown", "raw"):
                raise TypeError(f"a cell of type {cell.cell_type}")
            if not isinstance(cell.get("metadata"), dict):
                cell.metadata = NotebookNode()
            if not isinstance(cell.metadata.get("nbgrader", {}), dict):
                del cell.metadata["nbgrader"]
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise Refused(f"{name}.ipynb is no notebook that can be read: {reason}") from None
    if not isinstance(notebook.get("metadata"), dict):
        notebook.metadata = NotebookNode()
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _recognise(notebook: NotebookNode, master: Master) -> NotebookNode:
    """Know cells whose metadata some editor dropped by their ids; what is damaged counts for nothing."""
    known = {_name(cell): cell for cell in master.cells}
    by_id = {cell.id: _name(cell) for cell in master.cells if "id" in cell}
    there = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if "nbgrader" not in cell.metadata and by_id.get(cell.get("id")) not in (None, *there):
            name = by_id[cell.id]
        cell.metadata.pop("nbgrader", None)
        if isinstance(name, str) and name in known:
            cell.metadata["nbgrader"] = copy.deepcopy(known[name].metadata.nbgrader)
    return notebook


def _execute(notebook: NotebookNode, master: Master, outcome: Outcome) -> Graded:
    from nbgrader import utils

    resources: dict[str, Any] = {}
    executed = _executor().run(notebook, source=master.notebook, solved=master.solved)
    if any(flag.kind == "died" for flag in executed.flags):
        # Its own doing, or somebody killed it: only one of the two happens again.
        executed = _executor().run(notebook, source=master.notebook, solved=master.solved)
    if executed.status == "unsound":
        raise RuntimeError("; ".join(flag.message for flag in executed.flags))
    notebook = executed.notebook
    outcome.seconds += executed.seconds
    outcome.flags += [{"kind": f.kind, "message": f.message, "cell": str(f.cell or "")} for f in executed.flags]
    for exercise, names in executed.mistakes.items():
        outcome.mistakes.setdefault(exercise, []).extend(names)
    if executed.status != "ok":
        outcome.notes.append(STATUS.get(executed.status, executed.status))
    for preprocessor in _after():
        notebook, resources = preprocessor(notebook, resources)
    graded = Graded("")
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        name = about.get("grade_id")
        if about.get("grade"):
            graded.scores[name] = _score(cell, executed.status, outcome)
        if about.get("solution") or about.get("task"):
            untouched = about.get("checksum") == utils.compute_checksum(cell)
            graded.comments[name] = "No response." if untouched and not about.get("task") else None
    graded.text = nbformat.writes(notebook) + "\n"
    return graded


STATUS = {
    "timeout": "stopped: it ran longer than it may",
    "memory": "stopped: it took more memory than it may",
    "died": "its process ended before it was done",
}


def _score(cell: NotebookNode, status: str, outcome: Outcome) -> float | None:
    """The points that nbgrader reads from a graded cell; a cell that never ran earns nothing."""
    from nbgrader import utils

    if cell.cell_type == "code" and status != "ok" and not cell.outputs:
        return 0.0
    try:
        score, _ = utils.determine_grade(cell)
    except (KeyError, TypeError, ValueError) as error:
        message = f"its value is no number of points: {error}"
        outcome.flags.append({"kind": "result", "message": message, "cell": _name(cell)})
        return 0.0
    return score


def _refusal(problem: str, master: Master) -> str:
    """What stands in autograded/ for a submission that can't be graded: one line that says why."""
    text = f"**This submission could not be graded:** {_plain(problem)}."
    cell = nbformat.v4.new_markdown_cell(text, id="refused")
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": master.kernelspec})
    return nbformat.writes(notebook) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|$~&])", r"\\\1", text)


# Rendering ---------------------------------------------------------------------------------------------------


def feedback(page: Page) -> str:
    """The feedback page as HTML, by nbgrader's template and exporter."""
    notebook = nbformat.reads(page.text, as_version=4)
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        name = about.get("grade_id")
        if name in page.comments and (about.get("solution") or about.get("task")):
            about["comment"] = page.comments[name]
        if name in page.scores and (about.get("grade") or about.get("task")):
            about["score"], about["points"] = page.scores[name], page.points[name]
        if cell.cell_type == "code" and cell.metadata.get("jupyter", {}).get("source_hidden"):
            lines = cell.source.splitlines()
            cell.source = "\n".join(line if len(line) <= LONGEST_LINE else line[:72] + " …" for line in lines)
    resources = {
        "unique_key": page.notebook,
        "metadata": {"name": page.notebook},
        "nbgrader": {
            "student": page.student,
            "assignment": page.assignment,
            "notebook": page.notebook,
            "score": sum(page.scores.values()) - page.penalty,
            "max_score": sum(page.points.values()),
            "late_penalty": page.penalty,
        },
    }
    text, _ = _exporter().from_notebook_node(notebook, resources)
    return text


# What a worker process keeps ---------------------------------------------------------------------------------

_options: dict[str, Any] = {"config": None, "sandbox": "auto", "limits": {}}


def initialise(options: Mapping[str, Any]) -> None:
    """Say how this process grades; before the first submission."""
    _options.update(options)
    close()
    for kept in (_after, _exporter):
        kept.cache_clear()


def options() -> Mapping[str, Any]:
    """How this process grades."""
    return dict(_options)


@functools.cache
def version() -> str:
    """What marks depend on beside a submission and its assignment: the code that makes them."""
    total = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    paths = [path for path in root.glob("grader/*.py") if path.stem not in AROUND]
    for path in sorted([*root.glob("backprop/*.py"), *paths]):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    for package in ("numpy", "torch", "nbgrader"):
        try:
            # PyTorch with CUDA and without it computes the same here: a local version is no other version.
            total.update(f"{package} {metadata.version(package).partition('+')[0]}".encode())
        except metadata.PackageNotFoundError:
            continue
    return total.hexdigest()


@functools.cache
def _executor():
    from grader.executor import Executor, Limits

    return Executor(sandbox=_options["sandbox"], limits=Limits(**_options["limits"]))


def warm_up() -> None:
    """Start what takes its time to start; what is wrong with it the first submission will tell."""
    with contextlib.suppress(Exception):
        _executor().warm_up()


def close() -> None:
    """End what this process keeps."""
    if _executor.cache_info().currsize:
        _executor().close()
        _executor.cache_clear()


@functools.cache
def _after() -> tuple:
    """nbgrader's steps between executing and saving, as the course configures them."""
    from nbconvert.preprocessors import ClearMetadataPreprocessor
    from nbgrader.preprocessors import IgnorePattern, LimitOutput

    return tuple(step(config=_options["config"]) for step in (IgnorePattern, ClearMetadataPreprocessor, LimitOutput))


@functools.cache
def _exporter():
    from nbconvert.exporters import HTMLExporter
    from nbconvert.filters import Highlight2HTML
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory

    class Exporter(HTMLExporter):
        """nbgrader's exporter, which does once what is the same on every student's page."""

        def from_notebook_node(self, notebook, resources=None, **options):
            resources = self._init_resources(resources)
            text, resources = super(HTMLExporter, self).from_notebook_node(notebook, resources, **options)
            if re.search(r"<img\b(?![^>]*\balt=)", text):
                # A picture of the student's: only the whole parser adds what it lacks.
                return super().from_notebook_node(notebook, resources, **options)
            return text, resources

    converter = GenerateFeedback(coursedir=CourseDirectory(), config=_options["config"])
    exporter = Exporter(parent=converter, config=converter.config)
    exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)
    colour = Highlight2HTML(pygments_lexer="python", parent=exporter)
    code = functools.lru_cache(256)(lambda source, language: colour(source, language=language))
    exporter.register_filter("highlight_code", lambda source, language=None, metadata=None: code(source, language))
    markdown = exporter.markdown2html
    text = functools.lru_cache(256)(lambda source: markdown({}, source))
    exporter.register_filter("markdown2html", lambda source: text(source))
    return exporter
