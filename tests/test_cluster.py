"""More than one machine: workers of a Dask cluster, a gradebook on PostgreSQL, both real, both killed while grading."""

import contextlib
import glob
import math
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml
from classroom import ENVIRONMENT, RIGHT, WRONG, Class, marks
from conftest import CI, ROOT

from grader import pool
from grader.gradebook import Gradebook, GradebookError
from grader.submission import version

USER = "nobody"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A PostgreSQL server of ours, run by a user without rights, as it demands."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
        if not found[-1]:
            message = "the system program 'postgres' is not installed"
            pytest.fail(message) if CI else pytest.skip(message)
        self.bin, self.port = found[-1], free_port()
        # pytest's own folders are for their owner alone.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data = self.folder / "data"
        self.as_user = []
        if os.getuid() == 0:
            self.as_user = ["runuser", "-u", USER, "--"]
            shutil.chown(self.folder, USER)
        self.do("initdb", "--auth=trust", "--username=teacher", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        self.start()
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE gradebook")

    def do(self, program, *args):
        command = [*self.as_user, f"{self.bin}/{program}", "-D", str(self.data), *args]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)

    def start(self):
        options = f"-p {self.port} -h 127.0.0.1 -k {self.data} -c fsync=off"
        # Without a log file the server would keep our pipes open.
        self.do("pg_ctl", "-w", "-l", f"{self.data}/log", "-o", options, "start")

    def stop(self):
        self.do("pg_ctl", "-w", "-m", "immediate", "stop")

    def connect(self, database="gradebook"):
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=teacher dbname={database}", autocommit=True)

    @property
    def url(self):
        return f"postgresql+psycopg://teacher@127.0.0.1:{self.port}/gradebook"

    def empty(self):
        with self.connect("postgres") as connection:
            connection.execute("DROP DATABASE gradebook WITH (FORCE)")
            connection.execute("CREATE DATABASE gradebook")


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.fixture
def gradebook(server):
    server.empty()
    return server


def containers() -> list[dict]:
    """What the manifest for Kubernetes runs: the scheduler, then a worker."""
    parts = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    return [part["spec"]["template"]["spec"]["containers"][0] for part in parts if part["kind"] == "Deployment"]


class Cluster:
    """A Dask scheduler and two workers, each started as on a machine of its own."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        # As on Kubernetes, but for the address.
        commands = [container["args"] for container in containers()]
        changes = {"python": sys.executable, "8786": str(self.port), "tcp://grader-scheduler:8786": self.address}
        scheduler, worker = ([changes.get(word, word) for word in command] for command in commands)
        self.scheduler = self.run(*scheduler, "--host", "127.0.0.1")
        self.workers = [self.run(*worker) for _ in range(2)]

    def run(self, *command):
        with open(self.folder / "log", "a") as log:
            return subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT, stdout=log, stderr=log)

    def ready(self):
        import distributed

        with distributed.Client(self.address, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        return self

    def grading(self):
        """The processes that Dask's nannies watch over."""
        found = []
        for worker in self.workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [p for p in psutil.Process(worker.pid).children() if "spawn_main" in " ".join(p.cmdline())]
        return found

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.send_signal(signal.SIGINT)
        for process in [*self.workers, self.scheduler]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster.ready()
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A class graded on one machine with SQLite: what every other way must give."""
    course = Class(tmp_path_factory.mktemp("alone") / "course")
    for number in range(12):
        answer = (RIGHT, WRONG, "x = 1")[number % 3]
        course.submit(f"student {number:02}", {"square": answer}, "Because." * (number % 2))
    course.output = course.run()
    return course


@pytest.fixture
def course(alone, tmp_path):
    leave = shutil.ignore_patterns("gradebook.db", "autograded", "feedback", "reports")
    shutil.copytree(alone.root, tmp_path / "course", ignore=leave)
    return Class(tmp_path / "course")


def same(output, alone):
    shown = lambda text: [line for line in text.splitlines() if line.startswith("student")]
    assert shown(output) == shown(alone.output)


def test_postgres_has_the_same_gradebook(gradebook, course, alone):
    same(course.run("--gradebook", gradebook.url), alone)
    assert not course.database.exists()
    assert marks(gradebook.connect()) == alone.marks()
    assert "0 graded, 12 unchanged" in course.run("--gradebook", gradebook.url)


def test_nbgraders_commands_work_on_postgres(gradebook, course, alone):
    course.run("--gradebook", gradebook.url)
    course.nbgrader("autograde", "small", "--force", "--student", "student 01", "--db", gradebook.url)
    course.nbgrader("export", "--db", gradebook.url)
    assert marks(gradebook.connect()) == alone.marks()
    ours, theirs = ((course.root / path).read_text() for path in ("reports/grades.csv", "grades.csv"))
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines())


def test_a_database_that_goes_away_and_comes_back(gradebook, course, alone):
    process = course.start("--gradebook", gradebook.url, "--workers", "1")
    for _ in range(1000):
        time.sleep(0.1)
        with contextlib.suppress(psycopg.Error), gradebook.connect() as connection:
            if connection.execute("SELECT count(*) FROM grader_journal").fetchone()[0] > 1:
                break
    gradebook.stop()
    time.sleep(0.5)
    gradebook.start()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    same(out, alone)
    assert marks(gradebook.connect()) == alone.marks()


def test_a_database_that_stays_away_is_told_and_nothing_is_lost(gradebook, course, alone):
    process = course.start("--gradebook", gradebook.url, "--workers", "1")
    time.sleep(2)
    gradebook.stop()
    try:
        out, err = process.communicate(timeout=120)
    finally:
        gradebook.start()
    if process.returncode:
        assert "the gradebook postgresql+psycopg://teacher@127.0.0.1" in err and "Traceback" not in err
    same(course.run("--gradebook", gradebook.url), alone)
    assert marks(gradebook.connect()) == alone.marks()


def test_a_database_that_goes_away_before_it_is_held(gradebook, monkeypatch):
    monkeypatch.setattr("grader.gradebook.PATIENCE", (0.1,))
    with Gradebook(gradebook.url, "course") as book:
        gradebook.stop()
        try:
            with pytest.raises(GradebookError, match="can't be read or written"):
                book.lock()
        finally:
            gradebook.start()


def test_two_graders_of_one_database_are_one_too_many(gradebook, course):
    course.run("--gradebook", gradebook.url)
    with gradebook.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(2718281828)")
        assert "another grader is at work" in course.run("--gradebook", gradebook.url, good=False)


def test_workers_of_a_cluster_give_the_same(cluster, course, alone):
    same(course.run("--scheduler", cluster.address), alone)
    assert course.marks() == alone.marks()
    for step in ("autograded", "feedback"):
        for path in (alone.root / step).rglob("*.*"):
            assert (course.root / path.relative_to(alone.root)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_workers_of_a_cluster_are_killed(cluster, gradebook, course, alone, seed):
    rng = random.Random(seed)
    process = course.start("--scheduler", cluster.address, "--gradebook", gradebook.url, "--force")
    time.sleep(rng.uniform(1.0, 3.0))
    victims = cluster.grading()
    assert victims
    rng.choice(victims).kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    same(out, alone)
    assert marks(gradebook.connect()) == alone.marks()


class Line:
    """A line to the scheduler that can be cut for good; `most` cuts it after so many bytes of the scheduler's."""

    def __init__(self, address, most=math.inf):
        self.there, self.left = address.rpartition(":")[2], most
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", int(self.there)))
                self.ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self.copy, args=(source, sink, source is far), daemon=True).start()

    def copy(self, source, sink, counted):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    data, self.left = data[: max(0, min(len(data), self.left))], self.left - len(data)
                sink.sendall(data)
                if self.left <= 0:
                    self.cut()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        # The thread that accepts would hold it open.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for end in [self.listener, *self.ends]:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def line(cluster):
    line = Line(cluster.address)
    yield line
    line.cut()


