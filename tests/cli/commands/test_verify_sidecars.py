"""A sidecar proves a file without torch, knows its file, and can fail."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from exported import export_once
from refusals import REFUSE_TORCH_AND_ONNX
from test_verify_command import edit_weight

from locoexport.contract.profile import AxisSizes, load_profile
from locoexport.errors import SidecarError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.parity.sidecar import SIDECAR_LIMIT_BYTES, read_sidecar, sidecar_path
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.sidecar_check import verify_with_sidecar

# A real network is traced.
pytestmark = pytest.mark.slow

REFUSING = f"""{REFUSE_TORCH_AND_ONNX}
from locoexport.cli import main

sys.argv = ["locoexport", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def pair() -> Path:
    """A model with its sidecar beside it; returns the model."""
    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
    path = export_once(profile, sidecar=True)
    assert path.with_name("model.parity.npz").is_file()
    return path


def locoexport(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REFUSING, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_a_pair_is_proven_without_torch_onnx_and_checkpoint(pair: Path, tmp_path: Path) -> None:
    for file in (pair, sidecar_path(pair)):
        shutil.copy(file, tmp_path)
    done = locoexport("verify", pair.name, "--sidecar", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"]
    assert document["against"].startswith("what PyTorch ")
    assert "a stranger's proves nothing" in document["proves"]
    assert document["sidecar"]["weights"] == document["metadata"]["locoexport.weights"]
    assert len(document["sidecar"]["profile_sha256"]) == 64
    cases = document["parity"]["cases"]
    assert [(case["batch"], case["frames"], case["points"]) for case in cases] == [
        (2, 3, 4),
        (1, 8, 20),
    ]
    assert 0 < document["parity"]["worst_px"] <= document["parity"]["tolerance"]["tracks_px"]


def test_a_sidecar_is_named_or_found(pair: Path, tmp_path: Path) -> None:
    shutil.move(shutil.copy(sidecar_path(pair), tmp_path), tmp_path / "other.npz")
    shutil.copy(pair, tmp_path)
    named = locoexport("verify", pair.name, "--sidecar", "other.npz", cwd=tmp_path)
    assert named.returncode == 0
    assert "\nPASS        p50 " in named.stdout
    missing = locoexport("verify", pair.name, "--sidecar", cwd=tmp_path)
    assert missing.returncode == 2
    assert "There is no sidecar model.parity.npz" in missing.stderr


def test_a_sidecar_is_small(pair: Path) -> None:
    assert 0 < sidecar_path(pair).stat().st_size < SIDECAR_LIMIT_BYTES


def test_a_sidecar_of_another_file_is_refused(pair: Path, tmp_path: Path) -> None:
    model = onnx.load(pair)
    edit_weight(model, "cost_conv.weight", lambda values: values.__iadd__(1e-3))
    onnx.save(model, tmp_path / "tiny.onnx")
    with pytest.raises(SidecarError, match=r"is not of .* was written for SHA-256"):
        verify_with_sidecar(tmp_path / "tiny.onnx", sidecar_path(pair))


def test_a_file_that_answers_otherwise_fails(pair: Path, tmp_path: Path) -> None:
    """The sidecar of a good file, made to claim a perturbed one."""
    model = onnx.load(pair)
    edit_weight(model, "cost_conv.weight", lambda values: values.__iadd__(0.5))
    onnx.save(model, tmp_path / "tiny.onnx")
    with np.load(sidecar_path(pair)) as stored:
        arrays = dict(stored)
    header = json.loads(bytes(arrays["header"]))
    header["model_sha256"]["whole"] = sha256_of(tmp_path / "tiny.onnx")
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "tiny.parity.npz", **arrays)
    report = verify_with_sidecar(tmp_path / "tiny.onnx")
    assert not report.passed
    assert report.parity.worst_px > 1


def forge_pair(pair: Path, folder: Path, **changed: object) -> Path:
    """A model whose tracks are 100 px off, and the good one's sidecar, restamped for it."""
    model = onnx.load(pair)
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "tracks":
                node.output[index] = "tracks_true"
    model.graph.initializer.append(onnx.helper.make_tensor("off", 1, [1], [100.0]))
    model.graph.node.append(onnx.helper.make_node("Add", ["tracks_true", "off"], ["tracks"]))
    path = folder / "forged.onnx"
    onnx.save(model, path)
    with np.load(sidecar_path(pair)) as stored:
        arrays = dict(stored)
    header = json.loads(bytes(arrays["header"]))
    header["model_sha256"] = {"whole": sha256_of(path)}
    header["tolerance"] |= changed
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(sidecar_path(path), **arrays)
    return path


def test_a_sidecar_cannot_allow_more_than_this_installation(pair: Path, tmp_path: Path) -> None:
    path = forge_pair(pair, tmp_path, tracks_px=1e9, logits=1e9)
    report = verify_with_sidecar(path)
    assert not report.passed
    assert report.parity.worst_px == pytest.approx(100, rel=0.05)
    with pytest.raises(SidecarError, match="not a number from 0 up"):
        verify_with_sidecar(forge_pair(pair, tmp_path, tracks_px=float("nan")))


@pytest.mark.parametrize("kept", [0, 100, -10])
def test_a_damaged_sidecar(kept: int, pair: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(sidecar_path(pair).read_bytes()[:kept])
    with pytest.raises(SidecarError, match=r"cut\.npz is not a sidecar: it is a damaged archive"):
        verify_with_sidecar(pair, tmp_path / "cut.npz")


def test_options_that_need_torch_are_refused(pair: Path, tmp_path: Path) -> None:
    for option in ("--localise", "--video=a.mp4", "--checkpoint=a.ckpt"):
        done = locoexport("verify", pair, "--sidecar", option, cwd=tmp_path)
        assert done.returncode == 2
        assert option.partition("=")[0] + " has no effect" in done.stderr


def test_a_split_has_one_sidecar_for_its_three_files(tmp_path: Path) -> None:
    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64), axes=AxisSizes(1, 3, 4))
    export_model(profile, tmp_path / "s.onnx", split=True, verify=False, sidecar=True)
    files = {part: tmp_path / f"s.{part}.onnx" for part in ("encoder", "query", "tracker")}
    hashes = {part: sha256_of(file) for part, file in files.items()}
    assert read_sidecar(tmp_path / "s.parity.npz", hashes).model_sha256 == hashes
    assert verify_with_sidecar(tmp_path / "s.tracker.onnx").passed
    assert verify_with_sidecar(tmp_path / "s.onnx").passed
