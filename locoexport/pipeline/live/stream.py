"""A stream and a live export → points answered frame by frame, as they come. No torch, no onnx."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import StoppedError
from locoexport.machine.interruption import ending_softly
from locoexport.machine.writing.output_files import check_output
from locoexport.notices import Listener, Notice, counted, ignore, noting
from locoexport.pipeline.live.lines import AnswerLines, check_lines_target, open_lines
from locoexport.pipeline.live.objects import LiveDetection, LiveObjects
from locoexport.pipeline.live.points import LivePoints
from locoexport.runtime.drawing.film import check_film_path, open_film
from locoexport.runtime.drawing.live import LivePainter
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.drawing.window import ShownWindow, WindowEvents, check_display
from locoexport.runtime.live.feed import FedFrame, FrameFeed
from locoexport.runtime.live.tracker import LiveTracker, LiveTracks
from locoexport.runtime.sources.named import Camera, Url, name_of
from locoexport.runtime.sources.opening import NamedSource, open_video
from locoexport.runtime.video.background import Behind
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.selection import Selection

__all__ = ["LiveReport", "LiveRequest", "follow_live"]

_DEFAULT_POINTS = "grid:8"
_WAIT_S = 0.1
_WAIT_WITH_WINDOW_S = 0.01
_LATENCIES = 100_000
"""Of so many of the newest frames: a stream may never end."""
_RATE_OVER = 30
"""Frames over which the rate in the window is taken."""
_CLICKED_REACH = 0.05
"""Of the frame's diagonal: a click further from every point removes none."""


@dataclass(frozen=True)
class LiveRequest:
    """What is followed, and what becomes of the answers.

    Attributes:
        video: a clip, images, ``Camera``, ``Url`` or ``StandardInput``.
        points: with which it begins; ``grid:8`` where none and no objects are asked for.
        detection: objects to look for, or None.
        selection: which part of it.
        provider: the execution provider; there is no fallback.
        window: frames that are looked at; None is what the file is fixed to, or 8.
        target_fps: answers a second that are to be kept: fewer frames are looked at where pushes
            take longer; None asks for none.
        realtime: frames come no sooner than their times say, and those that come while one is
            answered are dropped. Cameras and rtsp are always read so.
        film: an .mp4, .gif or .webp to write, or None.
        lines: a file for a line of JSON a frame, ``-`` for stdout, or None.
        show: whether a window is opened.
        style: how the film and the window are drawn.
        force: replace files.
    """

    video: NamedSource
    points: LivePoints = field(default_factory=LivePoints)
    detection: LiveDetection | None = None
    selection: Selection = field(default_factory=Selection)
    provider: str = "cpu"
    window: int | None = None
    target_fps: float | None = None
    realtime: bool = False
    film: Path | None = None
    lines: str | None = None
    show: bool = False
    style: DrawingStyle = OVERLAY_STYLE
    force: bool = False

    @property
    def drops(self) -> bool:
        """Whether frames that come too soon are dropped."""
        return self.realtime or self._is_its_own_clock

    @property
    def paced(self) -> bool:
        """Whether frames are held back until their time."""
        return self.realtime and not self._is_its_own_clock

    @property
    def _is_its_own_clock(self) -> bool:
        return isinstance(self.video, Camera) or (
            isinstance(self.video, Url) and self.video.scheme.startswith("rtsp")
        )

    def check(self) -> None:
        """Check all that can be checked before a model is opened.

        Raises:
            OutputError: a file cannot be written, or is there already.
            MachineError: no window can be shown.
        """
        if self.film is not None:
            check_film_path(check_output(self.film, force=self.force))
        if self.lines is not None:
            check_lines_target(self.lines, force=self.force)
        if self.show:
            check_display()


