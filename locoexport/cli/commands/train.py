"""``locoexport train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from locoexport.cli.options import export_options
from locoexport.cli.options import training_options as options
from locoexport.cli.options.shared_options import JsonTarget, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.errors import OutputError, UsageError
from locoexport.machine.installation import require_extra

if TYPE_CHECKING:
    from locoexport.training.run_folder import RunFolder

__all__ = ["train"]

_ENOUGH_CLIPS = 4
"""In a batch of fewer, means and variances are too unlike those that weights came with."""


def train(
    context: typer.Context,
    *,
    backbone: export_options.Backbone = None,
    profile: export_options.Profile = None,
    start: options.Start = None,
    data: options.Data,
    teacher: options.Teacher = None,
    difficulty: options.Difficulty = 1.0,
    steps: options.Steps = 300_000,
    clips: options.ClipsAtOnce = 4,
    frames: options.Frames = options.WHOLE_RECORD,
    points: options.Points = 256,
    learning_rate: options.LearningRate = 1e-3,
    precision: options.Precision = "fp32",
    mixed: options.Mixed = False,
    batch_norm: options.BatchNormMode = None,
    average: options.Average = None,
    drop_connect: options.DropConnect = 0.2,
    seed: options.Seed = 42,
    validate_on: options.ValidateOn = None,
    validate_every: options.ValidateEvery = 1000,
    devices: options.Devices = None,
    nodes: options.Nodes = 1,
    strategy: options.Strategy = "auto",
    workers: options.Workers = 0,
    output: options.Output,
    save_every: options.SaveEvery = 200,
    resume: options.Resume = True,
    json_target: JsonTarget = None,
    force: ReplaceJson = False,
) -> None:
    """Train, fine-tune or distil a tracker.

    The recipe is that of the published code. RUN/ gets last.ckpt and best.ckpt, which `export`
    takes, every figure as CSV, a plot of the loss and pictures of what was validated. The same
    command again goes on where it was stopped.

    Examples:
        locoexport train --backbone b0 --data movi-e:DIR --mixed -o run
        locoexport train --from demo --data synthetic --steps 5000 -o run
        locoexport train --from b0.ckpt --teacher b5.onnx --data clips:DIR -o run
    """
    if backbone is not None and profile is not None:
        raise UsageError("--backbone and --profile name the same thing; pass one of them.")
    console.check_outputs(context, files=("output",))
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; name a folder for the run.")
    require_extra("train")
    from locoexport.pipeline.training.run import train_model
    from locoexport.pipeline.training.start import find_start
    from locoexport.rendering.train import train_document, train_text
    from locoexport.training.figures import read_figures
    from locoexport.training.fitting import FitSettings
    from locoexport.training.recipe import TrainingRecipe
    from locoexport.training.run_folder import RunFolder

    rounding: Any = "float32" if precision == "fp32" else precision
    norms: Any = batch_norm  # checked where it was typed
    recipe = TrainingRecipe(
        steps=steps,
        clips=clips,
        frames=frames.most,
        least_frames=None if frames.least == frames.most else frames.least,
        points=points,
        learning_rate=learning_rate,
        batch_norm=norms or ("train" if start is None or clips >= _ENOUGH_CLIPS else "frozen"),
        average_decay=average,
        dropped_share=drop_connect,
        mixed=mixed,
        rounding=rounding,
        seed=seed,
    )
    folder = RunFolder(output)
    with console.listening(context) as notify, _drawn(folder):
        chosen, weights = find_start(profile or backbone, start, notify)
        report = train_model(
            chosen,
            output,
            data=data,
            recipe=replace(recipe, size_hw=chosen.working_hw),
            settings=FitSettings(
                devices,
                nodes=nodes,
                strategy=strategy,
                validate_every=validate_every,
                save_every=save_every,
            ),
            checkpoint=weights,
            teacher=teacher,
            validate_on=tuple(validate_on or ("synthetic",)),
            workers=workers,
            difficulty=difficulty,
            resume=resume,
            notify=notify,
        )
    # On several GPUs Lightning runs this command once for each.
    if report.leads:
        figures = read_figures(folder)
        console.report(json_target, train_document, train_text, report, figures, context=context)


@contextmanager
def _drawn(folder: RunFolder) -> Iterator[None]:
    """Afterwards there is a plot of the loss: of a run that was stopped or failed too, where it is
    needed most."""
    from locoexport.rendering.train_plot import draw_training
    from locoexport.training.figures import RunFigures, read_figures
    from locoexport.training.fitting import is_leader

    try:
        yield
    finally:
        figures = read_figures(folder) if is_leader() else RunFigures((), ())
        if figures.steps:
            draw_training(str(folder.path), figures, folder.plot)
