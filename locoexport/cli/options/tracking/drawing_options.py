"""The options of ``locoexport track`` that say how the overlay is drawn."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import DRAWING

__all__ = ["Colour", "HideOccluded", "LineWidth", "PointSize", "Scale", "Trail"]

Trail = Annotated[
    int,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Length of the trails; 0 draws none.",
        rich_help_panel=DRAWING,
    ),
]
PointSize = Annotated[
    float | None,
    typer.Option(
        metavar="PX",
        help="Diameter of a dot, in pixels of the overlay.",
        show_default="by the frame's size",
        rich_help_panel=DRAWING,
    ),
]
LineWidth = Annotated[
    int | None,
    typer.Option(
        metavar="PX",
        parser=whole_number,
        help="Width of trails and boxes, in pixels of the overlay.",
        show_default="by the frame's size",
        rich_help_panel=DRAWING,
    ),
]
HideOccluded = Annotated[
    bool,
    typer.Option(
        "--hide-occluded", help="Draw no rings for hidden points.", rich_help_panel=DRAWING
    ),
]
Scale = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Enlarge the overlay N times. Tracks stay in the clip's own pixels.",
        show_default="1 to 4, so that the shorter side has 360 pixels",
        rich_help_panel=DRAWING,
    ),
]
Colour = Annotated[
    Literal["query", "object", "confidence"],
    typer.Option(
        metavar="query|object|confidence",
        help="Colour points by where they began, by their object, or by how sure the model is "
        "(red to green).",
        rich_help_panel=DRAWING,
    ),
]
