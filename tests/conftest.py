"""What the tests share: the built site, and the rule that CI skips nothing."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"
# A new one in every run of CI, and the same for all workers of the run: they inherit it, and collect the same tests.
SEED = int(os.environ.setdefault("TEST_SEED", str(int(time.time())) if CI else "0"))


def need(program: str) -> str:
    """The path of a system program; without it the test is skipped, and on CI it fails."""
    path = shutil.which(program)
    if path is None:
        message = f"the system program {program!r} is not installed"
        pytest.fail(message) if CI else pytest.skip(message)
    return path


def need_sandbox() -> None:
    """Without a sandbox that starts the test is skipped, with the reason, and on CI it fails."""
    from grader import sandbox

    need("bwrap")
    if reason := sandbox._bubblewrap_fails():
        pytest.fail(reason) if CI else pytest.skip(f"bubblewrap: {reason}")


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site; `make book` builds it where it is not fresh."""
    built = ROOT / "_build" / "html"
    if "BOOK_HTML" in os.environ:
        return Path(os.environ["BOOK_HTML"])
    subprocess.run(["make", "--silent", "book"], cwd=ROOT, check=True, capture_output=True, text=True)
    return built


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A skipped test says that something was not shown; CI has everything, so there it is a failure."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped on CI: {report.longrepr}"
    return report
