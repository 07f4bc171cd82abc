"""Footage that comes frame by frame, once: a generator, a stream, a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from locoexport.errors import VideoError
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["iterator_footage"]


def iterator_footage(video: Iterable[Frame]) -> Footage:
    """What an iterable gives; that an item is no array is said by a VideoError when it comes."""
    frames = enumerate(video)

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        for index, frame in frames:
            if not isinstance(frame, np.ndarray):
                raise VideoError(f"Frame {index} is {type(frame).__name__}, not a uint8 array.")
            yield index / DEFAULT_FPS, frame

    return Footage(once, DEFAULT_FPS, None, rereadable=False)
