"""Samples that are cut from lessons: positions stay on what they are on."""

import cv2
import numpy as np
import pytest

from locoexport.errors import InputError, OutputError
from locoexport.training.data.source import SampleWish
from locoexport.training.data.taught.lessons import Lessons, read_lesson, write_lesson
from locoexport.training.data.taught.teacher import Lesson

FRAMES = 5
WISH = SampleWish(4, 12, (96, 128))


def dotted_lesson(*, points: int = 9, seed: int = 0) -> Lesson:
    """Soft white dots that move over black, each followed exactly; red says which frame it is."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid([60.0, 128, 196], [60.0, 128, 196]), -1).reshape(-1, 1, 2)
    steps = np.arange(FRAMES)[:, None] * random.uniform(-5, 5, (9, 1, 2))
    tracks = (grid + random.uniform(-8, 8, (9, 1, 2)) + steps)[:points]
    y, x = np.mgrid[:256, :256] + 0.5
    frames = np.zeros((FRAMES, 256, 256, 3))
    for frame, places in zip(frames, tracks.transpose(1, 0, 2), strict=True):
        for cx, cy in places:
            frame += 250 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 4.0**2))[..., None]
    visible = np.ones((points, FRAMES), bool)
    return Lesson(
        np.clip(frames, 0, 255).astype(np.uint8), tracks.astype(np.float32), visible, visible
    )


def saved(tmp_path, lesson: Lesson, name: str = "clip.npz"):
    write_lesson(tmp_path / name, lesson)
    return tmp_path / name


def changed(lesson: Lesson, **arrays: np.ndarray) -> Lesson:
    fields = ("frames_rgb", "tracks_xy", "visible", "judged")
    return Lesson(*(arrays.get(name, getattr(lesson, name)) for name in fields))


def test_a_lesson_is_read_as_it_was_written(tmp_path) -> None:
    lesson = dotted_lesson()
    found = read_lesson(saved(tmp_path, lesson))
    for name in ("frames_rgb", "tracks_xy", "visible", "judged"):
        np.testing.assert_array_equal(getattr(found, name), getattr(lesson, name))


def test_a_damaged_lesson_is_refused_and_named(tmp_path) -> None:
    path = saved(tmp_path, dotted_lesson())
    whole = path.read_bytes()
    for bad in (
        b"",
        b"text",
        whole[:200],
        whole[:-100],
        whole[:1000] + b"\7" * 5000 + whole[6000:],
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"clip\.npz.*Delete it"):
            read_lesson(path)
    np.savez(path, tracks_xy=np.zeros(3))
    with pytest.raises(InputError, match=r"clip\.npz.*Delete it"):
        read_lesson(path)
    lesson = dotted_lesson()
    write_lesson(path, changed(lesson, judged=lesson.judged[:, :2]))
    with pytest.raises(InputError, match="does not hold a lesson"):
        read_lesson(path)
    with pytest.raises(InputError, match="Cannot read"):
        read_lesson(tmp_path / "nowhere.npz")
    with pytest.raises(OutputError):
        write_lesson(tmp_path / "nowhere" / "clip.npz", lesson)


def test_every_cut_keeps_its_points_on_their_dots(tmp_path) -> None:
    """Through windows in time, turned round, mirrored, cut and enlarged; undamaged."""
    source = Lessons([saved(tmp_path, dotted_lesson())], 0, damage=0)
    hidden = reversed_ = mirrored = 0
    for index in range(24):
        sample = source.sample(index, WISH)
        assert sample.video.shape == (4, 96, 128, 3)
        assert sample.tracks_xy.dtype == sample.query_points_tyx.dtype == np.float32
        rows, at = np.arange(WISH.points), sample.query_points_tyx[:, 0].astype(int)
        np.testing.assert_array_equal(sample.query_points_tyx[:, :0:-1], sample.tracks_xy[rows, at])
        assert not sample.occluded[rows, at].any()
        assert sample.judged[rows, at].all()
        tracks = sample.tracks_xy
        inside = ((tracks >= 0) & (tracks < (128, 96))).all(-1)
        # Cut off is hidden, and everything else is seen.
        np.testing.assert_array_equal(sample.occluded, ~inside)
        hidden += (~inside).sum()
        for t, frame in enumerate(sample.video):
            clear = ((tracks[:, t] > 3) & (tracks[:, t] < (125, 93))).all(-1)
            offs = [off_peak(frame, xy) for xy in tracks[clear, t]]
            # A shift by half a pixel of the lesson is 0.25 here or more. The limit is below that.
            assert np.abs(np.array(offs).reshape(-1, 2)).max(initial=0) < 0.2
        step = np.diff(tracks, axis=1).mean()
        reversed_ += step < 0
        mirrored += np.diff(tracks[..., 0], axis=1).mean() < 0
    assert hidden > 50
    assert 0 < reversed_ < 24
    assert 0 < mirrored < 24


def off_peak(frame: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """How far (x, y) is from the top of its dot, by a parabola through three values an axis."""
    at = (xy - 0.5).astype(np.float32)
    offs = []
    for axis in (0, 1):
        step = np.zeros(2, np.float32)
        step[axis] = 2
        places = np.stack((at - step, at, at + step))[:, None]
        low, middle, high = np.log(
            cv2.remap(frame[..., 0] + 1.01, places[..., 0], places[..., 1], cv2.INTER_LINEAR)[:, 0]
        )
        offs.append((low - high) / (low - 2 * middle + high))
    return np.array(offs)


def test_a_sample_is_decided_by_its_index(tmp_path) -> None:
    files = [saved(tmp_path, dotted_lesson(seed=seed), f"{seed}.npz") for seed in range(3)]
    one, other = Lessons(files, 0), Lessons(files, 0)
    first = [one.sample(index, WISH) for index in range(3)]
    for index in (2, 0, 1):
        again = other.sample(index, WISH)
        for name in ("video", "query_points_tyx", "tracks_xy", "occluded", "judged", "name"):
            np.testing.assert_array_equal(getattr(again, name), getattr(first[index], name))
    reseeded = Lessons(files, 1).sample(0, WISH)
    assert (reseeded.video != first[0].video).mean() > 0.01


def test_frames_are_damaged_and_answers_are_not(tmp_path) -> None:
    path = saved(tmp_path, dotted_lesson())
    apart = 0
    for index in range(6):
        clean, damaged = (Lessons([path], 0, damage=d).sample(index, WISH) for d in (0, 2))
        for name in ("query_points_tyx", "tracks_xy", "occluded", "judged"):
            np.testing.assert_array_equal(getattr(clean, name), getattr(damaged, name))
        apart += bool(np.abs(clean.video - damaged.video).max() > 0.02)
    assert apart >= 4


def test_what_is_not_judged_is_neither_asked_nor_judged_in_a_sample(tmp_path) -> None:
    lesson = dotted_lesson()
    judged = lesson.judged.copy()
    judged[:4] = False
    judged[4:, 2] = False
    judged[4] = np.arange(FRAMES) == 1
    source = Lessons([saved(tmp_path, changed(lesson, judged=judged))], 0, damage=0)
    for index in range(8):
        sample = source.sample(index, SampleWish(FRAMES, 12, (256, 256)))
        # Frame 2 is the middle one, turned round or not.
        assert not sample.judged[:, 2].any()
        assert sample.judged[:, [0, 1, 3, 4]].all()
        assert not (sample.query_points_tyx[:, 0] == 2).any()
        # Rows 0 to 4 are of the upper two rows of dots, of which only row 5 is known.
        assert len(np.unique(sample.tracks_xy[:, 0], axis=0)) <= 4


def test_hidden_frames_stay_hidden(tmp_path) -> None:
    lesson = dotted_lesson()
    visible = lesson.visible.copy()
    visible[:, 2] = False
    source = Lessons([saved(tmp_path, changed(lesson, visible=visible))], 0, damage=0)
    sample = source.sample(0, SampleWish(FRAMES, 12, (256, 256)))
    assert sample.occluded[:, 2].all()
    assert sample.judged.all()
    assert not (sample.query_points_tyx[:, 0] == 2).any()


def test_fewer_points_than_are_wanted_are_asked_more_than_once(tmp_path) -> None:
    source = Lessons([saved(tmp_path, dotted_lesson(points=5))], 0)
    assert source.sample(0, SampleWish(2, 30, (64, 64))).tracks_xy.shape == (30, 2, 2)


def test_lessons_without_a_known_point_end_in_an_error(tmp_path) -> None:
    lesson = dotted_lesson()
    nothing = np.zeros_like(lesson.judged)
    source = Lessons([saved(tmp_path, changed(lesson, judged=nothing))], 0)
    with pytest.raises(InputError, match="too little to learn from"):
        source.sample(0, WISH)
