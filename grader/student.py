"""The student's side: a warm process that has imported NumPy and IPython, and forks a child for each submission.

It imports nothing of the grader but `grader.wire`, and is started by `grader.sandbox`, which decides what it can see.
`Warm` waits for requests on a control socket; each brings the socket over which the trusted side drives one child,
a `Runner`: it runs cells as a notebook does, and calls functions of the notebook by name.
"""

import builtins
import contextlib
import functools
import gc
import io
import json
import linecache
import os
import re
import select
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from collections import abc
from collections.abc import Callable

import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any
from traitlets.config import Config

from backprop import grading
from grader import sandbox, wire

grading.INNER.add(__file__)

INTERRUPT = b"interrupt"
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
        # So that a thousand small ones count too.
        self.left -= 100
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
            self.list.append({"output_type": "stream", "name": "stdout", "text": ["\n... the rest is left out\n"]})
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

    def enable_gui(self, gui=None):
        """There is no screen; `%matplotlib inline` asks for none."""

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


@functools.cache
def compiled(source: str):
    file = f"<given {len(linecache.cache)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return compile(source, file, "exec")


# What an honest notebook never does, in the interpreter's words; the sandbox stops it, and the instructor is told.
TRIED = re.compile(
    r"socket\..*|subprocess\.Popen|os\.(system|exec|posix_spawn|spawn|fork|forkpty|kill|killpg|symlink|link|chmod|chown|"
    r"truncate|mkfifo)|pty\.spawn|ctypes\.(dlopen|string_at|memoryview_at|.*address.*)|gc\.get_.*|"
    r"sys\.(settrace|setprofile|addaudithook|_current_frames|unraisablehook)|mmap\.__new__|pickle\.find_class|"
    r"code\.__new__|signal\.pthread_kill|resource\.setrlimit|urllib\.Request|shutil\..*|sqlite3\.connect|fcntl\..*"
)
FILES = ("open", "os.listdir", "os.scandir", "os.chdir", "os.mkdir", "os.remove", "os.rename", "glob.glob")
OURS = (sys.prefix, sys.base_prefix, "/usr/lib", "/tmp", "/dev/null", "/dev/urandom", "/etc/localtime", "<")
# The lines of a traceback are read from there.
OURS += (os.path.dirname(__file__), os.path.dirname(grading.__file__))


