"""The model over one window after another, with as many points a call as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.visibility import visible_from_logits
from locoexport.errors import ModelFileError, VideoError
from locoexport.machine.hardware import give_back_memory, peak_memory
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.tracking.budget import MemoryLimit, Plan
from locoexport.runtime.tracking.stitching import Request, Stitcher
from locoexport.runtime.tracking.windows import Window, WindowSize, read_windows
from locoexport.runtime.video.background import read_ahead

__all__ = ["INFERENCE", "WindowTracker"]

INFERENCE = "onnxruntime"
"""Under this name the stopwatch counts what ONNX Runtime takes."""


class WindowTracker:
    """Reads windows ahead and answers a stitcher's requests for them.

    For each of ``windows``: ``track`` it, then ``give_back`` what it leaves in memory.
    """

    def __init__(
        self, model: Model, plan: Plan, watch: Stopwatch, limit: MemoryLimit | None
    ) -> None:
        """``plan`` is the first window's; under a ``limit`` later ones may get fewer points a
        call."""
        self._model = model
        self._plan = plan
        self._watch = watch
        self._limit = limit
        self._prepared: tuple[NDArray[Any], Any] | None = None

    @property
    def size(self) -> WindowSize:
        """Of every window, whatever memory there is."""
        return self._plan.size

    def windows(
        self, frames: Iterator[NDArray[np.uint8]], cancel: Callable[[], object] = lambda: None
    ) -> Generator[Window, None, None]:
        """Windows over frames, the next of which is read in a thread; close it to end that.

        ``cancel`` is called then, and makes ``frames`` wait for nothing.
        """
        windows = read_windows(frames, self.size, self._model.signature, self._watch)
        return read_ahead(windows, self._watch, cancel)

    def track(
        self,
        stitcher: Stitcher,
        window: Window,
        report: Callable[[int], None] | None = None,
        settled: Callable[[int], None] = lambda _: None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Run all that the stitcher asks for; returns what ``Stitcher.finish`` does.

        Args:
            stitcher: of this pass.
            window: the next one.
            report: called with the frames that are done, in step with the points.
            settled: called before the model is run with the frame before which tracks are final.

        Raises:
            VideoError: the window is shorter than the model is fixed to.
            ModelFileError: the model's answer is not finite.
        """
        self._check_length(window)
        active = int(stitcher.begin(window).sum())
        settled(stitcher.settled(window))
        done, fresh = 0, window.end - window.commit_from
        for request in stitcher.requests(window, self._plan.points_per_call):
            raw = self._answer(request)
            _, confidence = visible_from_logits(raw.occlusion[0], raw.expected_dist[0])
            stitcher.answer(request, raw.tracks_xy[0], confidence)
            done += len(request.points)
            if report is not None:
                report(window.commit_from + fresh * done // active)
        return stitcher.finish(window)

    def give_back(self) -> None:
        """After each window: return freed memory to the system, and plan anew by the peak."""
        if self._limit is None:
            return
        give_back_memory()
        if self._model.fixed_points is None:
            self._plan = self._limit.revise(self._plan, peak_memory())

    def _check_length(self, window: Window) -> None:
        fixed = self._model.fixed_frames
        if fixed is not None and len(window.frames) < fixed:
            raise VideoError(
                f"The video has {window.end} frames, but {self._model.path} is fixed to {fixed}. "
                f"Give a longer video, or export with --frames dynamic."
            )

    def _answer(self, request: Request) -> RawTracks:
        """Run a request; a model of fixed points gets the last one repeated."""
        queries = request.queries_tyx
        if self._model.fixed_points is not None:
            missing = self._model.fixed_points - len(queries)
            queries = np.pad(queries, ((0, missing), (0, 0)), mode="edge")
        with self._watch.timed(INFERENCE):
            raw = self._model.run_prepared(
                self._prepare(request.video), queries[None], release_memory=self._limit is not None
            )
        return self._checked(raw, len(request.points))

    def _prepare(self, video: NDArray[Any]) -> Any:
        """What the model makes of a window's frames, once for all chunks of points."""
        if self._prepared is None or self._prepared[0] is not video:
            self._prepared = None  # the last window's goes before this one's comes
            prepared = self._model.prepare(video, release_memory=self._limit is not None)
            self._prepared = (video, prepared)
        return self._prepared[1]

    def _checked(self, raw: RawTracks, points: int) -> RawTracks:
        """The first ``points`` of an answer, all finite."""
        kept = RawTracks(
            raw.tracks_xy[:, :points], raw.occlusion[:, :points], raw.expected_dist[:, :points]
        )
        for name, values in vars(kept).items():
            # Without this a broken file (fp16 overflow, damaged weights) would draw nonsense.
            if not np.isfinite(values).all():
                raise ModelFileError(
                    f"{self._model.path} answers NaN or infinity in {name}; the file is broken. "
                    "Run `locoexport verify` on it."
                )
        return kept
