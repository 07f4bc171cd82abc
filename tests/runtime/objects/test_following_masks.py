"""Masks that are asked for again every so many frames, and the box of the points alone."""

from collections.abc import Iterator

import numpy as np
import pytest
from synthetic_tracker import MODEL_HW, VELOCITY_XY, tracker_bytes

from locoexport.errors import InputError, UsageError
from locoexport.runtime.objects.boxes import Boxes, Detections
from locoexport.runtime.objects.following import track_objects
from locoexport.runtime.objects.rules import ObjectRules
from locoexport.runtime.objects.segmentation import EllipseSegmenter
from locoexport.runtime.objects.tracked import BoxSource, ObjectTracks
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip

HEIGHT, WIDTH, FRAMES = 48, 64, 30
STEP_XY = np.multiply(VELOCITY_XY, (WIDTH / MODEL_HW[1], HEIGHT / MODEL_HW[0]))
BOX = np.array([20, 26, 30, 38], np.float32)
SEEN = [frame for frame in range(FRAMES) if not 8 <= frame < 20]


def numbered_clip(*bright: int) -> Clip:
    """Dark frames, whose first pixel says which one it is; bright ones hide every point."""
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    frames[list(bright)] = 255
    frames[:, 0, 0, 0] = range(FRAMES)
    return Clip(frames, 25.0)


def moving_box(frame: int) -> np.ndarray:
    return BOX + np.tile(STEP_XY * frame, 2)


def detected(frames: list[int], confidence: list[float] | float = 0.5) -> Detections:
    boxes = Boxes.of(
        [moving_box(frame) for frame in frames], np.broadcast_to(confidence, len(frames))
    )
    return Detections(np.array(frames, np.int64), boxes, np.zeros(len(frames), np.int64))