class Runner:
    """Serves the trusted side over a link until that closes."""

    def __init__(self, link: wire.Link, shell: Shell, output: int):
        self.link, self.shell, self.output = link, shell, output
        self.busy = False
        self.told: set[str] = set()
        self.names = shell.user_ns
        self.given: dict = {}

    def serve(self) -> None:
        while True:
            self.answer(self.receive())

    def receive(self):
        return wire.unpack(self.link.receive(), self.function)

    def answer(self, message: list) -> None:
        serial, what, *rest = message
        # An interruption belongs to what it stops, and to nothing after it.
        try:
            reply = {"cell": self.cell, "given": self.given_cell, "names": self.look, "call": self.call}[what](*rest)
        except KeyboardInterrupt:
            reply = self.raised(KeyboardInterrupt("interrupted"), "")
        try:
            # An iterator gives what it gives only now.
            with self.theirs():
                frame = wire.pack([serial, *reply])
        except BaseException as error:
            if isinstance(error, wire.Refused):
                self.tell("tried", f"{what} {rest[0] if what == 'call' else ''} gave what is {error}")
            frame = wire.pack([serial, *self.raised(error, rest[0] if what == "call" else "")])
        self.link.send(frame)

    def interrupt(self, *_) -> None:
        """An interruption stops what the student has written, and never a frame half sent."""
        if self.busy:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def theirs(self, busy: bool = True):
        """While the student's code runs; or, within it, ours."""
        before, self.busy = self.busy, busy
        try:
            yield
        finally:
            self.busy = before

    def audit(self, event: str, args: tuple) -> None:
        """Tell the instructor of what a notebook tries that has no place in it."""
        if not self.busy:
            return
        if event in FILES:
            path = os.fsdecode(args[0]) if args and isinstance(args[0], (str, bytes, os.PathLike)) else ""
            if not path or (path.startswith(OURS) or not path.startswith("/")) and ".." not in path:
                return
            text = f"{event} {path}"
        elif TRIED.fullmatch(event):
            text = f"{event} {' '.join(str(a) for a in args if isinstance(a, (str, int, bytes)))[:100]}"
        else:
            return
        self.tell("tried", text)

    def tell(self, kind: str, text: str) -> None:
        """Tell the instructor something, once."""
        if text not in self.told and len(self.told) < 20:
            self.told.add(text)
            with self.theirs(False):
                self.link.send(wire.pack(["flag", kind, text]))

    # What is asked -------------------------------------------------------------------------------------------

    def cell(self, source: str) -> list:
        """Run a cell as a notebook does."""
        return self.shown(lambda: self.shell.run_cell(source, store_history=True))

    def shown(self, run: Callable[[], None]) -> list:
        outputs = self.shell.outputs
        outputs.start(self.output)
        out, err = Stream("stdout", outputs), Stream("stderr", outputs)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                with self.theirs():
                    run()
            except BaseException as error:
                outputs.error(type(error).__name__, str(error), [f"{type(error).__name__}: {error}"])
        if outputs.left <= 0:
            self.tell("output", f"more than {self.output:,} characters of output")
        return ["outputs", outputs.done(), self.shell.execution_count - 1]

    def given_cell(self, source: str) -> list:
        """Run a cell of the instructor's: plain Python, compiled in the warm process."""

        def run():
            try:
                exec(compiled(source), self.names)
            except Exception:
                self.shell.showtraceback()
            self.shell.events.trigger("post_execute")

        return self.shown(run)

    def look(self, names: list[str]) -> list:
        """Which names the notebook has: what it calls a function, or the value."""
        found = {}
        for name in names:
            if name in self.names:
                value = self.names[name]
                found[name] = ("function", None) if callable(value) else ("value", handed_over(value))
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
                    with self.theirs():
                        reply = ["returned", self.names[name](*args, **named)]
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
            frame = wire.pack(["back", number, list(args), named])
            with self.theirs(False):
                self.link.send(frame)
                while True:
                    message = self.receive()
                    if message[0] == "result":
                        return message[1]
                    if message[0] == "error":
                        break
                    self.answer(message)
            raise remote(*message[1:])

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
    bases = [getattr(builtins, name, None) for name in kinds]
    base = next((b for b in bases if isinstance(b, type) and issubclass(b, Exception)), Exception)
    try:
        made = type(kind, (base,), {"__str__": lambda self: text})
        error = made(text)
    except TypeError:
        error = type(kind, (Exception,), {})(text)
    error.origin = origin
    return error


def handed_over(value):
    """A value that fits on the wire, or nothing; an iterator is not used up."""
    if isinstance(value, abc.Iterator):
        return None
    try:
        wire.pack(value)
    except wire.Refused:
        return None
    return value


