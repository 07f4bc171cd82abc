"""Work beside the model: reading ahead, writing behind and waiting, each in one thread.

PyAV, OpenCV and ONNX Runtime release Python's lock, so the threads really run at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

from locoexport.machine.stopwatch import Stopwatch

__all__ = ["Behind", "StalledError", "read_ahead", "taken_in_thread"]

T = TypeVar("T")
_POLL_S = 0.1


def read_ahead(
    items: Iterator[T],
    watch: Stopwatch | None = None,
    cancel: Callable[[], object] = lambda: None,
) -> Generator[T, None, None]:
    """The items, the next of which is made in a thread while the caller works on this one.

    Never more than one is ahead, so at most two exist. Closing the iterator (or leaving its loop)
    ends the thread; what ``items`` raises is raised here. ``watch`` counts what the caller waits,
    as "waiting for frames". ``cancel`` is called where it is closed before its end,
    and makes ``items`` wait for nothing.
    """
    watch = watch or Stopwatch()
    ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(1)
    wanted = threading.Semaphore(1)
    stop = threading.Event()

    def make() -> None:
        try:
            while not stop.is_set():
                if not wanted.acquire(timeout=_POLL_S):
                    continue
                try:
                    item = next(items)
                except StopIteration:
                    ready.put(("end", None))
                    return
                ready.put(("item", item))
        except BaseException as error:
            ready.put(("error", error))

    thread = threading.Thread(target=make, name="locoexport-reader", daemon=True)
    thread.start()
    ended = False
    try:
        while True:
            with watch.timed("waiting for frames"):
                kind, value = _waited_for(ready)
            wanted.release()
            if kind == "end":
                ended = True
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        if not ended:
            cancel()
        thread.join()


def _waited_for(ready: queue.Queue[T]) -> T:
    """The next item. Not in one long wait: a signal that another thread met would not end it."""
    while True:
        with suppress(queue.Empty):
            return ready.get(timeout=_POLL_S)


class StalledError(Exception):
    """Nothing came for longer than was to be waited."""


def taken_in_thread(
    items: Iterator[T], stop: threading.Event, *, stall_s: float | None, ahead: int = 0
) -> Generator[T, None, None]:
    """The items, each taken in a thread, so that waiting for one can end where taking it does not.

    Args:
        items: what is taken. Its thread is left alone where it never comes back.
        stop: once it is set no more are taken; those that came are given, and then it ends.
        stall_s: how long to wait for one; None is for ever.
        ahead: how many are taken before they are asked for; 0 takes none that nobody wants.

    Raises:
        StalledError: ``stall_s`` went by.
        Exception: whatever ``items`` raises.
    """
    ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue()
    wanted = threading.Semaphore(ahead)
    closed = threading.Event()

    def take() -> None:
        try:
            while wanted.acquire() and not (stop.is_set() or closed.is_set()):
                try:
                    item = next(items)
                except StopIteration:
                    break
                ready.put(("item", item))
            ready.put(("end", None))
        except BaseException as error:
            ready.put(("error", error))

    thread = threading.Thread(target=take, name="frame-taker", daemon=True)
    thread.start()
    try:
        while True:
            wanted.release()
            kind, value = _awaited(ready, stop, stall_s)
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        closed.set()
        wanted.release()
        thread.join(_POLL_S)  # or never, where the item that it waits for never comes


def _awaited(
    ready: queue.Queue[tuple[str, T | BaseException | None]],
    stop: threading.Event,
    stall_s: float | None,
) -> tuple[str, T | BaseException | None]:
    begun = time.monotonic()
    while True:
        try:
            return ready.get(timeout=_POLL_S)
        except queue.Empty:
            if stop.is_set():
                return "end", None
            waited_s = time.monotonic() - begun
            if stall_s is not None and waited_s > stall_s:
                raise StalledError(f"nothing came for {stall_s:g} s") from None


class Behind(Generic[T]):
    """Calls a function with each item put in, in order, in a thread of its own.

    A ``with`` block that ends well waits for all of them; one that raises drops the rest. What the
    function raises is raised by the next ``put`` or at the end of the block.
    """

    def __init__(self, work: Callable[[T], None], *, depth: int) -> None:
        """``depth`` items may wait before ``put`` does."""
        self._work = work
        self._items: queue.Queue[T | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._drop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="locoexport-writer", daemon=True)

    def put(self, item: T) -> None:
        """Hand an item over; waits while too many wait already."""
        while self._error is None:
            try:
                self._items.put(item, timeout=_POLL_S)
                return
            except queue.Full:
                continue
        raise self._error

    def finish(self) -> None:
        """Wait until everything put in is done; raise what was met."""
        while self._items.unfinished_tasks and self._error is None:
            time.sleep(_POLL_S / 20)
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Behind[T]:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the thread; raise what it met."""
        if error is not None:
            self._drop.set()
        self._items.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                if not self._drop.is_set() and self._error is None:
                    self._work(item)
            except BaseException as error:
                self._error = error
            finally:
                self._items.task_done()
