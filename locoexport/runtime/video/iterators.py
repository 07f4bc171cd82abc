"""Footage that comes frame by frame, once: a generator, a stream, a list."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.video.background import StalledError, taken_in_thread
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["STALL_S", "iterator_footage"]

STALL_S = 60.0
"""Seconds without a frame after which an iterator is taken for dead."""


def iterator_footage(video: Iterable[Frame], *, stall_s: float | None = STALL_S) -> Footage:
    """What an iterable gives, each frame copied: pools of frame grabbers give one array again.

    That an item is no array, or that none comes for ``stall_s`` seconds (None waits for ever), is
    said by a VideoError when it happens. ``stop`` of the footage ends it at once.

    Raises:
        UsageError: it is no iterable.
    """
    try:
        frames = iter(video)
    except TypeError as error:
        raise UsageError(
            f"{type(video).__name__} is not a video; give a file, frames as a uint8 array or an "
            "iterator of them, or a camera's index."
        ) from error
    stop = threading.Event()

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        taken = taken_in_thread(_copied(frames), stop, stall_s=stall_s)
        index = 0
        try:
            for index, frame in enumerate(taken):
                if not isinstance(frame, np.ndarray):
                    raise VideoError(
                        f"Frame {index} is {type(frame).__name__}, not a uint8 array."
                        + (" numpy.asarray(frame) makes one." if _is_array(frame) else "")
                    )
                yield index / DEFAULT_FPS, frame
        except StalledError as error:
            raise VideoError(f"The iterator stalls: {error}.") from error
        finally:
            taken.close()

    return Footage(once, DEFAULT_FPS, None, rereadable=False, stop=stop.set)


def _is_array(frame: object) -> bool:
    """Whether it is an array of another library: a tensor, an image."""
    return hasattr(frame, "__array__") or hasattr(frame, "__array_interface__")


def _copied(frames: Iterator[Any]) -> Iterator[Any]:
    for frame in frames:
        yield frame.copy() if isinstance(frame, np.ndarray) else frame
