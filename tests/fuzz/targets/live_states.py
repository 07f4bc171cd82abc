"""What a live tracker knows, as .npz."""

from pathlib import Path

from locoexport.runtime.live.state import LiveState

SUFFIX = ".npz"


def read(path: Path) -> None:
    """What ``LiveState.load`` does with it."""
    LiveState.load(path)
