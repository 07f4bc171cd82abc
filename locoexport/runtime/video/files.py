"""Footage of a video file, which is decoded as often as it is read."""

from __future__ import annotations

from pathlib import Path

from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.frame_source import Footage

__all__ = ["file_footage"]


def file_footage(path: str | Path, *, deinterlaced: bool = False) -> Footage:
    """What a file holds; ``deinterlaced`` makes frames of one time of interlaced ones.

    Raises:
        VideoError: it is missing or is not a video.
    """
    reader = VideoReader(path, deinterlaced=deinterlaced)
    return Footage(
        reader.frames,
        reader.fps,
        reader.frames_hint,
        rereadable=True,
        warnings=reader.warnings,
        pixel_aspect=lambda: reader.pixel_aspect,
    )
