"""Threads beside the model: in order, never far ahead, and errors come to the caller."""

import threading
import time
from collections.abc import Iterator

import pytest

from locoexport.runtime.video.background import Behind, read_ahead


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "locoexport" in thread.name}


def test_reads_one_ahead_and_no_further() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for index in range(6):
            made.append(index)
            yield index

    for taken in read_ahead(items()):
        time.sleep(0.02)
        assert made[-1] <= taken + 1
    assert made == list(range(6))
    assert not _threads()


def test_reading_that_fails_fails_where_it_is_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="broken"):
        next(ahead)
    assert not _threads()


def test_closing_early_ends_the_thread() -> None:
    ahead = read_ahead(iter(range(1000)))
    assert next(ahead) == 0
    ahead.close()
    assert not _threads()


def test_writes_behind_in_order() -> None:
    written: list[int] = []
    with Behind(written.append, depth=2) as behind:
        for index in range(50):
            behind.put(index)
        behind.finish()
        assert written == list(range(50))
    assert not _threads()


def test_writing_that_fails_stops_the_caller() -> None:
    def work(item: int) -> None:
        raise OSError(f"no room for {item}")

    def put_all(items: range, *, finish: bool = False) -> None:
        with Behind(work, depth=1) as behind:
            for index in items:
                behind.put(index)
            if finish:
                behind.finish()

    for items, finish in ((range(1000), False), (range(1), False), (range(1), True)):
        with pytest.raises(OSError, match="no room for 0"):
            put_all(items, finish=finish)
    assert not _threads()


def test_a_failure_of_the_caller_drops_what_waits() -> None:
    written: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.05)
        written.append(item)

    def fail() -> None:
        with Behind(work, depth=8) as behind:
            for index in range(8):
                behind.put(index)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(written) < 8
    assert not _threads()
