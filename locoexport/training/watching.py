"""What happens beside the steps of a run: progress, an estimate, figures, checkpoints, stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from locoexport.errors import StoppedError
from locoexport.machine.writing.output_files import whole_file
from locoexport.notices import Listener, Notice, counted
from locoexport.training.figures import StepFigures, validation_row
from locoexport.training.gradients import check_finite
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import TrackerModule
from locoexport.training.validation import best_of

__all__ = ["Watcher"]

_ESTIMATED_AFTER = 5
_LONG_HOURS = 1.0
_LOGGED_EVERY = 5


class Watcher(Checkpoint):
    """Tells of progress, keeps ``last.ckpt`` and ``best.ckpt``, and ends the run when asked to.

    It is a ``Checkpoint``, so that Lightning calls it after the average of the weights has taken a
    step in. A checkpoint of a step that is validated is written after that: Lightning, going on
    from an earlier one, would leave the validation out.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        steps: int,
        validate_every: int,
        save_every: int,
        notify: Listener,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``steps`` of the whole run; ``validate_every`` and ``save_every`` are in steps too, and
        ``clock`` tells seconds."""
        self._folder, self._steps = folder, steps
        self._validate_every, self._save_every = validate_every, save_every
        self._notify, self._clock = notify, clock
        self._began = 0.0
        self._first_step = 0
        self._saved_at: int | None = None
        self._asked = self._ending = self._told = False

    def stop(self) -> None:
        """End the run after the step that is under way; from any thread, as often as you like."""
        self._asked = True

    def describe_kept(self) -> str:
        """Which checkpoint can be gone on from, in words."""
        if self._saved_at is None:
            return "No checkpoint was written yet."
        return f"The last good checkpoint is {self._folder.last} of step {self._saved_at}."

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count."""
        self._began, self._first_step = self._clock(), trainer.global_step
        if trainer.global_step:
            self._saved_at = trainer.global_step

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Raises StoppedError where the run was asked to end: all of the last step is kept now."""
        if self._ending:
            raise StoppedError(
                f"Stopped after step {trainer.global_step} of {self._steps}, which "
                f"{self._folder.last} holds. Run the same command again to go on."
            )

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell, log, save."""
        assert isinstance(pl_module, TrackerModule)
        step = trainer.global_step
        figures = pl_module.describe_step()
        self._notify(
            Notice("training", done=step, total=self._steps, figures=f"loss {figures.loss:.2f}")
        )
        self._log(trainer, figures)
        if step - self._first_step == _ESTIMATED_AFTER:
            self._estimate(trainer, step)
        self._ending = self._is_asked(trainer)
        # Lightning validates once more where it is told that the end has come.
        trainer.should_stop = trainer.should_stop or step == self._steps
        if not self._is_validated(step) and (self._ending or step % self._save_every == 0):
            self._save_last(trainer, pl_module)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Say why nothing ends yet, where somebody waits for it."""
        if self._asked and not self._told:
            self._notify(Notice("stopping after this validation; Ctrl-C again ends at once"))
            self._told = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what was found, and keep the weights."""
        assert isinstance(pl_module, TrackerModule)
        latest = pl_module.validations[-1]
        for logger in trainer.loggers:
            logger.log_metrics(validation_row(latest), step=latest.step)
        self._ending = self._is_asked(trainer)
        # All devices write together or not at all, whatever rounding made of their scores.
        if trainer.strategy.broadcast(best_of(pl_module.validations) is latest):
            self._save(trainer, pl_module, self._folder.best)
        self._save_last(trainer, pl_module)

    def _log(self, trainer: Trainer, figures: StepFigures) -> None:
        # By the loggers' own call: Lightning's ``self.log`` counts steps from 0, tells them after
        # the checkpoint is written, and forgets the last one where a run ends early.
        if figures.step % _LOGGED_EVERY == 0 or figures.step in (1, self._steps):
            for logger in trainer.loggers:
                logger.log_metrics(figures.row, step=figures.step)

    def _is_validated(self, step: int) -> bool:
        return step % self._validate_every == 0 or step == self._steps

    def _is_asked(self, trainer: Trainer) -> bool:
        """On every device, where it was on one."""
        return bool(trainer.strategy.reduce_boolean_decision(self._asked, all=False))

    def _save_last(self, trainer: Trainer, module: TrackerModule) -> None:
        # First the figures: a run that goes on from this checkpoint does not write them again.
        for logger in trainer.loggers:
            logger.save()
        self._save(trainer, module, self._folder.last)
        self._saved_at = trainer.global_step

    def _save(self, trainer: Trainer, module: TrackerModule, path: Path) -> None:
        """Write a checkpoint, whole or not at all, unless something in it is not finite."""
        check_finite(
            tuple(module.state_dict().items()),
            f"after step {trainer.global_step}",
            module.names,
            self.describe_kept(),
        )
        if trainer.is_global_zero:
            with whole_file(path) as draft:
                trainer.save_checkpoint(draft)
        else:
            trainer.save_checkpoint(path)  # takes part, and writes nothing

    def _estimate(self, trainer: Trainer, step: int) -> None:
        a_step = (self._clock() - self._began) / (step - self._first_step)
        hours = a_step * (self._steps - step) / 3600
        if hours * 60 < 1:
            return
        on_cpu = trainer.strategy.root_device.type == "cpu"
        said = f"{counted(self._steps - step, 'step')} at {a_step:.2g} s take {hours:.1f} h"
        if on_cpu and hours > _LONG_HOURS:
            self._notify(Notice(f"There is no GPU here: {said}.", warning=True))
        else:
            self._notify(Notice(said))
