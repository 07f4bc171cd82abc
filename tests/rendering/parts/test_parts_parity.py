"""How far a graph is from PyTorch, as text and JSON."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from locoexport.contract.profile import Tolerance
from locoexport.parity.pointwise import CaseParity, OutputParity, ParityReport
from locoexport.rendering.parts.parity import (
    outputs_table,
    parity_document,
    parity_rows,
    parity_table,
)

PIPE = 1000  # columns; a pipe has more


def output(name: str, unit: str, worst: float) -> OutputParity:
    return OutputParity(
        *(name, unit, worst, worst / 2, (0, 17, 23), 123.4567, 123.4579, 0, 0.01), p50=worst / 10
    )


@pytest.fixture
def report() -> ParityReport:
    """Two cases, of 64 points each; three points of the second are excluded."""
    outputs = (output("tracks", "px", 1.25e-3), output("occlusion", "logit", 2e-4))
    first = CaseParity(
        "textured 1x24x64", 1, 24, 64, outputs, 7, 0, 0, 0.0, (), np.float32([1.25e-3, 1e-3, 0])
    )
    second = replace(
        first,
        name="clip a.mp4",
        frames=4,
        tied_points=1,
        unstable_points=2,
        worst_apart_px=4.5,
        pixels=np.float32([1e-3, 1.25e-3]),
    )
    tolerance = Tolerance(0.01, 0.02, "for this test")
    return ParityReport((first, second), tolerance, "cpu", (("cpu", 9),))


def printed(result, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(result)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, PIPE])
def test_a_line_for_each_input_and_one_for_all(report, width: int) -> None:
    assert printed(parity_table(report), width) == [
        "inputs BxTxN         p50 px    p99 px  worst px",
        "textured 1x24x64   0.000125  0.000625  0.001250  PASS",
        "clip a.mp4 1x4x64  0.000125  0.000625  0.001250  PASS",
        "all                0.001000  0.001250  0.001250",
    ]


def test_every_output_has_its_figures_and_their_place(report) -> None:
    first, second, third, fourth = (
        line.split() for line in printed(outputs_table(report), PIPE)[1:]
    )
    figures = ["0,", "17,", "23", "123.4567", "123.4579"]
    assert first[:2] == ["textured", "1x24x64"]
    assert first[first.index("1.25e-04") :] == [
        *("1.25e-04", "6.25e-04", "1.25e-03", "1e-02", *figures, "7", "0")
    ]
    # The second output of an input repeats neither its name nor its flips.
    assert second[second.index("2.00e-05") :] == [
        *("2.00e-05", "1.00e-04", "2.00e-04", "1e-02", *figures)
    ]
    assert third[:3] == ["clip", "a.mp4", "1x4x64"]
    assert third[-2:] == ["7", "3"]
    assert fourth[0] == "occlusion"


def test_an_output_that_failed_is_told(report) -> None:
    case = report.cases[0]
    beyond = replace(case.outputs[0], beyond_tolerance=1)
    (row,) = printed(parity_table(replace(report, cases=(replace(case, outputs=(beyond,)),))), 80)[
        1:
    ]
    assert row.endswith("FAIL")
    logits = replace(case.outputs[1], beyond_tolerance=1)
    failed = replace(case, outputs=(case.outputs[0], logits))
    (row,) = printed(parity_table(replace(report, cases=(failed,))), 80)[1:]
    assert row.endswith("FAIL in occlusion")


def test_the_verdict_has_the_median_the_p99_and_the_worst(report) -> None:
    rows = {str(name): str(value) for name, value in parity_rows(report)}
    assert rows == {
        "PASS": "p50 0.001000 px, p99 0.001250 px, worst 0.001250 px from PyTorch (allowed 0.01 "
        "px)",
        "logits": "worst 0.000200 from PyTorch (allowed 0.02)",
        "visibility": "differs at 14 of 1,792 points and frames (0.8%)",
        "excluded": "3 of 128 points (2.3%): 2 unstable in PyTorch too, 1 where two places are "
        "equally likely there; up to 4.500000 px apart",
    }


@pytest.mark.parametrize(
    ("tied", "unstable", "told"),
    [
        (0, 1, "1 of 128 points, unstable in PyTorch too (0.8%); up to 4.500000 px apart"),
        (
            2,
            0,
            "2 of 128 points, where two places are equally likely in PyTorch too (1.6%); up to "
            "4.500000 px apart",
        ),
        (0, 0, None),
    ],
)
def test_excluded_points_are_counted_with_their_share(report, tied, unstable, told) -> None:
    second = replace(report.cases[1], tied_points=tied, unstable_points=unstable)
    rows = {
        str(name): str(value)
        for name, value in parity_rows(replace(report, cases=(report.cases[0], second)))
    }
    assert rows.get("excluded") == told


def test_too_many_excluded_points_are_told(report) -> None:
    most = replace(report, cases=(replace(report.cases[1], tied_points=60),))
    name, value = parity_rows(most)[-1]
    assert (name, value) == ("proves", "nothing: at most 33.3% of the points may be excluded")
    assert str(parity_rows(most)[0][0]) == "FAIL"


def test_the_document_holds_the_worst_of_all_cases(report) -> None:
    document = parity_document(report)
    assert document["passed"] is True
    assert (document["worst_px"], document["worst_logit"]) == (1.25e-3, 2e-4)
    assert (document["p50_px"], document["p99_px"]) == pytest.approx((1e-3, 1.25e-3))
    assert (document["points"], document["visibility_flips"]) == (128, 14)
    assert document["cases"][0]["outputs"][0]["p50"] == 1.25e-4
    assert "pixels" not in document["cases"][0]
    assert (document["apart_points"], document["worst_apart_px"]) == (3, 4.5)
    assert document["node_placement"] == {"cpu": 9}
    assert [case["passed"] for case in document["cases"]] == [True, True]


@pytest.mark.parametrize("width", [30, 80, 120])
def test_no_figure_is_cut_in_a_narrow_terminal(report, width: int) -> None:
    text = " ".join(printed(outputs_table(report), width))
    assert "…" not in text
    for figure in ("1.25e-03", "6.25e-04", "2.00e-04", "123.4567", "123.4579"):
        assert text.count(figure) >= 2
    assert text.count("[px]") == 2
    assert text.count("[logit]") == 2
