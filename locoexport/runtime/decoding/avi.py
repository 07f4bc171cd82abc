"""AVI films, which hold no times: which frame is which, and whether all of them are there."""

from __future__ import annotations

import struct
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import BinaryIO

from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["AviChunks", "AviIndex"]

_HEAD = 8
"""Bytes before the content of a chunk: its name, and its length as uint32, little endian."""
_LISTS = (b"LIST", b"RIFF")
"""Chunks that hold others, after four more bytes."""
_CHUNKS = 4096


class AviIndex:
    """Which frame lies where, as the index at the end of a film says."""

    def __init__(self, stream: VideoStream) -> None:
        """``stream`` is of an open film."""
        # The index names the head of a frame, a packet its content.
        entries = getattr(stream, "index_entries", ())
        self._numbers = {entry.pos + _HEAD: entry.timestamp for entry in entries}
        self._first: int | None = None
        self._shift = 0

    def names(self, packet: Packet[VideoStream]) -> bool:
        """Whether it says which frame that is."""
        return packet.pos in self._numbers

    def shift(self, packet: Packet[VideoStream]) -> int:
        """How many frames were lost up to this one, as far as the index knows."""
        number = None if packet.pos is None else self._numbers.get(packet.pos)
        if number is None or packet.dts is None:
            return self._shift
        if self._first is None:
            self._first = number - packet.dts
        self._shift = max(self._shift, number - packet.dts - self._first)
        return self._shift


class AviChunks:
    """Whether the frames of a film follow each other without a hole, from chunk to chunk."""

    def __init__(self, name: str) -> None:
        """``name`` is the film's, as PyAV has it: with ``file:`` before it, or without."""
        self._name = name.removeprefix("file:")
        self._stack = ExitStack()
        self._file: BinaryIO | None = None

    def follows(self, packet: Packet[VideoStream], earlier: Packet[VideoStream] | None) -> bool:
        """Whether nothing but whole chunks lies between two packets of a stream."""
        if self._file is None or earlier is None or earlier.pos is None or packet.pos is None:
            return True
        place, wanted = earlier.pos + earlier.size, packet.pos - _HEAD
        for _ in range(_CHUNKS):
            place += place % 2  # chunks begin at even bytes
            if place >= wanted:
                return place == wanted
            self._file.seek(place)
            head = self._file.read(_HEAD)
            if len(head) < _HEAD or not head[:4].isascii() or not head[:4].decode().isprintable():
                return False
            place += _HEAD + (4 if head[:4] in _LISTS else struct.unpack("<I", head[4:])[0])
        return True

    def __enter__(self) -> AviChunks:
        """Open the file; of one that cannot be opened nothing is said."""
        with suppress(OSError):
            self._file = self._stack.enter_context(open(self._name, "rb"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._stack.close()
