"""``locoexport eval --live``: a report for each window, each frame from the past alone."""

import json
from pathlib import Path

import pytest
from annotated import make_clip, write_pickle
from exported import export_once

from locoexport.contract.profile import load_profile

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def live() -> Path:
    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
    return export_once(profile, live="open")


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return write_pickle(tmp_path / "davis.pkl", {"one": make_clip(0)})


def test_a_report_for_each_window(run, live: Path, davis: Path) -> None:
    finished = run("eval", live, "--dataset", davis, "--live", "2,4", "--json", "-")
    assert finished.code == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert document["schema"] == "locoexport.evals/1"
    two, four = document["datasets"]
    assert (two["live"], four["live"]) == (2, 4)
    assert two["sides"] == four["sides"] == ["onnx", "torch"]
    assert two["torch_against_onnx"]["p50_px"] < 4e-3
    assert two["mean"]["onnx"] != four["mean"]["onnx"]
    assert "ONNX fp32, live 2" in document["markdown"]
    assert "PyTorch, live 4" in document["markdown"]
    again = run("eval", live, "--dataset", davis, "--live", "4", "--json", "-")
    assert json.loads(again.stdout)["resumed"] == 1
    assert json.loads(again.stdout)["mean"] == four["mean"]


def test_the_report_says_how_it_was_asked(run, live: Path, davis: Path) -> None:
    finished = run("eval", live, "--dataset", davis, "--no-torch", "--live", "1")
    assert finished.code == 0, finished.stderr
    assert "each frame from the newest 1 frame alone, as they come" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "is a live export: say how many frames it looks at (--live 8)"),
        (("--live", "8", "--query-mode", "strided"), "which a live export cannot answer"),
        (("--live", "2,8", "--per-track", "a.csv"), "give --live one number"),
        (("--live", "2,8", "--film", "films"), "give --live one number"),
        (("--live", "0"), "--live '0': expected positive numbers"),
        (("--live", "1000"), "from 1 to 256"),
    ],
)
def test_what_cannot_be_live(run, live: Path, davis: Path, arguments, says: str) -> None:
    finished = run("eval", live, "--dataset", davis, "--no-torch", *arguments)
    assert finished.code == 2
    assert says in finished.stderr


def test_another_model_is_no_live_export(run, make_model, davis: Path) -> None:
    finished = run("eval", make_model(), "--dataset", davis, "--live", "8")
    assert finished.code == 2
    assert "is not a live export" in finished.stderr


def test_films_and_tracks_of_one_window(run, live: Path, davis: Path, tmp_path: Path) -> None:
    table, films = tmp_path / "a.csv", tmp_path / "films"
    films.mkdir()
    finished = run(
        *("eval", live, "--dataset", davis, "--no-torch", "--live", "3"),
        *("--per-track", table, "--film", films),
    )
    assert finished.code == 0, finished.stderr
    assert table.is_file()
    assert [path.suffix for path in films.iterdir()] == [".mp4"]
