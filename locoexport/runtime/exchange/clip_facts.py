"""What a program wants to know of the clip that tracks come from, besides the tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.runtime.video.sources import FrameSource

__all__ = ["ClipFacts", "count_clip_frames"]

_LARGEST_SIDE = 1 << 20
_LAST_FRAME = 1_000_000_000


@dataclass(frozen=True, eq=False)
class ClipFacts:
    """Facts about the clip that was tracked; None where a fact is not known.

    Attributes:
        width: of a frame in pixels, in which the tracks' x is measured.
        height: of a frame in pixels.
        fps: frames a second.
        time_s: float64 (frames,): seconds at which each frame is shown, where the clip says so.
        frame_count: how many frames the clip has.
        file_name: the clip's name without its folder.
        first_frame: the number that the program gives the first tracked frame; None is what each
            format begins with (see docs/exchange.md).

    Raises:
        UsageError: no clip can have such a number.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    time_s: NDArray[np.float64] | None = None
    frame_count: int | None = None
    file_name: str | None = None
    first_frame: int | None = None

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            if side is not None and not 0 < side <= _LARGEST_SIDE:
                raise UsageError(f"A clip's {name} is {side}; it must be 1 to {_LARGEST_SIDE:,}.")
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise UsageError(f"A clip's fps is {self.fps}; it must be a positive number.")
        if self.first_frame is not None and not 0 <= self.first_frame <= _LAST_FRAME:
            raise UsageError(
                f"The first frame's number is {self.first_frame}; it must be 0 to {_LAST_FRAME:,}."
            )

    def first_frame_or(self, origin: int) -> int:
        """The number of the first tracked frame where the program counts from ``origin``."""
        return origin if self.first_frame is None else self.first_frame


def count_clip_frames(source: FrameSource, tracked: int) -> int:
    """How many frames a clip has; it is read through where its file does not say ``tracked``.

    Args:
        source: over all of the clip.
        tracked: frames that there are tracks for.

    Raises:
        VideoError: it cannot be read.
    """
    # What a file says is believed where two agree; it may be off by some.
    return tracked if source.frames_hint == tracked else source.read_through()
