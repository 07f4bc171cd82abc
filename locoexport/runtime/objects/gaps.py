"""Filling the frames in which the detector lost an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.objects.rules import (
    GapPlan,
    ObjectRules,
    find_gaps,
    hull_of,
    mark_outliers,
    plan_gap,
)
from locoexport.runtime.objects.segmentation import Segmenter, segment_box
from locoexport.runtime.objects.sightings import (
    SeenObject,
    carry_box,
    cut_box,
    move_with_points,
    points_box,
)
from locoexport.runtime.objects.tracked import BoxSource, TrackedObject
from locoexport.runtime.queries.masks import grid_in_mask
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.sources import FrameSource

__all__ = ["GapFiller", "masked_points", "object_points", "track_part"]


def object_points(
    image_rgb: NDArray[np.uint8],
    frame: int,
    box_xyxy: NDArray[np.float32],
    segmenter: Segmenter,
    grid_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Query points on the object in a box of an image, float32 (points, 3), all at t = frame.

    A grid in the box, kept where the mask says so; all pixels of the mask where the grid misses
    it. Where the mask is empty, the pixels of the whole box count as its mask.
    """
    points = masked_points(image_rgb, frame, box_xyxy, segmenter, grid_hw)
    if points is not None:
        return points
    return _grid_points(np.ones(image_rgb.shape[:2], np.bool_), frame, box_xyxy, grid_hw)


def masked_points(
    image_rgb: NDArray[np.uint8],
    frame: int,
    box_xyxy: NDArray[np.float32],
    segmenter: Segmenter,
    grid_hw: tuple[int, int],
) -> NDArray[np.float32] | None:
    """As ``object_points``, but None where the mask is empty."""
    mask = segment_box(segmenter, image_rgb, box_xyxy)
    return _grid_points(mask, frame, box_xyxy, grid_hw) if mask.any() else None


def track_part(
    tracker: PointTracker,
    source: FrameSource,
    query_points_tyx: NDArray[np.float32],
    first: int,
    end: int,
) -> tuple[Tracks, int]:
    """Track points through the frames ``first`` to ``end - 1`` of a video.

    A model of a fixed number of frames sees the whole video.

    Args:
        tracker: open.
        source: was read through before.
        query_points_tyx: float32 (points, 3), of those frames.
        first: 0 or more.
        end: above ``first``.

    Returns:
        The tracks, and which frame of the video their first one is.
    """
    if tracker.model.fixed_frames is not None:
        first, end = 0, source.frames_read
    local = query_points_tyx.copy()
    local[:, 0] -= first
    return tracker.track(source.part(first, end), local), first


@dataclass(frozen=True, eq=False)
class _Leg:
    """Frames of a gap in which one set of points carries the box.

    Attributes:
        frames: of the clip, within the gap.
        first: the frame of the clip that is frame 0 of ``tracks``.
        tracks: of the set, outliers hidden.
        box_xyxy: float32 (4,) where the points begin.
    """

    frames: range
    first: int
    tracks: Tracks
    box_xyxy: NDArray[np.float32]


