"""The argument or option that names a model: what kind of file each command takes there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.panels import MODEL

__all__ = [
    "AnyGraph",
    "AnyGraphToRewrite",
    "ExportedFile",
    "ExportedFileOrWeights",
    "FileToExamine",
    "FileToPackage",
    "FileToServe",
    "FileToTime",
    "LiveModel",
    "Model",
]

_BUILT_IN = "the built-in b0-tiny"

Model = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="MODEL.onnx, or a profile name such as b5, which is exported once and kept.",
        show_default=_BUILT_IN,
        rich_help_panel=MODEL,
    ),
]
LiveModel = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="A file of a live export (`export --live`), or a profile name such as b0, which is "
        "exported once and kept.",
        show_default=_BUILT_IN,
        rich_help_panel=MODEL,
    ),
]
ExportedFile = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An exported file.")]
ExportedFileOrWeights = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="MODEL.onnx, weights, or a profile name such as b0-tiny. Weights and profiles are "
        "exported once and kept.",
    ),
]
FileToTime = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="MODEL.onnx, or a profile name such as b5, which is exported once and kept.",
        show_default=_BUILT_IN,
    ),
]
FileToExamine = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL.onnx",
        help="An exported file: where its nodes run on each provider, or would run.",
        show_default=False,
    ),
]
FileToPackage = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.onnx",
        help="An exported file; of a split or a live export, any one of its files.",
    ),
]
FileToServe = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="MODEL.onnx (also a split or a live export), or a profile name such as b5, which is "
        "exported once and kept.",
        show_default=_BUILT_IN,
    ),
]
AnyGraph = Annotated[
    Path,
    typer.Argument(metavar="MODEL.onnx", help="Any .onnx file, from locoexport or elsewhere."),
]
AnyGraphToRewrite = Annotated[
    Path, typer.Argument(metavar="IN.onnx", help="Any .onnx file, from locoexport or elsewhere.")
]
