"""What the student's side may do, and the tools that hold it to that.

The warm student's process lives in a sandbox made by *bubblewrap* (Linux): it sees, read-only, the system's libraries,
fonts and time zone, Python, its packages, `backprop/` and the four files of the grader that it needs, and nothing else;
it has no network, a cleared environment, and as root it becomes nobody.  It never runs a student's code itself.  Each
submission is a child that shuts itself in further before it does: namespaces of its own (users, processes, mounts,
inter-process communication), an empty scratch in place of /tmp, no /proc, no capability, limits on memory, processes,
files and time, and, on x86-64 and ARM64, a list of system calls that it is refused (new programs, sockets, tracing,
mounts, namespaces, keys, kernel interfaces).  After the run everything in the sandbox but the warm process is killed.

What this stops: reading the solutions, hidden tests, gradebook or another's work; the network; starting programs;
outliving the run; filling the disk or the memory; reaching another submission or the warm process.

What it doesn't stop: a flaw of the kernel, which sandbox and grader share; keeping the processor busy until the time
is up; reading what Python's folders and the system's libraries show to everyone; telling its own student, in an error
message, the inputs that a hidden test gave it.  Memory has a limit for each process, and the sum over all processes is
looked at 50 times a second: there is no control group, so a burst in between can go beyond it.

A *container* runtime (Docker or Podman) gives the same outside on any system that has one, with one container for each
submission.  Where the kernel allows no namespaces within bubblewrap's, each submission has a bubblewrap of its own, and
there the namespaces of its own are bubblewrap's.
"""

import contextlib
import ctypes
import errno
import functools
import os
import platform
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEN = ("grader/__init__.py", "grader/sandbox.py", "grader/student.py", "grader/wire.py", "backprop")
SYSTEM = ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/alternatives")
NOBODY = 65534
IMAGE = "backpropagation-checked"
TRIAL = "from grader import sandbox; sandbox.become_nobody(); import numpy, IPython, backprop.grading"
TOOLS = ("bubblewrap", "container", "none")
# Who it is that refuses, by what bubblewrap then says.
REFUSERS = {
    "RTM_NEWADDR|uid map": "AppArmor, as on Ubuntu 24.04, until it has a profile for bwrap",
    "mount proc": "the kernel, in a container of whose /proc parts are masked",
    "new namespace": "a container's seccomp profile, or a kernel without user namespaces",
}


class NoSandbox(RuntimeError):
    """No sandbox is to be had here, and none was waived."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.  Seconds of wall time, bytes."""

    cell_seconds: float = 60.0
    grace_seconds: float = 2.0
    seconds: float = 600.0
    starts: int = 6
    memory: int = 2 * 2**30
    processes: int = 32
    files: int = 64
    file_size: int = 64 * 2**20
    scratch: int = 128 * 2**20
    output: int = 2_000_000


# Which tool ---------------------------------------------------------------------------------------------------


@functools.cache
def find(wanted: str = "auto") -> str:
    """The tool to use, tried once for real; `NoSandbox` says why there is none."""
    if wanted == "none":
        return "none"
    if wanted not in ("auto", *TOOLS):
        raise ValueError(f"no sandbox is called {wanted!r}; there are auto, {', '.join(TOOLS)}")
    reasons = []
    for tool, works in (("bubblewrap", _bubblewrap_fails), ("container", _container_fails)):
        if wanted in ("auto", tool):
            reason = works()
            if not reason:
                return tool
            reasons.append(f"{tool}: {reason}")
    raise NoSandbox(
        "students' code would run with your rights, and there is no sandbox to put it in.\n  "
        + "\n  ".join(reasons)
        + "\nInstall bubblewrap (Linux: apt-get install bubblewrap) or a container runtime, or, where you trust every "
        "submission, say --no-sandbox."
    )


