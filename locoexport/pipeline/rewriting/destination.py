"""Where a rewritten model and its external data are written."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.external_data import staging_folder
from locoexport.machine.reading.linked_files import find_file
from locoexport.machine.writing.output_files import whole_file
from locoexport.pipeline.rewriting.report import RewriteReport
from locoexport.pipeline.rewriting.request import DataLayout

__all__ = ["destination", "serialised"]


def serialised(report: RewriteReport, source: Path) -> bytes:
    """The file's bytes; those that were read where nothing changed.

    Raises:
        ModelFileError: the model is over 2 GB.
    """
    if not report.changed:
        return source.read_bytes()
    try:
        return bytes(report.model.SerializeToString(deterministic=True))
    except ValueError as error:
        raise ModelFileError(
            f"The rewritten model is over 2 GB: {error}. Save {source} with external data first."
        ) from error


def destination(
    source: Path, output: Path, locations: tuple[str, ...], layout: DataLayout, *, force: bool
) -> AbstractContextManager[Path]:
    """A temporary path for the model, with its data beside it; renamed when the block ends well.

    Raises:
        OutputError: the output cannot or must not be written.
    """
    folder = output.parent.resolve()
    if not locations:
        return whole_file(output)
    if source.parent.resolve() == folder:
        for location in locations:
            if not find_file(folder, location).is_relative_to(folder):
                raise OutputError(
                    f"The model's external data {location!r} is a link to a cache's file, which "
                    f"ONNX Runtime opens for no other model in {folder}; name an output in another "
                    "folder, and the data is copied there."
                )
        return staging_folder(output, source.parent, locations, force=force, shared=True)
    return staging_folder(output, source.parent, locations, force=force)
