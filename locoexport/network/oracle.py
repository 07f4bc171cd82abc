"""The oracle: the unrewritten model's answers to numpy arrays, and how far it is from itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from locoexport.models.locotrack import REFERENCE, LocoTrack
from locoexport.parity.pointwise import Conditioning, TrackArrays

__all__ = [
    "Reference",
    "condition_by_noise",
    "measure_noise",
    "move_video",
    "resize_reference",
    "run_reference",
]

_QUERIES_AT_ONCE = 64
_INPUT_NOISE = np.float32(1e-6)
_NOISE_SAMPLES = 4


@dataclass(frozen=True)
class Reference:
    """What the oracle says, and how near its heatmaps were to a tie.

    ``peak_gap`` (B, N, T): log of the ratio of the two largest softmax weights of the heatmap.
    """

    outputs: TrackArrays
    peak_gap: NDArray[np.float32]


def resize_reference(
    frames_rgb: NDArray[np.uint8], resolution_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """What a graph that takes frames of any size does to them, by definition.

    uint8 (B, T, H, W, 3) → float32 (B, T, h, w, 3): u8/255·2 - 1, then torch's bilinear resize,
    align_corners False, no antialiasing; in float64, rounded once at the end.
    """
    resized = np.empty((*frames_rgb.shape[:2], *resolution_hw, 3), np.float32)
    for index in np.ndindex(frames_rgb.shape[:2]):
        frame = torch.from_numpy(frames_rgb[index]).double() / 255 * 2 - 1
        image = torch.nn.functional.interpolate(
            frame.permute(2, 0, 1)[None], resolution_hw, mode="bilinear", align_corners=False
        )
        resized[index] = image[0].permute(1, 2, 0).numpy()
    return resized


def run_reference(
    model: LocoTrack,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    first_video: NDArray[np.float32] | None = None,
) -> Reference:
    """Run the oracle: (B, T, H, W, 3) in [-1, 1] at the working resolution, (B, N, 3).

    Queries go through in chunks (one does not depend on the others), features are made once.
    ``first_video`` are the frames of the first level, where they are not resized from ``video``.
    """
    gaps: list[Tensor] = []

    def soft_argmax(heatmaps: Tensor, size_hw: tuple[int, int]) -> Tensor:
        top = (20.0 * heatmaps.flatten(1)).topk(2, dim=-1).values
        gaps.append(top[:, 0] - top[:, 1])
        return REFERENCE.soft_argmax(heatmaps, size_hw)

    observed = model.with_operations(replace(REFERENCE, soft_argmax=soft_argmax))
    device = next(model.parameters()).device  # a model in training may be on a GPU
    queries = torch.from_numpy(np.ascontiguousarray(query_points_tyx, np.float32)).to(device)
    results = []
    with torch.inference_mode():
        frames = torch.from_numpy(np.ascontiguousarray(video, np.float32)).to(device)
        working_hw = model.config.working_hw
        first_hw, last_hw = model.config.levels
        first = last = observed.extract_features(frames, last_hw)
        if first_hw != last_hw:
            if first_video is not None:
                frames = torch.from_numpy(np.ascontiguousarray(first_video, np.float32)).to(device)
            first = observed.extract_features(frames, first_hw)
        for chunk in torch.split(queries, _QUERIES_AT_ONCE, dim=1):
            results.append(observed.track(first, last, chunk, working_hw))
    batch, frame_count = video.shape[:2]
    outputs = TrackArrays(
        *(
            torch.cat([getattr(result, name) for result in results], 1).cpu().numpy()
            for name in ("tracks", "occlusion", "expected_dist")
        )
    )
    peak_gap = torch.cat([gap.reshape(batch, -1, frame_count) for gap in gaps], 1).cpu().numpy()
    return Reference(outputs, peak_gap)


def measure_noise(
    model: LocoTrack,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    reference: Reference,
    points: Sequence[int],
    first_video: NDArray[np.float32] | None = None,
) -> Conditioning:
    """How far the oracle's outputs move at ``points`` when the video moves by 1e-6.

    The largest of four movements, by (batch, point); zero at every other point.
    """
    chosen = np.array(points)

    def answer(seed: int) -> TrackArrays:
        return run_reference(
            model,
            move_video(video, seed),
            query_points_tyx[:, chosen],
            None if first_video is None else move_video(first_video, seed),
        ).outputs

    return condition_by_noise(reference.outputs, reference.peak_gap, chosen, answer)


def condition_by_noise(
    base: TrackArrays,
    peak_gap: NDArray[np.float32],
    chosen: NDArray[np.intp],
    answer: Callable[[int], TrackArrays],
) -> Conditioning:
    """How far answers to moved inputs are from ``base`` at the ``chosen`` points.

    ``answer`` gives the oracle's answers at these points to the inputs moved by that seed.
    """
    noise_px = np.zeros(base.occlusion.shape[:2], np.float32)
    noise_logits = np.zeros_like(noise_px)
    for seed in range(_NOISE_SAMPLES):
        moved = answer(seed)
        shift = np.abs(moved.tracks_xy - base.tracks_xy[:, chosen]).max((2, 3))
        noise_px[:, chosen] = np.maximum(noise_px[:, chosen], shift)
        for name in ("occlusion", "expected_dist"):
            shift = np.abs(getattr(moved, name) - getattr(base, name)[:, chosen]).max(2)
            noise_logits[:, chosen] = np.maximum(noise_logits[:, chosen], shift)
    return Conditioning(peak_gap, noise_px, noise_logits)


def move_video(video: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The video, and normal noise of 1e-6 on every value of it."""
    noise = np.random.default_rng(seed).standard_normal(video.shape, np.float32)
    moved: NDArray[np.float32] = video + _INPUT_NOISE * noise
    return moved
