"""What surrounds every test: the same examples each time, an empty cache, one core a worker."""

from __future__ import annotations

import atexit
import os
import signal
from tempfile import TemporaryDirectory

from hypothesis import settings

__all__ = ["EXPORTS", "prepare"]

EXPORTS = "LOCOEXPORT_TEST_EXPORTS"
"""Names the folder of exported files that all workers of a run share."""


def prepare() -> None:
    """Set up this process before a test is collected; again is nothing."""
    # The same examples every time, and no clock: a busy machine is no failure.
    settings.register_profile("repeatable", derandomize=True, deadline=None)
    settings.load_profile("repeatable")
    # Tests leave nothing in the user's cache; those of the cache itself switch it on in a folder.
    os.environ["LOCOEXPORT_CACHE"] = "off"
    # Test modules import ONNX Runtime before the package that switches its telemetry off.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # Workers of pytest-xdist are told the terminal's width, a run without them is not.
    os.environ.pop("COLUMNS", None)
    # A shell that starts tests in the background lets them ignore SIGINT, and so the commands that
    # they interrupt. What Python handles itself is not handed down as ignored.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _take_one_core()
    if EXPORTS not in os.environ:
        # Lives as long as the process that began the run: the workers inherit its name.
        folder = TemporaryDirectory(prefix="locoexport-exports-")
        atexit.register(folder.cleanup)
        os.environ[EXPORTS] = folder.name


def _take_one_core() -> None:
    """A worker of pytest-xdist runs on one core, and so do the programs that it starts.

    Threads of ONNX Runtime and OpenMP spin while they wait: two programs of two threads on two
    cores are several times slower than two programs of one thread.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker.startswith("gw") or not hasattr(os, "sched_setaffinity"):
        return
    if len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})
