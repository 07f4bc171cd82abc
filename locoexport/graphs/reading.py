"""An .onnx file, read for inspection."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from locoexport.errors import ModelFileError

__all__ = ["read_model"]


def read_model(path: str | Path) -> onnx.ModelProto:
    """Read a file; weights that lie in files of their own are left there.

    Raises:
        ModelFileError: there is no such file, or it is not an ONNX model.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}.")
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
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
    return model
