"""Raw H.264 and HEVC, which hold no times: which picture is shown when, as the pictures count.

Sources: ITU-T H.264, 7.3.2.1.1 and 7.3.3 (what a sequence and a slice say), 8.2.1 (order);
ITU-T H.265, 7.3.2.2, 7.3.6.1 and 8.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["PictureHead", "PictureHeads"]

_START = b"\0\0\1"
_MOST_BITS = 16
_HEAD_BYTES = 400
"""More than any slice or sequence takes to say what is asked for here."""
_H264_IDR, _H264_SPS, _H264_PPS = 5, 7, 8
_H264_SLICES = (1, _H264_IDR)
_SCALED = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles of H.264 whose sequences tell the kind of colour."""
_HEVC_SPS, _HEVC_PPS = 33, 34
_HEVC_IDR = (19, 20)
_HEVC_IRAP = range(16, 24)
_HEVC_UNREFERENCED = (*range(0, 15, 2), 6, 7, 8, 9)


@dataclass(frozen=True)
class PictureHead:
    """What a coded picture says of its place.

    Attributes:
        resets: whether counting begins anew with it (IDR).
        order: its picture order count; of H.264 without one, 2 for each frame that was counted.
        idr_id: that two such pictures in a row may not share; None where there is none.
        leads: whether others that follow it may be shown before it.
    """

    resets: bool
    order: int
    idr_id: int | None
    leads: bool = False


class PictureHeads:
    """Reads the heads of coded pictures, one packet after another.

    Attributes:
        lacks_sequence: whether the last packet cannot be decoded by what came before it.
    """

    def __init__(self, codec: str) -> None:
        """``codec`` is h264 or hevc."""
        self._hevc = codec == "hevc"
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, tuple[int, int]] = {}
        self._order_msb = self._order_lsb = self._frame_num = 0
        self._last_referenced = True
        self._count = 0
        self.lacks_sequence = False

    def read(self, packet: bytes) -> PictureHead | None:
        """The head of a packet's picture; None where it has none, or it cannot be understood."""
        found, self.lacks_sequence = None, False
        for unit in _units(packet):
            try:
                head = self._read_hevc(unit) if self._hevc else self._read_h264(unit)
            except KeyError:
                self.lacks_sequence = True
                continue
            except (IndexError, ValueError):
                continue
            found = head or found
        return found

    def _read_h264(self, unit: bytes) -> PictureHead | None:
        kind, referenced = unit[0] & 31, unit[0] >> 5 & 3
        bits = _Bits(unit[1:])
        if kind == _H264_SPS:
            number, sequence = _h264_sequence(bits)
            self._sequences[number] = sequence
        elif kind == _H264_PPS:
            self._pictures[bits.ue()] = bits.ue(), 0
        if kind not in _H264_SLICES or bits.ue() != 0:
            return None
        bits.ue()
        sequence = self._sequences[self._pictures[bits.ue()][0]]
        bits.u(2 * sequence.planes)
        frame_num = bits.u(sequence.frame_num_bits)
        if not sequence.frames_only and bits.u(1):
            raise ValueError("a field")
        idr_id = bits.ue() if kind == _H264_IDR else None
        if kind == _H264_IDR:
            self._order_msb = self._order_lsb = 0
        if sequence.order_bits is None:
            order = self._h264_counted(frame_num, sequence, kind == _H264_IDR)
            self._last_referenced = bool(referenced)
        else:
            order = self._unwrapped(bits.u(sequence.order_bits), sequence, bool(referenced))
        return PictureHead(kind == _H264_IDR, order, idr_id)

    def _h264_counted(self, frame_num: int, sequence: _Sequence, resets: bool) -> int:
        """The count of a frame of a stream that shows frames as they come."""
        most = 1 << sequence.frame_num_bits
        if resets:
            self._count = 0
            self._frame_num = frame_num
            return 0
        # A frame that none refers to does not count for the next one.
        due = (self._frame_num + self._last_referenced) % most
        self._count += 1 + (frame_num - due) % most
        self._frame_num = frame_num
        return 2 * self._count

    def _read_hevc(self, unit: bytes) -> PictureHead | None:
        kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
        bits = _Bits(unit[2:])
        if layer:
            return None
        if kind == _HEVC_SPS:
            number, sequence = _hevc_sequence(bits)
            self._sequences[number] = sequence
        elif kind == _HEVC_PPS:
            number, of_sequence = bits.ue(), bits.ue()
            output_said = bits.u(2) & 1
            self._pictures[number] = of_sequence, bits.u(3) << 1 | output_said
        if kind >= 24 or not bits.u(1):
            return None
        if kind in _HEVC_IRAP:
            bits.u(1)
        of_sequence, said = self._pictures[bits.ue()]
        sequence = self._sequences[of_sequence]
        bits.u(said >> 1)
        bits.ue()
        bits.u(said & 1)
        bits.u(2 * sequence.planes)
        if kind in _HEVC_IDR:
            self._order_msb = self._order_lsb = 0
            return PictureHead(True, 0, None, leads=kind == _HEVC_IDR[0])
        # Layers of time above the lowest are left out of it.
        counts = unit[1] & 7 == 1 and kind not in _HEVC_UNREFERENCED
        order = self._unwrapped(bits.u(sequence.order_bits or 0), sequence, counts)
        return PictureHead(False, order, None)

    def _unwrapped(self, lsb: int, sequence: _Sequence, counts: bool) -> int:
        most, msb = 1 << (sequence.order_bits or 0), self._order_msb
        if lsb < self._order_lsb and self._order_lsb - lsb >= most // 2:
            msb += most
        elif lsb > self._order_lsb and lsb - self._order_lsb > most // 2:
            msb -= most
        if counts:
            self._order_msb, self._order_lsb = msb, lsb
        return msb + lsb


