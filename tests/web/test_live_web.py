"""The page's live tracker against the Python runtime's, frame by frame, on the same files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from barcoded_film import FILM_HW, swinging_frame
from exported import live_once
from numpy.typing import NDArray

from locoexport.contract.profile import load_profile
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.runtime.session.split_files import name_live_files

ROOT = Path(__file__).parents[2]
_RUNNER = Path(__file__).with_name("follow_live.mjs")
_ORT = ROOT / "parity_tests" / "browser" / "node_modules" / "onnxruntime-web" / "dist"
COUNT = 8
POINTS = [[140.5, 80.5], [170.0, 110.25], [40.0, 250.0]]
ADDING = [{"after": 0, "points": POINTS}, {"after": 3, "points": [[120.5, 200.5]]}]
REMOVING = [{"after": 5, "ids": [1]}]
WINDOWS = (None, 1, 4)

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _modules(folder: Path) -> Path:
    """The page's modules and onnxruntime-web, where node takes .js files for ES modules."""
    shutil.copytree(ROOT / "locoexport" / "web" / "engine", folder / "engine")
    (folder / "packages").mkdir()
    (folder / "packages" / "onnxruntime-web").symlink_to(_ORT)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def _frame(index: int) -> NDArray[np.uint8]:
    return swinging_frame(2 * index)


def _followed(modules: Path, model: Path | None, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the JavaScript says of the film, every second frame."""
    frames = np.stack([_frame(index) for index in range(COUNT)])
    (modules / "frames.rgb").write_bytes(frames.tobytes())
    files = model and {str(role): str(path) for role, path in name_live_files(model).items()}
    document = {"files": files, "frames": str(modules / "frames.rgb"), "frameHw": FILM_HW}
    (modules / "order.json").write_text(json.dumps(document | {"count": COUNT, "runs": runs}))
    command = ["node", str(_RUNNER), str(modules), str(modules / "order.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not _ORT.is_dir(), reason="make browser-tools was not run")
def test_it_says_what_the_python_runtime_says(tmp_path: Path) -> None:
    """Trained weights: on untrained ones the last bits decide which peak a point takes."""
    model = live_once(load_profile("b0-tiny").with_options(resolution_hw=(64, 64)))
    runs = [{"window": window, "add": ADDING, "remove": REMOVING} for window in WINDOWS]
    found = _followed(_modules(tmp_path), model, runs)
    assert found["resolutionHw"] == [64, 64]
    for window, run in zip(WINDOWS, found["runs"], strict=True):
        assert run["window"] == (window or 8)
        worst = _difference(model, window, run["said"])
        print(f"page against Python, window {window}: worst {worst:.1e} px")
        assert 0 < worst <= 4e-4  # measured: 3e-5 px
        assert run["said"][-1]["ids"] == [0, 2, 3]


def _difference(model: Path, window: int | None, answers: list[dict[str, Any]]) -> float:
    """In px, at most; all but the positions has to be equal."""
    worst = 0.0
    with LiveTracker(model, window=window) as tracker:
        for index, said in enumerate(answers):
            tracks = tracker.push(_frame(index))
            assert said["ids"] == tracks.ids.tolist()
            assert said["frameIndex"] == tracks.frame_index == index
            assert said["visible"] == tracks.visible.tolist()
            xy = np.array(said["xy"]).reshape(-1, 2)
            worst = max(worst, float(np.abs(xy - tracks.xy).max(initial=0)))
            np.testing.assert_allclose(said["confidence"], tracks.confidence, atol=1e-4)
            for each in ADDING:
                if each["after"] == index:
                    tracker.add(each["points"])  # type: ignore[arg-type]
            for gone in REMOVING:
                if gone["after"] == index:
                    tracker.remove(gone["ids"])  # type: ignore[arg-type]
    return worst


_TAPS = [
    {"add": ADDING, "remove": REMOVING},
    {"add": [{"after": 3, "points": POINTS}]},
    {"add": [{"after": 4, "ago": 1, "points": POINTS}]},
]


def test_points_of_the_frame_before_are_as_though_they_had_been_there(tmp_path: Path) -> None:
    """A tap is on the frame that is shown while the next one is in the tracker."""
    _, first, second = (run["said"] for run in _followed(_modules(tmp_path), None, _TAPS)["runs"])
    assert [len(said["ids"]) for said in first[3:6]] == [0, 3, 3]
    assert [len(said["ids"]) for said in second[3:6]] == [0, 0, 3]
    assert first[5:] == second[5:]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("supports, memory: answer.memory }", "supports, memory }"),
        ("const asked = frame === ago ? queries", "const asked = frame !== ago ? queries"),
        ("new Float32Array(3 * count).fill(-1)", "new Float32Array(3 * count)"),
        ("data.subarray(row * size, (row + 1) * size)", "data.subarray(0, size)"),
        ("[grids, ...this.#grids.slice(0, 1)]", "[grids, grids]"),
        ("both.set(second, first.length)", "both.set(second)"),
    ],
)
def test_a_mistake_in_it_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    """The stand-in's answers hang on everything that is kept of a point."""
    modules = _modules(tmp_path)
    sound = _followed(modules, None, _TAPS)["runs"]
    module = modules / "engine" / "live.js"
    text = module.read_text(encoding="utf-8")
    assert right in text
    module.write_text(text.replace(right, wrong), encoding="utf-8")
    assert _followed(modules, None, _TAPS)["runs"] != sound
