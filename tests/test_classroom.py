"""A class graded: the same gradebook as nbgrader's own, only what changed, whatever students hand in."""

import contextlib
import csv
import json
import os
import pickle
import re
import shutil
import sqlite3
import time

import nbformat
import pytest
from classroom import ENVIRONMENT, RIGHT, WRONG, Class

from grader import classroom, notebooks, pool, submission

STOCK = """
c = get_config()
c.CourseDirectory.course_id = "backprop"
c.CourseDirectory.release_directory = "exercises"
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A class of five, graded once; tests that change it take a copy."""
    course = Class(tmp_path_factory.mktemp("class") / "course")
    course.submit("ada", {"square": RIGHT}, "Exchange rates multiply.")
    course.submit("ben", {"square": WRONG})
    course.submit("cy")
    course.submit("Dörte Müller", {"square": "def square_grad(x):\n    return 1 / 0"}, "Because.")
    course.submit("eve", {"square": "def square_grad(x:\n    return"}, "I don't know.", "2030-01-02 03:04:05 UTC")
    course.first = course.run()
    return course


@pytest.fixture
def copied(small, tmp_path):
    """The graded class, to be changed."""
    shutil.copytree(small.root, tmp_path / "course", symlinks=True)
    course = Class(tmp_path / "course")
    return course


def stamps(course, step):
    return {path.parent.parent.name: path.stat().st_mtime_ns for path in (course.root / step).glob("*/*/*.*")}


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def page(course, student):
    return (course.root / "feedback" / student / course.assignment / f"{course.assignment}.html").read_text()


def line(output, student):
    return next(text for text in output.splitlines() if text.startswith(student))


# As nbgrader does --------------------------------------------------------------------------------------------


def test_gradebook_is_the_one_that_nbgrader_makes(small, tmp_path):
    shutil.copytree(small.root / "source", tmp_path / "source")
    shutil.copytree(small.root / "submitted", tmp_path / "submitted")
    (tmp_path / "nbgrader_config.py").write_text(STOCK)
    stock = Class.__new__(Class)
    stock.root = tmp_path
    stock.nbgrader("generate_assignment", "small")
    stock.nbgrader("autograde", "small")
    assert stock.marks() == small.marks()
    scores = {(student, cell): auto for _, student, _, cell, auto, *_ in small.marks()["grades"]}
    assert scores["ada", "square"] == 5.0 and scores["ben", "square"] == scores["eve", "square"] == 0.0
    assert scores["ada", "why"] is None and scores["cy", "why"] == 0.0
    for student in ("ada", "ben", "cy"):
        theirs, ours = (
            nbformat.read(root / "autograded" / student / "small" / "small.ipynb", as_version=4)
            for root in (tmp_path, small.root)
        )
        assert [cell.source for cell in ours.cells] == [cell.source for cell in theirs.cells]
        assert [cell.metadata.get("nbgrader") for cell in ours.cells] == [
            cell.metadata.get("nbgrader") for cell in theirs.cells
        ]


def test_nbgraders_commands_work_on_what_we_wrote(copied):
    before = copied.marks()
    copied.nbgrader("export")
    by_student = lambda row: row["student_id"]
    theirs, ours = (sorted(table(copied.root / path), key=by_student) for path in ("grades.csv", "reports/grades.csv"))
    assert theirs == ours and len(ours) == 5
    copied.nbgrader("generate_feedback", "small", "--force")
    copied.nbgrader("autograde", "small", "--force", "--student", "ben")
    assert copied.marks() == before
    from nbgrader.apps.api import NbGraderAPI

    # What formgrader asks.
    course = classroom.Course(copied.root)
    api = NbGraderAPI(course.directory, config=course.config)
    assert api.get_assignment("small")["num_submissions"] == 5
    assert {s["student"]: s["score"] for s in api.get_submissions("small")}["ada"] == 5.0
    api.gradebook.close()


def test_feedback_page_is_nbgraders_but_for_the_table_of_fingerprints(copied):
    ours = page(copied, "ben")
    copied.nbgrader("generate_feedback", "small", "--force", "--student", "ben")
    theirs = page(copied, "ben")

    def text(html):
        html = re.sub(r"<style.*?</style>|checks\.load.*", "", html, flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]*>", " ", html).split())

    assert text(ours) and text(ours)[:400] == text(theirs)[:400]
    assert "[factor-two]" in ours and "Score: 0.0 / 9.0" in ours
    assert "Traceback" not in ours


