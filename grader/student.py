"""The student's side: a warm process that has imported NumPy and IPython, and forks a child for each submission.

It imports nothing of the grader but `grader.wire`, and is started by `grader.sandbox`, which decides what it can see.
`Warm` waits for requests on a control socket; each brings the socket over which the trusted side drives one child,
a `Runner`: it runs cells as a notebook does, and calls functions of the notebook by name.
"""

import contextlib
import io
import json
import os
import signal
import socket
import sys
import traceback
import warnings

import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any
from traitlets.config import Config

from backprop import grading
from grader import wire

grading.INNER.add(__file__)

WARNINGS, TEXT = 20, 2000
# What an output may be: text and pictures, nothing that a browser runs.
SHOWN = ("text/plain", "image/png")
NO_SHELL = "There is no shell here: commands and %pip do nothing while a notebook is graded.\n"


class Outputs:
    """The outputs of one cell, in order, at most `limit` characters of them."""

    def __init__(self):
        self.list: list[dict] = []
        self.limit = self.left = 0

    def start(self, limit: int) -> None:
        self.list, self.limit, self.left = [], limit, limit

    def stream(self, name: str, text: str) -> None:
        text = self._fit(text)
        last = self.list[-1] if self.list else {}
        if text and last.get("name") == name:
            last["text"].append(text)
        elif text:
            self.list.append({"output_type": "stream", "name": name, "text": [text]})

    def rich(self, kind: str, data: dict, **more) -> None:
        data = {mime: data[mime] for mime in SHOWN if isinstance(data.get(mime), str)}
        if sum(map(len, data.values())) > self.left:
            data = {"text/plain": self._fit(data.get("text/plain", ""))}
        else:
            self.left -= sum(map(len, data.values()))
        if data:
            self.list.append({"output_type": kind, "data": data, "metadata": {}, **more})

    def error(self, name: str, value: str, lines: list[str]) -> None:
        lines = [self._fit(line) for line in lines]
        self.list.append({"output_type": "error", "ename": name, "evalue": value[:TEXT], "traceback": lines})

    def done(self) -> list[dict]:
        if self.left <= 0:
            self.stream_end = {"output_type": "stream", "name": "stdout", "text": ["\n... the rest is left out\n"]}
            self.list.append(self.stream_end)
        return [{**o, "text": "".join(o["text"])} if o["output_type"] == "stream" else o for o in self.list]

    def _fit(self, text: str) -> str:
        text = text[: max(self.left, 0)]
        self.left -= len(text)
        return text


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a cell."""

    encoding = "utf-8"

    def __init__(self, name: str, outputs: Outputs):
        self._name, self._outputs = name, outputs

    def write(self, text: str) -> int:
        self._outputs.stream(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True


class Publisher(DisplayPublisher):
    outputs = Any()

    def publish(self, data, metadata=None, **_):
        self.outputs.rich("display_data", data)

    def clear_output(self, wait=False):
        pass


class Hook(DisplayHook):
    outputs = Any()

    def start_displayhook(self):
        pass

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        self.outputs.rich("execute_result", format_dict, execution_count=self.prompt_count)

    def finish_displayhook(self):
        pass


class Shell(InteractiveShell):
    """IPython without history, terminal or shell."""

    outputs = Any()

    def init_display_pub(self):
        self.display_pub = Publisher(parent=self, shell=self, outputs=self.outputs)

    def init_displayhook(self):
        self.displayhook = Hook(parent=self, shell=self, outputs=self.outputs)
        from IPython.core.display_trap import DisplayTrap

        self.display_trap = DisplayTrap(hook=self.displayhook)

    def _showtraceback(self, etype, evalue, stb):
        self.outputs.error(etype.__name__, str(evalue), stb)

    def system(self, command):
        self.outputs.stream("stderr", NO_SHELL)

    system_piped = system_raw = system

    def getoutput(self, command, split=True, depth=0):
        self.system(command)
        return []


def shell() -> Shell:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.banner1 = ""
    return Shell.instance(config=config, outputs=Outputs(), ipython_dir=os.environ["IPYTHONDIR"])


class Runner:
    """Serves the trusted side over a link until that closes."""

    def __init__(self, link: wire.Link, shell: Shell, output: int):
        self.link, self.shell, self.output = link, shell, output
        self.names = shell.user_ns
        self.given: dict = {}

    def serve(self) -> None:
        while True:
            self.answer(self.receive())

    def receive(self):
        return wire.unpack(self.link.receive(), self.function)

    def answer(self, message: list) -> None:
        what, *rest = message
        # An interruption belongs to what it stops, and to nothing after it.
        try:
            reply = {"cell": self.cell, "names": self.look, "call": self.call}[what](*rest)
        except KeyboardInterrupt:
            reply = self.raised(KeyboardInterrupt("interrupted"), "")
        self.send(reply)

    def send(self, reply) -> None:
        try:
            frame = wire.pack(reply)
        except wire.Refused as error:
            frame = wire.pack(self.raised(error, ""))
        self.link.send(frame)

    # What is asked -------------------------------------------------------------------------------------------

    def cell(self, source: str) -> list:
        """Run a cell as a notebook does."""
        outputs = self.shell.outputs
        outputs.start(self.output)
        out, err = Stream("stdout", outputs), Stream("stderr", outputs)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                self.shell.run_cell(source, store_history=True)
            except BaseException as error:
                outputs.error(type(error).__name__, str(error), [f"{type(error).__name__}: {error}"])
        return ["outputs", outputs.done(), self.shell.execution_count - 1]

    def look(self, names: list[str]) -> list:
        """Which names the notebook has: what it calls a function, or the value."""
        found = {}
        for name in names:
            if name in self.names:
                value = self.names[name]
                found[name] = ("function", None) if callable(value) else ("value", value)
        return ["names", found]

    def call(self, name: str, args: list, named: dict, state: dict, watch: list[str]) -> list:
        """Call a function of the notebook; what it changed, printed or warned of is part of the answer."""
        before = self.written(args)
        counts = dict.fromkeys(watch, 0)
        try:
            with self.counted(counts), warnings.catch_warnings(record=True) as caught, np.errstate(**state):
                warnings.simplefilter("always")
                quiet = io.StringIO()
                with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                    reply = ["returned", self.names[name](*args, **named)]
            # A value that doesn't fit is the function's fault, and no reason to lose what it warned of.
            wire.pack(reply[1])
        except BaseException as error:
            reply = ["raised", self.described(error, name)]
        after = self.written(args)
        texts = list(dict.fromkeys((w.category.__name__, str(w.message)[:TEXT]) for w in caught))[:WARNINGS]
        return [*reply, args if after != before else None, texts, counts]

    def written(self, args: list) -> bytes | None:
        try:
            return wire.pack(args, lambda f: 0)
        except wire.Refused:
            return None

    @contextlib.contextmanager
    def counted(self, counts: dict[str, int]):
        originals = {name: self.names[name] for name in counts if name in self.names}

        def counting(name, f):
            def wrapper(*args, **named):
                counts[name] += 1
                return f(*args, **named)

            return wrapper

        self.names.update({name: counting(name, f) for name, f in originals.items()})
        try:
            yield
        finally:
            self.names.update(originals)

    # What is handed over -------------------------------------------------------------------------------------

    def function(self, number: int):
        """A function of the trusted side, to be called back; the same each time it is handed over."""
        if number in self.given:
            return self.given[number]

        def given_function(*args, **named):
            self.link.send(wire.pack(["back", number, list(args), named]))
            while True:
                message = self.receive()
                if message[0] == "result":
                    return message[1]
                if message[0] == "error":
                    raise remote(*message[1:])
                self.answer(message)

        return self.given.setdefault(number, given_function)

    def raised(self, error: BaseException, name: str) -> list:
        return ["raised", self.described(error, name), None, [], {}]

    def described(self, error: BaseException, name: str) -> dict:
        """An exception as text: its type, the built-in types it belongs to, and where in the notebook it arose."""
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            text = str(error)[:TEXT]
        except Exception:
            text = ""
        line = grading._where(error).partition(" (in your line `")[2].removesuffix("`)")
        return {
            "type": type(error).__name__,
            "kinds": kinds[:10],
            "text": text,
            "line": line[:TEXT],
            "function": grading._stopped_in(error, self.names, name),
            "origin": getattr(error, "origin", -1),
        }


def remote(kind: str, kinds: list[str], text: str, origin: int) -> Exception:
    """An exception of the trusted side, as one of ours."""
    import builtins

    bases = [getattr(builtins, name, None) for name in kinds]
    base = next((b for b in bases if isinstance(b, type) and issubclass(b, Exception)), Exception)
    try:
        made = type(kind, (base,), {"__str__": lambda self: text})
        error = made(text)
    except TypeError:
        error = type(kind, (Exception,), {})(text)
    error.origin = origin
    return error


class Warm:
    """Forks a child for each request on the control socket, and watches it."""

    def __init__(self, control: socket.socket):
        self.control = control
        self.shell = shell()

    def serve(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 65536, 4)
            if not data:
                return
            request = json.loads(data)
            if "start" in request:
                self.start(request["start"], fds[0])
            for fd in fds:
                os.close(fd)

    def start(self, wanted: dict, fd: int) -> None:
        for module in wanted["preload"]:
            __import__(module)
        child = os.fork()
        if not child:
            run(self.shell, socket.socket(fileno=fd), wanted, self.control)
        self.watch(child)

    def watch(self, child: int) -> None:
        """Wait for the child's end; pass on interruptions meanwhile."""
        self.control.settimeout(0.02)
        reason = ""
        try:
            while True:
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid:
                    break
                with contextlib.suppress(TimeoutError):
                    data = self.control.recv(65536)
                    what = json.loads(data) if data else {"kill": True}
                    if "kill" in what:
                        os.kill(child, signal.SIGKILL)
                    else:
                        os.kill(child, signal.SIGINT)
        finally:
            self.control.settimeout(None)
        self.control.send(json.dumps({"ended": os.waitstatus_to_exitcode(status), "reason": reason}).encode())


def run(shell: Shell, channel: socket.socket, wanted: dict, control: socket.socket) -> None:
    """The child: never returns."""
    try:
        control.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(wanted["scratch"])
        Runner(wire.Link(channel), shell, wanted["output"]).serve()
    except wire.Gone:
        os._exit(0)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(1)


if __name__ == "__main__":
    Warm(socket.socket(fileno=int(sys.argv[1]))).serve()
