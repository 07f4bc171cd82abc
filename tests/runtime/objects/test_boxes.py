"""Boxes, how they overlap, and which show the same object."""

import numpy as np
import pytest

from locoexport.errors import InputError
from locoexport.runtime.objects.association import associate, drop_rare_objects, name_objects
from locoexport.runtime.objects.boxes import (
    NO_OBJECT,
    Boxes,
    Detections,
    box_overlaps,
    clip_boxes,
    gather_detections,
)
from locoexport.runtime.objects.rules import ObjectRules

NONE = gather_detections([])


def detections(*rows: tuple[int, float, int], side: float = 10) -> Detections:
    """Squares at (x, 0) from rows of (frame, x, object id)."""
    boxes = Boxes.of([[x, 0, x + side, side] for _, x, _ in rows])
    frames, _, ids = zip(*rows, strict=True)
    return Detections(np.array(frames, np.int64), boxes, np.array(ids, np.int64))


@pytest.mark.parametrize(
    ("xyxy", "confidence"),
    [
        ([[0, 0, 0, 5]], [1]),
        ([[0, 5, 5, 5]], [1]),
        ([[0, 0, 5, np.nan]], [1]),
        ([[0, 0, np.inf, 5]], [1]),
        ([[0, 0, 5, 5]], [1.1]),
        ([[0, 0, 5, 5]], [np.nan]),
        ([[0, 0, 5, 5]], [1, 1]),
        ([[0, 0, 5]], [1]),
        ("boxes", None),
        ([[0, 0, 5, 5], [1]], None),
    ],
)
def test_what_is_no_box(xyxy, confidence) -> None:
    with pytest.raises(InputError, match=r"[Bb]ox"):
        Boxes.of(xyxy, confidence)


def test_boxes_are_cut_to_the_frame() -> None:
    boxes = clip_boxes(Boxes.of([[-5, -5, 5, 5], [30, 0, 40, 9], [5, 5, 90, 90]]), 20, 30)
    assert boxes.xyxy.tolist() == [[0, 0, 5, 5], [5, 5, 30, 20]]


def test_overlap_is_intersection_over_union() -> None:
    squares = detections((0, 0, -1), (0, 5, -1), (0, 20, -1)).boxes.xyxy
    # Half of each is shared: 50 of 150.
    np.testing.assert_allclose(box_overlaps(squares[:1], squares), [[1, 1 / 3, 0]])


def test_one_object_has_one_box_a_frame() -> None:
    with pytest.raises(InputError, match="Object 4 has 2 boxes in frame 3"):
        detections((3, 0, 4), (3, 50, 4))


def test_objects_that_pass_keep_their_ids() -> None:
    found = associate(
        detections((0, 0, -1), (0, 100, -1), (1, 98, -1), (1, 2, -1), (2, 96, -1), (5, 4, -1))
    )
    assert found.object_ids.tolist() == [0, 1, 1, 0, 1, 0]


def test_the_best_pair_is_taken_first() -> None:
    # The box at 3 overlaps the first object by 7/13; the one at 0 wholly, and so gets it.
    found = associate(detections((0, 0, -1), (1, 3, -1), (1, 0, -1)))
    assert found.object_ids.tolist() == [0, 1, 0]


def test_too_little_overlap_is_a_new_object() -> None:
    # Shared 5 of 15 is a third.
    assert associate(detections((0, 0, -1), (1, 5, -1)), 0.34).object_ids.tolist() == [0, 1]
    assert associate(detections((0, 0, -1), (1, 5, -1)), 0.33).object_ids.tolist() == [0, 0]


def test_given_ids_are_kept_and_new_ones_follow() -> None:
    found = associate(detections((0, 0, 7), (0, 50, -1), (1, 0, -1), (1, 50, -1), (1, 90, -1)))
    assert found.object_ids.tolist() == [7, 8, 7, 8, 9]


def test_rare_objects_are_dropped_unless_certain() -> None:
    found = detections((0, 0, 0), (1, 0, 0), (1, 50, 1), (2, 90, 2))
    certain = np.array([False, False, False, True])
    assert drop_rare_objects(found, 2, certain).object_ids.tolist() == [0, 0, 2]


def test_a_detector_confirms_or_adds_to_given_boxes() -> None:
    given = detections((1, 0, NO_OBJECT))
    detected = detections(
        (0, 1, -1), (1, 1, -1), (2, 1, -1), (0, 50, -1), (1, 50, -1), (2, 50, -1), (2, 90, -1)
    )
    named = name_objects(given, detected, ObjectRules(), frames=10)
    rows = sorted(
        zip(named.frames.tolist(), named.boxes.xyxy[:, 0].tolist(), named.object_ids, strict=True)
    )
    # In frame 1 the given box stays; the box at 90 was seen once and is taken for a false alarm.
    assert rows == [(0, 1, 0), (0, 50, 1), (1, 0, 0), (1, 50, 1), (2, 1, 0), (2, 50, 1)]


def test_ids_of_detected_objects_have_no_holes() -> None:
    detected = detections(*((frame, 50, -1) for frame in range(3)), (0, 0, -1))
    named = name_objects(NONE, detected.select(np.array([3, 0, 1, 2])), ObjectRules(), frames=3)
    assert named.object_ids.tolist() == [0, 0, 0]


def test_a_clip_shorter_than_the_least_detections_needs_all_its_frames() -> None:
    assert len(name_objects(NONE, detections((0, 0, -1)), ObjectRules(), frames=1)) == 1
    assert len(name_objects(NONE, detections((0, 0, -1)), ObjectRules(), frames=2)) == 0


def test_nothing_is_no_objects() -> None:
    assert len(name_objects(NONE, NONE, ObjectRules(), frames=5)) == 0
