"""A function in a process of its own, which may take so much time and memory and no more.

Third-party code in C++ that reads a stranger's file may take all memory, never end, or die of a
signal. In a process of its own it takes down only that. The parent watches memory and processor
time (psutil), the child holds itself to them as well where the system has such limits, and it ends
with its parent.

A process from the standard library's ``multiprocessing`` would run the caller's main module again,
which a script without a guard does not stand.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

import psutil

from locoexport.errors import InputError
from locoexport.machine.limits import EVALUATION_SECONDS, READING_BYTES, Limit
from locoexport.notices import Listener, Notice

__all__ = ["Allowance", "file_allowance", "run_bounded", "serve"]

Result = TypeVar("Result")

_BYTES_A_FILE_BYTE = 10
"""A graph is held in Python and in C++, before and after a step, and written out in between."""
_FREE_BYTES = 2 << 20
_POLL_SECONDS = 0.03
_WALL_SECONDS = 4
"""Of wall time to each second of processor time: this machine may be busy, a child that sleeps may
not go on for ever."""
_NOT_OF_ITS_OWN = 4 << 30
"""Address space that libraries reserve and never touch."""
_RUNNER = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from locoexport.machine.bounded_child import serve; serve()"
)


@dataclass(frozen=True)
class Allowance:
    """What a child may take: bytes of memory in all, and seconds of processor time for each step.

    A step ends with the next notice that it gives. ``raised_by`` is the limit that an error names
    for memory.
    """

    size_bytes: int
    seconds: float
    raised_by: Limit = READING_BYTES


def file_allowance(size_bytes: int) -> Allowance:
    """What reading a file of that size may take, by the limits in force.

    Time grows with the file up to the limit: a file of a few kilobytes has no claim to a minute.
    """
    share = min(1.0, 1 / 8 + size_bytes / _FREE_BYTES)
    return Allowance(
        READING_BYTES.value + _BYTES_A_FILE_BYTE * size_bytes, EVALUATION_SECONDS.value * share
    )


def run_bounded(
    function: Callable[..., Result],
    *arguments: object,
    allowance: Allowance,
    subject: object,
    error_type: type[InputError] = InputError,
    notify: Listener | None = None,
    during: Mapping[str, Allowance] | None = None,
) -> Result:
    """What ``function(*arguments)`` returns, run in a child.

    Args:
        function: at the top of a module. What it takes, returns and raises is pickled.
        arguments: its positional arguments.
        allowance: how much it may take.
        subject: whose reading this is, as the message should name it.
        error_type: what is raised where the child takes too much, or dies.
        notify: where given, the function is called with a keyword ``notify`` too, and what it tells
            that is told to this one, as it happens.
        during: what steps may take that need another allowance, by the text of their notice.

    Raises:
        InputError: of ``error_type``: the child took too much memory or time, or died of a signal.
        others: what the function raised, the child's traceback as its cause.
    """
    task = (function.__module__, function.__qualname__, arguments, notify is not None)
    steps = dict(during or {})
    most = max((allowance, *steps.values()), key=lambda one: (one.size_bytes, one.seconds))
    with TemporaryFile() as complaints, _started(complaints) as process:
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # a child that could not start says why when it ends
                pickle.dump((os.getpid(), most, task), process.stdin)
                process.stdin.close()
            kind, value, allowance = _await(process, allowance, steps, notify)
        finally:
            process.kill()
            process.wait()
        if kind == "result":
            return value  # type: ignore[no-any-return]
        if kind == "raised":
            error, told = value
            if not isinstance(error, MemoryError):
                raise error from _ChildError(told)
            kind = "memory"
        if kind == "ended":
            kind = _cause_of_death(process.returncode)
        if kind == "failed":
            complaints.seek(0)
            raise RuntimeError(
                f"The process for {function.__qualname__} ended with {process.returncode}: "
                + complaints.read()[-2000:].decode(errors="replace")
            )
        raise error_type(f"{subject} {_explained(kind, allowance)}")


class _ChildError(Exception):
    """The child's traceback, as text."""


def _started(complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    # -I: a child must not look for modules in the folder that the user stands in.
    flags = ["-I", *(["-B"] if sys.dont_write_bytecode else [])]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, *flags, "-c", _RUNNER, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=os.environ | one_thread,
    )


