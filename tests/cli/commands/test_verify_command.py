"""``locoexport verify``: it can pass, it can fail, and it knows which weights it needs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
import torch

from locoexport.graphs.walking import iterate_nodes
from locoexport.models import locotrack
from locoexport.runtime.session.providers import probe_provider

# A real network is traced.
pytestmark = pytest.mark.slow

# Making a fresh export to look for the node takes seconds.
NO = "--no-localise"
WITHOUT_CUDA = pytest.mark.skipif(probe_provider("cuda").works, reason="CUDA works here")


def edit_weight(model: onnx.ModelProto, name: str, edit: Callable[[np.ndarray], None]) -> None:
    """Change one initializer in place."""
    (tensor,) = (t for t in model.graph.initializer if t.name.endswith(name))
    values = onnx.numpy_helper.to_array(tensor).copy()
    edit(values)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def edit_property(model: onnx.ModelProto, name: str, value: str) -> None:
    (entry,) = (p for p in model.metadata_props if p.key == f"locoexport.{name}")
    entry.value = value


@pytest.fixture
def edited(exported: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the exported file after ``edit(model, ...)``; the original stays as it is."""

    def write(edit: Callable[..., None], *arguments: object) -> Path:
        model = onnx.load(exported)
        edit(model, *arguments)
        onnx.save(model, tmp_path / "edited.onnx")
        return tmp_path / "edited.onnx"

    return write


def test_a_good_file_passes(exported: Path, run) -> None:
    finished = run("verify", exported)
    assert finished.code == 0
    lines = finished.stdout.splitlines()
    # A line an input, one for all, and the verdict; what is in every output needs -v.
    assert sum(line.startswith("textured 1x3x4 ") for line in lines) == 5
    (verdict,) = (line for line in lines if line.startswith("PASS "))
    assert re.fullmatch(r"PASS +p50 \S+ px, p99 \S+ px, worst \S+ px from PyTorch .*", verdict)
    assert "expected_dist" not in finished.stdout
    assert "on cpu)" in finished.stdout
    assert "parity: textured 1x3x4" in finished.stderr


@pytest.mark.parametrize("arguments", [("-v", "verify"), ("verify", "-v")])
def test_verbose_shows_every_output(arguments, exported: Path, run) -> None:
    finished = run(*arguments, exported)
    assert finished.code == 0
    assert finished.stdout.count("expected_dist [logit]") == 6
    assert "at b, point, frame" in finished.stdout


def test_json_is_one_document_on_stdout(exported: Path, run) -> None:
    finished = run("verify", exported, "--json", "-")
    document = json.loads(finished.stdout)
    assert finished.code == 0
    assert (document["schema"], document["passed"]) == ("locoexport.verify/1", True)
    assert document["file"] == str(exported)
    assert document["metadata"]["locoexport.variant"] == "b0-tiny"
    parity = document["parity"]
    assert parity["passed"]
    assert parity["provider"] == "cpu"
    assert list(parity["node_placement"]) == ["cpu"]
    assert parity["node_placement"]["cpu"] > 100
    assert [case["name"] for case in parity["cases"]] == [
        *["textured 1x3x4"] * 5,
        "noise 1x3x4",
    ]
    assert 0 < parity["worst_px"] <= parity["tolerance"]["tracks_px"] == 4e-3


def test_json_into_a_file(exported: Path, run, tmp_path: Path) -> None:
    finished = run("--quiet", "verify", exported, "--json", tmp_path / "report.json")
    assert (finished.code, finished.stderr) == (0, "")
    assert json.loads((tmp_path / "report.json").read_text())["passed"]
    assert "PASS" in finished.stdout


def test_a_real_clip_is_tried_as_well(exported: Path, clip: Path, run) -> None:
    finished = run("verify", exported, "--video", clip, "--json", "-")
    cases = json.loads(finished.stdout)["parity"]["cases"]
    assert [case["name"] for case in cases][-1] == "clip clip.mp4"
    assert finished.code == 0


