"""Lightning's Trainer over a run folder: logs, checkpoints, validation, and going on."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from locoexport.errors import MachineError, UsageError
from locoexport.training.figures import start_log
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.validation import WATCHED

__all__ = ["STRATEGIES", "FitSettings", "is_leader", "make_trainer", "without_chatter"]

STRATEGIES = ("auto", "ddp")
"""How several devices share a run. Those that cut the weights into pieces would keep checkpoints
that no other code loads, and no tracker is large enough to need them."""

_KEPT_BEST = 3
_CHATTERING = ("lightning.pytorch", "lightning.fabric")
_EXPECTED = (
    # Of Lightning's own code, which nobody here can change.
    r".*isinstance\(treespec, LeafSpec\)",
    # Advice about what is meant: the user chooses the workers, and validation reads clip by clip.
    r"The '\w+' does not have many workers",
    # Checkpoints of the best validations are still there when a run goes on.
    r"Checkpoint directory .* exists and is not empty",
    # Of depthwise convolutions on several devices: not an error, as it says itself.
    r"Grad strides do not match bucket view strides",
    # Every sample is made on one device alone (``BatchStream``).
    r"Your `IterableDataset` has `__len__` defined",
)


@dataclass(frozen=True)
class FitSettings:
    """How a run is carried out, none of which changes what is learned on one device.

    ``devices`` None takes every GPU of this machine, else the CPU; ``nodes`` are machines, each of
    which runs the same command; ``accelerator`` is Lightning's name of a kind of device.
    ``validate_every`` and ``save_every`` are in steps.
    """

    devices: int | None = None
    nodes: int = 1
    accelerator: str = "auto"
    strategy: str = "auto"
    validate_every: int = 1000
    save_every: int = 200

    def __post_init__(self) -> None:
        """Raises UsageError for a number below 1, or a strategy that is none of ours."""
        for name in ("devices", "nodes", "validate_every", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; expected 1 or more.")
        if self.strategy not in STRATEGIES:
            raise UsageError(f"--strategy is {self.strategy}; expected {' or '.join(STRATEGIES)}.")

    def check_machine(self) -> None:
        """See that the devices are there.

        Raises:
            MachineError: they are not.
        """
        found = torch.cuda.device_count()
        if self.accelerator == "auto" and (self.devices or 1) > max(found, 1):
            raise MachineError(
                f"--devices is {self.devices}, and this machine has {found or 'no'} GPU"
                f"{'' if found == 1 else 's'} that PyTorch {torch.__version__} can use. Leave "
                "--devices out to take what there is."
            )


def is_leader() -> bool:
    """Whether this process writes and speaks, of those that share a run."""
    return int(getattr(rank_zero_only, "rank", 0) or 0) == 0


def make_trainer(
    folder: RunFolder,
    recipe: TrainingRecipe,
    settings: FitSettings,
    callbacks: Sequence[Callback],
    *,
    first_step: int = 0,
) -> Trainer:
    """A Trainer that logs, validates and keeps checkpoints in ``folder``.

    Args:
        folder: of the run.
        recipe: its numbers.
        settings: how it is carried out.
        callbacks: called in their order, after the average of the weights.
        first_step: steps that were done before.

    Raises:
        MachineError: devices that were asked for are not there.
    """
    settings.check_machine()
    several_gpus = torch.cuda.is_available() and (settings.devices != 1 or settings.nodes > 1)
    return Trainer(
        accelerator=settings.accelerator,
        devices="auto" if settings.devices is None else settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision="bf16-mixed" if recipe.mixed else "32-true",
        # PyTorch has it for GPUs alone.
        sync_batchnorm=several_gpus
        and settings.accelerator != "cpu"
        and recipe.batch_norm == "train",
        max_steps=recipe.steps,
        max_epochs=-1,
        gradient_clip_val=recipe.largest_norm,
        gradient_clip_algorithm="norm",
        val_check_interval=settings.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=_loggers(folder, first_step),
        callbacks=[*_averages(recipe), _best_few(folder), *callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.path,
    )


@contextmanager
def without_chatter() -> Iterator[None]:
    """A block in which Lightning keeps tips and remarks to itself; its warnings come, but for those
    about what is meant to be so here."""
    loggers = [logging.getLogger(name) for name in _CHATTERING]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            for message in _EXPECTED:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _averages(recipe: TrainingRecipe) -> list[Callback]:
    if recipe.average_decay is None:
        return []
    return [EMAWeightAveraging(decay=recipe.average_decay)]


def _best_few(folder: RunFolder) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder.checkpoints,
        filename="step={step}",
        auto_insert_metric_name=False,
        monitor=WATCHED,
        mode="max",
        save_top_k=_KEPT_BEST,
    )


def _loggers(folder: RunFolder, first_step: int) -> list[Logger]:
    """CSV always, TensorBoard's files where its package is installed."""
    log = start_log(folder, first_step)
    if is_leader():
        # Of a start that wrote no checkpoint: its steps are made again.
        shutil.rmtree(log, ignore_errors=True)
    loggers: list[Logger] = [CSVLogger(folder.logs, name="", version=log.name)]
    try:
        board: Path = folder.tensorboard
        loggers.append(TensorBoardLogger(board.parent, name="", version=board.name))
    except ModuleNotFoundError:
        return loggers
    return loggers
