"""Masks: images of any kind."""

from pathlib import Path

from locoexport.runtime.queries.masks import grid_in_mask, read_mask_objects

SUFFIX = ".png"


def read(path: Path) -> None:
    """What ``track --mask`` does with it."""
    for _, mask in read_mask_objects(path):
        grid_in_mask(mask, (8, 8))
