"""The comparison itself: it fails where it must, and counts apart what it may."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.contract.profile import Tolerance
from locoexport.parity.pointwise import (
    NOISE_FACTOR,
    PEAK_NOISE,
    CaseParity,
    Conditioning,
    OutputParity,
    TrackArrays,
    compare_case,
    summarise,
)

TOLERANCE = Tolerance(tracks_px=0.01, logits=0.02, origin="test")
SHAPE = (2, 5, 4)  # batch, points, frames
CLEAR = 1.0
"""A peak gap that is no tie."""


def make_outputs(shape: tuple[int, int, int] = SHAPE) -> TrackArrays:
    random = np.random.default_rng(0)
    tracks = random.uniform(0, 256, (*shape, 2)).astype(np.float32)
    # Away from 0, so that no small change flips visibility.
    logits = random.choice([-5.0, 5.0], (2, *shape)).astype(np.float32)
    return TrackArrays(tracks, logits[0], logits[1])


def make_conditioning(gap: float = CLEAR, px: float = 0.0, logits: float = 0.0) -> Conditioning:
    return Conditioning(
        np.full(SHAPE, gap, np.float32),
        np.full(SHAPE[:2], px, np.float32),
        np.full(SHAPE[:2], logits, np.float32),
    )


def changed(output: str, where: tuple[int, ...], by: float) -> TrackArrays:
    """``make_outputs()`` with one number moved."""
    arrays = make_outputs()
    moved = getattr(arrays, output).copy()
    moved[where] += np.float32(by)
    return replace(arrays, **{output: moved})


def compare(
    candidate: TrackArrays, conditioning: Conditioning | None = None, **tolerance: float
) -> CaseParity:
    return compare_case(
        "case",
        make_outputs(),
        candidate,
        conditioning or make_conditioning(),
        replace(TOLERANCE, **tolerance),
    )


def output_of(case: CaseParity, name: str) -> OutputParity:
    (found,) = (output for output in case.outputs if output.output == name)
    return found


def test_equal_outputs_pass_with_zero_error() -> None:
    case = compare(make_outputs())
    assert case.passed
    assert (case.batch, case.points, case.frames) == SHAPE
    assert [(o.output, o.unit) for o in case.outputs] == [
        ("tracks", "px"),
        ("occlusion", "logit"),
        ("expected_dist", "logit"),
    ]
    assert all((o.worst, o.p99, o.beyond_tolerance) == (0.0, 0.0, 0) for o in case.outputs)
    assert (case.visibility_flips, case.tied_points, case.unstable_points) == (0, 0, 0)
    assert case.suspect_points == ()


@pytest.mark.parametrize(
    ("array", "output", "where", "tolerance"),
    [
        ("tracks_xy", "tracks", (1, 3, 2, 0), 0.01),
        ("tracks_xy", "tracks", (0, 4, 0, 1), 0.01),
        ("occlusion", "occlusion", (1, 0, 3), 0.02),
        ("expected_dist", "expected_dist", (0, 2, 1), 0.02),
    ],
)
def test_one_number_beyond_tolerance_fails_and_is_located(
    array: str, output: str, where: tuple[int, ...], tolerance: float
) -> None:
    candidate = changed(array, where, 1.5)
    case = compare(candidate)
    found = output_of(case, output)
    assert not case.passed
    assert found.worst_index == where[:3]
    assert found.worst == pytest.approx(1.5, abs=1e-4)
    assert found.expected == pytest.approx(float(getattr(make_outputs(), array)[where]))
    assert found.found == pytest.approx(float(getattr(candidate, array)[where]))
    assert (found.beyond_tolerance, found.tolerance) == (1, tolerance)
    assert [o.passed for o in case.outputs].count(False) == 1
    assert case.suspect_points == (where[1],)


def test_the_values_shown_are_of_the_coordinate_that_is_further_off() -> None:
    arrays = make_outputs()
    moved = arrays.tracks_xy.copy()
    moved[0, 1, 2] += (0.5, -2.0)
    found = output_of(compare(replace(arrays, tracks_xy=moved)), "tracks")
    assert found.worst == pytest.approx(2.0, abs=1e-4)
    assert found.expected == pytest.approx(float(arrays.tracks_xy[0, 1, 2, 1]))
    assert found.found == pytest.approx(float(moved[0, 1, 2, 1]))


@pytest.mark.parametrize("array", ["tracks_xy", "occlusion", "expected_dist"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_fails(array: str, value: float) -> None:
    case = compare(changed(array, (0, 1, 2), value), make_conditioning(px=1e9, logits=1e9))
    found = output_of(case, array.removesuffix("_xy"))
    assert not case.passed
    assert (found.worst, found.p99) == (math.inf, math.inf)
    assert found.worst_index == (0, 1, 2)


def test_nan_everywhere_fails() -> None:
    nothing = TrackArrays(*(np.full_like(a, np.nan) for a in vars(make_outputs()).values()))
    case = compare(nothing)
    assert [output.passed for output in case.outputs] == [False, False, False]
    assert output_of(case, "tracks").beyond_tolerance == math.prod(SHAPE)


@pytest.mark.parametrize(
    "shape",
    [
        (2, 5, 3),
        (2, 6, 4),
        (1, 5, 4),
    ],
)
def test_another_shape_fails(shape: tuple[int, int, int]) -> None:
    case = compare(make_outputs(shape))
    assert [output.worst for output in case.outputs] == [math.inf] * 3
    assert not case.passed


@pytest.mark.parametrize(
    "array",
    [
        "tracks_xy",
        "occlusion",
        "expected_dist",
    ],
)
def test_one_output_of_another_shape_fails(array: str) -> None:
    arrays = make_outputs()
    case = compare(replace(arrays, **{array: getattr(arrays, array)[:, :-1]}))
    found = output_of(case, array.removesuffix("_xy"))
    assert found.worst == math.inf
    assert math.isnan(found.found)
    assert [output.passed for output in case.outputs].count(False) == 1


def test_p99_leaves_out_the_worst_hundredth() -> None:
    shape = (1, 10, 20)  # 200 numbers: the two largest are beyond the 99th percentile
    reference = TrackArrays(np.zeros((*shape, 2), np.float32), *np.zeros((2, *shape), np.float32))
    ramp = np.arange(200, dtype=np.float32).reshape(shape)
    case = compare_case(
        "ramp",
        reference,
        replace(reference, occlusion=ramp),
        Conditioning.unmeasured(np.full(shape, CLEAR, np.float32)),
        TOLERANCE,
    )
    found = output_of(case, "occlusion")
    assert (found.worst, found.p99) == (199.0, 198.0)
    assert found.beyond_tolerance == 199


def test_visibility_flips_are_counted() -> None:
    arrays = make_outputs()
    occlusion = np.full(SHAPE, -5.0, np.float32)
    visible = replace(arrays, occlusion=occlusion, expected_dist=occlusion)
    hidden = occlusion.copy()
    hidden[0, 0, :3] = 5.0
    hidden[1, 2, 0] = -4.0  # moved, and still visible
    case = compare_case(
        "flips", visible, replace(visible, occlusion=hidden), make_conditioning(), TOLERANCE
    )
    assert case.visibility_flips == 3


@given(error=st.floats(0, 0.05))
def test_the_tolerance_itself_is_allowed_and_no_more(error: float) -> None:
    reference = TrackArrays(*(np.zeros_like(a) for a in vars(make_outputs()).values()))
    moved = np.zeros_like(reference.tracks_xy)
    moved[0, 0, 0, 0] = error
    case = compare_case(
        "edge",
        reference,
        replace(reference, tracks_xy=moved),
        make_conditioning(),
        replace(TOLERANCE, tracks_px=float(np.float32(0.025))),
    )
    assert case.passed == (np.float32(error) <= np.float32(0.025))


def test_a_tie_is_counted_apart() -> None:
    gap = np.full(SHAPE, CLEAR, np.float32)
    gap[1, 3, 2] = PEAK_NOISE / 2
    case = compare(changed("tracks_xy", (1, 3, 0, 0), 40.0), Conditioning.unmeasured(gap))
    assert case.passed
    assert (case.tied_points, case.unstable_points) == (1, 0)
    assert case.worst_apart_px == pytest.approx(40.0, abs=1e-3)
    assert output_of(case, "tracks").worst == 0.0
    assert case.suspect_points == ()


def test_a_tie_of_another_point_excuses_nothing() -> None:
    gap = np.full(SHAPE, CLEAR, np.float32)
    gap[1, 2] = 0.0
    gap[0, 3] = 0.0
    case = compare(changed("tracks_xy", (1, 3, 0, 0), 40.0), Conditioning.unmeasured(gap))
    assert not case.passed
    assert case.tied_points == 0


def test_a_gap_of_the_noise_itself_is_no_tie() -> None:
    case = compare(
        changed("tracks_xy", (0, 0, 0, 0), 1.0), make_conditioning(gap=PEAK_NOISE * 1.01)
    )
    assert (case.passed, case.tied_points) == (False, 0)


def test_a_tie_within_tolerance_is_not_counted() -> None:
    case = compare(changed("tracks_xy", (0, 0, 0, 0), 0.005), make_conditioning(gap=0.0))
    assert (case.passed, case.tied_points) == (True, 0)
    assert output_of(case, "tracks").worst == pytest.approx(0.005, abs=1e-4)


@pytest.mark.parametrize("array", ["tracks_xy", "occlusion"])
def test_a_tie_does_not_excuse_nan(array: str) -> None:
    case = compare(changed(array, (0, 0, 0), math.nan), make_conditioning(gap=0.0))
    assert (case.passed, case.tied_points) == (False, 0)
    assert case.suspect_points == ()


@pytest.mark.parametrize(
    ("array", "noise", "passes"),
    [
        ("tracks_xy", {"px": 0.1 / NOISE_FACTOR * 1.01}, True),
        ("tracks_xy", {"px": 0.1 / NOISE_FACTOR * 0.99}, False),
        ("tracks_xy", {"logits": 9.0}, False),
        ("occlusion", {"logits": 0.1 / NOISE_FACTOR * 1.01}, True),
        ("occlusion", {"logits": 0.1 / NOISE_FACTOR * 0.99}, False),
        ("expected_dist", {"px": 9.0}, False),
    ],
)
def test_an_unstable_point_is_excused_within_its_noise_only(
    array: str, noise: dict[str, float], passes: bool
) -> None:
    case = compare(changed(array, (1, 2, 3), 0.1), make_conditioning(**noise))
    assert case.passed == passes
    assert (case.tied_points, case.unstable_points) == (0, int(passes))
    assert case.suspect_points == (2,)
    assert output_of(case, array.removesuffix("_xy")).beyond_tolerance == int(not passes)


def test_noise_of_another_point_excuses_nothing() -> None:
    conditioning = make_conditioning()
    conditioning.noise_px[1, 3] = 9.0
    conditioning.noise_px[0, 2] = 9.0
    assert not compare(changed("tracks_xy", (1, 2, 3, 0), 0.1), conditioning).passed


def test_noise_of_nan_excuses_nothing() -> None:
    case = compare(
        changed("tracks_xy", (1, 2, 3, 0), 0.1), make_conditioning(px=math.nan, logits=math.nan)
    )
    assert not case.passed


def test_the_report_is_the_worst_of_its_cases() -> None:
    cases = [
        compare(changed("tracks_xy", (0, 0, 0, 0), 0.004)),
        compare(changed("occlusion", (0, 0, 0), 0.015)),
        compare(changed("expected_dist", (0, 0, 0), 0.005)),
    ]
    report = summarise(cases, TOLERANCE, "cpu", (("cpu", 3),))
    assert report.passed
    assert report.worst_px == pytest.approx(0.004, abs=1e-4)
    assert report.worst_logit == pytest.approx(0.015, abs=1e-4)
    assert report.shapes == ((2, 4, 5),)
    failed = compare(changed("occlusion", (0, 0, 0), 1.0))
    assert not summarise([*cases, failed], TOLERANCE, "cpu", ()).passed


def test_no_case_at_all_is_no_proof() -> None:
    report = summarise([], TOLERANCE, "cpu", ())
    assert not report.passed
    assert (report.worst_px, report.worst_logit, report.shapes) == (0.0, 0.0, ())


def test_too_many_points_apart_prove_nothing() -> None:
    reference = make_outputs()
    off = replace(reference, tracks_xy=reference.tracks_xy + 1)
    tied = compare_case("tied", reference, off, make_conditioning(gap=0.0), TOLERANCE)
    fine = compare_case("fine", reference, reference, make_conditioning(), TOLERANCE)
    assert tied.passed
    assert not summarise([tied], TOLERANCE, "cpu", ()).passed
    assert not summarise([tied, fine], TOLERANCE, "cpu", ()).passed
    enough = summarise([tied, fine, fine], TOLERANCE, "cpu", ())
    assert enough.conclusive
    assert enough.passed
    assert enough.worst_apart_px == pytest.approx(1, abs=1e-4)
