"""Masks: images of any kind."""

from pathlib import Path

from locoexport.runtime.queries.masks import grid_in_mask, read_mask

SUFFIX = ".png"


def read(path: Path) -> None:
    """What ``track --mask`` does with it."""
    grid_in_mask(read_mask(path), (8, 8))
