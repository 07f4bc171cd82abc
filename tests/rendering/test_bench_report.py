"""The report as text, JSON and a picture."""

import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from locoexport.benchmarking.report import Agreement, Transfers, spread
from locoexport.errors import OutputError
from locoexport.rendering.bench import bench_document, bench_text
from locoexport.rendering.bench_plot import draw_bench
from locoexport.runtime.session.placement import Elsewhere, Placement


def text(report) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(bench_text(report))
    return console.file.getvalue()


def row(printed: str, *starts: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.split()[: len(starts)] == [*starts])
    return line.split()


def test_text_holds_every_figure(report) -> None:
    printed = text(report)
    ours = row(printed, "8", "x", "64")
    assert ours[3:] == [*("ONNX", "Runtime", "100.0", "100.0", "100.0", "5,120", "200", "0.50")]
    theirs = row(printed, "torch", "eager", "250.0")
    assert theirs == ["torch", "eager", "250.0", "250.0", "250.0", "2,048", "200"]
    compared = row(printed, "8", "x", "64", "2.50")
    assert compared[3:] == ["2.50", "2.50", "2.50", "0.000001", "0.001000", "50%"]
    assert "ONNX Runtime against torch eager\n" in printed
    # The largest size: 100 ms profiled; 3 GFLOP in 60 ms are half of 100 GFLOP/s.
    assert "24 x 64 (mean of 3 profiled runs of 100 ms)" in printed
    assert row(printed, "backbone") == ["backbone", "60.0", "60.0%", "3.00", "50%"]
    assert row(printed, "transformer") == [*("transformer", "30.0", "30.0%", "2.00", "67%", "30.0")]
    assert "100 GFLOP/s by numpy (99 before, 100 after)" in printed


def test_every_opponent_has_a_row_of_its_own(report) -> None:
    cell = report.cells[0]
    fast = replace(
        cell.sides[1],
        name="torch bf16 autocast",
        ratio=spread([1.5]),
        agreement=Agreement(0.5, float("nan")),
    )
    three = replace(report, cells=(replace(cell, sides=(*cell.sides, fast)),))
    printed = text(three)
    assert "ONNX Runtime against torch eager, torch bf16 autocast\n" in printed
    first = row(printed, "8", "x", "64", "torch", "eager", "2.50")
    assert first[5:] == ["2.50", "2.50", "2.50", "0.000001", "0.001000", "50%"]
    second = row(printed, "torch", "bf16", "autocast", "1.50")
    assert second[3:] == ["1.50", "1.50", "1.50", "0.500000", "nan"]
    document = bench_document(three)["cells"][0]
    assert document["ratio"]["median"] == 2.5  # of the first opponent
    assert [side["ratio"] and side["ratio"]["median"] for side in document["sides"]] == [
        *(None, 2.5, 1.5)
    ]
    assert document["sides"][2]["tracks_apart"]["median_px"] == 0.5


def test_an_opponent_is_not_needed(report) -> None:
    alone = replace(report, cells=(replace(report.cells[0], sides=report.cells[0].sides[:1]),))
    assert row(text(alone), "8", "x", "64", "-") == [*("8", "x", "64"), *["-"] * 5, "50%"]
    document = bench_document(alone)["cells"][0]
    assert (document["ratio"], document["tracks_apart"]) == (None, None)


def test_warnings_are_in_the_text_and_the_document(report) -> None:
    doubted = replace(report, warnings=("the machine was busy",))
    assert "warning: the machine was busy" in text(doubted)
    assert "warning" not in text(report)
    assert bench_document(report)["trusted"] is True
    assert bench_document(doubted)["trusted"] is False


