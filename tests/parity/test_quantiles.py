"""A smaller precision is held to its own limits: what passes, and each way to fail."""

from dataclasses import replace

import numpy as np
import pytest

from locoexport.parity.pointwise import TrackArrays
from locoexport.parity.quantiles import (
    PrecisionGroup,
    PrecisionParity,
    PrecisionTolerance,
    compare_precision,
    precision_tolerance,
)

LIMIT = PrecisionTolerance("fp16", p99_px=0.5, flip_share=0.02, origin="a test")


@pytest.fixture
def reference() -> TrackArrays:
    """10 points in 10 frames, all visible but those of the last point."""
    occlusion = np.full((1, 10, 10), -5, np.float32)
    occlusion[:, -1] = 5
    tracks = np.random.default_rng(0).uniform(0, 64, (1, 10, 10, 2)).astype(np.float32)
    return TrackArrays(tracks, occlusion, np.full((1, 10, 10), -5, np.float32))


def judge(reference: TrackArrays, candidate: TrackArrays, **options: bool) -> PrecisionGroup:
    case = compare_precision("a", reference, candidate, (64, 64))
    return PrecisionGroup("all", (case,), LIMIT, **options)


def moved(reference: TrackArrays, count: int, by_px: float) -> TrackArrays:
    """The first ``count`` visible points and frames moved to the right."""
    tracks = reference.tracks_xy.copy()
    tracks.reshape(-1, 2)[:count, 0] += by_px
    return replace(reference, tracks_xy=tracks)


def test_equal_answers_pass(reference: TrackArrays) -> None:
    group = judge(reference, reference)
    assert (group.passed, group.p99_px, group.flips) == (True, 0.0, 0)
    assert (group.visible, group.compared) == (90, 100)


def test_pixels_are_those_of_256(reference: TrackArrays) -> None:
    assert judge(reference, moved(reference, 90, 0.1)).p50_px == pytest.approx(0.4, rel=1e-3)
    assert judge(reference, moved(reference, 90, 0.1)).passed
    assert not judge(reference, moved(reference, 90, 0.2)).passed


def test_what_one_point_in_a_hundred_does_is_shown_and_allowed() -> None:
    said = TrackArrays(
        np.zeros((1, 20, 20, 2), np.float32),
        *(np.full((1, 20, 20), -5, np.float32) for _ in range(2)),
    )
    assert judge(said, moved(said, 3, 50.0)).passed
    assert judge(said, moved(said, 3, 50.0)).max_px == pytest.approx(200)
    assert not judge(said, moved(said, 5, 50.0)).passed


def test_hidden_points_may_move_but_must_be_numbers(reference: TrackArrays) -> None:
    tracks = reference.tracks_xy.copy()
    tracks[:, -1] += 30
    assert judge(reference, replace(reference, tracks_xy=tracks)).passed
    tracks[0, -1, 0, 0] = np.nan
    group = judge(reference, replace(reference, tracks_xy=tracks))
    assert (group.passed, group.unusable) == (False, 1)


@pytest.mark.parametrize("output", ["tracks_xy", "occlusion", "expected_dist"])
@pytest.mark.parametrize("held", [True, False])
def test_no_number_fails_in_every_group(output: str, held: bool, reference: TrackArrays) -> None:
    values = getattr(reference, output).copy()
    values[0, 0, 0] = np.inf
    assert not judge(reference, replace(reference, **{output: values}), held=held).passed


def test_flips_fail(reference: TrackArrays) -> None:
    occlusion = reference.occlusion.copy()
    occlusion[0, 0, :2] = 5
    assert judge(reference, replace(reference, occlusion=occlusion)).passed
    occlusion[0, 0, :3] = 5
    assert not judge(reference, replace(reference, occlusion=occlusion)).passed


def test_another_shape_fails(reference: TrackArrays) -> None:
    other = replace(reference, tracks_xy=reference.tracks_xy[:, :5])
    assert not judge(reference, other).passed
    assert not judge(reference, other, held=False).passed


def test_of_few_points_each_batch_entry_keeps_the_limit_by_its_median() -> None:
    said = TrackArrays(
        np.zeros((2, 3, 4, 2), np.float32), *(np.full((2, 3, 4), -5, np.float32) for _ in range(2))
    )
    assert not judge(said, moved(said, 2, 9)).passed
    assert judge(said, moved(said, 2, 9), held=False).passed
    swapped = moved(said, 12, 9)  # the first entry as a whole
    assert not judge(said, swapped, held=False).passed
    assert not judge(said, replace(said, tracks_xy=swapped.tracks_xy[::-1]), held=False).passed


def test_nothing_visible_proves_nothing(reference: TrackArrays) -> None:
    hidden = replace(reference, occlusion=np.full_like(reference.occlusion, 5))
    assert not judge(hidden, hidden).passed


def test_every_group_has_to_pass_and_one_has_to_be_held(reference: TrackArrays) -> None:
    good, bad = judge(reference, reference), judge(reference, moved(reference, 90, 9))
    runs = replace(good, held=False)
    for groups, passed in (
        ((good, runs), True),
        ((good, bad), False),
        ((runs,), False),
        ((), False),
    ):
        assert PrecisionParity(groups, LIMIT, "cpu", ()).passed is passed


def test_a_files_tolerance_is_its_limit_and_its_own_flips() -> None:
    tolerance = precision_tolerance("int8", 10.0, "the profile", 0.036)
    assert tolerance.p99_px == 10.0
    assert tolerance.flip_share == pytest.approx(0.046)
    assert "3.60% measured on export" in tolerance.origin
