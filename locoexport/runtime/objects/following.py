"""Following objects through a whole clip.

A detector says where objects are in the frames in which it sees them; tracked points say where
they are in the others. Each rule is a function in ``rules``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.runtime.objects.boxes import NO_OBJECT, Detections
from locoexport.runtime.objects.gaps import GapFiller, masked_points, object_points, track_part
from locoexport.runtime.objects.rules import ObjectRules, mark_outliers
from locoexport.runtime.objects.segmentation import Segmenter
from locoexport.runtime.objects.sightings import SeenObject, find_returns, see_objects
from locoexport.runtime.objects.tracked import ObjectTracks
from locoexport.runtime.tracking.storage import BYTES_PER_POINT_FRAME
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.sources import FrameSource, Video, open_source

__all__ = ["track_objects"]

Progress = Callable[[str, int, int | None], None]
"""Called with what is counted, how much of it is done and how much there is."""


def track_objects(
    tracker: PointTracker,
    video: Video | FrameSource,
    detections: Detections,
    segmenter: Segmenter,
    rules: ObjectRules,
    *,
    keep_apart: Collection[int] = (),
    other_points_tyx: NDArray[np.float32] | None = None,
    other_object_ids: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> ObjectTracks:
    """Follow objects, and points that belong to none, through a clip.

    The points of an object are placed in its most confident box (the earliest of equals) and
    tracked through the whole clip. An object that they lead to another one is the same
    (``find_returns``), and has the points of both. Frames without a box are then filled gap by
    gap, each tracked anew from the better side (``plan_gap``). A model of a fixed number of frames
    sees the whole clip in place of a gap and its context.

    With ``rules.mask_every`` points begin anew on every so many frames: from the best box on, both
    ways, where the object was detected and its mask is not empty, and within gaps from the box
    that the points before carried there. Each set stands for its object until the next one begins.

    Args:
        tracker: open.
        video: a file, a clip or frames: what can be read again. Frames are never all held.
        detections: within the clip and its frame, each with an object id (``name_objects``).
        segmenter: says where in a box points may be.
        rules: the numbers.
        keep_apart: ids that a person gave; such an object is never taken for another's return.
        other_points_tyx: float32 (points, 3), further points, which carry no box.
        other_object_ids: int64 (points,), what each of these is on (-1 for nothing), such as an
            object of a mask. Objects of the detector get other numbers.
        progress: is told how much of ``tracking frames`` and ``filling gaps`` is done.

    Raises:
        QueryError: there is no point at all to track.
        UsageError: the video can be read once only, or so many masks make too many points.
        InputError: the segmenter answers no mask; and what ``PointTracker.track`` raises.
    """
    source = video if isinstance(video, FrameSource) else open_source(video)
    if not source.rereadable:
        raise UsageError("Objects need a video that can be read again; pass a file or an array.")
    frames = source.frames_read or source.read_through()
    height, width = source.frames_between(0, 1)[0].shape[:2]
    seen = see_objects(detections, frames)
    queries, object_ids = _place_points(source, seen, segmenter, rules, other_points_tyx)
    again = rules.mask_every is not None
    renewal = _Renewal(tracker, source, segmenter, rules, seen) if again else None
    tracks = tracker.track(source, queries, progress=_counted("tracking frames", progress))
    tracks = _without_outliers(tracks, object_ids != NO_OBJECT, rules)
    names = find_returns(seen, tracks, object_ids, (height, width), rules, keep_apart)
    spans = None
    if renewal is not None:
        count = _counted("renewing points", progress)
        tracks, object_ids, spans = renewal.renew(tracks, object_ids, count)
    # Ids without holes, unless a person gave them.
    free = [name for name in sorted(set(names.values())) if name not in keep_apart]
    asked = np.zeros(0, np.int64) if other_object_ids is None else other_object_ids
    first = max([NO_OBJECT, *keep_apart, *asked.tolist()]) + 1
    numbers = {name: first + index for index, name in enumerate(free)}
    renamed = {NO_OBJECT: NO_OBJECT}
    renamed |= {old: numbers.get(name, name) for old, name in names.items()}
    object_ids = _rename(object_ids, renamed)
    detections = replace(detections, object_ids=_rename(detections.object_ids, renamed))
    seen = see_objects(detections, frames)
    if source is not video:
        for text in source.warnings:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
    filler = GapFiller(tracker, source, segmenter, rules, seen, _counted("filling gaps", progress))
    objects = tuple(filler.fill(item, tracks, object_ids == item.object_id) for item in seen)
    object_ids[len(queries) - len(asked) : len(queries)] = asked
    return ObjectTracks(tracks, object_ids, objects, spans)


def _place_points(
    source: FrameSource,
    seen: list[SeenObject],
    segmenter: Segmenter,
    rules: ObjectRules,
    other_points_tyx: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Query points of all objects and of none, and the object id of each."""
    points = [np.zeros((0, 3), np.float32)]
    ids = [np.zeros(0, np.int64)]
    for item in seen:
        box = item.boxes_xyxy[item.best]
        (image,) = source.frames_between(item.best, item.best + 1)
        points.append(object_points(image, item.best, box, segmenter, rules.grid_hw))
        ids.append(np.full(len(points[-1]), item.object_id, np.int64))
    if other_points_tyx is not None:
        points.append(other_points_tyx)
        ids.append(np.full(len(other_points_tyx), NO_OBJECT, np.int64))
    return np.concatenate(points), np.concatenate(ids)


