"""The trusted side: runs the instructor's cells, and gives the verdict.

A warm process has imported the grading code; it forks a child for each submission, which is given the steps of a
notebook in order.  The student's cells it sends to the student's process; given cells and test cells, always in the
instructor's words, it runs itself.  There the functions that the student defined are `Proxy`s: a call crosses as
values (`grader.wire`), and what comes back is a value, or text.  Nothing of the student's is ever imported, unpickled
or executed here.
"""

import ast
import builtins
import contextlib
import dataclasses
import functools
import gc
import io
import json
import linecache
import math
import os
import pickle
import re
import resource
import socket
import subprocess
import symtable
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

from backprop import grading
from grader import sandbox, wire

grading.INNER.add(__file__)
NESTED, FLAGS, LONGEST, OUTPUT = 20, 50, 3000, 20 * 2**20
PNG = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/=\s]*")


class Stopped(Exception):
    """The student's process was stopped, or ended by itself, while it was asked for something."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class Student:
    """The student's process as seen from here; it is started again where it was stopped."""

    def __init__(self, control: socket.socket, wanted: dict, guard: socket.socket | None = None):
        self.control, self.wanted, self.limits, self.guard = control, wanted, wanted["limits"], guard
        self.flags: list[list[str]] = []
        self.at = ""
        self.link: wire.Link | None = None
        self.ran: list[list[str]] = []
        self.depth = self.serial = 0
        self.handed: list[Callable] = []
        self.errors: list[BaseException] = []
        self.end = time.monotonic() + self.limits["seconds"]
        self.starts = 0
        self.status = "ok"
        self.room = OUTPUT
        self.process: subprocess.Popen | None = None

    # Its life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A fresh process, in which all cells that have run so far have run again."""
        if self.starts >= self.limits["starts"] or time.monotonic() > self.end:
            raise Stopped("timeout", "the time for this notebook is over")
        self.starts += 1
        ours, theirs = socket.socketpair()
        with theirs:
            if self.wanted["command"]:
                self.process = subprocess.Popen(self.wanted["command"], stdin=theirs, stdout=theirs)
            else:
                try:
                    socket.send_fds(self.control, [b"start"], [theirs.fileno()])
                except OSError:
                    # Whoever killed the warm process, it was not this notebook.
                    raise self._mark("died", "the process that starts notebooks ended") from None
        self.link = wire.Link(ours, self.guard)
        self.link.send(wire.pack(self.wanted))
        for request in self.ran:
            self.ask(request)

    def stop(self) -> dict:
        """End the process; what its parent says of how it ended."""
        if self.link is None:
            return {}
        self.link.close()
        self.link = None
        if self.process:
            self.process.kill()
            self.process.wait()
            return {}
        with contextlib.suppress(OSError):
            self.control.send(b"kill")
            return json.loads(self.control.recv(65536) or b"{}")
        return {}

    def ask(self, message: list) -> Any:
        """Send a request and answer call-backs until the reply is there."""
        if self.link is None:
            self.start()
        self.serial += 1
        serial = self.serial
        frame = wire.pack([serial, *message], self._hand)
        deadline = min(time.monotonic() + self.limits["cell_seconds"], self.end)
        interrupted = False
        self.depth += 1
        try:
            self.link.send(frame, deadline)
            while True:
                try:
                    # Whoever calls back without end never lets us wait.
                    if time.monotonic() > deadline:
                        raise TimeoutError
                    reply = wire.unpack(self.link.receive(deadline))
                except TimeoutError:
                    if interrupted:
                        raise
                    # As Jupyter does: most loops end at an interruption, and the rest of the notebook lives on.
                    interrupted = True
                    if not self.process:
                        self.control.send(b"interrupt")
                    deadline = time.monotonic() + self.limits["grace_seconds"]
                    continue
                if type(reply) is not list or not reply or reply[0] not in ("flag", "back", serial):
                    raise wire.Refused("a reply to nothing that was asked")
                if reply[0] == "flag":
                    self.flag(str(reply[1])[:80], str(reply[2])[:300])
                    continue
                if reply[0] != "back":
                    if interrupted:
                        raise self._mark("timeout", f"still running after {self.limits['cell_seconds']:g} seconds")
                    return reply[1:]
                self.link.send(self._called_back(*reply[1:]), deadline)
        except TimeoutError:
            self.stop()
            raise self._mark("timeout", f"still running after {self.limits['cell_seconds']:g} seconds") from None
        except wire.Gone:
            how = self.stop()
            reason = how.get("reason") or "died"
            words = {"memory": "the notebook used more memory than there is for it"}
            raise self._mark(reason, words.get(reason, "the process that ran the notebook ended")) from None
        except (wire.Refused, TypeError, IndexError) as error:
            if isinstance(error, wire.Refused) and self.link is not None:
                self.flag("protocol", f"the student's process sent what no honest one does: {error}")
            self.stop()
            raise self._mark("died", "the process that ran the notebook broke the rules of the connection") from None
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.errors.clear()

    def flag(self, kind: str, message: str) -> None:
        """Note something for the instructor, once."""
        message = "".join(letter if letter.isprintable() else "?" for letter in message[:300])
        if [kind, message, self.at] not in self.flags and len(self.flags) < FLAGS:
            self.flags.append([kind, message, self.at])

    def _mark(self, status: str, message: str) -> Stopped:
        """Remember the first thing that went wrong; the exception that says it."""
        self.status = status if self.status == "ok" else self.status
        self.flag(status, message)
        return Stopped(status, message)

    # Functions that are handed over ----------------------------------------------------------------------------

    def _hand(self, f: Callable) -> int:
        number = next((n for n, known in enumerate(self.handed) if known is f), len(self.handed))
        if number == len(self.handed):
            self.handed.append(f)
        return number

    def _called_back(self, number: int, args: list, named: dict) -> bytes:
        """Call one of our functions for the student; its result or its error, as a frame."""
        if type(number) is not int or not 0 <= number < len(self.handed) or type(args) is not list:
            raise wire.Refused("a call-back of a function that was not handed over")
        if self.depth > NESTED:
            raise wire.Refused("call-backs within call-backs")
        if any(isinstance(value, wire.Opaque) for value in [*args, *named.values()]):
            self.flag("tried", f"a call-back with a {type(args[0] if args else None).__name__}")
        try:
            return wire.pack(["result", self.handed[number](*args, **named)], self._hand)
        except Stopped:
            raise
        except Exception as error:
            self.errors.append(error)
            kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            return wire.pack(["error", type(error).__name__, kinds, str(error)[:2000], len(self.errors) - 1])

    # What it is asked ------------------------------------------------------------------------------------------

    def cell(self, source: str, given: bool) -> tuple[list, int | None]:
        """Run a cell in the student's process; its outputs and number."""
        request = ["given" if given else "cell", source]
        try:
            what, outputs, count = self.ask(request)
            if what != "outputs":
                raise Stopped("died", "the cell was not run")
        except Stopped as error:
            return [_error_output(type(error).__name__, str(error))], None
        except ValueError:
            return [_error_output("Stopped", "the cell gave no outputs")], None
        self.ran.append(request)
        outputs = _clean(outputs, min(self.limits["output"], self.room))
        self.room -= len(json.dumps(outputs))
        return outputs, count if type(count) is int else None

    def look(self, names: list[str]) -> dict:
        try:
            _, found = self.ask(["names", names])
            return {name: (kind, value) for name, (kind, value) in found.items() if name in names}
        except (Stopped, AttributeError, ValueError, TypeError):
            return {}


