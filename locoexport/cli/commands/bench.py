"""``locoexport bench``."""

from __future__ import annotations

import typer

from locoexport.cli.options import measurement_options as options
from locoexport.cli.options.model_arguments import FileToTime
from locoexport.cli.options.option_values import check_plot, parse_sizes
from locoexport.cli.options.shared_options import JsonTarget, OwnProvider, ReplaceFiles
from locoexport.cli.terminal import console

__all__ = ["bench"]


def bench(
    context: typer.Context,
    model: FileToTime = None,
    backbone: options.Backbone = None,
    against: options.Against = None,
    frames: options.Frames = None,
    points: options.Points = None,
    runs: options.Runs = 10,
    provider: OwnProvider = None,
    json_target: JsonTarget = None,
    plot: options.Plot = None,
    force: ReplaceFiles = False,
) -> None:
    """Time a model here, in turn with PyTorch or other files.

    All sides get the same number of threads. Latency is the median of the runs after warm-up,
    with the 10th and 90th percentile; the ratio is taken run by run. Memory and load time are
    measured in separate processes.

    Examples:
        locoexport bench
        locoexport bench model.onnx --frames 24 --points 64,256
        locoexport bench model.onnx --against other.onnx --plot bench.png
        locoexport bench model.onnx --against torch --against autocast
    """
    console.check_outputs(context, files=("plot",))
    if plot is not None:
        check_plot(plot, force=force)
    from locoexport.pipeline.bench import bench_model
    from locoexport.rendering.bench import bench_document, bench_text

    with console.listening(context) as notify:
        report = bench_model(
            model,
            backbone=backbone,
            provider=provider,
            frames=parse_sizes("--frames", frames),
            points=parse_sizes("--points", points),
            against=against,
            runs=runs,
            notify=notify,
        )
    console.report(json_target, bench_document, bench_text, report, context=context)
    if plot is not None:
        from locoexport.rendering.bench_plot import draw_bench

        draw_bench(report, plot)
