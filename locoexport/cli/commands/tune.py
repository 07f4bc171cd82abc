"""``locoexport tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from locoexport.cli.options import export_options
from locoexport.cli.options import tuning_options as options
from locoexport.cli.options.option_values import check_onnx_name, check_plot
from locoexport.cli.options.shared_options import JsonTarget, ReplaceFiles
from locoexport.cli.terminal import console
from locoexport.errors import UsageError
from locoexport.machine.installation import require_extra

if TYPE_CHECKING:
    from locoexport.contract.profile import ExportProfile
    from locoexport.notices import Listener

__all__ = ["tune"]


def tune(
    context: typer.Context,
    model: options.ModelToTune = None,
    backbone: export_options.Backbone = None,
    profile: export_options.Profile = None,
    checkpoint: export_options.Checkpoint = None,
    limit_px: options.LimitPx = 0.5,
    limit_aj: options.LimitAj = None,
    clips: options.Clips = None,
    providers: options.Providers = None,
    frames: options.Frames = None,
    points: options.Points = None,
    work: options.Work = None,
    resume: options.Resume = True,
    output: options.Output = Path("best.onnx"),
    plot: options.Plot = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
) -> None:
    """Find the fastest file within an error limit on this machine.

    Tries forms of the graph, precisions, runtimes and numbers of threads. Each candidate is timed
    in turn with float32 on the CPU, and its tracks are compared with float32's. The fastest within
    the limits is written, with its evidence; where nothing is faster, that is the float32 file.
    Nothing else should run meanwhile. An interrupted search goes on where it stopped.

    Examples:
        locoexport tune --backbone b0-tiny -o best.onnx
        locoexport tune model.onnx --limit-px 0.25 --provider cpu --plot tune.png
        locoexport tune --backbone b5 --limit-aj 0.3 --clip clip.mp4
    """
    if sum(given is not None for given in (model, backbone, profile)) > 1:
        raise UsageError("MODEL, --backbone and --profile all name what to tune; pass one of them.")
    console.check_outputs(context, files=("output", "plot"))
    check_onnx_name(output)
    if plot is not None:
        check_plot(plot, force=force)
    require_extra("export")
    from locoexport.pipeline.tuning.search import tune_model
    from locoexport.rendering.tune import tune_document, tune_text

    with console.listening(context) as notify:
        subject, weights = _name_subject(model, backbone or profile, checkpoint, notify)
        report = tune_model(
            subject,
            output,
            limit_px=limit_px,
            limit_aj=limit_aj,
            checkpoint=weights,
            providers=tuple(providers or ()),
            frames=frames,
            points=points,
            clips=tuple(clips or ()),
            work=work,
            resume=resume,
            force=force,
            notify=notify,
        )
    console.report(json_target, tune_document, tune_text, report, context=context)
    if plot is not None:
        from locoexport.rendering.tune_plot import draw_tune

        draw_tune(report, plot)


def _name_subject(
    model: Path | None, named: str | None, checkpoint: str | None, notify: Listener
) -> tuple[Path | ExportProfile, str | Path | None]:
    """The file or the profile to tune, and its weights; a profile may be told by the weights."""
    from locoexport.pipeline.model_choice import names_profile
    from locoexport.pipeline.weights.choice import choose_model

    if model is not None and not names_profile(model):
        return model, checkpoint
    return choose_model(named if model is None else str(model), checkpoint, notify)