def test_what_is_made_in_a_shared_course_is_the_groups_to_replace(tmp_path):
    course = Class(tmp_path / "course")
    course.submit("ada", {"square": RIGHT})
    with open(course.root / "nbgrader_config.py", "a") as config:
        config.write("c.CourseDirectory.groupshared = True\n")
    course.run(umask=0o022)
    made = [".grader", ".grader/lock", "gradebook.db", "autograded", "autograded/ada", "autograded/ada/small",
            "autograded/ada/small/small.ipynb", "feedback/ada/small", "reports"]  # fmt: skip
    assert [path for path in made if not (course.root / path).stat().st_mode & 0o020] == []


def test_who_stops_reading_gets_no_traceback(copied):
    process = copied.start()
    process.stdout.close()
    assert process.wait(timeout=60) == 1 and "Traceback" not in process.stderr.read()
    process.stderr.close()


# Only what changed -------------------------------------------------------------------------------------------


def test_nothing_is_graded_twice(copied):
    before = {step: stamps(copied, step) for step in ("autograded", "feedback")}
    assert "0 graded, 5 unchanged" in copied.run()
    assert before == {step: stamps(copied, step) for step in before}
    copied.submit("ben", {"square": RIGHT})
    assert "1 graded, 4 unchanged" in copied.run()
    after = {step: stamps(copied, step) for step in before}
    for step in before:
        assert {student for student in before[step] if before[step][student] != after[step][student]} == {"ben"}


def test_new_hidden_tests_grade_everybody_again(copied):
    path = copied.root / "source" / "small" / "small.ipynb"
    path.write_text(path.read_text().replace("points_to_try += [2.5]", "points_to_try += [3.5]"))
    assert "5 graded, 0 unchanged" in copied.run()
    assert any("[3.5]" in cell[3] for cell in copied.marks()["cells"])


def test_other_cells_in_the_source_are_refused_once_there_are_marks(copied):
    path = copied.root / "source" / "small" / "small.ipynb"
    path.write_text(path.read_text().replace('"grade_id": "square"', '"grade_id": "squared"'))
    before = copied.marks()
    assert "the exercises of small changed after submissions were graded" in copied.run(good=False)
    assert copied.marks() == before


def test_what_a_person_gave_survives(copied):
    config = copied.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    connection = sqlite3.connect(copied.database)
    of = "notebook_id IN (SELECT n.id FROM submitted_notebook n JOIN submitted_assignment s ON n.assignment_id = s.id"
    of += " WHERE s.student_id = '{}') AND cell_id IN (SELECT id FROM base_cell WHERE name = '{}')"
    change = "UPDATE grade SET manual_score = {}, extra_credit = 0.5, needs_manual_grade = 0 WHERE "
    for student, cell, score in (("ada", "why", 3), ("ben", "square", 2), ("eve", "why", 1)):
        assert connection.execute(change.format(score) + of.format(student, cell)).rowcount == 1
    comment = "UPDATE comment SET manual_comment = 'Nearly.' WHERE " + of.format("ben", "solution-square")
    assert connection.execute(comment).rowcount == 1
    connection.execute("UPDATE assignment SET duedate = '2030-01-01 00:00:00'")
    connection.commit()
    connection.close()
    # Nothing is executed again, but marks, comments and penalties reach the pages.
    output = copied.run()
    assert "0 graded" in output
    assert "8.5 of 9" in line(output, "ada") and "2.5 of 9" in line(output, "ben")
    assert "0 of 9  · late: 1.5 points taken off" in line(output, "eve")
    assert "Nearly." in page(copied, "ben") and "Score: 2.5 / 9.0" in page(copied, "ben")
    assert "Late submission penalty" in page(copied, "eve")
    given = [row for row in copied.marks()["grades"] if row[5] is not None]
    again = copied.run("--force")
    assert "5 graded" in again
    assert [row[:7] for row in copied.marks()["grades"] if row[5] is not None] == [row[:7] for row in given]
    assert "8.5 of 9" in line(again, "ada") and "Nearly." in page(copied, "ben")
    # As nbgrader does: who gave the mark is asked to look again.
    assert "to be marked in formgrader: 1" in line(again, "ben")


