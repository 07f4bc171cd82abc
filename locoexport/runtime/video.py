"""Reading clips and writing films: PyAV in, H.264 in mp4 out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.files import is_file, whole_file

__all__ = ["DEFAULT_FPS", "Clip", "read_clip", "write_mp4"]

DEFAULT_FPS = 25.0
"""Where a file does not tell its frame rate."""

_CRF = "18"
_BT709 = 1
_LIMITED_RANGE = 1


@dataclass(frozen=True, eq=False)
class Clip:
    """A decoded video.

    ``frames_rgb`` is uint8 (frames, height, width, 3), upright; ``fps`` the average rate in
    frames a second; ``warnings`` what was wrong with the file though it could be read.
    """

    frames_rgb: NDArray[np.uint8]
    fps: float
    warnings: tuple[str, ...] = ()


def read_clip(path: str | Path, *, max_frames: int | None = None) -> Clip:
    """Decode a video file, or the first frames of it, into memory.

    Rotation metadata is applied; grey, alpha and deep-colour frames become 8-bit RGB; frames
    that change size are scaled to the first one's. Of a damaged file the frames before the damage
    are returned, with a warning: frames after a gap would have the wrong index.

    Raises:
        VideoError: the file is missing, is not a video, or no frame of it can be decoded.
        UsageError: ``max_frames`` is below 1.
    """
    path = Path(path)
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"max_frames is {max_frames}; it must be at least 1.")
    if not is_file(path):
        raise VideoError(f"There is no video file {path}.")
    try:
        with av.open(str(path)) as container:
            return _decode(path, container, max_frames)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} cannot be read as a video ({error.strerror or error}). Check that it plays; "
            "`ffmpeg -i IN OUT.mp4` converts most files."
        ) from error


def write_mp4(path: str | Path, frames_rgb: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write frames as an mp4 that browsers play; an existing file is replaced.

    H.264, yuv420p, index first. An odd width or height is padded to an even one by repeating
    the last column or row.

    Args:
        path: the file to write.
        frames_rgb: uint8 (height, width, 3) each, all of one size; consumed one at a time.
        fps: frames a second.

    Raises:
        UsageError: ``fps`` is not a positive number.
        VideoError: there are no frames, or one is of another type or size than the first.
        OutputError: the file cannot be written.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"fps is {fps}; it must be a positive number.")
    # 1001: NTSC rates are whole multiples of 1/1001 (29.97… is 30000/1001).
    rate = Fraction(fps).limit_denominator(1001) or Fraction(1, 1001)
    with whole_file(path) as temporary:
        try:
            with av.open(
                str(temporary), "w", format="mp4", options={"movflags": "+faststart"}
            ) as container:
                _encode(container, frames_rgb, rate)
        except av.FFmpegError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _decode(path: Path, container: InputContainer, max_frames: int | None) -> Clip:
    if not container.streams.video:
        raise VideoError(f"{path} has no video stream; name a file that has one.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    frames: list[NDArray[np.uint8]] = []
    warnings: list[str] = []
    sizes: set[tuple[int, int]] = set()
    end_s = 0.0
    try:
        for frame in container.decode(stream):
            image = _upright_rgb(frame)
            sizes.add(image.shape[:2])
            if frames and image.shape != frames[0].shape:
                height, width = frames[0].shape[:2]
                image = _upright_rgb(frame, height, width)
            frames.append(image)
            if frame.pts is not None and frame.time_base is not None:
                end_s = float((frame.pts + frame.duration) * frame.time_base)
            if len(frames) == max_frames:
                break
    except av.FFmpegError as error:
        warnings.append(f"{path} is damaged after frame {len(frames)} ({error.strerror}).")
    if not frames:
        raise VideoError(f"{path} holds no frame that can be decoded. Check that it plays.")
    if len(sizes) > 1:
        warnings.append(f"{path}: frames change size; all were scaled to the first one's.")
    fps = _frame_rate(stream)
    missing_s = _duration_s(container, stream) - end_s
    if not warnings and len(frames) != max_frames and missing_s > 2 / fps:
        warnings.append(
            f"{path} ends {missing_s:.2f} s early: {len(frames)} frames could be read. "
            "The file was probably cut short."
        )
    return Clip(np.stack(frames), fps, tuple(warnings))


def _upright_rgb(
    frame: VideoFrame, height: int | None = None, width: int | None = None
) -> NDArray[np.uint8]:
    """A frame as uint8 (height, width, 3), turned as its rotation metadata asks."""
    quarter_turns = round(frame.rotation / 90)
    if quarter_turns % 2:
        height, width = width, height
    image = frame.to_ndarray(format="rgb24", height=height, width=width)
    return cast(NDArray[np.uint8], np.rot90(image, quarter_turns))


def _frame_rate(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else DEFAULT_FPS


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    """When the video ends, in seconds, as the file says; 0 where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # The whole file's duration may be that of a longer audio stream.
    if container.duration is not None and len(container.streams) == 1:
        return float(((container.start_time or 0) + container.duration) / av.time_base)
    return 0.0


def _encode(
    container: OutputContainer, frames_rgb: Iterable[NDArray[np.uint8]], rate: Fraction
) -> None:
    stream: VideoStream | None = None
    shape: tuple[int, ...] = ()
    for index, image in enumerate(frames_rgb):
        if stream is None:
            shape = image.shape
            stream = _add_stream(container, shape, rate)
        if image.dtype != np.uint8 or image.shape != shape:
            raise VideoError(
                f"Frame {index} is {image.dtype} of shape {image.shape}; all frames must be uint8 "
                f"of shape {shape}."
            )
        container.mux(stream.encode(_yuv_frame(image)))
    if stream is None:
        raise VideoError("There are no frames to write.")
    container.mux(stream.encode(None))


def _add_stream(container: OutputContainer, shape: tuple[int, ...], rate: Fraction) -> VideoStream:
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise VideoError(f"A frame has shape (height, width, 3), not {shape}.")
    stream = container.add_stream("libx264", rate=rate, options={"crf": _CRF})
    stream.height, stream.width = (size + size % 2 for size in shape[:2])
    stream.pix_fmt = "yuv420p"
    # Untagged films are shown as BT.601 by some players and as BT.709 by others.
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED_RANGE
    return stream


def _yuv_frame(image: NDArray[np.uint8]) -> VideoFrame:
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
