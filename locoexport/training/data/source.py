"""What every source of samples promises, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from locoexport.training.data.samples import TrainingSample

__all__ = ["SampleSource", "SampleWish"]


@dataclass(frozen=True)
class SampleWish:
    """The size of a sample: ``frames``, ``points``, and height and width in pixels."""

    frames: int
    points: int
    size_hw: tuple[int, int]


class SampleSource(Protocol):
    """Endless samples by index.

    The same index gives the same sample of a size in every process and on every day: it decides
    every random choice, so that a run that goes on sees what it would have seen.
    """

    name: str

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        """The sample of that index, 0 or more, of the size that is wished for.

        Raises:
            InputError: nothing in the source can be read any more.
        """
