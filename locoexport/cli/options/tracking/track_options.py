"""The options of ``locoexport track`` for points, the clip and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, MACHINE, OUTPUT, POINTS

__all__ = [
    "DEFAULT_POINTS",
    "Camera",
    "CompareWindows",
    "Deinterlace",
    "End",
    "ImageRate",
    "Mask",
    "MaskErosion",
    "MaxFrames",
    "Memory",
    "OnDamage",
    "Output",
    "Points",
    "Queries",
    "Query",
    "QueryOrder",
    "Resize",
    "Seconds",
    "Start",
    "TracksFile",
    "Url",
    "Video",
    "Window",
]

DEFAULT_POINTS = "grid:8"
"""Tracked where neither points nor objects are asked for."""

Video = Annotated[
    Path | None,
    typer.Argument(
        metavar="VIDEO",
        help="A clip; a folder of clips; images, as a folder, f/%05d.png or 'f/*.png'; or - for "
        "y4m, MPEG-TS or Matroska on stdin.",
    ),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|grid:NxM",
        help="N x N points, or N rows of M, on frame 0.",
        show_default="grid:8, unless points or objects are named",
        rich_help_panel=POINTS,
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(
        metavar="t,y,x",
        help="One query point: frame, then y and x in pixels. May be repeated.",
        rich_help_panel=POINTS,
    ),
]
Queries = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Query points from a file: .csv, .json or .npy; or labels of DeepLabCut (.csv, .h5), "
        "SLEAP (.slp, .h5), COCO keypoints (.json) or CVAT (.xml).",
        rich_help_panel=POINTS,
    ),
]
QueryOrder = Annotated[
    str,
    typer.Option(
        metavar="tyx|txy",
        help="Order of the numbers of --query, and of a --queries file that does not name them. "
        "CoTracker's order is txy.",
        rich_help_panel=POINTS,
    ),
]
Mask = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="FILE[@frame][:grid]",
        help="A grid of points (N or NxM) inside an image's non-black pixels; inside each object "
        "of a PNG with a palette. May be repeated.",
        rich_help_panel=POINTS,
    ),
]
MaskErosion = Annotated[
    float,
    typer.Option(
        metavar="PX",
        help="Distance that points keep from the edge of their mask.",
        rich_help_panel=POINTS,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        *("-o", "--output"),
        metavar="FILE|DIR",
        help="Overlay to write, .mp4; for a folder of clips, the folder of the results.",
        show_default="VIDEO.tracked.mp4, if no output is named",
        rich_help_panel=OUTPUT,
    ),
]
TracksFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Tracks file to write: .npz, .csv, .json, .pkl (TAP-Vid), or another format of "
        "`locoexport convert`, by its suffix.",
        rich_help_panel=OUTPUT,
    ),
]
Start = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Begin at this time; frame 0 is the first frame from there.",
        rich_help_panel=CLIP,
    ),
]
End = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Stop before this time.", rich_help_panel=CLIP),
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Scale frames first. Query points, tracks and overlay are in this size.",
        rich_help_panel=CLIP,
    ),
]
Camera = Annotated[
    int | None,
    typer.Option(
        "--camera",
        metavar="N",
        parser=whole_number,
        help="Track what camera N sees instead of a VIDEO. Ctrl-C ends it and keeps the tracks.",
        rich_help_panel=CLIP,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="ADDRESS",
        help="Connect to an http://, https:// or rtsp:// address instead of a VIDEO. Ctrl-C ends "
        "it and keeps the tracks.",
        rich_help_panel=CLIP,
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Stop this long after --start.", rich_help_panel=CLIP),
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Stop after N frames.",
        rich_help_panel=CLIP,
    ),
]
ImageRate = Annotated[
    float | None,
    typer.Option(
        "--fps",
        metavar="RATE",
        help="Frames per second of images.",
        show_default="25, with a warning",
        rich_help_panel=CLIP,
    ),
]
OnDamage = Annotated[
    Literal["stop", "continue"],
    typer.Option(
        "--on-damage",
        metavar="stop|continue",
        help="Where frames are lost or broken. stop: track what comes before. continue: show the "
        "last good frame in their place, so that frame numbers and times stay true.",
        rich_help_panel=CLIP,
    ),
]
Deinterlace = Annotated[
    bool,
    typer.Option(
        "--deinterlace",
        help="Deinterlace; the number of frames and their times stay the same.",
        rich_help_panel=CLIP,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Use at most this much memory besides the model, such as 1GiB.",
        rich_help_panel=MACHINE,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Frames that go through the model at once.",
        show_default="48, or what --memory allows",
        rich_help_panel=MACHINE,
    ),
]
CompareWindows = Annotated[
    bool,
    typer.Option(
        "--compare-windows",
        help="Also track the clip in one window, and report what windows changed.",
        rich_help_panel=MACHINE,
    ),
]