def test_a_clip_of_another_length_than_the_file_is_fixed_to(
    exported: Path, run, tmp_path: Path
) -> None:
    from locoexport.runtime.video.mp4 import write_mp4

    write_mp4(tmp_path / "short.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2, 10)
    finished = run("verify", exported, "--video", tmp_path / "short.mp4")
    assert finished.code == 2
    assert "has 2 frames; this model is fixed to 3" in finished.stderr


@pytest.mark.parametrize(
    ("weight", "output"),
    [("cost_conv.weight", "tracks"), ("occ_linear.bias", "occlusion")],
)
def test_one_perturbed_weight_fails(weight: str, output: str, edited, run) -> None:
    def perturb(values: np.ndarray) -> None:
        values.flat[0] += 0.5

    finished = run("verify", edited(edit_weight, weight, perturb), NO, "--json", "-")
    document = json.loads(finished.stdout)
    assert finished.code == 1
    assert not document["passed"]
    failed = {
        row["output"]
        for case in document["parity"]["cases"]
        for row in case["outputs"]
        if row["beyond_tolerance"]
    }
    assert output in failed


def add_nan(model: onnx.ModelProto, output: str) -> None:
    """Put an addition of NaN before an output."""
    (node,) = (node for node in model.graph.node if output in node.output)
    node.output[list(node.output).index(output)] = "before"
    nan = onnx.numpy_helper.from_array(np.array(np.nan, np.float32), "nan")
    model.graph.initializer.append(nan)
    model.graph.node.append(onnx.helper.make_node("Add", ["before", "nan"], [output]))


@pytest.mark.parametrize(("output", "unit"), [("tracks", "px"), ("occlusion", "logit")])
def test_nan_outputs_fail(output: str, unit: str, edited, run) -> None:
    finished = run("verify", edited(add_nan, output), NO, "--json", "-")
    parity = json.loads(finished.stdout)["parity"]
    assert finished.code == 1
    assert parity[f"worst_{unit}"] is None  # JSON knows no infinity
    (row,) = (row for row in parity["cases"][0]["outputs"] if row["output"] == output)
    assert (row["worst"], row["p99"], row["found"]) == (None, None, None)


def test_nan_weights_fail(edited, run) -> None:
    path = edited(edit_weight, "occ_linear.bias", lambda values: values.fill(np.nan))
    assert run("verify", path, NO).code == 1


def test_a_stricter_tolerance_fails_what_the_profiles_own_allows(edited, run) -> None:
    def shift(values: np.ndarray) -> None:
        values[0] += 2e-4  # dx, four times

    path = edited(edit_weight, "output_proj.bias", shift)
    assert run("verify", path).code == 0
    finished = run("verify", path, NO, "--tolerance-px", "1e-4", "--json", "-")
    document = json.loads(finished.stdout)
    assert finished.code == 1
    assert document["parity"]["tolerance"]["tracks_px"] == 1e-4
    assert document["parity"]["tolerance"]["origin"] == "--tolerance-px"


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan", "inf"])
def test_impossible_tolerances(tolerance: str, exported: Path, run) -> None:
    finished = run("verify", exported, "--tolerance-px", tolerance)
    assert finished.code == 2
    assert "expected a positive number" in finished.stderr


def test_the_wrong_checkpoint(exported: Path, run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "b0-tiny.safetensors"
    torch.save(locotrack.create_model("b0-tiny").state_dict(), checkpoint)
    finished = run("verify", exported, "--checkpoint", checkpoint)
    assert (finished.code, finished.stdout) == (2, "")
    assert f"{checkpoint} is not what {exported} was made from: sha256 " in finished.stderr


def test_a_missing_checkpoint(exported: Path, run) -> None:
    finished = run("verify", exported, "--checkpoint", "no.ckpt")
    assert finished.code == 2
    assert "There is no checkpoint file no.ckpt" in finished.stderr


def test_weights_that_are_nowhere(edited, run) -> None:
    path = edited(edit_property, "weights", "last.ckpt sha256:" + "0" * 64)
    finished = run("verify", path)
    assert (finished.code, finished.stdout) == (2, "")
    assert "are neither beside it nor in" in finished.stderr
    assert "pass --checkpoint FILE" in finished.stderr


def test_a_file_of_that_name_with_other_bytes_is_not_taken(edited, run) -> None:
    path = edited(edit_property, "weights", "last.ckpt sha256:" + "0" * 64)
    (path.parent / "last.ckpt").write_bytes(b"other")
    assert run("verify", path).code == 2


def test_seeded_metadata_with_a_checkpoint(edited, run, tmp_path: Path) -> None:
    path = edited(edit_property, "weights", "seeded")
    finished = run("verify", path, "--checkpoint", tmp_path / "last.ckpt")
    assert finished.code == 2
    assert "was exported with seeded weights" in finished.stderr


def test_metadata_that_claims_other_weights_fails(edited, run) -> None:
    """The file holds the trained weights and says it holds the seeded ones."""
    assert run("verify", edited(edit_property, "weights", "seeded"), NO).code == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("variant", "b9", "variant 'b9', which this version does not know"),
        ("schema", "locoexport.artifact/9", "schema is 'locoexport.artifact/9'"),
        ("resolution", "128x64", "contradicts itself"),
        ("parity", "{", "locoexport.parity cannot be read"),
    ],
)
def test_metadata_that_cannot_be(name: str, value: str, says: str, edited, run) -> None:
    finished = run("verify", edited(edit_property, name, value))
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr


