"""Weights that lie in files beside the model: found, checked, and carried along.

Nothing here reads a large tensor: models over 2 GB keep their bytes where they are.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnx import helper

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.data_spans import DataSpan, span_of
from locoexport.graphs.structure import bits_of
from locoexport.graphs.walking import iterate_nodes
from locoexport.machine.reading.linked_files import find_file
from locoexport.machine.writing.drafts import draft_folder
from locoexport.machine.writing.output_files import link_or_copy
from locoexport.machine.writing.replacement import put_in_place

__all__ = [
    "check_external_files",
    "external_size",
    "has_external_data",
    "is_external",
    "staging_folder",
    "with_small_tensors",
    "without_external",
]

_SMALL_BYTES = 64 * 1024


def check_external_files(model: onnx.ModelProto, folder: Path) -> tuple[str, ...]:
    """The locations of the model's external data, each of which is there and long enough.

    Raises:
        ModelFileError: a file is missing or too short, or lies outside the model's folder.
    """
    needed: dict[str, int] = {}
    for tensor in _external_tensors(model):
        span = span_of(tensor)
        needed[span.location] = max(needed.get(span.location, 0), span.end)
    for location, end in needed.items():
        found = find_file(folder, location)
        size = found.stat().st_size
        if size < end:
            raise ModelFileError(
                f"The model's external data {folder / location} has {size} bytes, and the model "
                f"refers to {end}: it is cut short or another model's."
            )
    return tuple(needed)


def has_external_data(model: onnx.ModelProto) -> bool:
    """True where any tensor lies in a file of its own."""
    return any(True for _ in _external_tensors(model))


def with_small_tensors(model: onnx.ModelProto, folder: Path | None) -> onnx.ModelProto:
    """A copy with small external tensors read in: shape inference needs constant shapes.

    Without a folder, or where nothing is external, the model itself.
    """
    if folder is None or not has_external_data(model):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in list(_external_tensors(copy)):
        span = span_of(tensor)
        if span.length and span.length <= _SMALL_BYTES:
            tensor.raw_data = _read(tensor, span, folder)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return copy


def external_size(folder: Path, locations: Iterable[str]) -> int:
    """Bytes of the files at these locations, together."""
    return sum(find_file(folder, location).stat().st_size for location in locations)


def without_external(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose weights in other files are inputs: onnx.checker would look for those files, and
    refuses links among them.
    """
    outside = [tensor for tensor in model.graph.initializer if is_external(tensor)]
    if not outside:
        return model
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    kept = [tensor for tensor in model.graph.initializer if not is_external(tensor)]
    del whole.graph.initializer[:]
    whole.graph.initializer.extend(kept)
    listed = {value.name for value in model.graph.input}
    whole.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in outside
        if tensor.name not in listed
    )
    return whole


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's data lies in another file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


@contextmanager
def staging_folder(
    output: Path, source: Path, locations: tuple[str, ...], *, force: bool, shared: bool = False
) -> Iterator[Path]:
    """A path to write the model to, with its external data beside it; all is renamed at the end.

    Model and data lie in a hidden folder beside ``output`` until the block ends well, so that the
    model can be loaded from there; then all of them are put in place, or none. When the block
    raises, the hidden folder is removed. With ``shared`` the data is already where it belongs, and
    stays as it is.

    Raises:
        OutputError: a data file is there already and ``force`` is not given, its folder does not
            exist, or the operating system refuses a write.
    """
    for location in locations:
        if Path(location) == Path(output.name):
            raise OutputError(f"{output} has the name of the model's external data; name another.")
        if not shared:
            _check_data_target(output.parent / location, force=force)
    target = Path(os.path.realpath(output))
    try:
        with draft_folder(target.parent) as folder:
            for location in locations:
                (folder / location).parent.mkdir(parents=True, exist_ok=True)
                data = find_file(source, location)
                (link_or_copy if shared else shutil.copyfile)(data, folder / location)
            yield folder / output.name
            beside = Path(os.path.realpath(output.parent))
            moved = () if shared else locations
            moves = [(folder / each, beside / each) for each in moved]
            put_in_place(folder, [*moves, (folder / output.name, target)])
    except OSError as error:
        raise OutputError(f"Cannot write {output}: {error.strerror or error}.") from error


def _check_data_target(target: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise OutputError(
            f"The model's external data goes to {target}, and that folder does not exist; make it "
            f"first (mkdir -p {target.parent})."
        )
    if target.exists() and not force:
        raise OutputError(
            f"The model's external data goes to {target}, which exists already; pass --force to "
            "replace it, or write to another folder."
        )


def _read(tensor: onnx.TensorProto, span: DataSpan, folder: Path) -> bytes:
    wanted = -(-math.prod(tensor.dims) * bits_of(tensor.data_type) // 8)
    found = b""
    if span.length == wanted:
        with open(find_file(folder, span.location), "rb") as file:
            file.seek(span.offset)
            found = file.read(wanted)
    if len(found) != wanted or tensor.data_type == onnx.TensorProto.STRING:
        raise ModelFileError(
            f"External data of {tensor.name[:80]!r} is damaged: it takes {wanted:,} bytes, and the "
            f"model gives it {span.length:,}."
        )
    return found


def _external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for tensor in _tensors(model):
        if is_external(tensor):
            yield tensor


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for node in iterate_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _graph_tensors(attribute.g)
            for graph in attribute.graphs:
                yield from _graph_tensors(graph)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
