"""Lightning's Trainer over a run folder: logs, checkpoints, validation, and going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger

from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.validation import WATCHED

__all__ = ["FitSettings", "make_trainer"]

_LOGGED_EVERY = 5
_KEPT_BEST = 3


@dataclass(frozen=True)
class FitSettings:
    """How a run is carried out, none of which changes what is learned on one device.

    ``devices`` None takes every GPU of this machine, else the CPU. ``validate_every`` and
    ``save_every`` are in steps.
    """

    devices: int | None = None
    nodes: int = 1
    accelerator: str = "auto"
    strategy: str = "auto"
    validate_every: int = 1000
    save_every: int = 200


def make_trainer(
    folder: RunFolder,
    recipe: TrainingRecipe,
    settings: FitSettings,
    callbacks: Sequence[Callback],
) -> Trainer:
    """A Trainer that logs, validates and keeps checkpoints in ``folder``."""
    several = settings.devices != 1 or settings.nodes > 1
    return Trainer(
        accelerator=settings.accelerator,
        devices="auto" if settings.devices is None else settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision="bf16-mixed" if recipe.mixed else "32-true",
        sync_batchnorm=several and recipe.batch_norm == "train",
        max_steps=recipe.steps,
        max_epochs=-1,
        gradient_clip_val=recipe.largest_norm,
        gradient_clip_algorithm="norm",
        val_check_interval=min(settings.validate_every, recipe.steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=_LOGGED_EVERY,
        logger=_loggers(folder),
        callbacks=[*callbacks, *_keepers(folder, recipe)],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )


def _keepers(folder: RunFolder, recipe: TrainingRecipe) -> list[Callback]:
    best = ModelCheckpoint(
        folder.checkpoints,
        filename="step={step}",
        auto_insert_metric_name=False,
        monitor=WATCHED,
        mode="max",
        save_top_k=_KEPT_BEST,
    )
    if recipe.average_decay is None:
        return [best]
    return [EMAWeightAveraging(decay=recipe.average_decay), best]


def _loggers(folder: RunFolder) -> list[Logger]:
    """CSV always, TensorBoard's files where its package is installed."""
    loggers: list[Logger] = [CSVLogger(folder.path, name="", version="logs")]
    try:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder.path, name="", version="tensorboard"))
    except ModuleNotFoundError:
        return loggers
    return loggers
