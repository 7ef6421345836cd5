"""What it costs to grade a class: `python -m grader grade` beside `nbgrader autograde`, in one run.

    python benchmarks/grade.py                          40 submissions of a NumPy chapter, 20 of the PyTorch chapter
    python benchmarks/grade.py CHAPTER NUMBER ...       others
    python benchmarks/grade.py --growth 10 100 1000     how ours grows; what 10,000 and 100,000 would take

Each submission is the release with known answers typed in, right ones and mistaken ones in turn.  nbgrader is as it
comes: its own Execute step, one kernel for each submission.  Ours has its sandbox and two sides, one worker for each
core, and makes feedback pages and reports as well.  Measured is wall time of the whole command, start-up included; a
further submission costs (time for the class - time for one) / (class - 1).  The two take turns, and the median counts.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil

from grader import notebooks

ROOT = Path(__file__).resolve().parent.parent
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "benchmark"
c.CourseDirectory.release_directory = "exercises"
c.ExecutePreprocessor.timeout = 300
"""
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "ignore",
}


def make(root: Path, chapter: str, number: int) -> None:
    """A course with `number` submissions."""
    source = notebooks.read(notebooks.SOURCES / f"{chapter}.py")
    full = notebooks.solved(source, notebooks.fingerprints(source))
    release = notebooks.released(full)
    (root / "nbgrader_config.py").write_text(STOCK)
    (root / "source" / chapter).mkdir(parents=True)
    nbformat.write(full, root / "source" / chapter / f"{chapter}.ipynb")
    answers = [source.answers()]
    answers += [source.answers(cell) for cell in source.role("accepted") + source.role("mistake")]
    for student in range(number):
        folder = root / "submitted" / f"student{student:06}" / chapter
        folder.mkdir(parents=True)
        notebook = notebooks.filled(release, answers[student % len(answers)])
        nbformat.write(notebook, folder / f"{chapter}.ipynb")


def clear(root: Path) -> None:
    for name in ("autograded", "feedback", "reports"):
        shutil.rmtree(root / name, ignore_errors=True)
    (root / "gradebook.db").unlink(missing_ok=True)


def timed(root: Path, *command: str, memory: list | None = None) -> float:
    """Wall time of a command in seconds; its most memory at once, with all its children, goes into `memory`."""
    start = time.perf_counter()
    with open(root / "log", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=root, env=ENVIRONMENT, stdout=log, stderr=log)
        if memory is not None:
            watch = threading.Thread(target=_watch, args=(process.pid, memory))
            watch.start()
        if process.wait():
            raise SystemExit(f"{' '.join(command)} failed:\n{(root / 'log').read_text()[-3000:]}")
    return time.perf_counter() - start


def _watch(pid: int, memory: list) -> None:
    """Proportional set sizes: what processes share counts once."""
    while psutil.pid_exists(pid):
        total = 0
        try:
            for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
                total += process.memory_full_info().pss
        except psutil.Error:
            pass
        memory.append(total)
        time.sleep(0.3)


def stock(root: Path, chapter: str, student: str = "*") -> float:
    clear(root)
    timed(root, "nbgrader", "generate_assignment", chapter, "--force")
    return timed(root, "nbgrader", "autograde", chapter, f"--student={student}")


def ours(root: Path, chapter: str, *options: str, memory: list | None = None) -> float:
    clear(root)
    return timed(root, "grader", "grade", chapter, *options, memory=memory)


def marks(root: Path) -> list:
    connection = sqlite3.connect(root / "gradebook.db")
    query = (
        "SELECT s.student_id, c.name, g.auto_score, g.needs_manual_grade FROM grade g "
        "JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id "
        "JOIN submitted_assignment s ON s.id = n.assignment_id"
    )
    try:
        return sorted(map(tuple, connection.execute(query)))
    finally:
        connection.close()


def compare(chapter: str, number: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, chapter, number)
        first = "student000000"
        times: dict[str, list[float]] = {name: [] for name in ("stock 1", "ours 1", "stock", "ours", "bare 1", "bare")}
        memory: list[int] = []
        for _ in range(rounds):
            times["stock 1"].append(stock(root, chapter, first))
            times["ours 1"].append(ours(root, chapter, "--student", first))
            times["bare 1"].append(ours(root, chapter, "--student", first, "--no-pages"))
            times["stock"].append(stock(root, chapter))
            theirs = marks(root)
            times["bare"].append(ours(root, chapter, "--no-pages"))
            times["ours"].append(ours(root, chapter, memory=memory))
            mine = marks(root)
            if mine != theirs:
                differ = [pair for pair in zip(theirs, mine, strict=False) if pair[0] != pair[1]]
                raise SystemExit(f"the marks differ, first at {differ[:1]}")
        middle = {name: statistics.median(values) for name, values in times.items()}
        further = {name: (middle[name] - middle[f"{name} 1"]) / (number - 1) for name in ("stock", "ours", "bare")}
        print(f"\n{chapter}, {number} submissions, {len(theirs)} marks, all equal; median of {rounds}, seconds\n")
        print("| | whole class | one submission | each further one |\n|---|---|---|---|")
        for name, what in (
            ("stock", "`nbgrader autograde`"),
            ("bare", "`grader grade --no-pages`"),
            ("ours", "`grader grade`, with feedback pages"),
        ):
            share = middle["stock"] / middle[name], further["stock"] / further[name]
            cells = (middle[name], share[0], middle[f"{name} 1"], further[name], share[1])
            print("| {} | {:.2f} · {:.1f} × | {:.2f} | {:.3f} · {:.1f} × |".format(what, *cells))
        print(f"\nMost memory at once, every process of `grader grade` together: {max(memory) / 2**20:.0f} MB")


def growth(chapter: str, numbers: list[int]) -> None:
    print(f"\n{chapter}: whole command, seconds; nothing to grade the second time\n")
    print("| submissions | graded | each | again, unchanged | memory, MB | gradebook, MB |\n|---|---|---|---|---|---|")
    found = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make(root, chapter, number)
            memory: list[int] = []
            total = ours(root, chapter, memory=memory)
            again = timed(root, "grader", "grade", chapter)
            size = (root / "gradebook.db").stat().st_size / 2**20
            found.append((number, total, again))
            cells = (number, total, total / number, again, max(memory) / 2**20, size)
            print("| {:,} | {:.1f} | {:.3f} | {:.1f} | {:.0f} | {:.1f} |".format(*cells))
    (n1, t1, a1), (n2, t2, a2) = found[-2:]
    each, more = (t2 - t1) / (n2 - n1), (a2 - a1) / (n2 - n1)
    for number in (10_000, 100_000):
        cells = (number, t2 + each * (number - n2), each, a2 + more * (number - n2))
        print("| {:,}, reckoned | {:,.0f} | {:.3f} | {:,.0f} | | |".format(*cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="CHAPTER NUMBER ...")
    parser.add_argument("--growth", nargs="+", type=int, metavar="NUMBER")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.growth:
        growth(options.what[0] if options.what else "scalar_chain_rule", options.growth)
        return
    pairs = list(zip(options.what[::2], map(int, options.what[1::2]), strict=True))
    if not pairs:
        pairs = [("network_by_hand", 40), ("pytorch_example", 20)]
    for chapter, number in pairs:
        if not (notebooks.SOURCES / f"{chapter}.py").exists():
            print(f"\n{chapter}: there is no such chapter")
            continue
        compare(chapter, number, options.rounds)


if __name__ == "__main__":
    main()