def told(line, after=lambda pool: None):
    """Three tasks over a line that is cut; it must be told in our words, whatever Dask makes of it."""
    workers = None
    with pytest.raises(ConnectionError, match=f"Dask scheduler .*{line.address}.*\n.*without --scheduler"):
        try:
            workers = pool.Cluster(line.address, {}, version())
            for key in range(3):
                assert workers.room
                workers.submit(key, "version")
            while workers.busy:
                assert all(value == version() for _, value in workers.wait())
            after(workers)
        finally:
            if workers is not None:
                workers.close()


@pytest.mark.parametrize("moment", ["_start", "run", "submit", "sync", "_gather_remote"])
def test_a_scheduler_that_goes_away_when_it_is_asked(line, monkeypatch, moment):
    import distributed

    ask = getattr(distributed.Client, moment)

    def cut(client, *args, **more):
        if moment != "sync" or getattr(args[0], "__name__", "") == "send_recv_from_rpc":
            line.cut()
        return ask(client, *args, **more)

    monkeypatch.setattr(distributed.Client, moment, cut)
    monkeypatch.setattr(pool, "CONNECT", 1.0)
    told(line)


def test_a_scheduler_that_goes_away_at_the_end_takes_nothing_with_it(line):
    workers = pool.Cluster(line.address, {}, version())
    workers.submit("one", "version")
    results = []
    while workers.busy:
        results += workers.wait()
    line.cut()
    workers.close()
    assert results == [("one", version())]


def test_nobody_waits_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "ANSWER", 1.0)
    monkeypatch.setattr(pool, "UNSTAFFED", 1.0)
    cluster = Cluster(tmp_path).ready()
    workers = pool.Cluster(cluster.address, {}, version())
    try:
        cluster.scheduler.send_signal(signal.SIGSTOP)
        with pytest.raises(ConnectionError, match=f"the Dask scheduler at {cluster.address} .* no longer answers"):
            assert workers.room
        cluster.scheduler.send_signal(signal.SIGCONT)
        for worker in [*cluster.grading(), *cluster.workers]:
            worker.kill()
        workers.submit("one", "version")
        with pytest.raises(ConnectionError, match=f"the Dask scheduler at {cluster.address} has had no worker for 1 s"):
            while workers.busy:
                assert workers.wait() == []
    finally:
        workers.close()
        cluster.close()


def test_a_scheduler_that_dies_is_told_and_nothing_is_lost(tmp_path, course, alone):
    cluster = Cluster(tmp_path).ready()
    try:
        process = course.start("--scheduler", cluster.address)
        time.sleep(2.0)
        cluster.scheduler.kill()
        out, err = process.communicate(timeout=120)
    finally:
        cluster.close()
    if process.returncode:
        assert re.search(f"Dask scheduler (answers )?at {cluster.address}", err) and "Traceback" not in err, err
    same(course.run(), alone)
    assert course.marks() == alone.marks()


def test_a_scheduler_that_is_not_there(course):
    for address in (f"tcp://127.0.0.1:{free_port()}", "telnet://127.0.0.1:23"):
        told = course.run("--scheduler", address, good=False)
        assert f"no Dask scheduler answers at {address}" in told and "Traceback" not in told


def test_workers_with_another_version_are_refused(cluster):
    with pytest.raises(ConnectionError, match="another version of the grader"):
        pool.Cluster(cluster.address, {}, "another")
