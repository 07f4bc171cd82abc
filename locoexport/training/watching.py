"""What happens beside the steps of a run: progress, an estimate, checkpoints, and stopping."""

from __future__ import annotations

import os
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from locoexport.notices import Listener, Notice, counted
from locoexport.training.gradients import find_broken
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder

__all__ = ["Watcher"]

_ESTIMATED_AFTER = 5
_LONG_HOURS = 1.0


class Watcher(Callback):
    """Tells of progress, keeps ``last.ckpt`` and ends the run between two steps when asked to."""

    def __init__(
        self, folder: RunFolder, recipe: TrainingRecipe, save_every: int, notify: Listener
    ) -> None:
        """``save_every`` is in steps."""
        self._folder, self._recipe, self._save_every = folder, recipe, save_every
        self._notify = notify
        self._began = 0.0
        self._first_step = 0
        self._saved_at: int | None = None
        self.stopped = False

    def stop(self) -> None:
        """End the run after the step that is under way; from any thread."""
        self.stopped = True

    def describe_kept(self) -> str:
        """Which checkpoint can be gone on from, in words."""
        if self._saved_at is None and not self._folder.last.is_file():
            return "No checkpoint was written yet."
        at = "" if self._saved_at is None else f" of step {self._saved_at}"
        return f"The last good checkpoint is {self._folder.last}{at}."

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count."""
        self._began, self._first_step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell, save, stop."""
        step = trainer.global_step
        loss = float(outputs["loss"])
        self._notify(
            Notice("training", done=step, total=self._recipe.steps, figures=f"loss {loss:.2f}")
        )
        if step - self._first_step == _ESTIMATED_AFTER:
            self._estimate(trainer, step)
        if step % self._save_every == 0 or self.stopped:
            self.save(trainer, pl_module)
        if self.stopped:
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what the last step made."""
        self.save(trainer, pl_module)

    def save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write ``last.ckpt``, whole or not at all, unless something in it is not finite."""
        if find_broken(tuple(pl_module.state_dict().items())) is not None:
            return
        if self._saved_at == trainer.global_step:
            return
        draft = self._folder.last.with_suffix(".draft")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            os.replace(draft, self._folder.last)
        self._saved_at = trainer.global_step

    def _estimate(self, trainer: Trainer, step: int) -> None:
        a_step = (time.perf_counter() - self._began) / (step - self._first_step)
        hours = a_step * (self._recipe.steps - step) / 3600
        on_cpu = trainer.strategy.root_device.type == "cpu"
        said = f"{counted(self._recipe.steps - step, 'step')} at {a_step:.2g} s take {hours:.1f} h"
        if on_cpu and hours > _LONG_HOURS:
            self._notify(Notice(f"There is no GPU here: {said}.", warning=True))
        else:
            self._notify(Notice(said))
