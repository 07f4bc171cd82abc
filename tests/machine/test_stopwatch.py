"""Seconds by name, over threads, by a clock that is set by hand where the numbers count."""

import threading
import time

import pytest

from locoexport.machine import stopwatch
from locoexport.machine.stopwatch import Stopwatch


@pytest.fixture
def pass_seconds(monkeypatch):
    """Moves the clock on by that many seconds."""
    now = [1000.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])

    def move_on(seconds: float) -> None:
        now[0] += seconds

    return move_on


def test_seconds_are_added_up_by_name(pass_seconds) -> None:
    watch = Stopwatch()
    for name, seconds in (("read", 1), ("run", 4), ("read", 2)):
        with watch.timed(name):
            pass_seconds(seconds)
        pass_seconds(0.5)
    assert (watch.seconds("read"), watch.seconds("run"), watch.seconds("never")) == (3, 4, 0)
    assert watch.shares() == (("run", 4), ("read", 3))
    assert watch.wall == 8.5


def test_a_block_inside_another_counts_for_both(pass_seconds) -> None:
    watch = Stopwatch()
    with watch.timed("all"):
        pass_seconds(1)
        with watch.timed("part"):
            pass_seconds(2)
    assert watch.shares() == (("all", 3), ("part", 2))


def test_a_block_that_raises_is_counted(pass_seconds) -> None:
    watch = Stopwatch()

    def fail() -> None:
        pass_seconds(3)
        raise KeyError

    with pytest.raises(KeyError), watch.timed("run"):
        fail()
    assert watch.seconds("run") == 3


def test_a_mark_is_of_the_first_time(pass_seconds) -> None:
    watch = Stopwatch()
    for _ in range(2):
        pass_seconds(2)
        watch.mark("first frame")
    assert watch.first("first frame") == 2
    assert watch.first("never") is None
    assert watch.shares() == ()


def test_nothing_is_lost_between_threads() -> None:
    watch = Stopwatch()
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        with watch.timed("sleep"):
            time.sleep(0.02)
        watch.mark("first")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = watch.first("first")
    assert watch.seconds("sleep") >= 0.08
    assert first is not None
    assert 0.02 <= first <= watch.wall
