"""The options of the commands that measure a finished model: ``verify``, ``bench``, ``eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CHECKS, CLIP, MODEL, OUTPUT, SIZES, WEIGHTS

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
    typer.Option(
        metavar="FILE",
        help="The weights that the file was made from.",
        show_default="found by name and SHA-256",
        rich_help_panel=WEIGHTS,
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        metavar="PX",
        help="Largest track error allowed, in pixels. For fp16 and int8: the 99th percentile, in "
        "pixels of 256x256.",
        show_default="the profile's, or what the export allowed",
        rich_help_panel=CHECKS,
    ),
]
Clip = Annotated[
    Path | None,
    typer.Option(
        metavar="CLIP",
        help="Also compare on a real clip (its first 24 frames).",
        rich_help_panel=CHECKS,
    ),
]
Localise = Annotated[
    bool | None,
    typer.Option(
        help="Compare values inside the model too, and name the first part and node that departs "
        "(for fp16 and int8, the part that costs most).",
        show_default="only where parity fails",
        rich_help_panel=CHECKS,
    ),
]
Sidecar = Annotated[
    str | None,
    typer.Option(
        metavar="[FILE]",
        help="Compare with the answers that PyTorch gave at export: neither PyTorch nor weights "
        "are needed. Without FILE, or with auto: the MODEL.parity.npz beside the model.",
        rich_help_panel=CHECKS,
    ),
]

Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Profile to time, by its name, such as b5.",
        rich_help_panel=MODEL,
    ),
]
Frames = Annotated[
    str | None,
    typer.Option(
        metavar="T,T,...",
        help="Numbers of frames.",
        show_default="8,24",
        rich_help_panel=SIZES,
    ),
]
Points = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Numbers of points.",
        show_default="64,256",
        rich_help_panel=SIZES,
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        metavar="torch|compile|autocast|none|FILE.onnx",
        help="The opponent that runs in turn: PyTorch eager, compiled or eager under bfloat16 "
        "autocast, none, or another file. May be repeated.",
        show_default="torch, where it is installed",
        rich_help_panel=MODEL,
    ),
]
Runs = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Timed runs of each side at each size, at least 10.",
        rich_help_panel=SIZES,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png",
        help="Draw the report (needs matplotlib).",
        rich_help_panel=OUTPUT,
    ),
]

Dataset = Annotated[
    list[str],
    typer.Option(
        metavar="PATH|NAME",
        help="TAP-Vid pickles (DAVIS, RGB-Stacking, RoboTAP, Kinetics); .csv annotations beside "
        ".mp4 files (Kinetics, Perception Test, RoboTAP); `synthetic`, generated sequences; or "
        "`motorcycle`, scikit-image's stereo pair. May be repeated.",
        rich_help_panel=CLIP,
    ),
]
QueryMode = Annotated[
    str,
    typer.Option(
        metavar="first|strided",
        help="first: ask where a point is first seen and score the frames after. strided: ask "
        "every 5 frames and score all others.",
        rich_help_panel=CLIP,
    ),
]
Videos = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Only the first N videos.",
        rich_help_panel=CLIP,
    ),
]
FullResolution = Annotated[
    bool,
    typer.Option(
        "--full-resolution",
        help="Give the model the video's own pixels, not 256x256.",
        rich_help_panel=CLIP,
    ),
]
TorchCheckpoint = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|published",
        help="Weights of MODEL.onnx for PyTorch.",
        show_default="found by name and SHA-256",
        rich_help_panel=WEIGHTS,
    ),
]
Torch = Annotated[
    bool,
    typer.Option(help="Also score the unrewritten PyTorch model.", rich_help_panel=CHECKS),
]
Live = Annotated[
    str | None,
    typer.Option(
        metavar="W,W,...",
        help="Of a live export: answer each frame from the newest W frames alone; one report for "
        "each W.",
        rich_help_panel=CHECKS,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh",
        help="Run every video again, also those with results from an equal command.",
        rich_help_panel=CHECKS,
    ),
]
PerTrack = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the scores of every query point: .csv or .json.",
        rich_help_panel=OUTPUT,
    ),
]
Latex = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="Write rows of a LaTeX table, one for each dataset and side.",
        rich_help_panel=OUTPUT,
    ),
]
Film = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a film of each video, with predictions over the truth. Tracks every video "
        "again.",
        rich_help_panel=OUTPUT,
    ),
]
