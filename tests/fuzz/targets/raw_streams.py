"""Raw H.264 and HEVC, whose heads are read here; of small frames."""

import itertools
from pathlib import Path

from locoexport.runtime.video.clips import VideoReader

SUFFIX = ".h264"


def read(path: Path) -> None:
    """What ``track`` does with it, for a few frames."""
    for _ in itertools.islice(VideoReader(path, "continue").frames(), 40):
        pass
