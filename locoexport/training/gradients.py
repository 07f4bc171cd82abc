"""Gradients that are not finite: set to zero, counted, and given up on where they do not end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from locoexport.errors import TrainingFailedError

__all__ = ["PATIENCE", "BrokenSteps", "find_broken", "zero_broken"]

PATIENCE = 5
"""Steps in a row whose every gradient is broken; the JAX recipe gives up after as many."""


def zero_broken(model: nn.Module) -> bool:
    """Set to zero each gradient that holds NaN or infinity; whether not one was finite.

    The published code does so for NaN (spec/training.md, section 3); infinity is as bad.
    """
    gradients = [value.grad for value in model.parameters() if value.grad is not None]
    if not gradients:
        return False
    # One answer for all, so that a GPU is waited for once.
    finite = torch.stack(torch._foreach_norm(gradients, float("inf"))).isfinite().tolist()
    for gradient, whole in zip(gradients, finite, strict=True):
        if not whole:
            gradient.zero_()
    return not any(finite)


class BrokenSteps:
    """Counts steps in a row from which nothing could be learned."""

    def __init__(self) -> None:
        """None yet."""
        self._in_a_row = 0

    def add(self, broken: bool, step: int, names: Sequence[str], kept: str) -> str | None:
        """What to warn of, None where nothing is wrong.

        Args:
            broken: whether no gradient of this step was finite.
            step: of the run.
            names: of the batch's samples.
            kept: the last good checkpoint, in words.

        Raises:
            TrainingFailedError: it was the fifth in a row.
        """
        if not broken:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        said = f"The loss of step {step} is not finite (batch: {', '.join(names)})"
        if self._in_a_row < PATIENCE:
            return f"{said}; its gradients were set to zero."
        raise TrainingFailedError(
            f"{said}, as it was in the {PATIENCE - 1} steps before: training has diverged. "
            f"{kept} Start from it with a lower --learning-rate, or without --mixed."
        )


def find_broken(named_tensors: Sequence[tuple[str, Tensor]]) -> str | None:
    """The first tensor that holds NaN or infinity, by its name."""
    for name, value in named_tensors:
        if value.is_floating_point() and not value.isfinite().all():
            return name
    return None
