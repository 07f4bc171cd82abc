"""``locoexport eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.errors import StoppedError

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL.onnx|CHECKPOINT",
            help="An exported file, or weights (exported into the cache folder first).",
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            metavar="FILE.pkl|FOLDER|synthetic|motorcycle",
            help="TAP-Vid pickles (DAVIS, RGB-Stacking, RoboTAP, Kinetics), generated sequences, "
            "or the stereo pair in scikit-image.",
        ),
    ],
    query_mode: Annotated[
        str,
        typer.Option(
            metavar="first|strided",
            help="Ask where a point is seen first and score later frames, or ask every 5 frames "
            "and score all others.",
        ),
    ] = "first",
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Weights of MODEL.onnx for torch; by default found as verify does."),
    ] = None,
    torch: Annotated[
        bool, typer.Option(help="Score the unrewritten PyTorch model beside the file.")
    ] = True,
    videos: Annotated[int | None, typer.Option(help="Only the first so many videos.")] = None,
    full_resolution: Annotated[
        bool,
        typer.Option(
            "--full-resolution",
            help="Give the model the video's own pixels in place of 256x256 ones.",
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Run every video, also those on record from an equal command."
        ),
    ] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Score a model on annotated clips by the TAP-Vid protocol, beside PyTorch.

    AJ, δ_avg and OA at 256x256, per video, then the mean. Results of each video are kept in the
    cache folder: after an interrupt the same command goes on where it stopped. Nothing in a pickle
    is run.
    """
    console.check_json_target(json, force=force)
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
    console.report(json, eval_document, eval_text, report)
