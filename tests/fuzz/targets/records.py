"""Records of finished work."""

from pathlib import Path

from locoexport.batch.records import read_record

SUFFIX = ".json"


def read(path: Path) -> None:
    """What ``track FOLDER`` and ``track-many`` do with it."""
    read_record(path)
