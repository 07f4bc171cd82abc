"""What is taken of a teacher's answers: the truth and the teacher's faults are known here."""

from collections.abc import Callable

import numpy as np
import pytest

from locoexport.runtime.session.single import RawTracks
from locoexport.training.data.taught.teacher import BACK_WITHIN_PX, teach

FRAMES, POINTS = 8, 40
STEP_XY = np.array([2.0, -1.0])
BLANK = np.zeros((FRAMES, 256, 256, 3), np.uint8)

Fault = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], None]


class KnownTeacher:
    """Everything moves by ``STEP_XY`` a frame, and is seen within the frame; ``fault`` changes
    tracks, occlusion and expected_dist in place, given the frames that were asked.

    ``calls`` keeps the questions.
    """

    name = "known"

    def __init__(self, fault: Fault | None = None) -> None:
        self._fault = fault
        self.calls: list[np.ndarray] = []

    def track(self, frames_rgb: np.ndarray, query_points_tyx: np.ndarray) -> RawTracks:
        self.calls.append(query_points_tyx.copy())
        queries = query_points_tyx[0].astype(float)
        steps = np.arange(len(frames_rgb)) - queries[:, :1]
        tracks = queries[:, None, :0:-1] + steps[..., None] * STEP_XY
        inside = ((tracks >= 0) & (tracks < 256)).all(-1)
        occlusion, unsure = np.where(inside, -9.0, 9.0), np.full(inside.shape, -9.0)
        if self._fault is not None:
            self._fault(tracks, occlusion, unsure, queries[:, 0].astype(int))
        return RawTracks(*(a[None].astype(np.float32) for a in (tracks, occlusion, unsure)))


def learn(fault: Fault | None = None, seed: int = 0):
    return teach(KnownTeacher(fault), BLANK, POINTS, np.random.default_rng(seed))


def true_steps(tracks: np.ndarray) -> np.ndarray:
    """Whether a track goes on as everything does, between each two frames."""
    return np.abs(np.diff(tracks, axis=1) - STEP_XY).max(-1) < 1e-3


def test_what_a_sound_teacher_says_is_judged_wherever_it_sees() -> None:
    lesson = learn()
    assert lesson.frames_rgb is BLANK
    assert lesson.tracks_xy.shape == (POINTS, FRAMES, 2)
    assert lesson.tracks_xy.dtype == np.float32
    assert lesson.visible.dtype == lesson.judged.dtype == np.bool_
    np.testing.assert_array_equal(lesson.visible, lesson.judged)
    assert true_steps(lesson.tracks_xy).all()
    # Most points stay in the frame; those that leave it are judged as long as they are seen.
    whole = lesson.judged.all(1)
    assert 0.8 < whole.mean() < 1
    inside = ((lesson.tracks_xy >= 0) & (lesson.tracks_xy < 256)).all(-1)
    np.testing.assert_array_equal(lesson.judged, inside & (lesson.judged.sum(1) > 0)[:, None])


def test_three_calls_from_where_points_are_and_from_both_ends() -> None:
    teacher = KnownTeacher()
    lesson = teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    asked, last, first = (call[0] for call in teacher.calls)
    rows = np.arange(POINTS)
    assert len(np.unique(asked[:, 0])) > 3
    for call, side in ((asked, None), (last, -1), (first, 0)):
        at = call[:, 0].astype(int)
        np.testing.assert_allclose(call[:, :0:-1], lesson.tracks_xy[rows, at], atol=1e-4)
        seen = [np.flatnonzero(row) for row in lesson.visible]
        if side is not None:
            np.testing.assert_array_equal(at, [each[side] for each in seen])


def test_points_that_drift_are_not_judged() -> None:
    """Even rows drift: there by 1 px a frame away from the question, and back by as much again."""

    def drift(tracks, occlusion, unsure, at):
        tracks[::2, :, 1] += np.abs(np.arange(FRAMES) - at[::2, None])

    lesson = learn(drift)
    rows = np.arange(POINTS)
    teacher = KnownTeacher(drift)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    # From a frame away there and back misses by 2 px, from none it misses nothing.
    assert not lesson.judged[::2].any()
    assert lesson.judged[1::2].mean() > 0.8
    assert lesson.visible[rows, at].all()


