"""``locoexport export`` as a process: what appears, what is said, what stays when it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import torch

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.machine.writing.output_files import sha256_of
from locoexport.models import locotrack

SMALL = ("--resolution", "64x64", "--batch", "1", "--frames", "3", "--points", "4")
PROFILE = """
variant = "b0-tiny"
resolution = [64, 64]
opset = 16
sampling = "planar"
[tolerance]
tracks_px = 4e-3
logits = 4e-3
origin = "this test"
"""
# An exporter that gets one weight wrong.
PERTURBED = """
import sys
import onnx
from locoexport.cli import main
from locoexport.pipeline.assembly import graph

def trace_wrongly(model, profile, *others, trace=graph.trace):
    traced = trace(model, profile, *others)
    (bias,) = (t for t in traced.model.graph.initializer if t.name.endswith("output_proj.bias"))
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 1
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    return traced

graph.trace = trace_wrongly
sys.argv[0] = "locoexport"
main()
"""


def run_python(*arguments: object, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert "Traceback" not in done.stderr
    return done


def locoexport(*arguments: object, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return run_python("-m", "locoexport", *arguments, hash_seed=hash_seed)


def read_metadata(path: Path) -> ArtifactMetadata:
    model = onnx.load(path)
    return ArtifactMetadata.from_properties({p.key: p.value for p in model.metadata_props})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_verified_exports_have_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    for seed, path in enumerate(paths):
        done = locoexport(
            "export", "--backbone", "b0-tiny", *SMALL, "-o", path, hash_seed=str(seed)
        )
        assert done.returncode == 0, done.stderr
    assert paths[0].read_bytes() == paths[1].read_bytes()
    metadata = read_metadata(paths[0])
    assert metadata.parity is not None
    assert 0 < metadata.parity.tracks_px <= 4e-3
    assert metadata.parity.shapes == ((1, 3, 4),)
    assert metadata.weights.file_name == "b0-tiny.safetensors"


def test_a_seeded_export_of_ones_own_profile_over_an_existing_file(tmp_path: Path) -> None:
    profile, path = tmp_path / "mine.toml", tmp_path / "model.onnx"
    profile.write_text(PROFILE)
    path.write_text("old")
    done = locoexport("export", "--profile", profile, *SMALL, "-o", path, "--force", "--json", "-")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["passed"]) == ("locoexport.export/1", True)
    assert document["file"] == str(path)
    assert document["size_bytes"] == path.stat().st_size
    assert document["parity"]["passed"]
    assert "warning: Profile mine ships no trained weights" in done.stderr
    assert "its tracks mean nothing" in done.stderr
    metadata = read_metadata(path)
    assert metadata.to_properties() == document["metadata"]
    assert metadata.weights.seeded
    assert (metadata.profile, metadata.variant) == ("mine", "b0-tiny")
    assert (metadata.opset, metadata.sampling) == (16, "planar")
    assert {e.domain: e.version for e in onnx.load(path).opset_import} == {"": 16}
    assert names(tmp_path) == ["mine.toml", "model.onnx"]


def test_a_failing_export_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("old")
    arguments = ("export", "--backbone", "b0-tiny", *SMALL, "-o", path, "--force", "--json", "-")
    done = run_python("-c", PERTURBED, *arguments)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["schema"], document["passed"]) == ("locoexport.export/1", False)
    assert document["file"] is None
    assert document["parity"]["worst_px"] > 1
    assert "Parity failed" in done.stderr
    assert "No file was written" in done.stderr
    assert names(tmp_path) == ["model.onnx"]
    assert path.read_text() == "old"


def test_a_checkpoint_alone_tells_the_variant(tmp_path: Path) -> None:
    checkpoint, path = tmp_path / "last.ckpt", tmp_path / "model.onnx"
    state = locotrack.create_model("b0-tiny").state_dict()
    torch.save({"state_dict": {f"model.{k}": v for k, v in state.items()}}, checkpoint)
    done = locoexport(
        "--quiet", "export", "--checkpoint", checkpoint, *SMALL, "--no-verify", "-o", path
    )
    assert (done.returncode, done.stderr) == (0, "")
    metadata = read_metadata(path)
    assert (metadata.profile, metadata.variant, metadata.parity) == ("b0-tiny", "b0-tiny", None)
    assert metadata.weights.file_name == "last.ckpt"
    assert metadata.weights.sha256 == sha256_of(checkpoint)
    # verify finds it beside the model.
    assert locoexport("verify", path).returncode == 0
