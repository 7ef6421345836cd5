"""A whole class: what lies in submitted/ goes into the gradebook, and back to students and instructor.

    with Course(folder) as course: report = grade(course, "scalar_chain_rule")

Workers execute and render (`grader.submission`, `grader.pool`); this process alone writes, the gradebook and every
file.  Files are written aside and then moved into their place, before the gradebook says that they are there.  What
the gradebook's journal says of a submission decides whether it is graded: nothing else remembers anything, so that a
grader that was killed goes on where it stopped, and one that has nothing to do does nothing.
"""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from grader import pool
from grader.submission import (
    MOST_EXTRA_BYTES,
    Assignment,
    Graded,
    Master,
    Outcome,
    Submission,
    collect,
    version,
)

ASIDE = ".grader"
LONGEST_ID = 128
# What `nbgrader submit` adds to a submission, and `nbgrader release_feedback` wants to see beside a page.
STAMPS = ("timestamp.txt", "submission_secret.txt")


class CourseError(Exception):
    """What keeps a class from being graded, and what to do about it."""


class NotThere(CourseError):
    """What was asked for does not exist: nothing was begun."""


@dataclass(frozen=True)
class Line:
    """One student's line of the report."""

    student: str
    score: float
    points: float
    waiting: int = 0
    penalty: float = 0.0
    problem: str = ""
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = [f"not graded: {self.problem}"] if self.problem else []
        if self.penalty:
            more.append(f"late: {self.penalty:g} points taken off")
        if self.waiting:
            more.append(f"to be marked in formgrader: {self.waiting}")
        more += [f"note: {note}" for note in self.notes] + [f"FLAG: {flag}" for flag in self.flags]
        return f"{self.student:<20} {self.score:>6g} of {self.points:g}" + "".join(f"  · {each}" for each in more)


@dataclass
class Report:
    """What `grade` did."""

    assignment: str
    lines: list[Line]
    graded: int
    unchanged: int
    seconds: float
    mistakes: dict[str, dict[str, int]]
    # What lies in submitted/ and is nobody's submission: {name: why}.
    strangers: dict[str, str] = field(default_factory=dict)
    # Submissions that the grader could not grade, by no fault of theirs that it knows of; the next run tries again.
    lost: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [str(line) for line in self.lines]
        lines += [f"{name:<20} in submitted/: {why}" for name, why in sorted(self.strangers.items())]
        lines += [
            f"{name:<20} NOT GRADED, and tried again the next time: {why}" for name, why in sorted(self.lost.items())
        ]
        done = f"{self.graded} graded, {self.unchanged} unchanged, in {self.seconds:.1f} seconds"
        return "\n".join([*lines, "", done, *(f"{path}" for path in self.files.values())])


class Course:
    """The course in a folder, with nbgrader's configuration; `gradebook` is a URL in place of the configured one."""

    def __init__(self, root: Path, gradebook: str = ""):
        self.root = Path(root).resolve()
        self.config = _config(self.root)
        from nbgrader.coursedir import CourseDirectory

        self.config.CourseDirectory.root = str(self.root)
        if gradebook:
            self.config.CourseDirectory.db_url = gradebook
        self.directory = CourseDirectory(config=self.config)
        self._locked = None

    @property
    def gradebook(self) -> str:
        return self.directory.db_url

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """Where a step of nbgrader's ("submitted", "autograded", "feedback", "source") has its files."""
        name = getattr(self.directory, f"{step}_directory")
        return Path(self.directory.format_path(name, student, assignment))

    @property
    def aside(self) -> Path:
        """Where files are written before they are moved; on the same disk."""
        return self.root / ASIDE

    def __enter__(self) -> "Course":
        """Hold the course: two graders at once would undo each other's work."""
        if self.directory.groupshared:
            # What is made here is another instructor's to replace; of whose group it is the folder says (set-group-ID).
            os.umask(0o002)
        self.aside.mkdir(exist_ok=True)
        self._locked = open(self.aside / "lock", "w")
        try:
            _lock(self._locked)
        except OSError:
            self._locked.close()
            raise CourseError(f"another grader is at work in {self.root}: wait until it is done") from None
        for left in self.aside.iterdir():
            if left.is_dir():
                _remove(left)
            elif left.name not in ("lock", "log"):
                left.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        self._locked.close()


