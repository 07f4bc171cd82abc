"""Reading clips and writing films: PyAV in, H.264 in mp4 out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.machine.output_files import is_file, whole_file

__all__ = ["DEFAULT_FPS", "Clip", "VideoReader", "read_clip", "write_mp4"]

DEFAULT_FPS = 25.0
"""Where a file does not tell its frame rate."""

_CRF = "18"
_PRESET, _X264 = "veryfast", "bframes=0"
"""18 ms of processor time a 720p frame in place of 56 for x264's own choice. Without B-frames the
film is smaller and nearer to the frames as well: 1.13 MB and 45.0 dB, with them 1.29 and 43.6."""
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

    Raises:
        VideoError: the file is missing, is not a video, or no frame of it can be decoded.
        UsageError: ``max_frames`` is below 1.
    """
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"max_frames is {max_frames}; it must be at least 1.")
    reader = VideoReader(path)
    frames = [image for _, image in itertools.islice(reader.frames(), max_frames)]
    return Clip(np.stack(frames), reader.fps, tuple(reader.warnings))


class VideoReader:
    """A video file, decoded frame by frame as often as one likes.

    Rotation metadata is applied; grey, alpha and deep-colour frames become 8-bit RGB; frames
    that change size are scaled to the first one's. Of a damaged file the frames before the damage
    are given, with a warning: frames after a gap would have the wrong index.

    Attributes:
        fps: the average rate in frames a second.
        frames_hint: how many frames the file says it has; None where it does not say.
        warnings: what was wrong so far with the file though it could be read.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file once, to see that it is a video.

        Raises:
            VideoError: the file is missing or is not a video.
        """
        self.path = Path(path)
        self.warnings: list[str] = []
        self.fps = DEFAULT_FPS
        self.frames_hint: int | None = None
        self._shape: tuple[int, ...] = ()
        if not is_file(self.path):
            raise VideoError(f"There is no video file {self.path}.")
        with self._opened() as container:
            stream = _video_stream(self.path, container)
            self.fps = _frame_rate(stream)
            self.frames_hint = stream.frames or None

    def frames(self, seek_s: float | None = None) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """(time in seconds, uint8 (height, width, 3)) of every frame.

        Args:
            seek_s: begin at the last point before that time where decoding can begin.

        Raises:
            VideoError: there is no frame that can be decoded.
        """
        with self._opened() as container:
            stream = _video_stream(self.path, container)
            stream.thread_type = "AUTO"
            if seek_s is not None and stream.time_base is not None:
                container.seek(int(seek_s / stream.time_base), stream=stream)
            yield from self._decoded(container, stream)

    @contextmanager
    def _opened(self) -> Iterator[InputContainer]:
        try:
            with av.open(str(self.path)) as container:
                yield container
        except (av.FFmpegError, OSError) as error:
            raise VideoError(
                f"{self.path} cannot be read as a video ({error.strerror or error}). Check that it "
                "plays; `ffmpeg -i IN OUT.mp4` converts most files."
            ) from error

    def _decoded(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        count, end_s, damaged = 0, 0.0, False
        decoder = container.decode(stream)
        while True:
            try:
                frame = next(decoder, None)
                image = None if frame is None else self._image(frame)
            except av.FFmpegError as error:
                self._warn(f"{self.path} is damaged after frame {count} ({error.strerror}).")
                damaged = True
                break
            if frame is None or image is None:
                break
            time_s = count / self.fps
            if frame.pts is not None and frame.time_base is not None:
                time_s = float(frame.pts * frame.time_base)
                end_s = float((frame.pts + frame.duration) * frame.time_base)
            count += 1
            yield time_s, image
        if not count:
            raise VideoError(
                f"{self.path} holds no frame that can be decoded. Check that it plays."
            )
        missing_s = _duration_s(container, stream) - end_s
        if not damaged and not self.warnings and missing_s > 2 / self.fps:
            self._warn(
                f"{self.path} ends {missing_s:.2f} s early: {count} frames could be read. "
                "The file was probably cut short."
            )

    def _image(self, frame: VideoFrame) -> NDArray[np.uint8]:
        image = _upright_rgb(frame)
        if self._shape and image.shape != self._shape:
            self._warn(f"{self.path}: frames change size; all were scaled to the first one's.")
            image = _upright_rgb(frame, *self._shape[:2])
        self._shape = self._shape or image.shape
        return image

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def write_mp4(path: str | Path, frames_rgb: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write frames as an mp4 that browsers play; see ``Mp4Writer`` for what and what it raises."""
    with Mp4Writer(path, fps) as film:
        for image in frames_rgb:
            film.write(image)


class Mp4Writer:
    """An mp4 that browsers play, written frame by frame; it appears when the block ends well.

    H.264, yuv420p, index first. An odd width or height is padded to an even one by repeating
    the last column or row. An existing file is replaced.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        """``fps`` is frames a second.

        Raises:
            UsageError: it is not a positive number.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"fps is {fps}; it must be a positive number.")
        self._path = path
        # 1001: NTSC rates are whole multiples of 1/1001 (29.97… is 30000/1001).
        self._rate = Fraction(fps).limit_denominator(1001) or Fraction(1, 1001)
        self._stack = ExitStack()
        self._stream: VideoStream | None = None
        # One for all frames: making its tables anew costs as much as a 720p frame's conversion.
        self._reformatter = VideoReformatter()
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def write(self, image: NDArray[np.uint8]) -> None:
        """Add a frame, uint8 (height, width, 3).

        Raises:
            VideoError: it is of another type or size than the first.
            OutputError: the file cannot be written.
        """
        if self._stream is None:
            self._shape = image.shape
            self._stream = _add_stream(self._container, self._shape, self._rate)
        if image.dtype != np.uint8 or image.shape != self._shape:
            raise VideoError(
                f"Frame {self._count} is {image.dtype} of shape {image.shape}; all frames must be "
                f"uint8 of shape {self._shape}."
            )
        self._count += 1
        with self._explained():
            self._container.mux(self._stream.encode(_yuv_frame(image, self._reformatter)))

    def __enter__(self) -> Mp4Writer:
        """Open a temporary file beside the path."""
        temporary = self._stack.enter_context(whole_file(self._path))
        with self._explained():
            self._container = self._stack.enter_context(
                av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"})
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
                    self._container.mux(self._stream.encode(None))
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


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise VideoError(f"{path} has no video stream; name a file that has one.")
    return container.streams.video[0]


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


def _add_stream(container: OutputContainer, shape: tuple[int, ...], rate: Fraction) -> VideoStream:
    if len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise VideoError(f"A frame has shape (height, width, 3), not {shape}.")
    options = {"crf": _CRF, "preset": _PRESET, "x264-params": _X264}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = (size + size % 2 for size in shape[:2])
    stream.pix_fmt = "yuv420p"
    # Untagged films are shown as BT.601 by some players and as BT.709 by others.
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = _LIMITED_RANGE
    return stream


def _yuv_frame(image: NDArray[np.uint8], reformatter: VideoReformatter) -> VideoFrame:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return reformatter.reformat(
        frame,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
