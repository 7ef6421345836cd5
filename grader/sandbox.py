"""What the student's side may do, and the tools that hold it to that."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class NoSandbox(RuntimeError):
    """No sandbox is to be had here, and none was waived."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.  Seconds of wall time, bytes."""

    cell_seconds: float = 60.0
    grace_seconds: float = 2.0
    seconds: float = 600.0
    starts: int = 5
    memory: int = 2 * 2**30
    processes: int = 32
    file_size: int = 64 * 2**20
    scratch: int = 256 * 2**20
    output: int = 200_000


def command(tool: str, limits: Limits, fd: int) -> list[str]:
    """The command line that starts the student's side, its control socket being the file descriptor `fd`."""
    return [sys.executable, "-I", "-m", "grader.student", str(fd)]


def environment() -> dict[str, str]:
    """A cleared environment: nothing of the instructor's."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "IPYTHONDIR": "/tmp/ipython",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
