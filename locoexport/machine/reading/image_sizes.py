"""How large an image says it is, read from its header: a few kB of file can ask for gigabytes.

OpenCV's own limit is 2^30 pixels, and can be changed for a whole process only. What is read here
is what its decoders read; a kind of image that is not here is not decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ImageHeader", "image_is_whole", "image_kind", "image_pixels", "read_image_header"]

_MARKERS_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_SIDES = {256: 0, 322: 0, 257: 1, 323: 1}
"""Width and width of a tile; length and length of a tile."""
_MOST_TAGS = 4096
_SCAN = b"\xff\xda"


@dataclass(frozen=True)
class ImageHeader:
    """Kind, height and width in pixels, at least 1; ``scans`` is how often a decoder goes over
    them, above 1 in a progressive JPEG."""

    kind: str
    height: int
    width: int
    scans: int


def read_image_header(data: bytes) -> ImageHeader | None:
    """What the header of an image says; None where there is none, or it says no size.

    Sources: ITU-T T.81, annex B (JPEG); W3C PNG, section 11.2.1; TIFF 6.0, section 2.

    Args:
        data: a whole file.
    """
    kind = image_kind(data)
    if kind is None:
        return None
    try:
        width, height = _KINDS[kind][1](data)
    except (struct.error, IndexError, ValueError, OverflowError):  # cut short, or no number there
        return None
    if not (width and height):
        return None
    return ImageHeader(kind, height, width, data.count(_SCAN) if kind == "jpeg" else 1)


def image_kind(data: bytes) -> str | None:
    """What an image is by its first bytes: ``png``, ``jpeg``, …; None where it is none of ours."""
    for kind, (pattern, _) in _KINDS.items():
        if re.match(pattern, data[:32], re.DOTALL):
            return kind
    return None


def image_pixels(data: bytes) -> int | None:
    """Width times height of what a decoder would make room for; None where no header says it.

    Args:
        data: a whole file.
    """
    header = read_image_header(data)
    return None if header is None else header.height * header.width


def image_is_whole(data: bytes) -> bool:
    """False for a PNG with a part that would be longer than the file, which OpenCV makes room for.

    Args:
        data: a whole file.
    """
    if image_kind(data) != "png":
        return True
    at = 8
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if at > len(data):
            return False
        if name == b"IEND":
            return True
    return False


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14) == (12,):
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _pnm(data: bytes) -> tuple[int, int]:
    """P1 to P6, and Pf and PF; a comment may stand wherever a space may."""
    gap = rb"(?:[ \t\r\n\v\f]|#[^\n]*\n)+"
    match = re.match(rb"P[1-6Ff]" + gap + rb"([0-9]{1,9})" + gap + rb"([0-9]{1,9})", data[:65536])
    if match is None:
        raise ValueError
    return int(match[1]), int(match[2])


def _pam(data: bytes) -> tuple[int, int]:
    head = data[:65536].partition(b"ENDHDR")[0]
    sides = [
        max(int(number) for number in re.findall(rb"%s[ \t]+([0-9]{1,9})" % name, head))
        for name in (b"WIDTH", b"HEIGHT")
    ]
    return sides[0], sides[1]


def _tiff(data: bytes) -> tuple[int, int]:
    """The largest that any tag of the first directory says: a tile may be larger than its image."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset, count, step, entry = ("Q", "Q", 20, 8) if big else ("I", "H", 12, 4)
    (start,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    (tags,) = struct.unpack_from(order + count, data, start)
    start += struct.calcsize(order + count)
    sides = [0, 0]
    for at in range(start, start + step * min(tags, _MOST_TAGS), step):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in _TIFF_SIDES:
            form = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            (value,) = struct.unpack_from(order + form, data, at + 4 + entry)
            sides[_TIFF_SIDES[tag]] = max(sides[_TIFF_SIDES[tag]], value)
    return sides[0], sides[1]


def _jpeg(data: bytes) -> tuple[int, int]:
    """The largest of all frame headers."""
    at, found = 2, (0, 0)
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            found = max(found, (width, height), key=lambda sides: sides[0] * sides[1])
        if marker in (0x00, 0xFF) or marker in _MARKERS_WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
        elif marker in (0xD9, 0xDA) and found != (0, 0):
            return found
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    if found == (0, 0):
        raise ValueError
    return found


def _jpeg2000(data: bytes) -> tuple[int, int]:
    at = data.index(b"\xff\x4f\xff\x51")
    right, lower, left, upper = struct.unpack_from(">IIII", data, at + 8)
    return max(0, right - left), max(0, lower - upper)


def _sun(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _radiance(data: bytes) -> tuple[int, int]:
    match = re.search(rb"\n[-+][XY] +([0-9]{1,9}) +[-+][XY] +([0-9]{1,9})", data[:65536])
    if match is None:
        raise ValueError
    return int(match[1]), int(match[2])


def _webp(data: bytes) -> tuple[int, int]:
    """The frame's own header, or the canvas's of an extended file."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        sides = [int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27)]
    elif chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        sides = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
    else:
        sides = [side & 0x3FFF for side in struct.unpack_from("<HH", data, 26)]
    return sides[0], sides[1]


_KINDS: dict[str, tuple[bytes, Callable[[bytes], tuple[int, int]]]] = {
    "png": (rb"\x89PNG\r\n\x1a\n", _png),
    "bmp": (rb"BM", _bmp),
    "gif": (rb"GIF8[79]a", _gif),
    "pam": (rb"P7[\r\n]", _pam),
    "pnm": (rb"P[1-6Ff][\s#]", _pnm),
    "tiff": (rb"II[*+]\0|MM\0[*+]", _tiff),
    "jpeg": (rb"\xff\xd8\xff", _jpeg),
    "jpeg2000": (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ", _jpeg2000),
    "sun": (rb"\x59\xa6\x6a\x95", _sun),
    "radiance": (rb"#\?(?:RADIANCE|RGBE)", _radiance),
    "webp": (rb"RIFF.{4}WEBP", _webp),
}
