"""``locoexport bench``."""

import importlib.util
import json

import matplotlib.image
import pytest

from locoexport.benchmarking import matrix_products as gemm
from locoexport.machine.hardware import Load
from locoexport.pipeline import bench
from locoexport.runtime.session.providers import probe_provider


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(gemm, "_SIDE", {"cpu": 64})
    monkeypatch.setattr(bench, "measure_load", lambda: Load(0.0, 0.0, 2))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.slow
def test_a_file_against_torch(run, exported, tmp_path) -> None:
    plot = tmp_path / "plot.png"
    finished = run("bench", exported, "--json", tmp_path / "b.json", "--plot", plot)
    assert finished.code == 0
    assert "torch eager" in finished.stdout
    assert "timing 3 x 4: 10 of 10" in finished.stderr
    document = json.loads((tmp_path / "b.json").read_text())
    (cell,) = document["cells"]
    assert (cell["frames"], cell["points"]) == (3, 4)
    assert cell["tracks_apart"]["median_px"] < 0.01
    assert cell["share_of_gemm"] > 0
    parts = {part["name"]: part["value"] for part in cell["parts"]["seconds_by_part"]}
    assert {"backbone", "transformer", "cost volume", "query sampling"} <= parts.keys()
    assert parts.get("unattributed", 0) < 0.05 * cell["parts"]["profiled_run"]
    assert document["node_placement"]["cpu"] > 500
    assert document["elsewhere"] == []
    assert matplotlib.image.imread(plot).ndim == 3


def test_quiet_document_on_stdout_and_nothing_else(run, exported) -> None:
    finished = run("-q", "bench", exported, "--against", "none", "--json", "-")
    assert (finished.code, finished.stderr) == (0, "")
    assert json.loads(finished.stdout)["schema"] == "locoexport.bench/1"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there(run, provider, tmp_path) -> None:
    if probe_provider(provider).works:
        pytest.skip(f"{provider} works here")
    finished = run("bench", "--provider", provider)
    assert (finished.code, finished.stdout) == (3, "")
    assert "onnxruntime-gpu[cuda,cudnn]" in finished.stderr
    assert not (tmp_path / "cache").exists()


def test_the_forecast_of_a_file_for_a_provider_that_is_not_there(run, exported) -> None:
    finished = run("bench", exported, "--provider", "coreml")
    if probe_provider("coreml").works:
        pytest.skip("coreml works here")
    assert (finished.code, finished.stdout) == (3, "")
    said = " ".join(finished.stderr.split())
    assert "nodes of tiny.onnx have a kernel there" in said
    assert "unknown: " in said
    assert "(not in its table)" in said
    assert "locoexport inspect" in run("bench", "--provider", "coreml").stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--provider", "gpu"], "no provider 'gpu'"),
        (["--backbone", "b99"], "no profile 'b99'"),
        (["--frames", "8,zero"], "--frames '8,zero'"),
        (["--points", "0"], "--points '0'"),
        (["--runs", "3"], "at least 10"),
        (["--plot", "picture.jpg"], "written as .png"),
        (["--plot", "/nowhere/plot.png"], "/nowhere does not exist"),
        (["--json", "/nowhere/b.json"], "/nowhere does not exist"),
        (["--against", "tensorflow"], "expected torch, compile, autocast, none or the path"),
        (["--against", "missing.onnx"], "no model file missing.onnx"),
        (["missing.onnx"], "no model file missing.onnx"),
        (["missing.onnx", "--backbone", "b0"], "pass one of them"),
    ],
)
def test_wrong_use(run, arguments, says) -> None:
    finished = run("bench", *arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in " ".join(finished.stderr.split())


def test_an_existing_plot_is_kept_without_force(run, exported, tmp_path) -> None:
    plot = tmp_path / "plot.png"
    plot.write_bytes(b"kept")
    finished = run("bench", exported, "--plot", plot)
    assert finished.code == 2
    assert "--force" in finished.stderr
    assert plot.read_bytes() == b"kept"


def test_a_plot_without_matplotlib(run, exported, tmp_path, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "matplotlib" else real(name),
    )
    finished = run("bench", exported, "--plot", tmp_path / "plot.png")
    assert (finished.code, finished.stdout) == (3, "")
    assert "pip install 'locoexport[plot]'" in finished.stderr
