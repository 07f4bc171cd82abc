"""Tracks over windows: how a point goes on from one window into the next.

The rule, for a point that was tracked in a window, when the next one comes:

1. It is asked for again where it was asked for first: its own frame takes the place of one of the
   first shared frames (an anchor), unless the window holds it anyway. For the first half of the
   shared frames the older window's answer stays. So no error of one window is the next one's
   question: tracks do not drift, and are judged visible by what the point looked like at first.
2. Anchors are few (half of the shared frames at most): those that serve most points. A point
   without one, or asked for between two frames, is asked for again where it was last visible among
   the frames that both windows have. Up to that frame the older window's answer stays.
3. If it is visible in none of them, it goes on from where it was last visible before, by an anchor
   where there is room for one.
4. Else it is asked for again where it was most confident among the shared frames, and the older
   window's answer stays for all of these.

Frames before ``commit_from`` of the next window are final, and so are those for which the older
answer of every point stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.tracking.windows import Window, WindowSize

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
        self._asked = queries_tyx
        self._queries = queries_tyx.copy()
        own = np.rint(queries_tyx[:, 0])
        self._own_t = np.where(own == queries_tyx[:, 0], own, _NEVER).astype(np.intp)
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

    def settled(self, window: Window) -> int:
        """The frame before which every track is final once ``window`` has begun, before it is run.

        Where all points keep the older window's answers for a while, these need not wait for it.
        """
        held = self._hold_until[self._begun]
        if not len(held) or self._fresh.any():
            return window.commit_from
        return max(window.commit_from, int(held.min()) + 1)

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
        inside = self._begun & (self._asked[:, 0] >= window.start)
        self._queries[inside] = self._asked[inside]
        own = self._begun & (self._anchor_t == self._own_t) & (self._own_t != _NEVER)
        lost = self._begun & ~found & (self._anchor_t != _NEVER)
        self._anchored = (own | lost) & ~inside
        anchored = np.flatnonzero(self._anchored)
        slots = {time: slot for slot, time in enumerate(self._anchors)}
        self._queries[anchored, 0] = [slots[int(time)] for time in self._anchor_t[anchored]]
        self._queries[anchored, 1:] = self._anchor_xy[anchored, ::-1]
        behind_anchors = window.start + len(self._anchors)
        middle = window.commit_from + self._size.overlap // 2
        hold = np.where(found, window.start + last, window.start + shared - 1)
        hold[self._anchored] = max(window.commit_from, behind_anchors) - 1
        hold[inside] = middle - 1
        hold[own & ~inside] = max(middle, behind_anchors) - 1
        self._hold_until[rows] = hold[rows]

    def _video_with_anchors(self, window: Window) -> NDArray[Any]:
        video = window.video.copy()
        for slot, frame in enumerate(self._anchors.values()):
            video[0, slot] = frame
        return video

    def _choose_anchors(self, window: Window) -> None:
        """Frames for the next window: points' own ones, then those that show most lost points."""
        room = self._size.overlap // 2
        own = self._own_frames(window)
        chosen = sorted(own, key=lambda time: (-int(own[time].sum()), time))[:room]
        home = np.zeros(len(self._begun), bool)
        for time in chosen:
            home |= own[time]
        shows = self._frames_of_lost(window, ~home)
        waiting = np.any(list(shows.values()), axis=0) if shows else home & False
        for time in chosen:
            waiting &= ~shows.get(time, home & False)
        while waiting.any() and len(chosen) < room:
            served = {time: int((points & waiting).sum()) for time, points in shows.items()}
            time = max(shows, key=lambda each: (served[each], each))
            chosen.append(time)
            waiting &= ~shows[time]
        self._keep_anchors(window, sorted(chosen), own, shows)

    def _own_frames(self, window: Window) -> dict[int, NDArray[np.bool_]]:
        """The points' own frames that are at hand, each with its points, bool (points,)."""
        times = set(self._own_t[self._begun].tolist())
        at_hand = {time for time in times if time in self._anchors or time >= window.start}
        return {time: self._begun & (self._own_t == time) for time in at_hand if time != _NEVER}

    def _frames_of_lost(
        self, window: Window, among: NDArray[np.bool_]
    ) -> dict[int, NDArray[np.bool_]]:
        """For points that the next window will not see: frames that show them, with the points."""
        assert self._recent is not None
        overlap = min(self._size.overlap, len(window.frames))
        visible = self._recent.visible
        lost = among & self._begun & ~visible[:, -overlap:].any(axis=1)
        shows = {time: lost & (self._anchor_t == time) for time in self._anchors}
        for step in np.flatnonzero(visible[lost].any(axis=0)):
            shows[window.start + int(step)] = lost & visible[:, step]
        return shows

    def _keep_anchors(
        self,
        window: Window,
        chosen: list[int],
        own: dict[int, NDArray[np.bool_]],
        shows: dict[int, NDArray[np.bool_]],
    ) -> None:
        assert self._recent is not None
        nobody = np.zeros(len(self._begun), bool)
        anchors, xys = {}, self._anchor_xy.copy()
        times = np.full(len(nobody), _NEVER)
        for time in chosen:
            at = time - window.start
            kept = self._anchors.get(time)
            anchors[time] = window.video[0, at].copy() if kept is None else kept
            points = shows.get(time, nobody)
            times[points] = time
            if kept is None:
                xys[points] = self._recent.xy[points, at]
        for time in chosen:
            points = own.get(time, nobody)
            times[points] = time
            xys[points] = self._asked[points][:, :0:-1]
        self._anchors, self._anchor_t, self._anchor_xy = anchors, times, xys
