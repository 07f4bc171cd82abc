"""A clip's sound, copied into the film that is drawn of it: packets as they are, not coded anew."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from locoexport.runtime.picture.addresses import file_address

__all__ = ["ClipSound", "add_sound", "find_sound"]

_TAKEN_BY_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
"""What an .mp4 carries to players; FFmpeg would write more, which few of them play."""
_PREROLL_S = 0.06
"""Sound before the first frame that is kept as well, since coded sound needs what was before; the
film's edit list says where playing begins."""


@dataclass(frozen=True)
class ClipSound:
    """The sound of a file, and from when to when it is wanted.

    Attributes:
        clip: the file.
        span_s: asked when the film is drawn: seconds on the clip's own clock at which its first
            drawn frame begins and its last one ends.
    """

    clip: Path
    span_s: Callable[[], tuple[float, float]]


def find_sound(
    clip: str | Path, film: Path, span_s: Callable[[], tuple[float, float]], *, stride: int = 1
) -> tuple[ClipSound | None, str | None]:
    """A clip's sound, or why the film will have none; neither where the clip is silent.

    Args:
        clip: what is tracked; where that is no file there is no sound.
        film: the overlay to write.
        span_s: see ``ClipSound``.
        stride: every how manieth frame is kept.
    """
    if not Path(clip).is_file():
        return None, None
    try:
        with _opened(Path(clip)) as container:
            stream = container.streams.best("audio")
            codec = None if stream is None else stream.codec_context.name
    except (av.FFmpegError, ValueError):
        return None, None  # whoever reads its frames says what is wrong with it
    if stream is None:
        return None, None
    if film.suffix.lower() != ".mp4":
        return None, f"a {film.suffix.lower()} cannot hold sound (use .mp4)"
    if stride > 1:
        return None, f"with --stride {stride} the film plays {stride} times as fast as the sound"
    name = str(codec).removesuffix("float").removeprefix("lib")
    if name not in _TAKEN_BY_MP4:
        return None, f"an .mp4 cannot hold {codec}, and sound is never re-encoded"
    return ClipSound(Path(clip), span_s), None


def add_sound(silent: Path, sound: ClipSound, target: Path) -> str | None:
    """Write ``silent``, an .mp4, with that sound to ``target``; returns why not where it fails.

    Packets are copied, those that overlap the span of the film; so the sound is cut to a packet
    (20 to 60 ms) at its end, and to a sample at its beginning where a player heeds edit lists.
    """
    try:
        _mux(silent, sound, target)
    except (av.FFmpegError, ValueError) as error:
        return f"{getattr(error, 'strerror', None) or error}"
    return None


def _mux(silent: Path, sound: ClipSound, target: Path) -> None:
    begin_s, end_s = sound.span_s()
    with (
        av.open(str(silent)) as film,
        _opened(sound.clip) as clip,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out,
    ):
        audio = clip.streams.best("audio")
        assert audio is not None  # it was found before
        pictures = film.streams.video[0]
        into = out.add_stream_from_template(pictures), out.add_stream_from_template(audio)
        streams = (
            ((time_s, 0, packet) for time_s, packet in _packets(film, pictures)),
            (
                (time_s - begin_s, 1, packet)
                for time_s, packet in _packets(clip, audio)
                if time_s > begin_s - _PREROLL_S and time_s < end_s
            ),
        )
        for _, which, packet in heapq.merge(*streams, key=lambda item: item[0]):
            if which == 1 and packet.time_base is not None and packet.pts is not None:
                packet.pts -= round(begin_s / packet.time_base)
                packet.dts = packet.pts
            packet.stream = into[which]
            out.mux(packet)


def _packets(container: InputContainer, stream: Stream) -> Iterator[tuple[float, Packet[Any]]]:
    """Whole packets with a time, and that time in seconds."""
    for packet in container.demux(stream):
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None or packet.size == 0 or packet.is_corrupt or packet.time_base is None:
            continue
        yield float(time * packet.time_base), packet


def _opened(clip: Path) -> InputContainer:
    # Its frames were read before, so its format is one that names no other files.
    return av.open(file_address(clip), options={"protocol_whitelist": "file"})
