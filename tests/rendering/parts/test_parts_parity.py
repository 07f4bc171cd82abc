"""How far a graph is from PyTorch, as text and JSON."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from locoexport.contract.profile import Tolerance
from locoexport.parity.pointwise import CaseParity, OutputParity, ParityReport
from locoexport.rendering.parts.parity import parity_document, parity_line, parity_table

PIPE = 160  # columns: what a pipe is given


def output(name: str, unit: str, worst: float) -> OutputParity:
    return OutputParity(
        name, unit, worst, worst / 2, (0, 17, 23), 123.4567, 123.4579, 0, tolerance=0.01
    )


@pytest.fixture
def report() -> ParityReport:
    """Two cases, of 64 points each; three points of the second are counted apart."""
    outputs = (output("tracks", "px", 1.25e-3), output("occlusion", "logit", 2e-4))
    first = CaseParity("textured 1x24x64", 1, 24, 64, outputs, 7, 0, 0, 0.0, ())
    second = replace(
        first, name="noise 1x4x64", frames=4, tied_points=1, unstable_points=2, worst_apart_px=4.5
    )
    tolerance = Tolerance(0.01, 0.02, "for this test")
    return ParityReport((first, second), tolerance, "cpu", (("cpu", 9),))


def printed(result, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(result)
    return console.file.getvalue().splitlines()


def test_a_row_for_each_case_and_output_holds_every_figure(report) -> None:
    lines = printed(parity_table(report), PIPE)
    assert not [line for line in lines if "…" in line]
    first, second, third, fourth = (line.split() for line in lines[1:])
    figures = ["(0,", "17,", "23)", "123.4567", "123.4579"]
    assert first[:2] == ["textured", "1x24x64"]
    assert first[first.index("1.25e-03") :] == [
        *("1.25e-03", "6.25e-04", "1e-02", *figures, "7", "-", "pass")
    ]
    # The second output of a case repeats neither its name nor its flips.
    assert second[second.index("2.00e-04") :] == [
        *("2.00e-04", "1.00e-04", "1e-02", *figures, "pass")
    ]
    assert third[:2] == ["noise", "1x4x64"]
    assert third[-7:] == ["1", "tied,", "2", "unstable,", "4.5e+00", "px", "pass"]
    assert fourth[0] == "occlusion"


def test_an_output_that_failed_is_told(report) -> None:
    case = report.cases[0]
    failed = replace(case, outputs=(replace(case.outputs[0], beyond_tolerance=1),))
    lines = printed(parity_table(replace(report, cases=(failed,))), PIPE)
    assert lines[1].split()[-1] == "FAIL"


def test_the_line_keeps_its_figures_in_eighty_columns(report) -> None:
    line = parity_line(report)
    assert line == (
        "worst 1.25e-03 px and 2.00e-04 logits from torch (allowed 0.01 and 0.02) at BxTxN "
        "1x24x64, 1x4x64; counted apart: 1 tied and 2 unstable points, up to 4.50e+00 px"
    )
    assert " ".join(" ".join(printed(line, 80)).split()) == line


def test_too_many_points_apart_are_told(report) -> None:
    most = replace(report, cases=(replace(report.cases[1], tied_points=60),))
    assert parity_line(most).endswith("px: too many for the rest to prove anything")


def test_the_document_holds_the_worst_of_all_cases(report) -> None:
    document = parity_document(report)
    assert document["passed"] is True
    assert (document["worst_px"], document["worst_logit"]) == (1.25e-3, 2e-4)
    assert (document["apart_points"], document["worst_apart_px"]) == (3, 4.5)
    assert document["node_placement"] == {"cpu": 9}
    assert [case["passed"] for case in document["cases"]] == [True, True]


@pytest.mark.parametrize("width", [30, 80, 120])
def test_no_figure_is_cut_in_a_narrow_terminal(report, width: int) -> None:
    text = " ".join(printed(parity_table(report), width))
    assert "…" not in text
    for figure in ("1.25e-03", "6.25e-04", "2.00e-04", "123.4567", "123.4579", "4.5e+00"):
        assert figure in text
    assert text.count("[px]") == 2
    assert text.count("[logit]") == 2
