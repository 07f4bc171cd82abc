"""``export --precision``: what it says and refuses; b0-tiny at 64×64 and one small sequence.

What each precision writes, and 8 bits at all, is in ``parity_tests/test_precision_exports.py``.
"""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tiny_costs import measure_quickly

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.graphs.walking import iterate_graphs
from locoexport.pipeline import export
from locoexport.pipeline.assembly.graph import FinishedGraph
from locoexport.runtime.session.single import open_session

# A real network is traced.
pytestmark = pytest.mark.slow

FRAMES, POINTS = 3, 4  # as the shared fixtures have them
SIZES = ("--resolution", "64x64", "--batch", "1", "--frames", FRAMES, "--points", POINTS)
SMALL = ("export", "--backbone", "b0-tiny", "--no-verify")


@pytest.fixture
def strict(tmp_path: Path, tiny_graph: FinishedGraph, monkeypatch) -> Path:
    """b0-tiny's profile, which allows nothing; its graph is traced already."""
    measure_quickly(monkeypatch)
    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: tiny_graph)
    text = (files("locoexport.profiles") / "b0-tiny.toml").read_text()
    head, _, _ = text.partition("[precision]")
    limits = '[precision]\nfp16_p99_px = 1e-9\nint8_p99_px = 1e-9\norigin = "a whim"\n'
    weights = '[weights]\ndemo = "b0-tiny.safetensors"\n'
    path = tmp_path / "strict.toml"
    path.write_text(head.partition("[weights]")[0] + limits + weights)
    return path


def test_a_smaller_file_that_says_what_it_costs(exported: Path, exported_half: Path) -> None:
    assert exported_half.stat().st_size < 0.75 * exported.stat().st_size
    model = onnx.load(exported_half)
    types = {tensor.data_type for graph in iterate_graphs(model) for tensor in graph.initializer}
    assert TensorProto.FLOAT16 in types
    metadata = ArtifactMetadata.from_properties({p.key: p.value for p in model.metadata_props})
    assert metadata.precision == "fp16"
    assert metadata.cost is not None
    assert 0 < metadata.cost.p50_px <= metadata.cost.p99_px <= metadata.cost.limit_px == 0.25
    raw = open_session(exported_half).run(
        np.zeros((1, FRAMES, 64, 64, 3), np.float32), np.zeros((1, POINTS, 3), np.float32)
    )
    assert raw.tracks_xy.dtype == np.float32


def test_beyond_the_limit_nothing_is_written(strict: Path, run, tmp_path: Path) -> None:
    path, report = tmp_path / "a.onnx", tmp_path / "a.json"
    arguments = ("export", "--profile", strict, *SIZES, "--no-verify", "--precision", "fp16")
    finished = run(*arguments, "-o", path, "--json", report)
    assert finished.code == 1
    assert "fp16 moves tracks too far: 99 % of them by at most" in finished.stderr
    assert "the profile allows 1e-09 px (a whim)" in finished.stderr
    assert "BEYOND the limit" in finished.stdout
    document = json.loads(report.read_text())
    assert (document["passed"], document["file"]) == (False, None)
    assert document["precision"]["limit_px"] == 1e-9
    assert not path.exists()
    finished = run(*arguments, "-o", path, "--force", "--json", "-")
    assert finished.code == 0
    assert json.loads(finished.stdout)["precision"]["passed"] is False
    assert path.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "fp8"], "precision 'fp8' is unknown; expected fp32, fp16, int8"),
        (["--precision", "fp16", "--split"], "is made of a single file; leave --split out"),
        (["--precision", "int8", "--batch", "2"], "is measured on one video at a time"),
        (["--precision", "fp16", "--input", "uint8"], "leave --input uint8 out"),
        (["--int8-parts", "cmdtop"], "--int8-parts and --for-cpu are for --precision int8"),
        (["--for-cpu", "any", "--precision", "fp16"], "are for --precision int8; leave them out"),
        (["--precision", "int8", "--for-cpu", "avx"], "--for-cpu 'avx': expected vnni or any"),
        (["--precision", "int8", "--int8-parts", "encodr"], "Did you mean encoder?"),
        (["--precision", "int8", "--int8-parts", ""], "'' is no part that can be in 8 bits"),
        (
            ["--precision", "int8", "--int8-parts", "cmdtop", "--calibrate", "a.mp4"],
            "--int8-parts leaves in float32",
        ),
        (["--calibrate", "a.mp4"], "--calibrate takes ranges for --precision int8"),
        (["--precision", "int8", "--calibrate", "a.mp4"], "a.mp4"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, run, tmp_path: Path) -> None:
    finished = run(*SMALL, *arguments, "-o", tmp_path / "a.onnx")
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert not (tmp_path / "a.onnx").exists()
