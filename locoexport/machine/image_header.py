"""How large a JPEG or PNG file says its image is, without decoding it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["ImageHeader", "read_image_header"]

_PNG = b"\x89PNG\r\n\x1a\n"
_START, _SCAN = b"\xff\xd8", b"\xff\xda"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, of any coding
_ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without a length
_END_OF_HEADER = frozenset((0xD9, 0xDA))
# Segments before the frame's: tables, EXIF, and a colour profile in up to 255 pieces.
_MOST_SEGMENTS = 1000


@dataclass(frozen=True)
class ImageHeader:
    """Height and width in pixels, at least 1; ``scans`` is how often a decoder goes over them."""

    height: int
    width: int
    scans: int


def read_image_header(data: bytes) -> ImageHeader | None:
    """The header of a JPEG or PNG file; None where the bytes are neither.

    Sources: ITU-T T.81, annex B (JPEG); W3C PNG, section 11.2.1.
    """
    if data.startswith(_PNG):
        if len(data) < 24 or data[12:16] != b"IHDR":
            return None
        width, height = struct.unpack(">II", data[16:24])
        scans = 1
    elif data.startswith(_START):
        place = _find_frame(data)
        if place is None or place + 9 > len(data):
            return None
        height, width = struct.unpack(">HH", data[place + 5 : place + 9])
        scans = data.count(_SCAN)
    else:
        return None
    return ImageHeader(height, width, scans) if height and width else None


def _find_frame(data: bytes) -> int | None:
    """Where the marker of the frame is, of which there is one before the first scan."""
    place = 2
    for _ in range(_MOST_SEGMENTS):
        place = data.find(b"\xff", place)
        if place < 0 or place + 4 > len(data):
            return None
        marker = data[place + 1]
        if marker in _FRAMES:
            return place
        if marker in _END_OF_HEADER:
            return None
        if marker in (0x00, 0xFF):  # stuffing, and filling
            place += 2 if marker == 0 else 1
        elif marker in _ALONE:
            place += 2
        else:
            place += 2 + int(struct.unpack(">H", data[place + 2 : place + 4])[0])
    return None
