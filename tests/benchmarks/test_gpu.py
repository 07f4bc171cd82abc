"""benchmarks/gpu.py: what is refused, what is resumed, what fits into the time, and a dry run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gpu import Budget, estimate, forget, read_document, run_parts
from gpu_setting import DRY_LABEL, Setting, digest_sources

from locoexport.runtime.session.providers import probe_provider

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu.py"


@dataclass(frozen=True)
class FakePart:
    name: str
    seconds: float = 1.0


class FakeWorker:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, **answers: dict) -> None:
        self.answers, self.asked = answers, []

    def measure(self, part: FakePart, seconds: float) -> dict:
        self.asked.append(part.name)
        return self.answers.get(part.name, {"state": "measured", "seconds": 0.1})


def empty() -> dict:
    return {"parts": {}, "unfinished": {}}


def budget(minutes: float = 1.0) -> Budget:
    return Budget(time.monotonic(), minutes)


def measure(names: str, document: dict, worker: FakeWorker, limit: Budget | None = None):
    kept: list[int] = []
    parts = [FakePart(name) for name in names.split()]
    left = run_parts(
        parts,
        document,
        worker,
        limit or budget(),
        lambda text: None,
        lambda: kept.append(len(document["parts"])),
    )
    return left, kept


def test_every_part_is_kept_as_it_ends_and_none_is_measured_twice() -> None:
    document, worker = empty(), FakeWorker(b={"state": "failed", "error": "x", "seconds": 1.0})
    left, kept = measure("a b", document, worker)
    assert (left, kept) == ([], [1, 2])
    left, kept = measure("a b c", document, worker)
    assert (left, kept) == ([], [3])
    assert worker.asked == ["a", "b", "c"]
    assert document["parts"]["b"]["state"] == "failed"


def test_what_does_not_fit_into_the_time_is_left_and_smaller_parts_go_on() -> None:
    document, worker = empty(), FakeWorker()
    document["unfinished"]["a"] = 100.0
    left, _ = measure("a b", document, worker)
    assert left == ["a"]
    assert worker.asked == ["b"]


def test_a_part_that_was_ended_is_no_result() -> None:
    document = empty()
    worker = FakeWorker(a={"state": "unfinished", "seconds": 20.0})
    left, _ = measure("a", document, worker)
    assert left == ["a"]
    assert document == {"parts": {}, "unfinished": {"a": 20.0}}
    assert estimate(FakePart("a"), document) == pytest.approx(26.0)
    measure("a", document, FakeWorker())
    assert document["unfinished"] == {}
    assert document["parts"]["a"]["state"] == "measured"


def test_an_estimate_is_that_of_its_kind() -> None:
    document = empty()
    document["parts"] = {
        "fp16 b0": {"state": "measured", "seconds": 10.0},
        "fp16 b2": {"state": "failed", "seconds": 99.0, "error": ""},
        "torch b0": {"state": "measured", "seconds": 50.0},
        "tensorrt b0": {"state": "absent", "seconds": 1.0, "error": ""},
    }
    assert estimate(FakePart("tensorrt b2", 240.0), document) == pytest.approx(1.3)
    assert estimate(FakePart("fp16 b5", 40.0), document) == pytest.approx(13.0)
    assert estimate(FakePart("bf16 b5", 40.0), document) == 40.0


def test_failed_parts_or_those_that_begin_so_are_measured_again() -> None:
    parts = {"fp16 a": {"state": "measured"}, "fp16 b": {"state": "failed"}, "torch a": {}}
    parts["torch a"] = {"state": "absent"}
    for again, stay in (("failed", "fp16 a,torch a"), ("fp16", "torch a"), (None, ",".join(parts))):
        document = {"parts": dict(parts), "unfinished": {"fp16 c": 9.0}}
        forget(document, again)
        assert ",".join(document["parts"]) == stay
        assert bool(document["unfinished"]) == (again != "fp16")


def test_figures_of_two_machines_or_sources_do_not_mix(tmp_path) -> None:
    setting = Setting("cpu", True, None, tmp_path)
    document = read_document(tmp_path / "gpu.json", setting, anew=False)
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps(document))
    assert read_document(path, setting, anew=False) == document
    path.write_text(json.dumps(document | {"sources": "other", "parts": {"a": {}}}))
    with pytest.raises(SystemExit, match=r"sources differ.*--anew"):
        read_document(path, setting, anew=False)
    assert read_document(path, setting, anew=True)["parts"] == {}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.skipif(probe_provider("cuda").works, reason="there is a GPU")
def test_without_a_gpu_it_ends_with_3_and_says_what_is_missing() -> None:
    done = run()
    assert done.returncode == 3
    assert "ONNX Runtime cannot use CUDA: " in done.stderr
    assert probe_provider("cuda").missing in done.stderr
    assert "--provider cpu --dry" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dry"],
        ["--provider", "cpu"],
        ["--provider", "cpu", "--dry", "--out", str(ROOT / "docs")],
        ["--minutes", "0"],
    ],
)
def test_options_that_contradict_one_another_are_refused(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2


@pytest.mark.slow
def test_a_dry_run_says_so_on_every_line_and_is_resumed(tmp_path) -> None:
    models, out = tmp_path / "models", tmp_path / "out"
    models.mkdir()
    # The shipped file is what the benchmark would make for this target.
    shipped = ROOT / "export_profiles" / "b0-tiny.onnx"
    shutil.copy(shipped, models / "b0-tiny-gather-cpu-fp32.onnx")
    (models / "made-of.json").write_text(json.dumps({"sources": digest_sources()}))
    only = ["--only", "parity b0-tiny gather cpu", "--out", str(out), "--models", str(models)]
    before = (ROOT / "docs" / "gpu.md").read_bytes()
    done = run("--provider", "cpu", "--dry", *only)
    assert done.returncode == 0, done.stderr
    for line in filter(None, (done.stdout + done.stderr).split("\n")):
        assert DRY_LABEL in line or line.startswith("|---"), line
        assert "CUDA" not in line, line
    document = json.loads((out / "gpu.json").read_text())
    assert document["dry"] is True
    (row,) = document["parts"].values()
    assert (row["state"], list(row["placement"])) == ("measured", ["cpu"])
    assert 0 < row["px"] < 4e-3
    again = run("--provider", "cpu", "--dry", *only)
    assert again.returncode == 0
    assert "begun" not in again.stderr
    assert json.loads((out / "gpu.json").read_text()) == document
    assert (ROOT / "docs" / "gpu.md").read_bytes() == before
