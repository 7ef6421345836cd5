"""Never lost, never stuck: killed at any moment, or with a full disk, the grader goes on to the same gradebook."""

import contextlib
import multiprocessing
import random
import resource
import shutil
import time

import psutil
import pytest
from classroom import RIGHT, WRONG, Class

from grader import pool
from grader.submission import version

MOMENTS = 20


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A class of eight, graded without a disturbance; `seconds` is how long that took."""
    course = Class(tmp_path_factory.mktemp("whole") / "course")
    for number in range(8):
        answer = (RIGHT, WRONG, "def square_grad(x):\n    raise SystemExit(x)", "x = 1")[number % 4]
        course.submit(f"student {number}", {"square": answer}, "Because." if number % 3 else None)
    start = time.monotonic()
    course.output = course.run()
    course.seconds = time.monotonic() - start
    return course


def anew(whole, root, graded):
    """A copy of the class, as handed in or as graded."""
    leave = () if graded else ("gradebook.db", "autograded", "feedback", "reports")
    shutil.copytree(whole.root, root, ignore=shutil.ignore_patterns(*leave))
    return Class(root)


def files(course):
    found = {}
    for step in ("autograded", "feedback", "reports"):
        found |= {path.relative_to(course.root): path.read_bytes() for path in (course.root / step).rglob("*.*")}
    return found


def same(course, whole):
    """Going on from where it stopped ends as if nothing had happened."""
    shown = lambda text: [line for line in text.splitlines() if line.startswith("student")]
    assert shown(course.run()) == shown(whole.output)
    assert course.marks() == whole.marks()
    assert files(course) == files(whole)
    # Nothing is left aside, and nothing half-written.
    assert [path.name for path in (course.root / ".grader").iterdir()] == ["lock"]


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_killed_at_a_random_moment(whole, tmp_path, seed):
    rng = random.Random(seed)
    graded = seed % 4 == 3
    course = anew(whole, tmp_path / "course", graded)
    process = course.start(*(["--force"] if graded else []))
    time.sleep(rng.uniform(0.1, whole.seconds))
    grader = psutil.Process(process.pid)
    family = [grader]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += grader.children(recursive=True)
    victim = grader if seed % 2 else rng.choice(family)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err or victim is grader, err
    if victim is not grader:
        assert process.returncode == 0, out + err
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == [], "processes outlive the grader"
    same(course, whole)


def test_a_worker_is_started_again_where_what_starts_it_is_killed(monkeypatch):
    kills = iter([EOFError] * pool.ATTEMPTS)
    start = multiprocessing.get_context(pool.METHOD).Process.start

    def killed(process):
        for error in kills:
            raise error()
        start(process)

    monkeypatch.setattr(multiprocessing.get_context(pool.METHOD).Process, "start", killed)
    with pytest.raises(EOFError):
        pool.Processes(1, {})
    kills = iter([ConnectionRefusedError])
    workers = pool.Processes(1, {})
    try:
        workers.submit("one", "version")
        results = []
        while workers.busy:
            results += workers.wait()
        assert results == [("one", version())]
    finally:
        workers.close()


@pytest.mark.parametrize("room", [30_000, 100_000, 60_000])
def test_full_disk(whole, tmp_path, room):
    course = anew(whole, tmp_path / "course", graded=room == 60_000)
    options = ["--force"] if room == 60_000 else []
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    process = course.start(*options, preexec_fn=limit)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert "Traceback" not in err and "What is graded is kept" in err
    assert "large" in err or "full" in err or "disk" in err
    same(course, whole)
