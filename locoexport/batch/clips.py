"""Which files of a folder are clips."""

from __future__ import annotations

from pathlib import Path

from locoexport.errors import VideoError

__all__ = ["find_clips"]

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
        clips = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
    except OSError as error:
        raise VideoError(f"Cannot read {folder}: {error.strerror or error}.") from error
    if not clips:
        raise VideoError(f"{folder} holds no clip ({', '.join(_SUFFIXES)}).")
    return clips
