"""A video cut into windows over time that overlap, each ready for the model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.video.frames import to_model_input

__all__ = ["DEFAULT_WINDOW", "Window", "WindowSize", "read_windows"]

DEFAULT_WINDOW = 48
"""Frames. The networks were trained on 24 at a time; see docs/long-videos.md for what it costs."""


@dataclass(frozen=True)
class WindowSize:
    """How many frames a window has, and how many of them the next one shares with it."""

    frames: int
    overlap: int

    def __post_init__(self) -> None:
        """Raises UsageError where windows would not advance or not share a frame."""
        if self.frames < 2:
            raise UsageError(f"A window has {self.frames} frames; it must have at least 2.")
        if not 1 <= self.overlap < self.frames:
            raise UsageError(
                f"Windows of {self.frames} frames overlap by 1 to {self.frames - 1}, "
                f"not {self.overlap}."
            )

    @classmethod
    def of(cls, frames: int) -> WindowSize:
        """Windows that share a third: long enough to see a point that is hidden for a moment."""
        return cls(frames, max(1, frames // 3))


@dataclass(frozen=True, eq=False)
class Window:
    """Some frames in a row.

    Attributes:
        start: index of its first frame in the video.
        commit_from: the first frame whose tracks are not final yet when this window comes.
        frames: uint8 (height, width, 3) each.
        video: (1, frames, height, width, 3), as the model takes it: float32 at its resolution, or
            uint8 as the frames are.
    """

    start: int
    commit_from: int
    frames: list[NDArray[np.uint8]]
    video: NDArray[Any]

    @property
    def end(self) -> int:
        """One behind its last frame."""
        return self.start + len(self.frames)


def read_windows(
    frames: Iterator[NDArray[np.uint8]],
    size: WindowSize,
    takes: Signature,
    watch: Stopwatch,
) -> Iterator[Window]:
    """Windows of exactly ``size.frames``, of which the last reaches further back where it must.

    Only a video that is shorter than one window gives a shorter one. ``takes`` says what the model
    is given.
    """
    previous: Window | None = None
    while True:
        wanted = size.frames if previous is None else size.frames - size.overlap
        with watch.timed("decode"):
            new = list(itertools.islice(frames, wanted))
        if not new:
            return
        with watch.timed("resize"):
            previous = _joined(previous, new, size, takes)
        yield previous


def _joined(
    previous: Window | None,
    new: list[NDArray[np.uint8]],
    size: WindowSize,
    takes: Signature,
) -> Window:
    shared = 0 if previous is None else size.frames - len(new)
    raw = takes.input_type == "uint8"
    frame_hw = new[0].shape[:2] if raw else takes.resolution_hw
    video = np.empty((1, shared + len(new), *frame_hw, 3), np.dtype(takes.input_type))
    for index, frame in enumerate(new, shared):
        video[:, index] = frame if raw else to_model_input(frame[None], takes.resolution_hw)[:, 0]
    if previous is None:
        return Window(0, 0, new, video)
    first = len(previous.frames) - shared
    video[:, :shared] = previous.video[:, first:]
    return Window(
        start=previous.start + first,
        commit_from=previous.end - size.overlap,
        frames=previous.frames[first:] + new,
        video=video,
    )
