"""How contenders are timed: settled first, then turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

__all__ = ["Timed", "settle", "take_turns"]

_LEAST_WARM_UPS = 2
_MOST_WARM_UPS = 8
_SETTLED = 0.05
_REST = 0.02
"""Seconds between two runs: the threads of the side that has just run are still spinning then."""


class Timed(Protocol):
    """Something that can be run again and again."""

    def run(self) -> None:
        """One call, ended only when its results are there."""


def settle(contender: Timed, *, clock: Callable[[], float] = time.perf_counter) -> int:
    """Run until two runs in a row take the same time within 5 % (at most 8); returns how many.

    Allocators grow, algorithms are chosen (cuDNN tries them out) and pages are touched in the
    first runs.
    """
    before = float("inf")
    for count in range(1, _MOST_WARM_UPS + 1):
        started = clock()
        contender.run()
        taken = clock() - started
        if count >= _LEAST_WARM_UPS and abs(taken - before) <= _SETTLED * before:
            return count
        before = taken
    return _MOST_WARM_UPS


def take_turns(
    contenders: Sequence[Timed],
    rounds: int,
    *,
    progress: Callable[[int], None],
    clock: Callable[[], float] = time.perf_counter,
    rest: Callable[[float], None] = time.sleep,
) -> list[list[float]]:
    """Seconds of every run, a list a contender; all run in every round, in turn in reverse order.

    ``progress`` is told how many rounds are done.
    """
    seconds: list[list[float]] = [[0.0] * rounds for _ in contenders]
    for index in range(rounds):
        order = range(len(contenders))
        for side in order if index % 2 == 0 else reversed(order):
            rest(_REST)
            started = clock()
            contenders[side].run()
            seconds[side][index] = clock() - started
        progress(index + 1)
    return seconds
