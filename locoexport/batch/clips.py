"""Which files of a folder are clips."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from locoexport.errors import VideoError

__all__ = ["find_clip_tree", "find_clips"]

_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)


def find_clips(folder: Path) -> list[Path]:
    """The clips in a folder, by their suffix, in alphabetical order; folders in it are left out.

    Raises:
        VideoError: there is none, or the folder cannot be read.
    """
    try:
        clips = sorted(path for path in folder.iterdir() if _is_clip(path))
    except OSError as error:
        raise VideoError(f"Cannot read {folder}: {error.strerror or error}.") from error
    return _not_none(clips, folder)


def find_clip_tree(folder: Path, left_out: Path) -> list[Path]:
    """The clips in a folder and in all folders below it, by their suffix, in alphabetical order.

    What is hidden (``.name``) is left out, and so is a film that tracking wrote: ``x.tracked.mp4``
    beside ``x.tracks.npz`` or ``x.done.json``. Links are followed, but not to a folder that holds
    ``folder``; a folder is read once, under its own name rather than a link's.

    Args:
        folder: where to begin; it may be hidden itself.
        left_out: a folder that is not read, if it lies in there.

    Raises:
        VideoError: there is none, or one of the folders cannot be read.
    """
    clips: list[Path] = []
    read = {_real(left_out), *map(str, Path(_real(folder)).parents)}
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        here = folders.popleft() if folders else links.popleft()
        if _real(here) in read:
            continue
        read.add(_real(here))
        try:
            entries = sorted(here.iterdir())
            for path in entries:
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    (links if path.is_symlink() else folders).append(path)
                elif _is_clip(path) and not _was_written_here(path):
                    clips.append(path)
        except OSError as error:
            raise VideoError(f"Cannot read {here}: {error.strerror or error}.") from error
    return _not_none(sorted(clips), folder)


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def _was_written_here(path: Path) -> bool:
    stem = path.name.removesuffix(".tracked.mp4")
    beside = (path.with_name(stem + kind) for kind in (".tracks.npz", ".done.json"))
    return stem != path.name and any(other.is_file() for other in beside)


def _real(folder: Path) -> str:
    return os.path.realpath(folder)


def _not_none(clips: list[Path], folder: Path) -> list[Path]:
    if not clips:
        raise VideoError(f"{folder} holds no clip ({', '.join(_SUFFIXES)}).")
    return clips
