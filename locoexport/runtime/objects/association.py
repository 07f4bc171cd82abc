"""Which boxes of different frames show the same object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.objects.boxes import NO_OBJECT, Detections, box_overlaps, gather_detections
from locoexport.runtime.objects.rules import ObjectRules

__all__ = ["associate", "drop_rare_objects", "name_objects"]


def name_objects(
    given: Detections, detected: Detections, rules: ObjectRules, frames: int
) -> Detections:
    """Bring a person's boxes and a detector's together, and tell which show one object.

    Given boxes always make objects, and keep the ids that they have; what a detector alone saw is
    an object where it was seen in ``rules.least_detections`` frames, or in all of a shorter clip.
    Where both show one thing in one frame, the given box stays.

    Args:
        given: by a person; often none.
        detected: by a detector, without ids; often none.
        rules: ``least_overlap`` and ``least_detections``.
        frames: of the clip.

    Returns:
        All boxes that are left, each with the id of its object.
    """
    highest = int(given.object_ids.max(initial=NO_OBJECT))
    together = gather_detections([given, _without_repeats(given, detected, rules.least_overlap)])
    named = associate(together, rules.least_overlap)
    certain = np.arange(len(named)) < len(given)
    kept = drop_rare_objects(named, min(rules.least_detections, frames), certain)
    ids = kept.object_ids.copy()
    new = ids > highest
    ids[new] = highest + 1 + np.unique(ids[new], return_inverse=True)[1]
    return Detections(kept.frames, kept.boxes, ids)


def associate(detections: Detections, least_overlap: float = 0.3) -> Detections:
    """Give every box an object id, greedily, frame after frame.

    In each frame the new box and the last box of an object (however long ago) that overlap most
    are taken for one object, then the next such pair, as long as intersection over union is at
    least ``least_overlap``. A box left over is a new object. Ids that are given already are kept,
    and new ids follow the highest of them. The order of the boxes stays.
    """
    ids = detections.object_ids.copy()
    next_id = int(ids.max(initial=NO_OBJECT)) + 1
    last_boxes: dict[int, NDArray[np.float32]] = {}
    for frame in np.unique(detections.frames):
        here = np.flatnonzero(detections.frames == frame)
        new = here[ids[here] == NO_OBJECT]
        taken = set(ids[here].tolist())
        known = {key: box for key, box in last_boxes.items() if key not in taken}
        for box, object_id in _best_pairs(detections.boxes.xyxy[new], known, least_overlap):
            ids[new[box]] = object_id
        for index in new[ids[new] == NO_OBJECT]:
            ids[index] = next_id
            next_id += 1
        last_boxes.update(zip(ids[here].tolist(), detections.boxes.xyxy[here], strict=True))
    return Detections(detections.frames, detections.boxes, ids)


def drop_rare_objects(
    detections: Detections, least_detections: int, certain: NDArray[np.bool_]
) -> Detections:
    """Leave out objects with fewer boxes, unless one of their boxes is certain; bool (boxes,)."""
    ids, inverse, counts = np.unique(detections.object_ids, return_inverse=True, return_counts=True)
    sure = np.isin(ids, detections.object_ids[certain])
    return detections.select(((counts >= least_detections) | sure)[inverse])


def _without_repeats(given: Detections, detected: Detections, least_overlap: float) -> Detections:
    """Detected boxes, less those that overlap a given box in the same frame."""
    overlaps = box_overlaps(detected.boxes.xyxy, given.boxes.xyxy)
    same_frame = detected.frames[:, None] == given.frames[None]
    return detected.select(~((overlaps >= least_overlap) & same_frame).any(axis=1))


def _best_pairs(
    boxes_xyxy: NDArray[np.float32],
    last_boxes: dict[int, NDArray[np.float32]],
    least_overlap: float,
) -> list[tuple[int, int]]:
    """(index of a new box, object id) pairs, the best overlap first, each used once."""
    if not len(boxes_xyxy) or not last_boxes:
        return []
    known = list(last_boxes)
    overlaps = box_overlaps(boxes_xyxy, np.stack(list(last_boxes.values())))
    pairs: list[tuple[int, int]] = []
    while overlaps.max() >= least_overlap:
        box, column = (int(i) for i in np.unravel_index(np.argmax(overlaps), overlaps.shape))
        pairs.append((box, known[column]))
        overlaps[box], overlaps[:, column] = -1, -1
    return pairs
