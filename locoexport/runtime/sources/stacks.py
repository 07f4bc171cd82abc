"""TIFF files that hold several pictures, of which decoders give the first without a word.

Source: TIFF 6.0, section 2, and BigTIFF: a directory of tags for each picture, each of which says
where the next one lies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["warn_of_stacks"]

_ORDERS = {b"II": "<", b"MM": ">"}
_SMALL, _BIG = 42, 43


def warn_of_stacks(paths: Iterable[Path]) -> list[str]:
    """A warning that names the first of the files that holds more than is read of it."""
    for path in paths:
        if _holds_more(path):
            return [
                f"{path} holds more than one picture (it is a stack of pages), of which the first "
                "is read. Write its pages as a folder of images, as ImageJ does with Save As, "
                "Image Sequence."
            ]
    return []


def _holds_more(path: Path) -> bool:
    # Whoever reads the pictures says what is wrong with a file.
    with suppress(OSError, ValueError, OverflowError, struct.error), open(path, "rb") as file:
        head = file.read(16)
        order = _ORDERS.get(head[:2])
        if order is None:
            return False
        (kind,) = struct.unpack_from(order + "H", head, 2)
        if kind not in (_SMALL, _BIG):
            return False
        offset, count, entry = ("Q", "Q", 20) if kind == _BIG else ("I", "H", 12)
        (directory,) = struct.unpack_from(order + offset, head, 8 if kind == _BIG else 4)
        file.seek(directory)
        (tags,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
        file.seek(tags * entry, 1)
        (following,) = struct.unpack(order + offset, file.read(struct.calcsize(order + offset)))
        return bool(following)
    return False
