"""Where a rewritten model and its external data are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.walking import iterate_tensors
from locoexport.graphs.weights.external_data import ExternalFiles, staged_with, staging_folder
from locoexport.graphs.weights.repacking import (
    LARGEST_MESSAGE,
    fill_data_file,
    fill_model,
    goes_outside,
    is_laid_out,
)
from locoexport.machine.reading.linked_files import find_file
from locoexport.machine.writing.output_files import check_apart, whole_file
from locoexport.pipeline.rewriting.report import DataFile, RewriteReport
from locoexport.pipeline.rewriting.request import DataLayout

__all__ = ["layout_to_make", "original_place", "write_whole"]


def layout_to_make(report: RewriteReport, wanted: DataLayout) -> DataLayout:
    """``wanted``, or weights as in the original where they lie as wanted already; one file where no
    weight is large enough for another."""
    named = wanted.external_data
    if not wanted.single_file and named is None:
        return wanted
    if is_laid_out(report.model, named):
        return DataLayout()
    large = any(goes_outside(*found) for found in iterate_tensors(report.model))
    return wanted if large else DataLayout(single_file=True)


def original_place(source: Path, files: ExternalFiles) -> Path:
    """``source`` by the name under which ONNX Runtime finds its external data."""
    return source if files.folder == source.parent else files.folder / source.resolve().name


@contextmanager
def write_whole(
    report: RewriteReport,
    source: Path,
    output: Path,
    files: ExternalFiles,
    layout: DataLayout,
    *,
    force: bool,
) -> Iterator[tuple[Path, RewriteReport]]:
    """Write the model and its data to a temporary place; all is renamed when the block ends well.

    Gives the model's temporary path, with its data beside it, and the report, which names the files
    as they will be. ``report.model`` is changed where weights are put elsewhere.

    Raises:
        OutputError: the output cannot or must not be written, or is too large for one file.
        ModelFileError: the external data is damaged, or the model is over 2 GB.
    """
    report = replace(report, repacked=layout != DataLayout())
    inputs = [("the model's external data", path) for path in files.paths]
    data = None if layout.external_data is None else output.parent / layout.external_data
    outputs = [("the output", output), ("the file of --external-data", data)]
    check_apart(outputs, [("the model", source), *inputs])
    if layout.single_file:
        fill_model(report.model, files.folder)
    if data is not None:
        with staged_with(output, (data.name,), force=force) as draft:
            size = fill_data_file(report.model, files.folder, draft.with_name(data.name))
            report = replace(report, data_files=(DataFile(data, size),))
            yield draft, _written(report, source, output, draft)
    elif layout.single_file or not files.locations:
        with whole_file(output) as draft:
            yield draft, _written(report, source, output, draft)
    else:
        with _as_in_the_original(output, files, force=force) as draft:
            listed = zip(files.locations, files.paths, strict=True)
            found = [DataFile(output.parent / name, path.stat().st_size) for name, path in listed]
            report = replace(report, data_files=tuple(found))
            yield draft, _written(report, source, output, draft)


def _written(report: RewriteReport, source: Path, output: Path, draft: Path) -> RewriteReport:
    contents = _serialised(report, source)
    draft.write_bytes(contents)
    return replace(report, path=output, size_bytes=len(contents))


def _serialised(report: RewriteReport, source: Path) -> bytes:
    """The file's bytes; those that were read where nothing changed."""
    if not report.changed:
        return source.read_bytes()
    try:
        return bytes(report.model.SerializeToString(deterministic=True))
    except Exception as error:  # of protobuf; which one depends on its version
        raise ModelFileError(
            f"The rewritten model cannot be written to one file, which holds {LARGEST_MESSAGE:,} "
            f"bytes at most ({error}). Pass --external-data NAME: its weights go into another file."
        ) from error


@contextmanager
def _as_in_the_original(output: Path, files: ExternalFiles, *, force: bool) -> Iterator[Path]:
    """The data stays where it is beside the original, and goes along to another folder."""
    folder = output.parent.resolve()
    shared = files.folder.resolve() == folder
    if shared:
        for location in files.locations:
            if not find_file(folder, location).is_relative_to(folder):
                raise OutputError(
                    f"The model's external data {location!r} is a link to a cache's file, which "
                    f"ONNX Runtime opens for no other model in {folder}. Pass --single-file or "
                    "--external-data NAME, or name an output in another folder: the data is "
                    "copied there."
                )
    staged = staging_folder(output, files.folder, files.locations, force=force, shared=shared)
    with staged as draft:
        yield draft
