"""Who may import whom."""

import ast

import pytest
from conftest import ROOT

ALLOWED = {
    "backprop/slopes.py": set(),
    "backprop/report.py": set(),
    "backprop/oracle.py": {"backprop.slopes"},
    "backprop/answers.py": {"backprop.oracle", "backprop.report"},
    "backprop/check.py": {"backprop.answers", "backprop.oracle", "backprop.report", "backprop.slopes"},
    "backprop/ops.py": set(),
    "backprop/data/*.py": {"backprop.data"},
    "backprop/tape.py": {"backprop.ops"},
    "backprop/nn.py": {"backprop.tape", "backprop.ops"},
    "backprop/figures/*.py": {"backprop.figures", "backprop.nn", "backprop.tape", "backprop.ops"},
    "backprop/diagnosis.py": {"backprop.check"},
    "backprop/grading.py": {"backprop.check", "backprop.diagnosis"},
    "solutions/*.py": {"backprop.grading", "backprop.data", "backprop.nn"},
    "grader/*.py": {"backprop.grading", "grader"},
}
FILES = {path: allowed for pattern, allowed in ALLOWED.items() for path in ROOT.glob(pattern)}


def ours(path):
    """The modules of ours that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in ("backprop", "grader"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return {name for name in found if name.split(".")[0] in ("backprop", "grader", "")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_what_it_may(path):
    allowed = FILES[path]
    assert {name for name in ours(path) if name not in allowed and name.split(".")[0] not in allowed} == set()


def test_every_module_has_a_rule():
    modules = {path for folder in ("backprop", "grader", "solutions") for path in (ROOT / folder).rglob("*.py")}
    assert modules - set(FILES) == {ROOT / "backprop" / "__init__.py"}


def test_a_forbidden_import_is_seen(tmp_path):
    wrong = tmp_path / "check.py"
    wrong.write_text("from backprop import grading\nimport grader.notebooks\nimport numpy\n")
    assert ours(wrong) == {"backprop.grading", "grader.notebooks"}
