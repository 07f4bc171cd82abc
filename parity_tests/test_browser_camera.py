"""The page's camera in headless Chromium, whose fake camera plays a film made here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from barcoded_film import FILM_FRAMES, FILM_HW, square_xy, write_y4m
from browser_session import missing_tools, run_scenario, served_demo
from exported import live_once
from synthetic_tracker import tracker_bytes

from locoexport import load_profile
from locoexport.runtime.session.split_files import name_live_files

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=missing_tools())

FAKE = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
TAPS = [(0.42, 0.55), (0.45, 0.65), (0.8, 0.85)]
"""Two that are on the square in every frame, and one beside it."""
_MISS_PX = 5.0
"""Python's ``LiveTracker`` with these files misses by 3.4 px of this film at most, answering every
frame or each 3rd to 13th from 13 beginnings; the square moves by 70 px."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for clips that answers at once, and beside it the trained b0-tiny for the camera."""
    named = tmp_path_factory.mktemp("models") / "m.onnx"
    named.write_bytes(tracker_bytes())
    live = live_once(load_profile("b0-tiny").with_options(resolution_hw=(128, 128)))
    for role, path in name_live_files(live).items():
        shutil.copy(path, name_live_files(named)[role])
    return named


def test_tapped_points_follow_what_the_camera_shows(models: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.y4m"
    write_y4m(film)
    flags = [*FAKE, f"--use-file-for-fake-video-capture={film}"]
    with served_demo(models) as url:
        found = run_scenario("camera", url, flags=flags, taps=TAPS, frames=12, out=tmp_path)
    assert found["opened"]["error"] == ""
    assert len(found["added"][-1]) == len(TAPS)
    answers = found["answers"]
    assert [each["index"] for each in answers] == list(range(len(answers)))
    assert all(tuple(each["frameHw"]) == FILM_HW for each in answers)
    worst = max(_misses(answers, point) for point in range(len(TAPS)))
    print(f"the camera's points: worst {worst:.2f} px; {found['whole']['result-text']}")
    assert worst < _MISS_PX
    assert "frames a second with 3 points" in found["whole"]["result-text"]
    # Dropped, not queued: the numbers in the frames leap where the tracker is slower.
    assert "Window of 8, WebAssembly" in found["whole"]["result-text"]
    assert found["removed"]["status"] == "Point removed."
    assert found["left"] == [1, 2]
    assert found["undone"] == [1]
    assert found["more"] == 0
    assert found["stopped"]["error"] == ""


def _misses(answers: list[dict[str, Any]], point: int) -> float:
    """How far, in px at most, a point is from where it belongs by the number in the frame."""
    places = [
        (each["number"], each["xy"][2 * each["ids"].index(point) :][:2])
        for each in answers
        if point in each["ids"]
    ]
    assert len(places) >= 12
    numbers = [number for number, _ in places]
    assert max(numbers) < FILM_FRAMES
    assert len(set(numbers)) > 4
    square = np.array([square_xy(number) for number in numbers], float)
    moved = square if point < 2 else np.zeros_like(square)
    offsets = np.array([xy for _, xy in places]) - moved
    return float(np.linalg.norm(offsets - np.median(offsets, axis=0), axis=1).max())


def test_a_camera_that_cannot_be_had_is_said_in_words(models: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    shutil.copy(models, alone)
    files = [str(path) for path in name_live_files(models).values()]
    with served_demo(alone) as url:
        found = run_scenario("refusedCamera", url, files=files)
    without, two, refused = found["said"]
    assert "no model for a camera" in without
    assert "export --live" in without
    assert "NAME.tracker.onnx" in two
    assert "camera" in refused
    assert "should not" not in refused
    assert found["button"] == "Camera"
