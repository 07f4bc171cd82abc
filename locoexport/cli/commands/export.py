"""``locoexport export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.contract.profile import AxisSizes, parse_axis, parse_resolution
from locoexport.errors import UsageError

__all__ = ["export"]


def export(
    context: typer.Context,
    backbone: Annotated[
        str | None,
        typer.Option(help="Export profile by the backbone's name: b0, b2, b5, ... (default b0)."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Export profile: a name, or a .toml file of your own.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|hf://...|https://...",
            help="Weights: .ckpt, .pt or .safetensors, hf://OWNER/REPO[@REVISION]/FILE, or "
            "https://HOST/FILE[#sha256=HEX]. The variant is told from them.",
        ),
    ] = None,
    opset: Annotated[
        int | None, typer.Option(help="ONNX opset, 16 to 20 (default: the profile's, 17).")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path(
        "model.onnx"
    ),
    frames: Annotated[str, typer.Option(help="Number of frames, or dynamic.")] = "dynamic",
    points: Annotated[str, typer.Option(help="Number of query points, or dynamic.")] = "dynamic",
    batch: Annotated[str, typer.Option(help="Batch size, or dynamic.")] = "dynamic",
    resolution: Annotated[
        str | None,
        typer.Option(help="Working resolution HxW, multiples of 8 (default: the profile's)."),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            help="planar: 4D GridSample and a lerp in time; gather: no GridSample at all."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="What the graph is made fast for: cpu, cuda or tensorrt (default: cpu)."),
    ] = None,
    input_type: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="float32|uint8",
            help="float32: frames in [-1, 1] at the working resolution. uint8: frames of any size "
            "as a clip has them, query points and tracks in their pixels; the graph resizes and "
            "normalises (default: float32).",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="fp32|fp16|int8",
            help="What the graph computes in (default fp32): measured, and refused with the figure "
            "where it moves tracks beyond the profile's limit.",
        ),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CLIP",
            help="A clip to take the ranges of int8 from; may be repeated (default: generated).",
        ),
    ] = None,
    no_rewrite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out a rewrite; may be repeated."),
    ] = None,
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="Write NAME.encoder.onnx, NAME.query.onnx and NAME.tracker.onnx: frames are "
            "encoded once for any number of points.",
        ),
    ] = False,
    simplify: Annotated[bool, typer.Option(help="Simplify with onnxsim.")] = True,
    verify: Annotated[
        bool, typer.Option(help="Compare with the PyTorch model before the file appears.")
    ] = True,
    sidecar: Annotated[
        bool,
        typer.Option(
            "--sidecar",
            help="Write NAME.parity.npz too: inputs and PyTorch's answers, so that verify "
            "--sidecar needs no PyTorch.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace existing files, and write a --precision beyond its limit."
        ),
    ] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
) -> None:
    """Export a LocoTrack model to ONNX, proven equal to PyTorch.

    The file appears only after every check. Without --checkpoint the profile's demo weights are
    used where there are some (b0-tiny), else seeded ones, whose tracks mean nothing.
    """
    if backbone is not None and profile is not None:
        raise UsageError("--backbone and --profile both name the profile; pass one of them.")
    console.check_json_target(json, force=force)
    axes = AxisSizes(
        parse_axis("batch", batch), parse_axis("frames", frames), parse_axis("points", points)
    )
    resolution_hw = None if resolution is None else parse_resolution(resolution)
    from locoexport.machine.installation import require_extra

    require_extra("export")
    from locoexport.network.loading import choose_profile
    from locoexport.pipeline.assembly.cost import PrecisionRefusedError
    from locoexport.pipeline.export import ExportParityError, export_model
    from locoexport.pipeline.weights.sources import find_checkpoint
    from locoexport.rendering import export as render
    from locoexport.rendering.parts.precision import precision_table

    try:
        with console.listening(context) as notify:
            weights = None if checkpoint is None else find_checkpoint(checkpoint, notify)
            chosen = choose_profile(backbone or profile, weights).with_options(
                opset=opset,
                sampling=sampling,
                resolution_hw=resolution_hw,
                axes=axes,
                target=target,
                input_type=input_type,
                without=tuple(no_rewrite or ()),
                precision=precision,
            )
            report = export_model(
                chosen,
                output,
                checkpoint=weights,
                calibrate=tuple(calibrate or ()),
                split=split,
                simplify=simplify,
                verify=verify,
                sidecar=sidecar,
                force=force,
                notify=notify,
            )
    except ExportParityError as failure:
        found = (failure.report, failure.localisation, failure.not_localised)
        console.report(json, render.failed_export_document, render.failed_export_text, *found)
        raise
    except PrecisionRefusedError as refusal:
        console.report(json, render.refused_export_document, precision_table, refusal.report)
        raise
    console.report(json, render.export_document, render.export_text, report)
