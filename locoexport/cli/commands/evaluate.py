"""``locoexport eval``."""

from __future__ import annotations

import typer

from locoexport.cli.terminal import console
from locoexport.cli.terminal import measurement_options as options
from locoexport.cli.terminal.model_arguments import ExportedFileOrWeights
from locoexport.cli.terminal.options import JsonTarget, Provider, ReplaceJson
from locoexport.errors import StoppedError

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    model: ExportedFileOrWeights,
    dataset: options.Dataset,
    query_mode: options.QueryMode = "first",
    provider: Provider = "cpu",
    checkpoint: options.TorchCheckpoint = None,
    torch: options.Torch = True,
    videos: options.Videos = None,
    full_resolution: options.FullResolution = False,
    fresh: options.Fresh = False,
    json_target: JsonTarget = None,
    force: ReplaceJson = False,
) -> None:
    """Score a model on annotated clips by the TAP-Vid protocol, beside PyTorch.

    AJ, δ_avg and OA at 256x256, per video, then the mean. Results of each video are kept in the
    cache folder: after an interrupt the same command goes on where it stopped. Nothing in a pickle
    is run.
    """
    console.check_json_target(json_target, force=force)
    from locoexport.pipeline.evaluate import EvaluationInterrupt, evaluate_model
    from locoexport.rendering.evaluation import eval_document, eval_text

    try:
        with console.listening(context) as notify:
            report = evaluate_model(
                model,
                dataset,
                query_mode=query_mode,
                provider=provider,
                checkpoint=checkpoint,
                torch=torch,
                videos=videos,
                full_resolution=full_resolution,
                fresh=fresh,
                notify=notify,
            )
    except EvaluationInterrupt as stop:
        raise StoppedError(str(stop)) from None
    console.report(json_target, eval_document, eval_text, report)
