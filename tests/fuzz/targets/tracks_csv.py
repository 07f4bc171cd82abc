"""Tracks as .csv."""

from pathlib import Path

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.own import read_own

SUFFIX = ".csv"


def read(path: Path) -> None:
    """What ``convert`` does with it."""
    read_own(path, ClipFacts())