def test_one_student_alone(copied):
    output = copied.run("--force", "--student", "ben")
    assert "1 graded" in output and "ada" not in output
    assert "no folder of zoe" in copied.run("--student", "zoe", good=False)


# Whatever is handed in ---------------------------------------------------------------------------------------


def change(notebook, name, **what):
    cell = next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
    cell.update(what)
    return notebook


def broken(course):
    """Submissions that are not as they should be: {student: (points, what their line says)}."""
    right = {"square": RIGHT}
    name = course.name

    def file(student, content, path=name):
        (course.folder(student) / path).parent.mkdir(parents=True, exist_ok=True)
        (course.folder(student) / path).write_bytes(content)

    def put(student, notebook, path=name):
        course.write(course.folder(student) / path, notebook)

    file("corrupt", b'{"cells": [')
    file("empty", b"")
    file("latin", "{é".encode("latin-1"))
    file("nested", b"[" * 100_000)
    file("list", b"[1, 2]")
    file("no-cells", b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}')
    put("renamed", course.notebook(right), "kopie von small (1).ipynb")
    put("two", course.notebook(right), "a.ipynb")
    put("two", course.notebook(), "b.ipynb")
    put("copies", course.notebook(right))
    put("copies", course.notebook(), "small (1).ipynb")
    file("script", RIGHT.encode(), "small.py")
    course.folder("nothing").mkdir(parents=True)
    course.folder("file").parent.mkdir(parents=True)
    course.folder("file").write_text("here I am")
    (course.folder("folder") / name).mkdir(parents=True)
    course.submit("linked", right)
    (course.folder("linked") / name).unlink()
    (course.folder("linked") / name).symlink_to(course.folder("copies") / name)
    course.folder("linked-folder").parent.mkdir(parents=True)
    course.folder("linked-folder").symlink_to(course.folder("copies"))
    course.submit("pipe", right)
    (course.folder("pipe") / name).unlink()
    os.mkfifo(course.folder("pipe") / name)

    put("edited", change(course.notebook(right), "square", source="5.0"))
    cut = course.notebook(right)
    cut.cells = [cell for cell in cut.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != "square"]
    put("test-cell-gone", cut)
    bare = course.notebook(right)
    bare.cells = [cell for cell in bare.cells if cell.id.startswith("solution-")]
    put("all-but-answers-gone", bare)
    double = course.notebook(right)
    double.cells += [nbformat.from_dict(cell) for cell in course.notebook().cells if cell.id == "tests-square"]
    put("twice", double)
    stripped = course.notebook(right)
    for cell in stripped.cells:
        cell.metadata.pop("nbgrader", None)
    put("metadata-gone", stripped)
    damaged = course.notebook(right)
    for cell in damaged.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader = {**cell.metadata.nbgrader, "grade": 7, "points": 1000, "schema_version": 99}
    put("metadata-damaged", damaged)
    unknown = course.notebook(right)
    unknown.cells.append(nbformat.v4.new_code_cell("100.0", metadata={"nbgrader": {"grade": True, "points": 100,
                         "grade_id": "bonus", "locked": True, "solution": False, "schema_version": 3}}))  # fmt: skip
    put("bonus", unknown)
    other = course.notebook(right)
    other.metadata.kernelspec = {"name": "ir", "language": "R", "display_name": "R"}
    put("kernel", other)
    old = json.loads(nbformat.writes(nbformat.convert(course.notebook(right), 3)))
    file("format-3", json.dumps(old).encode())
    large = course.notebook(right)
    large.cells[2].outputs = [nbformat.v4.new_output("stream", text="x" * 50_000_000)]
    put("large", large)
    put("Ünï cödé", course.notebook(right))

    (course.root / "submitted" / "readme.txt").write_text("not a student")
    (course.root / "submitted" / ("long" * 40)).mkdir()
    (course.root / "submitted" / ("long" * 40) / "small").mkdir()
    return {
        "corrupt": (0, "not graded: small.ipynb is not JSON: Expecting value in line 1"),
        "empty": (0, "not graded: small.ipynb is empty"),
        "latin": (0, "not graded: small.ipynb is not text in UTF-8 (byte 1)"),
        "nested": (0, "not graded: small.ipynb is not JSON that can be read: RecursionError"),
        "list": (0, "not graded: small.ipynb is no notebook: it has no cells"),
        "no-cells": (0, "not graded: small.ipynb is no notebook that can be read"),
        "renamed": (5, "note: wrong name: kopie von small (1).ipynb was graded as small.ipynb"),
        "two": (0, "not graded: 2 notebooks and none is named small.ipynb: a.ipynb, b.ipynb"),
        "copies": (5, "note: not looked at, beside small.ipynb: small (1).ipynb"),
        "script": (0, "not graded: no notebook: expected small.ipynb, found small.py"),
        "nothing": (0, "not graded: no notebook: expected small.ipynb"),
        "file": (0, "not graded: small is a file, expected a folder with small.ipynb"),
        "folder": (0, "not graded: small.ipynb is a folder, expected a file"),
        "linked": (0, "not graded: small.ipynb is a link, expected a file"),
        "linked-folder": (0, "not graded: small is a link, expected a folder"),
        "pipe": (0, "not graded: small.ipynb is no regular file, expected a file"),
        "edited": (5, "FLAG: the cell is not the student's to edit, and was put back as it was (square)"),
        "test-cell-gone": (5, "FLAG: the cell was missing and has been put back (square)"),
        "all-but-answers-gone": (5, "FLAG: the cell was missing and has been put back (given-1)"),
        "twice": (5, "FLAG: the cell is there more than once; the last one counts (square)"),
        "metadata-gone": (5, "5 of 9"),
        "metadata-damaged": (5, "5 of 9"),
        "bonus": (5, "5 of 9"),
        "kernel": (5, "5 of 9"),
        "format-3": (5, "note: small.ipynb: notebook format 3, converted"),
        "large": (5, "5 of 9"),
        "Ünï cödé": (5, "5 of 9"),
        "readme.txt": (None, "in submitted/: is a file or a link, expected a student's folder"),
        "long" * 40: (None, "in submitted/: is longer than 128 characters"),
    }


