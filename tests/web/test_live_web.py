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

from locoexport.contract.profile import load_profile
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.runtime.session.split_files import name_live_files

ROOT = Path(__file__).parents[2]
_RUNNER = Path(__file__).with_name("follow_live.mjs")
_ORT = ROOT / "parity_tests" / "browser" / "node_modules" / "onnxruntime-web" / "dist"
COUNT = 14
POINTS = [[140.5, 80.5], [170.0, 110.25], [40.0, 250.0]]
LATE = [[120.5, 200.5]]

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not _ORT.is_dir(), reason="make browser-tools was not run"
)


@pytest.fixture(scope="module")
def model() -> Path:
    """Trained weights: on untrained ones the last bits decide which peak a point takes."""
    return live_once(load_profile("b0-tiny").with_options(resolution_hw=(128, 128)))


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules and onnxruntime-web, where node takes .js files for ES modules."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(ROOT / "locoexport" / "web" / "engine", folder / "engine")
    shutil.copytree(_ORT, folder / "packages" / "onnxruntime-web")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def _followed(modules: Path, model: Path, folder: Path, **order: Any) -> dict[str, Any]:
    """What the JavaScript says of the film's first frames, every second one."""
    frames = np.stack([swinging_frame(2 * index) for index in range(COUNT)])
    (folder / "frames.rgb").write_bytes(frames.tobytes())
    document = {
        "files": {str(role): str(path) for role, path in name_live_files(model).items()},
        "frames": str(folder / "frames.rgb"),
        "frameHw": FILM_HW,
        "count": COUNT,
        "window": None,
        "add": [],
        "remove": [],
    }
    (folder / "order.json").write_text(json.dumps(document | order))
    command = ["node", str(_RUNNER), str(modules), str(folder / "order.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("window", [None, 1, 4])
def test_it_says_what_the_python_runtime_says(
    window: int | None, model: Path, modules: Path, tmp_path: Path
) -> None:
    adding = [{"after": 0, "ago": 0, "points": POINTS}, {"after": 5, "ago": 0, "points": LATE}]
    removing = [{"after": 8, "ids": [1]}]
    found = _followed(modules, model, tmp_path, window=window, add=adding, remove=removing)
    assert found["window"] == (window or 8)
    assert found["resolutionHw"] == [128, 128]
    worst = 0.0
    with LiveTracker(model, window=window) as tracker:
        for index, said in enumerate(found["said"]):
            tracks = tracker.push(swinging_frame(2 * index))
            assert said["ids"] == tracks.ids.tolist()
            assert said["frameIndex"] == tracks.frame_index == index
            assert said["visible"] == tracks.visible.tolist()
            xy = np.array(said["xy"]).reshape(-1, 2)
            worst = max(worst, np.abs(xy - tracks.xy).max(initial=0))
            np.testing.assert_allclose(said["confidence"], tracks.confidence, atol=1e-4)
            for each in adding:
                if each["after"] == index:
                    tracker.add(each["points"])
            for gone in removing:
                if gone["after"] == index:
                    tracker.remove(gone["ids"])
    print(f"page against Python, window {window}: worst {worst:.1e} px")
    assert 0 < worst <= 1e-3  # measured: 1e-4 px
    assert found["said"][-1]["ids"] == [0, 2, 3]


def test_points_of_the_frame_before_are_as_though_they_had_been_there(
    model: Path, modules: Path, tmp_path: Path
) -> None:
    """A tap is on the frame that is shown while the next one is in the tracker."""
    at_once = [{"after": 3, "ago": 0, "points": POINTS}]
    later = [{"after": 4, "ago": 1, "points": POINTS}]
    first = _followed(modules, model, tmp_path, add=at_once)["said"]
    second = _followed(modules, model, tmp_path, add=later)["said"]
    assert [len(said["ids"]) for said in first[3:6]] == [0, 3, 3]
    assert [len(said["ids"]) for said in second[3:6]] == [0, 0, 3]
    for one, other in zip(first[5:], second[5:], strict=True):
        np.testing.assert_allclose(one["xy"], other["xy"], atol=1e-4)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("supports, memory: answer.memory }", "supports, memory }"),
        ("const asked = frame === ago ? queries", "const asked = frame !== ago ? queries"),
        ("new Float32Array(3 * count).fill(-1)", "new Float32Array(3 * count)"),
        ("data.subarray(row * size", "data.subarray(0 * size"),
    ],
)
def test_a_mistake_is_found(
    right: str, wrong: str, model: Path, modules: Path, tmp_path: Path
) -> None:
    adding = [{"after": 0, "ago": 0, "points": POINTS}]
    removing = [{"after": 6, "ids": [0]}]
    sound = _followed(modules, model, tmp_path, add=adding, remove=removing)["said"]
    shutil.copytree(modules, tmp_path / "web")
    text = (modules / "engine" / "live.js").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "web" / "engine" / "live.js").write_text(text.replace(right, wrong))
    try:
        broken = _followed(tmp_path / "web", model, tmp_path, add=adding, remove=removing)["said"]
    except AssertionError:
        return  # it did not even run
    pairs = zip(sound, broken, strict=True)
    assert max(np.abs(np.subtract(a["xy"], b["xy"])).max(initial=0) for a, b in pairs) > 2e-3
