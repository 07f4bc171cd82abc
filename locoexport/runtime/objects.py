"""Objects through a whole clip: a box in every frame in which the object can be seen.

A detector says where objects are in the frames in which it sees them; tracked points say where
they are in the others. The rules are in ``object_rules``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.runtime.boxes import NO_OBJECT, Boxes, Detections, clip_boxes
from locoexport.runtime.masks import grid_in_mask
from locoexport.runtime.object_rules import (
    GapPlan,
    ObjectRules,
    find_gaps,
    hull_of,
    lost_frames,
    mark_outliers,
    move_box,
    plan_gap,
)
from locoexport.runtime.segmentation import Segmenter, segment_box
from locoexport.runtime.tracker import PointTracker
from locoexport.runtime.tracks import Tracks
from locoexport.runtime.video import Clip

__all__ = ["BoxSource", "ObjectTracks", "TrackedObject", "object_points", "track_objects"]

Progress = Callable[[str, int, int], None]
"""Called with what is counted, how much of it is done and how much there is."""


class BoxSource(IntEnum):
    """Where an object's box in a frame comes from."""

    LOST = 0
    """There is none: too few of its points can be seen."""
    DETECTED = 1
    """A detector, or the boxes that were given."""
    TRACKED = 2
    """The object's points, in a frame in which the detector lost it."""