@dataclass(frozen=True)
class LiveReport:
    """What was answered.

    ``came`` frames came, ``answered`` of them were answered, the others were dropped. ``seconds``
    is from the first frame to the last answer, ``latency_*_ms`` of a push, among the newest 100 000
    frames. ``points`` were followed at the end; ``window`` frames were looked at, the fewest where
    a target made them fewer, and ``behind`` answers took longer than the target allows.
    """

    video: Path | str
    model: Path
    frame_hw: tuple[int, int]
    came: int
    answered: int
    points: int
    window: int
    behind: int
    seconds: float
    latency_p50_ms: float
    latency_p95_ms: float
    film: Path | None
    lines: str | None
    interrupted: bool
    warnings: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Frames that came while another was answered."""
        return self.came - self.answered

    @property
    def fps(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0


def follow_live(
    request: LiveRequest, model: str | Path, *, notify: Listener = ignore
) -> LiveReport:
    """Follow points through a stream, each frame answered as it comes.

    It ends with the stream, with the window, or with Ctrl-C; what was answered is kept.

    Args:
        request: what is followed.
        model: a live export (``locoexport export --live``).
        notify: is told of progress and warnings.

    Raises:
        OutputError, UsageError, MachineError: the request cannot be met here.
        ModelFileError, ProviderUnavailableError: see ``LiveTracker``.
        VideoError, QueryError: see ``open_video`` and ``LivePoints``.
        StoppedError: it was interrupted before the first frame.
    """
    warnings: list[str] = []
    notify = noting(warnings, notify)
    request.check()
    objects = None if request.detection is None else request.detection.open()
    interrupted = threading.Event()
    with (
        LiveTracker(
            model, request.provider, request.window, target_fps=request.target_fps
        ) as tracker,
        _ended_softly(request.video, interrupted),
    ):
        notify(Notice(tracker.session.load_note, detail=True))
        notify(Notice(f"reading {name_of(request.video)}"))
        source = open_video(request.video, request.selection)
        run = _Run(request, tracker, objects, source, interrupted.is_set, notify)
        run.follow()
    for warning in source.warnings:
        notify(Notice(warning, warning=True))
    _tell_of_drops(run, request.target_fps, notify)
    p50_ms, p95_ms = np.percentile(run.latencies_ms, (50, 95)).tolist()
    return LiveReport(
        video=name_of(request.video),
        model=Path(model),
        frame_hw=run.frame_hw,
        came=run.came,
        answered=run.answered,
        points=run.points,
        window=run.window,
        behind=run.behind,
        seconds=run.seconds,
        latency_p50_ms=p50_ms,
        latency_p95_ms=p95_ms,
        film=request.film,
        lines=request.lines,
        interrupted=interrupted.is_set(),
        warnings=tuple(warnings),
    )


@contextmanager
def _ended_softly(video: NamedSource, interrupted: threading.Event) -> Iterator[None]:
    """A block in which the first Ctrl-C is the end of the stream."""
    stop = getattr(video, "stop", None)

    def end() -> None:
        interrupted.set()
        if stop is not None:
            stop.set()

    with ending_softly(end):
        yield


def _tell_of_drops(run: _Run, target_fps: float | None, notify: Listener) -> None:
    dropped = run.came - run.answered
    if dropped:
        paused = " or it was paused" if run.paused_s else ""
        text = f"{dropped} of {counted(run.came, 'frame')} arrived while another was being answered"
        text += f"{paused}, and were dropped; fewer points are faster"
        notify(Notice(text, warning=True))
    if run.behind:
        text = f"{run.behind} of {counted(run.answered, 'answer')} took longer than --target-fps "
        text += f"{target_fps:g} allows, even with a window of {run.window}; follow fewer points"
        notify(Notice(text, warning=True))


class _Run:
    """One stream being followed.

    Attributes:
        came, answered, behind: frames so far, and answers that took longer than allowed.
        window: the fewest frames that were looked at.
        points: that are followed.
        frame_hw: of the frames.
        seconds: since the first frame, without pauses, which are paused_s.
        latencies_ms: of the newest answers.
    """

    def __init__(
        self,
        request: LiveRequest,
        tracker: LiveTracker,
        objects: LiveObjects | None,
        source: FrameSource,
        is_interrupted: Callable[[], bool],
        notify: Listener,
    ) -> None:
        self._request, self._tracker, self._objects = request, tracker, objects
        self._source, self._notify = source, notify
        self._is_interrupted = is_interrupted
        self._is_paused = False
        self._newest: LiveTracks | None = None
        self._picture: NDArray[np.uint8] | None = None
        self._answered_s: deque[float] = deque(maxlen=_RATE_OVER)
        self.came = self.answered = self.behind = self.points = 0
        self.window = tracker.window
        self.seconds = self.paused_s = self._begun_s = 0.0
        self.frame_hw = (0, 0)
        self.latencies_ms: deque[float] = deque(maxlen=_LATENCIES)

    def follow(self) -> None:
        """Until the stream ends, or somebody ends it."""
        request = self._request
        try:
            first = self._source.first_frame()
        except Exception as error:
            if self._is_interrupted():
                raise StoppedError("Interrupted before the first frame came.") from error
            raise
        self.frame_hw = first.shape[0], first.shape[1]
        self._add_first_points(first)
        painter = LivePainter(self.frame_hw, request.style)
        feed = FrameFeed(self._source, drops=request.drops, paced=request.paced)
        with ExitStack() as stack:
            draw = self._open_film(stack)
            lines = stack.enter_context(open_lines(request.lines))
            window = stack.enter_context(ShownWindow()) if request.show else None
            stack.enter_context(feed)
            while not (self._is_interrupted() or feed.ended):
                heard_s = time.perf_counter()
                if window is not None and not self._heed(window, painter.scale):
                    break
                if self._is_paused:
                    self.paused_s += time.perf_counter() - heard_s
                    continue
                fed = feed.take(_WAIT_S if window is None else _WAIT_WITH_WINDOW_S)
                if fed is None:
                    continue
                tracks = self._answer(fed, lines)
                if draw is not None or window is not None:
                    self._picture = painter.paint(fed.rgb, tracks)
                if draw is not None and self._picture is not None:
                    draw((self._picture, fed.time_s))
                if window is not None and self._picture is not None:
                    window.show(self._picture, painter.scale, self._caption())
                if lines is not None and lines.unread:
                    self._notify(
                        Notice("the reader of the JSON lines closed the pipe", warning=True)
                    )
                    break
            self.came = feed.came
        self.points = len(self._tracker.ids)
        if not self.answered:
            raise StoppedError("Ended before the first frame was answered.")

    def _add_first_points(self, frame_rgb: NDArray[np.uint8]) -> None:
        points = self._request.points
        if not points.given and self._objects is None:
            points = LivePoints(_DEFAULT_POINTS)
        points_yx = points.collect_yx(frame_rgb)
        if len(points_yx):
            self._tracker.add(points_yx)

    def _open_film(
        self, stack: ExitStack
    ) -> Callable[[tuple[NDArray[np.uint8], float]], object] | None:
        """What takes drawn frames with their times; they are encoded in a thread."""
        path = self._request.film
        if path is None:
            return None
        source = self._source
        film = stack.enter_context(
            open_film(path, source.fps, None, self._notify, pixel_aspect=source.pixel_aspect())
        )

        def encode(drawn: tuple[NDArray[np.uint8], float]) -> None:
            film.write(*drawn)

        return stack.enter_context(Behind(encode, depth=2)).put

    def _answer(self, fed: FedFrame, lines: AnswerLines | None) -> LiveTracks:
        begun_s = time.perf_counter()
        objects, tracker = self._objects, self._tracker
        due = objects is not None and objects.is_due(self.answered)
        if objects is not None and due and not self.answered:
            objects.look(tracker, fed.rgb, None)
        tracks = tracker.push(fed.rgb)
        self.answered += 1
        self.behind += tracks.behind_ms > 0
        self.window = min(self.window, tracks.window)
        if self.answered == 1:
            self._begun_s = begun_s
        self._newest = tracks
        self.latencies_ms.append(tracks.latency_ms)
        self._answered_s.append(time.perf_counter())
        self.seconds = self._answered_s[-1] - self._begun_s - self.paused_s
        if lines is not None:
            owners = None if objects is None else objects.of_points(tracks.ids)
            lines.write(tracks, fed.number, fed.time_s, owners)
        if objects is not None and due and self.answered > 1:
            objects.look(tracker, fed.rgb, tracks)
        self._notify(
            Notice("answering frames", done=fed.number + 1, total=self._source.frames_hint)
        )
        return tracks

    def _heed(self, window: ShownWindow, scale: int) -> bool:
        """Do what was clicked; False where the window was closed."""
        events = window.events(_WAIT_S if self._is_paused else 0.0)
        self._is_paused ^= events.pause
        added = [yx for yx in events.added_yx if self._is_inside(yx)]
        if added:
            self._tracker.add(np.array(added, np.float32))
        for yx in events.removed_yx:
            self._remove_nearest(yx)
        if events.clear and len(self._tracker.ids):
            self._tracker.remove(self._tracker.ids)
            if self._objects is not None:
                self._objects.forget_points()
        if (events != WindowEvents() or self._is_paused) and self._picture is not None:
            self._mark(added, scale)
            window.show(self._picture, scale, self._caption())
        return not events.quit

    def _is_inside(self, place_yx: tuple[float, float]) -> bool:
        return all(0 <= at <= size for at, size in zip(place_yx, self.frame_hw, strict=True))

    def _mark(self, added_yx: list[tuple[float, float]], scale: int) -> None:
        """A cross where a point was added, until the next frame draws it."""
        if self._picture is None:
            return
        for y, x in added_yx:
            row, column = int(y * scale), int(x * scale)
            self._picture[max(0, row - 4) : row + 5, max(0, column) : column + 1] = 255
            self._picture[max(0, row) : row + 1, max(0, column - 4) : column + 5] = 255

    def _remove_nearest(self, place_yx: tuple[float, float]) -> None:
        newest = self._newest
        if newest is None:
            return
        there = np.isin(newest.ids, self._tracker.ids)
        if there.any():
            away = np.hypot(*(newest.xy[there] - np.array(place_yx[::-1])).T)
            if away.min() <= _CLICKED_REACH * float(np.hypot(*self.frame_hw)):
                self._tracker.remove([int(newest.ids[there][away.argmin()])])

    def _caption(self) -> str:
        times = self._answered_s
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        state = "paused" if self._is_paused else f"{rate:.1f}/s"
        return f"{counted(len(self._tracker.ids), 'point')}, {state}"
