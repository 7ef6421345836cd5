"""Runs one submission on two sides: the student's cells in a sandbox, the test cells where nothing of theirs runs.

    with Executor() as executor:
        done = executor.run(submission, source=instructors_notebook)
        done.notebook   with outputs as nbgrader's next steps expect them
        done.flags      what the instructor should look at
        done.mistakes   {exercise: [ids of the catalogue]}

`Execute` is the same as a step of nbgrader's, in place of its own.
"""

import ast
import atexit
import builtins
import copy
import functools
import hashlib
import itertools
import json
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Unicode

from grader import wire
from grader.sandbox import Limits, command, environment, find
from grader.suspicion import parsed, suspicions

# What takes long to import, by the text of a notebook that comes to need it; optimisers import torch._dynamo at their
# first step.
PRELOADED = {
    r"^[ \t]*(import|from) +torch\b": "torch",
    r"\btorch\.optim\b|^[ \t]*from +torch +import\b.*\boptim\b": "torch._dynamo",
    r"^[ \t]*(import|from) +matplotlib\b": "matplotlib.pyplot",
}
PICTURES = ("image/png", "image/jpeg", "image/gif")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
NOT_RUN = {"output_type": "error", "ename": "NotRun", "evalue": "the cell was not run", "traceback": ["NotRun"]}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS$.*?^[ \t]*### END HIDDEN TESTS$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Flag:
    """Something for the instructor to look at."""

    kind: str
    message: str
    cell: str = ""


@dataclass
class Executed:
    """What came of one submission.

    `status` is "ok"; or "timeout", "memory" or "died" for the first thing that ended the student's process, which
    costs what it was asked for and nothing else; or "unsound" where the verdict failed its own test: no cell has marks.
    """

    notebook: NotebookNode
    flags: list[Flag] = field(default_factory=list)
    mistakes: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    status: str = "ok"


class Executor:
    """A warm student's side and a warm trusted side; `run` forks both for each submission.

    Thread-safe, one submission at a time: for more at once, one for each worker.
    """

    def __init__(self, *, sandbox: str = "auto", limits: Limits | None = None):
        self.limits = limits or Limits()
        self.tool = find(sandbox)
        self._lock = threading.Lock()
        self._student: _Process | None = None
        self._trusted: _Process | None = None
        self._learned: set[str] = set()

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def warm_up(self) -> None:
        """Start both warm processes, and don't wait for them."""
        with self._lock:
            self._warm_up()

    def close(self) -> None:
        """Stop both warm processes, and with them whatever they run."""
        for process in (self._student, self._trusted):
            if process:
                process.close()
        self._student = self._trusted = None
        self._learned.clear()

    def run(
        self, notebook: NotebookNode, *, source: NotebookNode | None = None, solved: NotebookNode | None = None
    ) -> Executed:
        """Execute a copy of a submission.

        `source` is the instructor's notebook: its given and test cells count, whatever the submission says.
        Without it the submission's own locked cells are taken, as nbgrader's OverwriteCells leaves them.
        `solved` is `source` with answers: what its checks find out of the tests is known to those that come after.
        """
        start = time.monotonic()
        notebook, flags = mended(notebook, source)
        steps = plan(notebook, source)
        tests = _tests(steps)
        with self._lock:
            if solved is not None and tests not in self._learned:
                self._learned.add(tests)
                self._ask(plan(mended(solved, source)[0], source), tests, learn=True)
            reply = self._ask(steps, tests)
        for step, done in itertools.zip_longest(steps, reply["cells"]):
            cell = notebook.cells[step["index"]]
            # Without an output nbgrader would read full marks.
            if done is None or reply["status"] == "unsound" and step["side"] == "trusted":
                done = {"outputs": [NOT_RUN], "count": None}
            cell.outputs = [nbformat.from_dict(output) for output in done["outputs"]]
            cell.execution_count = done["count"]
        flags += [Flag(*flag) for flag in reply["flags"]]
        for step in steps:
            if step["side"] == "student":
                flags += [Flag("suspicious", text, step["id"]) for text in suspicions(step["source"])]
                flags += [Flag("suspicious", f"redefines {name}", step["id"]) for name in step["redefined"]]
        return Executed(notebook, flags, reply["mistakes"], time.monotonic() - start, reply["status"])

    def _ask(self, steps: list[dict], tests: str, learn: bool = False) -> dict:
        """Have the trusted side run the steps; where it fails, say so and start afresh the next time."""
        self._warm_up()
        text = "\n".join(step["source"] for step in steps)
        wanted = {
            "preload": [module for pattern, module in PRELOADED.items() if re.search(pattern, text, re.MULTILINE)],
            "limits": vars(self.limits),
            "given": [step["source"] for step in steps if step["side"] == "both"],
            "tests": tests,
            "learn": learn,
            "sandboxed": self.tool != "none",
            "namespaces": self._student is not None and self._student.said["namespaces"] and self.tool != "none",
            "command": command(self.tool) if self.tool == "container" else [],
        }
        sent = [{key: step[key] for key in ("side", "source", "id", "names")} for step in steps]
        ours, theirs = socket.socketpair()
        link = wire.Link(ours)
        try:
            with theirs:
                control = (self._student or self._trusted).control
                socket.send_fds(self._trusted.control, [b"grade"], [control.fileno(), theirs.fileno()])
            deadline = time.monotonic() + self.limits.seconds + 60
            link.send(wire.pack({"steps": sent, "wanted": wanted}), deadline)
            return wire.unpack(link.receive(deadline))
        except (OSError, wire.Refused) as error:
            self.close()
            return {"cells": [], "flags": [["died", str(error), ""]], "mistakes": {}, "status": "died"}
        finally:
            link.close()
            if self._student and self.tool == "bubblewrap" and not wanted["namespaces"]:
                # It was this submission's alone; the next one's starts while this one's marks are written.
                self._student.close()
                self._student = _Process(command(self.tool))

    def _warm_up(self) -> None:
        for process in (self._student, self._trusted):
            if process and process.process.poll() is not None:
                self.close()
        if self._student is None and self.tool != "container":
            self._student = _Process(command(self.tool))
        if self._trusted is None:
            self._trusted = _Process([sys.executable, "-I", "-m", "grader.trusted"], MPLBACKEND="agg")