class Proxy:
    """A function of the student's, called by name in the student's process."""

    def __init__(self, student: Student, name: str):
        self.__name__ = name
        self.counts: dict[str, int] = {}
        self._student = student
        self._stopped: Stopped | None = None

    def __call__(self, *args, **named):
        if self._stopped:
            raise self._stopped
        args = list(args)
        state = np.geterr()
        try:
            reply = self._student.ask(["call", self.__name__, args, named, state, list(self.counts)])
        except Stopped as error:
            # Once is enough: it would only be stopped again.
            self._stopped = error
            raise
        try:
            what, value, changed, warned, counts = reply
            if changed is not None:
                _write_back(args, changed)
            for kind, text in warned[:20]:
                warnings.warn(str(text)[:LONGEST], _warning(kind), stacklevel=2)
            for name in self.counts:
                self.counts[name] += max(0, int(counts.get(name, 0)))
        except (AttributeError, TypeError, ValueError) as error:
            self._student.flag("protocol", f"a reply that no honest process gives: {error}")
            raise Stopped("died", "the process that ran the notebook broke the rules of the connection") from None
        if what == "returned":
            return value
        if "Exception" not in value["kinds"]:
            self._student.flag("tried", f"{self.__name__} raised a {value['type']}, which few catch")
        raise _exception(value, self._student.errors)

    def __deepcopy__(self, memo):
        return self


