"""The sides of an evaluation: each answers query points on a whole clip, in one call of its model.

No windows: the benchmark gives a tracker the whole video, and so does this.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import ModelFileError, UsageError
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.video.frames import (
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)

__all__ = ["GraphSide", "Side", "TorchSide"]

Floats = NDArray[np.float32]

_POINT_FRAMES = 12_800
"""Points times frames of one call: what a call needs grows with it (docs/long-videos.md)."""
_LEAST_POINTS = 16


class Side(Protocol):
    """Something that tracks points through a whole clip."""

    name: str

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """uint8 (T, H, W, 3) and (1, N, 3) in pixels of 256×256 → (1, N, T, ...) in such pixels."""


class GraphSide:
    """An exported file in ONNX Runtime."""

    def __init__(self, model: Model, name: str = "onnx") -> None:
        """Wrap an open model.

        Raises:
            ModelFileError: it is fixed to several videos a call.
        """
        if model.fixed_batch not in (None, 1):
            raise ModelFileError(
                f"{model.path} is fixed to a batch of {model.fixed_batch} videos; an evaluation "
                "takes one at a time. Export it with --batch 1 or --batch dynamic."
            )
        self.name = name
        self.model = model

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``; raises UsageError where the file is fixed to other frames."""
        frames, fixed = len(frames_rgb), self.model.fixed_frames
        if fixed not in (None, frames):
            raise UsageError(
                f"{self.model.path} is fixed to {fixed} frames and a clip has {frames}; the "
                "benchmark tracks whole clips. Export with --frames dynamic."
            )
        points = query_points_tyx.shape[1]
        at_once = self.model.fixed_points or max(_LEAST_POINTS, _POINT_FRAMES // frames)
        as_they_are = self.model.signature.input_type == "uint8"
        size_hw = frames_rgb.shape[1:3] if as_they_are else self.model.resolution_hw
        video = frames_rgb[None] if as_they_are else to_model_input(frames_rgb, size_hw)
        queries = scale_queries_to_model(query_points_tyx, SCORED_HW, size_hw)
        prepared: Any = self.model.prepare(np.ascontiguousarray(video))
        answers = []
        for start in range(0, points, at_once):
            chunk = queries[:, start : start + at_once]
            count = chunk.shape[1]
            if self.model.fixed_points is not None and count < at_once:
                chunk = np.pad(chunk, ((0, 0), (0, at_once - count), (0, 0)), mode="edge")
            raw = self.model.run_prepared(prepared, chunk)
            answers.append(
                [a[:, :count] for a in (raw.tracks_xy, raw.occlusion, raw.expected_dist)]
            )
        tracks, occlusion, expected_dist = (
            np.concatenate(parts, axis=1) for parts in zip(*answers, strict=True)
        )
        return RawTracks(
            scale_tracks_to_video(tracks, size_hw, SCORED_HW), occlusion, expected_dist
        )


class TorchSide:
    """The unrewritten PyTorch model, on the CPU."""

    name = "torch"

    def __init__(self, model: Any) -> None:
        """``model`` is a ``locotrack.LocoTrack``."""
        self._model = model

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``."""
        from locoexport.network.oracle import run_reference

        size_hw = self._model.config.working_hw
        outputs = run_reference(
            self._model,
            to_model_input(frames_rgb, size_hw),
            scale_queries_to_model(query_points_tyx, SCORED_HW, size_hw),
        ).outputs
        tracks = scale_tracks_to_video(outputs.tracks_xy, size_hw, SCORED_HW)
        return RawTracks(tracks, outputs.occlusion, outputs.expected_dist)