class Warm:
    """Forks a child for each request on the control socket, and watches it."""

    def __init__(self, control: socket.socket, sandboxed: bool):
        self.control, self.sandboxed = control, sandboxed
        self.shell = shell()
        # What is imported, compiled or looked up once is there for every child.
        Runner(None, self.shell, 2**20).cell("import numpy as np\n1 + np.ones(2)\nraise ValueError()")
        self.shell.reset(new_session=True)
        gc.collect()
        gc.freeze()
        self.control.send(json.dumps({"ready": True, "namespaces": self.can_shut_in()}).encode())

    def can_shut_in(self) -> bool:
        """Does the kernel let a child have namespaces of its own?"""
        ended = signal.SIGKILL
        # That somebody killed the child says nothing of the kernel.
        while os.WIFSIGNALED(ended):
            child = os.fork()
            if not child:
                try:
                    sandbox.own_namespaces(vars(sandbox.Limits()))
                    os._exit(0)
                except BaseException:
                    os._exit(1)
            ended = os.waitpid(child, 0)[1]
        return ended == 0

    def serve(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 16, 1)
            if not data:
                return
            # What was meant for a child that had ended by itself comes without a socket.
            for fd in fds:
                channel = socket.socket(fileno=fd)
                wanted = wire.unpack(wire.Link(channel).receive())
                ended = self.start(wanted, channel)
                # Nobody asks any more where the grader has been stopped.
                with contextlib.suppress(OSError):
                    self.control.send(json.dumps(ended).encode())

    def start(self, wanted: dict, channel: socket.socket) -> dict:
        for module in wanted["preload"]:
            with contextlib.suppress(ImportError):
                __import__(module)
        for source in wanted["given"]:
            with contextlib.suppress(SyntaxError):
                compiled(source)
        base = sandbox.address_space()
        child = os.fork()
        if not child:
            self.control.close()
            shut_in(wanted, base, channel.fileno(), lambda: run(self.shell, channel, wanted))
        channel.close()
        return self.watch(child, wanted)

    def told(self) -> bytes:
        """What the grader has to say meanwhile; nothing where it was killed."""
        with contextlib.suppress(ConnectionError):
            return self.control.recv(65536)
        return b""

    def watch(self, child: int, wanted: dict) -> dict:
        """Wait for the child's end; meanwhile pass on what the trusted side says, and look at the memory."""
        reason = ""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        with contextlib.ExitStack() as stack:
            # Where the kernel tells of a process's end, nobody waits for the next look.
            with contextlib.suppress(AttributeError, OSError):
                end = os.pidfd_open(child)
                stack.callback(os.close, end)
                poll.register(end, select.POLLIN)
            while not (ended := os.waitpid(child, os.WNOHANG))[0]:
                ready = {fd for fd, _ in poll.poll(20)}
                if self.control.fileno() in ready:
                    interrupt = self.told() == INTERRUPT
                    os.kill(child, signal.SIGINT if interrupt else signal.SIGKILL)
                elif wanted["sandboxed"] and sandbox.used() > wanted["limits"]["memory"]:
                    reason = "memory"
                    os.kill(child, signal.SIGKILL)
        # Whatever is left of it: in its sandbox this process and the first are the only others.
        with contextlib.suppress(OSError):
            os.kill(-1 if self.sandboxed else -child, signal.SIGKILL)
        return {"ended": os.waitstatus_to_exitcode(ended[1]), "reason": reason}


def shut_in(wanted: dict, base: int, channel: int, then: Callable[[], None]) -> None:
    """In a fresh child: shut it in and do `then` in its child, if it has namespaces of its own; never returns."""
    try:
        os.setsid()
        if wanted["namespaces"]:
            sandbox.own_namespaces(wanted["limits"])
            first = os.fork()
            if first:
                signal.signal(signal.SIGINT, lambda *_: os.kill(first, signal.SIGINT))
                os._exit(min(abs(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])), 255))
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        os.closerange(3, channel)
        os.closerange(channel + 1, 1024)
        os.chdir("/tmp" if wanted["sandboxed"] else tempfile.mkdtemp())
        sandbox.limit(wanted["limits"], base)
        if wanted["sandboxed"]:
            sandbox.give_up_rights()
        then()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    os._exit(1)


def run(shell: Shell, channel: socket.socket, wanted: dict) -> None:
    """Serve the trusted side until it closes the channel."""
    with contextlib.suppress(wire.Gone):
        runner = Runner(wire.Link(channel), shell, wanted["limits"]["output"])
        signal.signal(signal.SIGINT, runner.interrupt)
        sys.addaudithook(runner.audit)
        runner.serve()
    os._exit(0)


def main(where: str) -> None:
    if where == "--alone":
        # In a container, which is one submission's.
        channel = socket.socket(fileno=os.dup(0))
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        wanted = wire.unpack(wire.Link(channel).receive())
        sandbox.give_up_rights()
        run(shell(), channel, wanted)
    control = socket.socket(fileno=int(where))
    # The first processes of a namespace of their own have the first numbers.
    sandboxed = "--sandboxed" in sys.argv and os.getpid() < 10
    if sandboxed:
        sandbox.become_nobody()
    # Where the grader was killed nobody is there to hear that all is ready.
    with contextlib.suppress(ConnectionError):
        Warm(control, sandboxed).serve()


if __name__ == "__main__":
    main(sys.argv[-1])