class _Process:
    """A warm process, its control socket, and what it said when it was ready."""

    def __init__(self, line: list[str], **variables: str):
        self.line, self.variables = line, variables
        self._start()

    def _start(self) -> None:
        # Where there is one, a socket that keeps messages apart.
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM
        self.control, theirs = socket.socketpair(type=kind)
        with theirs:
            fd = theirs.fileno()
            self.process = subprocess.Popen(
                [*self.line, str(fd)], pass_fds=[fd], env=environment() | self.variables, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    @functools.cached_property
    def said(self) -> dict:
        data = self._first_words()
        if not data:
            # Broken, or somebody killed it: only one of the two happens again.
            self.close()
            self._start()
            data = self._first_words()
        if not data:
            raise RuntimeError("a process of the grader ended before it had started: its message is above")
        return json.loads(data)

    def _first_words(self) -> bytes:
        self.control.settimeout(60)
        try:
            return self.control.recv(65536)
        except OSError as error:
            raise RuntimeError(f"a process of the grader did not start: {error}") from None
        finally:
            self.control.settimeout(None)

    def close(self) -> None:
        self.control.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# The plan of a notebook ---------------------------------------------------------------------------------------


def role(cell: NotebookNode) -> str:
    """What a cell is by nbgrader's metadata: "tests", "given", "solution" or "" for the student's own."""
    data = cell.metadata.get("nbgrader", {})
    if not data.get("grade_id"):
        return ""
    if data.get("solution") or data.get("task"):
        return "solution"
    return "tests" if data.get("grade") else "given" if data.get("locked") else ""


def mended(notebook: NotebookNode, source: NotebookNode | None) -> tuple[NotebookNode, list[Flag]]:
    """A copy in which given and test cells are the instructor's, each once, and in the instructor's order.

    Of a cell that is there twice the last counts, as for nbgrader; what a student has added stays behind the cell
    that it was added to.  Answers are the student's; where an answer's cell is missing there is an empty one.
    """
    if source is None:
        return copy.deepcopy(notebook), []
    known = {cell.metadata.nbgrader.grade_id: cell for cell in source.cells if role(cell)}
    places = [_place(cell) for cell in notebook.cells]
    last = {name: index for index, name in enumerate(places) if name in known}
    flags: list[Flag] = []
    chunks: dict[str, list[NotebookNode]] = {"": []}
    at = ""
    for index, (name, cell) in enumerate(zip(places, notebook.cells, strict=True)):
        if last.get(name) == index:
            at = name
            chunks[name] = [_mend(cell, known[name], flags)]
        else:
            if name in known:
                flags.append(Flag("duplicated", "the cell is there more than once; the last one counts", name))
            chunks[at].append(_own(cell))
    for name, cell in known.items():
        if name not in chunks:
            flags.append(Flag("missing", "the cell was missing and has been put back", name))
            chunks[name] = [_mend(None, cell, flags)]
    if [name for name in known if name in last] != sorted(last, key=last.get):
        flags.append(Flag("order", "cells stood in another order"))
    cells = [*chunks[""], *(cell for name in known for cell in chunks[name])]
    ids: set[str] = set()
    for number, cell in enumerate(cells):
        if not re.fullmatch(r"[\w-]{1,64}", str(cell.get("id", "")), re.ASCII) or cell.id in ids:
            cell.id = f"cell-{number}"
        ids.add(cell.id)
    kernel = source.metadata.get("kernelspec", KERNEL)
    metadata = NotebookNode(kernelspec=kernel, language_info=NotebookNode(name="python"))
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata), flags


