"""The options of ``locoexport export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.options.option_values import whole_number
from locoexport.cli.options.panels import CHECKS, GRAPH, MODEL, OUTPUT, SIZES, TRAINING, WEIGHTS

__all__ = [
    "AsPytorch",
    "Backbone",
    "Batch",
    "Calibrate",
    "Checkpoint",
    "Frames",
    "Gelu",
    "InputType",
    "Live",
    "NoRewrite",
    "Opset",
    "Output",
    "Points",
    "Precision",
    "Profile",
    "RefinementResolutions",
    "Refinements",
    "Replace",
    "Resolution",
    "Sampling",
    "Sidecar",
    "Simplify",
    "SoftmaxTemperature",
    "Split",
    "Target",
    "Verify",
]

Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Profile by its name, such as b0-tiny or b5; `locoexport profiles` lists them.",
        show_default="what the weights are of, or b0-tiny",
        rich_help_panel=MODEL,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE.toml",
        help="The same, or a profile of your own in a .toml file.",
        rich_help_panel=MODEL,
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL|published",
        help="Weights: a .ckpt, .pt or .safetensors file; .npy or .npz of the JAX code, also "
        "inside a tar (FILE.tar::MEMBER); hf://[datasets/]OWNER/REPO[@REVISION]/FILE or "
        "https://HOST/FILE[#sha256=HEX]; or `published`, those that the profile names. The "
        "profile is recognised from the weights.",
        show_default="the profile's demo weights",
        rich_help_panel=WEIGHTS,
    ),
]
Resolution = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Initial resolution, in multiples of 8: positions are kept in its pixels. Also that "
        "of the frames without --refinement-resolutions.",
        show_default="the profile's",
        rich_help_panel=TRAINING,
    ),
]
RefinementResolutions = Annotated[
    str | None,
    typer.Option(
        metavar="HxW[,HxW]",
        help="First and last refinement level. Frames and points are in pixels of the last.",
        show_default="the initial resolution",
        rich_help_panel=TRAINING,
    ),
]
Refinements = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="Number of refinements (num_pips_iter).",
        show_default="4",
        rich_help_panel=TRAINING,
    ),
]
SoftmaxTemperature = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Temperature of the heatmaps' softmax.",
        show_default="20",
        rich_help_panel=TRAINING,
    ),
]
Gelu = Annotated[
    str | None,
    typer.Option(
        metavar="erf|tanh",
        help="Form of the GELU activation: erf in PyTorch, tanh in JAX.",
        show_default="erf",
        rich_help_panel=TRAINING,
    ),
]
AsPytorch = Annotated[
    bool,
    typer.Option(
        "--as-pytorch",
        help="Export PyTorch's function of JAX weights at refinement levels where JAX computes "
        "another one (all but a single level of 256x256).",
        rich_help_panel=TRAINING,
    ),
]
Opset = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=whole_number,
        help="ONNX opset, 16 to 20.",
        show_default="the profile's, 17",
        rich_help_panel=GRAPH,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="cpu|cuda|tensorrt",
        help="What the graph is made fast for.",
        show_default="cpu",
        rich_help_panel=GRAPH,
    ),
]
InputType = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="float32|uint8",
        help="float32: frames in [-1, 1] at the working resolution. uint8: frames of any size, as "
        "decoded; the graph resizes and normalises them, and points are in their pixels.",
        show_default="float32",
        rich_help_panel=GRAPH,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="fp32|fp16|int8",
        help="What the graph computes in. The cost is measured; a file whose tracks move further "
        "than the profile allows is refused.",
        show_default="fp32",
        rich_help_panel=GRAPH,
    ),
]
Int8Parts = Annotated[
    str | None,
    typer.Option(
        "--int8-parts",
        metavar="PART,...",
        help="Parts that --precision int8 puts in 8 bits: transformer, cmdtop, encoder.",
        show_default="those that are faster here and within the limits",
        rich_help_panel=GRAPH,
    ),
]
ForCpu = Annotated[
    str | None,
    typer.Option(
        "--for-cpu",
        metavar="vnni|any",
        help="Processors that int8 is for. vnni: those that add 8-bit products in 32 bits "
        "(VNNI, ARM's dot products). any: weights use 7 bits, because others would overflow.",
        show_default="this machine's",
        rich_help_panel=GRAPH,
    ),
]
Calibrate = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="CLIP",
        help="Clip that the ranges of int8 are taken from. May be repeated.",
        show_default="generated clips",
        rich_help_panel=GRAPH,
    ),
]
Sampling = Annotated[
    str | None,
    typer.Option(
        metavar="planar|gather",
        help="planar: 4D GridSample and an interpolation in time. gather: no GridSample at all.",
        show_default="the target's",
        rich_help_panel=GRAPH,
    ),
]
NoRewrite = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Leave a rewrite out. May be repeated.", rich_help_panel=GRAPH
    ),
]
Simplify = Annotated[bool, typer.Option(help="Simplify with onnxsim.", rich_help_panel=GRAPH)]
Frames = Annotated[
    str,
    typer.Option(metavar="N|dynamic", help="Number of frames.", rich_help_panel=SIZES),
]
Points = Annotated[
    str,
    typer.Option(metavar="N|dynamic", help="Number of query points.", rich_help_panel=SIZES),
]
Batch = Annotated[str, typer.Option(metavar="N|dynamic", help="Batch size.", rich_help_panel=SIZES)]
Verify = Annotated[
    bool,
    typer.Option(
        help="Compare with the PyTorch model before the file appears.", rich_help_panel=CHECKS
    ),
]
Sidecar = Annotated[
    bool,
    typer.Option(
        "--sidecar",
        help="Also write NAME.parity.npz, with inputs and PyTorch's answers: then `verify "
        "--sidecar` needs no PyTorch.",
        rich_help_panel=CHECKS,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        *("-o", "--output"),
        metavar="FILE.onnx",
        help="The file to write.",
        rich_help_panel=OUTPUT,
    ),
]
Split = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Write NAME.encoder.onnx, NAME.query.onnx and NAME.tracker.onnx: frames are encoded "
        "once for any number of points.",
        rich_help_panel=OUTPUT,
    ),
]
Live = Annotated[
    str | None,
    typer.Option(
        metavar="W|open",
        help="Write NAME.encoder.onnx, NAME.query.onnx and NAME.live.onnx: each frame is answered "
        "as it comes, from it and the W-1 before. With open, W is chosen at run time.",
        rich_help_panel=OUTPUT,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace existing files, and write a --precision that is beyond its limit.",
        rich_help_panel=OUTPUT,
    ),
]
