"""``locoexport eval``."""

from __future__ import annotations

from pathlib import Path

import typer

from locoexport.cli.options import measurement_options as options
from locoexport.cli.options.model_arguments import ExportedFileOrWeights
from locoexport.cli.options.option_values import parse_sizes
from locoexport.cli.options.shared_options import JsonTarget, OwnProvider, ReplaceFiles
from locoexport.cli.terminal import console
from locoexport.errors import StoppedError, UsageError

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    model: ExportedFileOrWeights,
    dataset: options.Dataset,
    query_mode: options.QueryMode = "first",
    videos: options.Videos = None,
    full_resolution: options.FullResolution = False,
    checkpoint: options.TorchCheckpoint = None,
    torch: options.Torch = True,
    live: options.Live = None,
    fresh: options.Fresh = False,
    provider: OwnProvider = None,
    per_track: options.PerTrack = None,
    latex: options.Latex = None,
    film: options.Film = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
) -> None:
    """Score a model on annotated clips (TAP-Vid), beside PyTorch.

    AJ, δ_avg and OA at 256x256: for each video, then the mean of each dataset. The results of each
    video are kept in the cache folder: after an interrupt, the same command goes on where it
    stopped. Nothing in a pickle is run.

    Examples:
        locoexport eval b0-tiny --dataset synthetic
        locoexport eval model.onnx --dataset tapvid_davis.pkl --latex table.tex
    """
    _check_targets(json_target, latex, per_track)
    console.check_outputs(context, texts=("json_target", "latex"), files=("per_track", "film"))
    from locoexport.pipeline.evaluate import EvaluationInterrupt, evaluate_datasets
    from locoexport.rendering.evaluation import eval_latex, evals_document, evals_text

    try:
        with console.listening(context) as notify:
            reports = evaluate_datasets(
                model,
                dataset,
                query_mode=query_mode,
                provider=provider,
                checkpoint=checkpoint,
                torch=torch,
                videos=videos,
                full_resolution=full_resolution,
                fresh=fresh,
                track_file=per_track,
                film_folder=film,
                force=force,
                live=parse_sizes("--live", live),
                notify=notify,
            )
    except EvaluationInterrupt as stop:
        raise StoppedError(str(stop)) from None
    if latex is not None:
        console.write_text(latex, eval_latex(reports))
    console.report(
        json_target, evals_document, None if latex == "-" else evals_text, reports, context=context
    )


def _check_targets(*targets: str | Path | None) -> None:
    """Refuse two results for one place."""
    places = [str(target) for target in targets if target is not None]
    for place in places:
        if places.count(place) > 1:
            where = "stdout" if place == "-" else place
            raise UsageError(
                f"Two of --json, --latex and --per-track are to be written to {where}; name a file "
                "for each."
            )
