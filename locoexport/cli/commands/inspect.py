"""``locoexport inspect``."""

from __future__ import annotations

import typer

from locoexport.cli.options import graph_options as options
from locoexport.cli.options.model_arguments import AnyGraph
from locoexport.cli.options.option_values import parse_axis_sizes
from locoexport.cli.options.shared_options import JsonTarget, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.machine.installation import require_packages

__all__ = ["inspect"]


def inspect(
    context: typer.Context,
    model: AnyGraph,
    frames: options.Frames = None,
    points: options.Points = None,
    batch: options.Batch = None,
    axis: options.Axis = None,
    strict: options.Strict = False,
    json_target: JsonTarget = None,
    force: ReplaceJson = False,
) -> None:
    """Say what an .onnx file holds, costs, and where it can run.

    Operations and memory are counted from the graph; nothing is run. What cannot be resolved is
    named and counted. Without --strict the exit code is 0 whatever the lint finds.

    Examples:
        locoexport inspect model.onnx --frames 48 --points 256
        locoexport inspect other.onnx --strict
    """
    console.check_outputs(context)
    axes = parse_axis_sizes(axis or [])
    named = {"frames": frames, "points": points, "batch": batch}
    axes |= {name: size for name, size in named.items() if size is not None}
    require_packages("onnx", extra="inspect")
    from locoexport.pipeline.inspect import inspect_file
    from locoexport.rendering.inspection import inspect_document, inspect_text

    report = inspect_file(model, axes)
    passed = not (strict and report.has_faults)
    console.report(
        json_target, inspect_document, inspect_text, report, context=context, passed=passed
    )
