"""``export --precision``: what it writes, says and refuses; b0-tiny at 64×64, small sequences."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from locoexport.artifact import ArtifactMetadata
from locoexport.lowering.graphs import iterate_graphs, iterate_nodes
from locoexport.network import load_network
from locoexport.pipeline import export, precision
from locoexport.pipeline.graph import FinishedGraph, build_graph
from locoexport.profile import load_profile
from locoexport.runtime.session import open_session

SMALL = ("export", "--backbone", "b0-tiny", "--resolution", "64x64", "--no-verify")


@pytest.fixture(scope="module")
def graph() -> FinishedGraph:
    """b0-tiny at 64×64, traced and simplified once for all tests."""
    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
    network = load_network(profile, None)
    return build_graph(profile, network, simplify=True, notify=lambda notice: None)


@pytest.fixture(autouse=True)
def quickly(monkeypatch, graph: FinishedGraph) -> None:
    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: graph)
    monkeypatch.setattr(precision, "_SEQUENCES", 1)
    monkeypatch.setattr(precision, "_CALIBRATION_CLIPS", 1)
    monkeypatch.setattr(precision, "_TIMED_RUNS", 1)
    monkeypatch.setattr(precision, "_TEST", precision.SyntheticSettings(frames=3, points=8))
    monkeypatch.setattr(
        precision, "_CALIBRATION", precision.SyntheticSettings(frames=2, points=8, seed=1)
    )


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """b0-tiny's profile, which allows nothing."""
    from importlib.resources import files

    text = (files("locoexport.profiles") / "b0-tiny.toml").read_text()
    head, _, _ = text.partition("[precision]")
    limits = '[precision]\nfp16_p99_px = 1e-9\nint8_p99_px = 1e-9\norigin = "a whim"\n'
    weights = '[weights]\ndemo = "b0-tiny.safetensors"\n'
    path = tmp_path / "strict.toml"
    path.write_text(head.partition("[weights]")[0] + limits + weights)
    return path


def types_in(model: onnx.ModelProto) -> set[int]:
    return {tensor.data_type for graph in iterate_graphs(model) for tensor in graph.initializer}


@pytest.mark.parametrize("name", ["fp16", "int8"])
def test_a_smaller_file_that_says_what_it_costs(name: str, run, tmp_path: Path) -> None:
    whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
    assert run(*SMALL, "-o", whole).code == 0
    # At 64x64 nothing is as good as at the profile's resolution: --force keeps the limit out.
    finished = run(*SMALL, "--precision", name, "-o", small, "--force", "--json", "-")
    assert finished.code == 0, finished.stderr
    report = json.loads(finished.stdout)["precision"]
    assert report["precision"] == name
    assert 0 < report["difference"]["p50_px"] <= report["difference"]["p99_px"]
    assert report["bytes_after"] < 0.75 * report["bytes_before"]
    assert report["bytes_after"] == pytest.approx(small.stat().st_size, rel=1e-2)
    assert report["latency_ratio"] > 0
    model = onnx.load(small)
    assert (TensorProto.FLOAT16 if name == "fp16" else TensorProto.INT8) in types_in(model)
    if name == "int8":
        ops = Counter(node.op_type for node in iterate_nodes(model))
        assert ops["MatMulInteger"] >= 4 * 3 * 6  # iterations, layers, products by weights
        assert ops["DequantizeLinear"] > ops["Conv"] > 0
    metadata = ArtifactMetadata.from_properties({p.key: p.value for p in model.metadata_props})
    assert metadata.precision == name
    assert metadata.cost is not None
    assert metadata.cost.p99_px == pytest.approx(report["difference"]["p99_px"], rel=1e-2)
    assert any(node.op_type == "Scan" for node in model.graph.node)
    session = open_session(small)
    raw = session.run(np.zeros((1, 2, 64, 64, 3), np.float32), np.zeros((1, 3, 3), np.float32))
    assert raw.tracks_xy.dtype == np.float32


def test_beyond_the_limit_nothing_is_written(strict: Path, run, tmp_path: Path) -> None:
    name, path = "fp16", tmp_path / "a.onnx"
    arguments = ("export", "--profile", strict, "--resolution", "64x64", "--no-verify")
    finished = run(*arguments, "--precision", name, "-o", path)
    assert finished.code == 1
    assert f"{name} moves tracks too far: 99 % of them by at most" in finished.stderr
    assert "the profile allows 1e-09 px (a whim)" in finished.stderr
    assert "BEYOND the limit" in finished.stdout
    assert not path.exists()
    finished = run(*arguments, "--precision", name, "-o", path, "--force", "--json", "-")
    assert finished.code == 0
    assert json.loads(finished.stdout)["precision"]["passed"] is False
    assert path.exists()


def test_refused_as_json(strict: Path, run, tmp_path: Path) -> None:
    finished = run(
        *("export", "--profile", strict, "--resolution", "64x64", "--no-verify"),
        *("--precision", "fp16", "-o", tmp_path / "a.onnx", "--json", "-"),
    )
    assert finished.code == 1
    document = json.loads(finished.stdout)
    assert (document["passed"], document["file"]) == (False, None)
    assert document["precision"]["limit_px"] == 1e-9


def test_calibrated_on_a_clip(run, clip: Path, tmp_path: Path) -> None:
    finished = run(
        *SMALL, "--precision", "int8", "--calibrate", clip, "-o", tmp_path / "a.onnx", "--force"
    )
    assert finished.code == 0, finished.stderr
    assert "calibrated on" in finished.stdout
    assert clip.name in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "fp8"], "precision 'fp8' is unknown; expected fp32, fp16, int8"),
        (["--precision", "fp16", "--split"], "is made of a single file; leave --split out"),
        (["--precision", "int8", "--batch", "2"], "is measured on one video at a time"),
        (["--precision", "fp16", "--input", "uint8"], "leave --input uint8 out"),
        (["--calibrate", "a.mp4"], "--calibrate takes ranges for --precision int8"),
        (["--precision", "int8", "--calibrate", "a.mp4"], "a.mp4"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, run, tmp_path: Path) -> None:
    finished = run(*SMALL, *arguments, "-o", tmp_path / "a.onnx")
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert not (tmp_path / "a.onnx").exists()
