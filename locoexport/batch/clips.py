"""Which files of a folder are clips, and which of its folders are clips of images."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from locoexport.errors import VideoError
from locoexport.runtime.sources.animations import animation_kind
from locoexport.runtime.sources.images import IMAGE_SUFFIXES

__all__ = ["find_clip_tree", "find_clips", "find_source_tree", "holds_images", "is_image"]

_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
_MAYBE_ANIMATED = (".webp", ".avif")


def find_clips(folder: Path) -> list[Path]:
    """The clips in a folder, by their suffix, in alphabetical order.

    Folders in it are left out. Where it holds no clip it is one itself if it holds images; else
    each of its folders that holds some is one.

    Raises:
        VideoError: there is none, or the folder cannot be read.
    """
    entries = _entries(folder)
    clips = [path for path in entries if _is_clip(path)]
    if not clips:
        shown = [path for path in entries if not path.name.startswith(".")]
        clips = [path for path in (folder, *shown) if path.is_dir() and holds_images(path)]
        clips = [folder] if folder in clips else clips
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
    return _not_none(_clips_below(folder, left_out), folder)


def find_source_tree(folder: Path, left_out: Path) -> list[Path]:
    """The clips of ``find_clip_tree``; where there is none, the folders below that hold images.

    Folders of images beside clips are taken for thumbnails and the like, and left out.

    Raises:
        VideoError: there is neither, or one of the folders cannot be read.
    """
    clips = _clips_below(folder, left_out)
    if not clips:
        below = (here for here, _ in _walk(folder, left_out) if here != folder)
        clips = sorted(here for here in below if holds_images(here))
    return _not_none(clips, folder)


def holds_images(folder: Path) -> bool:
    """Whether an image, and no animation, lies directly in a folder.

    Raises:
        VideoError: the folder cannot be read.
    """
    return any(is_image(path) for path in _entries(folder) if not path.name.startswith("."))


def is_image(path: Path) -> bool:
    """Whether it is a file of one image, and no animation."""
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES and path.is_file() and animation_kind(path) is None


def _clips_below(folder: Path, left_out: Path) -> list[Path]:
    found = (path for _, entries in _walk(folder, left_out) for path in entries)
    return sorted(path for path in found if _is_clip(path) and not _was_written_here(path))


def _walk(folder: Path, left_out: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder once, with what lies in it and is neither hidden nor a folder."""
    read = {_real(left_out), *map(str, Path(_real(folder)).parents)}
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        here = folders.popleft() if folders else links.popleft()
        if _real(here) in read:
            continue
        read.add(_real(here))
        files = []
        for path in _entries(here):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                (links if path.is_symlink() else folders).append(path)
            else:
                files.append(path)
        yield here, files


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise VideoError(f"Cannot read {folder}: {error.strerror or error}.") from error


def _is_clip(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in _MAYBE_ANIMATED:
        return path.is_file() and animation_kind(path) is not None
    return suffix in _SUFFIXES and path.is_file()


def _was_written_here(path: Path) -> bool:
    stem = path.name.removesuffix(".tracked.mp4")
    beside = (path.with_name(stem + kind) for kind in (".tracks.npz", ".done.json"))
    return stem != path.name and any(other.is_file() for other in beside)


def _real(folder: Path) -> str:
    return os.path.realpath(folder)


def _not_none(clips: list[Path], folder: Path) -> list[Path]:
    if not clips:
        raise VideoError(f"{folder} holds no clip ({', '.join(_SUFFIXES)}), and no images.")
    return clips
