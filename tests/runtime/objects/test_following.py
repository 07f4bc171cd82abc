"""Objects through a clip, with a synthetic tracker whose every answer is known."""

import dataclasses

import numpy as np
import pytest
from synthetic_tracker import MODEL_HW, VELOCITY_XY, tracker_bytes

from locoexport.errors import InputError, UsageError, VideoError
from locoexport.runtime.drawing.objects import draw_objects
from locoexport.runtime.objects.boxes import NO_OBJECT, Boxes, Detections
from locoexport.runtime.objects.following import track_objects
from locoexport.runtime.objects.gaps import object_points
from locoexport.runtime.objects.rules import ObjectRules
from locoexport.runtime.objects.segmentation import EllipseSegmenter, WholeBoxSegmenter
from locoexport.runtime.objects.tracked import BoxSource, ObjectTracks, TrackedObject
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip
from locoexport.runtime.video.sources import FrameSource

HEIGHT, WIDTH, FRAMES = 48, 64, 30
# The synthetic tracker moves every point by this much a frame, in the clip's pixels.
STEP_XY = np.multiply(VELOCITY_XY, (WIDTH / MODEL_HW[1], HEIGHT / MODEL_HW[0]))
BOX = np.array([20, 26, 30, 38], np.float32)


def dark_clip(*bright: int) -> Clip:
    """Every point is visible, but in bright frames."""
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    frames[list(bright)] = 255
    return Clip(frames, 25.0)


def moving_box(frame: int) -> np.ndarray:
    return BOX + np.tile(STEP_XY * frame, 2)


def detected(*frames: int, confidence: float | list[float] = 0.5) -> Detections:
    boxes = Boxes.of(
        [moving_box(frame) for frame in frames], np.broadcast_to(confidence, len(frames))
    )
    return Detections(np.array(frames, np.int64), boxes, np.zeros(len(frames), np.int64))


@pytest.fixture
def tracker(tmp_path):
    (tmp_path / "model.onnx").write_bytes(tracker_bytes())
    with PointTracker(tmp_path / "model.onnx") as opened:
        yield opened


def follow(tracker, clip, detections, *, segmenter=None, **options) -> ObjectTracks:
    rules = options.pop("rules", ObjectRules())
    return track_objects(
        tracker, clip, detections, segmenter or EllipseSegmenter(), rules, **options
    )


def test_a_gap_is_filled_with_the_box_that_its_points_carry(tracker) -> None:
    seen = [frame for frame in range(FRAMES) if not 8 <= frame < 20]
    found = follow(tracker, dark_clip(), detected(*seen))
    (item,) = found.objects
    assert np.flatnonzero(item.source == BoxSource.TRACKED).tolist() == list(range(8, 20))
    assert item.frames_of(BoxSource.LOST) == 0
    expected = [moving_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=0.01)
    assert item.confidence[seen].tolist() == [0.5] * len(seen)
    assert (item.confidence[8:20] == 1).all()
    assert all(len(hull) >= 3 for hull in item.hulls_xy)
    # A hull lies in its box.
    for hull, box in zip(item.hulls_xy, item.boxes_xyxy, strict=True):
        assert (hull >= box[:2]).all()
        assert (hull <= box[2:]).all()


def test_a_model_of_fixed_frames_fills_gaps_too(tmp_path) -> None:
    (tmp_path / "fixed.onnx").write_bytes(tracker_bytes(frames=FRAMES, points=5))
    seen = [frame for frame in range(FRAMES) if not 8 <= frame < 20]
    with PointTracker(tmp_path / "fixed.onnx") as fixed:
        (item,) = follow(fixed, dark_clip(), detected(*seen)).objects
    expected = [moving_box(frame) for frame in range(FRAMES)]
    np.testing.assert_allclose(item.boxes_xyxy, expected, atol=0.01)


def test_the_better_side_decides(tracker) -> None:
    """The right side's boxes lie 5 pixels further right; what fills the gap tells the side."""
    frames = [*range(10), *range(15, 25)]
    for better, offset in (("left", 0), ("right", 5)):
        sure = [0.9 if (frame < 10) == (better == "left") else 0.6 for frame in frames]
        seen = detected(*frames, confidence=sure)
        xyxy = seen.boxes.xyxy + np.where(seen.frames >= 15, 5, 0)[:, None] * np.float32(
            [1, 0, 1, 0]
        )
        moved = dataclasses.replace(
            seen, boxes=Boxes(xyxy.astype(np.float32), seen.boxes.confidence)
        )
        (item,) = follow(tracker, dark_clip(), moved).objects
        gap = [np.add(moving_box(frame), (offset, 0, offset, 0)) for frame in range(10, 15)]
        np.testing.assert_allclose(item.boxes_xyxy[10:15], gap, atol=0.01)


