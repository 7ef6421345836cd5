"""One submission on two sides: the same marks and the same words as in one process, and what stops a bad one."""

import contextlib
import copy
import functools
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from conftest import ROOT, need_sandbox

from grader import notebooks, sandbox, trusted, wire
from grader.executor import Executor, Flag, Limits, mended, plan
from grader.suspicion import suspicions
from grader.trusted import Trusted

SOURCES = sorted(notebooks.SOURCES.glob("*.py"))
TARGET = ROOT / "tests" / "target.py"
# GRADER_ALL=1 runs every answer of every assignment, which takes as long as grading them does.
SAMPLE = None if os.environ.get("GRADER_ALL") else 4
LIMITS = Limits(cell_seconds=20, seconds=120)


@functools.cache
def built(path: Path):
    source = notebooks.read(path)
    # Plain assertions have no fingerprints.
    # Those that travel with a release are fresh, by a test of their own.
    return source, notebooks.solved(source, {} if path == TARGET else notebooks._committed(source))


def submissions(path: Path):
    """(what, answers) of every known answer of a source, right or wrong; or a few of them."""
    source = notebooks.read(path)
    release = notebooks.released(notebooks.solved(source, {}))
    stubs = {cell.id.removeprefix("solution-"): cell.source for cell in release.cells if cell.id[:9] == "solution-"}
    cells = [cell for cell in source.cells if cell.role in ("mistake", "accepted")]
    if SAMPLE:
        cells = random.Random(path.stem).sample(cells, min(SAMPLE, len(cells)))
    yield "the answers", source.answers()
    yield "unsolved", stubs
    for cell in cells:
        yield f"{cell.role} {cell.of}-{cell.key}", source.answers(cell)


CASES = [pytest.param(path, how, id=f"{path.stem}: {what}") for path in SOURCES for what, how in submissions(path)]


@pytest.fixture(scope="module")
def executor():
    need_sandbox()
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        yield executor


def graded(notebook):
    """What each graded code cell shows: {name: (points as text, feedback, errors and streams)}."""
    shown = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            kinds = {output.output_type: output for output in cell.outputs}
            value = kinds.get("execute_result", {}).get("data", {}).get("text/plain")
            feedback = kinds.get("display_data", {}).get("data", {}).get("text/plain")
            others = [output for kind, output in kinds.items() if kind in ("error", "stream")]
            shown[cell.metadata.nbgrader.grade_id] = (value, feedback, others)
    return shown


def answer(text: str, **others: str):
    """The target with an answer to its first exercise."""
    return notebooks.filled(built(TARGET)[1], {"square": text} | {n.replace("_", "-"): t for n, t in others.items()})


def points(notebook) -> dict:
    return {name: float(value) if value else 0.0 for name, (value, _, _) in graded(notebook).items()}


@pytest.mark.parametrize("path, answers", CASES)
def test_marks_and_words_are_those_of_one_process(path, answers, executor):
    notebook = notebooks.filled(built(path)[1], answers)
    here = notebooks.run(notebook)
    there = executor.run(notebook, source=built(path)[1], solved=built(path)[1])
    assert there.status == "ok"
    # How sure finite differences are is a matter of rounding, which another process's threads change.
    rounded = lambda text: re.sub(r"± \S+", "±", text.rstrip("\n"))
    expected = {name: (repr(here.points[name]), rounded(here.feedback[name]), []) for name in here.points}
    found = {name: (value, rounded(text), more) for name, (value, text, more) in graded(there.notebook).items()}
    named, named_here = dict(there.mistakes), dict(here.named)
    for name, cell in built(path)[0].graded.items():
        # A clock says twice the same only of what is well on the right side.
        if ".faster(" in cell.text and not found[name][0] == expected[name][0] == repr(float(cell.points)):
            for table in (found, expected, named, named_here):
                table.pop(name)
    assert found == expected
    assert named == named_here
    assert {flag.kind for flag in there.flags} <= {"numerical-gradient-returned"}