@pytest.fixture(scope="module")
def oddities(tmp_path_factory):
    course = Class(tmp_path_factory.mktemp("odd") / "course")
    course.expected = broken(course)
    course.output = course.run()
    return course


def test_broken_submissions_each_get_their_line_and_the_batch_goes_on(oddities):
    got = oddities.marks()
    scores = {student: auto for _, student, _, cell, auto, *_ in got["grades"] if cell == "square"}
    for student, (points, says) in oddities.expected.items():
        assert says in line(oddities.output, student), student
        assert scores.get(student) == points, student
    assert {student for student, (points, _) in oddities.expected.items() if points is not None} == set(scores)
    assert "Traceback" not in oddities.output


def test_who_handed_in_something_broken_reads_why(oddities):
    for student, (_, says) in oddities.expected.items():
        if says.startswith("not graded: "):
            text = page(oddities, student)
            assert "This submission could not be graded:" in text
            assert says.removeprefix("not graded: ").split(":")[0] in re.sub(r"<[^>]*>", "", text)


def test_broken_submissions_are_not_tried_again_until_they_change(oddities):
    assert f"0 graded, {len(oddities.expected) - 2} unchanged" in oddities.run()
    oddities.submit("empty", {"square": RIGHT})
    assert "5 of 9" in line(oddities.run(), "empty")
    assert "could not be graded" not in page(oddities, "empty")


# The report --------------------------------------------------------------------------------------------------


def test_marks_for_an_lms(small):
    rows = {row["Student ID"]: row for row in table(small.root / "reports" / "lms.csv")}
    assert {student: row["small"] for student, row in rows.items()}["ada"] == "5"
    assert set(rows) == {"ada", "ben", "cy", "Dörte Müller", "eve"}


def test_a_name_with_a_comma_keeps_its_columns(copied):
    connection = sqlite3.connect(copied.database)
    connection.execute("UPDATE student SET last_name = 'Lovelace, Countess of' WHERE id = 'ada'")
    connection.commit()
    connection.close()
    copied.run()
    ada = next(row for row in table(copied.root / "reports" / "grades.csv") if row["student_id"] == "ada")
    assert ada["last_name"] == "Lovelace, Countess of" and ada["max_score"] == "9.0"


