"""Inputs of the parity check: deterministic, in range, and awkward where they should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.parity.probes import make_probe, noise_video, probe_queries, textured_video

HEIGHT, WIDTH = SIZE_HW = (32, 48)


@pytest.mark.parametrize("kind", ["textured", "noise"])
def test_a_probe_has_the_shape_asked_for_and_is_deterministic(kind: str) -> None:
    options = {"batch": 2, "frames": 3, "points": 5, "size_hw": SIZE_HW}
    probe = make_probe(kind, **options, seed=0)
    again = make_probe(kind, **options, seed=0)
    other = make_probe(kind, **options, seed=7)
    assert (probe.name, probe.kind) == (f"{kind} 2x3x5", kind)
    assert (probe.video.shape, probe.video.dtype) == ((2, 3, HEIGHT, WIDTH, 3), np.float32)
    assert (probe.query_points_tyx.shape, probe.query_points_tyx.dtype) == ((2, 5, 3), np.float32)
    np.testing.assert_array_equal(probe.video, again.video)
    np.testing.assert_array_equal(probe.query_points_tyx, again.query_points_tyx)
    assert not np.array_equal(probe.video, other.video)
    assert not np.array_equal(probe.query_points_tyx, other.query_points_tyx)
    # The elements of a batch differ, or a mixed-up batch axis would not show.
    assert not np.array_equal(probe.video[0], probe.video[1])
    assert not np.array_equal(probe.query_points_tyx[0], probe.query_points_tyx[1])


@pytest.mark.parametrize("make", [textured_video, noise_video])
def test_videos_fill_the_range(make) -> None:
    video = make(2, SIZE_HW, 0)
    assert np.abs(video).max() <= 1
    assert video.std() > 0.2


def test_the_texture_moves_by_the_same_step_every_frame() -> None:
    """2.3 px right and 1.1 px up a frame: after ten frames 23 right and 11 up, exactly."""
    video = textured_video(11, (64, 96), 0)
    np.testing.assert_allclose(video[10, :-11, 23:], video[0, 11:, :-23], atol=1e-5)
    assert np.abs(video[1] - video[0]).mean() > 0.02


def test_noise_differs_in_every_value() -> None:
    video = noise_video(2, SIZE_HW, 0)
    assert len(np.unique(video)) > 0.99 * video.size


@given(points=st.integers(1, 60), frames=st.integers(1, 30), seed=st.integers(0, 40))
def test_queries_are_on_frames_that_exist(points: int, frames: int, seed: int) -> None:
    queries = probe_queries(points, frames, SIZE_HW, seed)
    assert queries.shape == (points, 3)
    assert np.isfinite(queries).all()
    assert (queries[:, 0] >= 0).all()
    assert (queries[:, 0] <= frames - 1).all()


@given(seed=st.integers(0, 40))
def test_forty_queries_hold_every_awkward_kind(seed: int) -> None:
    t, y, x = probe_queries(40, 8, SIZE_HW, seed).T
    corners = {(float(a), float(b)) for a, b in zip(y, x, strict=True)}
    assert {(0, 0), (HEIGHT, WIDTH), (0, WIDTH), (HEIGHT, 0)} <= corners
    assert (t % 1 == 0.5).any()
    assert ((t % 1 > 0) & (t % 1 < 0.5)).any()
    assert {0.0, 7.0} <= set(t.tolist())
    # Beyond a sixth of the frame on every side: 43 px of 256.
    assert y.min() <= -HEIGHT / 6
    assert x.min() <= -WIDTH / 6
    assert (y - HEIGHT).max() >= HEIGHT / 6 - 1e-4
    assert (x - WIDTH).max() >= WIDTH / 6 - 1e-4


def test_single_queries_of_other_seeds_begin_elsewhere() -> None:
    firsts = {tuple(probe_queries(1, 8, SIZE_HW, seed)[0].tolist()) for seed in range(16)}
    assert len(firsts) == 16
