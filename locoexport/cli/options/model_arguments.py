"""The argument that names a model: what kind of file each command takes there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AnyGraph",
    "AnyGraphToRewrite",
    "ExportedFile",
    "ExportedFileOrWeights",
    "FileToExamine",
    "FileToPackage",
    "FileToServe",
    "FileToTime",
]

ExportedFile = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An exported file.")]
ExportedFileOrWeights = Annotated[
    str,
    typer.Argument(
        metavar="MODEL.onnx|CHECKPOINT",
        help="An exported file, weights, or a profile by its name; the last two are exported into "
        "the cache folder first.",
    ),
]
FileToTime = Annotated[
    Path | None,
    typer.Argument(
        metavar="[MODEL.onnx]",
        help="An exported file, or a profile by its name (the built-in b0-tiny).",
        show_default=False,
    ),
]
FileToExamine = Annotated[
    Path | None,
    typer.Argument(
        metavar="[MODEL.onnx]",
        help="An exported file: where its nodes run on each provider, or would.",
        show_default=False,
    ),
]
FileToPackage = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A file written by `locoexport export`, or one of a split export."
    ),
]
FileToServe = Annotated[
    Path | None,
    typer.Argument(
        metavar="[MODEL.onnx]",
        help="An exported file, of --split or --live as well, or a profile by its name (the "
        "built-in b0-tiny).",
        show_default=False,
    ),
]
AnyGraph = Annotated[
    Path, typer.Argument(metavar="MODEL.onnx", help="Any .onnx file; it need not be ours.")
]
AnyGraphToRewrite = Annotated[
    Path, typer.Argument(metavar="IN.onnx", help="Any .onnx file; it need not be ours.")
]