@dataclass(frozen=True, eq=False)
class _PointSet:
    """Points that begin on an object in one frame, and stand for it in a span of frames.

    ``queries_tyx`` is float32 (points, 3); none for the points of the best box, which are tracked
    through the whole clip.
    """

    object_id: int
    queries_tyx: NDArray[np.float32]
    start: int
    stop: int


class _Renewal:
    """Further sets of points on objects, and in which frames each set stands for its object."""

    def __init__(
        self,
        tracker: PointTracker,
        source: FrameSource,
        segmenter: Segmenter,
        rules: ObjectRules,
        seen: Sequence[SeenObject],
    ) -> None:
        """Place the points of all objects.

        Raises:
            UsageError: their tracks would be too large.
        """
        self._tracker = tracker
        self._source = source
        self._rules = rules
        self._sets = [each for item in seen for each in _point_sets(source, segmenter, rules, item)]
        points, frames = sum(len(each.queries_tyx) for each in self._sets), source.frames_read
        needed, most = points * frames * BYTES_PER_POINT_FRAME, tracker.tracks_in_memory_bytes
        if needed > most:
            every = rules.mask_every or 1
            fewer = -(-every * needed // most)
            raise UsageError(
                f"A mask every {every} frames makes {points} points of {frames} frames, "
                f"{needed / 1e6:.0f} MB of tracks; {most / 1e6:.0f} MB is the most. Ask for one "
                f"every {fewer} frames or less often, or choose a part of the clip."
            )

    def renew(
        self,
        tracks: Tracks,
        object_ids: NDArray[np.int64],
        count: Callable[[int, int | None], None] | None,
    ) -> tuple[Tracks, NDArray[np.int64], NDArray[np.int64]]:
        """All points, the old ones first; the object of each; its span of frames.

        Args:
            tracks: of points that begin in the objects' best boxes, and of points of no object.
            object_ids: int64 (points,).
            count: is told of (sets done, sets in all).
        """
        new = [each for each in self._sets if len(each.queries_tyx)]
        old, frames = tracks.points, tracks.frames
        points = old + sum(len(each.queries_tyx) for each in new)
        spans = np.tile(np.array([0, frames], np.int64), (points, 1))
        for each in self._sets:
            if not len(each.queries_tyx):
                spans[:old][object_ids == each.object_id] = each.start, each.stop
        joined = replace(
            tracks,
            xy=np.zeros((points, frames, 2), np.float32),
            visible=np.zeros((points, frames), np.bool_),
            confidence=np.zeros((points, frames), np.float32),
            query_points=np.concatenate([tracks.query_points, *(each.queries_tyx for each in new)]),
            object_ids=None,
        )
        joined.xy[:old], joined.visible[:old] = tracks.xy, tracks.visible
        joined.confidence[:old] = tracks.confidence
        ids = np.concatenate(
            [object_ids, *(np.full(len(each.queries_tyx), each.object_id) for each in new)]
        )
        first = old
        for done, each in enumerate(new, 1):
            rows = slice(first, first + len(each.queries_tyx))
            spans[rows] = each.start, each.stop
            self._fill(joined, rows, each)
            first = rows.stop
            if count is not None:
                count(done, len(new))
        for row, (start, stop) in enumerate(spans.tolist()):
            joined.visible[row, :start] = joined.visible[row, stop:] = False
        return joined, ids.astype(np.int64), spans

    def _fill(self, joined: Tracks, rows: slice, points: _PointSet) -> None:
        """Track a set in its span and its context, outliers hidden; elsewhere it stands still."""
        context, frames = self._rules.context_frames, joined.frames
        begin, end = max(0, points.start - context), min(frames, points.stop + context)
        local, first = track_part(self._tracker, self._source, points.queries_tyx, begin, end)
        local = _without_outliers(local, np.ones(local.points, np.bool_), self._rules)
        last = first + local.frames
        joined.xy[rows, :first] = local.xy[:, :1]
        joined.xy[rows, first:last] = local.xy
        joined.xy[rows, last:] = local.xy[:, -1:]
        joined.visible[rows, first:last] = local.visible
        joined.confidence[rows, first:last] = local.confidence


def _point_sets(
    source: FrameSource, segmenter: Segmenter, rules: ObjectRules, item: SeenObject
) -> list[_PointSet]:
    """The sets of one object, in the order of their frames."""
    none = np.zeros((0, 3), np.float32)
    queries = {item.best: none}
    every, frames = rules.mask_every or len(item.detected), len(item.detected)
    for frame in range(item.best % every, frames, every):
        if frame == item.best or not item.detected[frame]:
            continue
        (image,) = source.frames_between(frame, frame + 1)
        box = item.boxes_xyxy[frame]
        points = masked_points(image, frame, box, segmenter, rules.grid_hw)
        if points is not None:
            queries[frame] = points
    begins = sorted(queries)
    spans = pairwise([0, *begins[1:], frames])
    return [
        _PointSet(item.object_id, queries[begin], start, stop)
        for begin, (start, stop) in zip(begins, spans, strict=True)
    ]


def _without_outliers(tracks: Tracks, mine: NDArray[np.bool_], rules: ObjectRules) -> Tracks:
    visible = tracks.visible.copy()
    visible[mine] = mark_outliers(
        tracks.xy[mine], visible[mine], rules.outlier_deviations, rules.displacement
    )
    return replace(tracks, visible=visible)


def _rename(ids: NDArray[np.int64], names: dict[int, int]) -> NDArray[np.int64]:
    return np.array([names[old] for old in ids.tolist()], np.int64)


def _counted(what: str, progress: Progress | None) -> Callable[[int, int | None], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