def _place(cell: NotebookNode) -> str:
    """The name that nbgrader's metadata give a cell, which a student may have edited; "" for none."""
    data = cell.metadata.get("nbgrader")
    name = data.get("grade_id") if isinstance(data, dict) else ""
    return name if isinstance(name, str) else ""


def _mend(theirs: NotebookNode | None, ours: NotebookNode, flags: list[Flag]) -> NotebookNode:
    """The instructor's cell; an answer's has the student's text."""
    cell, name = copy.deepcopy(ours), ours.metadata.nbgrader.grade_id
    if role(ours) == "solution":
        cell.source = theirs.source if theirs else ""
        if cell.cell_type == "markdown" and theirs and theirs.source != ours.source:
            cell.source, cell.attachments = _inert(theirs.source), _pictures(theirs)
    elif theirs and theirs.source.strip() not in (ours.source.strip(), HIDDEN.sub("", ours.source).strip()):
        flags.append(Flag("edited", "the cell is not the student's to edit, and was put back as it was", name))
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _own(theirs: NotebookNode) -> NotebookNode:
    """A cell that a student has added: its text, and nothing that a page would run."""
    # As nbformat makes them, without its validation of each.
    cell = NotebookNode(id=theirs.get("id", ""), metadata=NotebookNode())
    if theirs.cell_type == "code":
        cell |= {"cell_type": "code", "source": theirs.source, "outputs": [], "execution_count": None}
    else:
        cell |= {"cell_type": "markdown", "source": _inert(theirs.source), "attachments": _pictures(theirs)}
    return cell


def _inert(text: str) -> str:
    """Markdown without HTML and without links that run.

    A tag begins with a letter right after its bracket, wherever it stands; a scheme ends with a colon, however written.
    """
    text = re.sub(r"&(?=#|colon|tab|newline)", "& ", text, flags=re.IGNORECASE)
    text = re.sub(r"(javascript|vbscript|data)(?=[\s\\]*:)", r"\1 -", text, flags=re.IGNORECASE)
    return re.sub(r"<(?=[A-Za-z/!?])(?!https?://[^\s<>\"']*>)", "< ", text)


def _pictures(cell: NotebookNode) -> NotebookNode:
    """The pictures that were pasted into a cell."""
    picture = lambda mime, data: mime in PICTURES and BASE64.fullmatch(str(data))
    return NotebookNode(
        {
            name: NotebookNode({mime: data for mime, data in files.items() if picture(mime, data)})
            for name, files in cell.get("attachments", {}).items()
            if isinstance(files, dict)
        }
    )