def _write_back(mine: Any, theirs: Any) -> None:
    """What the function did to its arguments, done to ours."""
    if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
        if mine.shape == theirs.shape and mine.dtype == theirs.dtype and mine.flags.writeable:
            mine[...] = theirs
    elif isinstance(mine, list) and isinstance(theirs, list):
        for a, b in zip(mine, theirs, strict=False):
            _write_back(a, b)
        kept = [a if _same_kind(a, b) else b for a, b in zip(mine, theirs, strict=False)]
        mine[:] = kept + theirs[len(kept) :]
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        for key in mine.keys() & theirs.keys():
            _write_back(mine[key], theirs[key])
        kept = {key: mine[key] if key in mine and _same_kind(mine[key], b) else b for key, b in theirs.items()}
        mine.clear()
        mine.update(kept)
    elif isinstance(mine, tuple) and isinstance(theirs, tuple):
        for a, b in zip(mine, theirs, strict=False):
            _write_back(a, b)


def _same_kind(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
        return mine.shape == theirs.shape and mine.dtype == theirs.dtype
    return (
        isinstance(theirs, wire.Opaque)
        or callable(mine)
        or (type(mine) is type(theirs) and isinstance(mine, (list, dict, tuple)))
    )


def _warning(name: str) -> type:
    kind = getattr(builtins, str(name), None)
    return kind if isinstance(kind, type) and issubclass(kind, Warning) else UserWarning


def _exception(told: dict, ours: list[BaseException]) -> BaseException:
    """An exception of the student's process: its names and its text, and none of its code."""
    origin = told["origin"]
    bases = [getattr(builtins, str(name), None) for name in told["kinds"]]
    base = next((b for b in bases if isinstance(b, type) and issubclass(b, BaseException)), Exception)
    if not issubclass(base, (Exception, SystemExit)):
        base = Exception
    text, name = str(told["text"])[:LONGEST], str(told["type"])[:100]
    made = type(name if name.isidentifier() else "Exception", (base,), {"__str__": lambda self: text})
    error = made.__new__(made)
    error.student_function = str(told["function"])[:100]
    if type(origin) is int and 0 <= origin < len(ours):
        # It began in a function that we had handed over.
        error.__cause__ = ours[origin]
        error.student_line = grading._where(ours[origin]).partition(" (in your line `")[2].removesuffix("`)")
    else:
        error.student_line = str(told["line"])[:LONGEST]
    return error


# Running the instructor's cells -------------------------------------------------------------------------------


class Trusted:
    """Runs the steps of one notebook."""

    def __init__(self, steps: list[dict], student: Student):
        self.steps, self.student = steps, student
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self.proxies: dict[str, Proxy] = {}
        self.bound: dict[str, Any] = {}
        self.outputs: list[dict] = []

    def run(self) -> list[dict]:
        """The outputs of every step: {"outputs": ..., "count": ...}."""
        return [self.step(step) for step in self.steps]

    def step(self, step: dict) -> dict:
        outputs, count = [], None
        self.student.at = step["id"]
        if step["side"] in ("student", "both"):
            outputs, count = self.student.cell(step["source"], step["side"] == "both")
        if step["side"] in ("trusted", "both"):
            self.bind(step["source"], step["names"])
            ours = self.execute(step["source"], step["id"])
            for name in _assigned(step["source"]):
                self.bound.pop(name, None)
            if step["side"] == "trusted":
                outputs = ours
        return {"outputs": outputs, "count": count}

    def bind(self, source: str, answers: list[str]) -> None:
        """Give our cell the names that it takes from the student's notebook."""
        for name in self.bound:
            self.names.pop(name, None)
        wanted = {name for name in _free_names(source) if not hasattr(builtins, name) and name not in self.names}
        found = self.student.look(sorted(wanted | set(answers)))
        self.bound = {
            name: self.proxies.setdefault(name, Proxy(self.student, name)) if kind == "function" else value
            for name, (kind, value) in found.items()
        }
        self.names.update(self.bound)

    def execute(self, source: str, name: str) -> list[dict]:
        """Run a cell; its outputs, as a notebook has them."""
        self.outputs = []
        out, err = io.StringIO(), io.StringIO()
        value = None
        try:
            body, last = compiled(source, name)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                exec(body, self.names)
                value = eval(last, self.names)
        except BaseException as error:
            self.outputs.append(_error_output(type(error).__name__, str(error)))
        for stream, text in (("stdout", out.getvalue()), ("stderr", err.getvalue())):
            if text:
                self.outputs.insert(0, {"output_type": "stream", "name": stream, "text": text})
        if value is not None:
            result = {"data": {"text/plain": repr(value)}, "metadata": {}, "execution_count": None}
            self.outputs.append({"output_type": "execute_result", **result})
        return self.outputs

    def show(self, feedback: grading.Feedback) -> None:
        # A remark may quote what a student's function returned.
        lines = [grading.Remark(remark.message[:LONGEST], remark.mistakes) for remark in feedback.remarks]
        notes = [note[:LONGEST] for note in feedback.notes[:50]]
        feedback = dataclasses.replace(feedback, remarks=lines, notes=notes)
        # What a student's message holds between dollars is no formula: those can be links that run.
        page = f'<div class="tex2jax_ignore mathjax_ignore">{feedback._repr_html_()}</div>'
        data = {"text/plain": str(feedback), "text/html": page}
        self.outputs.append({"output_type": "display_data", "data": data, "metadata": {}})

    def assignments(self) -> list[grading.Assignment]:
        return [value for value in self.names.values() if isinstance(value, grading.Assignment)]


@functools.cache
def compiled(source: str, name: str) -> tuple[CodeType, CodeType]:
    """A cell's statements, and the expression whose value is the cell's."""
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    tree = ast.parse(source, filename=file)
    last = tree.body.pop().value if tree.body and isinstance(tree.body[-1], ast.Expr) else ast.Constant(None)
    last = ast.fix_missing_locations(ast.Expression(last))
    return compile(tree, file, "exec"), compile(last, file, "eval")


@functools.cache
def _free_names(source: str) -> frozenset[str]:
    """The names that a cell takes from elsewhere.  Nothing else of a hidden test may be asked for, so no text."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    made |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return frozenset({node.id for node in names} - made)


@functools.cache
def _assigned(source: str) -> frozenset[str]:
    """The names that a cell itself gives: they are ours, even where the student's notebook has the same value."""
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return frozenset(symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported())


def _error_output(name: str, text: str) -> dict:
    text = text[:LONGEST]
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def _clean(outputs: Any, limit: int) -> list[dict]:
    """The outputs that a student's cell may have, `limit` characters of them; anything else is dropped."""
    kept = []
    for output in outputs[:500] if isinstance(outputs, list) else []:
        limit -= len(json.dumps(kept[-1])) if kept else 0
        if limit <= 0:
            break
        match output:
            case {"output_type": "stream", "name": "stdout" | "stderr" as name, "text": str(text)}:
                kept.append({"output_type": "stream", "name": name, "text": text[:limit]})
            case {"output_type": "display_data" | "execute_result" as kind, "data": dict(data)}:
                data = {k: v for k, v in data.items() if k in ("text/plain", "image/png") and isinstance(v, str)}
                data = {k: v for k, v in data.items() if len(v) <= limit and (k == "text/plain" or PNG.fullmatch(v))}
                more = {"execution_count": None} if kind == "execute_result" else {}
                kept.append({"output_type": kind, "data": data, "metadata": {}, **more})
            case {"output_type": "error", "ename": str(name), "evalue": str(text), "traceback": list(lines)}:
                lines = [line[:LONGEST] for line in lines[:100] if isinstance(line, str)]
                kept.append({"output_type": "error", "ename": name[:100], "evalue": text[:LONGEST], "traceback": lines})
    return kept


# Which oracle the losses of the test of health allow is known before the first submission; the rest is done anew.
_health: dict = {}


def healthy() -> bool:
    """Does the verdict still tell right from wrong?"""
    points = {}
    memory, grading.MEMORY = grading.MEMORY, lambda *_: {"cache": _health}
    for name, slope in {"right": lambda x: 2 * x, "wrong": lambda x: x}.items():
        checks = grading.Assignment("health", {"slope": slope})
        checks.load({name: 3.0}, {})
        exercise = checks.exercise(name)
        exercise.derivative("slope", lambda x: x**2, 1.5, case=0)
        with contextlib.redirect_stdout(io.StringIO()):
            points[name] = exercise.score()
    grading.MEMORY = memory
    return points == {"right": 3.0, "wrong": 0.0}


def grade(steps: list[dict], student: Student, memory: Callable | None = None) -> dict:
    """Run one notebook."""
    trusted = Trusted(steps, student)
    before = healthy()
    grading._show, shown = trusted.show, grading._show
    grading.MEMORY = memory
    try:
        cells = trusted.run()
    finally:
        grading._show, grading.MEMORY = shown, None
    mistakes, flags = {}, student.flags
    for checks in trusted.assignments():
        for name, exercise in checks.exercises.items():
            mistakes[name] = exercise.named
            numerical = [note for note in exercise.notes if note.startswith(f"[{grading.NUMERICAL}]")]
            flags += [[grading.NUMERICAL, note, name] for note in numerical]
    sound = before and healthy()
    return {"cells": cells, "flags": flags, "mistakes": mistakes, "status": student.status if sound else "unsound"}


class Known:
    """What the checks of one assignment find out of its losses while the instructor's own answers are checked.

    Every submission's process starts with a copy of it, and what happens there ends there.
    """

    def __init__(self):
        self.kept: dict[tuple, dict | None] = {}

    def learn(self, student: Student) -> Callable:
        """The memory of the process that checks the instructor's answers."""

        def memory(exercise: str, function: str, case: str, loss: Callable, params: dict) -> dict | None:
            key, before = (exercise, function, case), student.serial
            with contextlib.suppress(Exception):
                loss(params)
            # A loss that asks the notebook's functions is each student's own.
            self.kept[key] = None if student.serial != before else self.kept.get(key, {})
            return self.kept[key]

        return memory

    def recall(self, exercise: str, function: str, case: str, *_) -> dict | None:
        """The memory of a submission's process."""
        return self.kept.get((exercise, function, case))


def _bound(memory: int) -> None:
    """Call-backs with large arrays make larger ones here."""
    base = sandbox.address_space()
    if base:
        resource.setrlimit(resource.RLIMIT_AS, (base + memory, resource.getrlimit(resource.RLIMIT_AS)[1]))


def serve(control: socket.socket) -> None:
    """Fork a child for each request that comes with the student's control socket."""
    # What is imported, compiled or looked up once is there for every child.
    healthy()
    gc.collect()
    gc.freeze()
    known: dict[str, Known] = {}
    while True:
        data, fds, _, _ = socket.recv_fds(control, 16, 2)
        if not data:
            return
        control.setblocking(True)
        link = wire.Link(socket.socket(fileno=fds[1]))
        request = wire.unpack(link.receive(math.inf))
        for module in request["wanted"]["preload"]:
            with contextlib.suppress(ImportError):
                __import__(module)
        for step in request["steps"]:
            if step["side"] != "student":
                with contextlib.suppress(SyntaxError):
                    compiled(step["source"], step["id"])
                    _free_names(step["source"])
                    _assigned(step["source"])
        learned, told = os.pipe()
        child = os.fork()
        if not child:
            try:
                _bound(request["wanted"]["limits"]["memory"])
                student = Student(socket.socket(fileno=fds[0]), request["wanted"], link.channel)
                of = known.get(request["wanted"]["tests"], Known())
                learn = request["wanted"]["learn"]
                reply = grade(request["steps"], student, of.learn(student) if learn else of.recall)
                if learn:
                    with os.fdopen(told, "wb") as file:
                        pickle.dump(of, file)
                link.send(wire.pack(reply))
                student.stop()
                os._exit(0)
            except (wire.Abandoned, wire.Gone, BrokenPipeError):
                # Whoever asked is no longer there.
                os._exit(1)
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
                os._exit(1)
        link.close()
        os.close(fds[0])
        os.close(told)
        with os.fdopen(learned, "rb") as file:
            # From our own child, which has run the instructor's tests; of the notebook's process there are but arrays.
            # Nothing, or half of it, where the child was not to learn or was killed.
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                known[request["wanted"]["tests"]] = pickle.load(file)
        os.waitpid(child, 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
