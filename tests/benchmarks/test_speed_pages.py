"""benchmarks/speed_pages.py: pages from documents with and without opponents."""

import json
import shutil
from pathlib import Path

import pytest
from speed_documents import AUTOCAST, DEFAULT, TUNED, make_cell, make_document, make_error

ROOT = Path(__file__).parents[2]
PAGES = ("docs/speed.md", "README.md", "README.zh-CN.md")


@pytest.fixture
def write(monkeypatch, tmp_path):
    """Writes the pages of a document into copies; returns their texts by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from speed_pages import write_pages

    (tmp_path / "docs").mkdir()
    for page in PAGES:
        shutil.copy(ROOT / page, tmp_path / page)

    def written(document: dict) -> dict[str, str]:
        write_pages(document, tmp_path)
        assert (tmp_path / "docs" / "speed.png").stat().st_size > 10_000
        return {page: (tmp_path / page).read_text(encoding="utf-8") for page in PAGES}

    return written


def test_the_pages_are_those_of_the_figures(write) -> None:
    document = json.loads((ROOT / "docs" / "speed.json").read_text(encoding="utf-8"))
    for page, text in write(document).items():
        assert text == (ROOT / page).read_text(encoding="utf-8"), page


def test_what_was_not_measured_is_not_said(write) -> None:
    texts = write(make_document())
    assert "| b0-wide | 24 x 64 | 4000 ms | 3000 ms | 2000 ms | 2.00 | 1.50 |" in texts["README.md"]
    for text in (texts["README.md"], texts["README.zh-CN.md"]):
        assert "autocast" not in text
    assert "**In the same budget.**" not in texts["docs/speed.md"]


def test_float32_against_eager_and_the_fastest_within_the_limit_against_autocast(write) -> None:
    document = make_document(
        make_cell(256, **{AUTOCAST: 1.5, TUNED: 1.0}),
        errors={
            DEFAULT: make_error(2e-5),
            AUTOCAST: make_error(3.33),
            TUNED: make_error(0.42),
        },
    )
    old = make_document(variant="b5")["variants"]["b5"]
    document["variants"]["b5"] = old  # measured before there were opponents
    texts = write(document)
    row = "| 4000 ms | 2000 ms | 2.00 | 1500 ms (p99 3.3 px) | 1000 ms (p99 0.42 px) | 1.50 |"
    for page in ("README.md", "README.zh-CN.md"):
        assert f"| b0-wide | 24 x 256 {row}" in texts[page]
        assert "| b5 | 24 x 64 | 4000 ms | 2000 ms | 2.00 | – | – | – |" in texts[page]
        lines = texts[page].splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("| b0-wide"))
        assert {line.count("|") for line in lines[at - 2 : at + 2]} == {9}
    latency = next(line for line in texts["docs/speed.md"].splitlines() if "| b0-wide |" in line)
    assert latency.count("|") == 11
    assert latency.endswith("| 500, 500, 500 |")
