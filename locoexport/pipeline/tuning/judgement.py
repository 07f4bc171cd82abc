"""What a trial is worth: within the limits or not, faster than float32 or not."""

from __future__ import annotations

import math

from locoexport.benchmarking.report import LEAST_GAIN
from locoexport.pipeline.tuning.report import Limits, Trial, Verdict

__all__ = ["fastest", "is_within", "judge"]


def judge(trial: Trial, limits: Limits) -> tuple[Verdict, str]:
    """The verdict, and why. A comparison with NaN is false, so what is unknown is never within."""
    if trial.failure:
        return "failed", trial.failure
    error = trial.error
    assert error is not None
    if not error.finite:
        return "not finite", "it gave numbers that are not finite"
    if math.isnan(error.p99_px):
        return "not judged", "float32 says of no point that it is visible, so nothing is compared"
    if not error.p99_px <= limits.p99_px:
        return "too far", f"p99 {error.p99_px:.3g} px, beyond {limits.p99_px:g} px"
    if limits.aj is not None and not -error.average_jaccard_change <= limits.aj:
        return "worse AJ", f"AJ {error.average_jaccard_change:+.2f}, beyond {limits.aj:g}"
    ratio = trial.ratio
    if ratio.median >= LEAST_GAIN and ratio.p10 > 1:
        return "faster", ""
    return "not faster", f"less than {LEAST_GAIN - 1:.0%} by the median, or p10 not over 1"


def is_within(trial: Trial, limits: Limits) -> bool:
    """Whether it ran and is within the limits, however fast it is."""
    return judge(trial, limits)[0] in ("faster", "not faster")


def fastest(trials: list[Trial], limits: Limits, *, at_most: int) -> list[Trial]:
    """The fastest that are within the limits, the fastest first."""
    within = [trial for trial in trials if is_within(trial, limits)]
    return sorted(within, key=lambda trial: -trial.ratio.median)[:at_most]
