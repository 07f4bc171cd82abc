"""The options of ``locoexport convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, OUTPUT

__all__ = ["Clip", "FirstFrame", "Output", "Rate", "Size", "To", "TracksToConvert"]

TracksToConvert = Annotated[
    Path,
    typer.Argument(
        metavar="TRACKS", help="Tracks that `locoexport track` wrote: .npz, .json or .csv."
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        *("-o", "--output"), metavar="FILE", help="The file to write.", rich_help_panel=OUTPUT
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="The format, such as nuke or blender.",
        show_default="by the output's suffix",
        rich_help_panel=OUTPUT,
    ),
]
Clip = Annotated[
    Path | None,
    typer.Option(
        metavar="CLIP",
        help="The clip, image sequence or animation that was tracked. Its size, rate and frames "
        "are read from it.",
        rich_help_panel=CLIP,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Size of the frames that the tracks were measured in.",
        show_default="the tracks' or the clip's",
        rich_help_panel=CLIP,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Frames per second.",
        show_default="the clip's or the tracks'",
        rich_help_panel=CLIP,
    ),
]
FirstFrame = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Number of the first tracked frame in the other program, such as 1001.",
        show_default="0 or 1, as the format counts",
        rich_help_panel=CLIP,
    ),
]
