"""The options of the commands that serve a model: ``package`` for servers, ``demo`` as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    typer.Option(metavar="DIR", help="Triton's model repository; it may hold other models."),
]
OpenvinoFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="OpenVINO Model Server's folder; it may hold other models."),
]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the model (locotrack_<profile>).")
]
Device = Annotated[
    Literal["auto", "cpu", "gpu"], typer.Option(help="Where instances run: auto, cpu or gpu.")
]
Instances = Annotated[
    int, typer.Option(metavar="N", help="Of each model; on a GPU machine on each GPU.")
]
MaxBatch = Annotated[
    int, typer.Option(metavar="N", help="Clips that Triton runs together at most.")
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", help="Of the CPU for each instance (all cores).")
]
TensorRT = Annotated[bool, typer.Option("--tensorrt", help="Ask for the TensorRT accelerator.")]
EnginePrecision = Annotated[
    Literal["fp32", "fp16"], typer.Option(help="Of TensorRT's engines: fp32 or fp16.")
]
Frames = Annotated[
    str,
    typer.Option(metavar="MIN,OPT,MAX", help="Frames that engines are built for; OPT warms up."),
]
Points = Annotated[
    str,
    typer.Option(metavar="MIN,OPT,MAX", help="Points that engines are built for; OPT warms up."),
]
Replace = Annotated[
    bool, typer.Option("--force", help="Replace models of these names, and the report.")
]

OpeningClip = Annotated[
    Path | None,
    typer.Option(
        metavar="CLIP",
        help="The clip that the page opens with (default: an excerpt of Big Buck Bunny).",
    ),
]
Host = Annotated[
    str,
    typer.Option(help="Address to listen on; the default is reached from this machine alone."),
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 is any.")]
OpenBrowser = Annotated[
    bool | None,
    typer.Option(
        "--browser/--no-browser",
        help="Open the page in the browser. By default it is opened where the command runs in a "
        "terminal on a machine with a screen, and not over SSH.",
    ),
]
PageFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the page as files for any web host, and end."),
]
PagePackages = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="A node_modules folder with the page's packages, in place of the cache folder "
        "and the npm registry.",
        envvar="LOCOEXPORT_WEB_RUNTIME",
    ),
]
