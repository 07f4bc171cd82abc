"""What is said of one frame of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LiveTracks"]


@dataclass(frozen=True, eq=False)
class LiveTracks:
    """Where every point is in one frame.

    Attributes:
        ids: int64 (points,), as ``add`` gave them, in that order.
        xy: float32 (points, 2) as (x, y) in pixels of the frame, pixel centres at .5.
        visible: bool (points,): where the confidence is at least 0.5.
        confidence: float32 (points,) in 0..1.
        frame_index: of the frame, from 0.
        latency_ms: from the call of ``push`` to this answer; in ``follow`` from when the frame was
            there.
        window: frames that were looked at, the newest included.
        behind_ms: by how much that took longer than the tracker's ``target_fps`` allows a frame; 0
            where it was kept, or none was asked for. Where ``window`` is the smallest, 2, and this
            stays above 0, the target cannot be kept with so many points.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    frame_index: int
    latency_ms: float
    window: int = 1
    behind_ms: float = 0.0

    def __len__(self) -> int:
        """How many points there are."""
        return len(self.ids)
