"""The oracle of live tracking: the unrewritten model, in a loop over the frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.live import follow_newest, memory_channels
from locoexport.models.locotrack.states import ByLevel, TrackingResult
from locoexport.network.oracle import condition_by_noise, move_video
from locoexport.parity.pointwise import Conditioning, TrackArrays

__all__ = ["measure_live_noise", "run_live_reference"]


def run_live_reference(
    model: LocoTrack,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    window: int,
) -> TrackArrays:
    """Answer each frame from itself and those before it, as a live export does.

    Before the frame in which a point was asked for nothing of it is remembered: what is said of it
    there is said of a point without a past.

    Args:
        model: the oracle: of the reference operations.
        video: (1, T, H, W, 3) in [-1, 1] at the working resolution.
        query_points_tyx: (1, N, 3), t a whole number.
        window: frames that are looked at, the newest included.
    """
    config = model.config
    first_hw, last_hw = config.levels
    queries = torch.from_numpy(np.ascontiguousarray(query_points_tyx, np.float32))
    answers: list[TrackingResult] = []
    with torch.inference_mode():
        frames = torch.from_numpy(np.ascontiguousarray(video, np.float32))
        memory = torch.zeros(1, queries.shape[1], window - 1, memory_channels(config))
        asked = queries[0, :, 0].round().long()
        features = [
            model.extract_levels(frames[:, index : index + 1], (first_hw, last_hw))
            for index in range(frames.shape[1])
        ]
        of_frames = [features[int(t)] for t in asked.clamp(0, len(features) - 1)]
        supports = [
            model.sample_supports(last, _at_frame_0(queries[:, n : n + 1]), last_hw)
            for n, (_, last) in enumerate(of_frames)
        ]
        initial = (
            supports
            if first_hw == last_hw
            else [
                model.sample_first_supports(first, _at_frame_0(queries[:, n : n + 1]), last_hw)
                for n, (first, _) in enumerate(of_frames)
            ]
        )
        joined, joined_initial = _joined(supports), _joined(initial)
        for index, (first, last) in enumerate(features):
            relative = queries - queries.new_tensor([float(index), 0, 0])
            estimate, memory = follow_newest(
                model, first, last, joined_initial, joined, relative, memory
            )
            memory = memory * (asked <= index)[None, :, None, None]
            answers.append(TrackingResult.of(estimate, (), config.resolution_hw, last_hw))
    return TrackArrays(
        *(
            torch.cat([getattr(answer, name) for answer in answers], 2).numpy()
            for name in ("tracks", "occlusion", "expected_dist")
        )
    )


def measure_live_noise(
    model: LocoTrack,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    window: int,
    reference: TrackArrays,
    points: Sequence[int],
) -> Conditioning:
    """How far ``run_live_reference`` moves at ``points`` when the video moves by 1e-6."""
    chosen = np.array(points)

    def answer(seed: int) -> TrackArrays:
        return run_live_reference(
            model, move_video(video, seed), query_points_tyx[:, chosen], window
        )

    unmeasured = np.full(reference.occlusion.shape, np.inf, np.float32)
    return condition_by_noise(reference, unmeasured, chosen, answer)


def _at_frame_0(query_points: torch.Tensor) -> torch.Tensor:
    return query_points * query_points.new_tensor([0.0, 1.0, 1.0])


def _joined(supports: list[ByLevel[torch.Tensor]]) -> ByLevel[torch.Tensor]:
    return ByLevel(*(torch.cat(level, 1) for level in zip(*supports, strict=True)))
