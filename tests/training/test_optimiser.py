"""AdamW's groups and the schedule, at the recipe's own numbers."""

import pytest
import torch

from locoexport.models.locotrack import create_model
from locoexport.training.optimiser import make_optimiser, make_schedule
from locoexport.training.recipe import TrainingRecipe


def lrs_at(steps: tuple[int, ...], total: int = 300_000) -> list[tuple[float, float]]:
    """(learning rate, β₁) after so many steps."""
    weight = torch.nn.Linear(1, 1)
    optimiser = make_optimiser(weight, TrainingRecipe(steps=total))
    schedule = make_schedule(optimiser, TrainingRecipe(steps=total))
    found, done = [], 0
    for step in steps:
        while done < step:
            optimiser.step()
            schedule.step()
            done += 1
        group = optimiser.param_groups[0]
        found.append((group["lr"], group["betas"][0]))
    return found


def test_the_cycle_is_the_published_one() -> None:
    """spec/training.md, section 3: 4e-5 and 0.95 at first, 1e-3 and 0.85 at step 899."""
    first, peak = lrs_at((0, 899))
    assert first == pytest.approx((4e-5, 0.95))
    assert peak == pytest.approx((1e-3, 0.85))


def test_a_short_run_rises_falls_and_ends() -> None:
    first, *_, last = lrs_at((0, 10, 39), total=40)
    assert first[0] == pytest.approx(4e-5)
    assert last[0] < 1e-7


def test_norms_decay_and_biases_do_not() -> None:
    model = create_model("b0-tiny")
    optimiser = make_optimiser(model, TrainingRecipe())
    decayed, spared = optimiser.param_groups
    assert decayed["weight_decay"] == 1e-3
    assert spared["weight_decay"] == 0
    names = {id(value): name for name, value in model.named_parameters()}
    assert all("bias" in names[id(value)] for value in spared["params"])
    assert any("_bn1.weight" in names[id(value)] for value in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
