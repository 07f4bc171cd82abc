"""One video through one model: read ahead, track window by window, hand finished frames on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.visibility import is_visible, visible_from_logits
from locoexport.errors import ModelFileError, VideoError
from locoexport.machine.hardware import give_back_memory, peak_memory
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.queries.points import check_queries
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.tracking.budget import MemoryLimit, Plan
from locoexport.runtime.tracking.stitching import Request, Stitcher
from locoexport.runtime.tracking.storage import TrackStore
from locoexport.runtime.tracking.tracks import Tracks
from locoexport.runtime.tracking.windows import Window, read_windows
from locoexport.runtime.video.background import read_ahead
from locoexport.runtime.video.frames import scale_queries_to_model, scale_tracks_to_video
from locoexport.runtime.video.sources import FrameSource

__all__ = ["INFERENCE", "FrameBatch", "Progress", "Sink", "Tracking"]

INFERENCE = "onnxruntime"
"""Under this name the stopwatch counts what ONNX Runtime takes."""

Progress = Callable[[int, int | None], None]
"""Called with frames done and frames in all, None where that is not known."""


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """Frames in a row whose tracks are final.

    Attributes:
        start: index of the first one.
        frames: uint8 (height, width, 3) each.
        xy: float32 (points, frames, 2) in pixels of the video.
        visible: bool (points, frames).
        query_points: float32 (points, 3), all that were asked for.
    """

    start: int
    frames: list[NDArray[np.uint8]]
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    query_points: NDArray[np.float32]


Sink = Callable[[FrameBatch], None]


@dataclass(eq=False)
class Tracking:
    """A run over one source; ``run`` once."""

    model: Model
    source: FrameSource
    points: NDArray[np.float32]
    make_plan: Callable[[tuple[int, int], int], Plan]
    on_disk: Callable[[int, int | None], bool]
    watch: Stopwatch
    limit: MemoryLimit | None = None
    progress: Progress | None = None
    sink: Sink | None = None
    _prepared: tuple[NDArray[Any], Any] | None = None

    def run(self, fps: float | None) -> Tracks:
        """Track all points through all frames."""
        frames = self.source.frames()
        with self.watch.timed("decode"):
            first = next(frames)
        height, width = first.shape[:2]
        self._frame_hw = (height, width)
        self.points = check_queries(self.points, None, height, width)
        self._check_times_early()
        takes = self.model.signature
        # The pixels that the model is asked and answers in.
        self._model_hw = self._frame_hw if takes.input_type == "uint8" else takes.resolution_hw
        self._model_points = scale_queries_to_model(self.points, self._frame_hw, self._model_hw)
        self._plan = self.make_plan(self._frame_hw, len(self.points))
        self._total = self.source.frames_hint
        self._reported: tuple[int, int | None] | None = None
        late = bool((self.points[:, 0] > self._plan.size.frames - 1).any())
        if late:
            self.source.keep([first])
        self._store = TrackStore(
            len(self.points), on_disk=self.on_disk(len(self.points), self._total)
        )
        try:
            begins = self._forwards(itertools.chain([first], frames), hold=late)
            if late:
                self._backwards(begins)
                self._hand_on_all()
            return self._tracks(fps)
        finally:
            self._store.close()

    def _check_times_early(self) -> None:
        """Say before the work that a query is behind the end, where that can be found out."""
        hint = self.source.frames_hint
        if hint is None or not (self.points[:, 0] > hint - 1).any():
            return
        if self.source.rereadable:  # a file's own count may be wrong
            check_queries(self.points, self.source.count(), *self._frame_hw)

    def _forwards(self, frames: Iterator[NDArray[np.uint8]], *, hold: bool) -> NDArray[np.intp]:
        """Track from each query on; returns the first frame that each point has."""
        size = self._plan.size
        stitcher = Stitcher(self._model_points, size)
        begins = np.full(len(self.points), np.iinfo(np.intp).max)
        handed_on, window = 0, None
        self._report(0)
        windows = read_windows(frames, size, self.model.signature, self.watch)
        with closing(read_ahead(windows, self.watch)) as ahead:
            for window in ahead:
                self._check_length(window)
                self._store.grow(window.end)
                xy, confidence, new = self._track(stitcher, window, shown=True)
                begins[new.any(axis=1)] = np.minimum(begins, window.start)[new.any(axis=1)]
                self._write(np.arange(window.start, window.end), xy, confidence, new)
                self.watch.mark("first tracked frame")
                if not hold:
                    final = window.end - size.overlap
                    self._hand_on(window, handed_on, final)
                    handed_on = max(handed_on, final)
                self._give_back()
        assert window is not None
        check_queries(self.points, window.end, *self._frame_hw)
        self._total = window.end
        self._report(window.end)
        if not hold:
            self._hand_on(window, handed_on, window.end)
        return begins

    def _backwards(self, begins: NDArray[np.intp]) -> None:
        """Track points that began late through all frames before that, last frame first.

        This is the pass forwards over the video in reverse; only what is still missing is kept.
        """
        size, rows = self._plan.size, np.flatnonzero(begins > 0)
        queries = self._model_points[rows]
        newest = max(math.ceil(queries[:, 0].max()) + size.frames // 2, size.frames - 1)
        newest = min(newest, self._store.frames - 1)
        queries[:, 0] = newest - queries[:, 0]
        stitcher = Stitcher(queries, size)
        frames = self._reversed_frames(newest + 1, size.frames)
        windows = read_windows(frames, size, self.model.signature, self.watch)
        with closing(read_ahead(windows, self.watch)) as ahead:
            for window in ahead:
                xy, confidence, new = self._track(stitcher, window, shown=False)
                times = newest - np.arange(window.start, window.end)
                new &= times[None] < begins[rows, None]
                self._write(times, xy, confidence, new, rows)
                self._give_back()

    def _give_back(self) -> None:
        """After each window: what it leaves behind in memory that is not needed any more."""
        self._store.release()
        if self.limit is None:
            return
        give_back_memory()
        if self.model.fixed_points is None:
            self._plan = self.limit.revise(self._plan, peak_memory())

    def _reversed_frames(self, end: int, block: int) -> Iterator[NDArray[np.uint8]]:
        for stop in range(end, 0, -block):
            yield from reversed(self.source.frames_between(max(0, stop - block), stop))

    def _track(
        self, stitcher: Stitcher, window: Window, *, shown: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        active = int(stitcher.begin(window).sum())
        done = 0
        for request in stitcher.requests(window, self._plan.points_per_call):
            raw = self._answer(request)
            _, confidence = visible_from_logits(raw.occlusion[0], raw.expected_dist[0])
            stitcher.answer(request, raw.tracks_xy[0], confidence)
            done += len(request.points)
            if shown:
                fresh = window.end - window.commit_from
                self._report(window.commit_from + fresh * done // active)
        return stitcher.finish(window)

    def _answer(self, request: Request) -> RawTracks:
        """Run a request; a model of fixed points gets the last one repeated."""
        queries = request.queries_tyx
        if self.model.fixed_points is not None:
            missing = self.model.fixed_points - len(queries)
            queries = np.pad(queries, ((0, missing), (0, 0)), mode="edge")
        with self.watch.timed(INFERENCE):
            raw = self.model.run_prepared(
                self._prepare(request.video), queries[None], release_memory=self.limit is not None
            )
        count = len(request.points)
        kept = RawTracks(
            raw.tracks_xy[:, :count], raw.occlusion[:, :count], raw.expected_dist[:, :count]
        )
        for name, values in vars(kept).items():
            # Without this a broken file (fp16 overflow, damaged weights) would draw nonsense.
            if not np.isfinite(values).all():
                raise ModelFileError(
                    f"{self.model.path} answers NaN or infinity in {name}; the file is broken. "
                    "Run `locoexport verify` on it."
                )
        return kept

    def _prepare(self, video: NDArray[Any]) -> Any:
        """What the model makes of a window's frames, once for all chunks of points."""
        if self._prepared is None or self._prepared[0] is not video:
            self._prepared = None  # the last window's goes before this one's comes
            self._prepared = (
                video,
                self.model.prepare(video, release_memory=self.limit is not None),
            )
        return self._prepared[1]

    def _write(
        self,
        times: NDArray[np.intp],
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
        new: NDArray[np.bool_],
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        points, steps = np.nonzero(new)
        where = points if rows is None else rows[points]
        scaled = scale_tracks_to_video(xy[points, steps], self._model_hw, self._frame_hw)
        values = self._store.values
        values[times[steps], where, :2] = scaled
        values[times[steps], where, 2] = confidence[points, steps]

    def _check_length(self, window: Window) -> None:
        fixed = self.model.fixed_frames
        if fixed is not None and len(window.frames) < fixed:
            raise VideoError(
                f"The video has {window.end} frames, but {self.model.path} is fixed to {fixed}. "
                f"Give a longer video, or export with --frames dynamic."
            )

    def _hand_on(self, window: Window, first: int, end: int) -> None:
        if end > first:
            frames = window.frames[first - window.start : end - window.start]
            self._give(first, frames)

    def _hand_on_all(self) -> None:
        if self.sink is None:
            return
        block = self._plan.size.frames
        for first in range(0, self._store.frames, block):
            end = min(first + block, self._store.frames)
            self._give(first, self.source.frames_between(first, end))

    def _give(self, first: int, frames: list[NDArray[np.uint8]]) -> None:
        if self.sink is None:
            return
        values = self._store.values[first : first + len(frames)].transpose(1, 0, 2).copy()
        with self.watch.timed("waiting for drawing"):
            self.sink(
                FrameBatch(first, frames, values[..., :2], is_visible(values[..., 2]), self.points)
            )

    def _tracks(self, fps: float | None) -> Tracks:
        xy, confidence = self._store.arrays()
        return Tracks(
            xy,
            is_visible(confidence),
            confidence,
            self.points,
            self.source.fps if fps is None else fps,
        )

    def _report(self, done: int) -> None:
        if self.progress is not None and self._reported != (done, self._total):
            self._reported = (done, self._total)
            self.progress(done, self._total)