@dataclass(frozen=True, eq=False)
class TrackedObject:
    """One object through a clip of T frames.

    Attributes:
        object_id: 0 or more.
        boxes_xyxy: float32 (T, 4), within the frame; NaN where the object is lost.
        source: uint8 (T,), ``BoxSource`` values.
        confidence: float32 (T,) in 0..1: the detector's where it saw the object, the share of
            its points that are visible where they carry the box, 0 where it is lost.
        hulls_xy: for each frame the convex hull of the object's visible points, float32
            (corners, 2); no corners where fewer than 3 points are visible or it is lost.
    """

    object_id: int
    boxes_xyxy: NDArray[np.float32]
    source: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    hulls_xy: tuple[NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes do not fit together."""
        frames = len(self.source)
        expected: tuple[tuple[str, NDArray[Any], type[np.generic], tuple[int, ...]], ...] = (
            ("boxes_xyxy", self.boxes_xyxy, np.float32, (frames, 4)),
            ("source", self.source, np.uint8, (frames,)),
            ("confidence", self.confidence, np.float32, (frames,)),
        )
        for name, array, dtype, shape in expected:
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"Object {self.object_id}: {name} is {array.dtype} of shape {array.shape}, "
                    f"where {np.dtype(dtype)} of shape {shape} is due."
                )
        if len(self.hulls_xy) != frames:
            raise InputError(
                f"Object {self.object_id} has {len(self.hulls_xy)} hulls and {frames} frames."
            )

    def frames_of(self, source: BoxSource) -> int:
        """In how many frames the box comes from there."""
        return int((self.source == source).sum())


@dataclass(frozen=True, eq=False)
class ObjectTracks:
    """Objects, and all tracked points.

    Attributes:
        tracks: of all points. The points of objects are also invisible in frames in which they
            are outliers (``mark_outliers``), whatever their confidence.
        object_ids: int64 (points,), the object of each point; ``NO_OBJECT`` for points that were
            asked for by themselves.
        objects: in the order of their ids.
    """

    tracks: Tracks
    object_ids: NDArray[np.int64]
    objects: tuple[TrackedObject, ...]

    def __post_init__(self) -> None:
        """Raises InputError where ids, points and frames do not fit together."""
        if self.object_ids.dtype != np.int64 or self.object_ids.shape != (self.tracks.points,):
            raise InputError(
                f"object_ids is {self.object_ids.dtype} of shape {self.object_ids.shape}, where "
                f"int64 of shape ({self.tracks.points},) is due."
            )
        known = {NO_OBJECT, *(item.object_id for item in self.objects)}
        if not set(self.object_ids.tolist()) <= known:
            raise InputError("Some points belong to objects that are not there.")
        if any(len(item.source) != self.tracks.frames for item in self.objects):
            raise InputError("The objects and the tracks have different numbers of frames.")


def track_objects(
    tracker: PointTracker,
    clip: Clip,
    detections: Detections,
    segmenter: Segmenter,
    rules: ObjectRules,
    *,
    other_points_tyx: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> ObjectTracks:
    """Follow objects, and points that belong to none, through a clip.

    The points of an object are placed in its most confident box (the earliest of equals) and
    tracked through the whole clip. Frames without a box of it are filled gap by gap, each tracked
    anew from the better side (``plan_gap``). A model of a fixed number of frames sees the whole
    clip in place of a gap and its context.

    Args:
        tracker: open.
        clip: all of it.
        detections: within the clip and its frame, each with an object id (``name_objects``).
        segmenter: says where in a box points may be.
        rules: the numbers.
        other_points_tyx: float32 (points, 3), further points, of no object.
        progress: is told how much of ``tracking points`` and ``filling gaps`` is done.

    Raises:
        QueryError: there is no point at all to track.
        InputError: the segmenter answers no mask; and what ``PointTracker.track`` raises.
    """
    ids = np.unique(detections.object_ids)
    seen = [_see(clip, detections, int(object_id)) for object_id in ids]
    starts = [int(np.argmax(item.confidence)) for item in seen]
    points = [
        object_points(clip, start, item.boxes_xyxy[start], segmenter, rules.grid_hw)
        for item, start in zip(seen, starts, strict=True)
    ]
    if other_points_tyx is not None:
        points.append(other_points_tyx)
    queries = np.concatenate([np.zeros((0, 3), np.float32), *points])
    counts = [len(part) for part in points[: len(ids)]]
    object_ids = np.full(len(queries), NO_OBJECT, np.int64)
    object_ids[: sum(counts)] = np.repeat(ids, counts)
    tracks = tracker.track(clip, queries, progress=_counted("tracking points", progress))
    visible = tracks.visible.copy()
    of_objects = object_ids != NO_OBJECT
    visible[of_objects] = mark_outliers(
        tracks.tracks_xy[of_objects],
        visible[of_objects],
        rules.outlier_deviations,
        rules.displacement,
    )
    tracks = replace(tracks, visible=visible)
    gaps = _Gaps(tracker, clip, segmenter, rules, _counted("filling gaps", progress), seen)
    objects = tuple(
        gaps.fill(item, int(object_id), tracks, object_ids == object_id)
        for item, object_id in zip(seen, ids, strict=True)
    )
    return ObjectTracks(tracks, object_ids, objects)


def object_points(
    clip: Clip,
    frame: int,
    box_xyxy: NDArray[np.float32],
    segmenter: Segmenter,
    grid_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Query points on the object in a box, float32 (points, 3), all at t = frame.

    A grid in the box, kept where the mask says so; all pixels of the mask where the grid misses
    it. Where the mask is empty, the pixels of the whole box count as its mask.
    """
    image = clip.frames_rgb[frame]
    mask = segment_box(segmenter, image, box_xyxy)
    if not mask.any():
        mask = np.ones_like(mask)
    yx = grid_in_mask(mask, grid_hw, box_xyxy)
    return np.concatenate([np.full((len(yx), 1), frame), yx], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Seen:
    """The boxes of one object; NaN, and confidence 0, in frames without one."""

    boxes_xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    detected: NDArray[np.bool_]


def _see(clip: Clip, detections: Detections, object_id: int) -> _Seen:
    mine = detections.object_ids == object_id
    frames = len(clip.frames_rgb)
    boxes_xyxy = np.full((frames, 4), np.nan, np.float32)
    confidence = np.zeros(frames, np.float32)
    detected = np.zeros(frames, np.bool_)
    where = detections.frames[mine]
    boxes_xyxy[where] = detections.boxes.xyxy[mine]
    confidence[where] = detections.boxes.confidence[mine]
    detected[where] = True
    return _Seen(boxes_xyxy, confidence, detected)


class _Gaps:
    """Fills the gaps of objects, one after another, counting them."""

    def __init__(
        self,
        tracker: PointTracker,
        clip: Clip,
        segmenter: Segmenter,
        rules: ObjectRules,
        count: Callable[[int, int], None] | None,
        seen: list[_Seen],
    ) -> None:
        self._tracker = tracker
        self._clip = clip
        self._segmenter = segmenter
        self._rules = rules
        self._count = count
        self._total = sum(len(find_gaps(item.detected)) for item in seen)
        self._done = 0

    def fill(
        self, seen: _Seen, object_id: int, tracks: Tracks, mine: NDArray[np.bool_]
    ) -> TrackedObject:
        """One object, its gaps filled; ``mine`` (points,) are its points in ``tracks``."""
        boxes_xyxy, confidence = seen.boxes_xyxy.copy(), seen.confidence.copy()
        source = np.where(seen.detected, BoxSource.DETECTED, BoxSource.LOST).astype(np.uint8)
        hulls = [
            hull_of(tracks.tracks_xy[mine, frame][tracks.visible[mine, frame]])
            for frame in range(tracks.frames)
        ]
        for gap in find_gaps(seen.detected):
            plan = plan_gap(gap, seen.confidence, self._rules.context_frames)
            if self._tracker.model.fixed_frames is not None:
                plan = replace(plan, window_start=0, window_stop=tracks.frames)
            local = self._track(plan, seen.boxes_xyxy[plan.anchor])
            lost = lost_frames(local.visible, self._rules.least_visible)
            for frame in range(gap.start, gap.stop):
                box = self._carry(plan, seen, local, frame)
                hulls[frame] = hull_of(np.zeros((0, 2), np.float32))
                if lost[frame - plan.window_start] or box is None:
                    continue
                shown = local.visible[:, frame - plan.window_start]
                boxes_xyxy[frame], source[frame] = box, BoxSource.TRACKED
                confidence[frame] = shown.mean()
                hulls[frame] = hull_of(local.tracks_xy[shown, frame - plan.window_start])
        return TrackedObject(object_id, boxes_xyxy, source, confidence, tuple(hulls))

    def _track(self, plan: GapPlan, box_xyxy: NDArray[np.float32]) -> Tracks:
        """The object's points through the gap and its context, outliers marked."""
        if self._count is not None:
            self._count(self._done, self._total)
        window = slice(plan.window_start, plan.window_stop)
        queries = object_points(
            self._clip, plan.anchor, box_xyxy, self._segmenter, self._rules.grid_hw
        )
        queries[:, 0] -= plan.window_start
        part = Clip(self._clip.frames_rgb[window], self._clip.fps)
        tracks = self._tracker.track(part, queries)
        self._done += 1
        if self._count is not None:
            self._count(self._done, self._total)
        rules = self._rules
        visible = mark_outliers(
            tracks.tracks_xy, tracks.visible, rules.outlier_deviations, rules.displacement
        )
        return replace(tracks, visible=visible)

    def _carry(
        self, plan: GapPlan, seen: _Seen, local: Tracks, frame: int
    ) -> NDArray[np.float32] | None:
        """The anchor's box in another frame; None where no point is left, or it left the frame."""
        shown = local.visible[:, frame - plan.window_start]
        if not shown.any():
            return None
        then = local.query_points_tyx[shown][:, [2, 1]]
        now = local.tracks_xy[shown, frame - plan.window_start]
        moved = move_box(seen.boxes_xyxy[plan.anchor], then, now)
        if not (moved[:2] < moved[2:]).all():
            return None
        height, width = self._clip.frames_rgb.shape[1:3]
        cut = clip_boxes(Boxes.of(moved[None]), height, width)
        return cut.xyxy[0] if len(cut) else None


def _counted(what: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
