"""Weights that lie in files beside the model: found, checked, and carried along.

Nothing here reads a large tensor: models over 2 GB keep their bytes where they are.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.structure import bits_of
from locoexport.graphs.walking import iterate_tensors
from locoexport.graphs.weights.data_spans import DataSpan, span_of
from locoexport.machine.reading.linked_files import data_folder, find_file
from locoexport.machine.writing.drafts import draft_folder
from locoexport.machine.writing.output_files import link_or_copy
from locoexport.machine.writing.replacement import put_in_place

__all__ = [
    "ExternalFiles",
    "check_external_files",
    "damaged",
    "external_files",
    "has_external_data",
    "is_external",
    "staged_with",
    "staging_folder",
    "tensor_bytes",
    "with_small_tensors",
    "without_external",
]

_SMALL_BYTES = 64 * 1024


@dataclass(frozen=True)
class ExternalFiles:
    """The files that a model's external data lies in: their folder, and their names in it."""

    folder: Path
    locations: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where they are, all links followed; raises ModelFileError where one is gone."""
        return tuple(find_file(self.folder, location) for location in self.locations)


def external_files(model: onnx.ModelProto, source: Path) -> ExternalFiles:
    """The files of ``source``'s external data, each of which is there and long enough.

    They lie beside ``source``, or, where that is a link, beside the file that it leads to.

    Raises:
        ModelFileError: as ``check_external_files``.
    """
    locations = dict.fromkeys(span_of(tensor).location for tensor in _external_tensors(model))
    folder = data_folder(source, locations)
    return ExternalFiles(folder, check_external_files(model, folder))


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

    The data is copied from the folder ``source``. With ``shared`` it is already where it belongs,
    and stays as it is.

    Raises:
        OutputError: see ``staged_with``.
    """
    for location in locations:
        if Path(location) == Path(output.name):
            raise OutputError(f"{output} has the name of the model's external data; name another.")
    with staged_with(output, () if shared else locations, force=force) as draft:
        for location in locations:
            (draft.parent / location).parent.mkdir(parents=True, exist_ok=True)
            data = find_file(source, location)
            (link_or_copy if shared else shutil.copyfile)(data, draft.parent / location)
        yield draft


@contextmanager
def staged_with(output: Path, names: tuple[str, ...], *, force: bool) -> Iterator[Path]:
    """A path to write the model to; what is written to ``names`` beside it goes along with it.

    Model and data lie in a hidden folder beside ``output`` until the block ends well, so that the
    model can be loaded from there; then all of them are put in place, or none. When the block
    raises, the hidden folder is removed.

    Raises:
        OutputError: a data file is there already and ``force`` is not given, its folder does not
            exist, ``output`` is a link into another folder, or the operating system refuses a
            write.
    """
    target, beside = Path(os.path.realpath(output)), Path(os.path.realpath(output.parent))
    if names and target.parent != beside:
        raise OutputError(
            f"{output} is a link to {target}, and the weights lie in files of their own, which "
            "would be apart from it; name that file itself, or pass --single-file."
        )
    for name in names:
        _check_data_target(output.parent / name, force=force)
    try:
        with draft_folder(target.parent) as folder:
            yield folder / output.name
            moves = [(folder / each, beside / each) for each in names]
            put_in_place(folder, [*moves, (folder / output.name, target)])
    except OSError as error:
        raise OutputError(f"Cannot write {output}: {error.strerror or error}.") from error


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """How many bytes a tensor's values take, wherever they lie."""
    return -(-math.prod(map(int, tensor.dims)) * bits_of(tensor.data_type) // 8)


def damaged(tensor: onnx.TensorProto, given: int | None) -> ModelFileError:
    """The error of a tensor that has other bytes than its shape takes."""
    told = "no length" if given is None else f"{given:,}"
    return ModelFileError(
        f"External data of {tensor.name[:80]!r} is damaged: it takes {tensor_bytes(tensor):,} "
        f"bytes, and the model gives it {told}."
    )


def _check_data_target(target: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise OutputError(
            f"The model's external data goes to {target}, and that folder does not exist; make it "
            f"first (mkdir -p {target.parent})."
        )
    if target.is_dir():
        raise OutputError(f"The model's external data goes to {target}, which is a folder.")
    if target.exists() and not force:
        raise OutputError(
            f"The model's external data goes to {target}, which exists already; pass --force to "
            "replace it, or write to another folder."
        )


def _read(tensor: onnx.TensorProto, span: DataSpan, folder: Path) -> bytes:
    wanted = tensor_bytes(tensor)
    found = b""
    if span.length == wanted:
        with open(find_file(folder, span.location), "rb") as file:
            file.seek(span.offset)
            found = file.read(wanted)
    if len(found) != wanted or tensor.data_type == onnx.TensorProto.STRING:
        raise damaged(tensor, span.length)
    return found


def _external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    return (tensor for tensor, _ in iterate_tensors(model) if is_external(tensor))
