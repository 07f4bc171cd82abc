"""The live sides of an evaluation: each frame is answered from itself and those before it.

A point is asked for in the frame that its query names, once that frame is there. What is answered
before is nothing: the point is given as hidden where it will be asked for. TAP-Vid's mode ``first``
scores no such frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.evaluation.sides import Floats
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.video.frames import (
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)

__all__ = ["LiveSide", "LiveTorchSide"]

_SURE = np.float32(20.0)
"""A logit that leaves no doubt: a tracker says whether a point is visible, and no logits."""


class LiveSide:
    """A live export, by the tracker that a camera's frames are pushed into."""

    name = "onnx"

    def __init__(self, tracker: LiveTracker) -> None:
        """Wrap an open tracker; its points and frames are forgotten with every clip."""
        self._tracker = tracker

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``; one frame after another."""
        queries = query_points_tyx[0]
        size_hw = (int(frames_rgb.shape[1]), int(frames_rgb.shape[2]))
        points_yx = scale_queries_to_model(queries[None], SCORED_HW, size_hw)[0, :, 1:]
        asked = np.rint(queries[:, 0]).astype(np.int64)
        tracks = np.repeat(queries[:, None, :0:-1], len(frames_rgb), axis=1)
        hidden = np.full(tracks.shape[:2], _SURE, np.float32)
        self._tracker.reset()
        rows = np.zeros(0, np.int64)
        for index, frame in enumerate(frames_rgb):
            found = self._tracker.push(frame)
            tracks[rows, index] = scale_tracks_to_video(found.xy, size_hw, SCORED_HW)
            hidden[rows, index] = np.where(found.visible, -_SURE, _SURE)
            new = np.flatnonzero(asked == index)
            if len(new):
                self._tracker.add(points_yx[new])
                hidden[new, index] = -_SURE
                rows = np.concatenate((rows, new))
        return RawTracks(tracks[None], hidden[None], np.full_like(hidden, -_SURE)[None])


class LiveTorchSide:
    """The unrewritten PyTorch model in the same loop, on the CPU."""

    name = "torch"

    def __init__(self, model: Any, window: int) -> None:
        """``model`` is a ``locotrack.LocoTrack``; ``window`` counts frames, the newest included."""
        self._model, self._window = model, window

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``."""
        from locoexport.network.live_oracle import run_live_reference

        size_hw = self._model.config.levels[1]
        queries = scale_queries_to_model(query_points_tyx, SCORED_HW, size_hw)
        queries[..., 0] = np.rint(queries[..., 0])
        video = to_model_input(frames_rgb, size_hw)
        found = run_live_reference(self._model, video, queries, self._window)
        tracks = scale_tracks_to_video(found.tracks_xy, size_hw, SCORED_HW)
        # As with ``LiveSide``: nothing is answered before, and where it is asked it is given.
        frames = np.arange(len(frames_rgb))
        asked = queries[..., :1]
        there = query_points_tyx[:, :, None, :0:-1]
        return RawTracks(
            np.where((frames <= asked)[..., None], there, tracks),
            np.where(frames < asked, _SURE, np.where(frames == asked, -_SURE, found.occlusion)),
            np.where(frames <= asked, -_SURE, found.expected_dist),
        )
