"""Runs of ``locoexport train`` that take a second: b0-tiny at 64×64 pixels, clips of 3 frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annotated import make_clip, write_pickle

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.notices import Notice
from locoexport.pipeline.training.run import TrainReport, train_model
from locoexport.training.fitting import FitSettings
from locoexport.training.recipe import TrainingRecipe

SIZE_HW = (64, 64)
RECIPE = TrainingRecipe(steps=6, clips=1, frames=3, points=4, size_hw=SIZE_HW, seed=5)

SETTINGS = FitSettings(devices=1, validate_every=3, save_every=2)


def tiny_profile() -> ExportProfile:
    """b0-tiny, whose frames are 64×64."""
    return load_profile("b0-tiny").with_options(settings=CheckpointSettings(resolution_hw=SIZE_HW))


def write_validation(folder: Path) -> Path:
    """Two clips of 4 frames to validate on."""
    clips = {f"clip{seed}": make_clip(seed, frames=4, size_hw=SIZE_HW) for seed in range(2)}
    return write_pickle(folder / "validation.pkl", clips)


@dataclass
class TinyRun:
    """A command that can be given again; ``folder`` is its RUN/."""

    folder: Path
    validation: Path
    recipe: TrainingRecipe = RECIPE
    settings: FitSettings = SETTINGS
    workers: int = 0

    def changed(self, **values: Any) -> "TinyRun":
        """The same with another recipe."""
        return replace(self, recipe=replace(self.recipe, **values))

    def start(
        self, notify: Callable[[Notice], None] = lambda notice: None, **options: Any
    ) -> TrainReport:
        """Train, or go on."""
        given = {"profile": tiny_profile(), "data": [str(self.validation)], "output": self.folder}
        return train_model(
            **(given | options),
            recipe=self.recipe,
            settings=self.settings,
            validate_on=[str(self.validation)],
            workers=self.workers,
            notify=notify,
        )
