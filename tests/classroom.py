"""A class in a temporary folder, for the tests of grading: an assignment, submissions, and what the gradebook says."""

import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

from grader import notebooks

RIGHT = "def square_grad(x):\n    return 2 * x"
WRONG = "def square_grad(x):\n    return x"
ENVIRONMENT = os.environ | {
    "USER": "instructor",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
    # SQLAlchemy and Jupyter warn of things that are not ours.
    "PYTHONWARNINGS": "ignore",
}


class Class:
    """A course folder; `submit` places what a student hands in, `run` grades it as an instructor does."""

    def __init__(self, root: Path, assignment: str = "small"):
        self.root, self.assignment = root, assignment
        self.name = f"{assignment}.ipynb"
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "nbgrader_config.py", root)
        path = ROOT / "tests" / "small.py" if assignment == "small" else notebooks.SOURCES / f"{assignment}.py"
        self.source = notebooks.read(path)
        solved = notebooks.solved(self.source, notebooks.fingerprints(self.source))
        self.release = notebooks.released(solved)
        self.write(root / "source" / assignment / self.name, solved)

    @staticmethod
    def write(path: Path, notebook) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        # As it is: nbformat would mend it.
        path.write_text(json.dumps(notebook))
        return path

    def notebook(self, answers=None, text=None):
        """The release with answers typed in; `text` answers the question that a person marks."""
        notebook = notebooks.filled(copy.deepcopy(self.release), answers or {})
        if text:
            next(cell for cell in notebook.cells if cell.id.startswith("marked-")).source = text
        return notebook

    def folder(self, student: str) -> Path:
        return self.root / "submitted" / student / self.assignment

    def submit(self, student: str, answers=None, text=None, timestamp: str = "") -> Path:
        folder = self.folder(student)
        path = self.write(folder / self.name, self.notebook(answers, text))
        if timestamp:
            (folder / "timestamp.txt").write_text(timestamp)
        return path

    def start(self, *options: str, **more) -> subprocess.Popen:
        command = [sys.executable, "-m", "grader", "grade", self.assignment, *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.root, **({"env": ENVIRONMENT} | pipes | more))

    def run(self, *options: str, good: bool = True, **more) -> str:
        """Grade; what was printed."""
        process = self.start(*options, **more)
        out, err = process.communicate(timeout=300)
        assert (process.returncode == 0) == good, out + err
        return out + err

    def nbgrader(self, *args: str) -> str:
        """One of nbgrader's own commands."""
        command = [sys.executable, "-m", "nbgrader", *args]
        done = subprocess.run(command, cwd=self.root, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout + done.stderr

    @property
    def database(self) -> Path:
        return self.root / "gradebook.db"

    def marks(self) -> dict:
        """{student: {cell: (auto, manual, extra, whether it waits)}} and comments, straight from the tables."""
        return marks(sqlite3.connect(self.database))


def marks(connection) -> dict:
    """Everything that the gradebook says, but for the names it makes up for itself."""
    read = lambda query: sorted(map(tuple, connection.execute(query)), key=repr)
    of = (
        "FROM submitted_assignment s JOIN assignment a ON a.id = s.assignment_id "
        "JOIN submitted_notebook n ON n.assignment_id = s.id JOIN notebook b ON b.id = n.notebook_id "
    )
    who = "SELECT a.name, s.student_id, b.name, "
    try:
        return {
            "students": read("SELECT id, first_name, last_name FROM student"),
            "notebooks": read(who + "s.timestamp, n.late_submission_penalty, n.flagged " + of),
            "grades": read(
                who + "c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade " + of
                + "JOIN grade g ON g.notebook_id = n.id JOIN base_cell c ON c.id = g.cell_id"
            ),
            "comments": read(
                who + "c.name, m.auto_comment, m.manual_comment " + of
                + "JOIN comment m ON m.notebook_id = n.id JOIN base_cell c ON c.id = m.cell_id"
            ),
            "cells": read("SELECT name, cell_type, locked, source, checksum FROM source_cell"),
            "version": read("SELECT version_num FROM alembic_version"),
        }
    finally:
        connection.close()
