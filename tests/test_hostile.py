"""Hostile submissions: each ends with the marks its answers deserve, nothing read, nothing left, and a flag.

    python tests/test_hostile.py            the table: what each tries, and what comes of it
    python tests/test_hostile.py --stock    the same beside nbgrader's own executor, with the rights of whoever runs it

Each file of `tests/hostile/` is what a student writes in the first answer cell of `tests/target.py`.  Its first line
says what it tries; `# sound: square inverse` lists the answers that are right all the same, `# unflagged` says
that nothing forbidden is tried, and `# stock: no` that nbgrader's own executor would take the machine down with it.
With `--stock` every other one really runs with your rights: do so in a machine, or at least in namespaces, of its own
(`unshare --mount --pid --fork --mount-proc python tests/test_hostile.py --stock`).
"""

import contextlib
import json
import os
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from conftest import need_sandbox  # noqa: E402

from grader import notebooks  # noqa: E402
from grader.executor import Executor, Limits  # noqa: E402

FILES = sorted((ROOT / "tests" / "hostile").glob("*.py"))
LIMITS = Limits(cell_seconds=3, grace_seconds=1, seconds=30, memory=768 * 2**20, scratch=16 * 2**20)
CANARY = re.compile(r"canary[-_]of[-_][a-z_-]+")


@dataclass
class Outcome:
    """What came of a hostile submission."""

    points: dict[str, float] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    flags: list = field(default_factory=list)
    status: str = "ok"
    seconds: float = 0.0


class Course:
    """A course folder with things to read, and a program that listens."""

    def __init__(self, folder: Path):
        self.folder = folder
        for path in ("gradebook.db", "submitted/other/target/t.ipynb", "source/target/t.ipynb", "solutions.py"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(f"canary-of-the-{path.split('/')[0].split('.')[0]}")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        os.environ["CANARY"] = "canary-of-the-environment"

    def text(self, path: Path) -> str:
        port = str(self.listener.getsockname()[1])
        return (
            path.read_text()
            .replace("COURSE", str(self.folder))
            .replace("LEFT", str(self.folder / "left-behind"))
            .replace("PORT", port)
        )

    def left(self) -> list[str]:
        """What a run left behind; tidied up for the next."""
        found = []
        with contextlib.suppress(BlockingIOError):
            self.listener.accept()[0].close()
            found.append("a connection")
        for place in (self.folder, Path("/dev/shm"), Path("/tmp"), Path("/dev"), Path("/")):
            for path in place.glob("left-*"):
                found.append(str(path))
                path.unlink()
        if (self.folder / "gradebook.db").read_text() != "canary-of-the-gradebook":
            found.append("a changed gradebook")
            (self.folder / "gradebook.db").write_text("canary-of-the-gradebook")
        return found


def target():
    source = notebooks.read(ROOT / "tests" / "target.py")
    return source, notebooks.solved(source, {})


def submission(text: str):
    """The target with a hostile first answer, and nothing in the other two."""
    return notebooks.filled(target()[1], {"square": text, "inverse": "", "is-slope": ""})


def sound(path: Path) -> dict[str, float]:
    """The points that a file's answers deserve."""
    right = re.search(r"^# sound: (.+)$", path.read_text(), re.MULTILINE)
    names = right[1].split() if right else []
    return {name: cell.points if name in names else 0.0 for name, cell in target()[0].graded.items()}


def marks(notebook) -> dict[str, float]:
    """The points as nbgrader reads them from a notebook's outputs."""
    from nbgrader.utils import determine_grade

    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in graded}


def seen(notebook) -> list[str]:
    """The secrets that a notebook's outputs show, and what runs in a browser.

    Not in tracebacks, which quote the student's own text, and an answer's text is the student's own.
    """
    found = set()
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        plain = json.dumps([output.get("text", ""), output.get("evalue", ""), data.get("text/plain", "")])
        rich = json.dumps([value for mime, value in data.items() if mime not in ("text/plain", "image/png")])
        found |= set(CANARY.findall(plain)) - {"canary-of-a-script"}
        if re.search(r"<(script|img|svg)|canary-of-a-script'\)\"", rich):
            found.add("canary-of-a-script")
    return sorted(found)