def test_a_foreign_onnx_file(run, tmp_path: Path) -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Add(x, x) }'
    )
    onnx.save(graph, tmp_path / "foreign.onnx")
    finished = run("verify", tmp_path / "foreign.onnx")
    assert finished.code == 2
    assert "carries no locoexport metadata" in finished.stderr


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file(kept: float, exported: Path, run, tmp_path: Path) -> None:
    data = exported.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: int(len(data) * kept)])
    finished = run("verify", tmp_path / "cut.onnx")
    assert finished.code == 2
    assert f"cannot open {tmp_path / 'cut.onnx'}" in finished.stderr


@pytest.mark.parametrize("command", ["verify", "track"])
def test_a_file_that_is_not_there(command: str, clip: Path, run, tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    arguments = [path] if command == "verify" else [clip, "--model", path, "-o", tmp_path / "a.mp4"]
    finished = run(command, *arguments)
    assert finished.code == 2
    assert f"There is no model file {path}" in finished.stderr


def provider_arguments(command: str, provider: str, exported: Path, clip: Path) -> list[object]:
    files = [exported] if command == "verify" else [clip, "--model", exported, "-o", "a.mp4"]
    return [command, *files, "--provider", provider]


@WITHOUT_CUDA
@pytest.mark.parametrize("command", ["verify", "track"])
def test_cuda_where_there_is_none_never_falls_back(
    command: str, exported: Path, clip: Path, run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = run(*provider_arguments(command, "cuda", exported, clip))
    assert (finished.code, finished.stdout) == (3, "")
    assert "cuda" in finished.stderr
    assert probe_provider("cuda").missing in finished.stderr
    assert "cpu" in finished.stderr  # which providers there are
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "track"])
def test_an_unknown_provider(
    command: str, exported: Path, clip: Path, run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = run(*provider_arguments(command, "abacus", exported, clip))
    assert finished.code == 2
    assert "There is no provider 'abacus'; the providers are cpu, cuda" in finished.stderr


def test_localise_on_a_good_file(exported: Path, run) -> None:
    finished = run("verify", exported, "--localise", "--json", "-")
    document = json.loads(finished.stdout)
    assert (finished.code, document["passed"]) == (0, True)
    found = document["localisation"]
    assert (found["departs"], found["node"], found["missing_seams"]) == (None, None, [])
    assert not any(seam["departs"] for seam in found["seams"])
    assert {seam["part"] for seam in found["seams"]} == {
        "backbone",
        "query sampling",
        "cost volume",
        "refinement",
    }


def test_a_failed_file_is_localised_by_itself(edited, run) -> None:
    """Against a fresh export that is really made."""

    def perturb(values: np.ndarray) -> None:
        values.flat[0] += 0.5

    finished = run("verify", edited(edit_weight, "cost_conv.weight", perturb))
    assert finished.code == 1
    assert "DEPARTS at cost volume: heatmap (seam " in finished.stdout
    assert "of the cost volume" in finished.stdout
    assert "cost_conv.weight differs in 1 of 18 numbers, first at (0, 0, 0, 0)" in finished.stdout


def test_a_file_without_seams_says_so(edited, run) -> None:
    """As files were written before seams had names."""

    def forget(model: onnx.ModelProto) -> None:
        for node in iterate_nodes(model):
            for names in (node.input, node.output):
                names[:] = [name.replace("/seam/", "/old/") for name in names]

    path = edited(forget)
    finished = run("verify", path, "--localise")
    assert (finished.code, finished.stdout) == (2, "")
    assert "without the names of its seams" in finished.stderr
    assert "Export it again with this version" in finished.stderr
    assert run("verify", path).code == 0
