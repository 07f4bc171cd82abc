"""A tracker as Lightning trains it: one step, its optimiser, and what is checked on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from locoexport.contract.profile import load_profile
from locoexport.evaluation.scores import Scores
from locoexport.models.locotrack import LocoTrack, TrackingResult
from locoexport.models.locotrack.fitting import identify_variant
from locoexport.network.loading import configure_network
from locoexport.rewrites import neighbourhood_gather
from locoexport.training.data.colours import change_colours, draw_change
from locoexport.training.data.samples import Skipped, SkippedCount, TrainingBatch
from locoexport.training.data.stream import BatchStream, WeightedSource, load_batches
from locoexport.training.figures import StepFigures
from locoexport.training.gradients import BrokenSteps, check_finite, zero_broken
from locoexport.training.loss import TrackingLoss, score_rounding, score_tracking
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

__all__ = ["PLACE", "Surroundings", "TrackerModule", "freeze_batch_norms"]

PLACE = "locoexport"
"""Of our own figures in Lightning's checkpoints."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What training needs beside weights and a recipe.

    ``workers`` make samples ahead; ``warn`` is told what a person should know; ``last_checkpoint``
    says in words what is kept.
    """

    sources: Sequence[WeightedSource]
    validation: DataLoader[NamedClip]
    warn: Callable[[str], None]
    last_checkpoint: Callable[[], str]
    workers: int = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Surroundings:
        """Themselves: an average of the weights begins as a copy of the module."""
        return self


class TrackerModule(LightningModule):
    """One child, ``model``: so the keys of checkpoints begin with ``model.``, as the references'.

    Every random choice of a step is decided by the seed, the step and the device, so that a run
    that was interrupted goes on as if it had not been.
    """

    def __init__(
        self, model: LocoTrack, recipe: TrainingRecipe, surroundings: Surroundings
    ) -> None:
        """``model`` is trained in place."""
        super().__init__()
        self.model = model
        self.model.train()
        # A method, not the module, which would become a second child over the same weights.
        self._track: Callable[..., TrackingResult] = model.forward
        self._recipe, self._around = recipe, surroundings
        self._broken = BrokenSteps()
        self._latest_loss: TrackingLoss | None = None
        self._learning_rate = self._rounding_px = 0.0
        self._settings = _unusual_settings(model)
        self._batches = 0
        self._scored: list[ValidatedClip] = []
        self.skipped = SkippedCount(
            [each for source in surroundings.sources for each in source.skipped]
        )
        self.names: tuple[str, ...] = ()
        self.validations: list[Validation] = []
        self.latest_clips: tuple[ValidatedClip, ...] = ()
        if model.config.backbone.family == "efficientnet":
            model.efficientnet_feature_extractor.drop_connections(recipe.dropped_share)

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """From the first batch that was not seen yet."""
        stream = BatchStream(
            self._around.sources,
            self._recipe.wish,
            self._recipe.clips,
            self._recipe.seed,
            first=self._batches,
            least_frames=self._recipe.least_frames,
            device=self.trainer.global_rank,
            devices=self.trainer.world_size,
        )
        return load_batches(stream, self._around.workers)

    def val_dataloader(self) -> DataLoader[NamedClip]:
        """The clips to validate on; every device takes them all, so that all find the same."""
        return self._around.validation

    def transfer_batch_to_device(
        self, batch: TrainingBatch | NamedClip, device: torch.device, dataloader_idx: int
    ) -> TrainingBatch | NamedClip:
        """Arrays to the device; a clip to validate on is not loaded yet."""
        return batch.to(device) if isinstance(batch, TrainingBatch) else batch

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
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
        generator = torch.Generator().manual_seed(seed)
        video = torch.stack([change_colours(v, draw_change(generator)) for v in batch.video])
        self.names = batch.names
        self._batches += 1
        self.skipped.add(batch.skipped)
        for remark in batch.remarks:
            self._around.warn(remark)
        torch.manual_seed(seed)
        with imitating(self.model, self._recipe.rounding):
            result = self._track(video, batch.query_points_tyx)
        loss = score_tracking(result, batch)
        self._latest_loss, self._rounding_px = loss.detached(), 0.0
        if self._recipe.rounding == "float32":
            return loss.total
        torch.manual_seed(seed)  # the same branches are left out
        exact = self._track(video, batch.query_points_tyx)
        moved_px = score_rounding(result, exact, batch)
        self._rounding_px = float(moved_px.detach())
        return loss.total + moved_px

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Zero what is not finite, before the gradients are clipped.

        Raises:
            TrainingFailedError: five steps in a row had nothing finite, or a running mean or
                variance of a BatchNorm is lost, which no later step would mend.
        """
        step = self.global_step + 1
        self._learning_rate = float(optimizer.param_groups[0]["lr"])
        kept = self._around.last_checkpoint()
        assert self._latest_loss is not None
        lost = not self._latest_loss.total.isfinite()
        # Both where either is: a lost loss can leave the gradients of a head whole.
        broken = zero_broken(self.model) or bool(lost)
        broken = bool(self.trainer.strategy.reduce_boolean_decision(broken, all=False))
        check_finite(tuple(self.model.named_buffers()), f"after step {step}", self.names, kept)
        warning = self._broken.add(broken, step, self.names, kept)
        if warning is not None:
            self._around.warn(warning)

    def describe_step(self) -> StepFigures:
        """The figures of the step that was made last."""
        assert self._latest_loss is not None
        last = self._latest_loss.states[-1]
        return StepFigures(
            step=self.global_step,
            loss=float(self._latest_loss.total),
            position=float(last.position),
            occlusion=float(last.occlusion),
            uncertainty=float(last.uncertainty),
            initial=float(self._latest_loss.states[0].total),
            learning_rate=self._learning_rate,
            rounding_px=self._rounding_px,
        )

    def validation_step(self, named: NamedClip, batch_idx: int) -> None:
        """Score one clip, in float32 as ``eval`` does."""
        with torch.autocast(self.device.type, enabled=False):
            scored = validate_clip(self.model, named)
        if scored is not None:
            self._scored.append(scored)

    def on_validation_epoch_end(self) -> None:
        """Sum up; what ``ModelCheckpoint`` watches is equal on all devices."""
        scored, self._scored = tuple(self._scored), []
        found = sum_up(self.global_step, scored)
        self.validations.append(found)
        self.latest_clips = scored
        self.log(WATCHED, found.pts_within, logger=False, batch_size=1, sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What this module knows beside weights, as plain values; and, for those who export them,
        the settings that nobody could tell from the weights."""
        if self._settings:
            checkpoint["hyper_parameters"] = self._settings
        checkpoint[PLACE] = {
            "batches": self._batches,
            "broken_in_a_row": self._broken.in_a_row,
            "skipped": [(each.source, each.text) for each in self.skipped.known],
            "validations": [_to_document(found) for found in self.validations],
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on after the batches that were seen."""
        held = checkpoint[PLACE]
        self._batches = held["batches"]
        self._broken = BrokenSteps(held["broken_in_a_row"])
        self.skipped.add([Skipped(*each) for each in held["skipped"]])
        self.validations = [_from_document(found) for found in held["validations"]]

    def _seed_of_step(self) -> int:
        sequence = np.random.SeedSequence([self._recipe.seed, self._batches, self.global_rank])
        return int(sequence.generate_state(1, np.uint32)[0])


def freeze_batch_norms(model: nn.Module) -> None:
    """Every BatchNorm keeps the mean and the variance that it has."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _unusual_settings(model: LocoTrack) -> dict[str, Any]:
    """What the names and shapes of the weights do not tell, by the keys that ``export`` reads."""
    told = identify_variant(model.state_dict())
    usual = model.config if told is None else configure_network(load_profile(told))
    named = {
        "initial_resolution": "resolution_hw",
        "refinement_resolutions": "refinement_resolutions",
        "refinements": "refinements",
        "softmax_temperature": "softmax_temperature",
        "gelu": "gelu",
    }
    return {
        key: getattr(model.config, field)
        for key, field in named.items()
        if getattr(model.config, field) != getattr(usual, field)
    }


def _to_document(found: Validation) -> dict[str, Any]:
    return {
        "step": found.step,
        "scores": [(name, asdict(scores)) for name, scores in found.scores],
    }


def _from_document(document: Mapping[str, Any]) -> Validation:
    return Validation(
        document["step"],
        tuple((name, Scores.from_document(scores)) for name, scores in document["scores"]),
    )
