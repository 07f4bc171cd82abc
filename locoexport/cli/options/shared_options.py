"""The options that commands share. An alias says all that ``--help`` shows but the default."""

from __future__ import annotations

from typing import Annotated

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, MACHINE, OUTPUT, POINTS

__all__ = [
    "Features",
    "JsonTarget",
    "OwnProvider",
    "ProfilesJson",
    "Provider",
    "ReplaceFiles",
    "ReplaceJson",
    "Stride",
]

JsonTarget = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Write the report as JSON; - is stdout.",
        rich_help_panel=OUTPUT,
    ),
]
ProfilesJson = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Write the profiles as JSON; - is stdout.",
        rich_help_panel=OUTPUT,
    ),
]
ReplaceFiles = Annotated[
    bool, typer.Option("--force", help="Replace existing files.", rich_help_panel=OUTPUT)
]
ReplaceJson = Annotated[
    bool, typer.Option("--force", help="Replace an existing JSON file.", rich_help_panel=OUTPUT)
]
OwnProvider = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Execution provider, such as cpu, cuda or openvino; `locoexport doctor` lists those "
        "that work here. Without it: the choice of a file that `locoexport tune` wrote, else cpu.",
        rich_help_panel=MACHINE,
    ),
]
Provider = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Execution provider, such as cpu, cuda or openvino; `locoexport doctor` lists those "
        "that work here.",
        rich_help_panel=MACHINE,
    ),
]

Stride = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Keep every N-th frame.",
        rich_help_panel=CLIP,
    ),
]
Features = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Up to N corners of frame 0 that are easy to follow.",
        rich_help_panel=POINTS,
    ),
]
