"""What a live tracker knows, as data that another process goes on with."""

from __future__ import annotations

from dataclasses import dataclass

from locoexport.runtime.live.points import FollowedPoints

__all__ = ["LiveState"]


@dataclass(frozen=True, eq=False)
class LiveState:
    """Taken by ``LiveTracker.state``, and given to ``restore``; it can be pickled.

    Attributes:
        model: the weights and settings of the export.
        frame_hw: height and width of the frames; None before the first.
        frame_index: of the newest frame, -1 before the first.
        next_id: of the next point.
        points: all that is followed.
    """

    model: str
    frame_hw: tuple[int, int] | None
    frame_index: int
    next_id: int
    points: FollowedPoints
