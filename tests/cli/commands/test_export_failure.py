"""An export whose parity fails says by itself where the graph departs, and writes nothing."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from test_verify_command import edit_weight

from locoexport.errors import MachineError
from locoexport.pipeline import export
from locoexport.pipeline.assembly.graph import FinishedGraph

# A real network is traced.
pytestmark = pytest.mark.slow

TINY = ("export", "--backbone", "b0-tiny", "--resolution", "64x64", "--batch", "1")
AXES = ("--frames", "3", "--points", "4")


@pytest.fixture(autouse=True)
def wrong(tiny_graph: FinishedGraph, monkeypatch) -> None:
    """The exporter makes a graph with another weight in its cost volume."""
    model = onnx.ModelProto()
    model.CopyFrom(tiny_graph.model)

    def perturb(values) -> None:
        values.flat[0] += 0.5

    edit_weight(model, "cost_conv.weight", perturb)
    graph = replace(tiny_graph, model=model)
    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: graph)


def test_the_first_part_that_departs_is_named(run, tmp_path: Path) -> None:
    finished = run(*TINY, *AXES, "-o", tmp_path / "a.onnx")
    assert finished.code == 1
    assert "from the PyTorch model, first at cost volume: heatmap (allowed" in finished.stderr
    assert "DEPARTS at cost volume: heatmap (seam " in finished.stdout
    assert "last that agrees" in finished.stdout
    assert "the fault is in the exporter, in the step from cost volume: costs" in " ".join(
        finished.stdout.split()
    )
    assert list(tmp_path.iterdir()) == []


def test_as_json(run, tmp_path: Path) -> None:
    finished = run(*TINY, *AXES, "-o", tmp_path / "a.onnx", "--json", "-")
    document = json.loads(finished.stdout)
    assert (finished.code, document["passed"], document["file"]) == (1, False, None)
    assert document["localisation"]["departs"]["seam"] == "cost volume: heatmap"
    assert document["localisation"]["node"] is None
    assert document["not_localised"] is None


def test_where_it_cannot_be_told_the_failure_stays_the_failure(
    run, tmp_path: Path, monkeypatch
) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise MachineError("no room for 72 values")

    monkeypatch.setattr(export, "localise", refuse)
    finished = run(*TINY, *AXES, "-o", tmp_path / "a.onnx")
    assert finished.code == 1
    assert "Parity failed: the graph is" in finished.stderr
    assert "not localised: no room for 72 values" in finished.stdout
