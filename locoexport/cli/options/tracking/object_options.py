"""The options of ``locoexport track`` for objects: where they come from, and by which rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import OBJECT_RULES, OBJECTS, OUTPUT

__all__ = [
    "Boxes",
    "BoxesFile",
    "Context",
    "Detect",
    "DetectorModel",
    "Displacement",
    "GapBox",
    "LeastDetections",
    "LeastOverlap",
    "LeastVisible",
    "MaskEvery",
    "ObjectGrid",
    "OutlierDeviations",
    "Preset",
    "Segment",
    "SegmenterModel",
]

Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--boxes",
        metavar="x0,y0,x1,y1[@frame]|FILE",
        help="An object to follow, as a box in pixels; or a file of boxes: .csv, .json or .npy. "
        "May be repeated.",
        rich_help_panel=OBJECTS,
    ),
]
Detect = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Detect objects and follow them: face, or the name of an installed detector.",
        rich_help_panel=OBJECTS,
    ),
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file for the detector; for face, a YuNet .onnx that replaces the cascades.",
        rich_help_panel=OBJECTS,
    ),
]
Segment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What keeps an object's points off the background: ellipse, box, or the name of an "
        "installed segmenter.",
        rich_help_panel=OBJECTS,
    ),
]
SegmenterModel = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file for the segmenter, if it takes one.",
        rich_help_panel=OBJECTS,
    ),
]
MaskEvery = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Segment again, and start new points, every so many frames.",
        show_default="once for each object and gap",
        rich_help_panel=OBJECTS,
    ),
]
ObjectGrid = Annotated[
    str,
    typer.Option(
        metavar="NxM",
        help="Rows and columns of points in an object's box.",
        rich_help_panel=OBJECTS,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A set of rules that belong together: face-parsing. Options that you give override "
        "it.",
        rich_help_panel=OBJECTS,
    ),
]
BoxesFile = Annotated[
    Path | None,
    typer.Option(
        "--objects",
        metavar="FILE",
        help="Boxes file to write: a row for each frame and object (.csv, .json).",
        rich_help_panel=OUTPUT,
    ),
]
GapBox = Annotated[
    Literal["moved", "points"],
    typer.Option(
        metavar="moved|points",
        help="The box where the detector lost an object. moved: the last one, moved with the "
        "points. points: the smallest around the visible points.",
        rich_help_panel=OBJECT_RULES,
    ),
]
Context = Annotated[
    int,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Frames looked at on each side of a gap that is filled.",
        rich_help_panel=OBJECT_RULES,
    ),
]
OutlierDeviations = Annotated[
    float,
    typer.Option(
        metavar="X",
        help="Hide a point whose displacement is X standard deviations from the usual; inf hides "
        "none.",
        rich_help_panel=OBJECT_RULES,
    ),
]
Displacement = Annotated[
    Literal["origin", "step"],
    typer.Option(
        metavar="origin|step",
        help="Measure displacement from where a point began, or from the frame before.",
        rich_help_panel=OBJECT_RULES,
    ),
]
LeastVisible = Annotated[
    str,
    typer.Option(
        metavar="SHARE",
        help="An object is lost when a smaller share of its points is visible.",
        rich_help_panel=OBJECT_RULES,
    ),
]
LeastOverlap = Annotated[
    float,
    typer.Option(
        metavar="IOU",
        help="Overlap from which boxes on different frames are the same object.",
        rich_help_panel=OBJECT_RULES,
    ),
]
LeastDetections = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Objects detected on fewer frames are false alarms.",
        rich_help_panel=OBJECT_RULES,
    ),
]
