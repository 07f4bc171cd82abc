"""Limits of memory: how they are written, what fits into them, and that they are kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from locoexport.errors import UsageError, VideoError
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.session.single import open_session
from locoexport.runtime.tracking.budget import (
    MemoryLimit,
    MemoryModel,
    Plan,
    check_frames_fit,
    make_plan,
    measure_memory,
    parse_memory,
)
from locoexport.runtime.tracking.run import Tracking
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.windows import WindowSize
from locoexport.runtime.video.sources import open_source

MB = 1e6
NEED = MemoryModel(frame=18 * MB, refine=13 * MB, point=0.17 * MB)


GOOD_SIZES = {
    "1GiB": 1 << 30,
    "800MB": 800_000_000,
    "1.5 gb": 1_500_000_000,
    "4096": 4096,
    "64KiB": 65536,
}
BAD_SIZES = ("2g", "", "GiB", "-1GiB", "nan", "1e400", "0", "1 GiB GiB")


@pytest.mark.parametrize("text", [*GOOD_SIZES, *BAD_SIZES])
def test_sizes_as_people_write_them(text: str) -> None:
    if text in BAD_SIZES:
        with pytest.raises(UsageError, match="Memory is"):
            parse_memory(text)
    else:
        assert parse_memory(text) == GOOD_SIZES[text]


def _model(frames: int | None = None, points: int | None = None):
    return SimpleNamespace(
        resolution_hw=(256, 256),
        fixed_frames=frames,
        fixed_points=points,
        signature=Signature((256, 256), "float32", None, frames, points),
    )


def _plan(free_mb: float, points: int = 1000, model=None, window: int | None = None):
    return make_plan(
        model or _model(), NEED, free_mb * MB, points=points, frame_bytes=100, window=window
    )


@pytest.mark.parametrize("free_mb", [200, 400, 700, 1500, 5000, 50000])
def test_a_plan_fits_and_grows_with_the_memory(free_mb: float) -> None:
    plan = _plan(free_mb)
    frames = plan.size.frames
    assert NEED.run_bytes(frames, plan.points_per_call) + frames * 3 * 786432 <= free_mb * MB
    assert 8 <= frames <= 48
    more = _plan(2 * free_mb)
    assert more.size.frames * more.points_per_call >= frames * plan.points_per_call


def test_few_points_get_long_windows() -> None:
    assert _plan(1500, points=4).size.frames == 48
    assert _plan(1200, points=1000).size.frames < 48
    assert _plan(1200, points=4).size.frames == 48
    assert _plan(1500, window=20).size.frames == 20


def test_fixed_sizes_are_kept_or_refused() -> None:
    plan = _plan(5000, model=_model(frames=24, points=100))
    assert (plan.size.frames, plan.points_per_call) == (24, 100)
    with pytest.raises(UsageError, match=r"Allow at least \d+ MB more"):
        _plan(700, model=_model(frames=24, points=100))


def test_too_little_memory_says_how_much_is_missing(make_model) -> None:
    with pytest.raises(UsageError, match=r"leaves 100 MB .* 8 frames at a time need 192 MB"):
        _plan(100)
    with (
        PointTracker(make_model(), memory="1MB") as tracker,
        pytest.raises(UsageError, match="leaves 0 MB for tracking"),
    ):
        tracker.track(np.zeros((3, 8, 8, 3), np.uint8), [[0, 1, 1]])
    with pytest.raises(UsageError, match="memory is 0"):
        PointTracker(make_model(), memory=0)


def test_measuring_leaves_the_model_as_it_was(make_model) -> None:
    need = measure_memory(open_session(make_model()))
    assert need.frame >= 0
    assert need.run_bytes(4, 10) < 100 * MB
    assert measure_memory(open_session(make_model(frames=3, points=2))).point == 0


def test_a_limit_changes_no_track(make_model, frames_u8: np.ndarray) -> None:
    with PointTracker(make_model()) as free, PointTracker(make_model(), memory="2GiB") as bounded:
        expected = free.track(frames_u8, [[0, 24, 20]])
        found = bounded.track(iter(frames_u8), [[0, 24, 20]])
    assert isinstance(found.xy.base, np.memmap)
    for name in ("xy", "visible", "confidence", "query_points"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_peak_above_the_plan_makes_the_calls_to_come_smaller() -> None:
    limit, plan = MemoryLimit(1000, model_bytes=50), Plan(WindowSize.of(24), 64)
    assert limit.revise(plan, peak_bytes=1000) is plan  # 95 % of the limit, and the model
    smaller = limit.revise(plan, peak_bytes=1001)
    assert (smaller.size, smaller.points_per_call) == (plan.size, 57)
    assert limit.revise(smaller, peak_bytes=1001) is smaller  # the same old peak
    assert limit.revise(smaller, peak_bytes=1002).points_per_call == 51
    assert limit.revise(Plan(plan.size, 1), peak_bytes=1003).points_per_call == 1


def test_calls_become_smaller_in_a_run_and_tracks_stay(
    make_model, frames_u8: np.ndarray, monkeypatch
) -> None:
    model = open_session(make_model())
    run, called = model.run_prepared, []
    monkeypatch.setattr(
        model,
        "run_prepared",
        lambda video, queries, **k: called.append(queries.shape[1]) or run(video, queries, **k),
    )
    points = np.column_stack([np.zeros(20), np.linspace(2, 40, 20), np.linspace(3, 38, 20)])

    def track(limit: MemoryLimit | None) -> tuple[list[int], np.ndarray]:
        called.clear()
        tracking = Tracking(
            model=model,
            source=open_source(np.concatenate([frames_u8] * 4)),
            points=points,
            make_plan=lambda hw, count: Plan(WindowSize.of(3), 10),
            on_disk=lambda points, frames: False,
            watch=Stopwatch(),
            limit=limit,
        )
        xy = tracking.run(None).xy
        return list(called), xy

    free, expected = track(None)
    # This process holds more than that at the first window already.
    bounded, found = track(MemoryLimit(1, model_bytes=0))
    assert set(free) == {10}
    assert (bounded[:2], max(bounded[2:])) == ([10, 10], 9)
    np.testing.assert_array_equal(found, expected)


def test_frames_that_no_memory_holds_are_refused() -> None:
    takes = Signature((256, 256), "float32", None, None, None)
    check_frames_fit(48, (480, 640), takes, 48 * (480 * 640 * 3 + 256 * 256 * 12))
    with pytest.raises(VideoError, match=r"48 frames of 8000x5000 .* 5\.8 GB; .* 4\.0 GB free"):
        check_frames_fit(48, (5000, 8000), takes, 4_000_000_000)
    takes = Signature((4096, 4096), "float32", None, None, None)
    with pytest.raises(VideoError, match=r"48 frames of 10x10 .* 9\.7 GB"):
        check_frames_fit(48, (10, 10), takes, 4_000_000_000)
