"""The proofs of every assignment: its answers, its mistakes, other right answers, and what it gives away."""

import functools
import re

import nbformat
import pytest
from conftest import ROOT

from grader import notebooks

SOURCES = sorted(notebooks.SOURCES.glob("*.py"))


@functools.cache
def built(path):
    """The source, and its notebook with hidden tests and as students get it."""
    source = notebooks.read(path)
    full = notebooks.solved(source, notebooks.fingerprints(source))
    return source, full, notebooks.released(full)


def cases(*roles):
    """Every cell of these roles in every source, as parameters of a test."""
    found = [
        pytest.param(path, cell, id=f"{path.stem}-{cell.of or cell.name}-{cell.key}")
        for path in SOURCES
        for cell in notebooks.read(path).cells
        if cell.role in roles
    ]
    assert found, f"no source has a cell tagged {roles}"
    return found


def each_source(test):
    return pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)(test)


def test_every_source_has_a_release_and_every_release_a_source():
    assert SOURCES
    assert {path.stem for path in SOURCES} == {path.name for path in (ROOT / "exercises").iterdir()}


@each_source
def test_answers_earn_full_marks(path):
    source, full, release = built(path)
    wanted = {name: cell.points for name, cell in source.graded.items() if cell.role == "tests"}
    for notebook in (full, notebooks.filled(release, source.answers())):
        run = notebooks.run(notebook)
        assert run.points == wanted
        assert all(type(points) is float for points in run.points.values())


@each_source
def test_source_runs_as_a_script(path):
    exec(compile(path.read_text(), path, "exec"), {"__name__": "__main__"})


@each_source
def test_unsolved_fails_every_graded_cell_with_a_helpful_line(path):
    source, _, release = built(path)
    run = notebooks.run(release)
    assert run.points and set(run.points.values()) == {0.0}
    for exercise, feedback in run.feedback.items():
        functions = re.findall(r"^(?:def|class) (\w+)", source.of("solution", exercise)[0].text, re.MULTILINE)
        assert any(f"{function} is not written yet" in feedback for function in functions), feedback
        assert "NameError" not in feedback and "Traceback" not in feedback


@pytest.mark.parametrize("path, mistake", cases("mistake"))
def test_mistake_is_rejected_and_named(path, mistake):
    source, full, release = built(path)
    wrong = source.answers(mistake)
    points = source.graded[mistake.of].points
    visible = notebooks.run(notebooks.filled(release, wrong), only=[mistake.of])
    hidden = notebooks.run(notebooks.filled(full, wrong), only=[mistake.of])
    for run in (visible, hidden):
        assert run.points[mistake.of] < points
        assert f"[{mistake.name}]" in run.feedback[mistake.of], run.feedback[mistake.of]


@pytest.mark.parametrize("path, other", cases("accepted"))
def test_other_right_answer_is_accepted(path, other):
    source, full, _ = built(path)
    run = notebooks.run(notebooks.filled(full, source.answers(other)), only=[other.of])
    assert run.points[other.of] == source.graded[other.of].points, run.feedback[other.of]


@each_source
def test_every_exercise_has_three_other_right_answers_and_a_mistake(path):
    source = notebooks.read(path)
    for cell in source.role("solution"):
        assert len(source.of("accepted", cell.name)) >= 3, cell.name
        assert source.of("mistake", cell.name), cell.name


@each_source
def test_committed_notebook_is_fresh(path):
    source, _, release = built(path)
    committed = ROOT / "exercises" / source.chapter / f"{source.chapter}.ipynb"
    assert committed.read_text() == nbformat.writes(release) + "\n", "run `make exercises` and commit the result"


@each_source
def test_release_gives_nothing_away(path):
    source, _, release = built(path)
    seen = re.sub(r"\s+", "", "".join(cell.source for cell in release.cells))
    known = notebooks.lines("\n".join(cell.text for cell in source.cells if cell.role in ("solution", "given")))
    secret = []
    for cell in source.cells:
        if cell.role in ("mistake", "accepted"):
            secret += [line for line in notebooks.lines(cell.text) if line not in known]
        else:
            secret += notebooks.withheld(cell)
    assert secret
    for line in secret:
        assert line not in seen
    assert not any(cell.get("outputs") for cell in release.cells)


def test_a_wrong_diagnosis_costs_its_points_and_gives_the_right_one_away_to_nobody():
    source, full, release = built(notebooks.SOURCES / "pytorch_example.py")
    answers = source.answers()
    names = re.findall(r'"(broken_\d)": "([\w-]+)"', answers["five-loops"])
    assert len(names) == 5
    wrong = answers["five-loops"]
    for (loop, right), (_, other) in zip(names, names[1:] + names[:1], strict=True):
        wrong = wrong.replace(f'"{loop}": "{right}"', f'"{loop}": "{other}"')
    for notebook in (full, release):
        run = notebooks.run(notebooks.filled(notebook, {**answers, "five-loops": wrong}), only=["five-loops"])
        assert run.points["five-loops"] == source.graded["five-loops"].points / 2
        feedback = run.feedback["five-loops"]
        assert "broken_1: its mistake is not in-place-on-saved" in feedback and names[0][1] not in feedback
