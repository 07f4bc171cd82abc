"""TFRecord files and the examples in them, read without TensorFlow.

Layout of a file: tensorflow/core/lib/io/record_writer.h; of an example: ``example.proto`` and
``feature.proto`` of TensorFlow (spec/training.md, section 1.1). Lists of whole numbers are not
declared here, so that protobuf skips them by their length: a flow of MOVi-E is three million.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError

__all__ = ["Example", "Record", "RecordFile", "index_records", "read_example"]

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEADER = _LENGTH.size + _CHECKSUM.size
_LARGEST_RECORD = 1 << 30


@dataclass(frozen=True)
class Record:
    """Where a record's bytes lie in its file."""

    offset: int
    length: int


@dataclass(frozen=True)
class RecordFile:
    """A file's whole records; ``broken`` says what stands after them, None where nothing does."""

    path: Path
    records: tuple[Record, ...]
    broken: str | None


@dataclass(frozen=True, eq=False)
class Example:
    """An example's lists of bytes and of floats by key."""

    texts: Mapping[str, tuple[bytes, ...]]
    numbers: Mapping[str, NDArray[np.float32]]


def index_records(path: Path) -> RecordFile:
    """Find the records of a file by their lengths; what they hold is not read.

    Raises:
        InputError: the file cannot be read.
    """
    records: list[Record] = []
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            offset = 0
            while offset < size:
                file.seek(offset)
                length = _read_length(file.read(_HEADER))
                end = None if length is None else offset + _HEADER + length + _CHECKSUM.size
                if length is None or end is None or end > size:
                    what = "has a broken length" if length is None else "is cut off"
                    return RecordFile(path, tuple(records), f"record {len(records)} {what}")
                records.append(Record(offset + _HEADER, length))
                offset = end
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    return RecordFile(path, tuple(records), None)


def read_example(path: Path, record: Record) -> Example:
    """One record's example, its checksum checked.

    Raises:
        InputError: the file cannot be read, the checksum differs, or it is no example.
    """
    try:
        with open(path, "rb") as file:
            file.seek(record.offset)
            data = file.read(record.length)
            told = file.read(_CHECKSUM.size)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    if len(told) < _CHECKSUM.size or _masked_checksum(data) != _CHECKSUM.unpack(told)[0]:
        raise InputError(f"{path}: the record at byte {record.offset} has a wrong checksum.")
    return _parse(data, f"{path}: the record at byte {record.offset}")


def _read_length(header: bytes) -> int | None:
    """None where the header is cut off, its checksum differs or the length is absurd."""
    if len(header) < _HEADER:
        return None
    if _masked_checksum(header[: _LENGTH.size]) != _CHECKSUM.unpack(header[_LENGTH.size :])[0]:
        return None
    length: int = _LENGTH.unpack(header[: _LENGTH.size])[0]
    return length if length <= _LARGEST_RECORD else None


def _masked_checksum(data: bytes) -> int:
    import google_crc32c

    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _parse(data: bytes, where: str) -> Example:
    from google.protobuf.message import DecodeError

    message = _example_class()()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise InputError(f"{where} is no tf.train.Example.") from error
    texts, numbers = {}, {}
    for key, feature in message.features.feature.items():
        if feature.HasField("bytes_list"):
            texts[key] = tuple(feature.bytes_list.value)
        elif feature.HasField("float_list"):
            numbers[key] = np.array(feature.float_list.value, np.float32)
    return Example(texts, numbers)


@cache
def _example_class() -> Any:
    """``tf.train.Example`` without its lists of whole numbers."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="locoexport/example.proto", syntax="proto3")
    file.package = "locoexport.example"

    def message(name: str) -> descriptor_pb2.DescriptorProto:
        added = file.message_type.add()
        added.name = name
        return added

    def field(
        owner: descriptor_pb2.DescriptorProto,
        name: str,
        kind: Any,
        *,
        number: int = 1,
        of: str | None = None,
        repeated: bool = False,
    ) -> None:
        added = owner.field.add(name=name, number=number, type=kind)
        added.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        if of is not None:
            added.type_name = f".{file.package}.{of}"

    field(message("BytesList"), "value", kinds.TYPE_BYTES, repeated=True)
    field(message("FloatList"), "value", kinds.TYPE_FLOAT, repeated=True)
    feature = message("Feature")
    field(feature, "bytes_list", kinds.TYPE_MESSAGE, number=1, of="BytesList")
    field(feature, "float_list", kinds.TYPE_MESSAGE, number=2, of="FloatList")
    features = message("Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    field(entry, "key", kinds.TYPE_STRING, number=1)
    field(entry, "value", kinds.TYPE_MESSAGE, number=2, of="Feature")
    field(features, "feature", kinds.TYPE_MESSAGE, of="Features.FeatureEntry", repeated=True)
    field(message("Example"), "features", kinds.TYPE_MESSAGE, of="Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Example"))
