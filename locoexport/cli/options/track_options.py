"""The options of ``locoexport track`` for points, the clip and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "DEFAULT_POINTS",
    "BoxesFile",
    "Camera",
    "CompareWindows",
    "Deinterlace",
    "End",
    "ImageRate",
    "Mask",
    "MaskErosion",
    "MaxFrames",
    "Memory",
    "Model",
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
        help="A clip; a folder of clips and folders; images: a folder of them, f/%05d.png or "
        "'f/*.png'; or - for y4m, MPEG-TS or Matroska on stdin.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL.onnx|PROFILE",
        help="An exported file, or a profile by its name (the built-in b0-tiny).",
    ),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|grid:NxM",
        help="Centres of N×N, or N rows of M, cells on frame 0 (grid:8 where no point and no "
        "object is asked for).",
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(metavar="t,y,x", help="One query point, in pixels; may be repeated."),
]
Queries = Annotated[
    Path | None,
    typer.Option(
        help="Query points from a .csv, .json or .npy file, or labelled in DeepLabCut (.csv, .h5), "
        "SLEAP (.slp, .h5), COCO's keypoints (.json) or CVAT (.xml)."
    ),
]
QueryOrder = Annotated[
    str,
    typer.Option(
        metavar="tyx|txy",
        help="The order of --query's numbers, and of those in a --queries file that does not name "
        "them; CoTracker's is txy.",
    ),
]
Mask = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="FILE[@frame][:grid]",
        help="A grid of points (8x8, or N, or NxM) inside an image's non-black pixels, in each "
        "object of a PNG with a palette; may be repeated.",
    ),
]
MaskErosion = Annotated[
    float, typer.Option(metavar="PX", help="How far from a mask's edge its points begin.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Overlay video to write, .mp4 (VIDEO.tracked.mp4 in this folder where no output "
        "is named); for a folder of clips, the folder of outputs, which mirrors it.",
    ),
]
TracksFile = Annotated[
    Path | None,
    typer.Option(
        help="Tracks file to write (.npz, .csv, .json, .pkl in TAP-Vid's layout, or another "
        "program's by its suffix, as `convert` has them)."
    ),
]
BoxesFile = Annotated[
    Path | None,
    typer.Option("--objects", help="Boxes file to write: a row a frame and object (.csv, .json)."),
]
Start = Annotated[
    float, typer.Option(metavar="SECONDS", help="Begin there; frame 0 is the first from it on.")
]
End = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop before that time of the clip.")
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Scale frames first; query points, tracks and overlay are in that size.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Stay below that much memory besides the model, like 1GiB, at any length.",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        help="Frames that go through the model at once (48, or what --memory allows).",
    ),
]
CompareWindows = Annotated[
    bool,
    typer.Option(
        "--compare-windows",
        help="Track the clip in one window as well, and report what windows changed.",
    ),
]
Camera = Annotated[
    int | None,
    typer.Option(
        "--camera",
        metavar="N",
        help="Track what camera N sees, in place of a VIDEO; Ctrl-C ends it and keeps the tracks.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="ADDRESS",
        help="Connect to an http(s):// or rtsp(s):// address, in place of a VIDEO; Ctrl-C ends it "
        "and keeps the tracks.",
    ),
]
Seconds = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop after so much time, from --start on.")
]
MaxFrames = Annotated[int | None, typer.Option(metavar="N", help="Stop after so many frames.")]
ImageRate = Annotated[
    float | None,
    typer.Option("--fps", metavar="RATE", help="Frames a second of images (25, with a warning)."),
]
OnDamage = Annotated[
    Literal["stop", "continue"],
    typer.Option(
        "--on-damage",
        help="Where frames of a clip are lost or broken: track what is before that, or go on, with "
        "the last good frame in place of each that is lost, so that numbers and times stay true.",
    ),
]
Deinterlace = Annotated[
    bool,
    typer.Option(
        "--deinterlace",
        help="Make frames of one time of interlaced ones: as many, at the same times.",
    ),
]
