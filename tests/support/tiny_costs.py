"""The cost of a smaller precision, measured on next to nothing."""

import pytest

from locoexport.pipeline.assembly import cost, precision

__all__ = ["measure_quickly"]


def measure_quickly(patch: pytest.MonkeyPatch) -> None:
    """On one sequence of a few points; calibrated on one."""
    patch.setattr(cost, "_SEQUENCES", 1)
    patch.setattr(precision, "_CALIBRATION_CLIPS", 1)
    patch.setattr(cost, "_TIMED_RUNS", 1)
    patch.setattr(cost, "_TEST", cost.SyntheticSettings(frames=3, points=16))
    patch.setattr(
        precision, "_CALIBRATION", precision.SyntheticSettings(frames=2, points=8, seed=1)
    )
