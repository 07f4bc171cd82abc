"""Frames whose tracks are final, handed on in order to whoever draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.visibility import is_visible
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.tracking.storage import TrackStore
from locoexport.runtime.tracking.windows import Window
from locoexport.runtime.video.sources import FrameSource

__all__ = ["Delivery", "FrameBatch", "Sink"]


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """Frames in a row whose tracks are final.

    Attributes:
        start: index of the first one.
        frames: uint8 (height, width, 3) each.
        xy: float32 (points, frames, 2) in pixels of the video.
        visible: bool (points, frames).
        query_points: float32 (points, 3), all that were asked for.
        time_s: float64 (frames,), when each is shown: seconds after the video's first frame.
        confidence: float32 (points, frames), 0 to 1.
    """

    start: int
    frames: list[NDArray[np.uint8]]
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    query_points: NDArray[np.float32]
    time_s: NDArray[np.float64]
    confidence: NDArray[np.float32]


Sink = Callable[[FrameBatch], None]


class Delivery:
    """Gives a sink, where there is one, each frame once with what the store holds of it."""

    def __init__(
        self,
        sink: Sink | None,
        store: TrackStore,
        query_points: NDArray[np.float32],
        watch: Stopwatch,
        source: FrameSource,
    ) -> None:
        """``query_points``: float32 (points, 3) in the video's pixels, told with each batch."""
        self._source = source
        self._sink = sink
        self._store = store
        self._query_points = query_points
        self._watch = watch
        self._next = 0

    def hand_on(self, window: Window, end: int) -> None:
        """Hand on what was not yet handed on before frame ``end``; the window holds all of it."""
        first = self._next
        if end > first:
            self._give(first, window.frames[first - window.start : end - window.start])
            self._next = end

    def hand_on_all(self, source: FrameSource, block: int) -> None:
        """Hand every frame on, read once more from the source, ``block`` at a time."""
        if self._sink is None:
            return
        for first in range(0, self._store.frames, block):
            end = min(first + block, self._store.frames)
            self._give(first, source.frames_between(first, end))

    def _give(self, first: int, frames: list[NDArray[np.uint8]]) -> None:
        if self._sink is None:
            return
        values = self._store.values[first : first + len(frames)].transpose(1, 0, 2).copy()
        visible = is_visible(values[..., 2])
        with self._watch.timed("waiting for drawing"):
            self._sink(
                FrameBatch(
                    *(first, frames, values[..., :2], visible, self._query_points),
                    time_s=self._source.times_s[first : first + len(frames)],
                    confidence=values[..., 2],
                )
            )
