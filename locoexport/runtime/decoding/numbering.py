"""Frames of raw H.264 and HEVC numbered in the order of display, so that a hole is seen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from av.packet import Packet
from av.video.stream import VideoStream

from locoexport.runtime.decoding.picture_order import PictureHead, PictureHeads

__all__ = ["NUMBERED", "NumberedPacket", "number_packets"]

NUMBERED = ("h264", "hevc")
"""Raw streams, by FFmpeg's names of formats and of codecs alike."""
_REORDERED = 16
"""Pictures may be coded so much before others that are shown earlier, by both standards."""
_AHEAD = 3 * _REORDERED
_LEAP = 64
"""So many missing at once, or numbers that go back, are another sequence: nobody can count it."""


@dataclass(eq=False)
class NumberedPacket:
    """A packet, and the number of its frame in the order of display.

    Attributes:
        packet: as it was read.
        number: from about 0 on, without a hole where none is lost. None where nobody knows.
        lost_before: whether frames are missing before it, or in what it is coded from. How many
            nobody can say: where an IDR picture is among them, counting began anew.
        undecodable: whether what it is coded by did not come before it.
    """

    packet: Packet[VideoStream]
    number: int | None = None
    lost_before: bool = False
    undecodable: bool = False


def number_packets(packets: Iterator[Packet[VideoStream]], codec: str) -> Iterator[NumberedPacket]:
    """The packets, each looked at beside the 48 that follow it.

    Within a sequence (from one IDR picture to the next) every missing frame is noticed. One at its
    end is not; nor is a whole sequence, but that H.264 does not give two in a row one number.
    """
    numbers = _Numbers(codec)
    ahead: deque[NumberedPacket] = deque()
    waiting: list[tuple[NumberedPacket, PictureHead | None]] = []
    for packet in packets:
        found = NumberedPacket(packet)
        ahead.append(found)
        waiting.append((found, numbers.read(packet)))
        found.undecodable = packet.size > 0 and numbers.lacks_sequence
        if len(waiting) >= _REORDERED or numbers.step:
            numbers.place(waiting, ahead)
        if len(ahead) > _AHEAD:
            yield ahead.popleft()
    numbers.place(waiting, ahead)
    numbers.end(ahead)
    yield from ahead


class _Numbers:
    """Turns picture order counts into numbers that go on through all sequences."""

    def __init__(self, codec: str) -> None:
        self._heads = PictureHeads(codec)
        self._base = self._first = 0
        self._largest = -1
        self._due: set[int] = set()
        self._checked = 0
        self._depth = 0
        self._idr_id: int | None = None
        self._begun = False
        # Of a sequence whose first frame others may be shown before: those read first.
        self._leading = False
        self._since: list[NumberedPacket] = []
        self.step = 0

    def read(self, packet: Packet[VideoStream]) -> PictureHead | None:
        return self._heads.read(bytes(packet)) if packet.size else None

    @property
    def lacks_sequence(self) -> bool:
        return self._heads.lacks_sequence

    def place(
        self,
        waiting: list[tuple[NumberedPacket, PictureHead | None]],
        ahead: deque[NumberedPacket],
    ) -> None:
        """Number the packets that wait; all that are not given away yet are ``ahead``."""
        self.step = self.step or _step_of([head for _, head in waiting if head is not None])
        for found, head in waiting:
            if head is not None:
                self._place(found, head, ahead)
        waiting.clear()

    def end(self, ahead: deque[NumberedPacket]) -> None:
        """Say what is missing at the end."""
        self._note_missing(self._largest, ahead)

    def _place(
        self, found: NumberedPacket, head: PictureHead, ahead: deque[NumberedPacket]
    ) -> None:
        if head.resets:
            self._note_missing(self._largest, ahead)
            self._first = self._base = self._largest + 1
            self._leading = head.leads
            self._since.clear()
            if self._begun and head.idr_id is not None and head.idr_id == self._idr_id:
                _mark(ahead, found)
            self._idr_id = head.idr_id
        number = self._base + head.order // (self.step or 1)
        if not self._begun:
            self._base -= number
            number, self._begun = 0, True
        if self._leading and self._first - _REORDERED <= number < self._first:
            number += self._make_room(self._first - number)
        if number - self._largest > _LEAP or (
            0 <= number <= self._largest and number not in self._due
        ):
            _mark(ahead, found)
            self._base += self._largest + 1 - number
            number = self._largest + 1
        found.number = number
        if self._leading:
            self._since.append(found)
            self._leading = len(self._since) < _REORDERED
        self._due.update(range(self._largest + 1, number))
        self._due.discard(number)
        self._depth = max(self._depth, min(_REORDERED, self._largest - number))
        self._largest = max(self._largest, number)
        self._note_missing(self._largest - _REORDERED, ahead)

    def _make_room(self, count: int) -> int:
        """Move a sequence back by so many frames, which are shown before its first one."""
        self._base += count
        self._largest += count
        for each in self._since:
            each.number = None if each.number is None else each.number + count
        taken = {each.number for each in self._since}
        self._due = {number for number in self._due if number < self._first}
        self._due |= set(range(self._first, self._largest + 1)) - taken
        return count

    def _note_missing(self, last: int, ahead: deque[NumberedPacket]) -> None:
        """What is due up to that number will not come any more."""
        for missing in sorted(number for number in self._due if number <= last):
            self._due.discard(missing)
            # Those shown just before may be coded from it.
            for each in ahead:
                if each.number is not None and each.number >= missing - self._depth:
                    _mark(ahead, each)
                    break


def _mark(ahead: deque[NumberedPacket], found: NumberedPacket) -> None:
    """Say that something is missing before a packet: bytes of the one before may be, too."""
    packets = list(ahead)
    packets[max(0, packets.index(found) - 1)].lost_before = True
    found.lost_before = True


def _step_of(heads: list[PictureHead]) -> int:
    """By how much the count rises from frame to frame; 0 where it cannot be told yet."""
    first = [index for index, head in enumerate(heads) if head.resets]
    end = first[1] if len(first) > 1 else len(heads)
    orders = sorted(head.order for head in heads[:end])
    if len(heads) > 1 and len(first) == len(heads):
        return 1  # nothing but IDR pictures
    steps = [later - earlier for earlier, later in pairwise(orders)]
    return math.gcd(*steps)
