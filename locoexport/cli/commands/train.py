"""``locoexport train``."""

from __future__ import annotations

import typer

from locoexport.cli.options import export_options
from locoexport.cli.options import training_options as options
from locoexport.cli.options.shared_options import JsonTarget
from locoexport.cli.terminal import console
from locoexport.errors import UsageError
from locoexport.machine.installation import require_extra

__all__ = ["train"]


def train(
    context: typer.Context,
    data: options.Data,
    output: options.Output,
    backbone: export_options.Backbone = None,
    profile: export_options.Profile = None,
    start: options.Start = None,
    teacher: options.Teacher = None,
    precision: options.Precision = "fp32",
    steps: options.Steps = 300_000,
    clips: options.ClipsAtOnce = 4,
    frames: options.Frames = options.WHOLE_RECORD,
    points: options.Points = 256,
    learning_rate: options.LearningRate = 1e-3,
    batch_norm: options.BatchNormMode = None,
    average: options.Average = None,
    drop_connect: options.DropConnect = 0.2,
    difficulty: options.Difficulty = 1.0,
    seed: options.Seed = 42,
    validate_on: options.ValidateOn = None,
    validate_every: options.ValidateEvery = 1000,
    save_every: options.SaveEvery = 200,
    devices: options.Devices = None,
    workers: options.Workers = 0,
    mixed: options.Mixed = False,
    resume: options.Resume = True,
    json_target: JsonTarget = None,
) -> None:
    """Train, fine-tune or distil a tracker.

    The recipe is that of the published code. RUN/ gets last.ckpt and best.ckpt, which `export`
    takes, figures as CSV, and pictures. The same command again goes on where it was stopped.

    Examples:
        locoexport train --backbone b0 --data movi-e:DIR --mixed -o run
        locoexport train --backbone b0-tiny --data synthetic --steps 5000 -o run
        locoexport train --from b0.ckpt --teacher b5.onnx --data clips:DIR -o run
    """
    if (backbone is not None) and (profile is not None):
        raise UsageError("--backbone and --profile name the same thing; pass one of them.")
    require_extra("train")
    from locoexport.pipeline.training.run import train_model
    from locoexport.pipeline.training.start import find_start
    from locoexport.rendering.train import train_document, train_text
    from locoexport.training.fitting import FitSettings
    from locoexport.training.recipe import TrainingRecipe

    with console.listening(context) as notify:
        chosen, weights = find_start(profile or backbone, start, notify)
        recipe = TrainingRecipe(
            steps=steps,
            clips=clips,
            frames=frames.most,
            least_frames=None if frames.least == frames.most else frames.least,
            points=points,
            size_hw=chosen.working_hw,
            learning_rate=learning_rate,
            batch_norm=batch_norm or ("train" if weights is None or clips >= 4 else "frozen"),
            average_decay=average,
            dropped_share=drop_connect,
            mixed=mixed,
            rounding="float32" if precision == "fp32" else precision,
            seed=seed,
        )
        report = train_model(
            chosen,
            output,
            data=data,
            recipe=recipe,
            settings=FitSettings(devices, validate_every=validate_every, save_every=save_every),
            checkpoint=weights,
            teacher=teacher,
            validate_on=tuple(validate_on or ("synthetic",)),
            workers=workers,
            difficulty=difficulty,
            resume=resume,
            notify=notify,
        )
    console.report(json_target, train_document, train_text, report, context=context)