@dataclass(frozen=True)
class _Sequence:
    """What of a sequence one needs to read a slice's head; ``order_bits`` None has no order."""

    frame_num_bits: int
    order_bits: int | None
    frames_only: bool
    planes: bool

    def __post_init__(self) -> None:
        if max(self.frame_num_bits, self.order_bits or 0) > _MOST_BITS:
            raise ValueError("no standard counts so far")


def _h264_sequence(bits: _Bits) -> tuple[int, _Sequence]:
    profile = bits.u(8)
    bits.u(16)
    number, planes = bits.ue(), False
    if profile in _SCALED:
        chroma = bits.ue()
        planes = chroma == 3 and bool(bits.u(1))
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            for index in range(12 if chroma == 3 else 8):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    frame_num_bits, kind = bits.ue() + 4, bits.ue()
    order_bits = bits.ue() + 4 if kind == 0 else None
    if kind == 1:
        raise ValueError("an order that nothing in use has")
    bits.ue(), bits.u(1), bits.ue(), bits.ue()
    return number, _Sequence(frame_num_bits, order_bits, bool(bits.u(1)), planes)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    if not bits.u(1):
        return
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _hevc_sequence(bits: _Bits) -> tuple[int, _Sequence]:
    bits.u(4)
    layers = bits.u(3)
    bits.u(1)
    bits.u(96)  # the profile, and its level
    flags = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    bits.u(2 * (8 - layers) if layers else 0)
    for profile, level in flags:
        bits.u(88 * profile + 8 * level)
    number = bits.ue()
    planes = bits.ue() == 3 and bool(bits.u(1))
    bits.ue(), bits.ue()
    if bits.u(1):
        bits.ue(), bits.ue(), bits.ue(), bits.ue()
    bits.ue(), bits.ue()
    return number, _Sequence(0, bits.ue() + 4, True, planes)


def _units(packet: bytes) -> Iterator[bytes]:
    """The beginnings of what stands between start codes, without the bytes that keep those apart.

    Of the slices of one picture the first alone is read, so later ones do not matter.
    """
    place = packet.find(_START)
    while place >= 0:
        following = packet.find(_START, place + 3)
        end = len(packet) if following < 0 else following
        unit = packet[place + 3 : min(end, place + 3 + _HEAD_BYTES)].replace(b"\0\0\3", b"\0\0")
        if len(unit) > 2:
            yield unit
        place = following


class _Bits:
    """Reads numbers bit by bit; behind the end everything is an IndexError."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content, "big")
        self._left = 8 * len(content)

    def u(self, count: int) -> int:
        if count > self._left:
            raise IndexError("it ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)
