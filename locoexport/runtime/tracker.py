"""Points through a whole clip, in the clip's own pixels: the runtime's front door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import ModelFileError, UsageError, VideoError
from locoexport.runtime.frames import (
    check_frames,
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)
from locoexport.runtime.queries import check_queries
from locoexport.runtime.session import ModelSession, RawTracks, open_session
from locoexport.runtime.tracks import Tracks
from locoexport.runtime.video import DEFAULT_FPS, Clip, read_clip
from locoexport.visibility import visible_from_logits

__all__ = ["DEFAULT_POINTS_PER_CALL", "PointTracker"]

DEFAULT_POINTS_PER_CALL = 64
"""More points in one call encode the video less often and need more memory: with b0-tiny and 60
frames about 20 MB a point, over 0.9 GB for the frames themselves."""


class PointTracker:
    """A point tracker over an exported file, to be used in a ``with`` block or closed.

    It keeps nothing from call to call, and ``track`` may be called from several threads.

    ::

        with PointTracker("model.onnx") as tracker:
            tracks = tracker.track("clip.mp4", [[0, 120.5, 64.0]])  # t, y, x
    """

    def __init__(
        self,
        model_path: str | Path,
        provider: str = "cpu",
        points_per_call: int | None = None,
        threads: int | None = None,
    ) -> None:
        """Open the model.

        Args:
            model_path: an .onnx file written by ``locoexport export``.
            provider: a short name of ``locoexport.runtime.providers.PROVIDERS``.
            points_per_call: how many points go through the model at once; None is 64, or what
                the file is fixed to. It changes memory and speed, not the tracks.
            threads: of the CPU; None is all cores.

        Raises:
            UsageError: no such provider, a number below 1, or a ``points_per_call`` that the
                file's fixed number of points contradicts.
            ProviderUnavailableError: the provider does not work on this machine.
            ModelFileError: the file is missing, damaged, not ours, or fixed to a batch above 1.
        """
        model = open_session(model_path, provider, threads=threads)
        if model.fixed_batch not in (None, 1):
            raise ModelFileError(
                f"{model_path} is fixed to a batch of {model.fixed_batch} videos; tracking takes "
                "one at a time. Export it with --batch 1 or --batch dynamic."
            )
        self._points_per_call = _chunk_size(model, points_per_call)
        self._model: ModelSession | None = model

    @property
    def model(self) -> ModelSession:
        """The open model.

        Raises:
            UsageError: the tracker was closed.
        """
        if self._model is None:
            raise UsageError("This PointTracker is closed; make another.")
        return self._model

    def track(
        self,
        video: Clip | str | Path | NDArray[np.uint8],
        query_points_tyx: Any,
        *,
        fps: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tracks:
        """Track query points through all frames of a video, forwards and backwards.

        Args:
            video: a clip, a file's path, or uint8 RGB frames (frames, height, width, 3).
            query_points_tyx: numbers of shape (points, 3): frame index, then y and x in the
                video's pixels.
            fps: for ``Tracks.fps``, in place of the video's own (25 for frames in an array).
            progress: called with (points done, points in all), first with 0 done.

        Raises:
            VideoError: the video cannot be read, or its number of frames is not the one that
                the model is fixed to.
            QueryError: no points, or one that is not finite or outside the video.
            MachineError: ONNX Runtime fails, mostly for want of memory.
            ModelFileError: the model's answer is not finite.
            UsageError: the tracker was closed.
        """
        model = self.model
        clip = _as_clip(video)
        frames, height, width = clip.frames_rgb.shape[:3]
        points = check_queries(query_points_tyx, frames, height, width)
        _check_frame_count(model, frames)
        model_input = to_model_input(clip.frames_rgb, model.resolution_hw)
        model_points = scale_queries_to_model(points, (height, width), model.resolution_hw)
        tracks_xy = np.empty((len(points), frames, 2), np.float32)
        occlusion = np.empty((len(points), frames), np.float32)
        expected_dist = np.empty((len(points), frames), np.float32)
        if progress is not None:
            progress(0, len(points))
        for chunk in _chunks(len(points), self._points_per_call):
            raw = _run_chunk(model, model_input, model_points[chunk])
            tracks_xy[chunk] = scale_tracks_to_video(
                raw.tracks_xy[0], model.resolution_hw, (height, width)
            )
            occlusion[chunk] = raw.occlusion[0]
            expected_dist[chunk] = raw.expected_dist[0]
            if progress is not None:
                progress(chunk.stop, len(points))
        visible, confidence = visible_from_logits(occlusion, expected_dist)
        return Tracks(tracks_xy, visible, confidence, points, clip.fps if fps is None else fps)

    def close(self) -> None:
        """Give the model's memory back. Closing twice is fine."""
        self._model = None

    def __enter__(self) -> PointTracker:
        """The tracker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the tracker."""
        self.close()


def _chunk_size(model: ModelSession, points_per_call: int | None) -> int:
    if points_per_call is not None and points_per_call < 1:
        raise UsageError(f"points_per_call is {points_per_call}; it must be at least 1.")
    if model.fixed_points is None:
        return points_per_call or DEFAULT_POINTS_PER_CALL
    if points_per_call not in (None, model.fixed_points):
        raise UsageError(
            f"points_per_call is {points_per_call}, but {model.path} is fixed to "
            f"{model.fixed_points} points a call. Leave it out, or export with --points dynamic."
        )
    return model.fixed_points


def _as_clip(video: Clip | str | Path | NDArray[np.uint8]) -> Clip:
    if isinstance(video, str | Path):
        return read_clip(video)
    clip = Clip(video, DEFAULT_FPS) if isinstance(video, np.ndarray) else video
    check_frames(clip.frames_rgb)
    return clip


def _check_frame_count(model: ModelSession, frames: int) -> None:
    if model.fixed_frames not in (None, frames):
        raise VideoError(
            f"The video has {frames} frames, but {model.path} is fixed to {model.fixed_frames}. "
            f"Cut the video to {model.fixed_frames} frames, or export with --frames dynamic."
        )


def _chunks(points: int, size: int) -> Iterator[slice]:
    for start in range(0, points, size):
        yield slice(start, min(start + size, points))


def _run_chunk(
    model: ModelSession, video: NDArray[np.float32], points: NDArray[np.float32]
) -> RawTracks:
    """Run some points, float32 (points, 3); a model of fixed points gets the last one repeated."""
    count = len(points)
    if model.fixed_points is not None:
        points = np.pad(points, ((0, model.fixed_points - count), (0, 0)), mode="edge")
    raw = model.run(video, points[None])
    kept = RawTracks(
        raw.tracks_xy[:, :count], raw.occlusion[:, :count], raw.expected_dist[:, :count]
    )
    for name, values in vars(kept).items():
        # Without this a broken file (fp16 overflow, damaged weights) would draw nonsense.
        if not np.isfinite(values).all():
            raise ModelFileError(
                f"{model.path} answers NaN or infinity in {name}; the file is broken. "
                "Run `locoexport verify` on it."
            )
    return kept
