"""benchmarks/gpu_setting.py: what is missing is named as the package to carry, before any work."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import gpu_setting
from gpu_setting import digest_sources, find_obstacles, list_missing


def test_missing_packages_are_named_and_nothing_is_imported(monkeypatch) -> None:
    monkeypatch.setattr(gpu_setting, "EXPORTING", {"onnx_of_nobody": "onnx-of-nobody"})
    package, carry, models = find_obstacles(exports=True, dry=True)
    assert package == "the package onnx-of-nobody is missing (module onnx_of_nobody)"
    assert carry == "carry them as wheels: onnx-of-nobody"
    assert "--models DIR" in models
    # Files made beforehand need no exporter.
    assert "onnx-of-nobody" not in str(find_obstacles(exports=False, dry=True))


def test_without_what_measures_no_files_help(monkeypatch) -> None:
    monkeypatch.setattr(gpu_setting, "MEASURING", {"torch_of_nobody": "torch"})
    monkeypatch.setattr(gpu_setting, "EXPORTING", {})
    assert "--models" not in str(find_obstacles(exports=True, dry=True))
    assert list_missing(["sys", "torch_of_nobody"]) == ["torch_of_nobody"]


def test_the_digest_is_that_of_the_sources(monkeypatch, tmp_path) -> None:
    assert digest_sources() == digest_sources()
    folder = tmp_path / "locoexport"
    folder.mkdir()
    monkeypatch.setattr(gpu_setting, "ROOT", tmp_path)
    (folder / "a.py").write_text("1")
    first = digest_sources()
    (folder / "a.py").write_text("2")
    assert digest_sources() != first
