"""``locoexport tune``: its tables at 80 columns, its words and its document."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from tuning_reports import make_tuning

from locoexport.machine.writing.documents import finite
from locoexport.pipeline.tuning.report import TuneReport
from locoexport.rendering.tune import tune_document, tune_text


def printed(report: TuneReport, width: int = 80) -> str:
    """As ``print_result`` gives it to a terminal of that width."""
    from locoexport.cli.terminal import console

    page = io.StringIO()
    terminal = Console(file=page, width=width, highlight=False, markup=False, emoji=False)
    console._print_parts(terminal, console.escaped(tune_text(report)))
    return page.getvalue()


def test_no_line_is_longer_than_80_columns_and_no_number_is_cut() -> None:
    text = printed(make_tuning())
    assert max(map(len, text.splitlines())) <= 80
    for figure in ("1000.0", "1.90", "1.90-1.90", "3.250", "32.500", "0.30%", "-0.10", "12.3"):
        assert figure in text
    assert "candidate" in text.split("How fast")[1].splitlines()[1]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_candidate_and_verdict_is_there(width: int) -> None:
    words = " ".join(printed(make_tuning(), width).split())
    for verdict in ("reference", "faster", "wins", "too far", "failed", "No."):
        assert verdict in words
    assert "12 threads" in words


def test_it_says_what_was_written_and_why() -> None:
    words = " ".join(printed(make_tuning()).split())
    assert "best.onnx is int8 transformer+cmdtop+encoder gather, cpu, 12 threads" in words
    assert "1.50 times as fast as float32 (1.50-1.50 in 30 runs in turn)" in words
    assert "Run it with --provider cpu with 12 threads." in words


def test_where_nothing_beats_float32_it_says_so() -> None:
    words = " ".join(printed(replace(make_tuning(), winner=0)).split())
    assert "Nothing within the limits is faster than float32 here" in words


def test_a_busy_machine_comes_first() -> None:
    report = make_tuning()
    busy = replace(report.rows[1], trial=replace(report.rows[1].trial, others_share=0.4))
    report = replace(report, rows=(report.rows[0], busy, *report.rows[2:]))
    assert printed(report).startswith("MEASURED ON A BUSY MACHINE: other processes took up to 40%")
    assert tune_document(report)["measured_busy"] is True
    assert "BUSY" not in printed(make_tuning())


def test_the_document_has_every_candidate() -> None:
    document = json.loads(json.dumps(finite(tune_document(make_tuning())), allow_nan=False))
    assert document["schema"] == "locoexport.tune/1"
    assert document["warnings"] == []
    verdicts = [row["verdict"] for row in document["candidates"]]
    assert verdicts == ["reference", "faster", "wins", "too far", "failed"]
    winner = document["candidates"][document["winner"]]
    assert winner["form"]["integer_form"]["parts"] == ["transformer", "cmdtop", "encoder"]
    assert (winner["threads"], winner["rounds"]) == (12, 30)
    assert winner["ratio"]["median"] == pytest.approx(1.5)
    failed = document["candidates"][-1]
    assert (failed["latency"], failed["ratio"], failed["reason"]) == (None, None, "No.")
