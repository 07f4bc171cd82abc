"""Query points as SLEAP's labels (needs h5py)."""

from pathlib import Path

from locoexport.runtime.queries.points import check_queries, read_queries

SUFFIX = ".slp"


def read(path: Path) -> None:
    """What ``track --queries`` does with it."""
    check_queries(read_queries(path), 10, 100, 100)
