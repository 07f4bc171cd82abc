"""``verify`` of a file in fp16: judged by its own limits, and each way in which it fails."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
from exported import export_once, seeded_profile
from test_verify_command import NO, edit_property, edit_weight
from test_verify_sidecars import locoexport
from tiny_costs import measure_quickly

from locoexport.machine.writing.output_files import sha256_of
from locoexport.parity.sidecar import PRECISION_SCHEMA, sidecar_path
from locoexport.pipeline.assembly.graph import FinishedGraph
from locoexport.pipeline.proof import localisation as localise

# A real network is traced.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tiny_graph: FinishedGraph) -> None:
    """The few sequences that the file was measured on; a fresh export needs no trace."""
    measure_quickly(monkeypatch)
    monkeypatch.setattr(localise, "build_graph", lambda *arguments, **keywords: tiny_graph)


@pytest.fixture
def edited(exported_half: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the file after ``edit(model, ...)``."""

    def write(edit: Callable[..., None], *arguments: object) -> Path:
        model = onnx.load(exported_half)
        edit(model, *arguments)
        onnx.save(model, tmp_path / "edited.onnx")
        return tmp_path / "edited.onnx"

    return write


def set_limit(model: onnx.ModelProto, limit_px: float | None) -> None:
    """Change the limit in locoexport.cost; None takes it away."""
    (entry,) = (p for p in model.metadata_props if p.key == "locoexport.cost")
    cost = json.loads(entry.value)
    assert cost.pop("limit_px") == 0.25
    entry.value = json.dumps(cost if limit_px is None else cost | {"limit_px": limit_px})


def add(model: onnx.ModelProto, output: str, what: float) -> None:
    """Put the addition of a number before an output."""
    (node,) = (node for node in model.graph.node if output in node.output)
    node.output[list(node.output).index(output)] = "before"
    tensor = onnx.numpy_helper.from_array(np.array(what, np.float32), "added")
    model.graph.initializer.append(tensor)
    model.graph.node.append(onnx.helper.make_node("Add", ["before", "added"], [output]))


def test_a_good_file_passes_by_its_own_limit(exported_half: Path, run) -> None:
    finished = run("verify", exported_half)
    assert finished.code == 0, finished.stdout
    assert "\nPASS " in finished.stdout
    assert "(p99 allowed 0.25 px)" in finished.stdout
    assert "\non export " in finished.stdout
    assert re.search(r"\njudged as +fp16: ", finished.stdout)
    assert "warning" not in finished.stderr


def test_json(exported_half: Path, clip: Path, run) -> None:
    finished = run("verify", exported_half, "--video", clip, "--json", "-")
    document = json.loads(finished.stdout)
    assert (finished.code, document["passed"]) == (0, True)
    parity = document["parity"]
    assert parity["judged_as"] == parity["tolerance"]["precision"] == "fp16"
    assert 0 < parity["p99_px"] <= parity["tolerance"]["p99_px"] == 0.25
    assert parity["exported_p99_px"] == pytest.approx(parity["groups"][0]["p99_px"], rel=0.1)
    names = [(group["name"], group["held"], group["passed"]) for group in parity["groups"]]
    assert names == [
        ("generated sequences", True, True),
        ("other shapes", False, True),
        (f"clip {clip.name}", True, True),
    ]
    assert len(parity["groups"][1]["cases"]) == 5
    assert parity["node_placement"]["cpu"] > 100
    assert (document["localisation"], document["growth"]) == (None, None)


def test_a_limit_of_ones_own(exported_half: Path, run) -> None:
    finished = run("verify", exported_half, "--tolerance-px", "1e-7", NO)
    assert finished.code == 1
    assert "\nFAIL " in finished.stdout
    assert "(p99 allowed 1e-07 px)" in finished.stdout
    assert "--tolerance-px" in finished.stdout


def test_a_file_that_was_forced_beyond_its_limit_fails(edited, run) -> None:
    assert run("verify", edited(set_limit, 1e-7), NO).code == 1


def test_a_file_cannot_allow_itself_more_than_this_installation(edited, run) -> None:
    def forge(model: onnx.ModelProto) -> None:
        set_limit(model, 1e9)
        (entry,) = (p for p in model.metadata_props if p.key == "locoexport.cost")
        entry.value = json.dumps(json.loads(entry.value) | {"flip_share": 1.0})
        add(model, "tracks", 100.0)

    finished = run("verify", edited(forge), NO, "--json", "-")
    parity = json.loads(finished.stdout)["parity"]
    assert finished.code == 1
    assert (parity["tolerance"]["p99_px"], parity["tolerance"]["flip_share"]) == (0.25, 0.02)


