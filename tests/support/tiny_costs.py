"""The cost of a smaller precision, measured on next to nothing."""

import pytest

from locoexport.evaluation.datasets.synthetic import SyntheticSettings
from locoexport.pipeline.assembly import cost, precision

__all__ = ["measure_quickly"]


def measure_quickly(patch: pytest.MonkeyPatch, *, sequences: int = 1, frames: int = 3) -> None:
    """On a few sequences of a few points; calibrated on one."""
    patch.setattr(cost, "_SEQUENCES", sequences)
    patch.setattr(cost, "_TIMED_RUNS", 1)
    patch.setattr(cost, "_TEST", SyntheticSettings(frames=frames, points=16))
    patch.setattr(precision, "_CALIBRATION_CLIPS", 1)
    patch.setattr(precision, "_CALIBRATION", SyntheticSettings(frames=2, points=8, seed=1))
