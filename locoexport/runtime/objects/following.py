"""Following objects through a whole clip.

A detector says where objects are in the frames in which it sees them; tracked points say where
they are in the others. Each rule is a function in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.runtime.objects.boxes import NO_OBJECT, Detections
from locoexport.runtime.objects.gaps import GapFiller, object_points
from locoexport.runtime.objects.rules import ObjectRules, mark_outliers
from locoexport.runtime.objects.segmentation import Segmenter
from locoexport.runtime.objects.sightings import SeenObject, find_returns, see_objects
from locoexport.runtime.objects.tracked import ObjectTracks
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.tracks import Tracks
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
    progress: Progress | None = None,
) -> ObjectTracks:
    """Follow objects, and points that belong to none, through a clip.

    The points of an object are placed in its most confident box (the earliest of equals) and
    tracked through the whole clip. An object that they lead to another one is the same
    (``find_returns``), and has the points of both. Frames without a box are then filled gap by
    gap, each tracked anew from the better side (``plan_gap``). A model of a fixed number of frames
    sees the whole clip in place of a gap and its context.

    Args:
        tracker: open.
        video: a file, a clip or frames: what can be read again. Frames are never all held.
        detections: within the clip and its frame, each with an object id (``name_objects``).
        segmenter: says where in a box points may be.
        rules: the numbers.
        keep_apart: ids that a person gave; such an object is never taken for another's return.
        other_points_tyx: float32 (points, 3), further points, of no object.
        progress: is told how much of ``tracking frames`` and ``filling gaps`` is done.

    Raises:
        QueryError: there is no point at all to track.
        UsageError: the video can be read once only.
        InputError: the segmenter answers no mask; and what ``PointTracker.track`` raises.
    """
    source = video if isinstance(video, FrameSource) else open_source(video)
    if not source.rereadable:
        raise UsageError("Objects need a video that can be read again; pass a file or an array.")
    frames = source.frames_read or source.read_through()
    height, width = source.frames_between(0, 1)[0].shape[:2]
    seen = see_objects(detections, frames)
    queries, object_ids = _place_points(source, seen, segmenter, rules, other_points_tyx)
    tracks = tracker.track(source, queries, progress=_counted("tracking frames", progress))
    tracks = _without_outliers(tracks, object_ids != NO_OBJECT, rules)
    names = find_returns(seen, tracks, object_ids, (height, width), rules, keep_apart)
    # Ids without holes, unless a person gave them.
    free = [name for name in sorted(set(names.values())) if name not in keep_apart]
    first = max(keep_apart, default=NO_OBJECT) + 1
    numbers = {name: first + index for index, name in enumerate(free)}
    renamed = {NO_OBJECT: NO_OBJECT}
    renamed |= {old: numbers.get(name, name) for old, name in names.items()}
    object_ids = _rename(object_ids, renamed)
    detections = replace(detections, object_ids=_rename(detections.object_ids, renamed))
    seen = see_objects(detections, frames)
    filler = GapFiller(tracker, source, segmenter, rules, seen, _counted("filling gaps", progress))
    objects = tuple(filler.fill(item, tracks, object_ids == item.object_id) for item in seen)
    return ObjectTracks(tracks, object_ids, objects)


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
