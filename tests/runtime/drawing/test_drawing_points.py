import numpy as np
import pytest

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.drawing.points import draw_tracks
from locoexport.runtime.tracks.tracks import Tracks

GREY = 90


def _tracks(tracks_xy: np.ndarray, visible: np.ndarray) -> Tracks:
    first = tracks_xy[:, 0, ::-1]
    queries = np.concatenate([np.zeros((len(first), 1)), first], axis=1)
    return Tracks(
        tracks_xy.astype(np.float32),
        visible,
        visible.astype(np.float32),
        np.nan_to_num(queries).astype(np.float32),
        25.0,
    )


def _moving_right(visible: list[bool], step: float = 12.0) -> Tracks:
    """One point in the middle row of a 60x160 video."""
    xs = 20.5 + step * np.arange(len(visible))
    xy = np.stack([xs, np.full_like(xs, 30.5)], axis=-1)[None]
    return _tracks(xy, np.array([visible]))


def _frames(count: int) -> np.ndarray:
    return np.full((count, 60, 160, 3), GREY, np.uint8)


def _ink(image: np.ndarray) -> np.ndarray:
    """How far each pixel is from the grey it was."""
    return np.abs(image.astype(int) - GREY).max(axis=-1)


def test_drawing_is_lazy_new_frames_and_pure() -> None:
    frames = _frames(3)
    tracks = _moving_right([True, True, False])
    first = list(draw_tracks(frames, tracks))
    second = list(draw_tracks(frames, tracks))
    assert (frames == GREY).all()
    assert len(first) == 3
    assert all(image.shape == (60, 160, 3) and image.dtype == np.uint8 for image in first)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_visible_is_filled_and_occluded_is_hollow() -> None:
    visible, occluded = draw_tracks(_frames(2), _moving_right([True, False]), trail_frames=0)
    assert visible[30, 20].max() == 255
    assert _ink(occluded)[30, 32] == 0, "the middle of a ring shows the video"
    assert _ink(occluded)[27:34, 29:36].max() > 90, "and the ring is there"
    # Nothing is drawn away from the mark.
    assert _ink(visible)[:, 40:].max() == 0


def test_mark_is_centred_on_the_pixel() -> None:
    """(20.5, 30.5) is the centre of pixel column 20, row 30: the dot is symmetric about it."""
    image = next(draw_tracks(_frames(1), _moving_right([True])))
    ink = _ink(image)[25:36, 15:26]
    assert ink.max() > 100
    # cv2's anti-aliasing itself is a few levels off symmetry; half a pixel would be 30 and more.
    assert np.abs(ink - ink[:, ::-1]).max() <= 3
    assert np.abs(ink - ink[::-1]).max() <= 3


def test_trail_fades_and_ends() -> None:
    *_, last = draw_tracks(_frames(8), _moving_right([True] * 8), trail_frames=4)
    middles = [_ink(last)[30, 20 + 12 * step + 6] for step in range(7)]
    assert middles[:3] == [0, 0, 0], "older than four frames"
    assert 0 < middles[3] < middles[4] < middles[5] < middles[6]


def test_trail_has_a_gap_where_the_point_was_occluded() -> None:
    *_, last = draw_tracks(_frames(5), _moving_right([True, True, False, True, True]))
    middles = [_ink(last)[30, 20 + 12 * step + 6] > 0 for step in range(4)]
    assert middles == [True, False, False, True]


def test_colour_follows_the_query_position() -> None:
    xy = np.array([[[20.5, 15.5]], [[140.5, 15.5]], [[22.5, 45.5]]])
    image = next(draw_tracks(_frames(1), _tracks(xy, np.ones((3, 1), bool))))
    left, right, below = (image[y, x].astype(int) for y, x in ((15, 20), (15, 140), (45, 22)))
    assert np.abs(left - right).max() > 100
    assert 0 < np.abs(left - below).max() < np.abs(left - right).sum()


def test_points_far_outside_and_nan_do_no_harm() -> None:
    xy = np.array([[[1e9, -1e9]] * 2, [[np.nan, 5.0]] * 2, [[50.5, 30.5]] * 2])
    images = list(draw_tracks(_frames(2), _tracks(xy, np.ones((3, 2), bool))))
    assert images[1][30, 50].max() == 255
    assert _ink(images[1])[:, 60:].max() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (720, 1280)])
def test_any_frame_size(size: tuple[int, int]) -> None:
    xy = np.array([[[size[1] / 2, size[0] / 2]]])
    (image,) = draw_tracks(
        np.zeros((1, *size, 3), np.uint8), _tracks(xy, np.ones((1, 1), bool)), trail_frames=3
    )
    assert image.max() > 200


def test_wrong_use_is_told_before_the_first_frame() -> None:
    with pytest.raises(VideoError, match="3 frames and the tracks 2"):
        draw_tracks(_frames(3), _moving_right([True, True]))
    with pytest.raises(UsageError, match="trail_frames"):
        draw_tracks(_frames(1), _moving_right([True]), trail_frames=-1)