def test_a_frame_in_which_too_few_points_are_visible_is_lost(tracker) -> None:
    seen = [frame for frame in range(FRAMES) if not 8 <= frame < 20]
    (item,) = follow(tracker, dark_clip(12, 13), detected(*seen)).objects
    assert np.flatnonzero(item.source == BoxSource.LOST).tolist() == [12, 13]
    assert np.isnan(item.boxes_xyxy[12:14]).all()
    assert item.confidence[12:14].tolist() == [0, 0]
    assert [len(item.hulls_xy[frame]) for frame in (12, 13)] == [0, 0]
    # Where the detector sees it, it is not lost whatever the points say.
    (item,) = follow(tracker, dark_clip(2), detected(*range(FRAMES))).objects
    assert (item.source == BoxSource.DETECTED).all()


def test_a_box_that_leaves_the_frame_is_lost_and_one_that_reaches_out_is_cut(tracker) -> None:
    # 13 pixels of the frame's upper edge are left, at half a pixel a frame.
    boxes = Boxes.of([[20, 1, 30, 5]] * 3)
    ids = np.zeros(3, np.int64)
    seen = Detections(np.arange(3, dtype=np.int64), boxes, ids)
    (item,) = follow(tracker, dark_clip(), seen).objects
    assert (item.boxes_xyxy[item.source != BoxSource.LOST, 1] >= 0).all()
    assert item.source[-1] == BoxSource.LOST
    assert item.source[5] == BoxSource.TRACKED


def test_each_object_has_its_points_and_others_have_none(tracker) -> None:
    two = Detections(
        np.array([0, 4], np.int64),
        Boxes.of([[10, 30, 18, 38], [40, 20, 50, 30]], [0.5, 0.5]),
        np.array([3, 7], np.int64),
    )
    others = np.array([[2, 5, 6]], np.float32)
    found = follow(
        tracker, dark_clip(), two, segmenter=WholeBoxSegmenter(), other_points_tyx=others
    )
    assert [item.object_id for item in found.objects] == [0, 1]
    assert np.unique(found.object_ids, return_counts=True)[1].tolist() == [1, 64, 64]
    assert found.object_ids.tolist() == [0] * 64 + [1] * 64 + [NO_OBJECT]
    queries = found.tracks.query_points
    assert queries[:64, 0].tolist() == [0] * 64
    assert queries[64:128, 0].tolist() == [4] * 64
    assert queries[0].tolist() == [0, 30.5, 10.5]
    assert queries[128].tolist() == [2, 5, 6]


def test_objects_of_a_mask_keep_their_numbers_and_the_detectors_come_after(tracker) -> None:
    others = np.array([[2, 5, 6], [2, 7, 8], [0, 9, 9]], np.float32)
    on = np.array([4, 2, NO_OBJECT], np.int64)
    seen = detected(0, 1, 2)
    found = follow(tracker, dark_clip(), seen, other_points_tyx=others, other_object_ids=on)
    assert [item.object_id for item in found.objects] == [5]
    assert found.object_ids[-3:].tolist() == on.tolist()
    assert set(found.object_ids[:-3].tolist()) == {5}
    alone = follow(tracker, dark_clip(), seen, other_points_tyx=others)
    for one, other in zip(found.objects, alone.objects, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)  # a mask moves no box


def test_a_mask_and_a_box_of_one_number_are_one_object(tracker) -> None:
    boxes = Detections(
        np.array([0], np.int64), Boxes.of([[10, 30, 18, 38]]), np.array([4], np.int64)
    )
    points, on = np.array([[2, 5, 6]], np.float32), np.array([4], np.int64)
    found = follow(
        *(tracker, dark_clip(), boxes),
        keep_apart={4},
        other_points_tyx=points,
        other_object_ids=on,
    )
    assert [item.object_id for item in found.objects] == [4]
    assert set(found.object_ids.tolist()) == {4}


def fast_boxes(ids: tuple[int, int]) -> Detections:
    """An object that is lost in frames 3 to 22, and has moved by twice its own width by then."""
    frames = [0, 1, 2, 23, 24, 25]
    return dataclasses.replace(detected(*frames), object_ids=np.repeat(np.array(ids, np.int64), 3))


def test_an_object_that_its_points_lead_to_is_the_same(tracker) -> None:
    (item,) = follow(tracker, dark_clip(), fast_boxes((0, 1))).objects
    assert item.object_id == 0
    assert item.frames_of(BoxSource.DETECTED) == 6
    np.testing.assert_allclose(item.boxes_xyxy[10], moving_box(10), atol=0.01)


def test_objects_that_a_person_named_stay_apart(tracker) -> None:
    found = follow(tracker, dark_clip(), fast_boxes((4, 9)), keep_apart={4, 9})
    assert [item.object_id for item in found.objects] == [4, 9]
    # One that only the detector saw may be the return of a named one, and takes its name.
    found = follow(tracker, dark_clip(), fast_boxes((4, 9)), keep_apart={4})
    assert [item.object_id for item in found.objects] == [4]


def test_objects_elsewhere_or_behind_bright_frames_are_others(tracker) -> None:
    seen = fast_boxes((0, 1))
    shifted = seen.boxes.xyxy.copy()
    shifted[3:] -= np.array([30, 0, 30, 0], np.float32)
    away = dataclasses.replace(seen, boxes=Boxes(shifted, seen.boxes.confidence))
    assert len(follow(tracker, dark_clip(), away).objects) == 2
    # Nothing can be seen where the other one is: its points say nothing.
    hidden = dark_clip(0, 1, 2, 23, 24, 25)
    assert len(follow(tracker, hidden, fast_boxes((0, 1))).objects) == 2