class GapFiller:
    """Fills the gaps of objects, one after another, counting them."""

    def __init__(
        self,
        tracker: PointTracker,
        source: FrameSource,
        segmenter: Segmenter,
        rules: ObjectRules,
        seen: Sequence[SeenObject],
        count: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take what all objects share; ``count`` is told of (gaps done, gaps of all ``seen``).

        ``source`` was read through before.
        """
        self._tracker = tracker
        self._source = source
        self._frame_hw = source.frames_between(0, 1)[0].shape[:2]
        self._segmenter = segmenter
        self._rules = rules
        self._count = count
        self._total = sum(len(find_gaps(item.detected)) for item in seen)
        self._done = 0

    def fill(self, seen: SeenObject, tracks: Tracks, mine: NDArray[np.bool_]) -> TrackedObject:
        """One object, its gaps filled.

        Args:
            seen: where the detector saw it.
            tracks: of all points through the whole clip, for the hulls where it was seen.
            mine: bool (points,), which of them are this object's.
        """
        boxes_xyxy, confidence = seen.boxes_xyxy.copy(), seen.confidence.copy()
        source = np.where(seen.detected, BoxSource.DETECTED, BoxSource.LOST).astype(np.uint8)
        hulls = [
            hull_of(tracks.xy[mine, frame][tracks.visible[mine, frame]])
            for frame in range(tracks.frames)
        ]
        for gap in find_gaps(seen.detected):
            self._tell(0)
            plan = plan_gap(gap, seen.confidence, self._rules.context_frames)
            for leg in self._legs(plan, seen):
                for frame in leg.frames:
                    box = self._box(leg, frame)
                    hulls[frame] = np.zeros((0, 2), np.float32)
                    if box is None:
                        continue
                    shown = leg.tracks.visible[:, frame - leg.first]
                    boxes_xyxy[frame], source[frame] = box, BoxSource.TRACKED
                    confidence[frame] = shown.mean()
                    hulls[frame] = hull_of(leg.tracks.xy[shown, frame - leg.first])
            self._tell(1)
        return TrackedObject(seen.object_id, boxes_xyxy, source, confidence, tuple(hulls))

    def _tell(self, done: int) -> None:
        self._done += done
        if self._count is not None:
            self._count(self._done, self._total)

    def _legs(self, plan: GapPlan, seen: SeenObject) -> Iterator[_Leg]:
        """From the anchor through the gap; one leg unless the points are to begin anew."""
        forward = plan.anchor < plan.gap.start
        end = plan.gap.stop if forward else plan.gap.start - 1
        every = (self._rules.mask_every or abs(end - plan.anchor)) * (1 if forward else -1)
        begin, box = plan.anchor, seen.boxes_xyxy[plan.anchor]
        queries = object_points(
            self._image(begin), begin, box, self._segmenter, self._rules.grid_hw
        )
        renewed: tuple[NDArray[np.float32], NDArray[np.float32]] | None = box, queries
        while renewed is not None:
            box, queries = renewed
            due = range(begin + every, end, every)
            frame = reach = due[0] if due else end
            tracks, first = self._track(plan, queries, begin, reach)
            renewed = None
            for frame in due:
                renewed = self._renew(seen, tracks, first, box, frame)
                if renewed is not None:
                    break
                if reach != end:  # the same points go on for as long as it takes
                    reach = end
                    tracks, first = self._track(plan, queries, begin, reach)
            stop = end if renewed is None else frame
            served = range(begin, stop) if forward else range(stop + 1, begin + 1)
            within = range(max(served.start, plan.gap.start), min(served.stop, plan.gap.stop))
            yield _Leg(within, first, tracks, box)
            begin = frame

    def _track(
        self, plan: GapPlan, queries_tyx: NDArray[np.float32], begin: int, reach: int
    ) -> tuple[Tracks, int]:
        """Points from one frame to another and in their context, outliers hidden."""
        rules = self._rules
        start = max(plan.window_start, min(begin, reach) - rules.context_frames)
        stop = min(plan.window_stop, max(begin, reach) + rules.context_frames + 1)
        tracks, first = track_part(self._tracker, self._source, queries_tyx, start, stop)
        visible = mark_outliers(
            tracks.xy, tracks.visible, rules.outlier_deviations, rules.displacement
        )
        return replace(tracks, visible=visible), first

    def _renew(
        self,
        seen: SeenObject,
        tracks: Tracks,
        first: int,
        box_xyxy: NDArray[np.float32],
        frame: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """The object's box and new points in a frame; None where it is lost, or its mask empty."""
        moved: NDArray[np.float32] | None = seen.boxes_xyxy[frame]
        if not seen.detected[frame]:
            every = np.ones(tracks.points, np.bool_)
            share = self._rules.least_visible
            moved = move_with_points(box_xyxy, tracks, every, frame - first, share)
        here = None if moved is None else cut_box(moved, self._frame_hw)
        if moved is None or here is None:
            return None
        grid_hw = self._rules.grid_hw
        points = masked_points(self._image(frame), frame, here, self._segmenter, grid_hw)
        return None if points is None else (moved, points)

    def _image(self, frame: int) -> NDArray[np.uint8]:
        return self._source.frames_between(frame, frame + 1)[0]

    def _box(self, leg: _Leg, frame: int) -> NDArray[np.float32] | None:
        """The object's box in a frame of the clip."""
        every = np.ones(leg.tracks.points, np.bool_)
        local, share = frame - leg.first, self._rules.least_visible
        if self._rules.gap_box == "points":
            return points_box(leg.tracks, every, local, self._frame_hw, share)
        return carry_box(leg.box_xyxy, leg.tracks, every, local, self._frame_hw, share)


def _grid_points(
    mask: NDArray[np.bool_], frame: int, box_xyxy: NDArray[np.float32], grid_hw: tuple[int, int]
) -> NDArray[np.float32]:
    yx = grid_in_mask(mask, grid_hw, box_xyxy)
    return np.concatenate([np.full((len(yx), 1), frame), yx], axis=1).astype(np.float32)
