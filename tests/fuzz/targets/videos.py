"""Clips: containers and codecs of all kinds, of small frames."""

import itertools
from pathlib import Path

from locoexport.errors import LocoExportError
from locoexport.runtime.video.clips import VideoReader

SUFFIX = ".mp4"


def read(path: Path) -> None:
    """What ``track`` does with it, for a few frames, with --deinterlace and without."""
    for deinterlaced in (True, False):
        try:
            reader = VideoReader(path, deinterlaced=deinterlaced)
            for _ in itertools.islice(reader.frames(), 20):
                assert reader.pixel_aspect > 0
        except LocoExportError:
            if not deinterlaced:
                raise