class Asked(EllipseSegmenter):
    """Remembers which frames it was asked for, and in which boxes; in some it sees nothing."""

    def __init__(self, blind: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.blind = blind
        self.frames: list[int] = []
        self.boxes: list[np.ndarray] = []

    def segment(self, frame_rgb: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
        frame = int(frame_rgb[0, 0, 0])
        self.frames.append(frame)
        self.boxes.append(box_xyxy)
        mask = super().segment(frame_rgb, box_xyxy)
        return np.zeros_like(mask) if frame in self.blind else mask


@pytest.fixture
def tracker(tmp_path) -> Iterator[PointTracker]:
    (tmp_path / "model.onnx").write_bytes(tracker_bytes())
    with PointTracker(tmp_path / "model.onnx") as opened:
        yield opened


def follow(
    tracker: PointTracker, clip: Clip, seen: Detections, asked: Asked, **rules
) -> ObjectTracks:
    return track_objects(tracker, clip, seen, asked, ObjectRules(**rules))


def test_a_mask_is_asked_for_once_an_object_and_once_a_gap(tracker) -> None:
    asked = Asked()
    found = follow(tracker, numbered_clip(), detected(SEEN), asked)
    assert asked.frames == [0, 7]
    assert found.spans is None


def test_points_begin_anew_every_so_many_frames(tracker) -> None:
    asked = Asked()
    confidence = [0.9 if frame == 6 else 0.5 for frame in range(FRAMES)]
    seen = detected([*range(FRAMES)], confidence)
    found = follow(tracker, numbered_clip(), seen, asked, mask_every=8)
    assert sorted(asked.frames) == [6, 14, 22]
    tracks, spans = found.tracks, found.spans
    assert spans is not None
    assert np.unique(tracks.query_points[:, 0]).tolist() == [6, 14, 22]
    for begin, span in ((6, [0, 14]), (14, [14, 22]), (22, [22, 30])):
        these = tracks.query_points[:, 0] == begin
        assert these.sum() >= 24
        assert (spans[these] == span).all()
        where = np.zeros(FRAMES, np.bool_)
        where[slice(*span)] = True
        assert (tracks.visible[these] == where).all()
        # Where they stand for the object they are where the synthetic tracker moves them.
        steps = (np.arange(FRAMES) - begin)[None, :, None] * STEP_XY
        expected = tracks.query_points[these][:, None, [2, 1]] + steps
        np.testing.assert_allclose(tracks.xy[these][:, where], expected[:, where], atol=1e-3)
    assert np.isfinite(tracks.xy).all()
    assert (found.object_ids == 0).all()
    assert found.visible_share == 1
    assert all(len(hull) >= 3 for hull in found.objects[0].hulls_xy)


@pytest.mark.parametrize(
    ("sure", "frames"), [("left", [7, 12, 17]), ("right", [20, 15, 10])], ids=str
)
def test_points_begin_anew_within_a_gap_where_they_carried_the_box(tracker, sure, frames) -> None:
    asked = Asked()
    confidence = [0.9 if (frame < 8) == (sure == "left") else 0.5 for frame in SEEN]
    found = follow(tracker, numbered_clip(), detected(SEEN, confidence), asked, mask_every=5)
    assert asked.frames[-3:] == frames
    for frame, box in zip(frames, asked.boxes[-3:], strict=True):
        np.testing.assert_allclose(box, moving_box(frame), atol=0.01)
    (item,) = found.objects
    assert np.flatnonzero(item.source == BoxSource.TRACKED).tolist() == [*range(8, 20)]
    expected = [moving_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=0.02)


@pytest.mark.parametrize("hidden", [False, True], ids=["no mask", "lost"])
def test_where_points_cannot_begin_anew_the_old_ones_go_on(tracker, hidden: bool) -> None:
    asked = Asked(blind=() if hidden else (12,))
    clip = numbered_clip(12) if hidden else numbered_clip()
    found = follow(tracker, clip, detected(SEEN), asked, mask_every=5)
    in_gap = [frame for frame in asked.frames if 7 <= frame < 20]
    assert in_gap == ([7, 17] if hidden else [7, 12, 17])
    (item,) = found.objects
    kept = [frame for frame in range(FRAMES) if not (hidden and frame == 12)]
    expected = [moving_box(frame) for frame in kept]
    np.testing.assert_allclose(item.boxes_xyxy[kept], expected, atol=0.02)
    assert (item.source == BoxSource.LOST).sum() == hidden


def test_a_segmenter_that_never_sees_anything_again(tracker) -> None:
    found = follow(
        tracker, numbered_clip(), detected(SEEN), Asked(tuple(range(1, FRAMES))), mask_every=2
    )
    (item,) = found.objects
    expected = [moving_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=0.02)
    assert np.unique(found.tracks.query_points[:, 0]).tolist() == [0]


def test_a_model_of_fixed_frames_begins_anew_too(tmp_path) -> None:
    (tmp_path / "fixed.onnx").write_bytes(tracker_bytes(frames=FRAMES, points=5))
    with PointTracker(tmp_path / "fixed.onnx") as fixed:
        found = follow(fixed, numbered_clip(), detected(SEEN), Asked(), mask_every=7)
    (item,) = found.objects
    expected = [moving_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=0.02)
    assert np.unique(found.tracks.query_points[:, 0]).tolist() == [0, 7, 21, 28]


def test_tracks_that_would_be_too_large_are_refused_before_they_are_made(
    tracker, monkeypatch
) -> None:
    """30 sets of some 30 points, of 30 frames, at 13 bytes each."""
    monkeypatch.setattr(PointTracker, "tracks_in_memory_bytes", 100_000)
    told: list[str] = []
    with pytest.raises(UsageError, match=r"A mask every 1 frames makes .* Ask for one every 4 "):
        track_objects(
            tracker,
            numbered_clip(),
            detected([*range(FRAMES)]),
            Asked(),
            ObjectRules(mask_every=1),
            progress=lambda what, *_: told.append(what),
        )
    assert told == []
    follow(tracker, numbered_clip(), detected([*range(FRAMES)]), Asked(), mask_every=4)


def test_points_of_no_object_count_through_the_whole_clip(tracker) -> None:
    found = track_objects(
        tracker,
        numbered_clip(),
        detected(SEEN),
        Asked(),
        ObjectRules(mask_every=4),
        other_points_tyx=np.array([[3, 20, 20], [3, 21, 20]], np.float32),
        other_object_ids=np.array([-1, 6], np.int64),
    )
    alone = found.object_ids == -1
    assert alone.sum() == 1
    (of_mask,) = np.flatnonzero(found.object_ids == 6)
    assert found.tracks.query_points[of_mask].tolist() == [3, 21, 20]
    assert found.spans is not None
    assert found.spans[alone].tolist() == [[0, FRAMES]]
    assert found.tracks.visible[alone].all()


@pytest.mark.parametrize("mask_every", [None, 3])
def test_the_box_of_the_points_alone(tracker, mask_every: int | None) -> None:
    rules = {"gap_box": "points", "mask_every": mask_every, "context_frames": 4}
    (item,) = follow(tracker, numbered_clip(), detected(SEEN), Asked(), **rules).objects
    gap = item.source == BoxSource.TRACKED
    assert np.flatnonzero(gap).tolist() == [*range(8, 20)]
    for frame in np.flatnonzero(gap):
        hull = item.hulls_xy[frame]
        tight = [*hull.min(axis=0), *hull.max(axis=0)]
        np.testing.assert_allclose(item.boxes_xyxy[frame], tight, atol=1e-4)
        # However often points begin anew: the cells' centres in an ellipse of 0.8 of the box.
        sides = item.boxes_xyxy[frame, 2:] - item.boxes_xyxy[frame, :2]
        np.testing.assert_allclose(sides, (BOX[2:] - BOX[:2]) * 5 / 8, rtol=0.01)
    # Where it was detected, the detector's boxes stay.
    np.testing.assert_allclose(item.boxes_xyxy[~gap], [moving_box(frame) for frame in SEEN])


def test_the_box_of_points_that_leave_the_frame_is_cut_and_then_lost(tracker) -> None:
    seen = Detections(
        np.arange(3, dtype=np.int64), Boxes.of([[20, 1, 30, 5]] * 3), np.zeros(3, np.int64)
    )
    (item,) = follow(tracker, numbered_clip(), seen, Asked(), gap_box="points").objects
    assert (item.boxes_xyxy[item.source != BoxSource.LOST, 1] >= 0).all()
    assert item.source[[3, -1]].tolist() == [BoxSource.TRACKED, BoxSource.LOST]


def test_spans_that_do_not_fit_the_points(tracker) -> None:
    found = follow(tracker, numbered_clip(), detected(SEEN), Asked())
    with pytest.raises(InputError, match="spans has the shape"):
        ObjectTracks(found.tracks, found.object_ids, found.objects, np.zeros((1, 2), np.int64))