def test_the_span_on_the_side_that_leads_back_is_judged_alone() -> None:
    """After frame 4 every track is lost: what is there leads back to elsewhere."""

    def lose(tracks, occlusion, unsure, at):
        forwards = at <= 4
        tracks[forwards, 5:] += 30
        tracks[~forwards, :5] += 30

    lesson = learn(lose)
    teacher = KnownTeacher(lose)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    early, late = at <= 4, at > 4
    assert not lesson.judged[early, 5:].any()
    assert not lesson.judged[late, :5].any()
    assert lesson.judged[early & (at > 0), 0].mean() > 0.7
    assert lesson.judged[late & (at < 7), -1].mean() > 0.7
    judged_steps = lesson.judged[:, 1:] & lesson.judged[:, :-1]
    assert true_steps(lesson.tracks_xy)[judged_steps].all()


def test_a_detour_within_a_span_is_not_judged() -> None:
    """In frame 3 each way is somewhere else, though both ends meet."""

    def stray(tracks, occlusion, unsure, at):
        away = (at != 3) * np.where(at < 3, 9, -9)
        tracks[:, 3] += away[:, None]

    lesson = learn(stray)
    teacher = KnownTeacher(stray)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    assert not lesson.judged[at != 3, 3].any()
    # Beyond the detour as before it.
    assert lesson.judged[at < 3, 5].mean() > 0.7
    assert lesson.judged[at > 3, 1].mean() > 0.7


def test_both_ways_have_to_call_a_point_hidden() -> None:
    """Hidden in frames 3 and 4; in frame 4 by those alone that were asked before it."""

    def hide(tracks, occlusion, unsure, at):
        occlusion[:, 3] = 9
        occlusion[at < 4, 4] = 9
        rows = np.flatnonzero(at == 3)
        occlusion[rows, 3] = -9

    lesson = learn(hide)
    teacher = KnownTeacher(hide)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    early = at < 3
    assert early.sum() > 8
    assert not lesson.visible[early, 3:5].any()
    assert lesson.judged[early, 3].mean() > 0.7
    assert not lesson.judged[early, 4].any()
    assert lesson.judged[early, 5].mean() > 0.7


def test_a_teacher_that_is_unsure_hides_nothing() -> None:
    """A place that it does not trust is neither seen nor hidden."""

    def doubt(tracks, occlusion, unsure, at):
        for row, own in enumerate(at):
            unsure[row, [t for t in (3, 4) if t != own]] = 9

    lesson = learn(doubt)
    teacher = KnownTeacher(doubt)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    away = ~np.isin(at, (3, 4))
    assert not lesson.judged[away, 3:5].any()
    assert lesson.judged[away & (at < 3), 6].mean() > 0.7


def test_what_was_lost_for_good_is_not_called_hidden() -> None:
    def lose(tracks, occlusion, unsure, at):
        occlusion[at <= 5, 6:] = 9

    lesson = learn(lose)
    teacher = KnownTeacher(lose)
    teach(teacher, BLANK, POINTS, np.random.default_rng(0))
    at = teacher.calls[0][0, :, 0].astype(int)
    assert (at <= 5).sum() > 20
    assert not lesson.judged[at <= 5, 6:].any()
    assert lesson.judged[at <= 5, :6].mean() > 0.7


def test_a_point_that_is_known_in_its_own_frame_alone_is_dropped() -> None:
    def blind(tracks, occlusion, unsure, at):
        occlusion[np.arange(FRAMES) != at[:, None]] = 9

    assert not learn(blind).judged.any()
    assert learn(blind).kept_share == 0


@pytest.mark.parametrize("nonsense", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_not_judged(nonsense) -> None:
    def fail(tracks, occlusion, unsure, at):
        tracks[:10] = nonsense
        occlusion[10:20] = np.nan

    lesson = learn(fail)
    assert np.isfinite(lesson.tracks_xy).all()
    assert not lesson.judged[:20].any()
    assert lesson.judged[20:].mean() > 0.8


def test_the_limit_is_that_of_the_docstring() -> None:
    """There and back miss by twice what one way drifts in all."""

    def drift_by(px: float) -> Fault:
        def drift(tracks, occlusion, unsure, at):
            tracks[..., 0] += px * (np.arange(FRAMES) != at[:, None])

        return drift

    assert learn(drift_by(0.45 * BACK_WITHIN_PX)).judged.mean() > 0.8
    assert learn(drift_by(0.55 * BACK_WITHIN_PX)).judged.mean() == 0
