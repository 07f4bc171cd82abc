"""Which of a file's streams is the film: never its cover."""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from locoexport.errors import VideoError

__all__ = ["choose_stream"]

_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
"""Covers and previews: streams of images that players show beside the film or before it."""


def choose_stream(path: Path | str, container: InputContainer) -> VideoStream:
    """The film of a file that a player shows: the one flagged as default, the first otherwise.

    Raises:
        VideoError: there is none, or there are covers and previews alone.
    """
    streams = container.streams.video
    films = [stream for stream in streams if not stream.disposition & _PICTURE]
    if not streams:
        raise VideoError(f"{path} has no video stream; name a file that has one.")
    if not films:
        raise VideoError(
            f"{path} has no video stream but a cover picture (it is sound with an image attached); "
            "name a file that has one."
        )
    return next((film for film in films if film.disposition & Disposition.default), films[0])
