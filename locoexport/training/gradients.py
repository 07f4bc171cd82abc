"""What is not finite: gradients are set to zero and counted, weights end the run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from locoexport.errors import TrainingFailedError

__all__ = ["PATIENCE", "BrokenSteps", "check_finite", "find_broken", "zero_broken"]

PATIENCE = 5
"""Steps in a row whose every gradient is broken; the JAX recipe gives up after as many."""


def zero_broken(model: nn.Module) -> bool:
    """Set to zero each gradient that holds NaN or infinity; whether not one was finite.

    The published code does so for NaN (spec/training.md, section 3); infinity is as bad.
    """
    gradients = [value.grad for value in model.parameters() if value.grad is not None]
    finite = _are_finite(gradients)
    for gradient, whole in zip(gradients, finite, strict=True):
        if not whole:
            gradient.zero_()
    return bool(gradients) and not any(finite)


class BrokenSteps:
    """Counts steps in a row from which nothing could be learned."""

    def __init__(self, in_a_row: int = 0) -> None:
        """``in_a_row`` were met before, in a run that is gone on with."""
        self.in_a_row = in_a_row

    def add(self, broken: bool, step: int, names: Sequence[str], kept: str) -> str | None:
        """What to warn of, None where nothing is wrong.

        Args:
            broken: whether the loss was not finite, or no gradient was.
            step: of the run, from 1.
            names: of the batch's samples.
            kept: the last good checkpoint, in words.

        Raises:
            TrainingFailedError: it was the fifth in a row.
        """
        if not broken:
            self.in_a_row = 0
            return None
        self.in_a_row += 1
        said = (
            f"The loss or all gradients of step {step} are not finite (batch: {', '.join(names)})"
        )
        if self.in_a_row < PATIENCE:
            return f"{said}; gradients that are not were set to zero."
        raise TrainingFailedError(
            f"{said}, as in the {PATIENCE - 1} steps before: training has diverged. "
            f"{kept} Start from it with a lower --learning-rate, or without --mixed."
        )


def check_finite(
    named_tensors: Sequence[tuple[str, Tensor]], when: str, names: Sequence[str], kept: str
) -> None:
    """See that no weight and no running mean is lost: it would stay so, with all that follows.

    Args:
        named_tensors: what is looked at.
        when: "after step 7", for the message.
        names: of the samples of the last batch.
        kept: the last good checkpoint, in words.

    Raises:
        TrainingFailedError: one holds NaN or infinity.
    """
    lost = find_broken(named_tensors)
    if lost is not None:
        raise TrainingFailedError(
            f"{lost} is not finite {when} (batch: {', '.join(names) or 'none yet'}), and nothing "
            f"was saved. {kept} Start from it with a lower --learning-rate, or without --mixed."
        )


def find_broken(named_tensors: Sequence[tuple[str, Tensor]]) -> str | None:
    """The first tensor that holds NaN or infinity, by its name."""
    named = [
        (name, value)
        for name, value in named_tensors
        if value.is_floating_point() and value.numel()
    ]
    finite = _are_finite([value for _, value in named])
    return next((name for (name, _), whole in zip(named, finite, strict=True) if not whole), None)


def _are_finite(tensors: Sequence[Tensor]) -> list[bool]:
    """Of each tensor whether it is; one answer for all, so that a GPU is waited for once."""
    if not tensors:
        return []
    largest = torch._foreach_norm([value.detach() for value in tensors], float("inf"))
    found: list[bool] = torch.stack([each.float() for each in largest]).isfinite().tolist()
    return found
