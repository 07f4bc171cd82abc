"""The options of ``locoexport live``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CLIP, MACHINE, OBJECTS, OUTPUT, POINTS

__all__ = [
    "Camera",
    "Clip",
    "DetectEvery",
    "Lines",
    "NamedClip",
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
NamedClip = Annotated[
    Path | None,
    typer.Option("--video", metavar="VIDEO", help="The same as VIDEO.", rich_help_panel=CLIP),
]
Camera = Annotated[
    int | None,
    typer.Option(
        "--camera",
        metavar="N",
        parser=whole_number,
        help="Follow what camera N sees.",
        rich_help_panel=CLIP,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="ADDRESS",
        help="Connect to an http://, https:// or rtsp:// address.",
        rich_help_panel=CLIP,
    ),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|corners:N|none",
        help="Points on the first frame: a grid (also grid:NxM), or up to N corners that are easy "
        "to follow.",
        show_default="grid:8, unless points or objects are named",
        rich_help_panel=POINTS,
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(
        metavar="y,x",
        help="One point on the first frame, in pixels. May be repeated.",
        rich_help_panel=POINTS,
    ),
]
DetectEvery = Annotated[
    int,
    typer.Option(
        "--detect-every",
        metavar="N",
        parser=whole_number,
        help="Look for objects every N frames.",
        rich_help_panel=OBJECTS,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        parser=whole_number,
        help="Frames that an answer is computed from, its own included.",
        show_default="the file's, or 8",
        rich_help_panel=MACHINE,
    ),
]
TargetFps = Annotated[
    float | None,
    typer.Option(
        "--target-fps",
        metavar="RATE",
        help="Answers per second to keep up with: where the machine is too slow, fewer frames are "
        "looked at (down to 2). Answers that still come late are counted.",
        rich_help_panel=MACHINE,
    ),
]
Realtime = Annotated[
    bool,
    typer.Option(
        "--realtime",
        help="Play a clip at its own rate, as a camera would: frames that come while another is "
        "being answered are dropped.",
        rich_help_panel=CLIP,
    ),
]
Show = Annotated[
    bool,
    typer.Option(
        "--show",
        help="Show a window. Click: add a point. Right click: remove the nearest. c: clear, "
        "space: pause, q or Esc: quit.",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        *("-o", "--output"),
        metavar="FILE",
        help="Film to write: .mp4, .gif or .webp.",
        rich_help_panel=OUTPUT,
    ),
]
Lines = Annotated[
    str | None,
    typer.Option(
        "--jsonl",
        metavar="FILE|-",
        help="Write each answer as a line of JSON when it is ready: to a file, a named pipe, or "
        "stdout (-).",
        rich_help_panel=OUTPUT,
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Stop after this much of the source.", rich_help_panel=CLIP
    ),
]
