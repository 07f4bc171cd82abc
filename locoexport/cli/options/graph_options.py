"""The options of the commands that take any .onnx file: ``inspect`` and ``rewrite``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import positive_number, whole_number
from locoexport.cli.options.panels import CHECKS, GRAPH, OUTPUT, SIZES

__all__ = [
    *("AssumedTypes", "Axis", "Batch", "Check", "ExternalData", "Frames", "IrVersion", "LowerTo"),
    *("Opset", "Output", "Passes", "Points", "SingleFile", "Strict"),
]

Frames = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Frames to count costs for.",
        show_default="24",
        rich_help_panel=SIZES,
    ),
]
Points = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Query points to count costs for.",
        show_default="64",
        rich_help_panel=SIZES,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Batch size to count costs for.",
        show_default="1",
        rich_help_panel=SIZES,
    ),
]
Axis = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SIZE",
        help="Size of another dynamic axis. May be repeated.",
        rich_help_panel=SIZES,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with 1 where the lint finds an error or a warning.",
        rich_help_panel=CHECKS,
    ),
]

Output = Annotated[
    Path,
    typer.Option(
        *("-o", "--output"),
        metavar="OUT.onnx",
        help="The file to write.",
        rich_help_panel=OUTPUT,
    ),
]
LowerTo = Annotated[
    Literal["planar", "gather"],
    typer.Option(
        metavar="planar|gather",
        help="planar: 4D GridSample and an interpolation in depth. gather: no GridSample at all.",
        rich_help_panel=GRAPH,
    ),
]
Opset = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Bring the opset down to N (16 to 20) where every operator allows it.",
        show_default="keep it",
        rich_help_panel=GRAPH,
    ),
]
Passes = Annotated[
    list[str] | None,
    typer.Option(
        "--pass",
        metavar="NAME",
        help="Run only this pass: volumetric-gridsample, single-axis-squeeze, newer-operators or "
        "opset (--opset runs the last two). May be repeated.",
        show_default="volumetric-gridsample",
        rich_help_panel=GRAPH,
    ),
]
Check = Annotated[
    bool,
    typer.Option(help="Prove each rewritten node before the file appears.", rich_help_panel=CHECKS),
]
IrVersion = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Write this IR version. ONNX Runtime 1.15 reads up to 9.",
        show_default="the opset's, where --opset lowers it",
        rich_help_panel=GRAPH,
    ),
]
AssumedTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--assume-type",
        metavar="NAME=TYPE",
        help="Element type (float32, float16, ...) of a value whose type the file does not tell, "
        "with its shape where that is needed (float32[1,8,?,?,?]). May be repeated.",
        rich_help_panel=GRAPH,
    ),
]
SingleFile = Annotated[
    bool,
    typer.Option(
        "--single-file",
        help="Put all weights into the output itself, up to 2 GB.",
        rich_help_panel=OUTPUT,
    ),
]
ExternalData = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Put all large weights into one file of this name beside the output.",
        rich_help_panel=OUTPUT,
    ),
]
