"""The exported tracker that the package ships: b0-tiny with its trained weights, ready to run.

``make box`` exports the files anew; ``parity_tests/test_shipped_files.py`` proves them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from locoexport.errors import ModelFileError

__all__ = ["SHIPPED_PROFILE", "shipped_live_path", "shipped_model_path"]

SHIPPED_PROFILE = "b0-tiny"
"""The profile whose exported files the package ships."""


def shipped_model_path() -> Path:
    """The file for whole clips; batch, frames and points are dynamic.

    Raises:
        ModelFileError: the installation lacks it.
    """
    return _installed(f"{SHIPPED_PROFILE}.onnx")


def shipped_live_path() -> Path:
    """One of the three files of the live export (``export --live open``); the others lie beside it.

    Raises:
        ModelFileError: the installation lacks it.
    """
    return _installed(f"{SHIPPED_PROFILE}.live.onnx")


def _installed(file_name: str) -> Path:
    path = Path(str(files("locoexport.profiles") / file_name))
    if not path.is_file():
        raise ModelFileError(
            f"The built-in model {path} is missing: this installation is incomplete. "
            "Install locoexport again, or pass a model of your own."
        )
    return path
