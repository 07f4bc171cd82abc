"""A file of tracks → a file that another program reads. No torch, no onnx, no model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from locoexport.errors import InputError, UsageError
from locoexport.machine.writing.output_files import check_apart, check_output
from locoexport.notices import Listener, Notice, ignore
from locoexport.runtime.exchange.clip_facts import ClipFacts, count_clip_frames
from locoexport.runtime.exchange.formats import (
    FORMATS,
    TrackFormat,
    check_facts,
    export_tracks,
    find_format,
    format_of_suffix,
)
from locoexport.runtime.exchange.samples import seen
from locoexport.runtime.sources.images import stands_for_images
from locoexport.runtime.sources.named import is_live, name_of
from locoexport.runtime.sources.opening import NamedSource, open_video
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["ConvertReport", "convert_tracks"]

_OUTSIDE_SHARE = 0.5


@dataclass(frozen=True)
class ConvertReport:
    """What was written: from which file, in which format, with what of the clip."""

    tracks_file: Path
    output: Path
    format: TrackFormat
    points: int
    frames: int
    visible_share: float
    facts: ClipFacts
    warnings: tuple[str, ...]


def convert_tracks(
    tracks_file: str | Path,
    output: str | Path,
    *,
    to: str | None = None,
    video: NamedSource | None = None,
    facts: ClipFacts | None = None,
    force: bool = False,
    notify: Listener = ignore,
) -> ConvertReport:
    """Write tracks as a file of another program.

    Args:
        tracks_file: .npz, .json or .csv of ``track``, or a file of any format that can be read.
        output: the file to write.
        to: the format's name; None is what the suffix of ``output`` tells.
        video: the clip, images or animation that was tracked, which is asked for its size, frame
            rate and number of frames. Images have no rate: that of the tracks is taken.
        facts: what is known of the clip; it goes before what the clip says.
        force: replace an existing file.
        notify: is told of warnings.

    Raises:
        InputError: the tracks cannot be read.
        VideoError: the clip cannot be read.
        UsageError: no such format, it needs what nobody said of the clip, or the clip is a stream,
            which comes once.
        OutputError: the file cannot be written, or is one that is read.
        PackageMissingError: the format is written by a package that is not installed.
    """
    path, target = Path(tracks_file), Path(output)
    chosen = find_format(target, to)
    if chosen.is_own and facts is not None and facts.first_frame is not None:
        raise UsageError(
            "--first-frame is for other programs; in locoexport's own files frame 0 is first."
        )
    clip = None if video is None or is_live(video) else name_of(video)
    check_apart([("output", target)], [("the tracks", path), ("the clip", clip)])
    check_output(target, force=force)
    source = _source_format(path)
    known = _with_video(facts or ClipFacts(), video)
    assert source.read is not None
    tracks = source.read(path, known)
    said = facts is not None and facts.fps is not None
    # A rate that somebody said contradicts the times of the tracks.
    height, width = tracks.frame_hw or (None, None)
    known = replace(
        known,
        width=known.width or width,
        height=known.height or height,
        fps=known.fps or tracks.fps,
        time_s=None if said else tracks.time_s,
    )
    check_facts(known, chosen)
    if video is not None and known.frame_count is None and not chosen.is_own:
        known = replace(known, frame_count=count_clip_frames(open_video(video), tracks.frames))
    warnings = tuple([*_doubts_of_size(tracks, known), *_doubts_of_frames(tracks, known)])
    for text in warnings:
        notify(Notice(text, warning=True))
    export_tracks(target, tracks, known, chosen)
    share = float(tracks.visible.mean()) if tracks.visible.size else 0.0
    return ConvertReport(path, target, chosen, tracks.points, tracks.frames, share, known, warnings)


def _source_format(path: Path) -> TrackFormat:
    source = format_of_suffix(path)
    if source is None or source.read is None:
        readable = ", ".join(suffix for each in FORMATS if each.read for suffix in each.suffixes)
        raise InputError(f"{path}: tracks are read from {readable} files.")
    return source


def _with_video(facts: ClipFacts, video: NamedSource | None) -> ClipFacts:
    """What the clip says wherever ``facts`` says nothing."""
    if video is None:
        return facts
    if is_live(video):
        raise UsageError(
            f"{name_of(video)} can be read only once: give --size and --fps instead of --video."
        )
    source = open_video(video)
    height, width = source.frame_hw()
    return replace(
        facts,
        width=facts.width or width,
        height=facts.height or height,
        # The rate of images is a guess.
        fps=facts.fps or (None if stands_for_images(Path(name_of(video))) else source.fps),
        file_name=facts.file_name or Path(name_of(video)).name,
    )


def _doubts_of_size(tracks: Tracks, facts: ClipFacts) -> list[str]:
    """With another size than the clip's every point is wrong, in most formats."""
    given = facts.height, facts.width
    if tracks.frame_hw is not None and given != tracks.frame_hw:
        tracked = "{}x{}".format(*tracks.frame_hw)
        return [
            f"The tracks were measured in frames of {tracked}, but the clip has "
            f"{facts.height}x{facts.width} (HxW): the points will be at wrong positions."
        ]
    shown = seen(tracks)
    if facts.width is None or facts.height is None or not shown.any():
        return []
    xy = tracks.xy[shown]
    outside = float(np.mean((xy < 0).any(axis=1) | (xy > (facts.width, facts.height)).any(axis=1)))
    if outside <= _OUTSIDE_SHARE:
        return []
    size = f"{facts.height}x{facts.width}"
    return [f"{outside:.0%} of the visible points lie outside {size} (HxW); is that size right?"]


def _doubts_of_frames(tracks: Tracks, facts: ClipFacts) -> list[str]:
    """Tracks of a part of a clip begin at the wrong frame of it, where nobody says at which."""
    count = facts.frame_count
    if count is None or count == tracks.frames:
        return []
    found = f"The clip has {count} frames and the tracks have {tracks.frames}"
    if tracks.frames > count:
        return [f"{found}. Do they belong to that clip?"]
    if facts.first_frame is not None:
        return []
    return [f"{found}, which are placed on its first frames. --first-frame says where they begin."]
