"""An .onnx file, read for inspection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from locoexport.errors import ModelFileError
from locoexport.graphs.structure import check_structure
from locoexport.machine.writing.output_files import is_file

__all__ = ["model_file_size", "naming", "read_model"]

_LONGEST_NAME = 200


def read_model(path: str | Path) -> onnx.ModelProto:
    """Read a file; weights that lie in files of their own are left there.

    Raises:
        ModelFileError: there is no such file, or it is not an ONNX model, or one that is damaged
            (see ``check_structure``).
    """
    path = Path(path)
    model_file_size(path)
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # a stranger's bytes, in a reader of which nothing is promised
        raise ModelFileError(
            f"{path} cannot be read as an ONNX model ({error}). It is damaged, cut short or "
            "another kind of file; get it or export it again."
        ) from error
    # Nearly any bytes are a valid message of unknown fields; a model has these two.
    if not model.opset_import or not model.graph.output:
        raise ModelFileError(
            f"{path} is not an ONNX model: it names no opset or has no outputs. It is damaged, "
            "empty or another kind of file; get it or export it again."
        )
    check_structure(model, path)
    return model


def model_file_size(path: Path) -> int:
    """Bytes of a model file, links followed; raises ModelFileError where there is none."""
    if not is_file(path):
        raise ModelFileError(f"There is no model file {_shown(path)}.")
    return path.stat().st_size


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong with a model that was read from ``path`` is told with this name."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _shown(path: Path) -> str:
    """A name as an error shows it: one that no file can have may be of any length."""
    text = str(path)
    return (
        text
        if len(text) <= _LONGEST_NAME
        else f"{text[:_LONGEST_NAME]}... (of {len(text):,} characters)"
    )
