"""Animated WebP and AVIF, and images by a folder, as ``track`` opens them."""

import itertools
from pathlib import Path

from locoexport.runtime.sources.opening import open_video

SUFFIX = ".webp"


def read(path: Path) -> None:
    """What ``track`` does with it, for a few frames."""
    for _ in itertools.islice(open_video(path).frames(), 20):
        pass
