"""Signals that end a run at once and leave nothing, wherever the main thread is.

Python runs a signal's handler in the main thread and between two of its steps: while that thread is
in ONNX Runtime's C++ no handler runs, for hours if the model says so. So the program that owns the
process (the command line, a worker) has a thread watch too. It tells running calls to stop
(``stoppable``), after which the main thread unwinds as from any error. Where it does not in time,
since one kernel is long or another library is at work, the thread removes the drafts of this
process and ends it.

Nothing here happens by importing or calling the library: a program that uses it keeps its handlers.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from locoexport.machine.writing.drafts import abandon_drafts

__all__ = ["EndingSignals", "ending_softly", "stoppable"]

_ANSWER_WITHIN_S = 1.0
"""The main thread begins to unwind, or else is taken for stuck."""
_UNWIND_WITHIN_S = 1.6
"""It has ended. Counted from the signal, as the other is."""
_REPEAT_S = 0.02


class _RunningCalls:
    """Calls into libraries that are under way in this process, and how each is told to stop.

    There is one of them, as there is one set of signal handlers: a call does not know who started
    the process, nor does a signal know which call it meets.
    """

    def __init__(self) -> None:
        self._stops: dict[object, Callable[[], object]] = {}

    def add(self, key: object, stop: Callable[[], object]) -> None:
        self._stops[key] = stop

    def remove(self, key: object) -> None:
        self._stops.pop(key, None)

    def stop_all(self) -> None:
        for stop in list(self._stops.values()):
            with suppress(RuntimeError):  # it has ended meanwhile
                stop()


_RUNNING = _RunningCalls()


class _SoftStop:
    """What the first Ctrl-C does in place of ending the run, where something is there.

    Both who hears of a signal, the handler in the main thread and the thread that watches, ask
    once each: neither knows whether the other was there already.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], object] | None = None
        self._heard: set[str] = set()

    @contextmanager
    def set_to(self, stop: Callable[[], object]) -> Iterator[None]:
        self._stop, self._heard = stop, set()
        try:
            yield
        finally:
            self._stop = None

    def takes(self, number: int, who: str) -> bool:
        """Whether that signal was the first one for ``who``, and stopped something."""
        stop = self._stop
        if stop is None or number != signal.SIGINT or who in self._heard:
            return False
        self._heard.add(who)
        stop()
        return True


_SOFT = _SoftStop()


@contextmanager
def ending_softly(stop: Callable[[], object]) -> Iterator[None]:
    """A block in which the first Ctrl-C calls ``stop``, and the next one ends the run.

    For sources that never end, of which Ctrl-C is the end. ``stop`` is called from any thread, may
    be called twice and must not wait. It does nothing where no ``EndingSignals`` is at work.
    """
    with _SOFT.set_to(stop):
        yield


@contextmanager
def stoppable(stop: Callable[[], object]) -> Iterator[None]:
    """A block that calls a library, and what makes that call fail from another thread."""
    key = object()
    _RUNNING.add(key, stop)
    try:
        yield
    finally:
        _RUNNING.remove(key)


class EndingSignals:
    """What SIGINT, SIGTERM and SIGHUP do to a process of ours; those that the system has.

    SIGINT raises KeyboardInterrupt, the others SystemExit with 128 and their number.
    """

    def __init__(
        self,
        last_words: Callable[[int], object] = lambda number: None,
        *,
        names: tuple[str, ...] = ("SIGINT", "SIGTERM", "SIGHUP"),
    ) -> None:
        """Args:
        last_words: called with the number where the process ends without unwinding.
        names: the signals.
        """
        self._last_words = last_words
        self._numbers = {getattr(signal, name) for name in names if hasattr(signal, name)}
        self._met = threading.Event()
        self._answered = threading.Event()

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle them while the block runs, and where one was met until the process has ended.

        Only for the main thread: Python lets no other set handlers.
        """
        wakes, woken = socket.socketpair()
        woken.setblocking(False)
        before = {number: signal.getsignal(number) for number in self._numbers}
        for number, handler in before.items():
            # nohup means what it says. A shell has its background jobs ignore SIGINT too, but
            # for Ctrl-C alone: a kill -INT is meant.
            if number == signal.SIGINT or handler != signal.SIG_IGN:
                signal.signal(number, self._answer)
        woken_before = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(wakes,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            if not self._met.is_set():
                signal.set_wakeup_fd(woken_before)
                for number, handler in before.items():
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
                woken.close()
                watcher.join()
                wakes.close()

    def end(self, code: int) -> None:
        """End the process, which has unwound, if it was one of the signals that had it unwind.

        Libraries as large as PyTorch take a second to be taken down in an orderly way, in which no
        thread of ours watches any more.
        """
        if self._answered.is_set():
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError, AttributeError):  # closed, or gone
                    stream.flush()
            abandon_drafts()
            os._exit(code)

    def _answer(self, number: int, _frame: FrameType | None) -> None:
        """Unwind, so that temporary files are removed on the way out."""
        if self._answered.is_set():
            return  # it does already, and must not be thrown out of that
        if _SOFT.takes(number, "handler"):
            return
        self._met.set()
        self._answered.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    def _watch(self, wakes: socket.socket) -> None:
        """The thread: wait for the first signal that is still ours, then end the process."""
        while True:
            received = wakes.recv(1)
            if not received:
                return
            number = received[0]
            if number not in self._numbers or not self._is_ours(number):
                continue
            if not _SOFT.takes(number, "watcher"):
                break
        self._met.set()
        begun = time.monotonic()
        while True:
            # Again and again: unwinding may begin another call.
            _RUNNING.stop_all()
            time.sleep(_REPEAT_S)
            allowed = _UNWIND_WITHIN_S if self._answered.is_set() else _ANSWER_WITHIN_S
            if time.monotonic() - begun > allowed:
                break
        self._leave(number)

    def _is_ours(self, number: int) -> bool:
        """Whether nobody has taken the signal over, as the demo's server does."""
        return signal.getsignal(number) == self._answer

    def _leave(self, number: int) -> None:
        try:
            abandon_drafts()
            self._last_words(number)
        finally:
            os._exit(128 + number)
