"""The page of ``locoexport demo`` in headless Chromium, against the Python runtime."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_session import missing_tools, run_scenario, served_demo
from clips import fetch_clips
from exported import export_once

from locoexport import PointTracker, load_profile
from locoexport.runtime.tracks import read_tracks, write_tracks
from locoexport.runtime.video import read_clip, write_mp4

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=missing_tools())

ROOT = Path(__file__).parents[1]
FRAMES, WINDOW = 40, 16
CLICKS = [
    {"frame": 0, "at": (0.45, 0.30)},
    {"frame": 0, "at": (0.55, 0.45)},
    {"frame": 30, "at": (0.50, 0.70)},  # behind the first window: tracked backwards as well
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of a real clip, encoded anew."""
    source = read_clip(
        fetch_clips(ROOT / ".data" / "clips")["carphone_pristine.mp4"], max_frames=FRAMES
    )
    path = tmp_path_factory.mktemp("clip") / "carphone.mp4"
    write_mp4(path, source.frames_rgb, source.fps)
    return path


@pytest.fixture(scope="module")
def model() -> Path:
    """b0-tiny with its trained weights: on untrained ones points jump from peak to peak."""
    return export_once(load_profile("b0-tiny"))


def _frames(answer: dict[str, Any]) -> np.ndarray:
    rgba = np.frombuffer(base64.b64decode(answer["rgba"]), np.uint8)
    return rgba.reshape(answer["frames"], *answer["frameHw"], 4)[..., :3]


def test_clicked_points_are_tracked_as_the_python_runtime_tracks_them(
    clip: Path, model: Path, tmp_path: Path
) -> None:
    with served_demo(model) as url:
        found = run_scenario(
            "track", url, clip=clip, window=WINDOW, clicks=CLICKS, shown=30, out=tmp_path
        )
    assert found["said"]["error"] == ""
    assert found["isolated"]
    frames = _frames(found["frames"])
    assert len(frames) == FRAMES
    ours = read_tracks(tmp_path / "tracks.json")
    with PointTracker(model, window=WINDOW) as tracker:
        theirs = tracker.track(frames, ours.query_points, fps=ours.fps)
    difference = np.linalg.norm(ours.xy - theirs.xy, axis=-1)
    print(
        f"browser against Python: worst {difference.max():.2e} px, median "
        f"{np.median(difference):.2e} px; {found['said']['result-text']}"
    )
    # 0.05 px: the issue's; measured at most 2.5e-5 px (docs/browser.md).
    assert difference.max() <= 0.05
    assert np.abs(ours.confidence - theirs.confidence).max() <= 1e-3
    assert (ours.visible == theirs.visible).all()
    write_tracks(tmp_path / "again.csv", ours)
    assert (tmp_path / "tracks.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
