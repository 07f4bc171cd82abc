"""Where frames come from: files, arrays, iterators and cameras, all read in one way.

Each kind has a file of its own, which makes a ``Footage``; ``FrameSource`` reads all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.runtime.video.arrays import clip_footage
from locoexport.runtime.video.cameras import camera_footage, check_camera
from locoexport.runtime.video.clips import DEFAULT_FPS, Clip
from locoexport.runtime.video.files import file_footage
from locoexport.runtime.video.frame_source import Footage, FrameSource
from locoexport.runtime.video.iterators import iterator_footage
from locoexport.runtime.video.selection import Selection

__all__ = ["FrameSource", "Selection", "Video", "open_source"]

Video = Clip | str | Path | NDArray[np.uint8] | Iterable[NDArray[np.uint8]] | int
"""A clip, a file, frames (frames, height, width, 3), an iterator of frames, a camera's index."""


def open_source(video: Video, selection: Selection | None = None) -> FrameSource:
    """A source of frames over anything that holds them.

    Args:
        video: see ``Video``. An iterator (and a camera) can be read once; a camera needs
            ``max_frames``.
        selection: which part of it; None is all.

    Raises:
        VideoError: it cannot be read, or the frames of an array are not uint8 (.., .., .., 3).
        UsageError: a camera without a limit, or frames to deinterlace that are of no file.
    """
    selection = selection or Selection()
    return FrameSource(_footage_of(video, selection), selection)


def _footage_of(video: Video, selection: Selection) -> Footage:
    if isinstance(video, str | Path):
        return file_footage(
            video, deinterlaced=selection.deinterlace, on_damage=selection.on_damage
        )
    if selection.deinterlace:
        raise UsageError("Only the frames of a file can be deinterlaced.")
    if isinstance(video, int | np.integer):
        index = check_camera(video)
        if selection.max_frames is None and selection.end_s is None:
            raise UsageError("A camera never ends; say how many frames to take (max_frames).")
        return camera_footage(index)
    if isinstance(video, np.ndarray):
        return clip_footage(Clip(video, DEFAULT_FPS))
    if isinstance(video, Clip):
        return clip_footage(video)
    return iterator_footage(video)
