"""``locoexport doctor``."""

import json
from dataclasses import replace

import pytest

from locoexport.errors import MachineError
from locoexport.pipeline import doctor
from locoexport.pipeline.diagnosis import outlook as node_placement
from locoexport.runtime.session.placement import Elsewhere, Placement
from locoexport.runtime.session.providers import PROVIDERS, working_providers


def test_text(run) -> None:
    finished = run("doctor")
    assert (finished.code, finished.stderr) == (0, "")
    for said in ("Python", "onnxruntime", "cpu       works", "cache", "memory", "cuda"):
        assert said in finished.stdout


def test_document(run) -> None:
    document = json.loads(run("doctor", "--json", "-").stdout)
    assert document["schema"] == "locoexport.doctor/1"
    assert document["works"] is True
    assert document["packages"]["numpy"]
    assert document["providers"][0]["name"] == "cpu"
    assert document["cpu"]["usable_cores"] >= 1
    for problem in document["problems"]:
        assert problem["text"]


def test_exit_code_hangs_on_the_cpu_provider_alone(run, monkeypatch) -> None:
    whole = doctor.examine()
    packages = tuple(replace(package, version=None) for package in whole.found.packages)
    bare = replace(whole.found, packages=packages, broken={"cv2": "libGL.so.1 is missing"})
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda model: replace(whole, found=bare, problems=tuple(doctor.find_problems(bare))),
    )
    finished = run("doctor")
    assert finished.code == 0
    assert "apt-get install -y libgl1" in finished.stdout
    dead = replace(bare, providers=(), broken={"onnxruntime": "gone"})
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda model: replace(whole, found=dead, problems=tuple(doctor.find_problems(dead))),
    )
    finished = run("doctor", "--json", "-")
    assert finished.code == 3
    assert json.loads(finished.stdout)["works"] is False


def test_a_file_on_every_provider(run, exported) -> None:
    """Run on those that work here, forecast on the others: each provider once."""
    document = json.loads(run("doctor", exported, "--json", "-").stdout)["model"]
    ran = {row["provider"]: row for row in document["ran"]}
    forecast = {row["provider"]: row for row in document["providers_forecast"]}
    assert set(ran) == set(working_providers())
    assert set(ran) | set(forecast) == set(PROVIDERS)
    assert ran["cpu"]["node_placement"]["cpu"] > 500
    assert all(row["failure"] is None and row["elsewhere"] == [] for row in ran.values())
    assert document["no_forecast"] is None
    if "coreml" in forecast:
        assert forecast["coreml"]["undecided"] > 0
        assert forecast["coreml"]["source"].startswith("https://")


def test_a_file_of_which_some_nodes_ran_elsewhere_or_that_failed(
    run, exported, monkeypatch
) -> None:
    def place(path, provider):
        if provider == "cpu":
            return Placement("cpu", (("cpu", 7),), (Elsewhere("cost volume", "Mod", "dml", 2),))
        raise MachineError("it broke")

    monkeypatch.setattr(node_placement, "place_nodes", place)
    found = node_placement.foresee(exported, ["cpu", "cuda"], ["webgpu"])
    seen = replace(doctor.examine(), outlook=found)
    monkeypatch.setattr(doctor, "examine", lambda model: seen)
    finished = run("doctor", exported)
    assert finished.code == 0
    said = [" ".join(line.split()) for line in finished.stdout.splitlines()]
    assert "cpu ran 7 on cpu 2 Mod of cost volume on dml" in said
    assert "cuda failed it broke" in said
    assert any(line.startswith("webgpu forecast ") for line in said)


@pytest.mark.parametrize("text", ["not an onnx file", None])
def test_a_file_that_is_none(run, tmp_path, text) -> None:
    path = tmp_path / "no.onnx"
    if text is not None:
        path.write_text(text)
    finished = run("doctor", path)
    if text is None:
        assert (finished.code, finished.stdout) == (2, "")
        assert "There is no model file" in finished.stderr
    else:
        assert finished.code == 0
        assert "cpu" in finished.stdout
        assert "failed" in finished.stdout
        assert "No forecast" in finished.stdout
