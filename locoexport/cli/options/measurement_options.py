"""The options of the commands that measure a finished model: ``verify``, ``bench``, ``eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "SIDECAR_BESIDE",
    "Against",
    "Backbone",
    "Checkpoint",
    "Clip",
    "Dataset",
    "Film",
    "Frames",
    "Fresh",
    "FullResolution",
    "Latex",
    "Live",
    "Localise",
    "PerTrack",
    "Plot",
    "Points",
    "QueryMode",
    "Runs",
    "Sidecar",
    "Tolerance",
    "Torch",
    "TorchCheckpoint",
    "Videos",
]

SIDECAR_BESIDE = "auto"
"""Of ``--sidecar``: the sidecar beside the model."""

Checkpoint = Annotated[
    Path | None,
    typer.Option(help="The weights it was made from; by default found by name and SHA-256."),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="Allowed track error in pixels (default: the profile's); of a file in fp16 or "
        "int8 that of the 99th percentile, in pixels of 256x256 (default: what its export "
        "allowed)."
    ),
]
Clip = Annotated[
    Path | None, typer.Option(help="A real clip to try as well (its first 24 frames).")
]
Localise = Annotated[
    bool | None,
    typer.Option(
        help="Compare values inside as well and name the first part and node that departs; of "
        "a file in fp16 or int8 the part that costs most (default: only where parity fails).",
    ),
]
Sidecar = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Compare with what PyTorch said on export instead: no PyTorch and no checkpoint "
        "needed. Without FILE (as the last option, or before another one), or with auto, the "
        "MODEL.parity.npz beside the model.",
    ),
]

Backbone = Annotated[
    str | None, typer.Option(help="Export profile to time: b0, b2, b5, ... (default b0).")
]
Frames = Annotated[
    str | None, typer.Option(metavar="T,T,...", help="Numbers of frames (default 8,24).")
]
Points = Annotated[
    str | None, typer.Option(metavar="N,N,...", help="Numbers of points (default 64,256).")
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="torch|compile|none|FILE.onnx",
        help="What to take turns with (default: torch eager, where it is installed).",
    ),
]
Runs = Annotated[int, typer.Option(help="Timed runs of each side and size, at least 10.")]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw the report (needs matplotlib).")
]

Dataset = Annotated[
    list[str],
    typer.Option(
        metavar="FILE|FOLDER|synthetic|motorcycle",
        help="TAP-Vid pickles (DAVIS, RGB-Stacking, RoboTAP, Kinetics), annotations as .csv beside "
        ".mp4 files (Kinetics, Perception Test, RoboTAP), generated sequences, or the stereo pair "
        "in scikit-image; may be repeated.",
    ),
]
QueryMode = Annotated[
    str,
    typer.Option(
        metavar="first|strided",
        help="Ask where a point is seen first and score later frames, or ask every 5 frames "
        "and score all others.",
    ),
]
TorchCheckpoint = Annotated[
    str | None,
    typer.Option(
        help="Weights of MODEL.onnx for torch (published: those that its profile names); by "
        "default found as verify does."
    ),
]
Torch = Annotated[bool, typer.Option(help="Score the unrewritten PyTorch model beside the file.")]
Videos = Annotated[int | None, typer.Option(help="Only the first so many videos.")]
FullResolution = Annotated[
    bool,
    typer.Option(
        "--full-resolution",
        help="Give the model the video's own pixels in place of 256x256 ones.",
    ),
]
PerTrack = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv|FILE.json", help="Write the scores of every query point."),
]
Latex = Annotated[
    str | None,
    typer.Option(metavar="FILE|-", help="Write rows of a LaTeX table, one a dataset and side."),
]
Film = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a film of each video there, predictions over the truth; tracks every video "
        "again.",
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Run every video, also those on record from an equal command."),
]
Live = Annotated[
    str | None,
    typer.Option(
        metavar="W,W,...",
        help="Of a live export: answer each frame from the newest W frames alone, in the order in "
        "which they come; a report for each W.",
    ),
]
