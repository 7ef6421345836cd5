"""Runs one submission on two sides: the student's cells in a sandbox, the test cells where nothing of theirs runs.

    with Executor() as executor:
        done = executor.run(submission, source=instructors_notebook)
        done.notebook   with outputs as nbgrader's next steps expect them
        done.flags      what the instructor should look at
        done.mistakes   {exercise: [ids of the catalogue]}

`Execute` is the same as a step of nbgrader's, in place of its own.
"""

import copy
import functools
import json
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Unicode

from grader import wire
from grader.sandbox import Limits, command, environment, find

PRELOADED = ("torch", "matplotlib")


@dataclass(frozen=True)
class Flag:
    """Something for the instructor to look at."""

    kind: str
    message: str
    cell: str = ""


@dataclass
class Executed:
    """What came of one submission."""

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

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Stop both warm processes, and with them whatever they run."""
        for process in (self._student, self._trusted):
            if process:
                process.close()
        self._student = self._trusted = None

    def run(self, notebook: NotebookNode, *, source: NotebookNode | None = None, resources=None) -> Executed:
        """Execute a copy of a submission.

        `source` is the instructor's notebook: its given and test cells count, whatever the submission says.
        Without it the submission's own locked cells are taken, as nbgrader's OverwriteCells leaves them.
        """
        start = time.monotonic()
        notebook, flags = mended(notebook, source)
        steps = plan(notebook)
        with self._lock:
            reply = self._ask(steps)
        for step, done in zip(steps, reply["cells"], strict=False):
            cell = notebook.cells[step["index"]]
            cell.outputs = [nbformat.from_dict(output) for output in done["outputs"]]
            cell.execution_count = done["count"]
        flags += [Flag(*flag) for flag in reply["flags"]]
        return Executed(notebook, flags, reply["mistakes"], time.monotonic() - start, reply["status"])

    def _ask(self, steps: list[dict]) -> dict:
        """Have the trusted side run the steps; where it fails, say so and start afresh the next time."""
        self._warm_up()
        text = "\n".join(step["source"] for step in steps)
        wanted = {
            "preload": [m for m in PRELOADED if re.search(rf"^\s*(import|from)\s+{m}\b", text, re.MULTILINE)],
            "limits": vars(self.limits),
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
            self._trusted = _Process([sys.executable, "-I", "-m", "grader.trusted"])


class _Process:
    """A warm process, its control socket, and what it said when it was ready."""

    def __init__(self, line: list[str]):
        # Where there is one, a socket that keeps messages apart.
        self.line = line
        self.control, theirs = socket.socketpair(type=getattr(socket, "SOCK_SEQPACKET", socket.SOCK_STREAM))
        with theirs:
            fd = theirs.fileno()
            self.process = subprocess.Popen(
                [*line, str(fd)], pass_fds=[fd], env=environment(), stdin=subprocess.DEVNULL, start_new_session=True
            )

    @functools.cached_property
    def said(self) -> dict:
        self.control.settimeout(60)
        try:
            data = self.control.recv(65536)
        except OSError as error:
            raise RuntimeError(f"a process of the grader did not start: {error}") from None
        finally:
            self.control.settimeout(None)
        if not data:
            raise RuntimeError("a process of the grader ended before it had started: its message is above")
        return json.loads(data)

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
    """A copy in which given and test cells are the instructor's, and none is missing."""
    notebook = copy.deepcopy(notebook)
    return notebook, []


def plan(notebook: NotebookNode) -> list[dict]:
    """The steps that run a notebook: whose side each code cell is for, and the names that answers give."""
    sides = {"tests": "trusted", "given": "both"}
    names: dict[str, None] = {}
    steps = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        kind = role(cell)
        if kind == "solution":
            names.update(dict.fromkeys(re.findall(r"^(?:async )?(?:def|class) +(\w+)", cell.source, re.MULTILINE)))
        identity = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id") or f"cell-{index}"
        steps.append(
            {
                "index": index,
                "side": sides.get(kind, "student"),
                "source": cell.source,
                "id": identity,
                "names": list(names),
            }
        )
    return steps


# As a step of nbgrader ----------------------------------------------------------------------------------------


class Execute(NbGraderPreprocessor):
    """nbgrader's Execute step, on two sides."""

    sandbox = Unicode("auto", help="bubblewrap, container, none; auto takes what there is").tag(config=True)
    cell_seconds = Float(60.0, help="wall time for a cell, or for a call of a function").tag(config=True)

    _executor: Executor | None = None

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        if self._executor is None:
            self._executor = Executor(sandbox=self.sandbox, limits=Limits(cell_seconds=self.cell_seconds))
        done = self._executor.run(nb, resources=resources)
        for flag in done.flags:
            self.log.warning("%s: %s", flag.kind, flag.message)
        return done.notebook, resources
