"""Tracks over windows: how a point goes on from one window into the next.

The rule, for a point that was tracked in a window, when the next one comes:

1. It is asked for again where it was last visible among the frames that both windows have. Up to
   that frame the older window's answer stays, after it the newer one's counts.
2. A point that is visible in none of them goes on from where it was last visible before: that
   frame (an anchor) takes the place of one of the first shared frames, and the point is asked for
   there. Anchors are few (half of the shared frames at most): those that serve most points.
3. A point without an anchor is asked for again where it was most confident among the shared
   frames, and the older window's answer stays for all of these.

Frames behind ``commit_from`` of the next window are final.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.windows import Window, WindowSize

__all__ = ["Request", "Stitcher"]

Floats = NDArray[np.float32]
_NEVER = -1


@dataclass(frozen=True, eq=False)
class Request:
    """One run of the model: these points, float32 (points, 3) in the window's time, over this."""

    video: NDArray[Any]
    points: NDArray[np.intp]
    queries_tyx: Floats


@dataclass(frozen=True, eq=False)
class _Answers:
    """What is known of a window: (points, frames, 2), and confidence (points, frames)."""

    start: int
    xy: Floats
    confidence: Floats

    @property
    def visible(self) -> NDArray[np.bool_]:
        return 1 - self.confidence <= 0.5


class Stitcher:
    """The points of one pass over a video, in the model's pixels.

    For each window: ``begin``, then each of ``requests`` run and given to ``answer``, then
    ``finish``.
    """

    def __init__(self, queries_tyx: Floats, size: WindowSize) -> None:
        """``queries_tyx``: float32 (points, 3), in the time of this pass."""
        self._size = size
        self._queries = queries_tyx.copy()
        count = len(queries_tyx)
        self._begun = np.zeros(count, bool)
        self._hold_until = np.full(count, _NEVER)
        self._anchor_t = np.full(count, _NEVER)
        self._anchor_xy = np.zeros((count, 2), np.float32)
        self._anchors: dict[int, NDArray[Any]] = {}
        self._recent: _Answers | None = None

    def begin(self, window: Window) -> NDArray[np.bool_]:
        """Look at the next window; says which points are tracked in it, bool (points,)."""
        active = self._queries[:, 0] <= window.end - 1
        self._fresh = active & ~self._begun
        self._anchored = np.zeros(len(active), bool)
        self._hold_until[:] = _NEVER
        if self._recent is not None:
            self._carry(self._recent, window)
        frames = len(window.frames)
        self._now = _Answers(
            window.start,
            np.full((len(active), frames, 2), np.nan, np.float32),
            np.zeros((len(active), frames), np.float32),
        )
        self._active = active
        return active

    def requests(self, window: Window, per_call: int) -> Iterator[Request]:
        """What has to be run for this window, at most ``per_call`` points at a time."""
        groups = [(window.video, self._active & ~self._anchored, window.start)]
        if self._anchored.any():
            groups.append((self._video_with_anchors(window), self._anchored, 0))
        for video, chosen, origin in groups:
            points = np.flatnonzero(chosen)
            queries = self._queries[points]
            queries[:, 0] -= origin
            for first in range(0, len(points), per_call):
                part = slice(first, first + per_call)
                yield Request(video, points[part], queries[part])

    def answer(self, request: Request, xy: Floats, confidence: Floats) -> None:
        """Take the model's answer to a request: (points, frames, 2) and (points, frames)."""
        self._now.xy[request.points] = xy
        self._now.confidence[request.points] = confidence

    def finish(self, window: Window) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Join this window to what went before.

        Returns:
            xy (points, frames, 2) and confidence (points, frames) of the window, and which
            of them are new, bool (points, frames).
        """
        now = self._now
        times = np.arange(window.start, window.end)
        if self._recent is not None:
            shared = self._recent.start + self._recent.xy.shape[1] - window.start
            kept = times[None, :shared] <= self._hold_until[:, None]
            now.xy[:, :shared][kept] = self._recent.xy[:, -shared:][kept]
            now.confidence[:, :shared][kept] = self._recent.confidence[:, -shared:][kept]
        is_new = self._fresh[:, None] | (self._begun[:, None] & (times >= window.commit_from))
        self._begun |= self._fresh
        self._recent = now
        self._choose_anchors(window)
        return now.xy, now.confidence, is_new

    def _carry(self, recent: _Answers, window: Window) -> None:
        shared = recent.start + recent.xy.shape[1] - window.start
        visible, xy = recent.visible[:, -shared:], recent.xy[:, -shared:]
        found = self._begun & visible.any(axis=1)
        last = shared - 1 - np.argmax(visible[:, ::-1], axis=1)
        best = np.argmax(recent.confidence[:, -shared:], axis=1)
        step = np.where(found, last, best)
        rows = np.flatnonzero(self._begun)
        self._queries[rows, 0] = window.start + step[rows]
        self._queries[rows, 1:] = xy[rows, step[rows], ::-1]
        self._anchored = self._begun & ~found & (self._anchor_t != _NEVER)
        anchored = np.flatnonzero(self._anchored)
        slots = {time: slot for slot, time in enumerate(self._anchors)}
        self._queries[anchored, 0] = [slots[int(time)] for time in self._anchor_t[anchored]]
        self._queries[anchored, 1:] = self._anchor_xy[anchored, ::-1]
        hidden = np.where(
            self._anchored,
            max(window.commit_from, window.start + len(self._anchors)) - 1,
            window.start + shared - 1,
        )
        self._hold_until[rows] = np.where(found, window.start + last, hidden)[rows]

    def _video_with_anchors(self, window: Window) -> NDArray[Any]:
        video = window.video.copy()
        for slot, frame in enumerate(self._anchors.values()):
            video[0, slot] = frame
        return video

    def _choose_anchors(self, window: Window) -> None:
        """For points that the next window will not see: the frames that show most of them."""
        assert self._recent is not None
        overlap = min(self._size.overlap, len(window.frames))
        visible = self._recent.visible
        lost = self._begun & ~visible[:, -overlap:].any(axis=1)
        shows: dict[int, NDArray[np.bool_]] = {
            time: lost & (self._anchor_t == time) for time in self._anchors
        }
        for step in np.flatnonzero(visible[lost].any(axis=0)):
            shows[window.start + int(step)] = lost & visible[:, step]
        chosen: list[int] = []
        waiting = lost.copy()
        while waiting.any() and len(chosen) < self._size.overlap // 2:
            served = {time: int((points & waiting).sum()) for time, points in shows.items()}
            time = max(shows, key=lambda each: (served[each], each), default=_NEVER)
            if not served.get(time):
                break
            chosen.append(time)
            waiting &= ~shows[time]
        anchors, xys = {}, self._anchor_xy.copy()
        times = np.full(len(lost), _NEVER)
        for time in sorted(chosen):
            old = time in self._anchors
            at = time - window.start
            anchors[time] = self._anchors[time] if old else window.video[0, at].copy()
            points = shows[time]
            times[points] = time
            if not old:
                xys[points] = self._recent.xy[points, at]
        self._anchors, self._anchor_t, self._anchor_xy = anchors, times, xys
