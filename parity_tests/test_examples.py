"""The examples in C++ and JavaScript: built, run, and compared with the Python runtime."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from exported import export_once
from native_runtimes import MissingHereError, build_cpp, prepare_node

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.contract.profile import load_profile
from locoexport.runtime.tracking.tracker import PointTracker

FRAMES, SIZE = 6, 128
QUERIES = ["0,30.5,40.25", "2,64,64", "5,100,20.75"]
# The same file, inputs and kernels; ONNX Runtime of another version may add in another order.
# Measured: 5e-5 px for both, the half of the last digit that they print.
TOLERANCE_PX = 0.004


@pytest.fixture(scope="module")
def model() -> Path:
    return export_once(load_profile("b0-tiny").with_options(resolution_hw=(SIZE, SIZE)))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A coarse texture that moves 2 px to the right a frame."""
    texture = np.random.default_rng(0).integers(0, 256, (SIZE // 8, SIZE // 4, 3), np.uint8)
    wide = texture.repeat(8, 0).repeat(8, 1)
    return np.stack([wide[:, 16 - 2 * t : 16 - 2 * t + SIZE] for t in range(FRAMES)])


@pytest.fixture(scope="module")
def raw(frames: np.ndarray, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "frames.rgb"
    path.write_bytes(frames.tobytes())
    return path


@pytest.fixture(scope="module", params=["cpp", "node"])
def program(request, tmp_path_factory) -> list[str]:
    try:
        if request.param == "cpp":
            return build_cpp(tmp_path_factory.mktemp("cpp"))
        return prepare_node()
    except MissingHereError as missing:
        pytest.skip(f"{request.param}: {missing}")


def run(program: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("queries", [QUERIES, []], ids=["queries", "grid"])
def test_it_prints_what_the_python_runtime_tracks(
    queries: list[str], program: list[str], model: Path, frames: np.ndarray, raw: Path
) -> None:
    done = run(program, model, raw, *queries)
    assert (done.returncode, done.stderr) == (0, "")
    cells = (np.arange(8) + 0.5) * SIZE / 8
    points = [list(map(float, q.split(","))) for q in queries] or [
        [0, y, x] for y in cells for x in cells
    ]
    # One window holds all frames, and all points go through the model at once, as there.
    with PointTracker(model, window=FRAMES, points_per_call=len(points)) as tracker:
        raw_tracks = tracker.model.run(
            frames[None].astype(np.float32) / np.float32(255) * np.float32(2) - np.float32(1),
            np.array(points, np.float32)[None],
        )
        tracks = tracker.track(frames, points)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(int(r["point"]), int(r["frame"])) for r in rows] == [
        (p, f) for p in range(len(points)) for f in range(FRAMES)
    ]
    xy = np.array([[float(r["x"]), float(r["y"])] for r in rows]).reshape(-1, FRAMES, 2)
    print(f"{program[0]}: worst {np.abs(xy - raw_tracks.tracks_xy[0]).max():.2e} px")
    np.testing.assert_allclose(xy, raw_tracks.tracks_xy[0], atol=TOLERANCE_PX)
    visible = np.array([r["visible"] == "1" for r in rows]).reshape(-1, FRAMES)
    sure = np.abs(tracks.confidence - 0.5) > 1e-3
    first = np.array([point[0] == 0 for point in points])
    assert (visible == tracks.visible)[first][sure[first]].all()


def test_a_model_of_two_levels(program: list[str], frames: np.ndarray, raw: Path) -> None:
    settings = CheckpointSettings(refinement_resolutions=((64, 64), (SIZE, SIZE)))
    profile = load_profile("b0-tiny").with_options(resolution_hw=(SIZE, SIZE), settings=settings)
    path = export_once(profile)
    done = run(program, path, raw, *QUERIES)
    assert (done.returncode, done.stderr) == (0, "")
    video = frames[None].astype(np.float32) / np.float32(255) * np.float32(2) - np.float32(1)
    points = np.array([list(map(float, q.split(","))) for q in QUERIES], np.float32)
    with PointTracker(path) as tracker:
        expected = tracker.model.run(video, points[None]).tracks_xy[0]
    rows = csv.DictReader(io.StringIO(done.stdout))
    xy = np.array([[float(r["x"]), float(r["y"])] for r in rows]).reshape(-1, FRAMES, 2)
    np.testing.assert_allclose(xy, expected, atol=TOLERANCE_PX)


@pytest.mark.parametrize(
    ("queries", "says"), [(["0,1"], "a query is t,y,x, not 0,1"), (["a,b,c"], "a query is t,y,x")]
)
def test_wrong_queries(queries, says: str, program: list[str], model: Path, raw: Path) -> None:
    done = run(program, model, raw, *queries)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {says}")


def test_wrong_files(program: list[str], model: Path, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "short.rgb").write_bytes(b"123")
    done = run(program, model, tmp_path / "short.rgb")
    assert done.returncode == 2
    assert "does not hold whole RGB frames of 128x128" in done.stderr
    assert run(program, tmp_path / "no.onnx", raw).returncode == 2
    assert "usage: " in run(program).stderr
