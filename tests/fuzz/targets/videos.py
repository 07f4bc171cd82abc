"""Clips: containers and codecs of all kinds, of small frames."""

import itertools
from pathlib import Path

from locoexport.runtime.video.clips import VideoReader

SUFFIX = ".mp4"


def read(path: Path) -> None:
    """What ``track`` does with it, for a few frames."""
    for _ in itertools.islice(VideoReader(path).frames(), 20):
        pass
