"""One video through one model: read ahead, track window by window, hand finished frames on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.visibility import is_visible
from locoexport.machine.hardware import read_memory
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.queries.points import check_queries
from locoexport.runtime.session.opening import Model
from locoexport.runtime.tracking.budget import MemoryLimit, Plan, check_frames_fit
from locoexport.runtime.tracking.delivery import Delivery, Sink
from locoexport.runtime.tracking.progress import Progress, ProgressReport
from locoexport.runtime.tracking.stitching import Stitcher
from locoexport.runtime.tracking.storage import TrackStore
from locoexport.runtime.tracking.window_tracker import WindowTracker
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.frames import scale_queries_to_model, scale_tracks_to_video
from locoexport.runtime.video.sources import FrameSource

__all__ = ["Tracking", "TrackingInterrupt"]

_NEVER = np.iinfo(np.intp).max
_SHOWN = 8


class TrackingInterrupt(KeyboardInterrupt):
    """Ctrl-C while a video was tracked; ``tracks`` is what was found until then.

    They end with the last window that was finished. A point that begins after that window, or was
    to be tracked backwards still, is not visible where nothing was found, and its ``xy`` is NaN.
    """

    def __init__(self, tracks: Tracks) -> None:
        """``tracks`` has at least one frame."""
        super().__init__(f"Interrupted after {tracks.frames} frames, whose tracks are kept.")
        self.tracks = tracks


@dataclass(frozen=True, eq=False)
class Tracking:
    """What is asked of a run over one source, which can be ``run`` once.

    Attributes:
        model: an open one.
        source: of the frames.
        points: numbers (points, 3): frame index, then y and x in the video's pixels.
        make_plan: the plan for a video's (height, width) and a number of points.
        on_disk: whether tracks of so many points and frames (None where nobody knows) lie on disk.
        watch: counts the seconds of each part.
        limit: on memory, where there is one.
        progress: told how far the run is.
        sink: given frames in order, once their tracks are final.
    """

    model: Model
    source: FrameSource
    points: NDArray[np.float32]
    make_plan: Callable[[tuple[int, int], int], Plan]
    on_disk: Callable[[int, int | None], bool]
    watch: Stopwatch
    limit: MemoryLimit | None = None
    progress: Progress | None = None
    sink: Sink | None = None

    def run(self, fps: float | None) -> Tracks:
        """Track all points through all frames; ``fps`` is the tracks', None for the source's."""
        frames = self.source.frames()
        with self.watch.timed("decode"):
            first = next(frames)
        height, width = first.shape[:2]
        points = self._checked_points(height, width)
        plan = self.make_plan((height, width), len(points))
        hint = self.source.frames_hint
        held = min(hint or plan.size.frames, plan.size.frames)
        check_frames_fit(held, (height, width), self.model.signature, read_memory().available)
        late = bool((points[:, 0] > plan.size.frames - 1).any())
        if late:
            self.source.keep([first])
        on_disk = self.on_disk(len(points), hint)
        with closing(TrackStore(len(points), on_disk=on_disk)) as store:
            delivery = Delivery(self.sink, store, points, self.watch, self.source)
            passes = _Passes(
                source=self.source,
                points=points,
                scale=_Scale((height, width), self._model_hw(height, width)),
                tracker=WindowTracker(self.model, plan, self.watch, self.limit),
                store=store,
                report=ProgressReport(self.progress, hint),
                watch=self.watch,
            )
            try:
                begins = passes.forwards(
                    itertools.chain([first], frames), None if late else delivery
                )
            except KeyboardInterrupt as stop:
                tracks = self._tracks_until(passes.finished, store, points, fps)
                if tracks is None:
                    raise
                raise TrackingInterrupt(tracks) from stop
            if late:
                passes.backwards(begins)
                delivery.hand_on_all(self.source, plan.size.frames)
            return self._gathered(store, store.frames, points, fps)

    def _tracks_until(
        self, end: int, store: TrackStore, points: NDArray[np.float32], fps: float | None
    ) -> Tracks | None:
        """What a stream that was interrupted gave; None where a video can be read again."""
        if self.source.rereadable or not end:
            return None
        return self._gathered(store, end, points, fps)

    def _gathered(
        self, store: TrackStore, end: int, points: NDArray[np.float32], fps: float | None
    ) -> Tracks:
        """What the store has of the first ``end`` frames, and what the source said of them."""
        source = self.source
        xy, confidence = (values[:, :end] for values in store.arrays())
        repeated = np.array(source.frames_repeated, np.int64)
        return Tracks(
            *(xy, is_visible(confidence), confidence, points),
            fps=source.average_fps if fps is None else fps,
            time_s=source.times_s[:end] if fps is None else np.arange(end) / fps,
            frames_repeated=repeated[repeated < end],
            frame_hw=source.frame_shape_hw,
            warnings=tuple(source.warnings),
        )

    def _checked_points(self, height: int, width: int) -> NDArray[np.float32]:
        """The points, of which one behind the end is told of before the work where it can be."""
        points = check_queries(self.points, None, height, width)
        hint = self.source.frames_hint
        if hint is not None and (points[:, 0] > hint - 1).any() and self.source.rereadable:
            # A file's own count may be wrong, so the frames are counted.
            check_queries(points, self.source.count(), height, width)
        return points

    def _model_hw(self, height: int, width: int) -> tuple[int, int]:
        """The size whose pixels the model is asked and answers in."""
        takes = self.model.signature
        return (height, width) if takes.input_type == "uint8" else takes.resolution_hw


@dataclass(frozen=True)
class _Scale:
    """The sizes, (height, width), of the video and of what the model sees of it."""

    frame_hw: tuple[int, int]
    model_hw: tuple[int, int]

    def to_model(self, queries_tyx: NDArray[np.float32]) -> NDArray[np.float32]:
        return scale_queries_to_model(queries_tyx, self.frame_hw, self.model_hw)

    def to_video(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        return scale_tracks_to_video(xy, self.model_hw, self.frame_hw)


@dataclass(frozen=True, eq=False)
class _Passes:
    """The pass forwards over one video, and the one backwards; the store gets what they find.

    ``points`` is float32 (points, 3) in the video's pixels.
    """

    source: FrameSource
    points: NDArray[np.float32]
    scale: _Scale
    tracker: WindowTracker
    store: TrackStore
    report: ProgressReport
    watch: Stopwatch
    ends: list[int] = field(default_factory=list)

    @property
    def finished(self) -> int:
        """How many frames, from the first on, the windows that are done have."""
        return self.ends[-1] if self.ends else 0

    def forwards(
        self, frames: Iterator[NDArray[np.uint8]], delivery: Delivery | None
    ) -> NDArray[np.intp]:
        """Track from each query on; returns the first frame that each point has.

        Frames whose tracks are final are handed on as windows begin and end, where there is a
        ``delivery``: what can be drawn beside the model is not left for when it is done.
        """
        stitcher = Stitcher(self.scale.to_model(self.points), self.tracker.size)
        begins = np.full(len(self.points), _NEVER)
        window = None
        self.report.tell(0)
        with closing(self.tracker.windows(frames, self.source.stop)) as ahead:
            for window in ahead:
                self.store.grow(window.end)
                early = (lambda _: None) if delivery is None else partial(delivery.hand_on, window)
                found = self.tracker.track(stitcher, window, self.report.tell, early)
                xy, confidence, new = found
                begins[new.any(axis=1)] = np.minimum(begins, window.start)[new.any(axis=1)]
                self._write(np.arange(window.start, window.end), xy, confidence, new)
                self.ends.append(window.end)
                self.watch.mark("first tracked frame")
                if delivery is not None:
                    delivery.hand_on(window, window.end - self.tracker.size.overlap)
                self._give_back()
        assert window is not None
        self._tell_of_missed(window.end)
        self.report.tell_end(window.end)
        if delivery is not None:
            delivery.hand_on(window, window.end)
        return begins

    def _tell_of_missed(self, end: int) -> None:
        """Warn of points that begin behind the end; raises QueryError where all do."""
        missed = np.flatnonzero(self.points[:, 0] > end - 1)
        if len(missed) == len(self.points):
            check_queries(self.points, end, *self.scale.frame_hw)
        if len(missed):
            self.source.warnings.append(
                f"The video ended after {end} frames, before {_named(missed)} could begin: not "
                "visible and without a position in every frame. The others were tracked."
            )

    def backwards(self, begins: NDArray[np.intp]) -> None:
        """Track points that began late through all frames before that, last frame first.

        This is the pass forwards over the video in reverse; only what is still missing is kept.
        """
        size, rows = self.tracker.size, np.flatnonzero((begins > 0) & (begins < _NEVER))
        if not len(rows):
            return
        queries = self.scale.to_model(self.points)[rows]
        newest = max(math.ceil(queries[:, 0].max()) + size.frames // 2, size.frames - 1)
        newest = min(newest, self.store.frames - 1)
        queries[:, 0] = newest - queries[:, 0]
        stitcher = Stitcher(queries, size)
        frames = self._reversed_frames(newest + 1, size.frames)
        with closing(self.tracker.windows(frames)) as ahead:
            for window in ahead:
                xy, confidence, new = self.tracker.track(stitcher, window)
                times = newest - np.arange(window.start, window.end)
                new &= times[None] < begins[rows, None]
                self._write(times, xy, confidence, new, rows)
                self._give_back()

    def _reversed_frames(self, end: int, block: int) -> Iterator[NDArray[np.uint8]]:
        for stop in range(end, 0, -block):
            yield from reversed(self.source.frames_between(max(0, stop - block), stop))

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
        values = self.store.values
        values[times[steps], where, :2] = self.scale.to_video(xy[points, steps])
        values[times[steps], where, 2] = confidence[points, steps]

    def _give_back(self) -> None:
        """After each window: what it leaves behind in memory that is not needed any more."""
        self.store.release()
        self.tracker.give_back()


def _named(points: NDArray[np.intp]) -> str:
    """``point 3``, or ``points 3, 4, 5 and 7 more``."""
    shown = ", ".join(str(point) for point in points[:_SHOWN].tolist())
    more = f" and {len(points) - _SHOWN} more" if len(points) > _SHOWN else ""
    return f"point{'s' if len(points) > 1 else ''} {shown}{more}"