def _bubblewrap_fails() -> str:
    if sys.platform != "linux":
        return f"it exists on Linux only, and this is {platform.system()}"
    if not shutil.which("bwrap"):
        return "the program bwrap is not installed"
    for path in map(Path, (sys.prefix, ROOT)):
        if path.is_relative_to("/tmp"):
            return f"{path} is in /tmp, in place of which a submission sees a scratch of its own: move it elsewhere"
    for _ in range(2):
        try:
            tried = subprocess.run(
                [*bubblewrap(), sys.executable, "-I", "-c", TRIAL],
                env=environment(), capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it did not start within 60 seconds"
        # That somebody killed it, inside or outside, says nothing of this machine.
        if 0 <= tried.returncode < 128:
            break
    return "" if tried.returncode == 0 else f"it does not start: {tried.stderr.strip()[-300:]}{_refuser(tried.stderr)}"


def _refuser(said: str) -> str:
    who = next((who for words, who in REFUSERS.items() if re.search(words, said)), "")
    return f" ({who}: see the page For instructors)" if who else ""


def _container_fails() -> str:
    runtime = next(filter(shutil.which, ("podman", "docker")), None)
    if not runtime:
        return "neither podman nor docker is installed"
    tried = subprocess.run([runtime, "image", "inspect", IMAGE], capture_output=True, text=True, timeout=60)
    if tried.returncode == 0:
        return ""
    build = f"{runtime} build -t {IMAGE} -f grader/Containerfile ."
    return f"{runtime} has no image {IMAGE}: {tried.stderr.strip()[-200:]}; build it with `{build}`"


# Command lines ------------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """A cleared environment: nothing of the instructor's but how NumPy is to compute, for the same last digits."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("OPENBLAS_", "MKL_", "NPY_"))}
    one = kept | {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": "/tmp/ipython",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **one,
    }


def command(tool: str) -> list[str]:
    """What starts the student's side under a tool; the caller appends the descriptor of its control socket."""
    student = [sys.executable, "-I", "-m", "grader.student"]
    if tool == "bubblewrap":
        return [*bubblewrap(), *student, "--sandboxed"]
    if tool == "container":
        return container(next(filter(shutil.which, ("podman", "docker")), "docker"), Limits())
    return student


def bubblewrap() -> list[str]:
    """bwrap and its arguments, up to the command to run in it."""
    root = os.geteuid() == 0
    line = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    # Root needs no user namespace, and becomes nobody inside; anyone else is given one.
    line += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else ["--unshare-user"]
    line += ["--die-with-parent", "--new-session"]
    paths = [*_libraries(), *_python(), *(str(ROOT / path) for path in SEEN), *filter(os.path.exists, SYSTEM)]
    if root:
        # Folders on the way to what is seen would be root's alone.
        parents = {str(parent) for path in paths for parent in Path(path).parents}
        for folder in sorted(parents - {"/"}):
            line += ["--perms", "0755", "--dir", folder]
    for path in paths:
        link = path in _libraries() and os.path.islink(path)
        line += ["--symlink", os.readlink(path), path] if link else ["--ro-bind", path, path]
    line += ["--proc", "/proc", "--dev", "/dev", *(["--perms", "1777"] if root else []), "--tmpfs", "/tmp"]
    return [*line, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def container(runtime: str, limits: Limits) -> list[str]:
    """A container runtime's command line; the notebook's process talks over its standard input and output."""
    tmp = f"/tmp:rw,noexec,nosuid,nodev,size={limits.scratch}"
    line = [runtime, "run", "--rm", "--interactive", "--network", "none", "--read-only", "--tmpfs", tmp]
    line += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{NOBODY}:{NOBODY}"]
    line += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)]
    line += ["--pids-limit", str(limits.processes), "--ulimit", f"fsize={limits.file_size}", "--ulimit", "core=0"]
    for path in SEEN:
        line += ["--volume", f"{ROOT / path}:/course/{path}:ro"]
    line += ["--env", "PYTHONPATH=/course", "--workdir", "/tmp"]
    for name, value in environment().items():
        line += ["--env", f"{name}={value}"] if name != "PATH" else []
    return [*line, IMAGE, "python", "-m", "grader.student", "--alone"]


def _libraries() -> list[str]:
    paths = ["/usr/lib", "/usr/lib64", "/lib", "/lib64"]
    return [path for path in paths if os.path.lexists(path)]


