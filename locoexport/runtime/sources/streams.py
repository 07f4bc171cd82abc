"""Footage that comes over a connection or a pipe, once: an address, stdin."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import RawIOBase
from typing import Any, BinaryIO, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from locoexport.errors import StoppedError, UsageError, VideoError
from locoexport.machine.limits import FRAME_PIXELS
from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.decoding.watch import FrameWatch
from locoexport.runtime.picture.rgb import Pictures
from locoexport.runtime.picture.streams import choose_stream
from locoexport.runtime.sources.named import StandardInput, Url
from locoexport.runtime.video.background import StalledError, taken_in_thread
from locoexport.runtime.video.clips import DEFAULT_FPS, FilmFrames
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["stdin_footage", "url_footage"]

_FAILURES = (av.FFmpegError, OSError, ValueError, OverflowError, MemoryError)
_PROTOCOLS = {
    "http": "http,https,tcp,tls",
    "https": "https,tcp,tls",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,udp,tcp,tls",
}
_FORMATS = ",".join(
    (
        *("mov", "matroska", "mpegts", "mpeg", "flv", "live_flv", "avi", "ogg", "mjpeg", "mpjpeg"),
        *("h264", "hevc", "yuv4mpegpipe", "rtsp", "rtp", "sdp", "gif"),
    )
)
"""Playlists (HLS, DASH) are not among them: those name other addresses."""
_CONNECT_S = 10.0
_STALL_S = 10.0
_GIVE_UP_S = 30.0
"""Where FFmpeg does not keep to the two above, as while it looks up a name."""
_AHEAD = 16
_PIPED = "y4m, MPEG-TS or Matroska, like ffmpeg -i IN -f mpegts - | locoexport track -"


def url_footage(url: Url, on_damage: OnDamage = "stop") -> Footage:
    """What an address gives, connected to now. One that gives nothing for 10 s has failed.

    ``on_damage`` says whether it ends where frames are lost, or goes on behind that.

    Raises:
        VideoError: nobody answers there, or it is no video.
    """

    def connect() -> Any:
        options = {
            "protocol_whitelist": _PROTOCOLS[url.scheme],
            "format_whitelist": _FORMATS,
            "max_pixels": str(FRAME_PIXELS.value),
        }
        if url.scheme.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # packets that are lost are frames that are wrong
        return av.open(url.address, options=options, timeout=(_CONNECT_S, _STALL_S))

    hint = "Check the address; a playlist (.m3u8, .mpd) is not followed, name the stream in it."
    return _Stream(url.shown, hint, url.stop, _GIVE_UP_S, _AHEAD, on_damage).footage(connect)


def stdin_footage(
    source: StandardInput,
    pipe: RawIOBase | BinaryIO | None = None,
    *,
    on_damage: OnDamage = "stop",
) -> Footage:
    """What is piped in: y4m, MPEG-TS or Matroska, told apart by the first bytes.

    Args:
        source: of it, its ``stop``.
        pipe: in place of stdin.
        on_damage: whether it ends where frames are lost, or goes on behind that.

    Raises:
        UsageError: stdin is a terminal.
        VideoError: something else is piped in, or nothing.
    """
    if pipe is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(f"Nothing is piped into stdin; it takes {_PIPED}.")
        # Without a buffer, whose lock a thread that waits would hold when the process ends.
        pipe = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
    hint = f"Pipe in {_PIPED}."

    def connect() -> Any:
        head = _read_head(pipe)
        kind = _piped_format(head)
        options = {"max_pixels": str(FRAME_PIXELS.value), "protocol_whitelist": ""}
        return av.open(_Piped(head, pipe), format=kind, options=options)

    return _Stream("stdin", hint, source.stop, None, 0, on_damage).footage(connect)


_HEAD_BYTES = 1 << 10


def _read_head(pipe: RawIOBase | BinaryIO) -> bytes:
    head = b""
    while len(head) < _HEAD_BYTES and (more := pipe.read(_HEAD_BYTES - len(head))):
        head += more
    return head


def _piped_format(head: bytes) -> str:
    if head.startswith(b"YUV4MPEG2 "):
        return "yuv4mpegpipe"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:1] == b"\x47" and head[188:189] in (b"\x47", b""):
        return "mpegts"
    said = f"begins with {head[:8]!r}" if head else "is empty"
    raise VideoError(f"What is piped into stdin {said}; it takes {_PIPED}.")


class _Piped:
    """A pipe whose first bytes were read, as PyAV wants a file that cannot be sought in."""

    def __init__(self, head: bytes, pipe: RawIOBase | BinaryIO) -> None:
        self._head = head
        self._pipe = pipe

    def read(self, size: int) -> bytes:
        """Up to that many bytes."""
        if self._head:
            given, self._head = self._head[:size], self._head[size:]
            return given
        return self._pipe.read(size) or b""


@dataclass(frozen=True, eq=False)
class _Stream:
    """What is told of a stream, and how it is waited for."""

    name: str
    hint: str
    stop: threading.Event
    stall_s: float | None
    ahead: int
    on_damage: OnDamage

    def footage(self, connect: Callable[[], Any]) -> Footage:
        """Of what ``connect`` opens, in the thread that goes on to read it."""
        pictures = Pictures(self.name)
        film = FilmFrames(self.name, pictures, self.on_damage, pictures.warnings)
        items = taken_in_thread(
            self._items(connect, pictures, film), self.stop, stall_s=self.stall_s, ahead=self.ahead
        )
        with self._explained():
            fps = next(items, None)
        if not isinstance(fps, float):
            raise StoppedError(f"Stopped before {self.name} gave a frame; nothing was tracked.")

        def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
            with closing(items), self._explained():
                for item in items:
                    assert isinstance(item, tuple)
                    yield item

        return Footage(
            *(once, fps, None),
            rereadable=False,
            warnings=pictures.warnings,
            repeated_s=film.repeated_s,
            pixel_aspect=lambda: pictures.pixel_aspect,
            stop=self.stop.set,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StalledError as error:
            raise VideoError(f"{self.name}: {error}. {self.hint}") from error

    def _items(
        self, connect: Callable[[], Any], pictures: Pictures, film: FilmFrames
    ) -> Iterator[float | tuple[float, Frame]]:
        """The frame rate, then (seconds, frame) of each."""
        try:
            with connect() as container:
                stream = choose_stream(self.name, container)
                if stream.codec_context is None:
                    raise VideoError(f"{self.name} is coded in a way that is not known here.")
                pictures.look_at(stream)
                fps = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
                yield fps
                connected = _Connected(container, stream)
                watch = FrameWatch(cast(InputContainer, connected), stream, fps, live=True)
                for time_s, _, image in film.frames(watch):
                    yield time_s, image
                for failure in (film.failure, connected.failure):
                    if failure is not None:
                        raise failure
        except _FAILURES as error:
            raise VideoError(
                f"{self.name} cannot be read ({_reason(error)}). {self.hint}"
            ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # PyAV's own end of waiting
        return f"nothing came for {_STALL_S:g} s"
    return getattr(error, "strerror", None) or type(error).__name__


class _Connected:
    """An open stream that ends where its connection does, so that no frame which came is lost.

    Attributes:
        failure: why it ended; None for its own end.
    """

    def __init__(self, container: Any, stream: VideoStream) -> None:
        self.format = container.format
        self.name = ""
        self.failure: Exception | None = None
        self._container = container
        self._stream = stream

    def demux(self, *streams: VideoStream) -> Iterator[Packet[Any]]:
        """All packets; the last one is empty and drains the decoder."""
        try:
            yield from self._container.demux(*streams)
        except _FAILURES as error:
            self.failure = error
            last: Packet[Any] = Packet()
            last.stream = self._stream
            yield last
