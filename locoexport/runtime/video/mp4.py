"""Writing films: H.264 in mp4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.picture.addresses import file_address
from locoexport.runtime.picture.streams import ffmpeg_threads

__all__ = ["SQUARE", "Mp4Writer", "write_mp4"]

_CRF = "18"
_PRESET, _X264 = "veryfast", "bframes=0:me=dia:weightp=0"
"""10.2 ms of processor time a 720p frame; x264's own choice takes three times as long. Without
B-frames a film is smaller and nearer to the frames as well. The smallest search for motion takes a
sixth of the time away and changes nothing else: sizes by 0.1 to 0.4 %, 0.02 dB at most."""
_CLOCK_HZ = 90000
_ROUNDED_S = 6e-4
SQUARE = Fraction(1)
"""The aspect of pixels as high as wide."""
_BT709 = 1
_LIMITED_RANGE = 1


def write_mp4(
    path: str | Path,
    frames_rgb: Iterable[NDArray[np.uint8]],
    fps: float,
    time_s: NDArray[np.float64] | None = None,
    *,
    pixel_aspect: Fraction = SQUARE,
) -> None:
    """Write frames as an mp4 that browsers play; see ``Mp4Writer`` for what and what it raises.

    ``time_s`` says when each frame is shown, float64 (frames,), rising; None is ``fps`` a second.
    """
    with Mp4Writer(path, fps, pixel_aspect=pixel_aspect) as film:
        for index, image in enumerate(frames_rgb):
            film.write(image, None if time_s is None else float(time_s[index]))


class Mp4Writer:
    """An mp4 that browsers play, written frame by frame; it appears when the block ends well.

    H.264, yuv420p, index first. An odd width or height is padded to an even one by repeating
    the last column or row. An existing file is replaced. Frames whose times are told are shown at
    these, counted from the first one's; the last one is shown for as long as the others on average.
    """

    def __init__(self, path: str | Path, fps: float, *, pixel_aspect: Fraction = SQUARE) -> None:
        """``fps`` is frames a second, on average where times are told; ``pixel_aspect`` the width
        of a pixel to its height.

        Raises:
            UsageError: it is not a positive number.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"fps is {fps}; it must be a positive number.")
        self._path = path
        # 1001: NTSC rates are whole multiples of 1/1001 (29.97… is 30000/1001).
        self._rate = Fraction(fps).limit_denominator(1001) or Fraction(1, 1001)
        # Films hold small numbers, and 16 bits of each in a stream.
        self._pixel_aspect = pixel_aspect.limit_denominator(1000)
        self._stack = ExitStack()
        self._stream: VideoStream | None = None
        # One for all frames: making its tables anew costs as much as a 720p frame's conversion.
        self._reformatter = VideoReformatter()
        self._threads = ffmpeg_threads()
        self._shape: tuple[int, ...] = ()
        self._count = 0
        # A multiple of the rate, so that a constant one stays exact, and fine enough for any other.
        finer = math.ceil(_CLOCK_HZ / self._rate.numerator)
        self._tick_s = Fraction(1, self._rate.numerator * finer)
        self._origin_s: float | None = None
        self._last_tick = -1
        # Only of the last packet the film needs to be told how long it is shown.
        self._held: Packet[VideoStream] | None = None

    def write(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Add a frame, uint8 (height, width, 3), shown at that time, or one step after the last.

        Raises:
            VideoError: it is of another type or size than the first.
            OutputError: the file cannot be written.
        """
        if self._stream is None:
            self._shape = image.shape
            self._stream = _add_stream(self._container, self._shape, self._rate, self._tick_s)
            self._stream.codec_context.sample_aspect_ratio = self._pixel_aspect
            self._stream.codec_context.thread_count = self._threads
        if image.dtype != np.uint8 or image.shape != self._shape:
            raise VideoError(
                f"Frame {self._count} is {image.dtype} of shape {image.shape}; all frames must be "
                f"uint8 of shape {self._shape}."
            )
        frame = _yuv_frame(image, self._reformatter, self._threads)
        frame.time_base = self._tick_s
        frame.pts = self._last_tick = self._tick_of(time_s)
        self._count += 1
        with self._explained():
            self._mux(self._stream.encode(frame))

    def _tick_of(self, time_s: float | None) -> int:
        step = int(1 / (self._rate * self._tick_s))
        if self._last_tick < 0:
            self._origin_s = time_s
            return 0
        if time_s is None or self._origin_s is None:
            return self._last_tick + step
        exact = (time_s - self._origin_s) / float(self._tick_s)
        # Times that were rounded to thousandths of a second are those of a constant rate.
        if abs(exact - (self._last_tick + step)) * float(self._tick_s) <= _ROUNDED_S:
            return self._last_tick + step
        return max(round(exact), self._last_tick + 1)

    def _mux(self, packets: Iterable[Packet[VideoStream]]) -> None:
        for packet in packets:
            if self._held is not None:
                self._container.mux(self._held)
            self._held = packet

    def _finish(self) -> None:
        assert self._stream is not None
        self._mux(self._stream.encode(None))
        if self._held is not None:
            step_s = 1 / self._rate
            if self._count > 1:
                step_s = self._last_tick * self._tick_s / (self._count - 1)
            self._held.duration = round(step_s / self._tick_s)
            self._container.mux(self._held)

    def __enter__(self) -> Mp4Writer:
        """Open a temporary file beside the path."""
        temporary = self._stack.enter_context(whole_file(self._path))
        with self._explained():
            self._container = self._stack.enter_context(
                av.open(
                    file_address(temporary), "w", format="mp4", options={"movflags": "+faststart"}
                )
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the film and put it in its place, or remove what was written.

        Raises:
            VideoError: there were no frames.
            OutputError: the file cannot be written.
        """
        if error is None and self._stream is None:
            error = VideoError("There are no frames to write.")
            kind = type(error)
            self._stack.__exit__(kind, error, None)
            raise error
        if error is None and self._stream is not None:
            try:
                with self._explained():
                    self._finish()
            except OutputError as failure:
                self._stack.__exit__(type(failure), failure, None)
                raise
        with self._explained():
            self._stack.__exit__(kind, error, trace)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise OutputError(f"Cannot write {self._path}: {error.strerror or error}.") from error


def _add_stream(
    container: OutputContainer, shape: tuple[int, ...], rate: Fraction, tick_s: Fraction
) -> VideoStream:
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise VideoError(f"A frame has shape (height, width, 3), not {shape}.")
    options = {"crf": _CRF, "preset": _PRESET, "x264-params": _X264}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = (size + size % 2 for size in shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = tick_s
    # Untagged films are shown as BT.601 by some players and as BT.709 by others.
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED_RANGE
    return stream


def _yuv_frame(image: NDArray[np.uint8], reformatter: VideoReformatter, threads: int) -> VideoFrame:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return reformatter.reformat(
        frame,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=threads,
    )
