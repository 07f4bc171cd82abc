"""LocoTrack frame by frame: the newest frame, from itself and from what was answered before.

Offline, all frames of a clip are refined together. Here the frames before the newest are what they
were when they were the newest: their positions, logits and embeddings are kept, and only the newest
is looked at. The transformer sees a window of both. What it costs does not grow with the window's
images, none of which is kept. docs/live.md has what that does to the accuracy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from locoexport.models.locotrack.config import TrackerConfig
from locoexport.models.locotrack.refinement import attention_bias
from locoexport.models.locotrack.states import ByLevel, Estimate, FeatureGrids
from locoexport.models.locotrack.tracker import LocoTrack

__all__ = ["follow_newest", "memory_channels"]

_UNSEEN = 1e9
"""Taken from the attention to a frame in which the point was not asked for yet."""
_STATE = 5
"""Channels of a memory before the embeddings: known, x, y, occlusion, expected_dist."""
_CHANGING = 2
"""Frames of which a refinement changes what the transformer reads: the newest, and the one before
it by its motion towards the newest."""
_READ = _CHANGING + 1
"""Frames that these are made of, the motion from the one before them included."""


def memory_channels(config: TrackerConfig) -> int:
    """How many numbers are kept of a point in a frame."""
    return _STATE + config.embedding_channels + _fed_channels(config)


def follow_newest(
    tracker: LocoTrack,
    first: FeatureGrids,
    last: FeatureGrids,
    initial_supports: ByLevel[Tensor],
    supports: ByLevel[Tensor],
    query_points: Tensor,
    memory: Tensor,
) -> tuple[Estimate, Tensor]:
    """Where every point is in the newest frame, and what is to be remembered for the next.

    Args:
        tracker: the model, of whatever operations.
        first: the grids of the newest frame alone, at the first level.
        last: the same at the last level.
        initial_supports: of the points, at the first level.
        supports: of the points at the last level, from a frame of this clip or of any other.
        query_points: (B, N, 3) as (t, y, x) in pixels of the last level, t counted from the newest
            frame: a point of which it is 0 is at that place, one of which it is below 0 was asked
            for earlier, or elsewhere.
        memory: (B, N, W-1, memory_channels), oldest frame first; zeros for a frame in which the
            point was not there yet. W is any number from 1.

    Returns:
        The estimate in the newest frame, (B, N, 1, ...) in pixels of the initial resolution, and
        the memory of the newest W-1 frames.
    """
    config = tracker.config
    estimate = tracker.initialise(first, initial_supports, query_points, config.working_hw)
    feature = tracker.initial_feature(supports, estimate.occlusion)
    known = torch.cat((memory[..., 0], torch.ones_like(estimate.occlusion)), 2)  # (B, N, W)
    joined = known[:, :, 1:] * known[:, :, :-1]
    bias = _bias(known, config.transformer.heads)
    prepared = ByLevel(*(tracker.operations.prepare_grid(grid) for grid in last.grids))
    before = None
    for _ in range(config.refinements):
        embeddings = tracker.embed(last, prepared, supports, estimate.positions_xy)
        window = torch.cat((memory, _remember(estimate, embeddings, feature)), 2)
        if before is None:
            hidden = _project(tracker, last, window, joined)
            before = hidden[:, :-_CHANGING]
        else:
            near = _project(tracker, last, window[:, :, -_READ:], joined[:, :, 1 - _READ :])
            hidden = torch.cat((before, near[:, -_CHANGING:]), 1)
        changes = tracker.mix_newest(hidden, bias, estimate.occlusion)
        estimate, feature = tracker.apply_changes(last, estimate, feature, changes)
    # The embeddings are those of the last refinement: no others were made.
    window = torch.cat((memory, _remember(estimate, embeddings, feature)), 2)
    return estimate, window[:, :, 1:]


def _bias(known: Tensor, heads: int) -> Tensor:
    """(B·N, heads, W, W): that of the clip, and nothing sees a frame without the point."""
    frames = torch.arange(known.shape[2], dtype=known.dtype, device=known.device)
    unseen = (known.flatten(0, 1) - 1) * _UNSEEN
    return attention_bias(frames, heads) + unseen[:, None, None]


def _remember(estimate: Estimate, embeddings: list[Tensor], feature: Tensor | None) -> Tensor:
    """(B, N, 1, memory_channels) of the newest frame."""
    occlusion, expected_dist = estimate.occlusion[..., None], estimate.expected_dist[..., None]
    kept = [torch.ones_like(occlusion), estimate.positions_xy, occlusion, expected_dist]
    kept += embeddings
    return torch.cat(kept if feature is None else [*kept, feature], -1)


def _project(tracker: LocoTrack, last: FeatureGrids, window: Tensor, joined: Tensor) -> Tensor:
    """What the transformer is given of every frame of a window: (B·N, T, dim)."""
    seen, kept, fed = _recall(window, tracker.config)
    return tracker.project(last, kept, seen, fed, joined)


def _recall(window: Tensor, config: TrackerConfig) -> tuple[Estimate, list[Tensor], Tensor | None]:
    """What ``_remember`` kept of every frame."""
    width = config.embedding_channels
    estimate = Estimate(window[..., 1:3], window[..., 3], window[..., 4])
    fed = window[..., _STATE + width :] if _fed_channels(config) else None
    return estimate, [window[..., _STATE : _STATE + width]], fed


def _fed_channels(config: TrackerConfig) -> int:
    """Of the running feature, where the transformer reads it."""
    return config.feature_channels if config.feeds_features else 0
