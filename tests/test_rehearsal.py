"""The rehearsal, as an instructor runs it, and that it says so where a class is not graded as it should be."""

import csv
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from grader import notebooks, rehearsal


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rehearsal") / "course"
    command = [sys.executable, "-m", "grader", "rehearse", "--keep", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_every_student_gets_the_marks_and_the_words(rehearsed):
    _, output = rehearsed
    assert "30 of 30 students got the marks and the words that they should." in output
    assert output.count("\nok    student") == rehearsal.SIZE and "WRONG" not in output


def test_the_class_holds_mistakes_right_answers_and_broken_files(rehearsed):
    source = notebooks.read(notebooks.SOURCES / f"{rehearsal.CHAPTER}.py")
    class_ = rehearsal.students(source)
    assert len(class_) == rehearsal.SIZE == len({student.name for student in class_})
    assert sum(" in " in student.what for student in class_) >= 15
    assert sum("right in another way" in student.what for student in class_) >= 3
    assert {student.points for student in class_} >= {0.0, 35.0}
    assert sum(bool(student.words) for student in class_) >= 15


def test_a_wrong_mark_and_a_missing_word_are_seen(rehearsed, tmp_path):
    folder, _ = rehearsed
    source = notebooks.read(notebooks.SOURCES / f"{rehearsal.CHAPTER}.py")
    class_ = rehearsal.students(source)
    total = sum(cell.points for cell in source.graded.values())
    assert all(verdict.ok for verdict in rehearsal._judge(folder, source.chapter, class_, total))
    last = class_[-1]
    page = folder / "feedback" / last.name / source.chapter / f"{source.chapter}.html"
    page.write_text(page.read_text().replace(last.words[0], "[another]"))
    for name in ("grades.csv", "reports/grades.csv"):
        with open(folder / name, newline="") as file:
            rows = list(csv.DictReader(file))
        next(row for row in rows if row["student_id"] == class_[0].name)["score"] = "1.0"
        with open(folder / name, "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    wrong = [verdict for verdict in rehearsal._judge(folder, source.chapter, class_, total) if not verdict.ok]
    assert [verdict.student.name for verdict in wrong] == [class_[0].name, last.name]
    assert str(wrong[0]).startswith("WRONG student01") and " 1 points, expected 35" in str(wrong[0])
    assert f'the page does not say "{last.words[0]}"' in str(wrong[1])
