"""Coded frames as they lie in the file, and the signs that some are lost or broken.

Only what an intact file cannot have is a sign. A longer pause between two frames is none by itself:
telephones, browsers and screen recorders write films of variable rate.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from locoexport.runtime.decoding.avi import AviChunks, AviIndex
from locoexport.runtime.decoding.frame_rate import DEFAULT_FPS
from locoexport.runtime.decoding.numbering import NUMBERED, number_packets
from locoexport.runtime.decoding.transport import goes_on_between

__all__ = ["CodedFrame", "read_coded_frames"]

_STEPS = 8
"""So many equal steps make a stream one of constant rate."""
_JUMP_S = 10.0
"""A longer step is another recording that was joined on, in the streams that can be joined."""
_JOINABLE = ("mpegts", "mpeg")
_STEADY = (*_JOINABLE, "asf")
"""Containers of which a step is missing where it is longer than those before and behind it."""
_PAUSE_S = 1.0
"""A step as long as that may be a pause in which nothing was recorded."""
_LENGTHS = ("mov", "matroska", "flv")
"""Containers that give the length of each part of a coded frame; no zeros stand between these."""
_ESCAPED = ("h264", "hevc")
"""Codecs whose parts never hold three zero bytes in a row."""
_ZEROS = bytes(16)
_ZEROS_WITHIN = re.compile(rb"\0{16}\0*[^\0\1]")
"""In a raw stream zeros may stand before the next start code, and nowhere else."""
_REORDERED = 16
"""Frames may be coded so much before others that are shown earlier."""
_TAIL = 64
_ARITHMETIC = ("vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d", "libaom-av1")
"""Codecs whose coded frames do not end in so many zero bytes."""
_HOLE_BYTES = 512
"""More bytes between two coded frames that belong to nothing are a hole, if time is missing too."""
_HEAD_BYTES = 32
"""What a container writes before each packet, and more."""
_RETRIES = 16


@dataclass(eq=False)
class CodedFrame:
    """One packet of the video.

    Attributes:
        packet: as PyAV read it; the last one is empty and drains the decoder.
        lost_before: whether other frames stood between the one before and this one.
        broken: whether some of its own bytes are missing or wrong.
        uncounted: whether nobody can say how many were lost before it.
        undecodable: whether it stands before the first frame that can be decoded.
        others_bytes: of what the file holds of other streams since the one before.
    """

    packet: Packet[VideoStream]
    lost_before: bool = False
    broken: bool = False
    uncounted: bool = False
    undecodable: bool = False
    others_bytes: int = 0


def read_coded_frames(
    container: InputContainer, stream: VideoStream, *, live: bool = False
) -> Iterator[CodedFrame]:
    """The packets of a stream in the order of the file, each looked at beside those that follow.

    Args:
        container: the open file.
        stream: of it.
        live: whether it comes as it is made: then no packet waits for more than two others, and
            nothing is read twice.

    Raises:
        av.FFmpegError: the file cannot be read any further; what was read before comes first.
    """
    checks = _Checks(container.format.name, None if live else container.name, stream)
    ahead: deque[CodedFrame] = deque()
    failure: Exception | None = None
    found_ones = map(CodedFrame, _demuxed(container, stream)) if live else None
    try:
        for found in found_ones or _numbered(container, stream):
            ahead.append(found)
            if len(ahead) > (2 if live else _REORDERED):
                checks.look(ahead)
                yield ahead.popleft()
    except (av.FFmpegError, OSError) as error:
        failure = error
    checks.look_at_end(ahead)
    while ahead:
        checks.look(ahead)
        yield ahead.popleft()
    if failure is not None:
        raise failure


class _Checks:
    """Compares each coded frame with those before and behind it."""

    def __init__(self, kind: str, name: str | None, stream: VideoStream) -> None:
        self._kind = kind
        self._name = name
        self._joinable = kind in _JOINABLE
        self._dense = "matroska" in kind and name is not None
        self._codec = stream.codec_context.name if stream.codec_context else ""
        self._avi = kind == "avi"
        self._marks: bool | None = None
        self._escaped = self._codec in _ESCAPED and any(name in kind for name in _LENGTHS)
        self._tick_s = float(stream.time_base or 0)
        self._steps: deque[int] = deque(maxlen=_STEPS)
        self._latest: int | None = None
        self._most_delay = 0
        self._behind = self._most_behind = 0

    def look(self, ahead: Sequence[CodedFrame]) -> None:
        """Look at the first of some packets beside the others, which follow it."""
        this, later, last = [*islice(ahead, 3), None, None][:3]
        assert this is not None
        packet = this.packet
        self._note_reordering(packet)
        # Counted from packet to packet of the transport, a join is noticed up to two frames early.
        if packet.is_corrupt and not (
            self._is_join(packet, later) or (later and self._is_join(later.packet, last))
        ):
            this.broken = True
        if packet.size:
            this.broken |= self._breaks_off(packet, later is not None and later.lost_before)
            this.broken |= self._is_misplaced(packet)
        if later is None or not later.packet.size:
            return
        step = _step(packet, later.packet)
        if step is None:
            return
        usual = self._usual()
        if usual is not None and step > 1.5 * usual and self._means_loss(step, packet, later, last):
            later.lost_before = True
            # Its bytes may be those of the next frame, that it has the time of.
            this.broken |= self._joinable
        if self._kind == "ogg":
            this.broken |= _is_on_holed_page(ahead)
        self._steps.append(step)

    def look_at_end(self, last: Sequence[CodedFrame]) -> None:
        """Look at the last packets of a film that does not say where it ends.

        Where it was cut off among frames that are coded behind one that is shown after them, those
        that are missing leave a gap before that one.
        """
        usual = self._usual()
        kept = [each for each in last if each.packet.size and each.packet.pts is not None]
        if self._kind not in _JOINABLE or usual is None or not kept:
            return
        final = max(kept, key=lambda each: each.packet.pts or 0)
        place = kept.index(final)
        earlier = [each.packet.pts or 0 for each in kept[:place]]
        if not earlier:
            return
        due = round(((final.packet.pts or 0) - max(earlier)) / usual) - 1
        if due > len(kept) - 1 - place and due <= self._most_behind:
            final.lost_before = True

    def _note_reordering(self, packet: Packet[VideoStream]) -> None:
        """Count how many frames are coded behind one that is shown after them."""
        if packet.pts is None or not packet.size:
            return
        if self._latest is None or packet.pts > self._latest:
            self._latest, self._behind = packet.pts, 0
        else:
            self._behind += 1
            self._most_behind = max(self._most_behind, self._behind)

    def _is_misplaced(self, packet: Packet[VideoStream]) -> bool:
        """Whether a program stream gives a frame the time of one behind a hole: it is far later
        than when it is decoded."""
        usual = self._usual()
        if self._kind != "mpeg" or packet.pts is None or packet.dts is None:
            return False
        if usual is None:
            self._most_delay = max(self._most_delay, packet.pts - packet.dts)
            return False
        delay = packet.pts - packet.dts
        if delay > 2 * max(self._most_delay, usual):
            return True
        self._most_delay = max(self._most_delay, delay)
        return False

    def _breaks_off(self, packet: Packet[VideoStream], before_hole: bool) -> bool:
        """Whether the bytes of a coded frame cannot be those of a whole one."""
        if self._escaped:
            return _ZEROS in bytes(packet)
        if self._kind in NUMBERED:
            return _ZEROS_WITHIN.search(bytes(packet)) is not None
        tail = bytes(memoryview(packet)[-_TAIL:])
        if self._codec == "mjpeg":
            ended = b"\xff\xd9" in tail[-4:] or tail.rstrip(b"\0").endswith(b"\xff\xd9")
            # Some cameras leave out the mark that ends a picture, in each.
            self._marks = ended if self._marks is None else self._marks
            return self._marks and not ended
        if before_hole and self._avi:
            return True  # its length said where the next one is, which was not there
        return not tail.strip(b"\0") and (before_hole or self._codec in _ARITHMETIC)

    def _usual(self) -> int | None:
        """The step of a stream of constant rate; None where the rate varies, or is not known."""
        if self._codec == "theora":
            return 1  # its stamps count frames
        if len(self._steps) < _STEPS or min(self._steps) <= 0:
            return None
        # Clocks of a thousandth of a second round each step.
        return max(self._steps) if max(self._steps) - min(self._steps) <= 1 else None

    def _means_loss(
        self, step: int, packet: Packet[VideoStream], later: CodedFrame, last: CodedFrame | None
    ) -> bool:
        if self._dense:
            hole = _hole_bytes(packet, later)
            return hole is not None and hole > _HOLE_BYTES
        if self._kind == "ogg":
            return True  # it counts frames, and has no pauses
        if self._kind not in _STEADY or step * self._tick_s > _JUMP_S:
            return False
        # A variable rate goes on at another step; a loss does not change it.
        after = None if last is None else _step(later.packet, last.packet)
        usual = self._steps[-1]
        if after is not None and abs(after - usual) > max(1, usual // 5):
            return False
        if self._kind != "mpegts" or step * self._tick_s < _PAUSE_S:
            return True
        return self._name is not None and not goes_on_between(self._name, packet, later.packet)

    def _is_join(self, packet: Packet[VideoStream], later: CodedFrame | None) -> bool:
        """Whether another recording begins behind a packet: its counters begin anew, no more."""
        if later is None or not later.packet.is_keyframe:
            return False
        step = _step(packet, later.packet)
        return step is not None and (step <= 0 or step * self._tick_s > _JUMP_S)


def _step(packet: Packet[VideoStream], later: Packet[VideoStream]) -> int | None:
    if packet.dts is None or later.dts is None:
        return None
    return later.dts - packet.dts


def _is_on_holed_page(ahead: Iterable[CodedFrame]) -> bool:
    """Whether a frame is missing on the page of Ogg on which the first one is: a page has one time,
    from which those of its frames are counted."""
    for one, other in pairwise(ahead):
        if one.packet.pos != next(iter(ahead)).packet.pos:
            return False
        if (_step(one.packet, other.packet) or 0) > 1:
            return True
    return False


def _hole_bytes(packet: Packet[VideoStream], later: CodedFrame) -> int | None:
    """Bytes between two packets that belong to nothing; None where nobody says where they lie."""
    after = later.packet.pos
    if packet.pos is None or after is None or packet.pos < 0 or after < 0:
        return None
    return after - packet.pos - packet.size - later.others_bytes


def _numbered(container: InputContainer, stream: VideoStream) -> Iterator[CodedFrame]:
    """The packets; those of an AVI film with the numbers that its index gives them.

    An AVI film holds no times: the reader counts its frames, and counts wrongly after a hole.
    """
    if "matroska" in container.format.name:
        yield from _among_others(container, stream)
        return
    if container.format.name in NUMBERED:
        yield from _placed(container, stream)
        return
    if container.format.name != "avi":
        yield from map(CodedFrame, _packets(container, stream))
        return
    index, shift, earlier = AviIndex(stream), 0, None
    with AviChunks(container.name) as chunks:
        for packet in _packets(container, stream):
            found = CodedFrame(packet)
            if packet.size:
                moved = index.shift(packet)
                found.lost_before = moved > shift or not chunks.follows(packet, earlier)
                found.uncounted = found.lost_before and not index.names(packet)
                shift, earlier = moved, packet
            if shift:
                packet.dts = None if packet.dts is None else packet.dts + shift
                packet.pts = None if packet.pts is None else packet.pts + shift
            yield found


def _placed(container: InputContainer, stream: VideoStream) -> Iterator[CodedFrame]:
    """The packets of a raw stream, with the times that their numbers in the order of display have.

    Those before the first sequence that is told of cannot be decoded.
    """
    frame_ticks = _frame_ticks(stream)
    for each in number_packets(_packets(container, stream), container.format.name):
        packet = each.packet
        found = CodedFrame(packet, lost_before=each.lost_before, uncounted=each.lost_before)
        found.undecodable = each.undecodable
        if each.number is not None:
            packet.pts = each.number * frame_ticks
        yield found


def _frame_ticks(stream: VideoStream) -> int:
    """How long a frame of a raw stream is taken to last, in its time base."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(DEFAULT_FPS)
    return max(1, round(1 / (rate * (stream.time_base or 1))))


def _among_others(container: InputContainer, stream: VideoStream) -> Iterator[CodedFrame]:
    """The packets, and how many bytes of sound and the like lie between them."""
    others_bytes = 0
    for packet in _packets(container, None):
        if packet.stream.index == stream.index:  # an empty one has no other index
            yield CodedFrame(packet, others_bytes=others_bytes)
            others_bytes = 0
        else:
            others_bytes += packet.size + _HEAD_BYTES


def _demuxed(
    container: InputContainer, stream: VideoStream | None
) -> Iterator[Packet[VideoStream]]:
    """The packets of a stream; of None those of all."""
    packets = container.demux() if stream is None else container.demux(stream)
    return cast("Iterator[Packet[VideoStream]]", packets)


def _packets(
    container: InputContainer, stream: VideoStream | None
) -> Iterator[Packet[VideoStream]]:
    """All packets of the stream; a part that cannot be read is passed over, as players do."""
    for attempt in range(_RETRIES):
        try:
            yield from _demuxed(container, stream)
        except (av.FFmpegError, OSError):
            if attempt == _RETRIES - 1:
                raise
        else:
            return
