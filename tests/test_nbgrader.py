"""The whole way through the real nbgrader: generate, release, three students, autograde, feedback, export."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from grader import notebooks

CHAPTER = "scalar_chain_rule"
MISTAKE = ("two-paths", "paths-multiplied")
TABLE = "id,first_name,last_name,email\n" + "".join(f"{name},{name},Student,\n" for name in ("ada", "ben", "cy"))


def nbgrader(course, *args):
    """Run one nbgrader command in a course; its output."""
    environment = os.environ | {
        "HOME": str(course / "home"),
        "JUPYTER_CONFIG_DIR": str(course / "home" / "jupyter"),
        "USER": "instructor",
        # nbgrader calls alembic by name, as it finds it in an activated environment.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        # SQLAlchemy and Jupyter warn of things that are not ours.
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *args], cwd=course, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder as an instructor has it, with three submissions graded."""
    course = tmp_path_factory.mktemp("course")
    (course / "home").mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    source = notebooks.read(notebooks.SOURCES / f"{CHAPTER}.py")
    small = ROOT / "tests" / "small.py"
    into = {kind: course / folder for kind, folder in
            (("solved", "source"), ("released", "built"), ("mistaken", "mistaken"))}
    notebooks.build([source.path, small], into)

    nbgrader(course, "generate_assignment", CHAPTER)
    nbgrader(course, "release_assignment", CHAPTER)
    nbgrader(course, "generate_assignment", "small")
    wrong = next(cell for cell in source.of("mistake", MISTAKE[0]) if cell.name == MISTAKE[1])
    for student, answers in {"ada": source.answers(), "ben": source.answers(wrong), "cy": {}}.items():
        submit(course, student, CHAPTER, answers)
    submit(course, "ada", "small", {"square": "def square_grad(x):\n    return x + x"}, "Because slopes multiply.")
    (course / "students.csv").write_text(TABLE)
    nbgrader(course, "db", "student", "import", "students.csv")
    for chapter in (CHAPTER, "small"):
        nbgrader(course, "autograde", chapter)
        nbgrader(course, "generate_feedback", chapter)
    nbgrader(course, "export")
    return course


def submit(course, student, chapter, answers, text=None):
    """Place what a student hands in: the released notebook with answers typed in."""
    release = nbformat.read(course / "exercises" / chapter / f"{chapter}.ipynb", as_version=4)
    notebook = notebooks.filled(release, answers)
    if text:
        next(cell for cell in notebook.cells if cell.id.startswith("marked-")).source = text
    folder = course / "submitted" / student / chapter
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{chapter}.ipynb")


def grades(course):
    with open(course / "grades.csv", newline="") as file:
        return {(row["assignment"], row["student_id"]): row for row in csv.DictReader(file)}


def test_generate_makes_exactly_the_committed_release(course):
    ours = (ROOT / "exercises" / CHAPTER / f"{CHAPTER}.ipynb").read_text()
    theirs = (course / "exercises" / CHAPTER / f"{CHAPTER}.ipynb").read_text()
    assert theirs.strip() == ours.strip()
    assert (course / "exchange" / "backprop" / "outbound" / CHAPTER / f"{CHAPTER}.ipynb").exists()


def test_marks_are_exactly_as_expected(course):
    source = notebooks.read(notebooks.SOURCES / f"{CHAPTER}.py")
    total = sum(cell.points for cell in source.graded.values())
    lost = source.graded[MISTAKE[0]].points
    expected = {"ada": total, "ben": total - lost, "cy": 0.0}
    got = grades(course)
    assert {student: float(got[CHAPTER, student]["score"]) for student in expected} == expected
    assert float(got[CHAPTER, "ada"]["max_score"]) == total


def test_feedback_shows_the_two_lines_and_no_traceback(course):
    page = (course / "feedback" / "ben" / CHAPTER / f"{CHAPTER}.html").read_text()
    assert f"[{MISTAKE[1]}] {notebooks.CATALOGUE[MISTAKE[1]].sentence}" in page
    assert "two_paths_grad" in page and "finite differences give" in page
    for student in ("ada", "ben", "cy"):
        page = (course / "feedback" / student / CHAPTER / f"{CHAPTER}.html").read_text()
        assert "Traceback (most recent call last)" not in page
    assert page.count("is not written yet") >= 5


def test_marked_question_waits_for_a_person(course):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        submission = gradebook.find_submission("small", "ada")
        assert submission.needs_manual_grade
        waiting = [grade for grade in submission.notebooks[0].grades if grade.needs_manual_grade]
        assert [grade.name for grade in waiting] == ["why"]
        assert submission.score == 5.0
        assert not gradebook.find_submission(CHAPTER, "ada").needs_manual_grade
