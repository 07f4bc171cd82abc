"""Footage of a video file, which is decoded as often as it is read."""

from __future__ import annotations

from pathlib import Path

from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.frame_source import Footage

__all__ = ["file_footage"]


def file_footage(
    path: str | Path, *, deinterlaced: bool = False, on_damage: OnDamage = "stop"
) -> Footage:
    """What a file holds; of a damaged one up to the damage, or all.

    ``deinterlaced`` makes frames of one time of interlaced ones.

    Raises:
        VideoError: it is missing or is not a video.
    """
    reader = VideoReader(path, on_damage, deinterlaced=deinterlaced)
    return Footage(
        reader.frames,
        reader.fps,
        reader.frames_hint,
        rereadable=True,
        warnings=reader.warnings,
        repeated_s=reader.repeated_s,
        pixel_aspect=lambda: reader.pixel_aspect,
        ended_early=lambda: reader.ended_early,
        findable=lambda: reader.findable,
    )