def test_the_page_counts_mistakes_and_names_nobody(small):
    text = (small.root / "reports" / "small.html").read_text()
    assert re.search(r"factor-two</th><td>square</td><td>[^<]*</td><td class=\"n\">1<", text)
    assert notebooks.CATALOGUE["factor-two"].sentence[:20] in text
    for student in ("ada", "ben", "eve", "Dörte"):
        assert not re.search(rf"\b{student}\b", text)
    assert "http" not in text


def test_export_writes_the_same_again(copied):
    import subprocess
    import sys

    before = (copied.root / "reports" / "grades.csv").read_text()
    command = [sys.executable, "-m", "grader", "export", "small", "--to", "out"]
    subprocess.run(command, cwd=copied.root, env=ENVIRONMENT, check=True, capture_output=True)
    assert (copied.root / "out" / "grades.csv").read_text() == before


# What it refuses ---------------------------------------------------------------------------------------------


def test_refusals_say_what_and_what_to_do(copied, tmp_path):
    copied.assignment = "smal"
    said = copied.run(good=False)
    assert "no assignment 'smal'" in said and "there are small" in said and "is kept" not in said
    copied.assignment = "small"
    assert "can't be opened" in copied.run("--gradebook", "sqlite:////no/such/folder/gradebook.db", good=False)
    shutil.rmtree(copied.root / "submitted")
    assert "no folder" in copied.run(good=False)


def test_a_gradebook_that_formgrader_holds_is_waited_for(copied):
    before = copied.marks()
    with contextlib.closing(sqlite3.connect(copied.database, isolation_level=None)) as formgrader:
        formgrader.execute("BEGIN EXCLUSIVE")
        process = copied.start("--force")
        # Longer than SQLite itself waits.
        time.sleep(9)
        formgrader.execute("COMMIT")
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert copied.marks() == before


def test_two_graders_at_once_are_one_too_many(copied):
    with classroom.Course(copied.root):
        assert "another grader is at work" in copied.run(good=False)
    assert "0 graded" in copied.run()


def test_without_a_sandbox_nothing_is_graded_unless_it_is_waived(copied):
    path = os.pathsep.join(p for p in ENVIRONMENT["PATH"].split(os.pathsep) if not os.path.exists(f"{p}/bwrap"))
    before = copied.marks()
    process = copied.start("--force", env=ENVIRONMENT | {"PATH": path})
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "there is no sandbox to put it in" in err and "--no-sandbox" in err and "Traceback" not in err
    assert copied.marks() == before
    process = copied.start("--force", "--no-sandbox", env=ENVIRONMENT | {"PATH": path})
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "5 graded" in out
    assert copied.marks() == before


def test_a_grader_that_fails_gives_nobody_a_mark_and_tries_again(copied, tmp_path):
    before = copied.marks()
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'forkserver' in ' '.join(sys.orig_argv):\n"
        "    import grader.executor\n"
        "    def run(*_, **__): raise OSError('no memory for a process')\n"
        "    grader.executor.Executor.run = run\n"
    )
    broken = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])}
    process = copied.start("--force", env=broken)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "NOT GRADED, and tried again the next time" in line(out[out.index("NOT GRADED") - 30 :], "ben")
    assert copied.marks() == before
    copied.submit("ben", {"square": RIGHT})
    assert "1 graded, 4 unchanged" in copied.run()


def test_tasks_and_results_larger_than_a_pipe_pass_each_other():
    """A worker that is sending its result is handed the next task meanwhile."""
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("long " * 400_000)])).encode()
    workers = pool.Processes(1, {"sandbox": "none"}, patience=60)
    left, end = set(range(5)), time.monotonic() + 60
    try:
        for number in range(5):
            workers.submit(number, "parse", text, "n", [])
        while left and time.monotonic() < end:
            left -= {key for key, notebook in workers.wait() if len(notebook.cells[0].source) == 2_000_000}
    finally:
        workers.close()
    assert not left


def test_an_assignment_is_unpickled_once():
    asked = submission.Assignment("a", {}, {"data.csv": b"1"}, "digest")
    first, second = (pickle.loads(pickle.dumps((asked, number))) for number in range(2))
    assert first == (asked, 0) and second == (asked, 1) and first[0] is second[0]
