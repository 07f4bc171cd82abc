"""How a tracker is trained: every number that decides the result, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from locoexport.errors import UsageError
from locoexport.training.data.source import SampleWish

__all__ = ["BatchNorm", "Rounding", "TrainingRecipe"]

BatchNorm = Literal["train", "frozen"]
"""``train`` takes mean and variance of the batch; ``frozen`` those that the weights came with."""

Rounding = Literal["float32", "int8", "bf16"]
"""The numbers that the exported file will compute with, and that training imitates."""

_FEWEST_RISING = 10


@dataclass(frozen=True)
class TrainingRecipe:
    """Defaults are those of the published PyTorch code (cvlab-kaist/locotrack), which are those of
    the fork with EfficientNets too: 300 000 steps of 4 clips a GPU.

    ``clips`` is the batch of one device. ``rising_share`` of all steps the learning rate rises;
    afterwards it falls along a cosine. ``dropped_share`` is the largest chance of a residual branch
    to be left out. With ``least_frames`` each batch has a length of its own, from there to
    ``frames``. ``average_decay`` is None without an average of the weights.
    """

    steps: int = 300_000
    clips: int = 4
    frames: int = 24
    least_frames: int | None = None
    points: int = 256
    size_hw: tuple[int, int] = (256, 256)
    learning_rate: float = 1e-3
    rising_share: float = 0.003
    weight_decay: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    largest_norm: float = 1.0
    dropped_share: float = 0.2
    batch_norm: BatchNorm = "train"
    average_decay: float | None = None
    mixed: bool = False
    rounding: Rounding = "float32"
    seed: int = 42

    def __post_init__(self) -> None:
        """Raises UsageError for a number that nothing can be trained with."""
        for name, least in (("steps", 1), ("clips", 1), ("frames", 2), ("points", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; expected at least {least}.")
        if self.least_frames is not None and not 2 <= self.least_frames <= self.frames:
            raise UsageError(
                f"Clips of {self.least_frames} to {self.frames} frames; expected 2 or more, the "
                "smaller number first."
            )
        if min(self.size_hw) < 32:
            height, width = self.size_hw
            raise UsageError(f"Frames of {height}x{width} are too small; expected 32x32 or more.")
        if not 0 < self.learning_rate <= 1:
            raise UsageError(
                f"The learning rate is {self.learning_rate}; expected more than 0, at most 1."
            )
        if not 0 <= self.dropped_share < 1:
            raise UsageError(
                f"--drop-connect is {self.dropped_share}; expected 0 or more, less than 1."
            )
        if self.average_decay is not None and not 0 < self.average_decay < 1:
            raise UsageError(
                f"The decay of averages is {self.average_decay}; expected more than 0, less than 1."
            )
        _check_word("--batch-norm", self.batch_norm, get_args(BatchNorm))
        _check_word("The precision", self.rounding, get_args(Rounding))

    @property
    def wish(self) -> SampleWish:
        """What is asked of the sources."""
        return SampleWish(self.frames, self.points, self.size_hw)

    @property
    def rising_steps(self) -> float:
        """Steps in which the learning rate rises, a few of them in a short run."""
        # Not half of them: OneCycleLR divides by zero where one step of two rises.
        return min(max(self.rising_share * self.steps, _FEWEST_RISING), 0.6 * self.steps)


def _check_word(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise UsageError(f"{name} is {given!r}; expected {', '.join(known[:-1])} or {known[-1]}.")
