"""Features of points, as .npz."""

from pathlib import Path

from locoexport.runtime.live.features import QueryFeatures

SUFFIX = ".npz"


def read(path: Path) -> None:
    """What ``QueryFeatures.load`` does with it."""
    len(QueryFeatures.load(path))
