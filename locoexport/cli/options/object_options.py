"""The options of ``locoexport track`` for objects: where they come from, and by which rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "Boxes",
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
        help="Objects to follow, as a box in pixels or a .csv, .json or .npy file of boxes; may "
        "be repeated.",
    ),
]
Detect = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Objects to follow: face, or an installed detector's name."),
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(help="A file for the detector; for face a YuNet .onnx in place of the cascades."),
]
Segment = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="What keeps an object's points off its background: ellipse, box, ..."
    ),
]
SegmenterModel = Annotated[
    Path | None, typer.Option(help="A file for the segmenter, where it takes one.")
]
MaskEvery = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        help="Ask the segmenter again, and begin new points, every so many frames (once an object "
        "and a gap).",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Numbers that belong together: face-parsing. An option that is given wins over it.",
    ),
]
GapBox = Annotated[
    Literal["moved", "points"],
    typer.Option(
        help="Where the detector lost an object: its box moved along with the points, or the "
        "smallest box around the visible points."
    ),
]
ObjectGrid = Annotated[
    str, typer.Option(metavar="NxM", help="Rows and columns of points in an object's box.")
]
Context = Annotated[
    int, typer.Option(metavar="FRAMES", help="Seen on each side of a gap that is filled.")
]
OutlierDeviations = Annotated[
    float,
    typer.Option(
        metavar="X",
        help="Hide a point where its displacement is X standard deviations from usual (inf: "
        "never).",
    ),
]
Displacement = Annotated[
    Literal["origin", "step"],
    typer.Option(help="From where the point began, or from the frame before."),
]
LeastVisible = Annotated[
    str,
    typer.Option(
        metavar="SHARE", help="An object is lost where fewer of its points are visible, like 1/3."
    ),
]
LeastOverlap = Annotated[
    float,
    typer.Option(metavar="IOU", help="From which two boxes of different frames show one object."),
]
LeastDetections = Annotated[
    int,
    typer.Option(metavar="N", help="Objects detected in fewer frames are taken for false alarms."),
]
