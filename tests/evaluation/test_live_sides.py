"""A live export and the loop in PyTorch on one clip: answered as it comes, and nothing before."""

import numpy as np
import pytest
from exported import export_once

from locoexport.contract.profile import load_profile
from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.live_sides import LiveSide, LiveTorchSide
from locoexport.network.loading import load_network
from locoexport.runtime.live.tracker import LiveTracker

pytestmark = pytest.mark.slow
FRAMES, WINDOW = 6, 3
PROFILE = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
QUERIES = np.array(
    [[[0, 100.5, 60.25], [3, 128, 128], [3, 40, 200.5], [FRAMES - 1, 90, 90]]], np.float32
)


@pytest.fixture(scope="module")
def side():
    with LiveTracker(export_once(PROFILE, live="open"), window=WINDOW, threads=1) as tracker:
        yield LiveSide(tracker)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return make_sequence(0, SyntheticSettings(frames=FRAMES)).video


def test_it_answers_as_the_loop_in_pytorch(side: LiveSide, frames: np.ndarray) -> None:
    ours = side.track(frames, QUERIES)
    torch = LiveTorchSide(load_network(PROFILE, None).model, WINDOW).track(frames, QUERIES)
    assert ours.tracks_xy.shape == torch.tracks_xy.shape == (1, 4, FRAMES, 2)
    # In pixels of 256x256, four times those of the model's 64x64.
    np.testing.assert_allclose(ours.tracks_xy, torch.tracks_xy, atol=4 * 4e-3)
    seen, _ = visible_from_logits(ours.occlusion, ours.expected_dist)
    expected, confidence = visible_from_logits(torch.occlusion, torch.expected_dist)
    sure = np.abs(confidence - 0.5) > 1e-3
    assert (seen == expected)[sure].all()
    assert sure.mean() > 0.9


def test_no_answer_before_it_is_asked(side: LiveSide, frames: np.ndarray) -> None:
    found = side.track(frames, QUERIES)
    seen, _ = visible_from_logits(found.occlusion, found.expected_dist)
    for point, (t, y, x) in enumerate(QUERIES[0]):
        asked = int(t)
        assert not seen[0, point, :asked].any()
        assert seen[0, point, asked]
        np.testing.assert_array_equal(
            found.tracks_xy[0, point, : asked + 1], [[x, y]] * (asked + 1)
        )


def test_the_future_changes_nothing(side: LiveSide, frames: np.ndarray) -> None:
    other = frames.copy()
    other[4:] = 255 - other[4:]
    found, changed = side.track(frames, QUERIES), side.track(other, QUERIES)
    np.testing.assert_array_equal(found.tracks_xy[:, :, :4], changed.tracks_xy[:, :, :4])
    assert np.abs(found.tracks_xy - changed.tracks_xy)[0, 0, 4:].max() > 0


def test_frames_of_another_size_are_answered_at_256(side: LiveSide, frames: np.ndarray) -> None:
    halved = np.ascontiguousarray(frames[:, ::2, ::2])
    whole, small = side.track(frames, QUERIES), side.track(halved, QUERIES)
    near = np.linalg.norm(whole.tracks_xy - small.tracks_xy, axis=-1)[0, 0]
    assert near.max() < 8