def _await(
    process: subprocess.Popen[bytes],
    allowance: Allowance,
    steps: Mapping[str, Allowance],
    notify: Listener | None,
) -> tuple[str, Any, Allowance]:
    """How it ended, while it is watched: a result, what was raised, too much of what, or a death.

    The first is result, raised, memory, time, or ended; the last what its last step was allowed.
    """
    usual = allowance
    messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(process.stdout, messages), daemon=True).start()
    watched = psutil.Process(process.pid)
    step = _Step(watched)
    while True:
        try:
            kind, value = messages.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            excess = step.excess(allowance)
            if excess:
                return excess, None, allowance
            continue
        if kind == "ended":
            process.wait(_WALL_SECONDS)
        if kind != "notice":
            return kind, value, allowance
        allowance = steps.get(value.text, usual)
        step = _Step(watched)
        if notify is not None:
            notify(value)


def _listen(pipe: IO[bytes], messages: queue.SimpleQueue[tuple[str, Any]]) -> None:
    try:
        while True:
            messages.put(pickle.load(pipe))
    except (EOFError, pickle.UnpicklingError, OSError, ValueError):
        messages.put(("ended", None))


class _Step:
    """From one notice of the child to the next."""

    def __init__(self, watched: psutil.Process) -> None:
        self._watched = watched
        self._since = time.monotonic()
        self._processor_since = self._processor_seconds()

    def excess(self, allowance: Allowance) -> str:
        """What of it the child has taken too much of, if anything: memory or time."""
        try:
            taken = self._watched.memory_info().rss
        except psutil.Error:  # it has ended: its message is on the way
            return ""
        if taken > allowance.size_bytes:
            return "memory"
        processor_seconds = self._processor_seconds() - self._processor_since
        wall_seconds = time.monotonic() - self._since
        if (
            processor_seconds > allowance.seconds
            or wall_seconds > _WALL_SECONDS * allowance.seconds
        ):
            return "time"
        return ""

    def _processor_seconds(self) -> float:
        try:
            times = self._watched.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)


def _cause_of_death(code: int) -> str:
    if code >= 0:
        return "failed"
    # The system itself kills with 9 where memory runs out.
    known = {"SIGKILL": "memory", "SIGXCPU": "time"}
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return known.get(name, name)


def _explained(kind: str, allowance: Allowance) -> str:
    def trusted(limit: Limit) -> str:
        return f"If you trust it, set {limit.variable} above {limit.value}."

    if kind == "memory":
        return f"takes more than {allowance.size_bytes:,} bytes of memory to be read. " + trusted(
            READING_BYTES
        )
    if kind == "time":
        return f"takes more than {allowance.seconds:.0f} s to be read. " + trusted(
            EVALUATION_SECONDS
        )
    return (
        f"cannot be read: it crashed the library that reads it ({kind}). It is damaged or "
        "malicious; get it or export it again."
    )


def serve() -> None:
    """The child's side: one task from stdin, messages to stdout. Called by ``run_bounded`` alone.

    A message is (kind, value), pickled: any number of notices, then a result or what was raised.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent was interrupted too, and ends this
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    parent, allowance, (module, name, arguments, tells) = pickle.load(sys.stdin.buffer)
    _hold_memory(allowance)
    _hold_time(allowance)
    _end_with(parent)
    tell = partial(_tell, pipe)

    def notify(notice: Notice) -> None:
        _hold_time(allowance)
        tell("notice", notice)

    try:
        function = getattr(importlib.import_module(module), name)
        options = {"notify": notify} if tells else {}
        tell("result", function(*arguments, **options))
    except BaseException as error:  # noqa: BLE001, RUF100 - it is raised again in the parent
        tell("raised", (error, "".join(traceback.format_exception(error))))


def _tell(pipe: IO[bytes], kind: str, value: object) -> None:
    pipe.write(pickle.dumps((kind, value)))
    pipe.flush()


def _hold_memory(allowance: Allowance) -> None:
    """A limit that needs no parent: it may be slower to see than one large request is to be met."""
    if sys.platform != "win32":
        import resource

        _lower(resource.RLIMIT_DATA, allowance.size_bytes + _NOT_OF_ITS_OWN)
        _lower(resource.RLIMIT_CORE, 0)


def _hold_time(allowance: Allowance) -> None:
    """Limits that need no parent, for the step that begins: it may have been killed."""
    # A thread in C: it needs neither the parent nor Python's lock.
    faulthandler.dump_traceback_later(2 * _WALL_SECONDS * allowance.seconds, exit=True)
    if sys.platform != "win32":
        import resource

        _lower(resource.RLIMIT_CPU, int(time.process_time() + allowance.seconds) + 2)


def _lower(which: int, value: int) -> None:
    import resource

    hard = resource.getrlimit(which)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (soft, hard))


def _end_with(parent: int) -> None:
    """On Linux the system ends this process with its parent; elsewhere its limits end it."""
    if sys.platform == "linux":
        import ctypes

        death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
