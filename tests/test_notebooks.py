"""Sources become notebooks, byte for byte the same each time; bad ones are refused and leave nothing behind."""

import json
import re

import nbformat
import numpy as np
import pytest
from conftest import ROOT

from backprop.diagnosis import fingerprint
from grader import notebooks
from grader.__main__ import main

BAD = ROOT / "tests" / "bad" / "sources"
SMALL = ROOT / "tests" / "small.py"
REFUSED = {
    "unknown_tag": (14, r"unknown tag answer"),
    "unknown_second_tag": (23, r"unknown tag hard in a cell tagged tests"),
    "points_missing": (23, r"points missing"),
    "points_not_positive": (23, r"points=-5 is not a positive number"),
    "points_repeated": (34, r"points repeated: two cells named tests='square', the first in line 23"),
    "no_markers": (14, r"solution='square' has no '### BEGIN SOLUTION'"),
    "no_hidden_tests": (23, r"tests='square' has no '### BEGIN HIDDEN TESTS'"),
    "marker_not_closed": (14, r"do not pair up"),
    "marker_in_given_code": (4, r"'### BEGIN SOLUTION' in a cell that is not tagged solution"),
    "leak_in_text": (12, r"a line of the answer to 'square' leaks: .*slope_of_square"),
    "leak_in_tests": (31, r"a line of the answer to 'square' leaks"),
    "mistake_not_in_catalogue": (34, r"mistake='factor-too' is no entry of the catalogue"),
    "mistake_of_nothing": (34, r"of='cube': no exercise has that name"),
    "two_cells_one_name": (39, r"two cells named mistake='factor-two', the first in line 34"),
    "answer_without_tests": (14, r"solution='square' has no tests='square'"),
    "no_exercise_text": (23, r"no text cell exercise='square'"),
    "name_not_a_slug": (14, r"a name is lower-case words joined by hyphens"),
    "syntax_error": (19, r"syntax error"),
}


def directories(tmp_path):
    return {kind: tmp_path / kind for kind in ("solved", "released", "mistaken")}


def test_every_bad_source_is_tried():
    assert {path.stem for path in BAD.glob("*.py")} == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_source_is_refused_with_file_line_and_reason(name, tmp_path):
    line, reason = REFUSED[name]
    with pytest.raises(notebooks.SourceError, match=reason) as refusal:
        # The good one comes first: nothing of it may be written either.
        notebooks.build([SMALL, BAD / f"{name}.py"], directories(tmp_path))
    assert str(refusal.value).startswith(f"{BAD / name}.py:{line}: ")
    assert list(tmp_path.iterdir()) == []


def test_command_line_says_what_is_wrong(capsys):
    assert main(["build", str(BAD / "points_missing.py")]) == 1
    assert re.search(r"points_missing\.py:23: points missing", capsys.readouterr().err)


def test_build_is_reproducible(tmp_path):
    first = notebooks.build([SMALL], directories(tmp_path / "a"))
    again = notebooks.build([SMALL], directories(tmp_path / "b"))
    assert sorted(path.name for path in first) == [
        "kill_matrix.json",
        "small.ipynb",
        "small.ipynb",
        "square.factor-two.ipynb",
    ]
    for one, two in zip(first, again, strict=True):
        assert one.read_bytes() == two.read_bytes()
        if one.suffix == ".ipynb":
            nbformat.validate(nbformat.read(one, as_version=4))


def test_kill_matrix_says_what_each_mistake_earns_and_is_called(tmp_path):
    notebooks.build([SMALL], directories(tmp_path))
    matrix = json.loads((tmp_path / "mistaken" / "small" / "kill_matrix.json").read_text())
    row = matrix["square"]["factor-two"]
    assert (row["earned"], row["points"], row["named"]) == (0.0, 5.0, ["factor-two"])
    assert row["said"].startswith("square_grad: yours ")
    assert row["shares"]["rows"] == [["0.5"] * len(row["shares"]["rows"][0])]


def test_build_writes_nothing_when_nothing_changed(tmp_path):
    assert len(notebooks.build([SMALL], directories(tmp_path / "a"))) == 4
    assert notebooks.build([SMALL], directories(tmp_path / "a")) == []


def test_release_keeps_the_signature_and_drops_answer_and_hidden_tests(tmp_path):
    notebooks.build([SMALL], directories(tmp_path))
    text = (tmp_path / "released" / "small" / "small.ipynb").read_text()
    assert "def square_grad(x):" in text and "raise NotImplementedError()" in text
    assert "slope_of_square" not in text and "2.5" not in text and "HIDDEN" not in text
    solved = (tmp_path / "solved" / "small" / "small.ipynb").read_text()
    assert "slope_of_square" in solved and "2.5" in solved


def test_rounding_of_another_machine_changes_no_notebook():
    old = {"square": {"sign": {"f": {"1": {"": fingerprint(np.array([1.0, 2.0]))}}}}}
    rounded = {"square": {"sign": {"f": {"1": {"": fingerprint(np.array([1.0, 2.0 + 1e-9]))}}}}}
    other = {"square": {"sign": {"f": {"1": {"": fingerprint(np.array([1.0, 2.1]))}}}}}
    assert rounded != old
    assert notebooks._settle(rounded, old) == old
    assert notebooks._settle(other, old) == other
    assert notebooks._settle(other, {}) == other
