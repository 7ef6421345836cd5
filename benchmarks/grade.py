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
import contextlib
import itertools
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
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


@dataclass
class Cost:
    """Of one command with all the processes that it starts."""

    seconds: float
    cpu: float
    memory: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds - other.seconds, self.cpu - other.cpu, self.memory)

    def __truediv__(self, number: float) -> "Cost":
        return Cost(self.seconds / number, self.cpu / number, self.memory)


def timed(root: Path, *command: str) -> Cost:
    """Wall time and processor time of a command in seconds, and its most memory at once in MB."""
    start = time.perf_counter()
    with open(root / "log", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=root, env=ENVIRONMENT, stdout=log, stderr=log)
        samples: list[tuple[float, float]] = []
        watch = threading.Thread(target=_watch, args=(process.pid, samples))
        watch.start()
        if process.wait():
            raise SystemExit(f"{' '.join(command)} failed:\n{(root / 'log').read_text()[-3000:]}")
        seconds = time.perf_counter() - start
        watch.join()
    return Cost(seconds, *(max(column) for column in zip(*samples, strict=True)))


def _watch(pid: int, samples: list) -> None:
    """Processor time of those that live and of those that they waited for; the most of it is all but the last moment's.

    Memory is the sum of proportional set sizes: what processes share counts once.
    """
    memory = 0.0
    for turn in itertools.count():
        # To look takes time that would be measured, to add up memory most of all.
        weigh = turn % 4 == 2
        memory = 0.0 if weigh else memory
        spent = 0.0
        try:
            for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    spent += times.user + times.system + times.children_user + times.children_system
                    memory += process.memory_full_info().pss if weigh else 0
        except psutil.Error:
            break
        samples.append((spent, memory / 2**20))
        time.sleep(0.5)


def stock(root: Path, chapter: str, student: str = "*") -> Cost:
    clear(root)
    timed(root, "nbgrader", "generate_assignment", chapter, "--force")
    return timed(root, "nbgrader", "autograde", chapter, f"--student={student}")


def ours(root: Path, chapter: str, *options: str) -> Cost:
    clear(root)
    return timed(root, "grader", "grade", chapter, *options)


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
        costs: dict[str, list[Cost]] = {name: [] for name in ("stock 1", "ours 1", "stock", "ours", "bare 1", "bare")}
        for _ in range(rounds):
            costs["stock 1"].append(stock(root, chapter, first))
            costs["ours 1"].append(ours(root, chapter, "--student", first))
            costs["bare 1"].append(ours(root, chapter, "--student", first, "--no-pages"))
            costs["stock"].append(stock(root, chapter))
            theirs = marks(root)
            costs["bare"].append(ours(root, chapter, "--no-pages"))
            costs["ours"].append(ours(root, chapter))
            mine = marks(root)
            if mine != theirs:
                differ = [pair for pair in zip(theirs, mine, strict=False) if pair[0] != pair[1]]
                raise SystemExit(f"the marks differ, first at {differ[:1]}")
        middle = {
            name: Cost(
                *(statistics.median(getattr(cost, key) for cost in each) for key in ("seconds", "cpu", "memory"))
            )
            for name, each in costs.items()
        }
        further = {name: (middle[name] - middle[f"{name} 1"]) / (number - 1) for name in ("stock", "ours", "bare")}
        print(f"\n{chapter}, {number} submissions, {len(theirs)} marks, all equal; median of {rounds}, seconds\n")
        print("| | whole class | processor | one submission | each further one | processor | memory, MB |")
        print("|---|---|---|---|---|---|---|")
        for name, what in (
            ("stock", "`nbgrader autograde`"),
            ("bare", "`grader grade --no-pages`"),
            ("ours", "`grader grade`, with feedback pages"),
        ):
            pairs = [(c[name], c["stock"]) for c in (middle, further)]
            cells = [f"{mine:.2f} · {theirs / mine:.1f} ×" for a, b in pairs for mine, theirs in
                     ((a.seconds, b.seconds), (a.cpu, b.cpu))]  # fmt: skip
            cells.insert(2, f"{middle[name + ' 1'].seconds:.2f}")
            print(f"| {what} | {' | '.join(cells)} | {middle[name].memory:.0f} |")


def growth(chapter: str, numbers: list[int]) -> None:
    print(f"\n{chapter}: whole command, seconds; nothing to grade the second time\n")
    print("| submissions | graded | processor, each | again, unchanged | processor | memory, MB | gradebook, MB |")
    print("|---|---|---|---|---|---|---|")
    found = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make(root, chapter, number)
            total = ours(root, chapter)
            again = timed(root, "grader", "grade", chapter)
            size = (root / "gradebook.db").stat().st_size / 2**20
            found.append((number, total, again, size))
            cells = (number, total.seconds, total.cpu / number, again.seconds, again.cpu, total.memory, size)
            print("| {:,} | {:.1f} | {:.3f} | {:.1f} | {:.2f} | {:.0f} | {:.1f} |".format(*cells), flush=True)
    (n1, t1, a1, s1), (n2, t2, a2, s2) = found[-2:]
    each, more, larger = (t2 - t1) / (n2 - n1), (a2 - a1) / (n2 - n1), (s2 - s1) / (n2 - n1)
    for number in (10_000, 100_000):
        rest = number - n2
        cells = (number, t2.seconds + each.seconds * rest, each.cpu, a2.seconds + more.seconds * rest)
        print("| {:,}, reckoned | {:,.0f} | {:.3f} | {:,.0f} | | | {:,.0f} |".format(*cells, s2 + larger * rest))


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
