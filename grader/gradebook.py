"""nbgrader's gradebook with one open session, and beside its tables a journal of what is graded.

Marks of one submission and its line in the journal are one transaction: whatever ends the grader, a submission is in
the gradebook with all its marks or it is graded again.  The tables are nbgrader's own, so that its commands and
formgrader work on what is written here; manual marks, extra credit and comments are never touched.
"""

import contextlib
import datetime
import json
import logging
import os
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from nbgrader import api
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from sqlalchemy.exc import DBAPIError

from grader.submission import Assignment, Outcome, Page

# How long to wait before each new attempt when the database is locked or away, in seconds.
PATIENCE = (0.1, 0.3, 1.0, 3.0, 10.0)

STUDENT = api.Student.__table__
ASSIGNMENT = api.Assignment.__table__
NOTEBOOK = api.Notebook.__table__
SUBMITTED = api.SubmittedAssignment.__table__
SUBMITTED_NOTEBOOK = api.SubmittedNotebook.__table__
CELL = api.BaseCell.__table__
GRADE_CELL = api.GradeCell.__table__
TASK_CELL = api.TaskCell.__table__
SOURCE_CELL = api.SourceCell.__table__
GRADE = api.Grade.__table__
COMMENT = api.Comment.__table__

OURS = sa.MetaData()
JOURNAL = sa.Table(
    "grader_journal",
    OURS,
    sa.Column("assignment", sa.String(128), primary_key=True),
    sa.Column("student", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    # What `Outcome` says beside marks, as JSON.
    sa.Column("detail", sa.Text, nullable=False),
    # The pages that the student has: {notebook: digest of what it shows}, as JSON.
    sa.Column("pages", sa.Text, nullable=False),
)


class GradebookError(Exception):
    """The gradebook can't be read or written; what, and what to do."""


@dataclass
class Entry:
    """The journal's line on one submission."""

    digest: str
    detail: dict[str, Any]
    pages: dict[str, str]


@dataclass
class Marks:
    """What the gradebook says of one student's notebook; all by grade_id."""

    scores: dict[str, float] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    comments: dict[str, str | None] = field(default_factory=dict)
    penalty: float = 0.0


class Gradebook:
    """The gradebook at `url`, opened once.  `config` is nbgrader's, for the late penalty that a course sets."""

    def __init__(self, url: str, course: str, config: Any = None):
        self.url = url
        self._config = config
        self._lock = None
        try:
            self._create()
            self._book = api.Gradebook(url, course)
            self.engine = self._book.engine
        except (DBAPIError, sa.exc.ArgumentError, ImportError) as error:
            raise GradebookError(f"the gradebook {_public(url)} can't be opened: {_short(error)}") from error
        self._late = AssignLatePenalties(config=config)
        # It says how late each submission is, every time.
        logging.getLogger("traitlets").setLevel(logging.ERROR)
        self._late.init_plugin()

    def close(self) -> None:
        if self._lock is not None:
            # Gone, where the server was away for a while.
            with contextlib.suppress(DBAPIError):
                self._lock.close()
        self._book.close()

    def __enter__(self) -> "Gradebook":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self) -> None:
        """Make the tables that are missing, and enter the version that `nbgrader db upgrade` asks for.

        nbgrader would do so, by a second program and in steps between which it must not be killed.
        """
        # Somebody may be saving marks in formgrader.
        patient = {"timeout": sum(PATIENCE)} if sa.engine.make_url(self.url).get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(self.url, connect_args=patient)
        try:
            api.Base.metadata.create_all(engine)
            OURS.create_all(engine)
            with engine.begin() as connection:
                # Without these every mark that is written costs a look at all the others.
                for name, column in (("grade", "notebook_id"), ("comment", "notebook_id"), ("base_cell", "notebook_id"),
                                     ("submitted_notebook", "assignment_id")):  # fmt: skip
                    index = f"CREATE INDEX IF NOT EXISTS grader_{name}_{column} ON {name} ({column})"
                    connection.execute(sa.text(index))
                table = "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"
                connection.execute(sa.text(table))
                if not connection.execute(sa.text("SELECT count(*) FROM alembic_version")).scalar():
                    migrations = ScriptDirectory(str(Path(api.__file__).parent / "alembic"))
                    version = sa.text("INSERT INTO alembic_version (version_num) VALUES (:version)")
                    connection.execute(version, {"version": migrations.get_current_head()})
        finally:
            engine.dispose()

    def lock(self) -> None:
        """Hold the gradebook against a second grader on another machine; PostgreSQL lets go when we end."""

        def once() -> bool:
            self._lock = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            return self._lock.execute(sa.text("SELECT pg_try_advisory_lock(2718281828)")).scalar()

        if self.engine.dialect.name == "postgresql" and not self._patiently(once):
            raise GradebookError(f"another grader is at work on {_public(self.url)}")

    def share(self) -> None:
        """Let the group write a gradebook that is a file; SQLite makes it its maker's alone, whatever the umask."""
        path = Path(self.engine.url.database or "")
        if self.engine.dialect.name == "sqlite" and path.is_file() and path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | 0o060)

    def transaction(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Do `work` in one transaction, again where the database was locked or the connection lost."""

        def once() -> Any:
            with self.engine.begin() as connection:
                return work(connection)

        return self._patiently(once)

    def _patiently(self, work: Callable[[], Any]) -> Any:
        """Do what may be done again."""
        for wait in (*PATIENCE, None):
            try:
                return work()
            except DBAPIError as error:
                # The pool opens new connections after this.
                self.engine.dispose()
                if wait is None or not _passing(error):
                    message = f"the gradebook {_public(self.url)} can't be read or written: {_short(error)}"
                    raise GradebookError(message) from error
                time.sleep(wait)
        raise AssertionError("unreachable")

    def read(self, query: sa.Executable) -> list:
        """The rows of a query."""
        return self.transaction(lambda connection: connection.execute(query).all())

    # The assignment ------------------------------------------------------------------------------------------

    def register(self, assignment: Assignment, instructors: Mapping[str, Any]) -> None:
        """Enter the assignment, or bring it up to date, as `nbgrader generate_assignment` does.

        `instructors` gives the notebooks with checksums, as nbgrader's SaveCells wants them.
        """
        if self._registered(assignment):
            return
        try:
            self._patiently(lambda: self._save_cells(assignment.name, instructors))
        except RuntimeError as error:
            raise GradebookError(
                f"{error}: the exercises of {assignment.name} changed after submissions were graded.\n"
                f"Put the old source back, or begin this assignment again: nbgrader db assignment remove "
                f"{assignment.name} --force (its marks are lost)"
            ) from error

    def _save_cells(self, assignment: str, instructors: Mapping[str, Any]) -> None:
        try:
            self._book.update_or_create_assignment(assignment)
            for name, notebook in instructors.items():
                resources = {"nbgrader": {"notebook": name, "assignment": assignment, "db_url": self.url}}
                SaveCells(config=self._config).preprocess(notebook, resources)
        except api.InvalidEntry as error:
            # As nbgrader calls whatever the database refuses.
            if isinstance(error.__context__, DBAPIError):
                raise error.__context__ from None
            raise
        finally:
            self._book.db.remove()

    def _registered(self, assignment: Assignment) -> bool:
        """Whether the gradebook has this assignment, cell by cell."""
        found: dict[str, dict] = {}
        points: dict[str, dict] = {}
        of = sa.join(NOTEBOOK, ASSIGNMENT, NOTEBOOK.c.assignment_id == ASSIGNMENT.c.id)
        kernels = sa.select(NOTEBOOK.c.name, NOTEBOOK.c.kernelspec).select_from(of)
        for name, kernel in self.read(kernels.where(ASSIGNMENT.c.name == assignment.name)):
            found[name] = {"": json.loads(kernel or "{}")}
            points[name] = {}
        cells = of.join(SOURCE_CELL, SOURCE_CELL.c.notebook_id == NOTEBOOK.c.id)
        columns = (SOURCE_CELL.c.name, SOURCE_CELL.c.cell_type, SOURCE_CELL.c.locked, SOURCE_CELL.c.source)
        query = sa.select(NOTEBOOK.c.name, *columns).select_from(cells)
        for notebook, cell, *rest in self.read(query.where(ASSIGNMENT.c.name == assignment.name)):
            found[notebook][cell] = tuple(rest)
        for notebook, cell, most in self.read(_points(assignment.name)):
            points[notebook][cell] = most
        wanted, most = {}, {}
        for name, master in assignment.notebooks.items():
            wanted[name] = {"": dict(master.kernelspec)}
            for cell in master.cells:
                metadata = cell.metadata.nbgrader
                locked = bool(metadata.get("locked")) and not metadata.get("solution")
                locked = locked or bool(metadata.get("grade")) and not metadata.get("solution")
                wanted[name][metadata.grade_id] = (cell.cell_type, locked, cell.source)
            most[name] = master.points
        return found == wanted and points == most

    # Submissions ---------------------------------------------------------------------------------------------

    def journal(self, assignment: str) -> dict[str, Entry]:
        """What is graded, by student."""
        query = sa.select(JOURNAL.c.student, JOURNAL.c.digest, JOURNAL.c.detail, JOURNAL.c.pages)
        rows = self.read(query.where(JOURNAL.c.assignment == assignment))
        return {
            student: Entry(digest, json.loads(detail), json.loads(pages)) for student, digest, detail, pages in rows
        }

    def record(self, assignment: Assignment, outcome: Outcome, timestamp: str, digest: str) -> None:
        """Write the marks of one submission and its line in the journal, all or nothing."""
        detail = {
            "notes": outcome.notes,
            "flags": outcome.flags,
            "mistakes": outcome.mistakes,
            "problem": outcome.problem,
            "seconds": round(outcome.seconds, 3),
        }
        when = datetime.datetime.fromisoformat(timestamp) if timestamp else None

        def work(connection: sa.Connection) -> None:
            notebooks = _submit(connection, assignment.name, outcome.student, when)
            for name, graded in outcome.notebooks.items():
                _set_grades(connection, notebooks[name], graded.scores)
                _set_comments(connection, notebooks[name], graded.comments)
            self._set_penalties(connection, assignment.name, [outcome.student])
            key = (JOURNAL.c.assignment == assignment.name) & (JOURNAL.c.student == outcome.student)
            connection.execute(sa.delete(JOURNAL).where(key))
            line = {"assignment": assignment.name, "student": outcome.student, "digest": digest, "pages": "{}"}
            connection.execute(sa.insert(JOURNAL).values(detail=json.dumps(detail), **line))

        self.transaction(work)

    def pages_written(self, assignment: str, student: str, pages: Mapping[str, str]) -> None:
        """Remember which pages a student has."""
        key = (JOURNAL.c.assignment == assignment) & (JOURNAL.c.student == student)
        change = sa.update(JOURNAL).where(key).values(pages=json.dumps(dict(pages)))
        self.transaction(lambda connection: connection.execute(change))

    def penalise(self, assignment: str) -> None:
        """Reckon the late penalties of all submissions again: a due date, an extension or a manual mark may be new."""
        self.transaction(lambda connection: self._set_penalties(connection, assignment, None))

    def _set_penalties(self, connection: sa.Connection, assignment: str, students: list[str] | None) -> None:
        late = sa.select(
            SUBMITTED.c.id, SUBMITTED.c.student_id, SUBMITTED.c.timestamp, SUBMITTED.c.extension, ASSIGNMENT.c.duedate
        ).join(ASSIGNMENT, SUBMITTED.c.assignment_id == ASSIGNMENT.c.id)
        late = late.where(ASSIGNMENT.c.name == assignment)
        if students is not None:
            late = late.where(SUBMITTED.c.student_id.in_(students))
        for submission, student, timestamp, extension, due in connection.execute(late).all():
            seconds = 0.0
            if timestamp is not None and due is not None:
                seconds = (timestamp - (due + extension if extension else due)).total_seconds()
            columns = (SUBMITTED_NOTEBOOK.c.id, SUBMITTED_NOTEBOOK.c.late_submission_penalty)
            query = sa.select(*columns).where(SUBMITTED_NOTEBOOK.c.assignment_id == submission)
            for notebook, before in connection.execute(query).all():
                penalty = None
                if seconds > 0:
                    grades = sa.select(GRADE.c.auto_score, GRADE.c.manual_score, GRADE.c.extra_credit)
                    grades = connection.execute(grades.where(GRADE.c.notebook_id == notebook))
                    score = sum(_total(*row) for row in grades)
                    penalty = self._late.plugin_inst.late_submission_penalty(student, score, seconds)
                    if penalty is not None:
                        # nbgrader's own clamp, which asks for a notebook that has a score.
                        penalty = self._late._check_late_penalty(types.SimpleNamespace(score=score), penalty)
                if penalty != before:
                    row = SUBMITTED_NOTEBOOK.c.id == notebook
                    connection.execute(sa.update(SUBMITTED_NOTEBOOK).where(row).values(late_submission_penalty=penalty))

    # What it says --------------------------------------------------------------------------------------------

    def marks(self, assignment: str, student: str | None = None) -> dict[str, dict[str, Marks]]:
        """{student: {notebook: Marks}} of one student or of all."""
        of = (
            sa.join(SUBMITTED, ASSIGNMENT, SUBMITTED.c.assignment_id == ASSIGNMENT.c.id)
            .join(SUBMITTED_NOTEBOOK, SUBMITTED_NOTEBOOK.c.assignment_id == SUBMITTED.c.id)
            .join(NOTEBOOK, NOTEBOOK.c.id == SUBMITTED_NOTEBOOK.c.notebook_id)
        )
        which = ASSIGNMENT.c.name == assignment
        if student is not None:
            which &= SUBMITTED.c.student_id == student
        who = (SUBMITTED.c.student_id, NOTEBOOK.c.name)
        found: dict[str, dict[str, Marks]] = {}
        query = sa.select(*who, SUBMITTED_NOTEBOOK.c.late_submission_penalty).select_from(of).where(which)
        for name, notebook, penalty in self.read(query):
            found.setdefault(name, {})[notebook] = Marks(penalty=penalty or 0.0)
        grades = of.join(GRADE, GRADE.c.notebook_id == SUBMITTED_NOTEBOOK.c.id)
        grades = grades.join(CELL, CELL.c.id == GRADE.c.cell_id)
        columns = (GRADE.c.needs_manual_grade, GRADE.c.auto_score, GRADE.c.manual_score, GRADE.c.extra_credit)
        query = sa.select(*who, CELL.c.name, *columns).select_from(grades).where(which)
        for name, notebook, cell, waiting, *parts in self.read(query):
            marks = found[name][notebook]
            marks.scores[cell] = _total(*parts)
            if waiting:
                marks.waiting.append(cell)
        comments = of.join(COMMENT, COMMENT.c.notebook_id == SUBMITTED_NOTEBOOK.c.id)
        comments = comments.join(CELL, CELL.c.id == COMMENT.c.cell_id)
        columns = (COMMENT.c.manual_comment, COMMENT.c.auto_comment)
        query = sa.select(*who, CELL.c.name, *columns).select_from(comments).where(which)
        for name, notebook, cell, manual, auto in self.read(query):
            found[name][notebook].comments[cell] = auto if manual is None else manual
        return found

    def page(self, assignment: Assignment, student: str, notebook: str, text: str, marks: Marks) -> Page:
        """What a student's feedback page shows."""
        points = assignment.notebooks[notebook].points
        scores = {key: marks.scores.get(key, 0.0) for key in points}
        return Page(assignment.name, notebook, student, text, scores, points, dict(marks.comments), marks.penalty)

    def rows(self, assignments: list[str] | None = None) -> list[dict[str, Any]]:
        """The rows of `nbgrader export`, in its order, for some assignments or for all."""
        most: dict[str, float] = {}
        duedates = {}
        query = sa.select(ASSIGNMENT.c.name, ASSIGNMENT.c.duedate).order_by(ASSIGNMENT.c.name)
        for name, due in self.read(query):
            if not assignments or name in assignments:
                duedates[name] = due
                most[name] = sum(points for _, _, points in self.read(_points(name)))
        order = (STUDENT.c.last_name, STUDENT.c.first_name, STUDENT.c.id)
        students = [row._mapping for row in self.read(sa.select(STUDENT).order_by(*order))]
        when = sa.select(ASSIGNMENT.c.name, SUBMITTED.c.student_id, SUBMITTED.c.timestamp)
        when = when.join(ASSIGNMENT, SUBMITTED.c.assignment_id == ASSIGNMENT.c.id)
        timestamps = {(name, student): time for name, student, time in self.read(when)}
        rows = []
        for name, due in duedates.items():
            everyone = self.marks(name)
            for student in students:
                marks = everyone.get(student["id"], {}).values()
                raw, penalty = sum(sum(m.scores.values()) for m in marks), sum(m.penalty for m in marks)
                rows.append(
                    {
                        "assignment": name,
                        "duedate": due or "",
                        "timestamp": timestamps.get((name, student["id"])) or "",
                        "student_id": student["id"],
                        "last_name": student["last_name"] or "",
                        "first_name": student["first_name"] or "",
                        "email": student["email"] or "",
                        "raw_score": float(raw),
                        "late_submission_penalty": float(penalty),
                        "score": max(0.0, float(raw - penalty)),
                        "max_score": most[name],
                    }
                )
        return rows


def _points(assignment: str) -> sa.Select | sa.CompoundSelect:
    """Notebook, cell and most points of every graded cell."""
    parts = []
    for table in (GRADE_CELL, TASK_CELL):
        of = sa.join(NOTEBOOK, ASSIGNMENT, NOTEBOOK.c.assignment_id == ASSIGNMENT.c.id)
        of = of.join(CELL, CELL.c.notebook_id == NOTEBOOK.c.id).join(table, table.c.id == CELL.c.id)
        query = sa.select(NOTEBOOK.c.name, CELL.c.name, table.c.max_score).select_from(of)
        parts.append(query.where(ASSIGNMENT.c.name == assignment))
    return sa.union_all(*parts)


def _total(auto: float | None, manual: float | None, extra: float | None) -> float:
    """A grade's score, as nbgrader reckons it."""
    score = auto if manual is None else manual
    return 0.0 if score is None else score + (extra or 0.0)


def _submit(connection: sa.Connection, assignment: str, student: str, when: Any) -> dict[str, str]:
    """The student's submission with its empty grades and comments, made where it is missing: ids of its notebooks."""
    if connection.execute(sa.select(STUDENT.c.id).where(STUDENT.c.id == student)).first() is None:
        connection.execute(sa.insert(STUDENT).values(id=student))
    number = connection.execute(sa.select(ASSIGNMENT.c.id).where(ASSIGNMENT.c.name == assignment)).scalar_one()
    key = (SUBMITTED.c.assignment_id == number) & (SUBMITTED.c.student_id == student)
    submission = connection.execute(sa.select(SUBMITTED.c.id).where(key)).scalar()
    if submission is None:
        submission = api.new_uuid()
        new = {"id": submission, "assignment_id": number, "student_id": student}
        connection.execute(sa.insert(SUBMITTED).values(**new))
    if when is not None:
        connection.execute(sa.update(SUBMITTED).where(SUBMITTED.c.id == submission).values(timestamp=when))
    mine = SUBMITTED_NOTEBOOK.c.assignment_id == submission
    have = sa.select(SUBMITTED_NOTEBOOK.c.notebook_id, SUBMITTED_NOTEBOOK.c.id).where(mine)
    have = dict(connection.execute(have).all())
    made = {}
    wanted = sa.select(NOTEBOOK.c.id, NOTEBOOK.c.name).where(NOTEBOOK.c.assignment_id == number)
    for notebook, name in connection.execute(wanted).all():
        made[name] = have.get(notebook)
        if made[name] is None:
            made[name] = api.new_uuid()
            new = {"id": made[name], "assignment_id": submission, "notebook_id": notebook, "flagged": False}
            connection.execute(sa.insert(SUBMITTED_NOTEBOOK).values(**new))
        cells = connection.execute(sa.select(CELL.c.id, CELL.c.type).where(CELL.c.notebook_id == notebook)).all()
        for table, kinds, more in (
            (GRADE, ("GradeCell", "TaskCell"), {"needs_manual_grade": True}),
            (COMMENT, ("SolutionCell", "TaskCell"), {}),
        ):
            there = sa.select(table.c.cell_id).where(table.c.notebook_id == made[name])
            there = set(connection.execute(there).scalars())
            rows = [
                {"id": api.new_uuid(), "cell_id": cell, "notebook_id": made[name], **more}
                for cell, kind in cells
                if kind in kinds and cell not in there
            ]
            if rows:
                connection.execute(sa.insert(table), rows)
    return made


def _set_grades(connection: sa.Connection, notebook: str, scores: Mapping[str, float | None]) -> None:
    """As nbgrader's SaveAutoGrades: an earlier manual mark stays, and is to be looked at again."""
    query = sa.select(GRADE.c.id, CELL.c.name, GRADE.c.manual_score).join(CELL, CELL.c.id == GRADE.c.cell_id)
    rows = []
    for grade, name, manual in connection.execute(query.where(GRADE.c.notebook_id == notebook)).all():
        if name in scores:
            look = manual is not None or scores[name] is None
            rows.append({"row": grade, "auto_score": scores[name], "needs_manual_grade": look})
    if rows:
        connection.execute(sa.update(GRADE).where(GRADE.c.id == sa.bindparam("row")), rows)


def _set_comments(connection: sa.Connection, notebook: str, comments: Mapping[str, str | None]) -> None:
    query = sa.select(COMMENT.c.id, CELL.c.name).join(CELL, CELL.c.id == COMMENT.c.cell_id)
    rows = [
        {"row": comment, "auto_comment": comments[name]}
        for comment, name in connection.execute(query.where(COMMENT.c.notebook_id == notebook)).all()
        if name in comments
    ]
    if rows:
        connection.execute(sa.update(COMMENT).where(COMMENT.c.id == sa.bindparam("row")), rows)


def _passing(error: DBAPIError) -> bool:
    """Whether the same may work a moment later: a lock, or a server that was away."""
    if type(error.orig).__module__ == "sqlite3":
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return error.connection_invalidated or isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError))


def _public(url: str) -> str:
    """A database's address without its password."""
    try:
        return sa.engine.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "of that address"


def _short(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
