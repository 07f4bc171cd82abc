"""Clips shared out among processes on this machine.

Each worker is a process of its own with a pipe of its own: nothing is shared between them, so one
that is killed at any moment takes nothing with it but the clip it had. (``ProcessPoolExecutor``
fails as a whole when a worker dies; pebble restarts workers, but they read tasks and write results
through one channel under two locks, which a killed worker may take to its grave.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from locoexport.batch.clip_work import MAX_ATTEMPTS, ClipWorker
from locoexport.batch.events import ClipDone, Event, FramesDone, WorkerDied
from locoexport.batch.jobs import ClipJob, ClipOutcome, WorkSettings
from locoexport.errors import LocoExportError, MachineError
from locoexport.machine.interruption import EndingSignals
from locoexport.machine.writing.drafts import abandon_drafts

__all__ = ["run_local"]

_MAX_STILLBORN = 5
"""So many workers in a row may die before they are ready for their first clip."""
_REPORT_EVERY_S = 0.5
_GRACE_S = 5.0


def run_local(jobs: Sequence[ClipJob], settings: WorkSettings, workers: int) -> Iterator[Event]:
    """Do jobs in ``workers`` processes; yields what happens, in the order in which it does.

    A worker that dies is replaced, and its clip begun again, up to ``MAX_ATTEMPTS`` times. When
    the iteration is left early the workers are ended.

    Raises:
        OutputError: nothing can be written any more.
        MachineError: workers cannot be started, or die before they are ready.
        LocoExportError: a worker cannot open the model.
    """
    waiting = deque(range(len(jobs)))
    attempts: Counter[int] = Counter()
    crew = [_Hand(settings) for _ in range(min(workers, len(jobs)))]
    stillborn = 0
    try:
        while waiting or any(hand.index is not None for hand in crew):
            for hand in crew:
                if hand.ready and hand.index is None and waiting:
                    hand.give(waiting.popleft(), jobs)
            by_pipe = {hand.pipe: hand for hand in crew}
            for pipe in wait(list(by_pipe)):
                hand = by_pipe[pipe]  # type: ignore[index]
                message = hand.hear()
                if isinstance(message, LocoExportError):
                    raise message
                if message is not None:
                    stillborn = 0
                    yield from hand.understand(message)
                    continue
                index, was_ready, reason = hand.index, hand.ready, hand.bury()
                crew[crew.index(hand)] = _Hand(settings)
                stillborn = 0 if was_ready else stillborn + 1
                if stillborn >= _MAX_STILLBORN:
                    raise MachineError(
                        f"{stillborn} workers in a row died before they were ready ({reason}). If "
                        "memory is short, ask for fewer workers (--workers)."
                    )
                yield WorkerDied(index, reason)
                if index is not None:
                    attempts[index] += 1
                    if attempts[index] < MAX_ATTEMPTS:
                        waiting.appendleft(index)
                    else:
                        yield ClipDone(index, _lost(jobs[index], reason))
    finally:
        for hand in crew:
            hand.dismiss()
        for hand in crew:
            hand.await_end()


def _lost(job: ClipJob, reason: str) -> ClipOutcome:
    text = f"its worker died {MAX_ATTEMPTS} times ({reason})"
    return ClipOutcome(job.clip, "lost", text)


class _Hand:
    """One worker process, seen from the driver."""

    def __init__(self, settings: WorkSettings) -> None:
        """Start it."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.ready = False
        self.index: int | None = None
        self._process = context.Process(target=_serve, args=(theirs, settings), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is seen as the end of the pipe

    def give(self, index: int, jobs: Sequence[ClipJob]) -> None:
        """Hand a job over; a worker that is dead already is found out by ``hear``."""
        self.index = index
        with suppress(OSError):
            self.pipe.send(jobs[index])

    def hear(self) -> Any | None:
        """The next message; None where the worker is gone."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def understand(self, message: Any) -> Iterator[Event]:
        """What a message means."""
        index = self.index
        if isinstance(message, ClipOutcome) and index is not None:
            self.index = None
            yield ClipDone(index, message)
        elif isinstance(message, int) and index is not None:
            yield FramesDone(index, message)
        else:
            self.ready = True

    def bury(self) -> str:
        """Clean up after a worker that is gone; says how it ended."""
        self.pipe.close()
        self._process.join(_GRACE_S)
        self.await_end()
        code = self._process.exitcode
        if code is not None and code < 0:
            return _signal_name(-code)
        return f"exit code {code}"

    def dismiss(self) -> None:
        """Tell it to end."""
        self.pipe.close()
        self._process.terminate()

    def await_end(self) -> None:
        """Wait until it has ended, and make it where it does not."""
        self._process.join(_GRACE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _serve(pipe: Connection, settings: WorkSettings) -> None:
    """A worker's life: open the model, then clip after clip until the driver goes away."""
    # The driver is told of Ctrl-C too, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_the_driver, daemon=True).start()
    with (
        EndingSignals(names=("SIGTERM", "SIGHUP")).handled(),
        closing(pipe),
        suppress(EOFError, BrokenPipeError, ConnectionResetError),
    ):
        try:
            with ClipWorker(settings) as worker:
                pipe.send("ready")
                while True:
                    pipe.send(worker.work(pipe.recv(), _Reporter(pipe)))
        except LocoExportError as error:
            pipe.send(error)


def _die_with_the_driver() -> None:
    """End this process when its driver is gone, even while it waits for a disk that hangs."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        abandon_drafts()
        os._exit(1)


class _Reporter:
    """Tells the driver how many frames are done, now and then."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._last = time.monotonic()

    def __call__(self, frames: int) -> None:
        now = time.monotonic()
        if now - self._last >= _REPORT_EVERY_S:
            self._last = now
            with suppress(OSError):  # the driver is gone, and so is this process in a moment
                self._pipe.send(frames)