def from_gradebook(gradebook: Gradebook, assignment: str, notebook: str, order: list[str]) -> NotebookNode:
    """The instructor's cells as the gradebook has them; `order` gives their names in order, as far as it is known."""
    record = gradebook.find_notebook(notebook, assignment)
    points = {cell.name: cell.max_score for cell in record.grade_cells}
    solutions = {cell.name for cell in record.solution_cells}
    tasks = {cell.name: cell.max_score for cell in record.task_cells}
    cells = []
    for record_cell in record.source_cells:
        name = record_cell.name
        make = nbformat.v4.new_code_cell if record_cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        cell = make(record_cell.source or "", id=re.sub(r"[^\w-]", "-", name, flags=re.ASCII)[:64] or "cell")
        cell.metadata["nbgrader"] = NotebookNode(
            grade_id=name,
            grade=name in points,
            solution=name in solutions,
            task=name in tasks,
            locked=bool(record_cell.locked),
            schema_version=3,
            checksum=record_cell.checksum,
            cell_type=record_cell.cell_type,
        )
        if name in points or name in tasks:
            cell.metadata.nbgrader["points"] = points.get(name, tasks.get(name))
        cells.append(cell)
    place = {name: index for index, name in enumerate(order)}
    cells.sort(key=lambda cell: place.get(cell.metadata.nbgrader.grade_id, len(place)))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def plan(notebook: NotebookNode, source: NotebookNode | None) -> list[dict]:
    """The steps that run a notebook: whose side each code cell is for, and the names that answers give.

    Those names are the ones that the instructor's answers define.  Where only the submission is known they are the
    student's, but for what Python and locked cells define: to redefine that changes nothing on our side.
    """
    sides = {"tests": "trusted", "given": "both"}
    cells = (source or notebook).cells
    named = {kind: {n for cell in cells if role(cell) == kind for n in defined(cell)} for kind in (*sides, "solution")}
    given, answers = named["given"], named["solution"]
    names = answers if source else answers - (given | named["tests"] | set(dir(builtins)))
    steps = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        kind = role(cell)
        identity = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id") or f"cell-{index}"
        steps.append(
            {
                "index": index,
                "side": sides.get(kind, "student"),
                "source": cell.source,
                "id": identity,
                "names": sorted(names),
                "redefined": sorted((given - names) & defined(cell)) if kind not in sides else [],
            }
        )
    return steps


def _tests(steps: list[dict]) -> str:
    """What tells the tests of one notebook from every other's."""
    ours = [step["source"] for step in steps if step["side"] != "student"]
    return hashlib.sha256("\0".join(ours).encode()).hexdigest()


def defined(cell: NotebookNode) -> frozenset[str]:
    """The names that a code cell defines for the whole notebook, imports among them."""
    return _names(cell.source) if cell.cell_type == "code" else frozenset()


@functools.lru_cache(1024)
def _names(source: str) -> frozenset[str]:
    left = list(parsed(source).body)
    names = set()
    while left:
        match left.pop():
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass
            case node:
                left += ast.iter_child_nodes(node)
    return frozenset(names)


# As a step of nbgrader ----------------------------------------------------------------------------------------


class Execute(NbGraderPreprocessor):
    """nbgrader's Execute step, on two sides: what `nbgrader autograde` and formgrader run."""

    sandbox = Unicode("auto", help="bubblewrap, container or none; auto takes what there is").tag(config=True)
    cell_seconds = Float(60.0, help="wall time of a cell, or of one call of a function").tag(config=True)

    # nbgrader makes a new preprocessor for each notebook, and what is warm should stay so.
    _executors: dict[tuple, Executor] = {}

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Execute a submission; given and test cells are the gradebook's."""
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            order = self._order(about) or [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
            source = from_gradebook(gradebook, about["assignment"], about["notebook"], order)
        key = (self.sandbox, self.cell_seconds)
        if key not in self._executors:
            self._executors[key] = Executor(sandbox=self.sandbox, limits=Limits(cell_seconds=self.cell_seconds))
            atexit.register(self._executors[key].close)
        done = self._executors[key].run(nb, source=source)
        for flag in done.flags:
            self.log.warning("%s, %s: %s", flag.cell, flag.kind, flag.message)
        if done.status == "unsound":
            raise RuntimeError("the grader's own test of its verdict failed: nothing was graded")
        return done.notebook, resources

    def _order(self, about: dict) -> list[str]:
        """The names of the instructor's cells in order, where the source is at hand."""
        course = CourseDirectory(parent=self)
        folder = course.format_path(course.source_directory, ".", about["assignment"])
        path = Path(folder) / f"{about['notebook']}.ipynb"
        if not path.exists():
            return []
        cells = nbformat.read(path, as_version=4).cells
        return [cell.metadata.nbgrader.grade_id for cell in cells if role(cell)]
