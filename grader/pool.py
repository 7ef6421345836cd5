"""Many tasks at once, on this machine or on a Dask cluster, whatever becomes of the processes that do them.

    pool = Processes(2, options)  or  Cluster("tcp://scheduler:8786", options)
    pool.submit(key, "grade", submission, assignment)       a function of `grader.submission` by name
    for key, result in pool.wait(): ...                     its value, or `Lost` with the reason in one line

On one machine plain processes serve: Dask's own take a second more to start and to stop, and tell less of a worker that
was killed.  A task whose worker dies is tried once more; a worker that says nothing for too long is killed.
"""

import contextlib
import ctypes
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

ATTEMPTS = 2
# Tasks that wait in a worker's pipe, so that it need not wait for the next one.
AHEAD = 1
# How long to look for a scheduler, how long it may take to answer, and be without any worker, in seconds.
CONNECT, ANSWER, UNSTAFFED = 10.0, 30.0, 60.0
# What says in a page of traceback that a scheduler is gone, where one line of ours does.
QUIET = ("distributed", "distributed.client", "tornado.application", "asyncio")
_turn = threading.Lock()
METHOD = "spawn" if sys.platform == "win32" else "forkserver"


@dataclass(frozen=True)
class Lost:
    """A task that gave no result; `error` is the name of the exception, where it was one, and `trace` its traceback."""

    reason: str
    error: str = ""
    trace: str = ""


@dataclass
class Task:
    key: Any
    function: str
    arguments: tuple
    attempts: int = 0


@dataclass
class Worker:
    process: Any
    pipe: connection.Connection
    tasks: deque[Task] = field(default_factory=deque)
    since: float = 0.0


def prepare() -> None:
    """Let workers get ready while the rest of the program is still being imported."""
    if METHOD == "forkserver":
        multiprocessing.set_forkserver_preload(["grader.submission", "nbgrader.preprocessors", "nbconvert.exporters"])
        from multiprocessing import forkserver

        forkserver.ensure_running()