def test_points_start_in_the_best_box(tracker) -> None:
    found = follow(tracker, dark_clip(), detected(2, 5, 9, confidence=[0.5, 0.8, 0.8]))
    assert np.unique(found.tracks.query_points[:, 0]).tolist() == [5]


def test_no_objects_and_one_point(tracker) -> None:
    none = Detections(np.zeros(0, np.int64), Boxes.of([]), np.zeros(0, np.int64))
    found = follow(tracker, dark_clip(), none, other_points_tyx=np.array([[0, 1, 2]], np.float32))
    assert (found.objects, found.object_ids.tolist()) == ((), [-1])


def test_points_of_an_object_where_the_mask_says_so() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    box = np.array([10, 10, 26, 26], np.float32)
    points = object_points(image, 3, box, EllipseSegmenter(), (8, 8))
    assert 0 < len(points) < 64
    assert (np.hypot(*(points[:, 1:] - 18).T) <= 8 * 0.8 + 1).all()
    assert (points[:, 0] == 3).all()

    class Corner:
        def segment(self, frame_rgb, box_xyxy):
            mask = np.zeros(frame_rgb.shape[:2], np.bool_)
            mask[10, 10:12] = True
            return mask

    # The grid, at 11, 13, ..., misses the two pixels: both are taken.
    assert object_points(image, 0, box, Corner(), (2, 2)).tolist() == [
        [0, 10.5, 10.5],
        [0, 10.5, 11.5],
    ]

    class Nothing:
        def segment(self, frame_rgb, box_xyxy):
            return np.zeros(frame_rgb.shape[:2], np.bool_)

    assert len(object_points(image, 0, box, Nothing(), (8, 8))) == 64


def test_a_video_that_can_be_read_once_is_refused(tracker) -> None:
    with pytest.raises(UsageError, match="pass a file or an array"):
        follow(tracker, iter(dark_clip().frames_rgb), detected(3))


def test_frames_are_read_again_and_never_held(tracker, monkeypatch) -> None:
    """Neither the points nor the gaps ask for more frames at once than a window has."""
    asked: list[int] = []
    real = FrameSource.frames_between

    def frames_between(self, first: int, end: int) -> list[np.ndarray]:
        asked.append(end - first)
        return real(self, first, end)

    monkeypatch.setattr(FrameSource, "frames_between", frames_between)
    frames = np.zeros((160, HEIGHT, WIDTH, 3), np.uint8)
    seen = detected(*range(3), *range(157, 160))
    (item,) = follow(tracker, Clip(frames, 25.0), seen).objects
    assert item.frames_of(BoxSource.TRACKED) > 30  # then it leaves the frame
    assert 1 < max(asked) <= 48


def test_progress_counts_gaps(tracker) -> None:
    told = []
    follow(tracker, dark_clip(), detected(3, 9), progress=lambda *state: told.append(state))
    assert told[-1] == ("filling gaps", 3, 3)
    assert told[0][0].startswith("tracking ")


def made_object(frames: int = 4) -> TrackedObject:
    boxes = np.tile(np.float32([20, 20, 50, 40]), (frames, 1))
    source = np.array([1, 2, 0, 1][:frames], np.uint8)
    boxes[source == 0] = np.nan
    hull = np.float32([[22, 22], [48, 22], [35, 38]])
    return TrackedObject(0, boxes, source, np.ones(frames, np.float32), (hull,) * frames)


def test_boxes_are_drawn_whole_dashed_or_not_at_all() -> None:
    frames = np.full((4, 60, 80, 3), 90, np.uint8)
    drawn = list(draw_objects(frames, [made_object()], hulls=False))
    # Along the lower edge: all of it when detected, about half of it when tracked.
    changed = [float((image[40, 22:48] != 90).any(axis=1).mean()) for image in drawn]
    assert changed[0] == changed[3] == 1
    assert 0.3 < changed[1] <= 1
    colour = [int((image[39, 22:48, 1] > 150).sum()) for image in drawn]
    assert colour[1] < colour[0]
    assert (drawn[2] == 90).all()
    assert (frames == 90).all()
    with_hull = next(draw_objects(frames, [made_object()]))
    assert (with_hull != drawn[0]).any()


def test_more_frames_than_the_object_has() -> None:
    with pytest.raises(VideoError, match="has 2 frames, and the video more"):
        list(draw_objects(np.zeros((3, 60, 80, 3), np.uint8), [made_object(2)]))


def test_objects_that_do_not_fit_together() -> None:
    good = made_object()
    with pytest.raises(InputError, match="boxes_xyxy is float64"):
        dataclasses.replace(good, boxes_xyxy=good.boxes_xyxy.astype(np.float64))
    with pytest.raises(InputError, match="has 1 hulls and 4 frames"):
        dataclasses.replace(good, hulls_xy=good.hulls_xy[:1])