def ours(path: Path, course: Course, executor: Executor, source=None) -> Outcome:
    """Run a hostile submission on two sides."""
    done = executor.run(submission(course.text(path)), source=source, solved=target()[1])
    flags = [(flag.kind, flag.message) for flag in done.flags]
    return Outcome(marks(done.notebook), seen(done.notebook), course.left(), flags, done.status, done.seconds)


def stock(path: Path, course: Course) -> Outcome:
    """Run it as nbgrader does by itself."""
    from nbgrader.preprocessors import Execute

    notebook = submission(course.text(path))
    start, status = time.monotonic(), "ok"
    try:
        notebook, _ = Execute(timeout=10, kernel_name="python3").preprocess(notebook, {"metadata": {"path": "/tmp"}})
        points = marks(notebook)
    except BaseException as error:
        points, status = dict.fromkeys(target()[0].graded, 0.0), type(error).__name__
    time.sleep(5 if "LEFT" in path.read_text() else 0)
    return Outcome(points, seen(notebook), course.left(), [], status, time.monotonic() - start)


def processes() -> set[int]:
    """The processes of this machine that descend from this one."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found, new = set(), {os.getpid()}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in found} - found
    return found


@pytest.fixture(scope="module")
def executor():
    need_sandbox()
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        executor.run(target()[1])
        time.sleep(1)
        executor.usual = len(processes())
        yield executor


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("course"))
    yield course
    course.listener.close()


def test_there_are_enough_of_them():
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_hostile(path, executor, course):
    outcome = ours(path, course, executor)
    assert outcome.points == sound(path), outcome
    assert outcome.read == [] and outcome.left == []
    assert bool(outcome.flags) is ("# unflagged" not in path.read_text()), outcome.flags
    # The next submission is as right as ever.
    honest = executor.run(target()[1])
    assert marks(honest.notebook) == {name: cell.points for name, cell in target()[0].graded.items()}
    assert honest.status == "ok" and honest.flags == []
    deadline = time.monotonic() + 5
    while len(processes()) > executor.usual and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes()) <= executor.usual


def main() -> None:
    """Print the table."""
    import tempfile

    compare = "--stock" in sys.argv
    if compare and os.getpid() > 100:
        sys.exit("--stock runs hostile code with your rights: give it namespaces of its own, as the docstring says")
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    wanted = [path for path in FILES if not names or path.stem in names]
    course = Course(Path(tempfile.mkdtemp()))
    threading.excepthook = lambda args: None
    print("| tries | stock nbgrader |" if compare else "| tries |", "two sides, sandboxed |")
    print("|---|---|" if compare else "|---|", "---|", sep="")
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        executor.run(target()[1])
        for path in wanted:
            first = path.read_text().splitlines()[0].lstrip("# ").rstrip(".")
            cells = [first]
            if compare:
                runs = "# stock: no" not in path.read_text()
                cells.append(said(stock(path, course), path) if runs else "not run: it would take the machine")
            cells.append(said(ours(path, course, executor), path))
            print("|", " | ".join(cells), "|", flush=True)


def said(outcome: Outcome, path: Path) -> str:
    """An outcome in a few words."""
    undeserved = sum(outcome.points.values()) - sum(sound(path).values())
    words = []
    if undeserved:
        words.append(f"{undeserved:+g} points undeserved" if undeserved > 0 else f"{-undeserved:g} points lost")
    read = ", ".join(secret.removeprefix("canary-of-").removeprefix("the-") for secret in outcome.read)
    words += [f"read: {read}"] * bool(read)
    words += ["left behind"] * bool(outcome.left)
    words += [outcome.status] * (outcome.status != "ok")
    kinds = sorted({kind for kind, _ in outcome.flags})
    return (", ".join(words) or "nothing") + (f"; flagged: {', '.join(kinds)}" if kinds else "")


if __name__ == "__main__":
    main()
