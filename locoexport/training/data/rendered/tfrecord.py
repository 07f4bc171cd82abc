"""TFRecord files and the examples in them, read without TensorFlow.

Layout of a file: tensorflow/core/lib/io/record_writer.h; of an example: ``example.proto`` and
``feature.proto`` of TensorFlow (spec/training.md, section 1.1). Lists of whole numbers are not
declared here, so that protobuf skips them by their length: a flow of MOVi-E is three million.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
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
_LFS_POINTER = b"version http"


@dataclass(frozen=True)
class Record:
    """The record of that ``number``, from 0, in its file; ``offset`` and ``length`` of its data in
    bytes."""

    number: int
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

    A file that cannot be opened has no records, and ``broken`` says why.
    """
    records: list[Record] = []
    try:
        size = path.stat().st_size
        # Unbuffered: twelve bytes a record are read, not the megabytes between them.
        with open(path, "rb", buffering=0) as file:
            offset = 0
            while offset < size:
                file.seek(offset)
                header = file.read(_HEADER)
                length = _read_length(header)
                if length is None:
                    return RecordFile(path, tuple(records), _describe(header, records, offset))
                start = offset + _HEADER
                offset = start + length + _CHECKSUM.size
                if offset > size:
                    broken = f"record {len(records)} (from byte {start}) is cut off"
                    return RecordFile(path, tuple(records), broken)
                records.append(Record(len(records), start, length))
    except OSError as error:
        broken = f"it cannot be read ({error.strerror or error})"
        return RecordFile(path, tuple(records), broken)
    return RecordFile(path, tuple(records), None)


def read_example(path: Path, record: Record, keys: Collection[str] | None = None) -> Example:
    """One record's example, its checksum checked; only ``keys`` of it where they are named.

    Raises:
        InputError: the file cannot be read, the checksum differs, or it is no example. The message
            names neither file nor record.
    """
    try:
        with open(path, "rb") as file:
            file.seek(record.offset)
            data = file.read(record.length)
            told = file.read(_CHECKSUM.size)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error}).") from error
    if len(data) < record.length or len(told) < _CHECKSUM.size:
        raise InputError("it is cut off: the file became shorter.")
    if _masked_checksum(data) != _CHECKSUM.unpack(told)[0]:
        raise InputError("its checksum is wrong: the file was damaged. Fetch it again.")
    return _parse(data, keys)


def _read_length(header: bytes) -> int | None:
    """None where the header is cut off, its checksum differs or the length is absurd."""
    if len(header) < _HEADER:
        return None
    if _masked_checksum(header[: _LENGTH.size]) != _CHECKSUM.unpack(header[_LENGTH.size :])[0]:
        return None
    length: int = _LENGTH.unpack(header[: _LENGTH.size])[0]
    return length if length <= _LARGEST_RECORD else None


def _describe(header: bytes, records: list[Record], offset: int) -> str:
    if not records and header == _LFS_POINTER:
        return "it is a pointer of Git LFS, not the file itself (`git lfs pull` fetches it)"
    what = "is cut off" if len(header) < _HEADER else "has a broken length"
    return f"record {len(records)} (at byte {offset}) {what}"


def _masked_checksum(data: bytes) -> int:
    import google_crc32c

    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _parse(data: bytes, keys: Collection[str] | None) -> Example:
    from google.protobuf.message import DecodeError

    message = _example_class()()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise InputError("it is no tf.train.Example.") from error
    texts: dict[str, tuple[bytes, ...]] = {}
    numbers: dict[str, NDArray[np.float32]] = {}
    for key, feature in message.features.feature.items():
        if keys is not None and key not in keys:
            continue
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