def test_a_real_kernel_shows_the_same(executor):
    """Jupyter's own kernel, lines of the student's own code in the feedback and all."""
    from nbgrader.preprocessors import Execute
    from nbgrader.utils import determine_grade

    text = "def square_grad(x):\n    wrong = np.zeros(2) + np.zeros(3)\n    return wrong"
    mutating = "def inverse(x):\n    return x * 1 / x**2\n\n\nx = 3\nprint('hello')\nx"
    notebook = answer(text, inverse=mutating, is_slope="def is_slope(slope, f, x):\n    raise NotImplementedError()")
    stock, _ = Execute(kernel_name="python3").preprocess(copy.deepcopy(notebook), {"metadata": {"path": "/tmp"}})
    ours = executor.run(notebook, source=built(TARGET)[1]).notebook
    assert graded(ours)["square"][1] == graded(stock)["square"][1]
    assert "in your line `wrong = np.zeros(2) + np.zeros(3)`" in graded(ours)["square"][1]
    for mine, theirs in zip(ours.cells, stock.cells, strict=True):
        if mine.cell_type == "code":
            assert [o.output_type for o in mine.outputs] == [o.output_type for o in theirs.outputs], mine.id
        if mine.metadata.get("nbgrader", {}).get("grade"):
            assert determine_grade(mine) == determine_grade(theirs)
    assert [o.get("text", "") for o in ours.cells[8].outputs] == [o.get("text", "") for o in stock.cells[8].outputs]


def test_what_students_use_works(executor):
    text = """\
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
plt.show()
%timeit -n 1 -r 1 sum(range(10))
!pip install something
def square_grad(x):
    print("printed", x)
    return 2 * x
fig, ax = plt.subplots()
"""
    done = executor.run(answer(text))
    outputs = next(cell for cell in done.notebook.cells if cell.id == "solution-square").outputs
    assert points(done.notebook)["square"] == 5.0
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    shown = "".join(output.get("text", "") for output in outputs)
    assert "per loop" in shown and "no shell here" in shown
    assert not any(output.output_type == "error" for output in outputs)


def test_prints_warnings_and_changed_arguments_are_noted_as_ever(executor):
    text = """\
import warnings
def square_grad(x):
    warnings.warn("mind the gap")
    np.log(-1.0 + 0 * x)
    print("noise")
    return 2 * x
"""
    here, there = notebooks.run(answer(text)), executor.run(answer(text))
    feedback = graded(there.notebook)["square"][1]
    assert feedback == here.feedback["square"].rstrip("\n")
    assert "warned: mind the gap" in feedback and "invalid value encountered in log" in feedback


def test_an_endless_loop_costs_its_own_exercise_alone():
    need_sandbox()
    with Executor(sandbox="bubblewrap", limits=Limits(cell_seconds=2, grace_seconds=1)) as executor:
        done = executor.run(answer("def square_grad(x):\n    while True: pass"))
        assert points(done.notebook) == {"square": 0.0, "inverse": 3.0, "is-slope": 4.0}
        assert done.status == "timeout"
        assert [flag.kind for flag in done.flags] == ["timeout"] and done.flags[0].cell == "square"
        assert "square_grad stopped: Stopped: still running after 2 seconds" in graded(done.notebook)["square"][1]


def test_a_process_that_ends_is_started_again_with_its_cells(executor):
    text = "import os\nkept = 7\ndef square_grad(x):\n    os._exit(3)"
    inverse = "def inverse(x):\n    return kept / 7 / x"
    done = executor.run(answer(text, inverse=inverse))
    assert points(done.notebook) == {"square": 0.0, "inverse": 3.0, "is-slope": 4.0}
    assert done.status == "died"


def test_what_a_given_cell_names_stays_where_the_student_has_the_same_number():
    """A small number is one object, on whichever side of the pipe it was written."""
    theirs = {"N": ("value", 6), "answer": ("value", 6)}
    student = SimpleNamespace(cell=lambda *_: ([], 1), look=lambda names: {n: theirs[n] for n in names if n in theirs})
    side = Trusted([], student)
    for source in ("N = 6", "answer", "def given():\n    return N", "2 + 2"):
        side.step({"id": "a", "side": "both", "source": source, "names": []})
    assert side.names["given"]() == 6
    assert "answer" not in side.names


