"""What a step does to a run, beside the loss: broken batches, frozen statistics, validation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from tiny_training import SIZE_HW, tiny_profile, write_validation
from torch import nn

from locoexport.errors import TrainingFailedError
from locoexport.evaluation.datasets.opening import open_datasets
from locoexport.notices import ignore
from locoexport.pipeline.training.start import make_model
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish
from locoexport.training.data.stream import WeightedSource
from locoexport.training.fitting import FitSettings, make_trainer, without_chatter
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import Surroundings, TrackerModule
from locoexport.training.validation import load_clips
from locoexport.training.watching import Watcher


class Noise:
    """Noise with a point that stays; from sample ``broken_from`` on its video or truth is NaN."""

    name = "noise"

    def __init__(self, broken_from: int = 10**9, *, what: str = "tracks_xy") -> None:
        self._broken_from, self._what = broken_from, what

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        random = np.random.default_rng(index)
        start = random.uniform(10, 50, (wish.points, 2)).astype(np.float32)
        frame = np.zeros((wish.points, 1), np.float32)
        given = {
            "video": random.uniform(-1, 1, (wish.frames, *wish.size_hw, 3)).astype(np.float32),
            "tracks_xy": np.repeat(start[:, None], wish.frames, 1),
        }
        if index >= self._broken_from:
            given[self._what] = np.full_like(given[self._what], np.nan)
        return TrainingSample(
            **given,
            query_points_tyx=np.concatenate((frame, start[:, ::-1]), 1),
            occluded=np.zeros((wish.points, wish.frames), bool),
            judged=np.ones((wish.points, wish.frames), bool),
            name=f"noise {index}",
        )


def fit(
    folder: Path, source: Noise, recipe: TrainingRecipe, *seen: Callback
) -> tuple[TrackerModule, Trainer, list[str]]:
    warnings: list[str] = []
    run = RunFolder(folder / "run")
    watcher = Watcher(run, steps=recipe.steps, validate_every=2, save_every=1, notify=ignore)
    clips = load_clips(open_datasets([str(write_validation(folder))]), 1)
    around = Surroundings([WeightedSource(source)], clips, warnings.append, watcher.describe_kept)
    module = TrackerModule(make_model(tiny_profile(), recipe, None), recipe, around)
    with without_chatter():
        settings = FitSettings(devices=1, validate_every=2)
        trainer = make_trainer(run, recipe, settings, [*seen, watcher])
        trainer.fit(module)
    return module, trainer, warnings


def recipe(**changed) -> TrainingRecipe:
    given = {"steps": 4, "clips": 1, "frames": 2, "points": 2, "size_hw": SIZE_HW}
    return TrainingRecipe(**(given | changed))


def test_a_loss_that_stays_broken_ends_the_run_and_keeps_what_was_good(tmp_path) -> None:
    given = recipe(steps=20, batch_norm="frozen")
    with pytest.raises(TrainingFailedError) as failure:
        fit(tmp_path, Noise(3), given)
    for said in ("step 8 ", "noise 7", "last.ckpt of step 7", "diverged"):
        assert said in str(failure.value)
    held = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert held["locoexport"]["broken_in_a_row"] == 4
    assert all(value.isfinite().all() for value in held["state_dict"].values())


def test_a_batch_that_spoils_running_means_ends_the_run_at_once(tmp_path) -> None:
    with pytest.raises(TrainingFailedError, match=r"running_mean.* step 2 \(batch: noise 1\)"):
        fit(tmp_path, Noise(1, what="video"), recipe(steps=20))
    held = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert held["global_step"] == 1
    assert all(value.isfinite().all() for value in held["state_dict"].values())


class Modes(Callback):
    """Notes which BatchNorms are in training at every step, and the weights that validate."""

    def __init__(self) -> None:
        self.training: list[set[bool]] = []
        self.validated: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        assert pl_module.model.training
        self.training.append(
            {m.training for m in pl_module.modules() if isinstance(m, nn.BatchNorm2d)}
        )

    def on_validation_batch_end(self, trainer, pl_module, *rest) -> None:
        self.validated.append(pl_module.model.cost_conv.weight.detach().clone())


@pytest.mark.parametrize(("batch_norm", "training"), [("frozen", False), ("train", True)])
def test_batch_norms_are_as_before_after_a_validation(tmp_path, batch_norm, training) -> None:
    modes = Modes()
    module, _, _ = fit(tmp_path, Noise(), recipe(batch_norm=batch_norm), modes)
    assert modes.training == [{training}] * 4
    moved = [b.any() for name, b in module.named_buffers() if name.endswith("running_mean")]
    assert all(moved) if training else not any(moved)


def test_the_average_is_validated_and_kept(tmp_path) -> None:
    modes = Modes()
    fit(tmp_path, Noise(), recipe(average_decay=0.5), modes)
    held = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    name = "model.cost_conv.weight"
    assert torch.equal(modes.validated[-1], held["state_dict"][name])
    assert not torch.equal(held["state_dict"][name], held["current_model_state"][name])
    assert all(key.startswith("model.") for key in held["state_dict"])
    # 64x64 is not what weights of this variant are taken for, and all else is.
    assert held["hyper_parameters"]["initial_resolution"] == SIZE_HW


def test_mixed_precision_runs_on_the_cpu(tmp_path) -> None:
    module, trainer, _ = fit(tmp_path, Noise(), recipe(mixed=True))
    assert trainer.global_step == 4
    assert {value.dtype for value in module.parameters()} == {torch.float32}
