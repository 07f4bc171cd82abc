"""Where an object was seen, where its points carry its box, and whether it came back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.objects.boxes import Boxes, Detections, box_overlaps, clip_boxes
from locoexport.runtime.objects.rules import ObjectRules, lost_frames, move_box, tight_box
from locoexport.runtime.tracks.tracks import Tracks

__all__ = [
    "SeenObject",
    "carry_box",
    "cut_box",
    "find_returns",
    "move_with_points",
    "points_box",
    "see_objects",
]


@dataclass(frozen=True, eq=False)
class SeenObject:
    """The boxes of one object; NaN, and confidence 0, in frames without one.

    Attributes:
        object_id: 0 or more.
        boxes_xyxy: float32 (frames, 4).
        confidence: float32 (frames,).
        detected: bool (frames,), somewhere true.
    """

    object_id: int
    boxes_xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    detected: NDArray[np.bool_]

    @property
    def best(self) -> int:
        """The frame of its most confident box, the earliest of equals."""
        return int(np.argmax(np.where(self.detected, self.confidence, -1)))

    @property
    def first(self) -> int:
        """The first frame with a box."""
        return int(np.argmax(self.detected))

    @property
    def last(self) -> int:
        """The last frame with a box."""
        return len(self.detected) - 1 - int(np.argmax(self.detected[::-1]))


def see_objects(detections: Detections, frames: int) -> list[SeenObject]:
    """Sort the boxes of a clip by their objects, in the order of the ids."""
    seen = []
    for object_id in np.unique(detections.object_ids).tolist():
        mine = detections.object_ids == object_id
        where = detections.frames[mine]
        item = SeenObject(
            object_id,
            np.full((frames, 4), np.nan, np.float32),
            np.zeros(frames, np.float32),
            np.zeros(frames, np.bool_),
        )
        item.boxes_xyxy[where] = detections.boxes.xyxy[mine]
        item.confidence[where] = detections.boxes.confidence[mine]
        item.detected[where] = True
        seen.append(item)
    return seen


def carry_box(
    box_xyxy: NDArray[np.float32],
    tracks: Tracks,
    mine: NDArray[np.bool_],
    frame: int,
    size_hw: tuple[int, int],
    least_visible: float,
) -> NDArray[np.float32] | None:
    """A box in another frame, carried by its points and cut to the video.

    Args:
        box_xyxy: float32 (4,), in the frame in which the points begin.
        tracks: of the points, and maybe more.
        mine: bool (points,), which of them begin in the box.
        frame: where the box is wanted.
        size_hw: of the video, in pixels.
        least_visible: see ``lost_frames``.

    Returns:
        float32 (4,), or None where the object is lost there or has left the video.
    """
    moved = move_with_points(box_xyxy, tracks, mine, frame, least_visible)
    return None if moved is None else cut_box(moved, size_hw)


def move_with_points(
    box_xyxy: NDArray[np.float32],
    tracks: Tracks,
    mine: NDArray[np.bool_],
    frame: int,
    least_visible: float,
) -> NDArray[np.float32] | None:
    """As ``carry_box``, but not cut: it may reach out of the video, or lie outside."""
    shown = _shown_points(tracks, mine, frame, least_visible)
    if not shown.any():
        return None
    then = tracks.query_points[shown][:, [2, 1]]
    return move_box(box_xyxy, then, tracks.xy[shown, frame])


def points_box(
    tracks: Tracks,
    mine: NDArray[np.bool_],
    frame: int,
    size_hw: tuple[int, int],
    least_visible: float,
) -> NDArray[np.float32] | None:
    """The box of an object's visible points, cut to the video; the arguments of ``carry_box``.

    Returns:
        float32 (4,), or None where the object is lost there, or its points lie in one line.
    """
    shown = _shown_points(tracks, mine, frame, least_visible)
    return cut_box(tight_box(tracks.xy[shown, frame]), size_hw) if shown.any() else None


def cut_box(box_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32] | None:
    """The part of a box that lies in the video, float32 (4,); None where there is none."""
    if not (box_xyxy[:2] < box_xyxy[2:]).all():
        return None
    cut = clip_boxes(Boxes.of(box_xyxy[None]), *size_hw)
    return cut.xyxy[0] if len(cut) else None


def _shown_points(
    tracks: Tracks, mine: NDArray[np.bool_], frame: int, least_visible: float
) -> NDArray[np.bool_]:
    """Which points of an object are visible in a frame, bool (points,); none where it is lost."""
    if lost_frames(tracks.visible[mine, frame, None], least_visible)[0]:
        return np.zeros_like(mine)
    return mine & tracks.visible[:, frame]


def find_returns(
    seen: Sequence[SeenObject],
    tracks: Tracks,
    object_ids: NDArray[np.int64],
    size_hw: tuple[int, int],
    rules: ObjectRules,
    keep_apart: Collection[int] = (),
) -> dict[int, int]:
    """Which objects are earlier ones that moved on while the detector had lost them.

    An object is one that was last seen before it was first seen, if the box of either, carried by
    its points to where the other is seen next, overlaps the other's box there by at least
    ``least_overlap``. The one that overlaps most is taken; each comes back only once.

    Args:
        seen: all objects.
        tracks: of all points; of an object those count that begin in its best box.
        object_ids: int64 (points,).
        size_hw: of the video, in pixels.
        rules: ``least_overlap`` and ``least_visible``.
        keep_apart: ids that were given, which no other object takes.

    Returns:
        Object ids by object ids: what each object is, itself in most cases.
    """

    def carried(item: SeenObject, frame: int, other: SeenObject) -> float:
        mine = (object_ids == item.object_id) & (tracks.query_points[:, 0] == item.best)
        box = item.boxes_xyxy[item.best]
        moved = carry_box(box, tracks, mine, frame, size_hw, rules.least_visible)
        if moved is None:
            return 0.0
        return float(box_overlaps(moved[None], other.boxes_xyxy[frame][None])[0, 0])

    names = {item.object_id: item.object_id for item in seen}
    waiting: list[SeenObject] = []
    for later in sorted(seen, key=lambda item: item.first):
        gone = [item for item in waiting if item.last < later.first]
        if gone and later.object_id not in keep_apart:
            overlaps = [
                max(carried(item, later.first, later), carried(later, item.last, item))
                for item in gone
            ]
            best = int(np.argmax(overlaps))
            if overlaps[best] >= rules.least_overlap:
                names[later.object_id] = names[gone[best].object_id]
                waiting.remove(gone[best])
        waiting.append(later)
    return names
