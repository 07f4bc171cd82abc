"""Points through a whole video, in the video's own pixels: the runtime's front door."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from locoexport.contract.shipped_model import shipped_model_path
from locoexport.errors import ModelFileError, UsageError
from locoexport.machine.hardware import process_memory
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.queries.points import parse_points, parse_query
from locoexport.runtime.session.opening import Model, open_model
from locoexport.runtime.sources.opening import Source, open_video
from locoexport.runtime.tracking.budget import (
    MemoryLimit,
    MemoryModel,
    Plan,
    make_plan,
    measure_memory,
    parse_memory,
)
from locoexport.runtime.tracking.delivery import Sink
from locoexport.runtime.tracking.progress import Progress
from locoexport.runtime.tracking.run import Tracking
from locoexport.runtime.tracking.storage import BYTES_PER_POINT_FRAME
from locoexport.runtime.tracking.windows import DEFAULT_WINDOW, WindowSize
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.selection import Selection, check_fps

__all__ = ["DEFAULT_POINTS_PER_CALL", "PointTracker"]

DEFAULT_POINTS_PER_CALL = 64
"""More points in one call encode a window less often and need more memory."""

_ENCODER_FRAMES = 64
"""Frames of 1.5 bytes a pixel that an H.264 encoder looks ahead at."""
_REST_BYTES = 48 << 20
"""Small things beside the frames: decoder, drawing, Python's own."""
_LARGEST_IN_MEMORY = 1 << 30
"""Tracks larger than that are kept in a temporary file."""


