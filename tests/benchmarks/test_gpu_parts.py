"""benchmarks/gpu_parts.py: some parts, measured without a GPU."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gpu_bfloat16 import bfloat16_support
from gpu_files import FileSpec
from gpu_marked_tests import count_outcomes, find_marked
from gpu_parts import measure_part
from gpu_plan import Part
from gpu_setting import Setting

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "export_profiles" / "b0-tiny.onnx"
FILE = FileSpec("b0-tiny", target="cpu")


@pytest.fixture
def setting(tmp_path) -> Setting:
    """A dry run that finds the shipped file, and has no other."""
    shutil.copy(SHIPPED, tmp_path / FILE.file_name)
    return Setting("cpu", True, tmp_path, tmp_path / "work")


def test_a_bound_graph_races_a_plain_one(setting) -> None:
    row = measure_part(Part("binding", 1, FILE, 2, 3), setting)
    assert row["state"] == "measured", row
    bound, plain = row["rows"]
    assert (bound["name"], plain["name"]) == ("bound", "plain run")
    assert bound["ratio"]["median"] == 1
    assert plain["ms"]["median"] > 0
    assert plain["p99_px"] < 4e-3
    assert bound["p99_px"] == plain["p99_px"]


def test_autocast_is_another_function_and_eager_is_the_oracle(setting) -> None:
    row = measure_part(Part("torch", 1, FILE, 2, 3), setting)
    ours, eager, tf32, autocast = row["rows"]
    assert 0 < ours["p99_px"] < 4e-3
    assert eager["p99_px"] < 1e-3
    assert tf32["error"] is None
    assert autocast["name"] == "torch autocast bf16"
    assert autocast["error"] is None
    assert autocast["p99_px"] > 10 * ours["p99_px"]


def test_a_file_that_cannot_be_found_or_made_fails_its_part_alone(setting, monkeypatch) -> None:
    monkeypatch.setattr("gpu_files.list_missing", lambda modules: ["onnxsim"])
    row = measure_part(Part("parity", 1, FileSpec("b0-tiny", "planar")), setting)
    assert row["state"] == "failed"
    assert "b0-tiny-planar-cuda-fp32.onnx is not in " in row["error"]
    assert "onnxsim missing" in row["error"]


def test_tensorrt_is_never_a_pass_in_a_dry_run(setting) -> None:
    row = measure_part(Part("tensorrt", 1, FILE, 2, 3), setting)
    assert row == {"state": "absent", "error": "a dry run has the CPU provider alone"}


def test_the_tests_with_the_mark_are_found_and_counted() -> None:
    assert "parity_tests/test_cuda.py" in find_marked("cuda")
    found = count_outcomes(
        '<testsuites><testsuite><testcase classname="a" name="p"/>'
        '<testcase classname="a" name="q"><failure message="no"/></testcase>'
        '<testcase classname="a" name="r"><skipped message="no card"/></testcase>'
        '<testcase classname="a" name="s"><error message="broke"/></testcase>'
        "</testsuite></testsuites>"
    )
    counts = {key: found[key] for key in ("passed", "failed", "skipped")}
    assert counts == {"passed": 1, "failed": 2, "skipped": 1}
    assert found["reason"] == "no card"
    assert found["failing"] == ["a::q", "a::s"]


def test_convolutions_and_samples_take_no_bfloat16_at_our_opsets() -> None:
    limits = bfloat16_support(SHIPPED)
    first = {kind: opset for kind, _, opset in limits.by_standard}
    assert limits.opset == 17
    assert first["Conv"] == 22
    assert "MatMul" not in first
    assert limits.float_nodes > sum(count for _, count, _ in limits.by_standard) > 0
