"""The options of ``locoexport train``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import one_of, positive_number, whole_number
from locoexport.cli.options.panels import CHECKS, DATA, MACHINE, OUTPUT, RECIPE, WEIGHTS

__all__ = [
    "WHOLE_RECORD",
    "Average",
    "BatchNormMode",
    "ClipsAtOnce",
    "Data",
    "Devices",
    "Difficulty",
    "DropConnect",
    "FrameRange",
    "Frames",
    "LearningRate",
    "Mixed",
    "Nodes",
    "Output",
    "Points",
    "Precision",
    "Resume",
    "SaveEvery",
    "Seed",
    "Start",
    "Steps",
    "Strategy",
    "Teacher",
    "ValidateEvery",
    "ValidateOn",
    "Workers",
    "parse_frames",
]


@dataclass(frozen=True)
class FrameRange:
    """The fewest frames of a clip, and the most."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least}" if self.least == self.most else f"{self.least}-{self.most}"


WHOLE_RECORD = FrameRange(24, 24)
"""As long as the clips of MOVi-E."""
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")
"""The weights fit one device many times over: those of Lightning's that split them are no use."""


def parse_frames(given: str | FrameRange) -> FrameRange:
    """``24`` or ``8-24``; two frames are the fewest in which anything can move.

    Raises:
        typer.BadParameter: it is neither.
    """
    if isinstance(given, FrameRange):
        return given
    least, dash, most = given.partition("-")
    frames = FrameRange(positive_number(least), positive_number(most if dash else least))
    if frames.least > frames.most:
        raise typer.BadParameter(f"{given}: write the smaller number first.")
    if frames.least < 2:
        raise typer.BadParameter(f"{given}: in a clip of one frame nothing moves.")
    return frames


def _from_zero(given: str | int) -> int:
    number = whole_number(given)
    if number < 0:
        raise typer.BadParameter(f"{number} is below 0.")
    return number


def _amount(given: str | float) -> float:
    """A finite number from 0 on."""
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise typer.BadParameter(f"{given} is not a number from 0 on.")
    return number


Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        metavar="SOURCE[@WEIGHT]",
        help="Where samples come from: movi-e:DIR (TFRecords of panning MOVi-E), synthetic, "
        "synthetic:DIR (made of the pictures there), clips:DIR (with --teacher), or a .pkl file "
        "or folder of TAP-Vid. May be repeated; a weight says how often a source is drawn from.",
        rich_help_panel=DATA,
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|demo",
        help="Checkpoint or MODEL.onnx (`demo`: the built-in model) whose tracks are the truth of "
        "clips:DIR, where they lead back to where they began.",
        rich_help_panel=DATA,
    ),
]
Difficulty = Annotated[
    float,
    typer.Option(
        metavar="X",
        parser=_amount,
        help="How fast generated shapes move, and how bad the frames are that a student sees: 0 "
        "easy and clean, 1 usual, 2 hard.",
        rich_help_panel=DATA,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE|URL|published|demo",
        help="Weights to start from; `demo` are those that the profile ships.",
        show_default="fresh weights",
        rich_help_panel=WEIGHTS,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="fp32|int8|bf16",
        parser=one_of("fp32", "int8", "bf16"),
        help="Numbers that the exported file will compute with; training imitates them.",
        rich_help_panel=RECIPE,
    ),
]
Steps = Annotated[
    int,
    typer.Option(
        metavar="N", parser=positive_number, help="Updates of the weights.", rich_help_panel=RECIPE
    ),
]
ClipsAtOnce = Annotated[
    int,
    typer.Option(
        "--batch",
        metavar="N",
        parser=positive_number,
        help="Clips a step, on each device.",
        rich_help_panel=RECIPE,
    ),
]
Frames = Annotated[
    FrameRange,
    typer.Option(
        metavar="N|M-N",
        parser=parse_frames,
        help="Frames of a clip; with M-N each batch has a length of its own.",
        rich_help_panel=RECIPE,
    ),
]
Points = Annotated[
    int,
    typer.Option(
        metavar="N", parser=positive_number, help="Query points of a clip.", rich_help_panel=RECIPE
    ),
]
LearningRate = Annotated[
    float,
    typer.Option(metavar="X", help="The highest learning rate.", rich_help_panel=RECIPE),
]
BatchNormMode = Annotated[
    str | None,
    typer.Option(
        metavar="train|frozen",
        parser=one_of("train", "frozen"),
        help="Means and variances of the batch, or those that the weights came with.",
        show_default="train; frozen with --from and fewer than 4 clips a step",
        rich_help_panel=RECIPE,
    ),
]
Average = Annotated[
    float | None,
    typer.Option(
        metavar="DECAY",
        help="Keep a moving average of the weights, such as 0.999; it is what checkpoints hold.",
        show_default="none",
        rich_help_panel=RECIPE,
    ),
]
DropConnect = Annotated[
    float,
    typer.Option(
        metavar="X",
        help="Chance of the deepest residual branch of an EfficientNet to be left out, 0 to 1.",
        rich_help_panel=RECIPE,
    ),
]
Mixed = Annotated[
    bool,
    typer.Option(
        "--mixed", help="bf16 where autocast allows it (bf16-mixed).", rich_help_panel=RECIPE
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=_from_zero,
        help="Decides every random choice.",
        rich_help_panel=RECIPE,
    ),
]
ValidateOn = Annotated[
    list[str] | None,
    typer.Option(
        "--validate",
        metavar="DATASET",
        help="Dataset of `eval` that the best checkpoint is chosen by. May be repeated.",
        show_default="synthetic",
        rich_help_panel=CHECKS,
    ),
]
ValidateEvery = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Steps between two validations.",
        rich_help_panel=CHECKS,
    ),
]
SaveEvery = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Steps between two writings of last.ckpt.",
        rich_help_panel=OUTPUT,
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="GPUs of this machine to train on.",
        show_default="all, or the CPU",
        rich_help_panel=MACHINE,
    ),
]
Nodes = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=positive_number,
        help="Machines, each with as many GPUs; the command is run on every one of them.",
        rich_help_panel=MACHINE,
    ),
]
Strategy = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        parser=one_of(*STRATEGIES),
        help="How devices share a step, by Lightning's name: auto, ddp or "
        "ddp_find_unused_parameters_true.",
        rich_help_panel=MACHINE,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        metavar="N",
        parser=_from_zero,
        help="Processes that make samples ahead, for each device.",
        rich_help_panel=MACHINE,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--fresh",
        help="Go on where RUN/ holds an equal run that was stopped, or begin anew.",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        *("-o", "--output"),
        metavar="RUN/",
        help="Folder for checkpoints, figures and pictures.",
        rich_help_panel=OUTPUT,
    ),
]