def test_answers_are_looked_up_afresh_for_each_cell(executor):
    """A later cell of the student's redefines a function, as in a notebook that is run from top to bottom."""
    notebook = answer("def square_grad(x):\n    return 2 * x")
    notebook.cells.append(nbformat.v4.new_code_cell("def square_grad(x):\n    return 0"))
    first = nbformat.v4.new_code_cell("def is_slope(slope, f, x):\n    return None")
    notebook.cells.insert(1, first)
    assert points(executor.run(notebook).notebook) == {"square": 5.0, "inverse": 3.0, "is-slope": 4.0}


def test_what_the_instructors_answers_teach_is_of_losses_that_ask_no_student():
    """A loss that calls the notebook's own function is another one for each student."""
    asked = SimpleNamespace(serial=0)
    known = trusted.Known()
    memory = known.learn(asked)

    def loss(p):
        asked.serial += 1

    assert memory("e", "f", "1", lambda p: p["x"], {"x": 1.0}) == {}
    assert memory("e", "f", "2", loss, {"x": 1.0}) is None
    assert known.recall("e", "f", "1") == {} and known.recall("e", "f", "2") is known.recall("e", "f", "3") is None


def test_no_submission_changes_what_the_next_one_meets():
    """The first process learns from the instructor's answers, and from no student's."""
    need_sandbox()
    source = built(TARGET)[1]
    right, wrong = (answer(f"def square_grad(x):\n    return {text}") for text in ("x + x", "x * x"))
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        runs = [executor.run(n, source=source, solved=source) for n in (right, wrong, wrong, right)]
        alone = [executor.run(n, source=source) for n in (right, wrong)]
    shown = [graded(done.notebook) for done in (*runs, *alone)]
    assert shown[0] == shown[3] == shown[4] and shown[1] == shown[2] == shown[5] != shown[0]


# Cells that are not as they were ------------------------------------------------------------------------------


def tampered(change):
    """The target's answers, with the notebook changed."""
    notebook = copy.deepcopy(built(TARGET)[1])
    change({cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}, notebook)
    return notebook


def edit(cells, notebook):
    cells["square"].source = "5.0"
    cells["solution-square"].source = "def square_grad(x):\n    return 0"


def edit_given(cells, notebook):
    cells["given-2"].source = "def square(x):\n    return 0 * x"


def delete(cells, notebook):
    gone = [cells["inverse"], cells["given-2"], cells["solution-square"]]
    notebook.cells = [cell for cell in notebook.cells if cell not in gone]


def repeat(cells, notebook):
    extra = copy.deepcopy(cells["square"])
    extra.source = "5.0"
    notebook.cells += [extra, copy.deepcopy(cells["square"])]


def reorder(cells, notebook):
    notebook.cells.reverse()


def promise(cells, notebook):
    """More points, and a test cell that says that it is an answer."""
    cells["square"].metadata.nbgrader["points"] = 500
    cells["square"].metadata.nbgrader["solution"] = True
    cells["square"].source = "500.0"
    own = nbformat.v4.new_code_cell("7.0")
    own.metadata["nbgrader"] = {**cells["square"].metadata.nbgrader, "grade_id": "mine"}
    notebook.cells.append(own)