def _config(root: Path) -> Any:
    """nbgrader's configuration as its own commands read it: Jupyter's directories, then the course's."""
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config import Config
    from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

    config = Config()
    for folder in [*reversed(jupyter_config_path()), str(root)]:
        with contextlib.suppress(ConfigFileNotFound):
            config.merge(PyFileConfigLoader("nbgrader_config.py", path=folder).load_config())
    return config


def _lock(file: Any) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# The assignment ----------------------------------------------------------------------------------------------


def assignment(course: Course, name: str) -> tuple[Assignment, dict[str, Any]]:
    """An assignment from its source, and its notebooks as the gradebook wants to see them."""
    import hashlib

    folder = course.folder("source", ".", name)
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        source = folder.parent
        there = sorted(path.name for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
        known = f"; there are {', '.join(there)}" if there else ": make exercises builds them"
        raise NotThere(f"no assignment {name!r} in {source}{known}")
    notebooks, masters = {}, {}
    total = hashlib.sha256(version().encode())
    for path in paths:
        notebook = _with_checksums(path, course.config)
        text = nbformat.writes(notebook)
        total.update(path.stem.encode() + b"\0" + text.encode())
        cells = [cell for cell in notebook.cells if _owned(cell)]
        masters[path.stem] = Master(
            nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata), nbformat.read(path, as_version=4)
        )
        notebooks[path.stem] = notebook
    files = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix != ".ipynb" and not any(part.startswith(".") for part in Path(inside).parts):
            if path.stat().st_size > MOST_EXTRA_BYTES:
                raise CourseError(f"{path} is too large to go with every submission")
            files[inside] = path.read_bytes()
            total.update(inside.encode() + b"\0" + files[inside])
    return Assignment(name, masters, files, total.hexdigest()), notebooks


def _owned(cell: Any) -> bool:
    about = cell.metadata.get("nbgrader", {})
    return any(about.get(key) for key in ("grade", "solution", "locked", "task"))


