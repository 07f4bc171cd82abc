"""How wrong tracks are: TAPIR's loss, summed over the initial state and every refined one.

Doersch et al., arXiv 2306.08637, section 3.3, with the weights of cvlab-kaist/locotrack
(``tapir_loss``); formulas and a golden are in the project's spec/training.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from locoexport.models.locotrack import TrackingResult
from locoexport.training.data.samples import TrainingBatch

__all__ = ["StateLoss", "TrackingLoss", "score_rounding", "score_state", "score_tracking"]

_SCORED = 256
"""Pixels a side of the frame that distances are measured in, whatever the video's size."""
_POSITION_WEIGHT = 0.05
_LINEAR_FROM_PX = 4.0
_UNCERTAIN_FROM_PX = 6.0
_SMALLEST_SQUARE = 1e-12


@dataclass(frozen=True)
class StateLoss:
    """The parts of one state's loss, each a mean over all entries, hidden ones too.

    ``position`` is the Huber loss of visible points in pixels, times 0.05; ``occlusion`` the
    cross-entropy of being hidden; ``uncertainty`` that of being more than 6 px off, of visible
    points.
    """

    position: Tensor
    occlusion: Tensor
    uncertainty: Tensor

    @property
    def total(self) -> Tensor:
        """All three, equally weighted."""
        return self.position + self.occlusion + self.uncertainty


@dataclass(frozen=True)
class TrackingLoss:
    """The loss of one forward pass: the initial state, then each refined one."""

    states: tuple[StateLoss, ...]

    @property
    def total(self) -> Tensor:
        """What is minimised: a scalar."""
        return torch.stack([state.total for state in self.states]).sum()

    def detached(self) -> TrackingLoss:
        """The same numbers, which hold no graph."""
        return TrackingLoss(
            tuple(
                StateLoss(
                    state.position.detach(), state.occlusion.detach(), state.uncertainty.detach()
                )
                for state in self.states
            )
        )


def score_tracking(result: TrackingResult, batch: TrainingBatch) -> TrackingLoss:
    """The loss of everything a forward pass said of ``batch``."""
    video_hw = (batch.video.shape[2], batch.video.shape[3])
    states = zip(
        (*result.unrefined_tracks, result.tracks),
        (*result.unrefined_occlusion, result.occlusion),
        (*result.unrefined_expected_dist, result.expected_dist),
        strict=True,
    )
    return TrackingLoss(
        tuple(
            score_state(*state, batch.tracks_xy, batch.occluded, batch.judged, video_hw)
            for state in states
        )
    )


def score_rounding(rounded: TrackingResult, exact: TrackingResult, batch: TrainingBatch) -> Tensor:
    """How far rounding moves visible points, in pixels of 256×256: the mean over refined states.

    Gradients flow through both, so that it is the sensitivity to rounding that falls: with one of
    them fixed, all that would be learned is this rounding's own noise.
    """
    to_scored = _to_scored(batch.video, (batch.video.shape[2], batch.video.shape[3]))
    visible = batch.judged & ~batch.occluded
    moved = [
        ((one - other) * to_scored).square().sum(-1)
        for one, other in zip(
            (*rounded.unrefined_tracks[1:], rounded.tracks),
            (*exact.unrefined_tracks[1:], exact.tracks),
            strict=True,
        )
    ]
    distance_px = (torch.stack(moved) + _SMALLEST_SQUARE).sqrt()
    return (visible * distance_px.clamp(max=_LINEAR_FROM_PX)).mean()


def score_state(
    tracks_xy: Tensor,
    occlusion: Tensor,
    expected_dist: Tensor,
    true_tracks_xy: Tensor,
    occluded: Tensor,
    judged: Tensor,
    video_hw: tuple[int, int],
) -> StateLoss:
    """The loss of one state.

    Args:
        tracks_xy: (B, N, T, 2) in pixels of the video.
        occlusion: (B, N, T) logits.
        expected_dist: (B, N, T) logits.
        true_tracks_xy: (B, N, T, 2) in pixels of the video.
        occluded: (B, N, T) bool.
        judged: (B, N, T) bool; entries that are False count as if nothing were wrong.
        video_hw: height and width of the video in pixels.
    """
    # Autocast hands over bf16, in which pixels above 128 are whole numbers.
    tracks_xy, occlusion, expected_dist = (
        tracks_xy.float(),
        occlusion.float(),
        expected_dist.float(),
    )
    to_scored = _to_scored(tracks_xy, video_hw)
    # Answers that nobody may read can be anything, NaN too, whose product with 0 is NaN.
    visible = judged & ~occluded
    wanted_xy = torch.where(visible[..., None], true_tracks_xy, tracks_xy.detach())
    squared = ((tracks_xy - wanted_xy) * to_scored).square().sum(-1)
    distance_px = (squared + _SMALLEST_SQUARE).sqrt()
    huber = torch.where(
        distance_px < _LINEAR_FROM_PX,
        distance_px.square() / 2,
        _LINEAR_FROM_PX * (distance_px - _LINEAR_FROM_PX / 2),
    )
    far = (squared.detach() > _UNCERTAIN_FROM_PX**2).to(expected_dist.dtype)
    hidden = F.binary_cross_entropy_with_logits(
        occlusion, occluded.to(occlusion.dtype), reduction="none"
    )
    unsure = F.binary_cross_entropy_with_logits(expected_dist, far, reduction="none")
    return StateLoss(
        _POSITION_WEIGHT * (visible * huber).mean(),
        (judged * hidden).mean(),
        (visible * unsure).mean(),
    )


def _to_scored(like: Tensor, video_hw: tuple[int, int]) -> Tensor:
    """(2,) factors from x and y in a video's pixels to those of the frame that is scored."""
    height, width = video_hw
    return like.new_tensor([_SCORED / width, _SCORED / height])
