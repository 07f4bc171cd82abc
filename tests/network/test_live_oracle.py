"""The loop that live exports are judged by."""

import numpy as np
import pytest
from exported import live_profile
from moving_square import square_at, square_frames

from locoexport.models.locotrack import LocoTrack
from locoexport.network.live_oracle import measure_live_noise, run_live_reference
from locoexport.network.loading import load_network
from locoexport.runtime.video.frames import to_model_input

VIDEO = to_model_input(square_frames(6), (64, 64))
QUERIES = np.array([[[0, 14, 14], [2, 20, 20]]], np.float32)


@pytest.fixture(scope="module")
def model() -> LocoTrack:
    return load_network(live_profile(), None).model


def test_points_are_where_the_square_is(model: LocoTrack) -> None:
    answer = run_live_reference(model, VIDEO, QUERIES, window=4)
    assert answer.tracks_xy.shape == (1, 2, 6, 2)
    assert answer.occlusion.shape == answer.expected_dist.shape == (1, 2, 6)
    for point, (asked, *yx) in enumerate(QUERIES[0]):
        for index in range(int(asked), 6):
            moved = np.array(yx) + np.array(square_at(index)) - np.array(square_at(int(asked)))
            assert np.abs(answer.tracks_xy[0, point, index] - moved[::-1]).max() < 1.5


def test_no_frame_knows_what_comes_after_it(model: LocoTrack) -> None:
    whole = run_live_reference(model, VIDEO, QUERIES, window=4)
    begun = run_live_reference(model, VIDEO[:, :4], QUERIES, window=4)
    assert np.abs(whole.tracks_xy[:, :, :4] - begun.tracks_xy).max() < 1e-3


def test_noise_is_measured_at_the_points_asked_for_alone(model: LocoTrack) -> None:
    reference = run_live_reference(model, VIDEO[:, :2], QUERIES[:, :1].repeat(2, 1), window=2)
    noise = measure_live_noise(model, VIDEO[:, :2], QUERIES[:, :1].repeat(2, 1), 2, reference, [1])
    assert noise.noise_px[0, 0] == 0 < noise.noise_px[0, 1] < 0.1
