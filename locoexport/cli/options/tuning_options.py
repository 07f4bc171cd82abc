"""The options of ``locoexport tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import positive_number
from locoexport.cli.options.panels import CHECKS, MACHINE, OUTPUT, SIZES

__all__ = [
    "Clips",
    "Frames",
    "LimitAj",
    "LimitPx",
    "ModelToTune",
    "Output",
    "Plot",
    "Points",
    "Providers",
    "Resume",
    "Work",
]

ModelToTune = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="MODEL.onnx, or a profile name such as b5. A file's weights are found by name and "
        "SHA-256; without them only runtimes and threads are tried.",
        show_default="the profile",
    ),
]
LimitPx = Annotated[
    float,
    typer.Option(
        metavar="PX",
        help="How far 99 % of the tracks may be from float32 at most, in pixels of 256x256.",
        rich_help_panel=CHECKS,
    ),
]
LimitAj = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="How much AJ may fall on generated sequences, in points of 100.",
        show_default="no limit",
        rich_help_panel=CHECKS,
    ),
]
Clips = Annotated[
    list[Path] | None,
    typer.Option(
        "--clip",
        metavar="CLIP",
        help="Real clip to compare tracks on as well (its first frames). May be repeated.",
        rich_help_panel=CHECKS,
    ),
]
Providers = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Runtime to try, such as cpu, openvino or cuda. May be repeated.",
        show_default="all that work here",
        rich_help_panel=MACHINE,
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Frames of the timed call.",
        show_default="24",
        rich_help_panel=SIZES,
    ),
]
Points = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Query points of the timed call.",
        show_default="64",
        rich_help_panel=SIZES,
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where finished trials and files are kept.",
        show_default="in the cache folder",
        rich_help_panel=MACHINE,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--fresh",
        help="Go on after the trials that an earlier run finished, or try all again.",
        rich_help_panel=MACHINE,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png",
        help="Draw error against time (needs matplotlib).",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        *("-o", "--output"),
        metavar="BEST.onnx",
        help="The file to write.",
        rich_help_panel=OUTPUT,
    ),
]
