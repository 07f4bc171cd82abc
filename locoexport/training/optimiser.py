"""AdamW and its schedule, as the published recipe has them."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from locoexport.training.recipe import TrainingRecipe

__all__ = ["make_optimiser", "make_schedule"]


def make_optimiser(model: nn.Module, recipe: TrainingRecipe) -> AdamW:
    """AdamW over everything that is trained.

    Weight decay spares parameters whose name holds ``bias`` and nothing else: the weights of norms
    decay too, as in the published code.
    """
    trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    groups = [
        {
            "params": [value for name, value in trained if "bias" not in name],
            "weight_decay": recipe.weight_decay,
        },
        {"params": [value for name, value in trained if "bias" in name], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas)


def make_schedule(optimiser: AdamW, recipe: TrainingRecipe) -> OneCycleLR:
    """A rise from a 25th of the learning rate, then a cosine to almost nothing, step by step.

    The momentum cycles as well (torch's default, which the published code left on): β₁ goes from
    0.95 to 0.85 at the peak and back, whatever ``recipe.betas`` says.
    """
    return OneCycleLR(
        optimiser,
        max_lr=recipe.learning_rate,
        total_steps=recipe.steps,
        pct_start=recipe.rising_steps / recipe.steps,
        cycle_momentum=True,
    )
