"""The options of ``locoexport track`` that say how the overlay is drawn."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["Colour", "HideOccluded", "LineWidth", "PointSize", "Scale", "Trail"]

Trail = Annotated[
    int, typer.Option(metavar="FRAMES", help="How long trails are; 0 draws none (overlay).")
]
PointSize = Annotated[
    float | None,
    typer.Option(
        metavar="PX", help="Diameter of a dot in pixels of the overlay (by the frame's diagonal)."
    ),
]
LineWidth = Annotated[
    int | None,
    typer.Option(
        metavar="PX",
        help="Width of trails and boxes in pixels of the overlay (by the frame's diagonal).",
    ),
]
HideOccluded = Annotated[
    bool, typer.Option("--hide-occluded", help="Draw no rings where points are not visible.")
]
Scale = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Enlarge the overlay N times before drawing (1 to 4, so that the shorter side has "
        "360 pixels); tracks stay in the clip's own pixels.",
    ),
]
Colour = Annotated[
    Literal["query", "object", "confidence"],
    typer.Option(
        help="What gives a point its colour: where it was asked for, its object, or how sure the "
        "model is (red to green)."
    ),
]
