"""Frames prepared one ahead: the next is taken and encoded beside the answer to this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["prepare_ahead"]

Given = TypeVar("Given")
Prepared = TypeVar("Prepared")


def prepare_ahead(
    given: Iterable[Given], prepare: Callable[[Given], Prepared]
) -> Iterator[Prepared]:
    """What ``prepare`` makes of each, in order; the next one is made while this one is used.

    ``given`` is read, and ``prepare`` is called, in a thread of their own, one at a time. What they
    raise is raised here, in its place. Whoever leaves early waits for the one that is being made.
    """
    source = iter(given)

    def make() -> tuple[Prepared] | None:
        for each in source:
            return (prepare(each),)
        return None

    with ThreadPoolExecutor(1, thread_name_prefix="locoexport-ahead") as worker:
        coming = worker.submit(make)
        while (made := coming.result()) is not None:
            coming = worker.submit(make)
            yield made[0]
