"""The cost of a smaller precision, measured on next to nothing."""

import pytest

from locoexport.pipeline.assembly import precision

__all__ = ["measure_quickly"]


def measure_quickly(patch: pytest.MonkeyPatch) -> None:
    """On one sequence of a few points; calibrated on one."""
    patch.setattr(precision, "_SEQUENCES", 1)
    patch.setattr(precision, "_CALIBRATION_CLIPS", 1)
    patch.setattr(precision, "_TIMED_RUNS", 1)
    patch.setattr(precision, "_TEST", precision.SyntheticSettings(frames=3, points=16))
    patch.setattr(
        precision, "_CALIBRATION", precision.SyntheticSettings(frames=2, points=8, seed=1)
    )
