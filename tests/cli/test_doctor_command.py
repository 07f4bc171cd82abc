"""``locoexport doctor``."""

import json
from dataclasses import replace

from locoexport.pipeline import doctor


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
        lambda: replace(whole, found=bare, problems=tuple(doctor.find_problems(bare))),
    )
    finished = run("doctor")
    assert finished.code == 0
    assert "apt-get install -y libgl1" in finished.stdout
    dead = replace(bare, providers=(), broken={"onnxruntime": "gone"})
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda: replace(whole, found=dead, problems=tuple(doctor.find_problems(dead))),
    )
    finished = run("doctor", "--json", "-")
    assert finished.code == 3
    assert json.loads(finished.stdout)["works"] is False
