"""Work beside the model: reading ahead and writing behind, each in one thread.

PyAV, OpenCV and ONNX Runtime release Python's lock, so the threads really run at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from locoexport.machine.stopwatch import Stopwatch

__all__ = ["Behind", "read_ahead"]

T = TypeVar("T")
_POLL_S = 0.1


def read_ahead(items: Iterator[T], watch: Stopwatch | None = None) -> Generator[T, None, None]:
    """The items, the next of which is made in a thread while the caller works on this one.

    Never more than one is ahead, so at most two exist. Closing the iterator (or leaving its loop)
    ends the thread; what ``items`` raises is raised here. ``watch`` counts what the caller waits,
    as "waiting for frames".
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
    try:
        while True:
            with watch.timed("waiting for frames"):
                kind, value = ready.get()
            wanted.release()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


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
