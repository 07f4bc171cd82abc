"""Protobuf's wire format: the fields of a message, without knowing what they mean.

Source: protobuf.dev/programming-guides/encoding. ONNX files are such messages. Nothing is copied,
so that a file of gigabytes is passed over as fast as one of kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["read_fields"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST_SHIFT = 63
_MOST_FIELDS = 1_000_000
"""Of one message: a graph of that many nodes and tensors is read by nobody."""


def read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message, in order: an int of a varint, a view of all else.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    at, size, count = 0, len(message), 0
    while at < size:
        count += 1
        if count > _MOST_FIELDS:
            raise ValueError(f"the message has over {_MOST_FIELDS} fields")
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"field {number} has the unknown wire type {kind}")
        if at + length > size:
            raise ValueError("the message is cut short")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(message) or shift > _LARGEST_SHIFT:
            raise ValueError("the message is cut short")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
