"""Reading clips: PyAV in, uint8 RGB frames out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from locoexport.errors import UsageError, VideoError
from locoexport.machine.limits import FRAME_PIXELS
from locoexport.machine.reading.image_sizes import image_kind, image_pixels
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.decoding.damage import OnDamage, describe_beginning, describe_damage
from locoexport.runtime.decoding.frame_rate import DEFAULT_FPS, read_frame_rate, read_seconds
from locoexport.runtime.decoding.ledger import Ledger
from locoexport.runtime.decoding.watch import FrameWatch, Shown
from locoexport.runtime.picture.addresses import file_address, looks_like_url
from locoexport.runtime.picture.interlacing import deinterlace
from locoexport.runtime.picture.rgb import Pictures
from locoexport.runtime.picture.streams import choose_stream

__all__ = ["DEFAULT_FPS", "Clip", "FilmFrames", "VideoReader", "read_clip"]


_HEAD_BYTES = 1 << 16
_FAILURES = (av.FFmpegError, OSError, ValueError, OverflowError, MemoryError)
"""What PyAV raises over damaged files."""
_SEEK_EARLIER_S = (0.0, 2.0, 10.0)
"""How long before a frame decoding begins: indexes of .ts files are searched, and lead astray."""
_OFTEN = 2
"""An index that led astray so many times is not asked again."""
_FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "live_flv", "asf", "asf_o"),
    *("ogg", "ivf", "obu", "av1", "h261", "h263", "h264", "hevc", "vvc", "evc", "m4v", "vc1"),
    *("vc1test", "dirac", "dnxhd", "cavsvideo", "avs2", "avs3", "mjpeg", "mpjpeg", "mxf", "gxf"),
    *("nut", "nuv", "nsv", "rm", "ivr", "dv", "wtv", "swf", "yuv4mpegpipe", "ty", "pva", "dhav"),
    *("gif", "gif_pipe", "apng", "png_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "bmp_pipe"),
    *("jpegxl_anim", "tiff_pipe", "webp_pipe", "j2k_pipe", "ppm_pipe", "pgm_pipe", "pbm_pipe"),
    *("pam_pipe", "dpx_pipe", "exr_pipe", "hdr_pipe", "qoi_pipe", "sgi_pipe", "sunrast_pipe"),
    *("wav", "w64", "mp3", "flac", "aac", "ac3", "amr", "aiff", "au", "caf", "opus"),  # told apart
)
"""FFmpeg's names of containers that hold all that they show. Playlists, session descriptions and
numbered images are not among them: those name other files, or servers."""


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

    The file's display matrix (turns and mirrors) is applied; grey, alpha and deep-colour frames
    become 8-bit RGB; frames that change size are scaled to the first one's. Pixels that are not
    square stay as they are stored (``pixel_aspect``). Of a damaged file the frames before the
    damage are given, with a warning: frames after a gap would have the wrong index. With
    ``on_damage="continue"`` all are given, and the last good one in place of each that is lost.

    Attributes:
        fps: the average rate in frames a second, of the first ones where the file does not say.
        repeated_s: the times of frames that stand for lost ones, as far as was read.
        frames_hint: how many frames the file says it has; None where it does not say.
        start_s: when the file begins, sound included: the zero of FFmpeg's own clock.
        end_s: when the last frame ends that was read.
        warnings: what was wrong so far with the file though it could be read.
        ended_early: whether frames behind the last one read are lost.
    """

    def __init__(
        self, path: str | Path, on_damage: OnDamage = "stop", *, deinterlaced: bool = False
    ) -> None:
        """Open the file once, to see that it is a video.

        ``on_damage`` says whether a damaged file ends before the damage, or goes on behind it;
        ``deinterlaced`` makes frames of one time of interlaced ones; see ``picture.interlacing``.

        Raises:
            VideoError: the file is missing or is not a video.
        """
        self.path = Path(path)
        self.warnings: list[str] = []
        self.fps = DEFAULT_FPS
        self.frames_hint: int | None = None
        self.start_s = self.end_s = 0.0
        self.ended_early = False
        self._ledger = Ledger()
        self._led_astray = 0
        self._through = deinterlace if deinterlaced else None
        self._pictures = Pictures(self.path, deinterlaced=deinterlaced)
        self._film = FilmFrames(str(self.path), self._pictures, on_damage, self.warnings)
        self.repeated_s = self._film.repeated_s
        if looks_like_url(path) and not is_file(self.path):
            raise VideoError(
                f"{path} is an address and not a file; --url reads a stream from a server."
            )
        if not is_file(self.path):
            raise VideoError(f"There is no video file {self.path}.")
        # Of images FFmpeg learns the size by decoding, and does not tell the one it refused.
        with self._explained(), open(self.path, "rb") as file:
            pixels = image_pixels(file.read(_HEAD_BYTES))
        FRAME_PIXELS.check(pixels or 0, self.path, VideoError)
        with self._opened() as container:
            stream = _video_stream(self.path, container)
            self._pictures.look_at(stream)
            self.frames_hint = stream.frames or None
            self.start_s = (container.start_time or 0) / av.time_base
            self.fps = read_frame_rate(container, stream)

    def frames(self, seek_s: float | None = None) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """(time in seconds, uint8 (height, width, 3)) of every frame; times rise.

        Args:
            seek_s: begin with the first frame that is shown then or later. Of what was read before,
                the very same frames come again: where the file's index leads astray, the film is
                read from its beginning.

        Raises:
            VideoError: there is no frame that can be decoded, or the file changed meanwhile.
        """
        begin = 0 if seek_s is None else self._ledger.number_at(seek_s)
        if begin and self.findable:
            asked = begin
            for found in self._from_index(begin):
                begin += 1
                yield found
            self._led_astray += begin == asked
        if begin and begin == len(self._ledger):
            return
        for number, (time_s, stamp, image) in enumerate(self._from_start()):
            if not self._ledger.check(number, time_s, stamp, image):
                raise VideoError(f"{self.path} gives different frames when it is read again.")
            if number >= begin:
                yield time_s, image

    @property
    def findable(self) -> bool:
        """Whether reading from a time begins near it, as far as is known."""
        return self._ledger.findable and self._led_astray < _OFTEN

    def _from_index(self, begin: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Frames from ``begin`` on, as far as they are those of the first reading."""
        for earlier_s in _SEEK_EARLIER_S:
            with self._opened() as container, suppress(*_FAILURES):
                stream = _video_stream(self.path, container)
                stream.thread_type = "AUTO"
                tick_s = float(stream.time_base or 1)
                container.seek(self._ledger.stamp(begin) - round(earlier_s / tick_s), stream=stream)
                known = begin
                watch = FrameWatch(container, stream, self.fps, through=self._through)
                for shown in watch.shown():
                    image = None if shown.frame is None else self._film.to_rgb(shown.frame)
                    number = None if image is None else self._ledger.number_of(shown.stamp, image)
                    if number != known and (known > begin or (number or 0) > begin):
                        break
                    if image is not None and number == known:
                        yield self._ledger.time_s(known), image
                        known += 1
                if known > begin:
                    return

    def _from_start(self) -> Iterator[tuple[float, int | None, NDArray[np.uint8]]]:
        for needs_key in (True, False):
            with self._opened() as container:
                stream = _video_stream(self.path, container)
                stream.thread_type = "AUTO"
                watch = FrameWatch(
                    container, stream, self.fps, needs_key=needs_key, through=self._through
                )
                count = 0
                for each in self._decoded(container, stream, watch):
                    yield each
                    count += 1
            if count:
                return
        raise VideoError(
            f"{self.path} holds no frame that can be decoded, or its frames have more than "
            f"{FRAME_PIXELS.value:,} pixels. Check that it plays; if you trust it, set "
            f"{FRAME_PIXELS.variable} to a larger number."
        )

    @contextmanager
    def _opened(self) -> Iterator[InputContainer]:
        with self._explained():
            opened = av.open(
                file_address(self.path), format=_still_format(self.path), options=_options()
            )
        with opened as container:
            yield container

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise VideoError(
                f"{self.path} cannot be read as a video ({_reason(error)}). Check that it is a "
                "video and not a playlist; `ffmpeg -i IN OUT.mp4` converts most files."
            ) from error

    def _decoded(
        self, container: InputContainer, stream: VideoStream, watch: FrameWatch
    ) -> Iterator[tuple[float, int | None, NDArray[np.uint8]]]:
        count, end_s = 0, 0.0
        for time_s, shown, image in self._film.frames(watch):
            if shown is None:
                end_s = time_s + 1 / self.fps
            else:
                end_s = self.end_s = self._end_of(shown)
            count += 1
            yield time_s, None if shown is None else shown.stamp, image
        if self._film.failure is not None:
            reason = _reason(self._film.failure)
            self._film.warn(f"{self.path} is damaged after {count} frames ({reason}).")
        missing_s = _duration_s(container, stream) - end_s
        self.ended_early |= self._film.left
        if watch.joined:
            # Each recording has a clock of its own, and what the file says of its end is of all.
            self._ledger.findable = False
        # Of a film that was left before its end nobody knows whether it has one.
        elif count and not self._film.left and missing_s > 2 / self.fps:
            self.ended_early = True
            self._film.warn(
                f"{self.path} ends {missing_s:.2f} s early: {count} frames could be read. "
                "The file was probably cut short."
            )

    def _end_of(self, shown: Shown) -> float:
        frame = shown.frame
        if frame is not None and frame.time_base is not None and frame.duration:
            return shown.time_s + float(frame.duration * frame.time_base)
        return shown.time_s + 1 / self.fps

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a shown pixel to its height; known once a frame was read."""
        return self._pictures.pixel_aspect


class FilmFrames:
    """The frames of a film in the order of display: in RGB, of one size, and what is lost is said.

    Attributes:
        repeated_s: the times of frames that stand for lost ones, as far as was read.
        left: whether the latest reading ended before the film does.
        failure: why a frame could not be made RGB, where that ended the latest reading.
    """

    def __init__(
        self, name: str, pictures: Pictures, on_damage: OnDamage, warnings: list[str]
    ) -> None:
        """Of the film of that name; what is wrong with it goes into ``warnings``, once."""
        self.repeated_s: set[float] = set()
        self.left = False
        self.failure: Exception | None = None
        self._name = name
        self._pictures = pictures
        self._on_damage = on_damage
        self._warnings = warnings
        self._shape: tuple[int, ...] = ()

    def frames(self, watch: FrameWatch) -> Iterator[tuple[float, Shown | None, NDArray[np.uint8]]]:
        """(seconds, what was shown, uint8 (height, width, 3)); None for one in a lost one's place.

        What is lost is warned of, and ends the reading or is made up for, as ``on_damage`` says.
        """
        count, self.left, self.failure = 0, False, None
        image: NDArray[np.uint8] | None = None
        for shown in watch.shown():
            if not count:
                self.warn(*describe_beginning(self._name, watch.dropped, spoilt=watch.spoilt))
            if shown.damaged:
                lost = None if shown.uncounted else len(shown.lost_s)
                self.warn(describe_damage(self._name, count, shown.reason, lost, self._on_damage))
                self.left = self._on_damage == "stop" or shown.uncounted
                if self.left:
                    return
            for time_s in shown.lost_s if image is not None else ():
                self.repeated_s.add(time_s)
                count += 1
                yield time_s, None, cast(NDArray[np.uint8], image)
            if shown.frame is None:
                return
            try:
                image = self.to_rgb(shown.frame)
            except _FAILURES as error:
                self.left, self.failure = True, error
                return
            count += 1
            yield shown.time_s, shown, image

    def to_rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A frame, of the size of the first one."""
        image = self._pictures.to_rgb(frame)
        self.warn(*self._pictures.warnings)
        if self._shape and image.shape != self._shape:
            self.warn(
                f"{self._name}: frames change size; all were scaled to the size of the first."
            )
            image = self._pictures.to_rgb(frame, *self._shape[:2])
        self._shape = self._shape or image.shape
        return image

    def warn(self, *texts: str) -> None:
        """Warn of what was not warned of before."""
        self._warnings += [text for text in texts if text not in self._warnings]


def _still_format(path: Path) -> str | None:
    """Of a photograph, which FFmpeg would take for the first of numbered images; None else."""
    if path.suffix.lower() not in (".jpg", ".jpeg", ".jpe"):
        return None
    with open(path, "rb") as file:
        return "jpeg_pipe" if image_kind(file.read(16)) == "jpeg" else None


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _options() -> dict[str, str]:
    """Of FFmpeg: nothing but this one file is opened, and no decoder makes room for more."""
    return {
        "format_whitelist": ",".join(_FORMATS),
        "protocol_whitelist": "file",
        "max_pixels": str(FRAME_PIXELS.value),
    }


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The film of the file, whose decoder refuses frames over the limit when their size changes.

    Raises:
        VideoError: there is none but covers, or its header says that its frames are over the limit.
    """
    stream = choose_stream(path, container)
    codec = stream.codec_context
    if codec is None:
        raise VideoError(
            f"{path} uses a codec that is not supported here; `ffmpeg -i IN OUT.mp4` converts "
            "most files."
        )
    FRAME_PIXELS.check(codec.width * codec.height, path, VideoError)
    codec.options = {"max_pixels": str(FRAME_PIXELS.value)}
    return stream


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    """When the video ends, in seconds, as the file says; 0 where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    stated_s = read_seconds(stream.metadata.get("DURATION", ""))  # of .mkv and .webm, a stream
    if stated_s is not None:
        return stated_s
    # The whole file's duration may be that of a longer audio stream. What an .flv says of itself
    # is when its last frame ends, counted from 0: its start is in it already.
    if container.duration is not None and len(container.streams) == 1:
        start = 0 if "flv" in container.format.name else container.start_time or 0
        return float((start + container.duration) / av.time_base)
    return 0.0
