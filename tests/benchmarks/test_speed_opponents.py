"""benchmarks/speed_opponents.py: what is within the limit, and only what was measured is said."""

from pathlib import Path

import pytest
from speed_documents import AUTOCAST, COMPILE, DEFAULT, TUNED, make_cell, make_document, make_error


@pytest.fixture
def opponents(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import speed_opponents

    return speed_opponents


def test_nothing_is_said_where_nothing_was_measured(opponents) -> None:
    assert opponents.opponents_section(make_document()) == ""


@pytest.mark.parametrize(
    ("tuned", "best"),
    [
        (make_error(0.5), TUNED),
        (make_error(0.51), DEFAULT),
        (make_error(0.1, finite=False), DEFAULT),
        (make_error(None), DEFAULT),
        (None, DEFAULT),
    ],
)
def test_only_what_was_measured_within_the_limit_counts(opponents, tuned, best) -> None:
    cell = make_cell(64, **{AUTOCAST: 1.5, COMPILE: 0.5, TUNED: 1.0})
    errors = {DEFAULT: make_error(1e-5), AUTOCAST: make_error(0.1), COMPILE: make_error(1e-5)}
    errors |= {} if tuned is None else {TUNED: tuned}
    lap = opponents.fastest_within({"errors": errors}, cell)
    assert (lap.name, lap.median_s) == (best, 1.0 if best == TUNED else 2.0)


def test_without_errors_nothing_is_within(opponents) -> None:
    assert opponents.fastest_within({}, make_cell(64, **{AUTOCAST: 1.5, TUNED: 1.0})) is None


def test_the_section(opponents) -> None:
    document = make_document(
        make_cell(64, **{AUTOCAST: 1.5, TUNED: 1.0, COMPILE: 3.0}),
        make_cell(256, **{AUTOCAST: 3.0, TUNED: 1.0}),
        errors={
            DEFAULT: make_error(2e-5),
            AUTOCAST: make_error(177.4),
            TUNED: make_error(0.4),
            COMPILE: make_error(2e-5),
        },
        compile={"frames": 24, "points": 64, "failed": None, "seconds": 99.6},
    )
    section = opponents.opponents_section(document)
    assert (
        "| b0-wide | 24 x 64 | 2000 | 1500 | 0.75 (0.75-0.75) | 3000 | 1.50 (1.50-1.50) | 1000 "
        f"| {TUNED} | 1.50 (1.50-1.50) | 4.00 (4.00-4.00) | 500, 500 |" in section
    )
    assert "| b0-wide | 24 x 256 | 2000 | 3000 | 1.50 (1.50-1.50) | – | – | 1000 |" in section
    assert f"| b0-wide | {AUTOCAST} | 18 | 177 | yes |" in section
    assert f"| b0-wide | {DEFAULT} | <0.001 | <0.001 | yes |" in section
    assert "b0-wide at 24 x 64 in 100 s." in section
    assert "has no bfloat16 instructions" in section
    document["cpu"]["features"].append("AVX-512 BF16")
    assert "has bfloat16 instructions (AVX-512 BF16)" in opponents.opponents_section(document)


def test_a_failed_compilation_is_no_pass(opponents) -> None:
    failed = {"frames": 24, "points": 64, "failed": "torch compile failed: no compiler"}
    document = make_document(
        make_cell(64, **{AUTOCAST: 1.5}),
        errors={AUTOCAST: make_error(None, finite=False)},
        compile=failed | {"seconds": 7.0},
    )
    section = opponents.opponents_section(document)
    assert "b0-wide at 24 x 64 not at all: after 7 s, torch compile failed: no compiler" in section
    assert f"| b0-wide | {AUTOCAST} | – | – | no |" in section
    assert "torch.compile took no part" in opponents.opponents_section(
        make_document(make_cell(64, **{AUTOCAST: 1.5}))
    )
