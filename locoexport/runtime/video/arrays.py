"""Footage that lies in memory: a clip's array of frames."""

from __future__ import annotations

from collections.abc import Iterator

from locoexport.runtime.video.clips import Clip
from locoexport.runtime.video.frame_source import Footage, Frame
from locoexport.runtime.video.frames import check_frames
from locoexport.runtime.video.selection import check_fps

__all__ = ["clip_footage"]


def clip_footage(clip: Clip) -> Footage:
    """The frames of a clip.

    Raises:
        VideoError: they are not uint8 (frames, height, width, 3).
        UsageError: the clip's ``fps`` is no number above 0.
    """
    check_frames(clip.frames_rgb)
    check_fps(clip.fps)

    def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        first = 0 if seek_s is None else int(seek_s * clip.fps)
        for index in range(first, len(clip.frames_rgb)):
            yield index / clip.fps, clip.frames_rgb[index]

    count = len(clip.frames_rgb)
    return Footage(timed, clip.fps, count, rereadable=True, warnings=list(clip.warnings))
