"""Finished trials are found again, and what is damaged is none."""

import json
import math

import pytest
from tuning_reports import INT8, make_error, make_trial

from locoexport.pipeline.tuning.candidates import Candidate
from locoexport.pipeline.tuning.records import Records
from locoexport.pipeline.tuning.report import Trial

CANDIDATE = Candidate(INT8, "openvino", 3)


def test_what_was_kept_is_found(tmp_path) -> None:
    trial = make_trial(CANDIDATE)
    Records(tmp_path, resume=True).keep_trial(trial, 10)
    again = Records(tmp_path, resume=True)
    assert again.trial(CANDIDATE, 10) == trial
    assert again.trial(CANDIDATE, 30) is None
    assert again.trial(Candidate(INT8, "openvino"), 10) is None
    again.keep_error(CANDIDATE, make_error())
    assert again.error(CANDIDATE) == make_error()


def test_a_failure_is_kept_too(tmp_path) -> None:
    failed = Trial(CANDIDATE, failure="no memory")
    Records(tmp_path, resume=True).keep_trial(failed, 10)
    assert Records(tmp_path, resume=True).trial(CANDIDATE, 10) == failed


def test_nan_stays_nan(tmp_path) -> None:
    records = Records(tmp_path, resume=True)
    records.keep_error(CANDIDATE, make_error(math.nan))
    (file,) = tmp_path.glob("error-*.json")
    assert json.loads(file.read_text())["p99_px"] is None
    found = records.error(CANDIDATE)
    assert found is not None
    assert math.isnan(found.p99_px)


def test_a_fresh_search_keeps_only_its_own(tmp_path) -> None:
    Records(tmp_path, resume=True).keep_trial(make_trial(CANDIDATE), 10)
    fresh = Records(tmp_path, resume=False)
    assert fresh.trial(CANDIDATE, 10) is None
    fresh.keep_trial(make_trial(CANDIDATE, ratio=2.0), 10)
    assert fresh.trial(CANDIDATE, 10) == make_trial(CANDIDATE, ratio=2.0)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": []},
        {"seconds": [-1.0] * 10},
        {"seconds": ["fast"] * 10},
        {"reference_seconds": [1.0]},
        {"error": None},
        {"error": {"p50_px": 0}},
        {"candidate": "another"},
    ],
    ids=str,
)
def test_a_damaged_record_is_none(tmp_path, change) -> None:
    records = Records(tmp_path, resume=True)
    records.keep_trial(make_trial(CANDIDATE), 10)
    (file,) = tmp_path.glob("trial-*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert records.trial(CANDIDATE, 10) is None


def test_half_a_record_is_none(tmp_path) -> None:
    records = Records(tmp_path, resume=True)
    records.keep_trial(make_trial(CANDIDATE), 10)
    (file,) = tmp_path.glob("trial-*.json")
    file.write_text(file.read_text()[:40])
    assert records.trial(CANDIDATE, 10) is None
