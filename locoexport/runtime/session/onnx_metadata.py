"""The metadata properties of an .onnx file, read from its bytes without the onnx package.

An ONNX file is a protobuf message (``ModelProto``); its field 14 are the properties, each a message
of a key (1) and a value (2). Everything else is skipped unread.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["read_metadata"]

_PROPERTIES = 14
_KEY, _VALUE = 1, 2
_MOST_FIELDS = 1_000_000
"""Of a message; a file of ours has a dozen."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(data: bytes) -> dict[str, str]:
    """Properties by key, in order; empty where there are none.

    Raises:
        ValueError: the bytes are not a protobuf message.
    """
    properties: dict[str, str] = {}
    for number, value in _fields(data):
        if number == _PROPERTIES and value is not None:
            entry = {inner: text for inner, text in _fields(value) if text is not None}
            properties[entry.get(_KEY, b"").decode()] = entry.get(_VALUE, b"").decode()
    return properties


def _fields(data: bytes) -> Iterator[tuple[int, bytes | None]]:
    """(field number, bytes) of a message; None in place of numbers."""
    at, count = 0, 0
    while at < len(data):
        count += 1
        if count > _MOST_FIELDS:
            raise ValueError(f"the message has over {_MOST_FIELDS} fields")
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
            yield number, None
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            yield number, None
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("the message is cut short")
            # Only properties are worth a copy: the graph is nearly all of the file.
            keep = size < 1 << 20
            yield number, data[at : at + size] if keep else None
            at += size
        else:
            raise ValueError(f"field {number} has the unknown wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the message is cut short")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
