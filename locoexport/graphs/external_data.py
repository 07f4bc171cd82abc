"""Weights that lie in files beside the model: found, checked, and carried along.

Nothing here reads a large tensor: models over 2 GB keep their bytes where they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import onnx
from onnx import external_data_helper

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.walking import iterate_nodes
from locoexport.machine.drafts import draft_folder
from locoexport.machine.replacement import put_in_place

__all__ = [
    "check_external_files",
    "has_external_data",
    "staging_folder",
    "with_small_tensors",
]

_SMALL_BYTES = 64 * 1024


def check_external_files(model: onnx.ModelProto, folder: Path) -> tuple[str, ...]:
    """The locations of the model's external data, each of which is there and long enough.

    Raises:
        ModelFileError: a file is missing or too short, or lies outside the model's folder.
    """
    needed: dict[str, int] = {}
    for tensor in _external_tensors(model):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        try:
            end = int(entries.get("offset", 0)) + int(entries.get("length", 0))
        except ValueError as error:
            raise ModelFileError(f"External data of {tensor.name!r} is damaged: {error}") from error
        needed[location] = max(needed.get(location, 0), end)
    for location, end in needed.items():
        _check_file(folder, location, end)
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
    for tensor in _external_tensors(copy):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if 0 < int(entries.get("length", 0)) <= _SMALL_BYTES:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return copy


@contextmanager
def staging_folder(
    output: Path, source: Path, locations: tuple[str, ...], *, force: bool
) -> Iterator[Path]:
    """A path to write the model to, with its external data beside it; all is renamed at the end.

    Model and data lie in a hidden folder beside ``output`` until the block ends well, so that the
    model can be loaded from there; then all of them are put in place, or none. When the block
    raises, the hidden folder is removed.

    Raises:
        OutputError: a data file is there already and ``force`` is not given, its folder does not
            exist, or the operating system refuses a write.
    """
    for location in locations:
        _check_data_target(output.parent / location, force=force)
    target = Path(os.path.realpath(output))
    try:
        with draft_folder(target.parent) as folder:
            for location in locations:
                (folder / location).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / location, folder / location)
            yield folder / output.name
            beside = Path(os.path.realpath(output.parent))
            moves = [(folder / each, beside / each) for each in locations]
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


def _check_file(folder: Path, location: str, end: int) -> None:
    path = PurePosixPath(location)
    if not location or path.is_absolute() or ".." in path.parts:
        raise ModelFileError(
            f"The model's external data lies at {location!r}, outside its folder; that is not "
            "allowed."
        )
    found = folder / location
    if not found.is_file():
        raise ModelFileError(
            f"The model's external data {found} is missing; it belongs beside the model."
        )
    if found.stat().st_size < end:
        raise ModelFileError(
            f"The model's external data {found} has {found.stat().st_size} bytes, and the model "
            f"refers to {end}: it is cut short or another model's."
        )


def _external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
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
