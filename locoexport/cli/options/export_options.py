"""The options of ``locoexport export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    typer.Option(help="Export profile by the backbone's name: b0, b2, b5, ... (default b0)."),
]
Profile = Annotated[
    str | None, typer.Option(help="Export profile: a name, or a .toml file of your own.")
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|published|hf://...|https://...",
        help="Weights: .ckpt, .pt or .safetensors; .npy or .npz of JAX, or a tar with one in it "
        "(FILE.tar::MEMBER where there are several); hf://[datasets/]OWNER/REPO[@REVISION]/FILE, "
        "or https://HOST/FILE[#sha256=HEX]. The variant is told from them. published: those that "
        "the profile names (see locoexport profiles).",
    ),
]
Opset = Annotated[
    int | None, typer.Option(help="ONNX opset, 16 to 20 (default: the profile's, 17).")
]
Frames = Annotated[str, typer.Option(help="Number of frames, or dynamic.")]
Points = Annotated[str, typer.Option(help="Number of query points, or dynamic.")]
Batch = Annotated[str, typer.Option(help="Batch size, or dynamic.")]
Resolution = Annotated[
    str | None,
    typer.Option(
        help="Initial resolution HxW, multiples of 8, which positions are kept at; frames as well "
        "without --refinement-resolutions (default: the profile's)."
    ),
]
RefinementResolutions = Annotated[
    str | None,
    typer.Option(
        metavar="HxW[,HxW]",
        help="The first and the last level that frames are looked at, as the weights were trained; "
        "frames and points are of the last one (default: the initial resolution).",
    ),
]
Refinements = Annotated[
    int | None,
    typer.Option(
        help="Refinements that the weights were trained with, num_pips_iter (default: 4)."
    ),
]
SoftmaxTemperature = Annotated[
    float | None,
    typer.Option(help="Of the heatmaps' softmax, as the weights were trained (default: 20)."),
]
Gelu = Annotated[
    str | None,
    typer.Option(
        metavar="erf|tanh",
        help="Form of the activation that the weights were trained with: erf in PyTorch, tanh in "
        "JAX (default: erf).",
    ),
]
AsPytorch = Annotated[
    bool,
    typer.Option(
        "--as-pytorch",
        help="Take weights of JAX at other levels than one of 256x256, where JAX computes another "
        "function: PyTorch's is exported.",
    ),
]
Sampling = Annotated[
    str | None,
    typer.Option(help="planar: 4D GridSample and a lerp in time; gather: no GridSample at all."),
]
Target = Annotated[
    str | None,
    typer.Option(help="What the graph is made fast for: cpu, cuda or tensorrt (default: cpu)."),
]
InputType = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="float32|uint8",
        help="float32: frames in [-1, 1] at the working resolution. uint8: frames of any size "
        "as a clip has them, query points and tracks in their pixels; the graph resizes and "
        "normalises (default: float32).",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="fp32|fp16|int8",
        help="What the graph computes in (default fp32): measured, and refused with the figure "
        "where it moves tracks beyond the profile's limit.",
    ),
]
Calibrate = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="CLIP",
        help="A clip to take the ranges of int8 from; may be repeated (default: generated).",
    ),
]
NoRewrite = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Leave out a rewrite; may be repeated."),
]
Split = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Write NAME.encoder.onnx, NAME.query.onnx and NAME.tracker.onnx: frames are "
        "encoded once for any number of points.",
    ),
]
Live = Annotated[
    str | None,
    typer.Option(
        metavar="W|open",
        help="Write NAME.encoder.onnx, NAME.query.onnx and NAME.live.onnx: each frame is answered "
        "as it comes, from it and the W-1 before; open leaves W to whoever runs it.",
    ),
]
Simplify = Annotated[bool, typer.Option(help="Simplify with onnxsim.")]
Verify = Annotated[
    bool, typer.Option(help="Compare with the PyTorch model before the file appears.")
]
Sidecar = Annotated[
    bool,
    typer.Option(
        "--sidecar",
        help="Write NAME.parity.npz too: inputs and PyTorch's answers, so that verify "
        "--sidecar needs no PyTorch.",
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace existing files, and write a --precision beyond its limit."
    ),
]