def test_a_float32_file_that_calls_itself_fp16_is_refused(
    exported_half: Path, run, tmp_path: Path
) -> None:
    half = onnx.load(exported_half)
    path = tmp_path / "forged.onnx"
    shutil.copy(export_once(seeded_profile("b0-tiny").with_options(resolution_hw=(64, 64))), path)
    model = onnx.load(path)
    del model.metadata_props[:]
    model.metadata_props.extend(half.metadata_props)
    onnx.save(model, path)
    for options in ([NO], ["--sidecar", "auto"]):
        finished = run("verify", path, *options)
        assert finished.code == 2
        assert "contradicts itself: its metadata says that it computes in fp16" in finished.stderr


def test_an_early_file_without_its_limit_is_held_to_the_profiles(edited, run) -> None:
    finished = run("verify", edited(set_limit, None), "--json", "-")
    assert finished.code == 0
    tolerance = json.loads(finished.stdout)["parity"]["tolerance"]
    assert tolerance["p99_px"] == 0.25
    assert tolerance["origin"].startswith("b0-tiny with its trained weights")


def test_a_perturbed_weight_fails_and_its_node_is_named(edited, run) -> None:
    def perturb(values: np.ndarray) -> None:
        values.flat[0] += 0.5

    path = edited(edit_weight, "cost_conv.weight", perturb)
    finished = run("verify", path)
    assert finished.code == 1
    assert "\nFAIL " in finished.stdout
    assert re.search(r"\njudged as +fp16: ", finished.stdout)
    assert "inside, as fp16 on a generated sequence" in finished.stdout
    assert "cost_conv.weight differs in 1 of 18 numbers" in finished.stdout
    growth = json.loads(run("verify", path, "--json", "-").stdout)["growth"]
    assert growth["faulty"]
    assert growth["node"]["part"] == "cost volume"


def test_localise_on_a_good_file_tells_which_stage_costs_most(exported_half: Path, run) -> None:
    finished = run("verify", exported_half, "--localise", "--json", "-")
    document = json.loads(finished.stdout)
    assert (finished.code, document["passed"]) == (0, True)
    growth = document["growth"]
    assert (growth["node"], growth["faulty"], growth["missing_seams"]) == (None, False, [])
    assert growth["seams_compared_with_fresh"] == len(growth["seams"]) > 60
    stages = {stage["stage"]: stage for stage in growth["stages"]}
    assert growth["costliest"] in stages
    assert stages["backbone"]["comes_in"] == 0
    # Eleven bits, a few operations: between one and a hundred roundings.
    assert 2**-12 < stages["backbone"]["goes_out"] < 100 * 2**-12
    assert stages["refinement 3: transformer"]["tracks_p50_px"] > 0


def test_flips_fail(edited, run) -> None:
    finished = run("verify", edited(add, "occlusion", 100.0), NO, "--json", "-")
    (group, *_) = json.loads(finished.stdout)["parity"]["groups"]
    assert finished.code == 1
    assert group["flip_share"] > 0.5
    assert group["p99_px"] < 0.25


@pytest.mark.parametrize("output", ["tracks", "expected_dist"])
def test_no_numbers_fail(output: str, edited, run) -> None:
    finished = run("verify", edited(add, output, np.nan), NO)
    assert finished.code == 1
    assert "points and frames hold no number" in finished.stdout


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda model: model.metadata_props.remove(
                next(p for p in model.metadata_props if p.key == "locoexport.cost")
            ),
            "does not say what that cost on export",
        ),
        (lambda model: edit_property(model, "precision", "fp8"), "precision is 'fp8'"),
    ],
)
def test_what_cannot_be_judged_is_refused(edit, says: str, edited, run) -> None:
    finished = run("verify", edited(edit))
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr


def test_a_sidecar_of_that_precision(exported_half: Path, tmp_path: Path) -> None:
    for file in (exported_half, sidecar_path(exported_half)):
        shutil.copy(file, tmp_path)
    done = locoexport("verify", "half.onnx", "--sidecar", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    parity = document["parity"]
    assert (document["passed"], parity["judged_as"]) == (True, "fp16")
    assert parity["tolerance"]["p99_px"] == 0.25
    assert parity["exported_p99_px"] == pytest.approx(parity["p99_px"], rel=0.1)
    strict = locoexport("verify", "half.onnx", "--sidecar", "--tolerance-px=1e-7", cwd=tmp_path)
    assert strict.returncode == 1
    assert "(p99 allowed 1e-07 px)" in strict.stdout


def test_a_sidecar_fails_a_file_that_answers_otherwise(
    exported_half: Path, edited, run, tmp_path: Path
) -> None:
    def perturb(values: np.ndarray) -> None:
        values *= -1  # all weights of the heatmap: no tracker bears that

    path = edited(edit_weight, "cost_conv.weight", perturb)
    with np.load(sidecar_path(exported_half)) as stored:
        arrays = dict(stored)
    header = json.loads(bytes(arrays["header"]))
    assert header["schema"] == PRECISION_SCHEMA
    header["model_sha256"]["whole"] = sha256_of(path)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "edited.parity.npz", **arrays)
    finished = run("verify", path, "--sidecar", "auto")
    assert finished.code == 1
    assert "\nFAIL " in finished.stdout
    assert re.search(r"\njudged as +fp16: ", finished.stdout)