def _python() -> list[str]:
    """The interpreter and its packages, without what the file system has beside them."""
    real = os.path.realpath(sys.executable)
    chain, link = [sys.executable], sys.executable
    while os.path.islink(link):
        link = os.path.join(os.path.dirname(link), os.readlink(link))
        chain.append(os.path.abspath(link))
    places = {key: sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    wanted = [real, *chain, *places.values(), os.path.join(sys.prefix, "pyvenv.cfg")]
    shared = os.path.join(sys.base_prefix, "lib", sysconfig.get_config_var("INSTSONAME") or "")
    wanted += [shared] if shared.endswith(".so.1.0") else []
    for place in sys.path:
        if place.endswith(("lib-dynload", "dist-packages", "site-packages")):
            wanted.append(place)
    seen = [path for path in dict.fromkeys(wanted) if os.path.exists(path) and not path.startswith("/usr/lib/")]
    return [path for path in seen if not any(path != other and path.startswith(other + "/") for other in seen)]


# Shutting a child in ------------------------------------------------------------------------------------------

NEWNS, NEWIPC, NEWUSER, NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
ANY_NAMESPACE = 0x7E020000
RDONLY, NOSUID, NODEV, NOEXEC, PRIVATE = 1, 2, 4, 8, 0x40000 | 0x4000
SET_DUMPABLE, SET_PDEATHSIG, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS = 4, 1, 22, 24, 38

# What an honest notebook never asks of the kernel: (x86_64, aarch64).
REFUSED = {
    "execve": (59, 221), "execveat": (322, 281), "socket": (41, 198), "memfd_create": (319, 279),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "personality": (135, 92),
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "swapon": (167, 224), "reboot": (169, 142),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
}  # fmt: skip
# Numbers of clone and clone3, and what the kernel calls the machine.
MACHINES = {"x86_64": (0, 56, 435, 0xC000003E), "aarch64": (1, 220, 435, 0xC00000B7)}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def become_nobody() -> None:
    """Root gives up its rights for good; anyone else has none to give."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        # Otherwise /proc/self would belong to root.
        _libc().prctl(SET_DUMPABLE, 1, 0, 0, 0)


def own_namespaces(limits: dict) -> None:
    """Namespaces of its own for the caller and, where processes are concerned, for what it forks next."""
    libc, user, group = _libc(), os.getuid(), os.getgid()
    _check(libc.unshare(NEWUSER | NEWNS | NEWPID | NEWIPC), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    empty = "mode=700,nr_inodes=2000"
    _check(libc.mount(b"none", b"/", None, PRIVATE, None), "mount /")
    for place, more in (("/tmp", f"size={limits['scratch']},{empty}"), ("/dev/shm", f"size={2**20},{empty}")):
        _check(libc.mount(b"tmpfs", place.encode(), b"tmpfs", NOSUID | NODEV | NOEXEC, more.encode()), f"mount {place}")
    # Without /proc nothing tells of other processes, nor of this one's memory.
    _check(libc.mount(b"tmpfs", b"/proc", b"tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, b"size=4k"), "mount /proc")


def give_up_rights() -> None:
    """No capability, now or ever, an end with the parent's, and the system calls that are refused."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _check(libc.capset(header, none), "capset")
    _check(libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(libc.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    machine = MACHINES.get(platform.machine())
    if machine:
        rules = system_calls(*machine)
        buffer = ctypes.create_string_buffer(rules)
        program = struct.pack("@HP", len(rules) // 8, ctypes.addressof(buffer))
        _check(libc.prctl(SET_SECCOMP, 2, program, 0, 0), "seccomp")


def system_calls(column: int, clone: int, clone3: int, machine: int) -> bytes:
    """A filter for seccomp, in the kernel's little language: load a word, compare, jump, return."""
    load = lambda at: struct.pack("=HBBI", 0x20, 0, 0, at)
    jump = lambda kind, value, yes, no: struct.pack("=HBBI", kind, yes, no, value)
    give = lambda value: struct.pack("=HBBI", 0x06, 0, 0, value)
    equal, at_least, any_bit = 0x15, 0x35, 0x45
    allow, kill = give(0x7FFF0000), give(0x80000000)
    refuse = lambda number: give(0x00050000 | number)
    # Of another machine's calls (32 bits on 64, say) the numbers mean something else.
    rules = [load(4), jump(equal, machine, 1, 0), kill, load(0)]
    rules += [jump(at_least, 0x40000000, 0, 1), kill] if column == 0 else []
    # The C library then falls back on clone, whose flags can be read.
    rules += [jump(equal, clone3, 0, 1), refuse(errno.ENOSYS)]
    for number in REFUSED.values():
        rules += [jump(equal, number[column], 0, 1), refuse(errno.EPERM)]
    rules += [jump(equal, clone, 0, 3), load(16), jump(any_bit, ANY_NAMESPACE, 0, 1), refuse(errno.EPERM), allow]
    return b"".join(rules)


def address_space() -> int:
    """Bytes of address space that the caller has, most of it shared with the warm process."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit(limits: dict, base: int) -> None:
    """Limits that hold for each process from now on; it may take `limits["memory"]` beyond `base`."""
    values = {
        resource.RLIMIT_AS: base + limits["memory"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: limits["files"],
        resource.RLIMIT_FSIZE: limits["file_size"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(limits["seconds"]) + 1,
    }
    for what, value in values.items():
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def used() -> int:
    """Bytes of memory that processes other than the caller and the first have, as far as they can be seen."""
    kilobytes = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc/1") else ():
        if name.isdigit() and int(name) not in (1, os.getpid()):
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/status") as file:
                kilobytes += sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon", "RssShmem")))
    return 1024 * kilobytes
