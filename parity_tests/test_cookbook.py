"""The recipes of docs/cookbook.md, run as they stand on a small clip.

The checkpoint is of 64x64, which is quick to prove. A line that is one call of ``locoexport`` is
run in this process, which spares its imports; all others are the shell's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from exhaustive import matrix

from locoexport.cli import main
from locoexport.models import locotrack
from locoexport.parity.probes import textured_video
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cookbook.md"
FRAMES, HEIGHT, WIDTH, FPS = 16, 120, 160, 25
DRIFT_XY = (2.3, -1.1)
"""What the texture moves by from frame to frame, in pixels; the tracker is not told."""

EXPORTING = (
    "Your own checkpoint, proven",
    "A file for TensorRT, for OpenVINO, for the browser",
    "Frames as bytes, for C++",
    "Half the size: fp16",
)
_SHIM = '#!/bin/sh\nexec "{python}" -m locoexport "$@"\n'
_LIMIT_S = 400

pytestmark = pytest.mark.slow


def recipes() -> dict[str, list[tuple[str, str]]]:
    """The page's recipes by title: the language and text of each block that is run, in order."""
    _, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    block = re.compile(r"^```(sh|python)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
    return {section.split("\n", 1)[0]: block.findall(section) for section in sections}


@pytest.fixture
def kitchen(tmp_path, monkeypatch) -> Path:
    """A folder with clip.mp4, clips/ and a command locoexport; it becomes the working directory."""
    write_clip(tmp_path / "clip.mp4")
    (tmp_path / "clips").mkdir()
    shutil.copy(tmp_path / "clip.mp4", tmp_path / "clips" / "a.mp4")
    write_clip(tmp_path / "clips" / "b.mp4", frames=6)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "locoexport"
    shim.write_text(_SHIM.format(python=sys.executable))
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_clip(path: Path, frames: int = FRAMES) -> None:
    write_mp4(path, np.uint8(textured_video(frames, (HEIGHT, WIDTH), seed=0) * 127 + 128), FPS)


def follow(recipe: list[tuple[str, str]]) -> dict[str, Any]:
    """Run a recipe's blocks; the names that its Python left."""
    names: dict[str, Any] = {}
    for language, text in recipe:
        if language == "python":
            exec(compile(text, PAGE.name, "exec"), names)
        else:
            for line in text.splitlines():
                run_line(line)
    return names


def run_line(line: str) -> None:
    """Run a line of shell; AssertionError with what it said unless it succeeds."""
    if line.startswith("locoexport ") and not set("|<>&*") & set(line):
        arguments = shlex.split(line)[1:]
        typed = patch.object(sys, "argv", ["locoexport", *arguments])
        with typed, pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, line
        return
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_page_has_ten_recipes_and_each_runs_something() -> None:
    assert len(recipes()) >= 10
    assert set(EXPORTING) < set(recipes())
    assert [title for title, blocks in recipes().items() if not blocks] == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the live recipe pipes from ffmpeg")
def test_the_recipes_for_the_built_in_model_run(kitchen, capsys) -> None:
    left = {title: follow(r) for title, r in recipes().items() if title not in EXPORTING}

    for film in ("clip.tracked.mp4", "trails.mp4", "corners.mp4", "two-points.mp4", "object.mp4"):
        assert Path(film).stat().st_size > 1000, film
    assert read_clip("part.mp4").frames_rgb.shape[0] == 10  # 0.1 to 0.5 s of 25 a second
    assert Path("clip.csv").read_text().count("\n") == 1 + 64 * FRAMES
    assert left["Tracks in a table"]["tracks"].xy.shape == (64, FRAMES, 2)

    speed = left["Measure speed"]
    truth = FPS * float(np.hypot(*DRIFT_XY))
    assert np.median(speed["speed"][speed["seen"]]) == pytest.approx(truth, rel=0.05)

    check_steadiness(left["Stabilise a clip"]["steady"])

    assert {p.name for p in Path("results").rglob("*.mp4")} == {
        "a.mp4.tracked.mp4",
        "b.mp4.tracked.mp4",
    }
    assert len(left["A folder of clips"]["table"]) == 64 * (FRAMES + 6)
    boxes = Path("boxes.csv").read_text().splitlines()
    assert len(boxes) == 1 + FRAMES
    assert all(Path(f"clip{suffix}").stat().st_size for suffix in (".nk", ".py", ".ae.txt"))
    lines = [json.loads(line) for line in Path("points.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert f"frame {FRAMES - 1}: " in capsys.readouterr().out


def check_steadiness(steady: list[np.ndarray]) -> None:
    """The last frame shows what the first does, where the picture's edge has not come in."""
    shaky = read_clip("clip.mp4").frames_rgb
    inside = slice(40, -40), slice(60, -60)

    def apart(first: np.ndarray, last: np.ndarray) -> float:
        return float(np.abs(first[inside].astype(float) - last[inside]).mean())

    assert apart(steady[0], steady[-1]) < apart(shaky[0], shaky[-1]) / 4


@pytest.mark.parametrize("title", matrix(EXPORTING, EXPORTING[:1]))
def test_a_recipe_that_exports_runs(kitchen, title) -> None:
    if "OpenVINO" in title:
        pytest.importorskip("openvino")
    # Seeded: at this size too many of the trained network's points are counted apart by verify.
    weights = locotrack.create_model("b0-tiny").state_dict()
    state_dict = {f"model.{key}": value for key, value in weights.items()}
    settings = {"initial_resolution": (64, 64)}
    torch.save({"state_dict": state_dict, "hyper_parameters": settings}, "last.ckpt")
    left = follow(recipes()[title])
    assert any(Path().glob("*.onnx"))
    if "tracks_xy" in left:
        drift = left["tracks_xy"][0, 0, 8] - left["tracks_xy"][0, 0, 0]
        np.testing.assert_allclose(drift, 8 * np.array(DRIFT_XY), atol=2.0)
        assert left["visible"].shape == (1, 2, FRAMES)
    if title == EXPORTING[0]:
        assert Path("mine.parity.npz").exists()
        assert read_clip("mine.mp4").frames_rgb.shape[0] == FRAMES
