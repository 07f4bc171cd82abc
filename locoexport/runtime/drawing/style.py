"""How tracks are drawn, as data: one value that every painter of a film takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from locoexport.errors import UsageError

__all__ = ["OVERLAY_STYLE", "TRAIL_FRAMES", "ColourBy", "DrawingStyle"]

ColourBy = Literal["query", "object", "confidence"]
"""What decides a point's colour: where it was asked for, its object, or how sure the model is."""

TRAIL_FRAMES = 16
"""How long trails are, unless told otherwise."""

_SMALL_SIDE = 360
"""Below that many pixels of the shorter side a ring of three pixels is no ring any more."""
_LARGEST_OWN_SCALE, _LARGEST_SCALE = 4, 8
_MOST_TRAIL_FRAMES, _LARGEST_MARK = 100_000, 500.0


@dataclass(frozen=True)
class DrawingStyle:
    """How tracks are drawn over a film. Sizes are in pixels of what is drawn, after ``scale``.

    Attributes:
        trail_frames: how many frames the trail behind a point is long; 0 draws none.
        point_size: the diameter of a dot; None is chosen by the frame's diagonal.
        line_width: of trails, and of the lines of objects; None is chosen by the diagonal.
        hide_occluded: draw no rings where a point is not visible.
        scale: frames are enlarged so many times before anything is drawn; None chooses 1 to 4
            by the frame's shorter side.
        colour: what decides a point's colour.
    """

    trail_frames: int = TRAIL_FRAMES
    point_size: float | None = None
    line_width: int | None = None
    hide_occluded: bool = False
    scale: int | None = 1
    colour: ColourBy = "query"

    def __post_init__(self) -> None:
        """Raises UsageError where a value is out of range."""
        if not 0 <= self.trail_frames <= _MOST_TRAIL_FRAMES:
            raise UsageError(
                f"trail_frames is {self.trail_frames}; it must be 0 or more, at most "
                f"{_MOST_TRAIL_FRAMES}."
            )
        for name, size in (("point_size", self.point_size), ("line_width", self.line_width)):
            if size is not None and not (math.isfinite(size) and 1 <= size <= _LARGEST_MARK):
                raise UsageError(f"{name} is {size}; it must be 1 to {_LARGEST_MARK:g} pixels.")
        if self.scale is not None and not 1 <= self.scale <= _LARGEST_SCALE:
            raise UsageError(
                f"scale is {self.scale}; it must be a whole number from 1 to {_LARGEST_SCALE}."
            )
        if self.colour not in get_args(ColourBy):
            raise UsageError(
                f"colour is {self.colour!r}; it must be one of {', '.join(get_args(ColourBy))}."
            )

    def within(self, memory: int | str | None) -> DrawingStyle:
        """This style; where memory is limited, nothing is enlarged that nobody asked for."""
        return self if memory is None or self.scale is not None else replace(self, scale=1)

    def scale_for(self, height: int, width: int) -> int:
        """How many times frames of that size are enlarged."""
        if self.scale is not None:
            return self.scale
        return min(_LARGEST_OWN_SCALE, math.ceil(_SMALL_SIDE / min(height, width)))


OVERLAY_STYLE = DrawingStyle(scale=None)
"""Of an overlay where nobody says another: small clips are enlarged."""
