"""Footage of animated WebP and AVIF, whose frames FFmpeg passes over without a word.

GIF and animated PNG are read as any video. Of an AVIF, FFmpeg's first stream is its cover.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from locoexport.errors import PackageMissingError, VideoError
from locoexport.machine.limits import FRAME_PIXELS
from locoexport.machine.reading.image_sizes import image_pixels
from locoexport.runtime.picture.streams import ffmpeg_threads
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["animation_footage", "animation_kind"]

_HEAD_BYTES = 64
_ANIMATED = 0x02
"""The flag of WebP's extended header (VP8X) that says that there are frames."""


def animation_kind(path: Path) -> str | None:
    """``webp`` or ``avif`` for a file that is an animation of that kind; None for any other."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return None
    if (
        head[:4] == b"RIFF"
        and head[8:16] == b"WEBPVP8X"
        and len(head) > 20
        and head[20] & _ANIMATED
    ):
        return "webp"
    return "avif" if head[4:12] == b"ftypavis" else None


def animation_footage(path: Path, kind: str) -> Footage:
    """The frames of an animated WebP or AVIF, at the times that they are shown.

    Raises:
        VideoError: it is damaged, or its frames are over the limit.
        PackageMissingError: it is a WebP and Pillow is not installed, or an AVIF and this FFmpeg
            has no decoder of AV1.
    """
    return _webp_footage(path) if kind == "webp" else _avif_footage(path)


def _webp_footage(path: Path) -> Footage:
    with open(path, "rb") as file:
        FRAME_PIXELS.check(image_pixels(file.read(_HEAD_BYTES)) or 0, path, VideoError)
    count, total_s = 0, 0.0
    try:
        reader = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise PackageMissingError(
            f"{path} is an animated WebP, which Pillow reads: pip install pillow. Or convert it to "
            "a GIF, an .mp4 or a folder of images."
        ) from error
    with _opened(reader, path) as image:
        count = int(getattr(image, "n_frames", 1))
    for duration_s, _ in _webp_frames(reader, path):
        total_s += duration_s
    fps = count / total_s if total_s > 0 else DEFAULT_FPS

    def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        time_s, index = 0.0, 0
        for duration_s, frame in _webp_frames(reader, path):
            yield (time_s if total_s > 0 else index / fps), frame
            time_s, index = time_s + duration_s, index + 1

    return Footage(timed, fps, count, rereadable=True)


def _webp_frames(reader: Any, path: Path) -> Iterator[tuple[float, Frame]]:
    """(seconds that it is shown, frame) of each, transparent pixels over black."""
    with _opened(reader, path) as image:
        for index in range(int(getattr(image, "n_frames", 1))):
            try:
                image.seek(index)
                frame = np.array(image.convert("RGB"), np.uint8)
            except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
                raise VideoError(
                    f"{path} is damaged: its frame {index} cannot be read ({error})."
                ) from error
            yield float(image.info.get("duration", 0)) / 1000, frame


def _opened(reader: Any, path: Path) -> Any:
    try:
        return reader.open(path, formats=("WEBP",))
    except (OSError, ValueError, SyntaxError, reader.DecompressionBombError) as error:
        raise VideoError(f"{path} cannot be read as an animated WebP ({error}).") from error


def _avif_footage(path: Path) -> Footage:
    if "libdav1d" not in av.codecs_available and "av1" not in av.codecs_available:
        raise PackageMissingError(
            f"{path} is an animated AVIF, and this FFmpeg (PyAV) has no decoder of AV1; install "
            "PyAV from PyPI, or convert the file to .mp4 or a folder of images."
        )
    count, fps = 0, DEFAULT_FPS
    with _container(path) as container:
        stream = _longest(container, path)
        count, fps = stream.frames, float(stream.average_rate or DEFAULT_FPS)

    def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        index = 0
        with _container(path) as container:
            stream = _longest(container, path)
            frames = container.decode(stream)
            while True:
                try:
                    frame = next(frames, None)
                    if frame is None:
                        return
                    image = frame.to_ndarray(format="rgb24")
                except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
                    raise VideoError(f"{path} is damaged after frame {index} ({error}).") from error
                known = frame.pts is not None and frame.time_base is not None
                yield float(frame.pts * frame.time_base) if known else index / fps, image
                index += 1

    return Footage(timed, fps, count or None, rereadable=True)


def _container(path: Path) -> Any:
    options = {"protocol_whitelist": "file", "max_pixels": str(FRAME_PIXELS.value)}
    try:
        return av.open(f"file:{path.resolve()}", format="mov", options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path} cannot be read as an animated AVIF ({error}).") from error


def _longest(container: Any, path: Path) -> Any:
    """The stream of the animation, not that of its cover or of its transparency."""
    if not container.streams.video:
        raise VideoError(f"{path} has no frames.")
    stream = max(container.streams.video, key=lambda each: (each.frames, -each.index))
    codec = stream.codec_context
    if codec is None:
        raise VideoError(f"{path} is coded in a way that is not known here.")
    FRAME_PIXELS.check(codec.width * codec.height, path, VideoError)
    codec.options = {"max_pixels": str(FRAME_PIXELS.value)}
    codec.thread_count = ffmpeg_threads()
    return stream
