"""An .onnx file as ``inspect`` reads it, in this process: what C++ dies of is a find too."""

from pathlib import Path

from locoexport.pipeline.inspect import inspect_here
from locoexport.rendering.inspection import inspect_document, inspect_text

SUFFIX = ".onnx"


def read(path: Path) -> None:
    """What ``inspect`` makes of it."""
    report = inspect_here(path, {})
    inspect_document(report)
    inspect_text(report)
