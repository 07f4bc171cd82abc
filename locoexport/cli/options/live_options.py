"""The options of ``locoexport live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Camera",
    "Clip",
    "Detect",
    "DetectEvery",
    "Lines",
    "Model",
    "NamedClip",
    "ObjectGrid",
    "Output",
    "Points",
    "Query",
    "Realtime",
    "Seconds",
    "Show",
    "TargetFps",
    "Url",
    "Window",
]

Clip = Annotated[
    Path | None,
    typer.Argument(
        metavar="VIDEO",
        help="A clip, images, or - for y4m, MPEG-TS or Matroska on stdin.",
    ),
]
NamedClip = Annotated[Path | None, typer.Option("--video", help="The same as VIDEO.")]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL.onnx|PROFILE",
        help="A live export (`export --live`), or a profile by its name (the built-in b0-tiny).",
        show_default=False,
    ),
]
Camera = Annotated[
    int | None, typer.Option("--camera", metavar="N", help="Follow what camera N sees.")
]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="ADDRESS", help="Connect to an http(s) or rtsp(s) address."),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|corners:N|none",
        help="Points of the first frame: a grid (also grid:NxM), or up to N corners that are easy "
        "to follow (corners is 64). grid:8 where no point and no object is asked for.",
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(metavar="y,x", help="One point of the first frame, in pixels; may be repeated."),
]
Detect = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Objects to follow: face, or an installed detector's name."),
]
DetectEvery = Annotated[
    int, typer.Option("--detect-every", metavar="N", help="Look for objects every N frames.")
]
ObjectGrid = Annotated[
    str, typer.Option(metavar="NxM", help="Rows and columns of points in an object's box.")
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        help="Frames that an answer comes from, its own included (the file's, or 8).",
    ),
]
TargetFps = Annotated[
    float | None,
    typer.Option(
        "--target-fps",
        metavar="RATE",
        help="Answers a second to keep up with: fewer frames are looked at (down to 2) where it is "
        "too slow, and what is too slow still is counted.",
    ),
]
Realtime = Annotated[
    bool,
    typer.Option(
        "--realtime",
        help="Take a clip as a camera gives it: at its own rate, and frames that come while one is "
        "answered are dropped. Cameras and rtsp always are.",
    ),
]
Show = Annotated[
    bool,
    typer.Option(
        "--show",
        help="A window on the display. Click: add a point; right click: remove the nearest; c: "
        "clear, space: pause, q or Esc: quit.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Film to write: .mp4, .gif or .webp."),
]
Lines = Annotated[
    str | None,
    typer.Option(
        "--jsonl",
        metavar="FILE|-",
        help="Write a line of JSON a frame as it is answered: a file, a named pipe, - for stdout.",
    ),
]
Seconds = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop after so much time of the source.")
]
