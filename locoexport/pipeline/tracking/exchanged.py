"""The tracks file of ``track`` where another program is to read it, as its suffix tells."""

from __future__ import annotations

from pathlib import Path

from locoexport.notices import Listener, Notice
from locoexport.runtime.exchange.clip_facts import ClipFacts, count_clip_frames
from locoexport.runtime.exchange.formats import export_tracks, find_format, format_of_suffix
from locoexport.runtime.sources.named import is_live, name_of
from locoexport.runtime.sources.opening import NamedSource, open_video
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.selection import Selection

__all__ = ["is_for_another_program", "write_clip_tracks"]


def is_for_another_program(path: Path) -> bool:
    """Whether the file's name tells the format of another program."""
    told = format_of_suffix(path)
    return told is not None and not told.is_own


def write_clip_tracks(
    path: Path,
    tracks: Tracks,
    *,
    frame_hw: tuple[int, int],
    video: NamedSource,
    selection: Selection | None,
    notify: Listener,
) -> None:
    """Write tracks of a clip in the format that the file's name tells.

    Args:
        path: the file, whose name tells a format.
        tracks: of the clip.
        frame_hw: of the frames that were tracked.
        video: the clip, or whatever else was tracked.
        selection: which part of it was tracked; None is all.
        notify: is told where tracked frames are not the clip's.

    Raises:
        OutputError, PackageMissingError: see ``export_tracks``.
    """
    height, width = frame_hw
    count = tracks.frames
    if is_for_another_program(path):
        _warn_of_other_frames(path, selection, notify)
        if _ends_early(selection) and not is_live(video):
            count = count_clip_frames(open_video(video), count)
    name = Path(name_of(video)).name
    facts = ClipFacts(width, height, tracks.fps, tracks.time_s, count, name)
    export_tracks(path, tracks, facts, find_format(path))


def _ends_early(selection: Selection | None) -> bool:
    return selection is not None and (
        selection.end_s is not None or selection.max_frames is not None
    )


def _warn_of_other_frames(path: Path, selection: Selection | None, notify: Listener) -> None:
    """Another program lays tracks over the whole clip, whose frames it counts itself."""
    if selection is None or (selection.start_s == 0 and selection.stride == 1):
        return
    text = (
        f"{path} numbers the tracked frames; with --start or --stride these are not the clip's own "
        "numbers. Track the whole clip for another program, or convert a .npz with --first-frame."
    )
    notify(Notice(text, warning=True))
