"""Generated samples: endless, repeatable, and what their pictures show."""

import multiprocessing

import cv2
import numpy as np
import pytest

from locoexport.errors import InputError, UsageError
from locoexport.training.data.generated.pictures import Pictures
from locoexport.training.data.generated.synthetic import Synthetic, open_synthetic
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish

TINY = SampleWish(3, 6, (64, 64))
FIELDS = ("video", "query_points_tyx", "tracks_xy", "occluded", "judged")


def smooth_pictures(seed: int = 0) -> Pictures:
    """Cut-outs of one picture of smooth colours, which are cheap and tell where one is."""
    y, x = np.mgrid[:600, :800] / 600
    picture = np.stack((200 * x / 1.34, 200 * y, 100 + 0 * x), -1) + 20
    return Pictures((picture.astype(np.uint8),), seed, real_share=1.0)


def source(seed: int = 0, difficulty: float = 1.0) -> Synthetic:
    return Synthetic(smooth_pictures(seed), seed, difficulty=difficulty)


def assert_equal(one: TrainingSample, other: TrainingSample) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def made_elsewhere(index: int) -> TrainingSample:
    return source().sample(index, TINY)


def test_a_sample_is_decided_by_its_index_and_the_seed() -> None:
    one = source()
    first = [one.sample(index, TINY) for index in (0, 1, 10**9)]
    other = source()
    for index, sample in reversed(list(zip((0, 1, 10**9), first, strict=True))):
        assert_equal(other.sample(index, TINY), sample)
    assert (first[0].video != first[1].video).mean() > 0.5
    assert (source(1).sample(0, TINY).video != first[0].video).mean() > 0.5


def test_another_process_makes_the_same_sample() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(made_elsewhere, (4,))
    assert_equal(there, source().sample(4, TINY))


@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(SampleWish(2, 1, (64, 64)), id="two frames and one point"),
        pytest.param(SampleWish(24, 2, (32, 32)), id="more frames than candidates"),
        pytest.param(SampleWish(3, 50, (48, 96)), id="wide"),
        pytest.param(SampleWish(3, 50, (96, 64)), id="high"),
    ],
)
def test_every_size_keeps_its_promises(wish, difficulty) -> None:
    height, width = wish.size_hw
    for index in range(4):
        sample = source(difficulty=difficulty).sample(index, wish)
        assert sample.video.shape == (wish.frames, height, width, 3)
        assert sample.video.dtype == np.float32
        assert np.abs(sample.video).max() <= 1
        assert sample.query_points_tyx.shape == (wish.points, 3)
        assert sample.tracks_xy.shape == (wish.points, wish.frames, 2)
        assert sample.query_points_tyx.dtype == sample.tracks_xy.dtype == np.float32
        assert sample.occluded.shape == sample.judged.shape == (wish.points, wish.frames)
        assert sample.occluded.dtype == sample.judged.dtype == np.bool_
        assert sample.judged.all()
        assert np.isfinite(sample.tracks_xy).all()
        # A point is asked where it is, and where it is seen.
        rows, at = np.arange(wish.points), sample.query_points_tyx[:, 0].astype(int)
        np.testing.assert_array_equal(sample.query_points_tyx[:, :0:-1], sample.tracks_xy[rows, at])
        assert not sample.occluded[rows, at].any()
        seen = sample.tracks_xy[~sample.occluded]
        assert ((seen >= 0) & (seen <= (width, height))).all()


@pytest.mark.parametrize("size_hw", [(96, 96), (64, 128)])
def test_what_is_tracked_keeps_its_colour(size_hw) -> None:
    """At difficulty 0 nothing is damaged or blurred, so a smooth picture's colour under a visible
    track is the same in every frame. The colour under the track of another point is not."""
    own, strange = [], []
    for index in range(6):
        sample = source(difficulty=0).sample(index, SampleWish(6, 60, size_hw))
        levels = 127.5 * (sample.video + 1)
        at = sample.query_points_tyx[:, 0].astype(int)
        colours = np.stack([look(f, sample.tracks_xy[:, t]) for t, f in enumerate(levels)], 1)
        home = colours[np.arange(len(at)), at]
        inside = ((sample.tracks_xy > 2) & (sample.tracks_xy < np.array(size_hw[::-1]) - 2)).all(
            -1
        ) & ~sample.occluded
        own.append(np.abs(colours - home[:, None]).max(-1)[inside])
        strange.append(np.abs(colours - np.roll(home, 1, 0)[:, None]).max(-1)[inside])
    apart = np.concatenate(own)
    assert len(apart) > 1000
    # A pixel of these shapes is some two levels wide; beside another shape's edge colours mix.
    assert np.median(apart) < 0.6
    assert np.percentile(apart, 95) < 3
    assert np.median(np.concatenate(strange)) > 15


def look(frame: np.ndarray, xy: np.ndarray) -> np.ndarray:
    at = xy - 0.5
    return cv2.remap(frame, at[:, None, 0], at[:, None, 1], cv2.INTER_LINEAR)[:, 0]


def test_shapes_hide_points_and_motion_grows_with_difficulty() -> None:
    def speeds(difficulty: float) -> np.ndarray:
        wish = SampleWish(8, 40, (64, 64))
        samples = [source(difficulty=difficulty).sample(index, wish) for index in range(8)]
        hidden = np.concatenate([sample.occluded.ravel() for sample in samples])
        assert 0.01 < hidden.mean() < 0.6
        steps = np.concatenate([np.diff(sample.tracks_xy, axis=1) for sample in samples])
        return np.linalg.norm(steps, axis=-1).ravel() * 256 / 64

    assert np.median(speeds(0)) * 1.5 < np.median(speeds(2))


def test_a_frame_s_size_does_not_change_how_fast_shapes_are() -> None:
    small, large = (
        source(difficulty=1).sample(3, SampleWish(4, 30, (side, side))).tracks_xy * (256 / side)
        for side in (64, 256)
    )
    pace = [np.linalg.norm(np.diff(each, axis=1), axis=-1) for each in (small, large)]
    assert np.median(pace[0]) == pytest.approx(np.median(pace[1]), rel=0.5)


@pytest.mark.parametrize("difficulty", [-0.1, 2.1, float("nan"), float("inf")])
def test_a_difficulty_beyond_the_scale_is_refused(difficulty) -> None:
    with pytest.raises(UsageError, match="expected 0"):
        open_synthetic(None, 0, difficulty=difficulty)


def test_a_folder_s_pictures_are_used_and_remarks_are_told(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((100, 100, 3), 77, np.uint8))
    (tmp_path / "bad.png").write_text("no picture")
    opened = open_synthetic(tmp_path, 0, difficulty=0)
    assert "bad.png" in opened.remarks[0]
    levels = 127.5 * (opened.sample(0, TINY).video + 1)
    assert (np.abs(levels - 77) < 1e-3).all(-1).any()
    with pytest.raises(InputError, match="no folder"):
        open_synthetic(tmp_path / "nowhere", 0)
