"""A real clip and an exported file → tracks and an overlay. No torch, no onnx."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.shipped_model import shipped_model_path
from locoexport.errors import QueryError, UsageError
from locoexport.machine.stopwatch import Stopwatch
from locoexport.machine.writing.output_files import check_apart, check_output
from locoexport.notices import Listener, Notice, counted, ignore, noting
from locoexport.pipeline.tracking.exchanged import write_clip_tracks
from locoexport.pipeline.tracking.progress import make_counter, tell_of_reading
from locoexport.runtime.drawing.animation import check_animation_fits
from locoexport.runtime.drawing.film import check_film_path, drawn_film
from locoexport.runtime.drawing.sound import ClipSound, find_sound
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.exchange.formats import check_format_of
from locoexport.runtime.queries.sources import (
    AskedPoints,
    PointSources,
    collect_asked_points,
    join_points,
)
from locoexport.runtime.session.provider_options import USUAL_RUN, RunChoice
from locoexport.runtime.sources.named import is_live, name_of
from locoexport.runtime.sources.opening import NamedSource, open_video
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.window_effect import WindowingEffect, compare_tracks
from locoexport.runtime.tracking.window_tracker import INFERENCE
from locoexport.runtime.tracking.windows import DEFAULT_WINDOW
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.mp4 import SQUARE
from locoexport.runtime.video.selection import Selection

__all__ = ["DrawnOverlay", "TrackReport", "check_colours", "track_video"]

_DEFAULT_POINTS = "grid:8"


@dataclass(frozen=True)
class DrawnOverlay:
    """How an overlay was made: so many times as large, and its sound or the lack of it."""

    scale: int
    sound: ClipSound | None
    sound_left_out: str | None

    @classmethod
    def plan(
        cls,
        video: NamedSource,
        overlay: Path | None,
        source: FrameSource,
        selection: Selection | None,
        style: DrawingStyle,
        notify: Listener,
    ) -> DrawnOverlay | None:
        """For that overlay, if any, of that video; tells what a user may not expect.

        Raises:
            OutputError: an animation would be too large.
        """
        if overlay is None:
            return None
        height, width = source.frame_hw()
        scale = style.scale_for(height, width)
        check_animation_fits(overlay, source.frames_hint, (scale * height, scale * width))
        stride = 1 if selection is None else selection.stride
        sound, reason = None, None
        if isinstance(video, str | Path):
            sound, reason = find_sound(video, overlay, lambda: source.span_s, stride=stride)
        if reason is not None:
            notify(Notice(f"the overlay has no sound: {reason}"))
        if source.pixel_aspect() != SQUARE and overlay.suffix.lower() != ".mp4":
            notify(
                Notice(
                    f"the clip's pixels are not square, and a {overlay.suffix.lower()} cannot "
                    "record that: it will look too narrow or too wide (use .mp4)"
                )
            )
        if scale > 1 and style.scale is None:
            notify(
                Notice(
                    f"the overlay is drawn at {scale} times the clip's {width}x{height} pixels; "
                    "--scale 1 keeps that size"
                )
            )
        return cls(scale, sound, reason)


@dataclass(frozen=True)
class TrackReport:
    """What was tracked and written.

    ``seconds`` is the wall time of it all and ``inference_seconds`` the part inside ONNX Runtime;
    ``parts`` tells where the threads were meanwhile (seconds by name: they overlap, so their sum
    may exceed the wall time); ``first_frame_seconds`` is when the first tracked frames were there.
    ``windowing`` is the comparison with one window, if you chose ``compare_windows``;
    ``frames_repeated`` names the frames that stand for lost ones and show the one before.
    ``pixel_aspect`` is the width of a pixel to its height: coordinates and ``frame_hw`` count
    stored pixels, and players show each so much wider. ``drawn`` is of the overlay; ``choice`` says
    what the model ran on, and why; ``warnings`` were told on the way.
    """

    video: Path | str
    model: Path
    tracks: Tracks
    frame_hw: tuple[int, int]
    overlay: Path | None
    tracks_file: Path | None
    seconds: float
    inference_seconds: float
    first_frame_seconds: float
    parts: tuple[tuple[str, float], ...]
    windowing: WindowingEffect | None = None
    frames_repeated: tuple[int, ...] = ()
    pixel_aspect: Fraction = SQUARE
    drawn: DrawnOverlay | None = None
    choice: RunChoice = USUAL_RUN
    warnings: tuple[str, ...] = ()

    @property
    def outside_share(self) -> float:
        """The share of the wall time in which ONNX Runtime did not run, 0 to 1."""
        return 1 - self.inference_seconds / self.seconds


def track_video(
    video: NamedSource,
    model: str | Path | None = None,
    *,
    points: str | None = None,
    queries: Sequence[str] = (),
    query_file: str | Path | None = None,
    more_points: PointSources | None = None,
    overlay: str | Path | None = None,
    tracks_file: str | Path | None = None,
    provider: str | None = None,
    selection: Selection | None = None,
    window: int | None = None,
    memory: str | None = None,
    compare_windows: bool = False,
    style: DrawingStyle = OVERLAY_STYLE,
    force: bool = False,
    notify: Listener = ignore,
) -> TrackReport:
    """Track points through a clip; write an overlay video and a tracks file.

    Frames are decoded, tracked, drawn and dropped window by window, each in a thread of its own.
    Outputs appear at the end, whole; an interrupt leaves none.

    Args:
        video: a clip that PyAV can decode, a folder or pattern of images, ``-`` for stdin, or what
            ``runtime.sources.named`` has.
        model: a file written by ``locoexport export``; None is the one that the package ships.
        points: ``grid:N`` or ``grid:NxM``; ``grid:8`` where no query is given in any way.
        queries: ``t,y,x`` each, in pixels of the clip.
        query_file: .csv, .json or .npy.
        more_points: masks, features and whatever else ``PointSources`` has.
        overlay: an .mp4 (H.264, with the clip's sound), .gif or .webp to write, or None.
        tracks_file: .npz, .csv, .json, or the file of another program whose suffix tells it (see
            ``exchange.formats``), or None.
        provider: the execution provider, on which there is no fallback; None is the file's own
            choice (``locoexport tune`` makes one), which falls back to the CPU, else the CPU.
        selection: which part of the clip, every n-th frame, another size.
        window: frames a window; see ``PointTracker``.
        memory: like ``1GiB``; see ``PointTracker``.
        compare_windows: track the clip once more in one window (it has to fit into memory) and
            report what windows changed. Not in the times of the report.
        style: how the overlay is drawn.
        force: replace existing outputs, but never ``video``, ``model`` or ``query_file``.
        notify: is told of progress.

    Raises:
        OutputError: an output cannot or must not be written.
        VideoError: the clip cannot be read.
        QueryError: no points, or one that is not finite or outside the clip.
        ModelFileError: the file is missing, damaged or not ours.
        ProviderUnavailableError: the provider cannot be used here.
        UsageError: ``window``, ``memory`` or ``compare_windows`` do not fit the model.
    """
    watch = Stopwatch()
    warnings: list[str] = []
    notify, style = noting(warnings, notify), style.within(memory)
    model = shipped_model_path() if model is None else model
    check_colours(style)
    clip = None if is_live(video) else name_of(video)
    inputs = ("the clip", clip), ("the model", model), ("the query file", query_file)
    check_apart((("overlay", overlay), ("tracks", tracks_file)), inputs)
    film_path, tracks_path = _check_outputs(overlay, tracks_file, force)
    if compare_windows and is_live(video):
        raise UsageError(
            "--compare-windows reads a clip twice; a stream can be read only once. Record it first."
        )
    notify(Notice(f"reading {name_of(video)}"))
    source = open_video(video, selection)
    tell_of_reading(source, notify)
    with _open_tracker(source, watch, model, provider, window=window, memory=memory) as tracker:
        choice = tracker.model.choice
        notify(Notice(tracker.model.load_note, detail=True))
        if choice.warning:
            notify(Notice(choice.warning, warning=True))
        if compare_windows:
            _check_frames_dynamic(tracker)
        frame_hw = source.frame_hw()
        asked = _collect_queries(source, points, queries, query_file, more_points)
        drawn = DrawnOverlay.plan(video, film_path, source, selection, style, notify)
        tracks = _track_and_draw(
            *(tracker, source, asked.query_points_tyx, film_path, drawn),
            style=style,
            watch=watch,
            notify=notify,
        )
        tracks = replace(tracks, object_ids=asked.object_ids)
    stop = getattr(video, "stop", None)
    if stop is not None and stop.is_set():
        source.warnings.append(
            f"Interrupted: the {tracks.frames} frames that arrived before were tracked, and their "
            "tracks are kept."
        )
    for warning in source.warnings:
        notify(Notice(warning, warning=True))
    if tracks_path is not None:
        with watch.timed("writing tracks"):
            write_clip_tracks(
                *(tracks_path, tracks),
                frame_hw=frame_hw,
                video=video,
                selection=selection,
                notify=notify,
            )
    report = TrackReport(
        video=name_of(video),
        model=Path(model),
        tracks=tracks,
        frame_hw=frame_hw,
        overlay=film_path,
        tracks_file=tracks_path,
        seconds=watch.wall,
        inference_seconds=watch.seconds(INFERENCE),
        first_frame_seconds=watch.first("first tracked frame") or watch.wall,
        parts=watch.shares(),
        frames_repeated=source.frames_repeated,
        pixel_aspect=source.pixel_aspect(),
        drawn=drawn,
        choice=choice,
        warnings=tuple(warnings),
    )
    if not compare_windows:
        return report
    notify(Notice(f"tracking {counted(tracks.frames, 'frame')} in one window"))
    again = open_video(video, selection)
    return replace(report, windowing=_compare_to_one_window(tracks, again, model, provider))


def _check_outputs(
    overlay: str | Path | None, tracks_file: str | Path | None, force: bool
) -> tuple[Path | None, Path | None]:
    film = None if overlay is None else check_output(overlay, force=force)
    if film is not None:
        check_film_path(film)
    if tracks_file is None:
        return film, None
    return film, check_output(check_format_of(tracks_file), force=force)


def check_colours(style: DrawingStyle) -> None:
    """Raises UsageError where points without objects are to be coloured by these."""
    if style.colour == "object":
        raise UsageError(
            "--colour object is for objects; colour by query or confidence, or ask `locoexport "
            "track` for objects with --detect or --boxes."
        )


def _check_frames_dynamic(tracker: PointTracker) -> None:
    fixed = tracker.model.fixed_frames
    if fixed is not None:
        raise UsageError(
            f"{tracker.model.path} is fixed to {fixed} frames; windows can be compared to one "
            "window with a file that takes any number (export --frames dynamic)."
        )


@contextmanager
def _open_tracker(
    source: FrameSource,
    watch: Stopwatch,
    model: str | Path,
    provider: str | None,
    *,
    window: int | None,
    memory: str | None,
) -> Iterator[PointTracker]:
    """Open the model while the first window is decoded, which takes about as long."""

    def open_model() -> PointTracker:
        with watch.timed("opening the model"):
            return PointTracker(model, provider, window=window, memory=memory)

    with ThreadPoolExecutor(1) as opening:
        opened = opening.submit(open_model)
        # Under a limit of memory nobody knows yet how many frames there is room for.
        if memory is None:
            with watch.timed("decode"):
                source.read_early(window or DEFAULT_WINDOW)
        tracker = opened.result()
    with tracker:
        yield tracker


def _collect_queries(
    source: FrameSource,
    points: str | None,
    queries: Sequence[str],
    query_file: str | Path | None,
    more: PointSources | None,
) -> AskedPoints:
    frame_hw = source.frame_hw()
    if points is None and not queries and query_file is None and more is None:
        points = _DEFAULT_POINTS
    file = None if query_file is None else Path(query_file)
    named = PointSources(points, tuple(queries), file)
    asked = [
        collect_asked_points(sources, *frame_hw, source.first_frame)
        for sources in (named, more)
        if sources is not None
    ]
    together = join_points(asked)
    if not len(together.query_points_tyx):
        raise QueryError("There are no query points to track.")
    return together


def _track_and_draw(
    tracker: PointTracker,
    source: FrameSource,
    query_points_tyx: NDArray[np.float32],
    film_path: Path | None,
    drawn: DrawnOverlay | None,
    *,
    style: DrawingStyle,
    watch: Stopwatch,
    notify: Listener,
) -> Tracks:
    with drawn_film(
        *(film_path, source.fps, watch),
        pixel_aspect=source.pixel_aspect(),
        style=style,
        sound=None if drawn is None else drawn.sound,
        notify=notify,
    ) as sink:
        return tracker.track(
            source,
            query_points_tyx,
            progress=partial(make_counter(notify), "tracking frames"),
            sink=sink,
            watch=watch,
        )


def _compare_to_one_window(
    tracks: Tracks, source: FrameSource, model: str | Path, provider: str | None
) -> WindowingEffect:
    with PointTracker(model, provider, window=max(2, tracks.frames)) as tracker:
        return compare_tracks(tracks, tracker.track(source, tracks.query_points))
