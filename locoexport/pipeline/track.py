"""A real clip and an exported file → tracks and an overlay. No torch, no onnx."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from locoexport.errors import OutputError, QueryError
from locoexport.files import check_output
from locoexport.pipeline.notices import Listener, Notice, ignore
from locoexport.runtime.overlay import draw_tracks
from locoexport.runtime.point_sources import PointSources, collect_points
from locoexport.runtime.queries import (
    check_queries,
    parse_points,
    parse_query,
    read_queries,
)
from locoexport.runtime.tracker import PointTracker
from locoexport.runtime.tracks import Tracks, check_tracks_path, write_tracks
from locoexport.runtime.video import Clip, read_clip, write_mp4

__all__ = ["TrackReport", "track_video"]

_DEFAULT_POINTS = "grid:8"


@dataclass(frozen=True)
class TrackReport:
    """What was tracked and written; ``seconds`` is all of it, ``tracking_seconds`` the model."""

    video: Path
    model: Path
    tracks: Tracks
    frame_hw: tuple[int, int]
    overlay: Path | None
    tracks_file: Path | None
    tracking_seconds: float
    seconds: float


def track_video(
    video: str | Path,
    model: str | Path,
    *,
    points: str | None = None,
    queries: Sequence[str] = (),
    query_file: str | Path | None = None,
    more_points: PointSources | None = None,
    overlay: str | Path | None = None,
    tracks_file: str | Path | None = None,
    provider: str = "cpu",
    force: bool = False,
    notify: Listener = ignore,
) -> TrackReport:
    """Track points through a clip; write an overlay video and a tracks file.

    Args:
        video: a clip that PyAV can decode.
        model: a file written by ``locoexport export``.
        points: ``grid:N`` or ``grid:NxM``; ``grid:8`` where no query is given in any way.
        queries: ``t,y,x`` each, in pixels of the clip.
        query_file: .csv, .json or .npy.
        more_points: masks, features and whatever else ``PointSources`` has.
        overlay: an .mp4 to write (H.264), or None.
        tracks_file: .npz, .csv or .json, or None.
        provider: the execution provider; there is no fallback.
        force: replace existing outputs.
        notify: is told of progress.

    Raises:
        OutputError, VideoError, QueryError, ModelFileError, ProviderUnavailableError: see each.
    """
    started = time.perf_counter()
    if overlay is not None:
        overlay = check_output(overlay, force=force)
        if overlay.suffix.lower() != ".mp4":
            raise OutputError(f"{overlay}: the overlay is written as .mp4; name it so.")
    if tracks_file is not None:
        tracks_file = check_output(check_tracks_path(tracks_file), force=force)
    notify(Notice(f"reading {video}"))
    clip = read_clip(video)
    for warning in clip.warnings:
        notify(Notice(warning, warning=True))
    query_points_tyx = _collect_queries(clip, points, queries, query_file, more_points)
    with PointTracker(model, provider) as tracker:
        tracking_started = time.perf_counter()
        tracks = tracker.track(clip, query_points_tyx, progress=_counter("tracking points", notify))
        tracking_seconds = time.perf_counter() - tracking_started
    if overlay is not None:
        notify(Notice(f"drawing {overlay}"))
        write_mp4(overlay, draw_tracks(clip.frames_rgb, tracks), clip.fps)
    if tracks_file is not None:
        write_tracks(tracks_file, tracks)
    height, width = clip.frames_rgb.shape[1:3]
    return TrackReport(
        video=Path(video),
        model=Path(model),
        tracks=tracks,
        frame_hw=(height, width),
        overlay=overlay,
        tracks_file=tracks_file,
        tracking_seconds=tracking_seconds,
        seconds=time.perf_counter() - started,
    )


def _collect_queries(
    clip: Clip,
    points: str | None,
    queries: Sequence[str],
    query_file: str | Path | None,
    more: PointSources | None,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    frames, height, width = clip.frames_rgb.shape[:3]
    collected = []
    if points is None and not queries and query_file is None and more is None:
        points = _DEFAULT_POINTS
    if points is not None:
        collected.append(parse_points(points).queries(height, width))
    if queries:
        collected.append(np.stack([parse_query(text) for text in queries]).reshape(-1, 3))
    if query_file is not None:
        collected.append(read_queries(query_file))
    if more is not None:
        collected.append(collect_points(more, height, width, lambda: clip.frames_rgb[0]))
    together = np.concatenate(collected).astype(np.float32)
    if not len(together):
        raise QueryError("There are no query points to track.")
    check_queries(together, frames, height, width)
    return together


def _counter(text: str, notify: Listener) -> Callable[[int, int], None]:
    def count(done: int, total: int) -> None:
        notify(Notice(text, done=done, total=total))

    return count