def _with_checksums(path: Path, config: Any) -> Any:
    """The instructor's notebook as far as nbgrader's release goes before it saves the cells."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import IncludeHeaderFooter, InstantiateTests, SaveCells

    try:
        notebook, resources = nbformat.read(path, as_version=4), {}
        for step in GenerateAssignment.preprocessors.default_args[0]:
            if step is SaveCells:
                break
            if step not in (IncludeHeaderFooter, InstantiateTests):
                notebook, resources = step(config=config)(notebook, resources)
    except Exception as error:
        raise CourseError(f"{path} is no assignment that nbgrader can release: {error}") from error
    return notebook


# Grading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """How a class is graded."""

    workers: int = 0
    scheduler: str = ""
    sandbox: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    students: tuple[str, ...] = ()
    force: bool = False
    pages: bool = True
    patience: float = 900.0


def grade(course: Course, name: str, options: Options = Options(), progress: bool = True) -> Report:
    """Grade what is new in submitted/, bring the feedback pages up to date, and report."""
    start = time.monotonic()
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    workers = None if options.scheduler else _processes(course, options)
    try:
        from grader.gradebook import Gradebook, GradebookError

        asked, notebooks = assignment(course, name)
        with Gradebook(course.gradebook, course.directory.course_id, course.config) as book:
            if course.directory.groupshared:
                book.share()
            book.lock()
            book.register(asked, notebooks)
            if workers is None:
                settings = _settings(course, options)
                workers = pool.Cluster(options.scheduler, settings, version(), options.patience)
            class_ = _Class(course, asked, book, workers, options, progress)
            class_.grade()
            return class_.report(time.monotonic() - start)
    except (GradebookError, ConnectionError) as error:
        raise CourseError(str(error)) from error
    finally:
        if workers is not None:
            workers.close()


def _settings(course: Course, options: Options) -> dict[str, Any]:
    # As `grader.executor.Execute` takes them from nbgrader_config.py, unless they were asked for otherwise.
    configured = course.config.get("Execute", {})
    limits = {key: configured[key] for key in ("cell_seconds",) if key in configured} | dict(options.limits)
    sandbox = options.sandbox or configured.get("sandbox", "auto")
    return {"config": course.config, "sandbox": sandbox, "limits": limits}


def _processes(course: Course, options: Options) -> pool.Processes:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return pool.Processes(options.workers or cores or 1, _settings(course, options), options.patience)


class _Class:
    """One run over a class: what is in hand, and what came of it."""

    def __init__(self, course, asked: Assignment, book, workers, options: Options, progress: bool):
        self.course, self.asked, self.book, self.workers, self.options = course, asked, book, workers, options
        self.journal = book.journal(asked.name)
        self.in_hand: dict[tuple, tuple[Submission, str] | dict[str, str]] = {}
        self.students: list[str] = []
        self.strangers: dict[str, str] = {}
        self.lost: dict[str, str] = {}
        self.graded: set[str] = set()
        self.progress = progress
        self.bar: Any = None

    def grade(self) -> None:
        from tqdm import tqdm

        found = list(self._found())
        self.students = [student for student, _ in found]
        quiet = None if self.progress else True
        with tqdm(total=len(found), unit=" submissions", disable=quiet, leave=False) as self.bar:
            waiting = self._waiting(found)
            more = True
            while more or self.workers.busy:
                while more and self.workers.room:
                    item = next(waiting, None)
                    more = item is not None
                    if more:
                        student, submission, digest = item
                        self.in_hand["grade", student] = submission, digest
                        self.workers.submit(("grade", student), "grade", submission, self.asked)
                for key, result in self.workers.wait():
                    self._take(key, result)
        self.book.penalise(self.asked.name)
        if self.options.pages:
            self._refresh()

    def _found(self) -> Iterator[tuple[str, Path]]:
        """Every student in submitted/ who has something of this name, and where."""
        submitted = self.course.folder("submitted", "x", "y").parent.parent
        if not submitted.is_dir():
            raise NotThere(f"no folder {submitted}: it holds <student>/{self.asked.name}/<notebook>.ipynb")
        known = set(self.options.students)
        for path in sorted(submitted.iterdir()):
            if path.name.startswith(".") or (known and path.name not in known):
                continue
            if path.is_symlink() or not path.is_dir():
                self.strangers[path.name] = "is a file or a link, expected a student's folder"
            elif not path.name.isprintable():
                self.strangers[ascii(path.name)] = "has characters that can't be printed"
            elif len(path.name) > LONGEST_ID:
                self.strangers[path.name] = f"is longer than {LONGEST_ID} characters, which the gradebook takes"
            elif os.path.lexists(path / self.asked.name):
                yield path.name, path / self.asked.name
        missing = known - {path.name for path in submitted.iterdir()}
        if missing:
            raise NotThere(f"no folder of {', '.join(sorted(missing))} in {submitted}")

    def _waiting(self, found) -> Iterator[tuple[str, Submission, str]]:
        """Those that are to be graded: all but those that the journal has as they are."""
        for student, where in found:
            submission = collect(where, student, self.asked)
            digest = submission.digest(self.asked.digest)
            entry = self.journal.get(student)
            done = entry is not None and entry.digest == digest and not self.options.force
            if done and all(self._autograded(student, name).is_file() for name in self.asked.notebooks):
                self.bar.update()
                continue
            yield student, submission, digest

    def _autograded(self, student: str, notebook: str) -> Path:
        return self.course.folder("autograded", student, self.asked.name) / f"{notebook}.ipynb"

    def _take(self, key: tuple, result: Any) -> None:
        what, student, *rest = key
        if what == "page":
            self._take_page(student, rest[0], result)
            return
        submission, digest = self.in_hand.pop(key)
        self.bar.update()
        if isinstance(result, pool.Lost):
            if result.error == "NoSandbox":
                raise CourseError(result.reason)
            # Not the student's doing, as far as we know: no marks, and the next run tries again.
            self.lost[student] = " ".join(f"{result.error} {result.reason}".split())[:200]
            with open(self.course.aside / "log", "a", encoding="utf-8") as log:
                log.write(f"{time.ctime()}  {student}: {result.reason}\n{result.trace}\n")
            return
        self._write(submission, result)
        self.book.record(self.asked, result, submission.timestamp, digest)
        self.graded.add(student)
        if self.options.pages:
            self._render(student, result.notebooks)

    def _write(self, submission: Submission, outcome: Outcome) -> None:
        """autograded/<student>/<assignment>/, whole."""
        files = dict(submission.files)
        files |= {f"{name}.ipynb": graded.text.encode() for name, graded in outcome.notebooks.items()}
        self._place(self.course.folder("autograded", submission.student, self.asked.name), files, 0o444)

    def _place(self, folder: Path, files: Mapping[str, bytes], mode: int) -> None:
        """Write a folder aside, then move it into its place; what stood there is removed."""
        shared = self.course.directory.groupshared
        with tempfile.TemporaryDirectory(dir=self.course.aside, ignore_cleanup_errors=True) as aside:
            new = Path(aside) / "new"
            for name, content in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(0o664 if shared else mode)
            folder.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(folder):
                os.rename(folder, Path(aside) / "old")
            os.rename(new, folder)

    def _replace(self, path: Path, content: bytes) -> None:
        """Write a file aside, then move it into its place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=self.course.aside)
        with open(handle, "wb") as file:
            file.write(content)
        os.chmod(aside, 0o664 if self.course.directory.groupshared else 0o644)
        os.replace(aside, path)

    # Pages ---------------------------------------------------------------------------------------------------

    def _render(self, student: str, notebooks: Mapping[str, Graded], marks: Mapping | None = None) -> None:
        """Ask for those pages of a student that don't show what the gradebook says."""
        entry = self.journal.get(student) if student not in self.graded else None
        have = dict(entry.pages) if entry else {}
        marks = self.book.marks(self.asked.name, student)[student] if marks is None else marks
        for name in self.asked.notebooks:
            text = notebooks[name].text if name in notebooks else None
            if text is None:
                text = self._autograded(student, name).read_text(encoding="utf-8")
            page = self.book.page(self.asked, student, name, text, marks[name])
            where = self.course.folder("feedback", student, self.asked.name) / f"{name}.html"
            if have.get(name) == page.digest and where.is_file():
                continue
            have[name] = page.digest
            self.in_hand["page", student, name] = have
            self.workers.submit(("page", student, name), "feedback", page)

    def _take_page(self, student: str, name: str, result: Any) -> None:
        have = self.in_hand.pop(("page", student, name))
        if isinstance(result, pool.Lost):
            raise CourseError(f"the feedback page of {student} can't be made: {result.reason}\n{result.trace}")
        folder = self.course.folder("feedback", student, self.asked.name)
        self._replace(folder / f"{name}.html", result.encode())
        for stamp in STAMPS:
            path = self._autograded(student, name).with_name(stamp)
            if path.is_file():
                self._replace(folder / stamp, path.read_bytes())
        if not any(key[:2] == ("page", student) for key in self.in_hand):
            self.book.pages_written(self.asked.name, student, have)

    def _refresh(self) -> None:
        """Pages of those that were not graded now, where marks or comments changed since."""
        marks = self.book.marks(self.asked.name)
        for student in self.students:
            if student in self.graded or student not in self.journal:
                continue
            self._render(student, {}, marks[student])
            while self.workers.busy and not self.workers.room:
                self._take_pages()
        while self.workers.busy:
            self._take_pages()

    def _take_pages(self) -> None:
        for key, result in self.workers.wait():
            self._take(key, result)

    # The report ----------------------------------------------------------------------------------------------

    def report(self, seconds: float) -> Report:
        from grader import report

        journal, marks = self.book.journal(self.asked.name), self.book.marks(self.asked.name)
        total = sum(sum(master.points.values()) for master in self.asked.notebooks.values())
        lines, mistakes = [], {}
        for student, entry in sorted(journal.items()):
            if student not in marks or (self.options.students and student not in self.options.students):
                continue
            mine = marks[student].values()
            penalty = sum(each.penalty for each in mine)
            flags = [flag["message"] + f" ({flag['cell']})" * bool(flag["cell"]) for flag in entry.detail["flags"]]
            lines.append(
                Line(
                    student,
                    max(0.0, sum(sum(each.scores.values()) for each in mine) - penalty),
                    total,
                    sum(len(each.waiting) for each in mine),
                    penalty,
                    entry.detail["problem"],
                    tuple(entry.detail["notes"]),
                    tuple(flags),
                )
            )
        for entry in journal.values():
            for exercise, names in entry.detail["mistakes"].items():
                for name in dict.fromkeys(names):
                    of = mistakes.setdefault(exercise, {})
                    of[name] = of.get(name, 0) + 1
        unchanged = len(self.students) - len(self.graded) - len(self.lost)
        made = Report(self.asked.name, lines, len(self.graded), unchanged, seconds, mistakes, self.strangers, self.lost)
        made.files = report.write(self.course, self.book, self.asked, made, marks, journal)
        return made


def _remove(path: Path) -> None:
    """Remove a folder, read-only ones in it too."""
    shutil.rmtree(path, ignore_errors=True)
