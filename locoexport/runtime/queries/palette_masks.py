"""Masks of several objects: PNG with a palette, where an index is an object, as DAVIS has them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["split_by_index"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES, _DEPTH_AT, _COLOUR_TYPE_AT = 13, 8, 9
_PALETTE, _GREY = 3, 0
_VOID, _VOID_RGB = 255, bytes((224, 224, 192))
_MOST_OBJECTS = 64
"""More indices than that are the shades of a soft edge, not objects."""


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    data: bytes


def split_by_index(
    data: bytes, mask: NDArray[np.bool_]
) -> tuple[tuple[int, NDArray[np.bool_]], ...]:
    """The parts of a mask by palette index, smallest index first; none where it is of one object.

    Which pixels are inside is for the mask to say (``read_mask``): black and transparent ones are
    not, whatever their index. VOC's border (index 255, cream) belongs to no object either.

    Args:
        data: of an image file that OpenCV read as ``mask``.
        mask: bool (height, width), what is inside.

    Returns:
        (index, bool (height, width)) of each object; empty where the file has no palette, a single
        object, or more than 64, which are shades of a soft edge.
    """
    chunks = _read_chunks(data)
    indices = _read_indices(chunks)
    if indices is None or indices.shape != mask.shape:
        return ()
    palette = next((chunk.data for chunk in chunks if chunk.name == b"PLTE"), b"")
    if palette[3 * _VOID : 3 * _VOID + 3] == _VOID_RGB:
        mask = mask & (indices != _VOID)
    found = [int(index) for index in np.unique(indices[mask])]
    if not 1 < len(found) <= _MOST_OBJECTS:
        return ()
    return tuple((index, mask & (indices == index)) for index in found)


def _read_chunks(data: bytes) -> list[_Chunk]:
    if not data.startswith(_SIGNATURE):
        return []
    chunks, at = [], len(_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append(_Chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _read_indices(chunks: list[_Chunk]) -> NDArray[np.uint8] | None:
    """Palette indices, which OpenCV does not give: the same pixels said to be shades of grey."""
    header = chunks[0].data if chunks and chunks[0].name == b"IHDR" else b""
    if len(header) != _HEADER_BYTES or header[_COLOUR_TYPE_AT] != _PALETTE:
        return None
    depth = header[_DEPTH_AT]
    grey = header[:_COLOUR_TYPE_AT] + bytes((_GREY,)) + header[_COLOUR_TYPE_AT + 1 :]
    kept = [_Chunk(b"IHDR", grey), *(chunk for chunk in chunks if chunk.name == b"IDAT")]
    plain = b"".join([_SIGNATURE, *(_packed(chunk) for chunk in (*kept, _Chunk(b"IEND", b"")))])
    try:
        image = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if image is None or image.ndim != 2 or image.dtype != np.uint8 or depth not in (1, 2, 4, 8):
        return None
    # Grey of few bits is spread over 0 to 255.
    return np.asarray(image // (255 // (2**depth - 1)), np.uint8)


def _packed(chunk: _Chunk) -> bytes:
    checked = chunk.name + chunk.data
    return struct.pack(">I", len(chunk.data)) + checked + struct.pack(">I", zlib.crc32(checked))
