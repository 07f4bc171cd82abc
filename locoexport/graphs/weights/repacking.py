"""A model's weights put elsewhere: all into the model itself, or the large ones into one file.

The bytes of each tensor stay what they are. Nothing here holds more than one chunk of a file, and
what belongs into the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import onnx
from onnx_ir.serde import TensorProtoTensor

from locoexport.errors import OutputError
from locoexport.graphs.walking import Holder, iterate_tensors
from locoexport.graphs.weights.data_spans import DataSpan, span_of
from locoexport.graphs.weights.external_data import damaged, is_external, tensor_bytes
from locoexport.machine.reading.linked_files import find_file

__all__ = ["LARGEST_MESSAGE", "fill_data_file", "fill_model", "goes_outside", "is_laid_out"]

LARGEST_MESSAGE = (1 << 31) - 1
"""Bytes of a protobuf message, and so of a model in one file."""
_LARGE_BYTES = 1024
"""From here a tensor is put into a data file; the default of onnx.save_model. Shapes and axes stay
in the model, where readers look for them."""
_PAGE = 4096
"""Offsets onnx.proto asks for, so that a runtime can map a tensor's bytes into memory."""
_BLOCK, _BLOCK_FROM = 64 * 1024, 1 << 20
"""Windows maps at multiples of 64 KiB only. A tensor of 1 MiB has room for the gap."""
_CHUNK = 16 << 20
_TYPED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_ENTRY_BYTES = 16
"""Of tags and lengths around a tensor's bytes in a message, at most."""


def is_laid_out(model: onnx.ModelProto, name: str | None) -> bool:
    """Whether the weights lie so already: in the model (None), or the large ones in ``name``."""
    for tensor, holder in iterate_tensors(model):
        if goes_outside(tensor, holder) and name is not None:
            if not is_external(tensor) or span_of(tensor).location != name:
                return False
        elif is_external(tensor):
            return False
    return True


def goes_outside(tensor: onnx.TensorProto, holder: Holder) -> bool:
    """Whether a tensor belongs into a data file.

    Parts of sparse tensors do not: ONNX Runtime 1.15 finds them nowhere else. Nor do tensors in
    attributes of nodes but Constant, which a runtime hands to the node as they are.
    """
    if tensor.data_type == onnx.TensorProto.STRING or holder == "sparse":
        return False
    if holder == "attribute" and not is_external(tensor):
        return False
    return tensor_bytes(tensor) >= _LARGE_BYTES


def fill_model(model: onnx.ModelProto, folder: Path) -> None:
    """Read all external data in ``folder`` into ``model``, in place.

    Raises:
        OutputError: the model would be over 2 GB, which no protobuf message can be.
        ModelFileError: external data is missing or damaged.
    """
    outside = [tensor for tensor, _ in iterate_tensors(model) if is_external(tensor)]
    size = model.ByteSize() + sum(tensor_bytes(tensor) + _ENTRY_BYTES for tensor in outside)
    if size > LARGEST_MESSAGE:
        raise OutputError(
            f"With its weights the model takes {size / 1e9:.2f} GB, and one file can hold "
            f"{LARGEST_MESSAGE / 1e9:.2f} GB at most. Pass --external-data NAME instead of "
            "--single-file: all weights go into one file beside the model."
        )
    for tensor in outside:
        _read_in(tensor, folder)


def fill_data_file(model: onnx.ModelProto, folder: Path, path: Path) -> int:
    """Put the large weights of ``model`` into a new file at ``path``, in place; returns its size.

    Weights that are external are copied from ``folder``, those that shared bytes share them again.
    The file is not made where there are none. Small external tensors go into the model.

    Raises:
        ModelFileError: external data is missing or damaged.
        OSError: the file cannot be written.
    """
    tensors = list(iterate_tensors(model))
    for tensor, holder in tensors:
        if is_external(tensor) and not goes_outside(tensor, holder):
            _read_in(tensor, folder)
    moving = [tensor for tensor, holder in tensors if goes_outside(tensor, holder)]
    if not moving:
        return 0
    with open(path, "wb") as file:
        writer = _Writer(file, folder, {})
        for tensor in moving:
            offset = writer.put(tensor)
            _point_to(tensor, DataSpan(path.name, offset, tensor_bytes(tensor)))
        return file.tell()


@dataclass(frozen=True)
class _Writer:
    """A data file that is being written, and where in it the bytes of the sources' spans are."""

    file: IO[bytes]
    folder: Path
    placed: dict[tuple[str, int, int], int]

    def put(self, tensor: onnx.TensorProto) -> int:
        """Write a tensor's bytes; returns their offset."""
        size = tensor_bytes(tensor)
        if not is_external(tensor):
            offset = self._align(size)
            self.file.write(tensor.raw_data or TensorProtoTensor(tensor).tobytes())
            return offset
        span = span_of(tensor)
        if span.length not in (None, size):
            raise damaged(tensor, span.length)
        key = (span.location, span.offset, size)
        if key not in self.placed:
            self.placed[key] = self._align(size)
            self._copy(tensor, span)
        return self.placed[key]

    def _align(self, size: int) -> int:
        step = _BLOCK if size >= _BLOCK_FROM else _PAGE
        return self.file.seek(-(-self.file.tell() // step) * step)

    def _copy(self, tensor: onnx.TensorProto, span: DataSpan) -> None:
        left = tensor_bytes(tensor)
        with open(find_file(self.folder, span.location), "rb") as source:
            source.seek(span.offset)
            while left and (chunk := source.read(min(left, _CHUNK))):
                self.file.write(chunk)
                left -= len(chunk)
        if left:
            raise damaged(tensor, tensor_bytes(tensor) - left)


def _read_in(tensor: onnx.TensorProto, folder: Path) -> None:
    size, span = tensor_bytes(tensor), span_of(tensor)
    if span.length not in (None, size) or tensor.data_type == onnx.TensorProto.STRING:
        raise damaged(tensor, span.length)
    with open(find_file(folder, span.location), "rb") as file:
        file.seek(span.offset)
        found = file.read(size)
    if len(found) != size:
        raise damaged(tensor, len(found))
    tensor.raw_data = found
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _point_to(tensor: onnx.TensorProto, span: DataSpan) -> None:
    for field in ("raw_data", *_TYPED_FIELDS):
        tensor.ClearField(field)
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entries = {"location": span.location, "offset": span.offset, "length": span.length}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
