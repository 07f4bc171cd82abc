"""The options of ``locoexport convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Clip", "FirstFrame", "Rate", "Size", "To", "TracksToConvert"]

TracksToConvert = Annotated[
    Path,
    typer.Argument(
        metavar="TRACKS", help="Tracks that `locoexport track` wrote (.npz, .json, .csv)."
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT", help="The format, where the output's suffix does not tell it (nuke, ...)."
    ),
]
Clip = Annotated[
    Path | None,
    typer.Option(
        metavar="CLIP",
        help="What was tracked (a clip, a folder or pattern of images, an animation), which is "
        "asked for its size, rate and frames.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="The size that the tracks are measured in (what the tracks or CLIP say).",
    ),
]
Rate = Annotated[
    float | None, typer.Option(metavar="N", help="Frames a second (what CLIP or the tracks say).")
]
FirstFrame = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="The number that the program gives the first tracked frame (0 or 1, as the format "
        "counts; 1001 where an image sequence begins there).",
    ),
]
