"""What README and the instructors' guide show of the grader's output is what it prints."""

import re

import nbformat
import pytest
from classroom import Class
from conftest import ROOT

from grader import rehearsal

CHAPTER, MARKED = "scalar_chain_rule", "blame_seasoning_and_clues"
MISTAKE = ("two-paths", "paths-multiplied")


def shown(text):
    """The fenced blocks that are no code."""
    blocks = re.findall(r"^```(.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for kind, block in blocks if kind in ("", "text")]


SHOWN = [block for name in ("README.md", "book/instructors.md") for block in shown((ROOT / name).read_text())]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Everything that is printed, and the class of the guide."""
    course = Class(tmp_path_factory.mktemp("samples") / "course", CHAPTER)
    right = course.source.answers()
    wrong = next(cell for cell in course.source.of("mistake", MISTAKE[0]) if cell.name == MISTAKE[1])
    course.submit("ada", right)
    course.submit("ben", course.source.answers(wrong))
    path = course.submit("cy")
    path.write_bytes(nbformat.writes(course.notebook(right)).encode()[:500])
    marked = Class(course.root.parent / "marked", MARKED)
    marked.submit("ada", marked.source.answers(), "A garden.")
    texts = [course.run(), marked.run(), rehearsal.summary([Right() for _ in range(rehearsal.SIZE)])]
    graded = nbformat.read(course.root / "autograded" / "ben" / CHAPTER / course.name, as_version=4)
    cell = next(cell for cell in graded.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == MISTAKE[0])
    texts += [output.data["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]
    return course, seconds("\n".join(texts))


class Right:
    ok = True


def seconds(text):
    """Nobody can foretell how long it takes."""
    return re.sub(r"in [\d.]+ seconds", "in some seconds", text)


def is_so(block, printed):
    course, text = printed
    files = all((course.root / line).is_file() for line in block.split())
    return files or seconds(block) in text + "\n"


def test_there_are_samples_in_both():
    assert len(SHOWN) >= 5


@pytest.mark.parametrize("block", SHOWN, ids=[block.split("\n")[0][:40] for block in SHOWN])
def test_a_sample_is_what_is_printed(block, printed):
    assert is_so(block, printed), f"shown:\n{block}\nprinted:\n{printed[1]}"


def test_a_stale_sample_is_seen(printed):
    for block in SHOWN:
        assert not is_so(block.replace("of", "off").replace("ben", "bill"), printed)
