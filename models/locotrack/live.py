"""LocoTrack frame by frame: the newest frame, from itself and from what was answered before.

Offline, all frames of a clip are refined together. Here the frames before the newest are what they
were when they were the newest: where the point was, and the keys and values that the transformer's
layers had of it, are kept, and only the newest is computed. No image is kept, and what a frame
costs hardly grows with the window. docs/live.md has what that does to the accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from locoexport.models.locotrack.config import TrackerConfig, TransformerConfig
from locoexport.models.locotrack.refinement import Remembered, attention_bias
from locoexport.models.locotrack.states import ByLevel, Estimate, FeatureGrids
from locoexport.models.locotrack.tracker import LocoTrack

__all__ = ["follow_newest", "memory_channels"]

_UNSEEN = 1e9
"""Taken from the attention to a frame in which the point was not asked for yet."""
_STATE = 3
"""Channels of a memory before the keys and values: known, x, y."""


def memory_channels(config: TrackerConfig) -> int:
    """How many numbers are kept of a point in a frame."""
    # Half of the heads look back, each with a key and a value a layer.
    return _STATE + config.transformer.layers * config.transformer.dim


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
    # With a frame of nothing before them there is a frame before the newest even where W is 1.
    memory = F.pad(memory, (0, 0, 1, 0))  # (B, N, W, memory_channels)
    known = torch.cat((memory[..., 0], torch.ones_like(estimate.occlusion)), 2)  # (B, N, W + 1)
    bias = _bias(known, config.transformer.heads)
    past = _recall(memory, config.transformer)
    before = memory[:, :, -1:, :_STATE]
    prepared = ByLevel(*(tracker.operations.prepare_grid(grid) for grid in last.grids))
    for _ in range(config.refinements):
        embeddings = tracker.embed(last, prepared, supports, estimate.positions_xy)
        steps_xy = (estimate.positions_xy - before[..., 1:]) * before[..., :1]
        changes, remembered = tracker.follow(
            last, embeddings, estimate, feature, steps_xy, past, bias
        )
        estimate, feature = tracker.apply_changes(last, estimate, feature, changes)
    # Keys and values are those of the last refinement: no others were made.
    newest = _remember(estimate, remembered)
    return estimate, torch.cat((memory, newest), 2)[:, :, 2:]


def _bias(known: Tensor, heads: int) -> Tensor:
    """(B·N, heads/2, 1, W + 1), of a last frame; frames without the point are not seen."""
    frames = torch.arange(known.shape[2], dtype=known.dtype, device=known.device)
    unseen = (known.flatten(0, 1) - 1) * _UNSEEN
    return attention_bias(frames, heads)[: heads // 2, -1:] + unseen[:, None, None]


def _remember(estimate: Estimate, remembered: Sequence[Remembered]) -> Tensor:
    """(B, N, 1, memory_channels) of the newest frame."""
    sizes = estimate.positions_xy.shape[:3]
    kept = [torch.ones_like(estimate.occlusion)[..., None], estimate.positions_xy]
    for each in (tensor for pair in remembered for tensor in pair):
        flat = each.transpose(1, 2).flatten(2)  # (B·N, 1, dim/2)
        kept.append(flat.reshape(*sizes, flat.shape[-1]))
    return torch.cat(kept, -1)


def _recall(memory: Tensor, config: TransformerConfig) -> list[Remembered]:
    """Of every layer, what ``_remember`` kept of the frames before."""
    kept = memory[..., _STATE:].flatten(0, 1)  # (B·N, W, layers · dim)
    split = (2 * config.layers, config.heads // 2, config.dim // config.heads)
    kept = kept.reshape(*kept.shape[:2], *split).permute(0, 2, 3, 1, 4)
    # (B·N, 2 · layers, heads/2, W, d)
    pairs = range(0, 2 * config.layers, 2)
    return [Remembered(kept[:, index], kept[:, index + 1]) for index in pairs]