@pytest.mark.parametrize(
    "change, expected, kinds",
    [
        (edit, {"square": 0.0}, {"edited"}),
        (edit_given, {}, {"edited"}),
        (delete, {"square": 0.0}, {"missing"}),
        (repeat, {}, {"duplicated"}),
        (reorder, {}, {"order"}),
        (promise, {}, {"edited"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_cells_are_put_back(change, expected, kinds, executor):
    done = executor.run(tampered(change), source=built(TARGET)[1])
    assert points(done.notebook) == {"square": 5.0, "inverse": 3.0, "is-slope": 4.0} | expected
    assert kinds <= {flag.kind for flag in done.flags}
    nbformat.validate(done.notebook)
    names = [c.metadata.nbgrader.grade_id for c in done.notebook.cells if "nbgrader" in c.metadata]
    assert names == [c.metadata.nbgrader.grade_id for c in built(TARGET)[1].cells if "nbgrader" in c.metadata]
    assert all(c.metadata.nbgrader.get("points", 0) < 10 for c in done.notebook.cells if "nbgrader" in c.metadata)


def test_a_students_text_runs_nothing_in_a_browser(executor):
    """Formgrader and feedback pages show what Markdown and raw cells hold."""
    from nbconvert import HTMLExporter

    script = "alert('canary-of-a-script')"
    texts = [
        f"<script>{script}</script>", f'a <img src=x onerror="{script}"> b', f"<!-- --><svg onload={script}>",
        f"[a](javascript:{script}) [b](javascript&#58;{script}) [c](JAVAscript\\:{script})",
        f"[d]\n\n[d]: vbscript:{script}",
        f"`<b>` <https://example.org> $a<b$ <a href='javascript:{script}'>x</a>",
    ]  # fmt: skip

    def change(cells, notebook):
        for text in texts:
            tags = {"tags": [f'"><script>{script}</script>']}
            notebook.cells.append(nbformat.v4.new_markdown_cell(text, metadata=tags))
            notebook.cells.append(nbformat.v4.new_raw_cell(text, metadata={"raw_mimetype": "text/html"}))
        notebook.metadata["title"] = f"</title><script>{script}</script>"
        notebook.metadata["widgets"] = {"x": {"state": f"</script><script>{script}</script>"}}

    done = executor.run(tampered(change), source=built(TARGET)[1])
    page = HTMLExporter().from_notebook_node(done.notebook)[0]
    found = re.findall(r"<[a-z]+\b[^<>]*canary-of-a-script|<script>alert", page)
    assert found == [] and "https://example.org" in page
    seen = HTMLExporter().from_notebook_node(tampered(change))[0]
    assert "<script>alert" in seen, "nothing to be stopped"


def test_a_message_is_no_formula(executor):
    text = "def square_grad(x):\n    raise ValueError(r'$\\href{javascript:alert(1)}{press} <b>$')"
    cell = next(c for c in executor.run(answer(text)).notebook.cells if c.id == "tests-square")
    page = next(o for o in cell.outputs if o.output_type == "display_data").data["text/html"]
    assert page.startswith('<div class="tex2jax_ignore mathjax_ignore">') and "&lt;b&gt;" in page


def test_an_answer_that_is_missing_is_never_replaced_by_the_instructors():
    notebook, _ = mended(tampered(delete), built(TARGET)[1])
    assert next(c for c in notebook.cells if c.id == "solution-square").source == ""


# The sandbox --------------------------------------------------------------------------------------------------


def test_without_a_sandbox_it_refuses_and_says_why(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sandbox.find.cache_clear()
    with pytest.raises(sandbox.NoSandbox, match="(?s)bwrap is not installed.*podman nor docker.*--no-sandbox"):
        Executor()
    sandbox.find.cache_clear()
    with pytest.raises(ValueError, match="no sandbox is called 'chroot'"):
        Executor(sandbox="chroot")


def test_a_project_that_the_sandbox_would_cover_is_told_so(monkeypatch):
    need_sandbox()
    monkeypatch.setattr(sandbox, "ROOT", Path("/tmp/clone"))
    assert sandbox._bubblewrap_fails().startswith("/tmp/clone is in /tmp")


@pytest.mark.parametrize(
    "said, who",
    [
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor"),
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "/proc parts are masked"),
        ("bwrap: No permissions to create new namespace, likely because ...", "seccomp"),
    ],
)
def test_who_refuses_bubblewrap_is_named(monkeypatch, tmp_path, said, who):
    need_sandbox()
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\necho {shlex.quote(said)} >&2\nexit 1\n")
    bwrap.chmod(0o755)
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: [str(bwrap)])
    assert said in sandbox._bubblewrap_fails() and who in sandbox._bubblewrap_fails()


@pytest.fixture
def killed_once(tmp_path):
    """What makes of a command one that is killed before it starts, the first time."""
    script = f"[ -e {tmp_path}/killed ] || {{ touch {tmp_path}/killed; kill -9 $$; }}; exec \"$@\""
    yield lambda line: ["sh", "-c", script, "sh", *line]
    assert (tmp_path / "killed").exists()


def test_that_somebody_killed_the_trial_says_nothing_of_the_machine(killed_once, monkeypatch):
    need_sandbox()
    line = sandbox.bubblewrap()
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: killed_once(line))
    assert sandbox._bubblewrap_fails() == ""
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: ["sh", "-c", "echo never >&2; kill -9 $$"])
    assert sandbox._bubblewrap_fails() == "it does not start: never"


def test_waived_it_runs_with_the_same_marks():
    with Executor(sandbox="none", limits=LIMITS) as executor:
        assert points(executor.run(built(TARGET)[1]).notebook) == {"square": 5.0, "inverse": 3.0, "is-slope": 4.0}


def test_the_sandbox_sees_no_more_than_it_must():
    need_sandbox()
    look = "import os; print([p for p in PATHS if os.path.exists(p)], os.environ.get('HOME'), os.listdir('/'))"
    hidden = [ROOT / name for name in ("solutions", "tests", "README.md", "nbgrader_config.py", "grader/executor.py")]
    hidden += ["/etc/passwd", "/usr/bin/env", "/bin/sh", "/var", "/sys", str(Path(__file__))]
    line = [*sandbox.bubblewrap(), sys.executable, "-I", "-c", look.replace("PATHS", repr(list(map(str, hidden))))]
    seen = subprocess.run(line, env=sandbox.environment(), capture_output=True, text=True, check=True).stdout
    assert seen.startswith("[] /tmp")


def test_each_wall_is_there():
    """What a child that is shut in can't do, one by one: by the kernel's answer, not by ours."""
    need_sandbox()
    probe = """
import ctypes, json, os, resource, socket, sys
from grader import sandbox
sandbox.become_nobody()
limits, base = vars(sandbox.Limits()), sandbox.address_space()
sandbox.own_namespaces(limits)
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os.setsid()
os.chdir("/tmp")
sandbox.limit(limits, base)
sandbox.give_up_rights()
said = {"pid": os.getpid(), "proc": os.listdir("/proc"), "tmp": os.listdir("/tmp"), "uid0": os.getuid() == 0}
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, call):
    try:
        result = call()
        said[name] = "done" if result is None or isinstance(result, int) and result >= 0 else ctypes.get_errno()
    except OSError as error:
        said[name] = error.errno
    except MemoryError:
        said[name] = "memory"
tried("socket", lambda: socket.socket().close())
tried("exec", lambda: os.execv(sys.executable, ["x"]))
tried("unshare", lambda: libc.unshare(0x10000000))
tried("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
tried("unmount", lambda: libc.umount2(b"/proc", 2))
tried("ptrace", lambda: libc.ptrace(0, 0, 0, 0))
tried("keyctl", lambda: libc.syscall(250 if os.uname().machine == "x86_64" else 219, 0, -3, 0))
tried("write", lambda: open("/left", "w").close())
tried("dev", lambda: open("/dev/left", "w").close())
tried("scratch", lambda: open("/tmp/mine", "w").close())
tried("memory", lambda: bytearray(limits["memory"] * 2) and None)
tried("files", lambda: [os.open("/dev/null", 0) for _ in range(100)] and None)
print(json.dumps(said), flush=True)
"""
    line = [*sandbox.bubblewrap(), sys.executable, "-I", "-c", probe]
    done = subprocess.run(line, env=sandbox.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = __import__("json").loads(done.stdout)
    walls = dict.fromkeys(["socket", "exec", "unshare", "mount", "unmount", "ptrace", "keyctl"], 1)
    assert said == walls | {
        "pid": 1, "proc": [], "tmp": [], "uid0": False, "write": 30, "dev": 30, "scratch": "done", "memory": "memory",
        "files": 24,
    }  # fmt: skip


def test_an_ordinary_user_has_the_same_sandbox():
    """Root becomes nobody; anyone else is given a user namespace.  This test runs as the other of the two."""
    need_sandbox()
    other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    script = (
        "from grader.executor import Executor\nfrom grader import notebooks\nfrom pathlib import Path\nimport os\n"
        f"source = notebooks.read(Path({str(TARGET)!r}))\n"
        "with Executor(sandbox='bubblewrap') as e:\n"
        "    done = e.run(notebooks.solved(source, {}))\n"
        "    print(os.geteuid(), done.status, e._student.said['namespaces'], *[f.message for f in done.flags])"
    )
    done = subprocess.run([*other, sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["ok", "True"] and done.stdout.split()[0] != "0"


def test_where_no_namespaces_are_to_be_had_each_submission_has_a_sandbox_of_its_own(monkeypatch):
    need_sandbox()
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        executor._warm_up()
        executor._student.__dict__["said"] = {"ready": True, "namespaces": False}
        first = executor._student.process.pid
        done = executor.run(answer("import os\ndef square_grad(x):\n    return 2 * x\nprint(os.getpid())"))
        assert points(done.notebook)["square"] == 5.0 and done.status == "ok"
        assert executor._student.process.pid != first


def test_a_containers_command_line():
    line = sandbox.container("podman", Limits(memory=2**30))
    text = " ".join(line)
    assert line[:2] == ["podman", "run"] and line[-5:] == [sandbox.IMAGE, "python", "-m", "grader.student", "--alone"]
    for wanted in (
        "--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--user 65534:65534", "--rm",
        f"--memory {2**30}", "--pids-limit", "noexec",
    ):  # fmt: skip
        assert wanted in text
    mounts = [line[at + 1] for at, word in enumerate(line) if word == "--volume"]
    assert mounts and all(mount.endswith(":ro") for mount in mounts)
    assert not any(secret in text for secret in ("solutions", "gradebook", "submitted", "source/", "executor.py"))


def test_the_process_of_a_container_serves_over_its_standard_input():
    """What runs in a container, without the container: `grader.student --alone`."""
    executor = Executor(sandbox="none", limits=LIMITS)
    executor.tool = "container"
    line = [sys.executable, "-I", "-m", "grader.student", "--alone"]
    try:
        import grader.executor

        saved, grader.executor.command = grader.executor.command, lambda tool: line
        done = executor.run(built(TARGET)[1])
    finally:
        grader.executor.command = saved
        executor.close()
    assert points(done.notebook) == {"square": 5.0, "inverse": 3.0, "is-slope": 4.0} and done.status == "ok"


# Lives and deaths ---------------------------------------------------------------------------------------------


def descendants(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                found |= {child} | descendants(child)
        except (OSError, ValueError):
            continue
    return found


def test_nothing_is_left_where_the_grader_is_killed():
    need_sandbox()
    script = (
        "from grader.executor import Executor\nfrom grader import notebooks\nfrom pathlib import Path\n"
        f"source = notebooks.read(Path({str(TARGET)!r}))\n"
        "text = 'import os\\nos.fork()\\nwhile True: pass'\n"
        "notebook = notebooks.filled(notebooks.solved(source, {}), {'square': text})\n"
        "with Executor(sandbox='bubblewrap') as e:\n    print('go', flush=True)\n    e.run(notebook)\n"
    )
    grader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert grader.stdout.readline() == "go\n"
    deadline = time.monotonic() + 20
    while len(descendants(grader.pid)) < 7 and time.monotonic() < deadline:
        time.sleep(0.1)
    family = descendants(grader.pid)
    assert len(family) >= 7
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    grader.stdout.close()
    deadline = time.monotonic() + 10
    while (left := [pid for pid in family if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.parametrize("side", ["_student", "_trusted"])
def test_a_warm_process_that_is_killed_is_replaced(side):
    need_sandbox()
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        executor.run(built(TARGET)[1])
        process = getattr(executor, side).process
        process.kill()
        process.wait()
        assert executor.run(built(TARGET)[1]).status == "ok"


def test_a_process_that_is_killed_before_it_is_ready_is_started_again(killed_once, monkeypatch):
    need_sandbox()
    line = sandbox.command("bubblewrap")
    monkeypatch.setattr("grader.executor.command", lambda tool: killed_once(line))
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        done = executor.run(built(TARGET)[1])
    assert done.status == "ok" and done.flags == []
    monkeypatch.setattr("grader.executor.command", lambda tool: ["false"])
    with Executor(sandbox="bubblewrap", limits=LIMITS) as executor:
        with pytest.raises(RuntimeError, match="ended before it had started"):
            executor.run(built(TARGET)[1])


def test_a_warm_process_that_is_gone_when_a_cell_wants_it_is_no_wrong_answer(monkeypatch):
    need_sandbox()
    from grader import submission

    class Killed(Executor):
        kills = 1

        def _warm_up(self):
            super()._warm_up()
            if self.kills and self._student.said:
                self.kills -= 1
                self._student.process.kill()
                self._student.process.wait()

    with Killed(sandbox="bubblewrap", limits=LIMITS) as executor:
        done = executor.run(built(TARGET)[1])
        assert done.status == "died" and "died" in {flag.kind for flag in done.flags}
        executor.kills = 1
        monkeypatch.setattr(submission, "_executor", lambda: executor)
        source = built(TARGET)[1]
        outcome = submission.Outcome("one")
        graded = submission._execute(source, submission.Master(source), outcome)
    assert graded.scores == {"square": 5.0, "inverse": 3.0, "is-slope": 4.0}
    assert outcome.flags == [] and outcome.notes == []


def test_who_is_killed_after_running_too_long_is_tried_again(monkeypatch):
    """A loop without end costs its own exercise alone, even where somebody then kills the next one's process."""
    need_sandbox()
    from grader import submission

    class Killed(Executor):
        runs = 0

        def run(self, notebook, **more):
            self.runs += 1
            done = super().run(notebook, **more)
            if self.runs == 1:
                done.flags.append(Flag("died", "the process that ran the notebook ended"))
            return done

    source = built(TARGET)[1]
    with Killed(sandbox="bubblewrap", limits=Limits(cell_seconds=1, seconds=60)) as executor:
        monkeypatch.setattr(submission, "_executor", lambda: executor)
        loops = answer("def square_grad(x):\n    while True: pass")
        graded = submission._execute(loops, submission.Master(source), submission.Outcome("one"))
    assert executor.runs == 2 and graded.scores == {"square": 0.0, "inverse": 3.0, "is-slope": 4.0}


def test_a_verdict_that_no_longer_tells_right_from_wrong_says_so():
    """The trusted side proves its health before and after: seen failing with a check that finds everything right."""
    script = (
        "from grader import trusted\nfrom backprop import grading\n"
        "assert trusted.healthy()\n"
        "grading.Exercise.gradient = lambda self, f, *a, **k: self._part(f, '', 1.0) and None\n"
        "assert not trusted.healthy()\n"
        "print(trusted.grade([], trusted.Student(None, {'limits': {'seconds': 1.0}}))['status'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "unsound\n", done.stderr


def junk(serial: int, chance: random.Random):
    """A reply that no honest process gives, or nearly one."""
    told = {"type": "E", "kinds": ["ValueError", "Exception"], "text": "", "line": "", "function": "f", "origin": -1}
    broken = {key: value for key, value in told.items() if chance.random() < 0.7}
    strange = chance.choice([None, 5, "x", [], {}, [[]], {"inverse": 5}, {"square_grad": ("function", 1)}, 1.0, True])
    kinds = chance.choice([["UnicodeDecodeError"], ["SystemExit"], ["BaseException"], ["object", "print"], 5, [[]]])
    return chance.choice(
        [
            strange,
            [serial],
            [serial + 1, "returned", 1.0, None, [], {}],
            [serial, strange, strange],
            [serial, "outputs", strange, strange],
            [serial, "outputs", [{"output_type": strange, "data": strange}], 1],
            [serial, "names", strange],
            [serial, "names", {"square_grad": ("function", None), "inverse": ("function", None), "is_slope": strange}],
            [serial, "returned", strange],
            [serial, "returned", strange, strange, strange, strange],
            [serial, "returned", strange, None, [["UserWarning", strange]], {}],
            [serial, "raised", strange, None, [], {}],
            [serial, "raised", broken, None, [], {}],
            [serial, "raised", {**told, "kinds": kinds}, None, [], {}],
            [serial, "raised", {**told, chance.choice([*told]): strange}, None, [], {}],
            ["flag", strange],
            ["flag", strange, strange],
            ["back", strange, strange],
            ["back", 0, strange, strange],
            ["back", 0, [strange], {}],
        ]
    )


@pytest.mark.parametrize("seed", range(40))
def test_no_reply_whatever_upsets_the_verdict(seed):
    """A student's process that answers anything: points are earned by nothing of it, and no error escapes."""
    chance = random.Random(seed)
    control, theirs = socket.socketpair()
    channels = []

    def serve():
        while True:
            data, fds, _, _ = socket.recv_fds(theirs, 16, 4)
            if not data:
                return
            for fd in fds:
                link = wire.Link(socket.socket(fileno=fd))
                channels.append(link)
                with contextlib.suppress(wire.Gone, wire.Refused):
                    link.receive()
                    while True:
                        request = wire.unpack(link.receive(), lambda number: number)
                        if request[0] in ("result", "error"):
                            continue
                        reply = junk(request[0], chance)
                        if reply == [1] or chance.random() < 0.02:
                            link.close()
                        link.send(wire.pack(reply))
                theirs.send(b"{}")

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    limits = vars(Limits(cell_seconds=1, grace_seconds=0.1, seconds=10, starts=20))
    student = trusted.Student(control, {"command": [], "limits": limits})
    steps = plan(built(TARGET)[1], built(TARGET)[1])
    done = trusted.grade(steps, student)
    assert len(done["cells"]) == len(steps) and done["status"] in ("ok", "died", "timeout")
    wire.unpack(wire.pack(done))
    for step, cell in zip(steps, done["cells"], strict=True):
        if step["side"] == "trusted":
            value = [o["data"]["text/plain"] for o in cell["outputs"] if o["output_type"] == "execute_result"]
            assert value in ([], ["0.0"], ["1.0"], ["2.0"]), "points for noise"
    student.stop()
    control.close()
    server.join(5)
    for link in channels:
        link.close()
    theirs.close()


# What an instructor should look at ----------------------------------------------------------------------------


def test_no_known_answer_is_suspicious():
    cells = [cell for path in SOURCES for cell in notebooks.read(path).cells]
    texts = [cell.text for cell in cells if cell.role in ("solution", "mistake", "accepted")]
    assert len(texts) > 300
    assert [found for text in texts if (found := suspicions(text))] == []


@pytest.mark.parametrize(
    "text, word",
    [
        ("import os", "imports os"),
        ("from subprocess import run", "imports from subprocess"),
        ("!ls", "shell"),
        ("np.testing.assert_allclose = print", "changes np.testing.assert_allclose"),
        ("f.__globals__", "insides"),
        ("getattr(f, '__code__')", "insides"),
        ("class A(np.ndarray): pass", "passes for a ndarray"),
        ("checks = None", "reaches for the checks"),
        ("open('x')", "uses open"),
        ("print('square: right, 5 of 5 points')", "of 5 points"),
    ],
)
def test_suspicious_text(text, word):
    assert any(word in found for found in suspicions(text)), suspicions(text)
