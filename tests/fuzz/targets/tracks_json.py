"""Tracks as .json."""

from pathlib import Path

from locoexport.runtime.tracks.tracks import Tracks

SUFFIX = ".json"


def read(path: Path) -> None:
    """What ``Tracks.load`` and ``convert`` do with it."""
    repr(Tracks.load(path)[:1, 1:])