class Processes:
    """Worker processes of this machine.  `patience` is how long one task may take in all, in seconds."""

    def __init__(self, workers: int, options: Mapping[str, Any], patience: float = 900.0):
        self._context = multiprocessing.get_context(METHOD)
        self._options, self._patience = dict(options), patience
        self._queue: deque[Task] = deque()
        self._workers = [self._start() for _ in range(workers)]

    def _start(self) -> Worker:
        for attempt in range(ATTEMPTS):
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_work, args=(theirs, self._options), daemon=False)
            try:
                with theirs:
                    process.start()
                return Worker(process, ours)
            except (OSError, EOFError):
                # The server that forks workers was killed meanwhile; the next call starts another.
                ours.close()
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.1)
        raise AssertionError("unreachable")

    @property
    def room(self) -> bool:
        """Whether it makes sense to hand over more: tasks are kept in memory."""
        return len(self._queue) + sum(len(w.tasks) for w in self._workers) < (1 + AHEAD) * len(self._workers) + 1

    @property
    def busy(self) -> bool:
        return bool(self._queue or any(w.tasks for w in self._workers))

    def submit(self, key: Any, function: str, *arguments: Any) -> None:
        self._queue.append(Task(key, function, arguments))
        self._hand_out()

    def _hand_out(self) -> None:
        for worker in sorted(self._workers, key=lambda w: len(w.tasks)):
            while self._queue and len(worker.tasks) < 1 + AHEAD:
                if worker.tasks and any(not w.tasks for w in self._workers):
                    break
                task = self._queue.popleft()
                if not worker.tasks:
                    worker.since = time.monotonic()
                worker.tasks.append(task)
                # One that has died is seen by `wait`, which gives its tasks to another.
                with contextlib.suppress(OSError):
                    worker.pipe.send((task.function, task.arguments))

    def wait(self, timeout: float = 1.0) -> list[tuple[Any, Any]]:
        """Results that have come, after at most `timeout` seconds."""
        results = []
        ready = connection.wait([w.pipe for w in self._workers], timeout)
        for worker in list(self._workers):
            if worker.pipe in ready:
                try:
                    while worker.tasks and worker.pipe.poll():
                        good, value = worker.pipe.recv()
                        worker.since = time.monotonic()
                        results.append((worker.tasks.popleft().key, value if good else Lost(*value)))
                    alive = worker.process.is_alive() or not worker.pipe.poll()
                    alive = alive and (worker.tasks or not worker.pipe.poll())
                except (EOFError, OSError):
                    alive = False
                if not alive:
                    results += self._replace(worker, "the process that graded it was killed")
            elif worker.tasks and time.monotonic() - worker.since > self._patience:
                reason = f"no answer in {self._patience:.0f} seconds"
                results += self._replace(worker, reason, again=False)
        self._hand_out()
        return results

    def _replace(self, worker: Worker, reason: str, again: bool = True) -> list[tuple[Any, Any]]:
        """A new worker in the place of one that is gone; what it was at is tried again, or lost."""
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers[self._workers.index(worker)] = self._start()
        lost = []
        if worker.tasks:
            first = worker.tasks.popleft()
            first.attempts += 1
            if again and first.attempts < ATTEMPTS:
                worker.tasks.appendleft(first)
            else:
                lost.append((first.key, Lost(reason)))
        self._queue.extendleft(reversed(worker.tasks))
        return lost

    def close(self) -> None:
        """End the workers, and with them what they are at."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(None)
        end = time.monotonic() + (0 if self.busy else 5)
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def _work(pipe: connection.Connection, options: Mapping[str, Any]) -> None:
    """A worker: tasks in, results out, until the other end is gone."""
    from grader import submission

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    submission.initialise(options)
    submission.warm_up()
    tasks: queue.SimpleQueue = queue.SimpleQueue()
    # A task and a result may both be larger than the pipe: neither end may wait to be read while it doesn't read.
    threading.Thread(target=_read, args=(pipe, tasks), daemon=True).start()
    try:
        while (task := tasks.get()) is not None:
            pipe.send(run(*task))
    except OSError:
        pass
    finally:
        submission.close()


def _read(pipe: connection.Connection, tasks: queue.SimpleQueue) -> None:
    """Take tasks from the pipe as they come; None at its end."""
    task: Any = True
    while task is not None:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            task = None
        tasks.put(task)


def run(function: str, arguments: tuple) -> tuple[bool, Any]:
    """Do one task: (True, its value) or (False, what `Lost` holds)."""
    from grader import submission

    try:
        return True, getattr(submission, function)(*arguments)
    except Exception as error:
        return False, (str(error), type(error).__name__, traceback.format_exc())


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        # It may have died before it could be asked for.
        if os.getppid() == 1:
            os._exit(1)


class Cluster:
    """The workers of a Dask cluster.  They need this project and its requirements, and no file of the course.

    Where the scheduler goes away, or all workers do, whatever is asked raises `ConnectionError`, which says so.
    """

    def __init__(self, address: str, options: Mapping[str, Any], version: str, patience: float = 900.0):
        import distributed

        for name in QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._address, self._options, self._patience = address, dict(options), patience
        self._keys: dict[Any, Any] = {}
        self._killed = distributed.KilledWorker
        try:
            # Dask's client starts with any address, and later cannot end.
            distributed.comm.addressing.get_address_host_port(address)
            self._client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ConnectionError(
                f"no Dask scheduler answers at {address}: {reason}\n"
                "Start one with `dask scheduler`, which prints its address, or grade without --scheduler."
            ) from error
        try:
            self._check(version)
        except ConnectionError:
            self.close()
            raise
        self._done = distributed.as_completed(with_results=False, raise_errors=False, loop=self._client.loop)
        self._heard = self._staffed = time.monotonic()

    def _check(self, version: str) -> None:
        """Do the workers have the same grader as this process?"""
        with self._reached():
            versions = self._client.run(_version, on_error="return")
        # A worker that was killed meanwhile is no stranger.
        versions = {worker: theirs for worker, theirs in versions.items() if not isinstance(theirs, OSError)}
        if not versions:
            raise ConnectionError(
                f"the Dask scheduler at {self._address} has no workers yet: start some, then try again"
            )
        if strangers := [worker for worker, theirs in versions.items() if theirs != version]:
            raise ConnectionError(f"workers with another version of the grader: {', '.join(strangers)}")

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Ask the scheduler something; where it is gone there is one way to say so, in place of Dask's many."""
        cause = None
        try:
            yield
        except Exception as error:
            if self._client.status == "running" and not isinstance(error, (OSError, futures.CancelledError)):
                raise
            cause = error
        if cause or self._client.status != "running":
            raise ConnectionError(
                f"the Dask scheduler at {self._address} is gone, or no longer answers.\n"
                "Start it and its workers again, or grade without --scheduler."
            ) from cause

    def _threads(self) -> int:
        with self._reached():
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=ANSWER)
        return sum(threads.values())

    @property
    def room(self) -> bool:
        return len(self._keys) < (1 + AHEAD) * max(1, self._threads()) + 1

    @property
    def busy(self) -> bool:
        return bool(self._keys)

    def submit(self, key: Any, function: str, *arguments: Any) -> None:
        if not self.busy:
            self._heard = time.monotonic()
        with self._reached():
            future = self._client.submit(_on_cluster, self._options, function, arguments, pure=False)
            self._keys[future] = key
            self._done.add(future)

    def wait(self, timeout: float = 1.0) -> list[tuple[Any, Any]]:
        results = []
        end = time.monotonic() + timeout
        while self._keys and not self._done.has_ready() and time.monotonic() < end:
            time.sleep(0.01)
        with self._reached():
            for future in self._done.next_batch(block=False):
                if future.status in ("lost", "pending"):
                    # The worker that had the result was killed: another does it again.
                    self._done.add(future)
                    continue
                results.append((self._keys.pop(future), self._result(future)))
                future.release()
        if results:
            self._heard = time.monotonic()
        else:
            self._watch()
        return results

    def _result(self, future: Any) -> Any:
        try:
            good, value = future.result(timeout=self._patience)
        except (OSError, futures.CancelledError):
            raise
        except self._killed:
            return Lost("the process that graded it was killed")
        except Exception as error:
            return Lost(str(error), type(error).__name__)
        return value if good else Lost(*value)

    def _watch(self) -> None:
        """Nobody waits for ever: not for a scheduler that is stuck, nor for workers that don't come back."""
        threads, now = self._threads(), time.monotonic()
        if threads or not self.busy:
            self._staffed = now
        for since, most, what in (
            (self._staffed, min(UNSTAFFED, self._patience), "has had no worker"),
            (self._heard, self._patience, "has sent no result"),
        ):
            if self.busy and now - since > most:
                raise ConnectionError(
                    f"the Dask scheduler at {self._address} {what} for {most:.0f} seconds.\n"
                    "See whether its workers run, or grade without --scheduler."
                )

    def close(self) -> None:
        # By now what was asked for is done, or what went wrong is told.
        with contextlib.suppress(Exception):
            self._client.close()


def _on_cluster(options: Mapping[str, Any], function: str, arguments: tuple) -> tuple[bool, Any]:
    """A task in a process that Dask started; one at a time, whatever number of threads it has."""
    from grader import submission

    with _turn:
        if submission.options() != options:
            submission.initialise(options)
        return run(function, arguments)


def _version() -> str:
    from grader import submission

    return submission.version()
