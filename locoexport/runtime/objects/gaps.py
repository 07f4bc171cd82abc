"""Filling the frames in which the detector lost an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

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
from locoexport.runtime.objects.sightings import SeenObject, carry_box
from locoexport.runtime.objects.tracked import BoxSource, TrackedObject
from locoexport.runtime.queries.masks import grid_in_mask
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.tracks import Tracks
from locoexport.runtime.video.sources import FrameSource

__all__ = ["GapFiller", "object_points"]


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
    mask = segment_box(segmenter, image_rgb, box_xyxy)
    if not mask.any():
        mask = np.ones_like(mask)
    yx = grid_in_mask(mask, grid_hw, box_xyxy)
    return np.concatenate([np.full((len(yx), 1), frame), yx], axis=1).astype(np.float32)


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
            plan = plan_gap(gap, seen.confidence, self._rules.context_frames)
            if self._tracker.model.fixed_frames is not None:
                plan = replace(plan, window_start=0, window_stop=tracks.frames)
            local = self._track(plan, seen.boxes_xyxy[plan.anchor])
            for frame in range(gap.start, gap.stop):
                box = self._carry(plan, seen, local, frame - plan.window_start)
                hulls[frame] = np.zeros((0, 2), np.float32)
                if box is None:
                    continue
                shown = local.visible[:, frame - plan.window_start]
                boxes_xyxy[frame], source[frame] = box, BoxSource.TRACKED
                confidence[frame] = shown.mean()
                hulls[frame] = hull_of(local.xy[shown, frame - plan.window_start])
        return TrackedObject(seen.object_id, boxes_xyxy, source, confidence, tuple(hulls))

    def _track(self, plan: GapPlan, box_xyxy: NDArray[np.float32]) -> Tracks:
        """The object's points through the gap and its context, outliers marked."""
        if self._count is not None:
            self._count(self._done, self._total)
        (image,) = self._source.frames_between(plan.anchor, plan.anchor + 1)
        queries = object_points(image, plan.anchor, box_xyxy, self._segmenter, self._rules.grid_hw)
        queries[:, 0] -= plan.window_start
        window = self._source.part(plan.window_start, plan.window_stop)
        tracks = self._tracker.track(window, queries)
        self._done += 1
        if self._count is not None:
            self._count(self._done, self._total)
        rules = self._rules
        visible = mark_outliers(
            tracks.xy, tracks.visible, rules.outlier_deviations, rules.displacement
        )
        return replace(tracks, visible=visible)

    def _carry(
        self, plan: GapPlan, seen: SeenObject, local: Tracks, frame: int
    ) -> NDArray[np.float32] | None:
        """The anchor's box in a frame of the window."""
        height, width = self._frame_hw
        every = np.ones(local.points, np.bool_)
        box = seen.boxes_xyxy[plan.anchor]
        return carry_box(box, local, every, frame, (height, width), self._rules.least_visible)
