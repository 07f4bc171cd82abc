"""The options of ``locoexport track-many``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "Address",
    "DatasetFolder",
    "End",
    "Engine",
    "ImageRate",
    "Inputs",
    "Memory",
    "Overlays",
    "Points",
    "Queries",
    "Query",
    "Replace",
    "Resize",
    "RetryFailed",
    "Start",
    "Threads",
    "TracksKind",
    "Window",
    "Workers",
]

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUTS...",
        help="Clips, folders of clips or of images, patterns like 'clips/**/*.mp4', images by a "
        "pattern (f/%05d.png), and manifests (.csv, .jsonl) with the columns clip, queries, "
        "points, features, start, end, stride, resize, fps.",
        show_default=False,
    ),
]
DatasetFolder = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder of the Parquet dataset; a run that stopped goes on there.",
    ),
]
Engine = Annotated[
    Literal["local", "ray"], typer.Option(help="Processes on this machine, or Ray Data.")
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of a running Ray cluster (auto, HOST:PORT, ray://...); without it one is "
        "started on this machine.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Processes or actors (as many as there are cores, and memory)."),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of the CPU for each worker (the cores, shared out)."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Do clips again that failed in an earlier run.")
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N", help="N x N points (grid:NxM: N rows of M) on frame 0 (grid:8)."
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(metavar="t,y,x", help="One point of every clip, in pixels; may be repeated."),
]
Queries = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Points of every clip: .csv, .json or .npy.")
]
TracksKind = Annotated[
    Literal["npz", "csv", "json"] | None,
    typer.Option(help="Write a tracks file a clip as well (npz, csv, json), into DIR/files."),
]
Overlays = Annotated[
    bool, typer.Option("--overlays", help="Draw an .mp4 a clip as well, into DIR/files.")
]
Start = Annotated[float, typer.Option(metavar="SECONDS", help="Begin there in every clip.")]
End = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop before that time of every clip.")
]
Resize = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Scale frames first; points and tracks are in that size."),
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="For each worker besides the model, like 1GiB."),
]
Window = Annotated[
    int | None,
    typer.Option(metavar="FRAMES", help="Frames that go through the model at once (48)."),
]
Replace = Annotated[bool, typer.Option("--force", help="Replace an existing report.")]
ImageRate = Annotated[
    float | None,
    typer.Option("--fps", metavar="RATE", help="Frames a second of images (25, with a warning)."),
]