def test_nodes_that_ran_elsewhere_are_told_by_part(report) -> None:
    assert "cpu (nodes: 2655 on cpu)" in text(report)
    assert "elsewhere" not in text(report)
    left = (Elsewhere("cost volume", "ArgMax", "cpu", 24),)
    placement = Placement("cuda", (("cuda", 2600), ("cpu", 24)), left)
    on_cuda = replace(report, provider="cuda", placement=placement)
    assert "cuda (nodes: 2600 on cuda, 24 on cpu)" in text(on_cuda)
    assert row(text(on_cuda), "elsewhere")[1:] == [
        "24",
        "ArgMax",
        "of",
        *["cost", "volume", "on", "cpu"],
    ]
    document = bench_document(on_cuda)
    assert document["node_placement"] == {"cuda": 2600, "cpu": 24}
    assert document["elsewhere"][0]["part"] == "cost volume"


def test_document(report) -> None:
    cell = bench_document(report)["cells"][0]
    assert cell["ratio"] == {"median": 2.5, "p10": 2.5, "p90": 2.5}
    assert cell["share_of_gemm"] == pytest.approx(0.5)
    assert cell["sides"][1]["fresh"]["peak_bytes"] == 200_000_000
    assert cell["parts"]["profiled_run"] == pytest.approx(0.1)
    assert {"name": "transformer", "iteration": 0, "value": 0.03} in cell["parts"][
        "seconds_by_part"
    ]


def test_a_share_is_not_told_where_flops_or_the_rate_are_unknown(report) -> None:
    cells = tuple(replace(cell, flops=None) for cell in report.cells)
    assert bench_document(replace(report, cells=cells))["cells"][0]["share_of_gemm"] is None
    assert bench_document(replace(report, gemm=None))["cells"][0]["share_of_gemm"] is None


def test_transfers_have_a_table_of_their_own(report) -> None:
    side = replace(report.cells[0].sides[0], transfers=Transfers(spread([0.002]), spread([0.001])))
    cell = replace(report.cells[0], sides=(side, report.cells[0].sides[1]))
    printed = text(replace(report, cells=(cell,)))
    assert row(printed, "8", "x", "64", "ONNX", "Runtime", "2.00")[-2:] == ["2.00", "1.00"]
    assert "copies to and from the device" not in text(report)


@pytest.mark.parametrize("whole", [True, False])
def test_plot_is_a_picture_with_both_panels(report, tmp_path, whole) -> None:
    if not whole:
        cells = tuple(replace(cell, parts=None, sides=cell.sides[:1]) for cell in report.cells)
        report = replace(report, cells=cells)
    draw_bench(report, tmp_path / "plot.png")
    picture = matplotlib.image.imread(tmp_path / "plot.png")[..., :3]
    height, width = picture.shape[:2]
    assert width > 1.2 * height
    # Nothing is cut off: the margin is white all round.
    for edge in (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:]):
        assert np.all(edge == 1)
    blue = np.all(np.abs(picture - np.array([0x1F, 0x6F, 0x8B]) / 255) < 0.02, axis=-1)
    green = np.all(np.abs(picture - np.array([0x4F, 0x8F, 0x6B]) / 255) < 0.02, axis=-1)
    assert blue.mean() > 0.01
    assert bool(green.mean() > 0.01) is whole
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]


def test_many_opponents_have_bars_of_their_own(report, tmp_path) -> None:
    cell = report.cells[0]
    sides = (cell.sides[0], *(replace(cell.sides[1], name=f"other {i}") for i in range(6)))
    draw_bench(replace(report, cells=(replace(cell, sides=sides),)), tmp_path / "plot.png")
    picture = matplotlib.image.imread(tmp_path / "plot.png")[..., :3]
    for colour in ((0xE0, 0x7A, 0x3F), (0x9A, 0xA5, 0xB1), (0x7A, 0x5C, 0x99), (0xC9, 0xA2, 0x27)):
        near = np.all(np.abs(picture - np.array(colour) / 255) < 0.02, axis=-1)
        assert near.mean() > 0.003, colour


def test_a_plot_that_cannot_be_written_leaves_nothing(report, tmp_path) -> None:
    with pytest.raises(OutputError):
        draw_bench(report, tmp_path / "none" / "plot.png")
    assert list(tmp_path.iterdir()) == []
