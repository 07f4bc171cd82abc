"""The stamp of a tuned file, as it is written and as it is read from a stranger."""

import json
import math
from dataclasses import replace

import pytest
from tuned_files import STAMP

from locoexport.contract.stamps import TuningStamp
from locoexport.errors import ModelFileError


def test_what_is_written_is_read_back() -> None:
    assert TuningStamp.parse(STAMP.to_json()) == STAMP
    other = replace(STAMP, threads=None, limit_aj=0.3)
    assert TuningStamp.parse(other.to_json()) == other


def test_figures_keep_three_digits() -> None:
    assert TuningStamp.parse(replace(STAMP, latency_ms=123.456).to_json()).latency_ms == 123.0


def test_what_is_not_finite_is_not_read() -> None:
    for name in ("latency_ms", "p99_px", "average_jaccard_change", "limit_px"):
        text = replace(STAMP, **{name: math.nan}).to_json()
        with pytest.raises(ModelFileError, match=name):
            TuningStamp.parse(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider", None),
        ("provider", 7),
        ("machine", ["x"]),
        ("threads", 0),
        ("threads", 1.5),
        ("threads", True),
        ("frames", "24"),
        ("points", 2**31),
        ("ratio", -1),
        ("ratio", "1.5"),
        ("latency_ms", 10**400),
        ("flip_share", 1.1),
        ("limit_aj", "much"),
    ],
)
def test_damaged_values_are_refused(name: str, value: object) -> None:
    document = json.loads(STAMP.to_json()) | {name: value}
    with pytest.raises(ModelFileError, match=r"locoexport\.tuning cannot be read"):
        TuningStamp.parse(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "{}", '{"ratio": Infinity}'])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ModelFileError, match=r"locoexport\.tuning"):
        TuningStamp.parse(text)
