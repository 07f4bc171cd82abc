"""``locoexport train``: what was learned, how good it is, and what to type next."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.notices import counted
from locoexport.rendering.parts.tables import facts, headed, size, titled

if TYPE_CHECKING:
    from locoexport.pipeline.training.run import TrainReport
    from locoexport.training.figures import RunFigures

__all__ = ["train_document", "train_text"]

_MOST_ROWS = 12
"""Validations that are shown: all are in the JSON, and in the plot."""


def train_text(report: TrainReport, figures: RunFigures) -> RenderableType:
    """The run, its validations and the next commands, for a terminal."""
    blocks: list[RenderableType] = [_facts(report, figures)]
    if report.validations:
        blocks += [Text(), _validations(report)]
    blocks += [Text(), *_next(report)]
    blocks += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return Group(*blocks)


def train_document(report: TrainReport, figures: RunFigures) -> dict[str, Any]:
    """``locoexport.train/1``; scores are 0 to 1, a figure that is not a number is null."""
    best, folder = report.best, report.folder
    return {
        "schema": "locoexport.train/1",
        "folder": str(folder.path),
        "profile": report.profile.name,
        "variant": report.profile.variant,
        "data": list(report.data),
        "started_from": report.started_from,
        "recipe": asdict(report.recipe),
        "steps": report.steps_done,
        "seconds": report.seconds,
        "last_checkpoint": str(folder.last),
        "best_checkpoint": None if best is None else str(folder.best),
        "best_step": None if best is None else best.step,
        "validations": [
            {
                "step": validation.step,
                "average_pts_within_thresh": validation.pts_within,
                "scores": {dataset: asdict(scores) for dataset, scores in validation.scores},
            }
            for validation in report.validations
        ],
        "losses": [asdict(figure) for figure in figures.steps],
        "skipped": dict(report.skipped),
        "warnings": list(report.warnings),
    }


def _facts(report: TrainReport, figures: RunFigures) -> RenderableType:
    recipe = report.recipe
    frames = f"{recipe.frames}"
    if recipe.least_frames is not None:
        frames = f"{recipe.least_frames} to {frames}"
    learned = f"{recipe.clips} x {frames} frames x {counted(recipe.points, 'point')}"
    rows = [
        ("run", str(report.folder.path)),
        ("model", _model(report)),
        ("from", report.started_from),
        ("data", ", ".join(report.data)),
        ("a step", f"{learned} at {size(recipe.size_hw)}, for {_computed(report)}"),
        ("steps", f"{report.steps_done} of {recipe.steps}, {_duration(report.seconds)}"),
    ]
    if report.skipped:
        told = (f"{counted(count, 'part')} of {source}" for source, count in report.skipped)
        rows.append(("skipped", ", ".join(told)))
    if figures.steps:
        newest = figures.steps[-1]
        rows.append(("loss", f"{newest.loss:.3f} at step {newest.step}"))
    return facts(rows)


def _model(report: TrainReport) -> str:
    name, variant = report.profile.name, report.profile.variant
    return name if name == variant else f"{name} ({variant})"


def _computed(report: TrainReport) -> str:
    named = {"float32": "float32", "int8": "8-bit integers", "bf16": "bfloat16"}
    said = named[report.recipe.rounding]
    return f"{said}, by bf16-mixed" if report.recipe.mixed else said


def _validations(report: TrainReport) -> RenderableType:
    numbers = ("step", "AJ", "δ_avg", "OA", "median px")
    table = headed((*numbers[:1], "dataset", *numbers[1:], ""), right=numbers)
    best, shown = report.best, _shown(report)
    for validation in shown:
        for dataset, scores in validation.scores:
            table.add_row(
                str(validation.step),
                Text(dataset),
                f"{100 * scores.average_jaccard:.1f}",
                f"{100 * scores.average_pts_within_thresh:.1f}",
                f"{100 * scores.occlusion_accuracy:.1f}",
                f"{scores.median_px:.2f}",
                Text("best", "bold green") if validation is best else Text(),
            )
    title = "What the tracker scored on clips that it did not learn from"
    hidden = len(report.validations) - len(shown)
    if hidden:
        title += f" (without {counted(hidden, 'earlier one')})"
    return titled(title, table)


def _shown(report: TrainReport) -> list[Any]:
    """The newest, and the best."""
    newest = report.validations[-_MOST_ROWS:]
    best = report.best
    return [*([] if best is None or best in newest else [best]), *newest]


def _next(report: TrainReport) -> list[RenderableType]:
    folder, best = report.folder, report.best
    chosen = folder.last if best is None else folder.best
    if best is None:
        said = f"Nothing was validated; {folder.last} has the weights of the last step."
    else:
        said = f"{folder.best} has the weights of step {best.step}, whose δ_avg is the highest"
        if best.step == report.steps_done:
            said += ", and which is the last."
        else:
            said += f"; {folder.last} has those of the last step."
    precision = {"float32": "", "int8": " --precision int8", "bf16": ""}[report.recipe.rounding]
    file = shlex.quote(str(folder.path / "model.onnx"))
    checkpoint = shlex.quote(str(chosen))
    export = f"locoexport export --checkpoint {checkpoint}{precision} -o {file}"
    commands = [export, f"locoexport verify {file}"]
    if report.recipe.rounding == "bf16":
        commands.append(f"locoexport track CLIP --model {file} --provider openvino:precision=bf16")
    else:
        commands.append(f"locoexport track CLIP --model {file}")
    lines = [Text(f"  {command}", no_wrap=True) for command in commands]
    return [Text(said, "bold"), Text("Next:"), *lines]


def _duration(seconds: float) -> str:
    """``42 s``, ``3.5 min``, ``2.4 h``: in the unit that fits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
