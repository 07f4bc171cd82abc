"""``locoexport track`` with a file that ``locoexport tune`` wrote."""

import json
from pathlib import Path

import pytest
from tuned_files import tuned_tiny

from locoexport.machine.cores import usable_threads
from locoexport.runtime.session import opening
from locoexport.runtime.session.providers import ProviderProbe


@pytest.fixture
def track(clip: Path, tmp_path: Path, run):
    """Run ``track`` on a few points; gives what it printed and its JSON."""

    def track(model: Path, *arguments: str):
        report = tmp_path / "report.json"
        outputs = ("--tracks", tmp_path / "tracks.npz", "--json", report, "--force")
        finished = run("track", clip, "--model", model, "--points", "grid:2", *outputs, *arguments)
        return finished, json.loads(report.read_text()) if finished.code == 0 else {}

    return track


def test_the_choice_of_the_file_runs(track, tmp_path: Path) -> None:
    finished, report = track(tuned_tiny(tmp_path, "cpu", 64))
    assert finished.code == 0
    assert "chosen by tune" in finished.stdout
    assert (report["provider"], report["provider_chosen_by"]) == ("cpu", "tune")
    assert report["threads"] == usable_threads()
    assert report["warnings"] == []


def test_openvino_runs_where_it_is(track, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    finished, report = track(tuned_tiny(tmp_path, "openvino"))
    assert finished.code == 0
    assert (report["provider"], report["provider_chosen_by"]) == ("openvino", "tune")
    _, report = track(tuned_tiny(tmp_path, "openvino"), "--provider", "cpu")
    assert (report["provider"], report["provider_chosen_by"]) == ("cpu", "user")


def test_the_cpu_runs_where_the_choice_does_not(track, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        opening, "probe_provider", lambda name: ProviderProbe(name, name == "cpu", "it is away")
    )
    finished, report = track(tuned_tiny(tmp_path, "openvino"))
    assert finished.code == 0
    assert (report["provider"], report["provider_chosen_by"]) == ("cpu", "fallback")
    (warning,) = report["warnings"]
    assert "'openvino'" in warning
    assert "it is away" in warning
    assert "runs on the CPU" in finished.stderr


def test_a_provider_that_is_named_does_not_fall_back(track, tmp_path: Path) -> None:
    finished, _ = track(tuned_tiny(tmp_path, "cpu"), "--provider", "dml")
    assert finished.code == 3
