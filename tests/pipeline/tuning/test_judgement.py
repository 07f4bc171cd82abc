"""What is within the limits, and what is faster beyond noise."""

import math
from dataclasses import replace

import pytest
from tuning_reports import make_trial

from locoexport.pipeline.tuning.judgement import fastest, is_within, judge
from locoexport.pipeline.tuning.report import Limits, Trial

LIMITS = Limits(0.5, 0.3)


@pytest.mark.parametrize(
    ("trial", "verdict"),
    [
        (make_trial(), "faster"),
        (make_trial(p99_px=0.5), "faster"),
        (make_trial(p99_px=0.51), "too far"),
        (make_trial(p99_px=math.nan), "not judged"),
        (make_trial(finite=False), "not finite"),
        (make_trial(average_jaccard_change=-0.31), "worse AJ"),
        (make_trial(average_jaccard_change=math.nan), "worse AJ"),
        (make_trial(average_jaccard_change=5.0), "faster"),
        (make_trial(ratio=1.01), "not faster"),
        (make_trial(ratio=0.9), "not faster"),
        (Trial(make_trial().candidate, failure="no"), "failed"),
    ],
)
def test_a_verdict(trial: Trial, verdict: str) -> None:
    assert judge(trial, LIMITS)[0] == verdict
    assert is_within(trial, LIMITS) == (verdict in ("faster", "not faster"))


def test_a_median_is_not_enough() -> None:
    unsteady = replace(make_trial(), seconds=(0.5,) * 8 + (1.1,) * 2)
    assert unsteady.ratio.median == 2
    assert judge(unsteady, LIMITS)[0] == "not faster"


def test_without_a_limit_of_aj_nobody_asks() -> None:
    assert judge(make_trial(average_jaccard_change=-9.0), Limits(0.5))[0] == "faster"


def test_the_fastest_within_the_limits_come_first() -> None:
    trials = [make_trial(ratio=1.2), make_trial(ratio=3.0, p99_px=9), make_trial(ratio=1.6)]
    assert fastest(trials, LIMITS, at_most=5) == [trials[2], trials[0]]
    assert fastest(trials, LIMITS, at_most=1) == [trials[2]]
