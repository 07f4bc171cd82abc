"""A tracker as Lightning trains it: one step, its optimiser, and what is checked on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from locoexport.errors import TrainingFailedError
from locoexport.models.locotrack import LocoTrack, TrackingResult
from locoexport.rewrites import neighbourhood_gather
from locoexport.training.data.colours import change_colours, draw_change
from locoexport.training.data.samples import TrainingBatch
from locoexport.training.data.stream import BatchStream, WeightedSource, load_batches
from locoexport.training.gradients import BrokenSteps, find_broken, zero_broken
from locoexport.training.loss import TrackingLoss, score_tracking
from locoexport.training.optimiser import make_optimiser, make_schedule
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.rounding import imitating
from locoexport.training.validation import (
    WATCHED,
    NamedClip,
    ValidatedClip,
    Validation,
    sum_up,
    validate_clip,
)

__all__ = ["TrackerModule"]

_PLACE = "locoexport"
"""Of our own figures in Lightning's checkpoints."""


class TrackerModule(LightningModule):
    """One child, ``model``: so the keys of checkpoints begin with ``model.``, as the references'.

    Every random choice of a step is decided by the seed, the step and the device, so that a run
    that was interrupted goes on as if it had not been.
    """

    def __init__(
        self,
        model: LocoTrack,
        recipe: TrainingRecipe,
        sources: Sequence[WeightedSource],
        *,
        validation: DataLoader[NamedClip],
        workers: int = 0,
        warn: Callable[[str], None],
        last_checkpoint: Callable[[], str],
    ) -> None:
        """``warn`` is told what a person should know; ``last_checkpoint`` says in words what is
        kept."""
        super().__init__()
        self.model = model
        self.model.train()
        # A method, not the module, which would become a second child over the same weights.
        self._track: Callable[..., TrackingResult] = model.forward
        self._recipe, self._sources, self._workers = recipe, tuple(sources), workers
        self._warn, self._last_checkpoint = warn, last_checkpoint
        self._validation = validation
        self._broken = BrokenSteps()
        self._names: tuple[str, ...] = ()
        self._batches = 0
        self._scored: list[ValidatedClip] = []
        self.validations: list[Validation] = []
        self.latest_clips: tuple[ValidatedClip, ...] = ()
        if model.config.backbone.family == "efficientnet":
            model.efficientnet_feature_extractor.drop_connections(recipe.dropped_share)

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """From the first batch that was not seen yet."""
        stream = BatchStream(
            self._sources,
            self._recipe.wish,
            self._recipe.clips,
            self._recipe.seed,
            first=self._batches,
            least_frames=self._recipe.least_frames,
            device=self.trainer.global_rank,
            devices=self.trainer.world_size,
        )
        return load_batches(stream, self._workers)

    def val_dataloader(self) -> DataLoader[NamedClip]:
        """The clips to validate on."""
        return self._validation

    def transfer_batch_to_device(
        self, batch: TrainingBatch | NamedClip, device: torch.device, dataloader_idx: int
    ) -> TrainingBatch | NamedClip:
        """Arrays to the device; a clip to validate on is not loaded yet."""
        return batch.to(device) if isinstance(batch, TrainingBatch) else batch

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with one cycle, a step at a time."""
        optimiser = make_optimiser(self.model, self._recipe)
        schedule = make_schedule(optimiser, self._recipe)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_start(self) -> None:
        """Set what stays as it came, and choose how neighbourhoods are sampled."""
        if self.device.type == "cpu":
            # Equal results: a step of b0-tiny takes 0.87 of the time, a GPU samples in one kernel.
            self._track = neighbourhood_gather.rewrite(self.model).forward
        if self._recipe.batch_norm == "frozen":
            freeze_batch_norms(self.model)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        seed = self._seed_of_step()
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        video = torch.stack([change_colours(v, draw_change(generator)) for v in batch.video])
        self._names = batch.names
        self._batches += 1
        for remark in batch.remarks:
            self._warn(remark)
        with imitating(self.model, self._recipe.rounding):
            result = self._track(video, batch.query_points_tyx)
        loss = score_tracking(result, batch)
        self._log(loss)
        return loss.total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Zero what is not finite, before the gradients are clipped."""
        broken = zero_broken(self.model)
        warning = self._broken.add(broken, self.global_step, self._names, self._last_checkpoint())
        if warning is None:
            return
        self._warn(warning)
        lost = find_broken([*self.model.named_buffers(), *self.model.named_parameters()])
        if lost is not None:
            # A running mean that is NaN stays NaN, and every later frame with it.
            raise TrainingFailedError(
                f"{lost} is no longer finite after step {self.global_step} (batch: "
                f"{', '.join(self._names)}). {self._last_checkpoint()}"
            )

    def validation_step(self, named: NamedClip, batch_idx: int) -> None:
        """Score one clip."""
        scored = validate_clip(self.model, named)
        if scored is not None:
            self._scored.append(scored)

    def on_validation_epoch_end(self) -> None:
        """Log the means; what ``ModelCheckpoint`` watches is among them."""
        found = sum_up(self.global_step, self._scored)
        self.validations.append(found)
        self.latest_clips, self._scored = tuple(self._scored), []
        self.log(WATCHED, found.pts_within, rank_zero_only=True)
        for name, scores in found.scores:
            self.log_dict(
                {
                    f"val/{name}/average_jaccard": scores.average_jaccard,
                    f"val/{name}/average_pts_within_thresh": scores.average_pts_within_thresh,
                    f"val/{name}/occlusion_accuracy": scores.occlusion_accuracy,
                }
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """How many batches were seen."""
        checkpoint[_PLACE] = {"batches": self._batches}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on after the batches that were seen; a checkpoint of others tells its steps."""
        self._batches = checkpoint.get(_PLACE, {}).get("batches", checkpoint["global_step"])

    def _seed_of_step(self) -> int:
        sequence = np.random.SeedSequence([self._recipe.seed, self._batches, self.global_rank])
        return int(sequence.generate_state(1, np.uint32)[0])

    def _log(self, loss: TrackingLoss) -> None:
        last = loss.states[-1]
        figures = {
            "loss": loss.total,
            "position": last.position,
            "occlusion": last.occlusion,
            "uncertainty": last.uncertainty,
            "initial": loss.states[0].total,
        }
        self.log_dict(figures, prog_bar=False, on_step=True, batch_size=self._recipe.clips)


def freeze_batch_norms(model: nn.Module) -> None:
    """Every BatchNorm keeps the mean and the variance that it has."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
