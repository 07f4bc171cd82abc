"""Query points as a .npy array."""

from pathlib import Path

from locoexport.runtime.queries.points import check_queries, read_queries

SUFFIX = ".npy"


def read(path: Path) -> None:
    """What ``track --queries`` does with it."""
    check_queries(read_queries(path), 10, 100, 100)
