"""A report of a training run and what it logged, with round numbers."""

import math
from pathlib import Path
from typing import Any

from locoexport.contract.profile import load_profile
from locoexport.evaluation.scores import Scores
from locoexport.pipeline.training.run import TrainReport
from locoexport.training.figures import (
    DatasetFigures,
    RunFigures,
    StepFigures,
    ValidationFigures,
)
from locoexport.training.recipe import TrainingRecipe
from locoexport.training.run_folder import RunFolder
from locoexport.training.validation import Validation

__all__ = ["make_figures", "make_scores", "make_training"]


def make_scores(pts_within: float, jaccard: float = 0.5) -> Scores:
    """Scores whose δ_avg is that."""
    return Scores(jaccard, pts_within, 0.9, (jaccard,) * 5, (pts_within,) * 5, 1.25)


def make_training(**changed: Any) -> TrainReport:
    """A run of 3000 steps; the best of its three validations is the second, of step 2000."""
    values: dict[str, Any] = {
        "folder": RunFolder(Path("my run")),
        "profile": load_profile("b0-tiny"),
        "recipe": TrainingRecipe(steps=3000, least_frames=8),
        "data": ("movi-e:/data/movi@3", "synthetic"),
        "started_from": "fresh weights",
        "steps_done": 3000,
        "seconds": 7200.0,
        "validations": tuple(
            Validation(step, (("synthetic", make_scores(pts)), ("motorcycle", make_scores(0.8))))
            for step, pts in ((1000, 0.6), (2000, 0.75), (3000, 0.7))
        ),
        "warnings": (),
    }
    return TrainReport(**values | changed)


def make_figures(steps: int = 3000, every: int = 5) -> RunFigures:
    """Losses that fall, one of which is lost, and the validations of ``make_training``."""
    losses = [
        StepFigures(step, 10 / step + 1, 0.01, 0.2, 0.3, 5 / step + 0.5, 1e-3)
        for step in range(every, steps + 1, every)
    ]
    if len(losses) > 2:
        losses[1] = StepFigures(2 * every, *(math.nan,) * 6)
    validations = [
        ValidationFigures(
            step,
            (pts + 0.8) / 2,
            (
                DatasetFigures("synthetic", 0.5, pts, 0.9),
                DatasetFigures("motorcycle", 0.5, 0.8, 0.9),
            ),
        )
        for step, pts in ((1000, 0.6), (2000, 0.75), (3000, 0.7))
        if step <= steps
    ]
    return RunFigures(tuple(losses), tuple(validations))
