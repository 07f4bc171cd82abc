"""The loss against the fork's own numbers, and what must not enter it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from locoexport.training.loss import StateLoss, TrackingLoss, score_state

GOLDEN = Path(__file__).parent / "goldens" / "loss.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def score(golden, state: int, **changed) -> StateLoss:
    given = {
        "tracks_xy": torch.from_numpy(golden["tracks"][state]),
        "occlusion": torch.from_numpy(golden["occlusion"][state]),
        "expected_dist": torch.from_numpy(golden["expected_dist"][state]),
        "true_tracks_xy": torch.from_numpy(golden["target_points"]),
        "occluded": torch.from_numpy(golden["occluded"]),
        "judged": torch.ones(golden["occluded"].shape, dtype=torch.bool),
        "video_hw": tuple(int(side) for side in golden["video_hw"]),
    }
    return score_state(**(given | changed))


@pytest.mark.parametrize("state", range(5))
def test_every_part_is_the_fork_s(golden, state) -> None:
    suffix = "" if state == 4 else f"_{state}"
    found = score(golden, state)
    # float32 sums of 70 terms; measured apart: at most 1e-7.
    assert found.position.item() == pytest.approx(
        float(golden[f"part_position_loss{suffix}"]), rel=1e-6
    )
    assert found.occlusion.item() == pytest.approx(
        float(golden[f"part_occlusion_loss{suffix}"]), rel=1e-6
    )
    assert found.uncertainty.item() == pytest.approx(
        float(golden[f"part_prob_loss{suffix}"]), rel=1e-6
    )


def test_the_whole_is_the_fork_s(golden) -> None:
    whole = TrackingLoss(tuple(score(golden, state) for state in range(5))).total
    assert whole.item() == pytest.approx(float(golden["loss"]), abs=1e-6 * 13.4)


def test_answers_that_are_not_judged_change_nothing(golden) -> None:
    judged = torch.ones(golden["occluded"].shape, dtype=torch.bool)
    judged[0, 0, :3] = False
    truth = torch.from_numpy(golden["target_points"].copy())
    before = score(golden, 4, judged=judged, true_tracks_xy=truth).total
    truth[0, 0, :3] = float("nan")
    after = score(golden, 4, judged=judged, true_tracks_xy=truth).total
    assert before == after


def test_a_hidden_point_s_position_moves_nothing(golden) -> None:
    tracks = torch.from_numpy(golden["tracks"][4].copy()).requires_grad_()
    loss = score(golden, 4, tracks_xy=tracks)
    loss.total.backward()
    moved = tracks.grad.abs().sum(-1) > 0
    assert not moved[torch.from_numpy(golden["occluded"])].any()
    assert moved.any()
