"""Which of a file's streams is the film, never its cover; and how many threads FFmpeg gets."""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from locoexport.errors import VideoError
from locoexport.machine.cores import restricted_threads

__all__ = ["AS_MANY_AS_CORES", "choose_stream", "ffmpeg_threads"]

AS_MANY_AS_CORES = 0
"""FFmpeg's own choice."""

_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
"""Covers and previews: streams of images that players show beside the film or before it."""


def choose_stream(path: Path | str, container: InputContainer) -> VideoStream:
    """The film of a file that a player shows: the one flagged as default, the first otherwise.

    Its decoder is told how many threads it gets, where that is not as many as it would take.

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
    film = next((film for film in films if film.disposition & Disposition.default), films[0])
    if film.codec_context is not None:
        film.codec_context.thread_count = ffmpeg_threads()
    return film


def ffmpeg_threads() -> int:
    """Threads for a decoder, an encoder, a filter or a conversion: FFmpeg heeds no quota itself."""
    return restricted_threads() or AS_MANY_AS_CORES
