"""The options of the commands that serve a model: ``package`` for servers, ``demo`` as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, MACHINE, OUTPUT, SERVER, SIZES

__all__ = [
    "Device",
    "EnginePrecision",
    "Frames",
    "Host",
    "Instances",
    "MaxBatch",
    "Name",
    "OpenBrowser",
    "OpeningClip",
    "OpenvinoFolder",
    "PageFolder",
    "PagePackages",
    "Points",
    "Port",
    "Replace",
    "TensorRT",
    "Threads",
    "TritonFolder",
]

TritonFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Triton's model repository. It may hold other models.",
        rich_help_panel=SERVER,
    ),
]
OpenvinoFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="OpenVINO Model Server's folder. It may hold other models.",
        rich_help_panel=SERVER,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name of the model.",
        show_default="locotrack_PROFILE",
        rich_help_panel=SERVER,
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "gpu"],
    typer.Option(metavar="auto|cpu|gpu", help="Where instances run.", rich_help_panel=MACHINE),
]
Instances = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Instances of each model; with GPUs, on each GPU.",
        rich_help_panel=MACHINE,
    ),
]
MaxBatch = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Largest number of clips that Triton runs together.",
        rich_help_panel=MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="CPU threads of each instance.",
        show_default="all cores",
        rich_help_panel=MACHINE,
    ),
]
TensorRT = Annotated[
    bool,
    typer.Option(
        "--tensorrt",
        help="Ask Triton for the TensorRT accelerator.",
        rich_help_panel=MACHINE,
    ),
]
EnginePrecision = Annotated[
    Literal["fp32", "fp16"],
    typer.Option(
        metavar="fp32|fp16", help="Precision of TensorRT's engines.", rich_help_panel=MACHINE
    ),
]
Frames = Annotated[
    str,
    typer.Option(
        metavar="MIN,OPT,MAX",
        help="Frames that engines are built for; OPT is used to warm up.",
        rich_help_panel=SIZES,
    ),
]
Points = Annotated[
    str,
    typer.Option(
        metavar="MIN,OPT,MAX",
        help="Points that engines are built for; OPT is used to warm up.",
        rich_help_panel=SIZES,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace models of these names and the report.", rich_help_panel=OUTPUT
    ),
]

OpeningClip = Annotated[
    Path | None,
    typer.Option(
        metavar="CLIP",
        help="The clip that the page opens with.",
        show_default="an excerpt of Big Buck Bunny",
        rich_help_panel=CLIP,
    ),
]
Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Address to listen on. Only this machine can reach the default.",
        rich_help_panel=SERVER,
    ),
]
Port = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Port to listen on; 0 takes any free one.",
        rich_help_panel=SERVER,
    ),
]
OpenBrowser = Annotated[
    bool | None,
    typer.Option(
        "--browser/--no-browser",
        help="Open the page in the browser.",
        show_default="in a terminal on a machine with a screen, and not over SSH",
        rich_help_panel=SERVER,
    ),
]
PageFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write the page as files for any web host, then exit.",
        rich_help_panel=OUTPUT,
    ),
]
PagePackages = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="A node_modules folder with the page's packages; also LOCOEXPORT_WEB_RUNTIME.",
        envvar="LOCOEXPORT_WEB_RUNTIME",
        show_default="the cache folder, filled from the npm registry",
        rich_help_panel=SERVER,
    ),
]
