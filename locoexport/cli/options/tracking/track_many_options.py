"""The options of ``locoexport track-many``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, MACHINE, OUTPUT, POINTS

__all__ = [
    "Address",
    "DatasetFolder",
    "Engine",
    "Inputs",
    "Memory",
    "Overlays",
    "Points",
    "Queries",
    "Query",
    "Replace",
    "Resize",
    "RetryFailed",
    "Start",
    "Threads",
    "TracksKind",
    "Window",
    "Workers",
]

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUTS...",
        help="Clips; folders of clips or of images; patterns such as 'clips/**/*.mp4' or "
        "f/%05d.png; manifests (.csv, .jsonl) with the columns clip, queries, points, features, "
        "start, end, stride, resize, fps.",
        show_default=False,
    ),
]
DatasetFolder = Annotated[
    Path,
    typer.Option(
        *("-o", "--out"),
        metavar="DIR",
        help="Folder of the Parquet dataset. A run that stopped goes on there.",
        rich_help_panel=OUTPUT,
    ),
]
TracksKind = Annotated[
    Literal["npz", "csv", "json"] | None,
    typer.Option(
        metavar="npz|csv|json",
        help="Also write a tracks file for each clip into DIR/files.",
        rich_help_panel=OUTPUT,
    ),
]
Overlays = Annotated[
    bool,
    typer.Option(
        "--overlays",
        help="Also draw an .mp4 for each clip into DIR/files.",
        rich_help_panel=OUTPUT,
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try clips again that failed in an earlier run.",
        rich_help_panel=OUTPUT,
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--force", help="Replace an existing report.", rich_help_panel=OUTPUT),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|grid:NxM",
        help="N x N points, or N rows of M, on frame 0.",
        show_default="grid:8, unless points are named",
        rich_help_panel=POINTS,
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(
        metavar="t,y,x",
        help="One point of every clip, in pixels. May be repeated.",
        rich_help_panel=POINTS,
    ),
]
Queries = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Points of every clip: .csv, .json or .npy.",
        rich_help_panel=POINTS,
    ),
]
Start = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="Begin at this time.", rich_help_panel=CLIP),
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Scale frames first. Points and tracks are in this size.",
        rich_help_panel=CLIP,
    ),
]
Engine = Annotated[
    Literal["local", "ray"],
    typer.Option(
        metavar="local|ray",
        help="Processes on this machine, or Ray Data.",
        rich_help_panel=MACHINE,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A running Ray cluster: auto, HOST:PORT or ray://HOST:PORT.",
        show_default="one is started on this machine",
        rich_help_panel=MACHINE,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Processes or actors.",
        show_default="as many as cores and memory allow",
        rich_help_panel=MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="CPU threads of each worker.",
        show_default="the cores, shared out",
        rich_help_panel=MACHINE,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory of each worker besides the model, such as 1GiB.",
        rich_help_panel=MACHINE,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Frames that go through the model at once.",
        show_default="48",
        rich_help_panel=MACHINE,
    ),
]
