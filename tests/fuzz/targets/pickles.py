"""A pickle of plain data."""

from pathlib import Path

from locoexport.machine.reading.pickles.plain_pickle import load_plain

SUFFIX = ".pkl"


def read(path: Path) -> None:
    """What every reader of pickles begins with."""
    load_plain(path)
