"""``locoexport export``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from locoexport.cli.options import export_options as options
from locoexport.cli.options.option_values import check_onnx_name, parse_settings
from locoexport.cli.options.shared_options import JsonTarget
from locoexport.cli.terminal import console
from locoexport.contract.interface import parse_window
from locoexport.contract.profile import AxisSizes, parse_axis
from locoexport.contract.profile_tables import parse_parts, parse_processor
from locoexport.errors import UsageError
from locoexport.machine.installation import require_extra

__all__ = ["export"]


def export(
    context: typer.Context,
    backbone: options.Backbone = None,
    profile: options.Profile = None,
    checkpoint: options.Checkpoint = None,
    target: options.Target = None,
    opset: options.Opset = None,
    precision: options.Precision = None,
    int8_parts: options.Int8Parts = None,
    for_cpu: options.ForCpu = None,
    calibrate: options.Calibrate = None,
    input_type: options.InputType = None,
    sampling: options.Sampling = None,
    simplify: options.Simplify = True,
    no_rewrite: options.NoRewrite = None,
    frames: options.Frames = "dynamic",
    points: options.Points = "dynamic",
    batch: options.Batch = "dynamic",
    output: options.Output = Path("model.onnx"),
    split: options.Split = False,
    live: options.Live = None,
    force: options.Replace = False,
    json_target: JsonTarget = None,
    verify: options.Verify = True,
    sidecar: options.Sidecar = False,
    resolution: options.Resolution = None,
    refinement_resolutions: options.RefinementResolutions = None,
    refinements: options.Refinements = None,
    softmax_temperature: options.SoftmaxTemperature = None,
    gelu: options.Gelu = None,
    as_pytorch: options.AsPytorch = False,
) -> None:
    """Export a model to ONNX, proven equal to PyTorch.

    The file appears only after every check. Without --checkpoint the profile's demo weights are
    used (b0-tiny has some), otherwise random ones, whose tracks mean nothing. Trained settings are
    read from the weights or from a file beside them; their options are for weights that do not say.
    Needs PyTorch.

    Examples:
        locoexport export
        locoexport export --backbone b5 --checkpoint published -o b5.onnx
        locoexport export --checkpoint my.ckpt --target cuda --precision fp16
    """
    if backbone is not None and profile is not None:
        raise UsageError("--backbone and --profile both name the profile; pass one of them.")
    console.check_outputs(context, files=("output",))
    check_onnx_name(output)
    axes = _parse_axes(batch=batch, frames=frames, points=points)
    settings = parse_settings(
        resolution, refinement_resolutions, refinements, softmax_temperature, gelu
    )
    window = None if live is None else parse_window(live)
    require_extra("export")
    from locoexport.pipeline.export import export_model
    from locoexport.pipeline.weights.choice import choose_model
    from locoexport.rendering import export as render

    with _telling_failures(context, json_target), console.listening(context) as notify:
        chosen, weights = choose_model(
            backbone or profile, checkpoint, notify, settings=settings, as_pytorch=as_pytorch
        )
        chosen = chosen.with_options(
            opset=opset,
            sampling=sampling,
            axes=axes,
            target=target,
            input_type=input_type,
            without=tuple(no_rewrite or ()),
            precision=precision,
            quantised_parts=None if int8_parts is None else parse_parts(int8_parts),
            weight_bits=None if for_cpu is None else parse_processor(for_cpu),
        )
        report = export_model(
            chosen,
            output,
            checkpoint=weights,
            calibrate=tuple(calibrate or ()),
            split=split,
            live=window,
            simplify=simplify,
            verify=verify,
            sidecar=sidecar,
            as_pytorch=as_pytorch,
            force=force,
            notify=notify,
        )
    console.report(json_target, render.export_document, render.export_text, report, context=context)


def _parse_axes(**sizes: str) -> AxisSizes:
    """By name, in the order in which they are given: of two wrong ones the first is told."""
    return AxisSizes(**{name: parse_axis(name, text) for name, text in sizes.items()})


@contextmanager
def _telling_failures(context: typer.Context, json_target: str | None) -> Iterator[None]:
    """An export that fails a check has a report as well; it is told before the error goes on."""
    from locoexport.pipeline.assembly.cost import PrecisionRefusedError
    from locoexport.pipeline.export import ExportParityError
    from locoexport.rendering import export as render
    from locoexport.rendering.parts.precision import precision_table

    try:
        yield
    except ExportParityError as failure:
        found = failure.report, failure.localisation, failure.not_localised
        document, text = render.failed_export_document, render.failed_export_text
        console.report(json_target, document, text, *found, context=context)
        raise
    except PrecisionRefusedError as refusal:
        console.report(
            json_target,
            render.refused_export_document,
            precision_table,
            refusal.report,
            context=context,
        )
        raise
