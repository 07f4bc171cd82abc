"""Query points as CVAT's XML."""

from pathlib import Path

from locoexport.runtime.queries.points import check_queries, read_queries

SUFFIX = ".xml"


def read(path: Path) -> None:
    """What ``track --queries`` does with it."""
    check_queries(read_queries(path), 10, 100, 100)
