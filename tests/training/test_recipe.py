"""Numbers that nothing can be trained with, and those of the published code."""

import math

import pytest

from locoexport.errors import UsageError
from locoexport.training.optimiser import make_optimiser, make_schedule
from locoexport.training.recipe import TrainingRecipe


def test_the_defaults_are_the_published_ones() -> None:
    """spec/training.md, section 3, column "PyTorch, original"."""
    recipe = TrainingRecipe()
    assert (recipe.steps, recipe.clips, recipe.frames, recipe.points) == (300_000, 4, 24, 256)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.betas) == (1e-3, 1e-3, (0.9, 0.95))
    assert (recipe.largest_norm, recipe.dropped_share, recipe.seed) == (1.0, 0.2, 42)
    assert recipe.rising_steps == 900
    assert (recipe.average_decay, recipe.mixed, recipe.rounding) == (None, False, "float32")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 0}, "steps is 0; expected at least 1"),
        ({"clips": 0}, "clips is 0"),
        ({"frames": 1}, "frames is 1; expected at least 2"),
        ({"points": 0}, "points is 0"),
        ({"least_frames": 25}, "25 to 24 frames"),
        ({"least_frames": 1}, "1 to 24 frames"),
        ({"size_hw": (16, 64)}, "16x64"),
        ({"learning_rate": 0.0}, "learning rate is 0.0"),
        ({"learning_rate": math.nan}, "learning rate is nan"),
        ({"dropped_share": 1.0}, "--drop-connect is 1.0"),
        ({"average_decay": 1.0}, "averages is 1.0"),
        ({"batch_norm": "both"}, "--batch-norm is 'both'; expected train or frozen"),
        ({"rounding": "int4"}, "'int4'; expected float32, int8 or bf16"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(changed, said) -> None:
    with pytest.raises(UsageError, match=said):
        TrainingRecipe(**changed)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 17])
def test_however_short_a_run_is_its_schedule_ends(steps) -> None:
    """PyTorch's own schedule divides by zero where one step of two rises."""
    from torch import nn

    recipe = TrainingRecipe(steps=steps)
    optimiser = make_optimiser(nn.Linear(1, 1), recipe)
    schedule = make_schedule(optimiser, recipe)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[-1] < 1e-8
    assert all(0 < rate <= 1e-3 for rate in rates)