class PointTracker:
    """Tracks points through videos with an exported file.

    Use it in a ``with`` block, or call ``close``. It keeps nothing from call to call, and several
    threads may call ``track`` at once. LocoTrack is offline: it looks at a whole window of frames,
    past and future. Frames are read, tracked and dropped window by window, so a video may be of
    any length.

    ```python
    # The built-in b0-tiny; PointTracker("model.onnx") takes a file.
    with PointTracker() as tracker:
        tracks = tracker.track("clip.mp4", [[0, 120.5, 64.0]])  # t, y, x
    ```
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        provider: str | None = None,
        points_per_call: int | None = None,
        threads: int | None = None,
        *,
        window: int | None = None,
        memory: int | str | None = None,
        model_sha256: str | None = None,
    ) -> None:
        """Open the model.

        Args:
            model_path: an .onnx file written by ``locoexport export``, or any file of a split one;
                None is the model that the package ships, b0-tiny.
            provider: a short name of ``locoexport.runtime.session.providers.PROVIDERS``, with its
                options. None is the file's own choice (``locoexport tune`` makes one), else the
                CPU; where the choice does not work here, it is the CPU, and ``track`` warns.
            points_per_call: how many points go through the model at once; None is 64, what the
                file is fixed to, or what ``memory`` allows. It changes memory and speed, not the
                tracks.
            threads: of the CPU; None is the file's own choice, else one for each core that this
                process may use.
            window: frames that go through the model at once; None is 48, what the file is fixed
                to, or what ``memory`` allows. Windows share a third of their frames.
            memory: bytes, or text like ``1GiB``, that this process may hold besides the model
                while it tracks. The model's need is measured now, by three runs on noise.
            model_sha256: the SHA-256 that the file must have (``model.sha256``), for a program
                that names its results by the model. None takes any file.

        Raises:
            UsageError: no such provider, a number below 1, or a ``points_per_call`` or ``window``
                that the file's fixed sizes contradict.
            ProviderUnavailableError: the provider does not work on this machine.
            ModelFileError: the file is missing, damaged, not ours, fixed to a batch above 1, or
                not the one with that SHA-256: it was replaced.
        """
        self._memory = parse_memory(memory) if isinstance(memory, str) else memory
        if self._memory is not None and self._memory < 1:
            raise UsageError(f"memory is {self._memory}; it must be at least 1 byte.")
        model_path = shipped_model_path() if model_path is None else model_path
        model = open_model(model_path, provider, threads=threads, cached=True)
        if model_sha256 not in (None, model.sha256):
            raise ModelFileError(
                f"{model_path} was replaced since this run began: its SHA-256 is now "
                f"{model.sha256}, not {model_sha256}. Nothing was tracked with it. Run the command "
                "again, with a model that stays."
            )
        if model.fixed_batch not in (None, 1):
            raise ModelFileError(
                f"{model_path} is fixed to a batch of {model.fixed_batch} videos; tracking takes "
                "one at a time. Export it with --batch 1 or --batch dynamic."
            )
        self._points_per_call = _chosen("points_per_call", points_per_call, model.fixed_points)
        self._window = _chosen("window", window, model.fixed_frames)
        if self._window is not None and model.fixed_frames is None:
            WindowSize.of(self._window)
        self._model: Model | None = model
        self._held_bytes = process_memory() - model.size_bytes
        self._need: MemoryModel | None = None
        if self._memory is not None:
            self._need = measure_memory(model)

    @property
    def model(self) -> Model:
        """The open model.

        Raises:
            UsageError: the tracker was closed.
        """
        if self._model is None:
            raise UsageError("This PointTracker is closed; make another.")
        return self._model

    @property
    def tracks_in_memory_bytes(self) -> int:
        """How large tracks may be that are held in memory; larger ones lie in a file."""
        return _LARGEST_IN_MEMORY if self._memory is None else self._memory // 8

    def track(
        self,
        video: Source | FrameSource,
        query_points_tyx: Any,
        *,
        fps: float | None = None,
        max_frames: int | None = None,
        progress: Progress | None = None,
        sink: Sink | None = None,
        watch: Stopwatch | None = None,
    ) -> Tracks:
        """Track query points through all frames of a video, forwards and backwards.

        A video longer than one window is tracked window by window; docs/long-videos.md says how
        windows are joined. Points that begin after the first window are tracked backwards in a
        second pass: a file is read again, and the frames of an iterator or a camera are kept in a
        temporary file.

        Args:
            video: a clip, a file's path, uint8 RGB frames (frames, height, width, 3), an iterator
                of uint8 RGB frames, a camera's index, a folder or pattern of images, or whatever
                else ``runtime.sources.opening.open_video`` takes; or what that gives. An iterator
                that fails, or gives nothing for 60 s, ends the video there.
            query_points_tyx: numbers of shape (points, 3): frame index, then y and x in the
                video's pixels. Or text as on the command line: ``grid:8``, ``grid:8x12`` (rows x
                columns, on frame 0), or one point ``t,y,x``.
            fps: for ``Tracks.fps``, in place of the video's own (25 for bare frames).
            max_frames: stop after that many; a camera needs it.
            progress: called with (frames done, frames in all or None), first with 0 done.
            sink: called with frames in order, once their tracks are final.
            watch: counts the seconds of each part.

        Returns:
            The tracks. ``Tracks.warnings`` says what was wrong with the video; unless you opened
            ``video`` yourself, each is a RuntimeWarning too, and so is ``model.choice.warning``. A
            stream, or a file that does not state its length, may end before a query's frame: such a
            point has no position (NaN), and a warning says so. Beyond 1 GiB, or an eighth of
            ``memory``, the arrays are kept in a temporary file that is removed with them.

        Raises:
            VideoError: the video cannot be read, or has fewer frames than the model is fixed to.
            QueryError: no points, or one that is not finite or outside the video.
            MachineError: ONNX Runtime fails; mostly it lacks memory.
            ModelFileError: the model's answer is not finite.
            UsageError: the tracker was closed, ``memory`` is too little, or ``fps`` is no number
                above 0.
            TrackingInterrupt: a KeyboardInterrupt while a stream was tracked; it has the tracks.
        """
        fps = None if fps is None else check_fps(fps)
        source = (
            video
            if isinstance(video, FrameSource)
            else open_video(video, Selection(max_frames=max_frames))
        )
        limit = None if self._memory is None else MemoryLimit(self._memory, self.model.size_bytes)
        tracking = Tracking(
            model=self.model,
            source=source,
            points=_points(query_points_tyx, source),
            make_plan=partial(self._plan, limit),
            on_disk=self._on_disk,
            watch=watch or Stopwatch(),
            limit=limit,
            progress=progress,
            sink=sink,
        )
        try:
            tracks = tracking.run(fps)
        finally:
            source.close()
        if source is not video:
            choice = self.model.choice
            for text in (*([choice.warning] if choice.warning else []), *source.warnings):
                warnings.warn(text, RuntimeWarning, stacklevel=2)
        return tracks

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

    def _plan(self, limit: MemoryLimit | None, frame_hw: tuple[int, int], points: int) -> Plan:
        if self._need is None or limit is None:
            frames = self._window or DEFAULT_WINDOW
            # A model of one frame: its videos have one, and nothing is stitched.
            size = WindowSize.of(max(2, frames))
            return Plan(size, self._points_per_call or DEFAULT_POINTS_PER_CALL)
        frame_bytes = frame_hw[0] * frame_hw[1] * 3
        kept_aside = _REST_BYTES + _ENCODER_FRAMES * frame_bytes / 2
        free = limit.planned_bytes - self._held_bytes - kept_aside
        plan = make_plan(
            self.model,
            self._need,
            free,
            points=points,
            frame_bytes=frame_bytes,
            window=self._window,
        )
        if self._points_per_call is None:
            return plan
        return Plan(plan.size, min(plan.points_per_call, self._points_per_call))

    def _on_disk(self, points: int, frames: int | None) -> bool:
        if frames is None:
            return self._memory is not None
        return points * frames * BYTES_PER_POINT_FRAME > self.tracks_in_memory_bytes


def _points(asked: Any, source: FrameSource) -> Any:
    """What was asked for; text is read as the command line reads it."""
    if not isinstance(asked, str):
        return asked
    if asked.startswith("grid:"):
        return parse_points(asked).queries(*source.frame_hw())
    return parse_query(asked)[None]


def _chosen(name: str, asked: int | None, fixed: int | None) -> int | None:
    if asked is not None and asked < 1:
        raise UsageError(f"{name} is {asked}; it must be at least 1.")
    if fixed is not None and asked not in (None, fixed):
        axis = "points" if name == "points_per_call" else "frames"
        raise UsageError(
            f"{name} is {asked}, but the model is fixed to {fixed} {axis} a call. Leave it out, or "
            f"export with --{axis} dynamic."
        )
    return fixed or asked
