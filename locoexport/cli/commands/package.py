"""``locoexport package``."""

from __future__ import annotations

import typer

from locoexport.cli.options import serving_options as options
from locoexport.cli.options.model_arguments import FileToPackage
from locoexport.cli.options.option_values import parse_range
from locoexport.cli.options.shared_options import JsonTarget
from locoexport.cli.terminal import console
from locoexport.errors import UsageError

__all__ = ["package"]


def package(
    context: typer.Context,
    model: FileToPackage,
    triton: options.TritonFolder = None,
    openvino_ms: options.OpenvinoFolder = None,
    name: options.Name = None,
    device: options.Device = "auto",
    instances: options.Instances = 1,
    threads: options.Threads = None,
    max_batch: options.MaxBatch = 4,
    tensorrt: options.TensorRT = False,
    precision: options.EnginePrecision = "fp32",
    frames: options.Frames = "2,24,48",
    points: options.Points = "1,64,256",
    json_target: JsonTarget = None,
    force: options.Replace = False,
) -> None:
    """Write the folder that Triton or OpenVINO Model Server serves.

    For Triton, a split export becomes three models and an ensemble that joins them; a live export
    three and two ensembles, and the server keeps its memory. Configurations are checked against
    Triton's own schema where tritonclient is installed (`locoexport[triton]`). For OpenVINO, the
    file is compiled first where OpenVINO is installed (`locoexport[openvino]`).

    Examples:
        locoexport package model.onnx --triton repository
        locoexport package model.onnx --openvino-ms models
    """
    console.check_outputs(context, files=("triton", "openvino_ms"))
    folder = triton or openvino_ms
    if folder is None or (triton is not None and openvino_ms is not None):
        raise UsageError("Say for which server, and one at a time: --triton or --openvino-ms DIR.")
    from locoexport.pipeline.package import package_for_openvino, package_for_triton
    from locoexport.rendering.package import package_document, package_text
    from locoexport.serving.options import ServingOptions, ShapeRange

    serving = ServingOptions(
        device=device,
        instances=instances,
        max_batch=max_batch,
        threads=threads,
        tensorrt=tensorrt,
        precision=precision.upper(),
        frames=ShapeRange(*parse_range("--frames", frames)),
        points=ShapeRange(*parse_range("--points", points)),
    )
    with console.listening(context) as notify:
        write = package_for_openvino if triton is None else package_for_triton
        report = write(model, folder, name=name, options=serving, force=force, notify=notify)
    console.report(json_target, package_document, package_text, report, context=context)
