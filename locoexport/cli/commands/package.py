"""``locoexport package``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from locoexport.cli.terminal import console
from locoexport.errors import UsageError

if TYPE_CHECKING:
    from locoexport.serving.options import ShapeRange

__all__ = ["package"]


def package(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A file written by `locoexport export`, or one of a split export."
        ),
    ],
    triton: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Triton's model repository; it may hold other models."),
    ] = None,
    openvino_ms: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="OpenVINO Model Server's folder; it may hold other models."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the model (locotrack_<profile>).")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option(help="Where instances run: auto, cpu or gpu.")
    ] = "auto",
    instances: Annotated[
        int, typer.Option(metavar="N", help="Of each model; on a GPU machine on each GPU.")
    ] = 1,
    max_batch: Annotated[
        int, typer.Option(metavar="N", help="Clips that Triton runs together at most.")
    ] = 4,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Of the CPU for each instance (all cores).")
    ] = None,
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="Ask for the TensorRT accelerator.")
    ] = False,
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="Of TensorRT's engines: fp32 or fp16.")
    ] = "fp32",
    frames: Annotated[
        str,
        typer.Option(
            metavar="MIN,OPT,MAX", help="Frames that engines are built for; OPT warms up."
        ),
    ] = "2,24,48",
    points: Annotated[
        str,
        typer.Option(
            metavar="MIN,OPT,MAX", help="Points that engines are built for; OPT warms up."
        ),
    ] = "1,64,256",
    json_target: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace models of these names, and the report.")
    ] = False,
) -> None:
    """Write what NVIDIA Triton or OpenVINO Model Server is started over, and how to start it.

    For Triton a model repository: a split export becomes three models and the ensemble that joins
    them. The configurations are checked against Triton's own schema where tritonclient is installed
    (`locoexport[triton]`). For OpenVINO the single file and config.json; the file is compiled first
    where OpenVINO is installed (`locoexport[openvino]`).
    """
    console.check_json_target(json_target, force=force)
    folder = triton or openvino_ms
    if folder is None or (triton is not None and openvino_ms is not None):
        raise UsageError("Say for which server, and one at a time: --triton or --openvino-ms DIR.")
    from locoexport.pipeline.package import package_for_openvino, package_for_triton
    from locoexport.rendering.package import package_document, package_text
    from locoexport.serving.options import ServingOptions

    options = ServingOptions(
        device=device,
        instances=instances,
        max_batch=max_batch,
        threads=threads,
        tensorrt=tensorrt,
        precision=precision.upper(),
        frames=_parse_range("--frames", frames),
        points=_parse_range("--points", points),
    )
    with console.listening(context) as notify:
        write = package_for_openvino if triton is None else package_for_triton
        report = write(model, folder, name=name, options=options, force=force, notify=notify)
    console.report(json_target, package_document, package_text, report)


def _parse_range(option: str, text: str) -> ShapeRange:
    from locoexport.serving.options import ShapeRange

    try:
        least, usual, most = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} is MIN,OPT,MAX, like 2,24,48, not {text!r}.") from None
    return ShapeRange(least, usual, most)
