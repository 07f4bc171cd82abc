"""The first lines of docs/training.md, run as a user would, at toy size."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from locoexport.parity.probes import textured_video
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "training.md"
TOY = {
    "locoexport train": "--frames 4 --points 16 --devices 1 --validate motorcycle",
    "--steps 2000": "--steps 3",
    "locoexport export": "--batch 1 --frames 4 --points 16",
}
"""What makes a line quick: options that are added to a command, and one that is another."""
_FOR_THE_MACHINE = ("python -m venv", "pip install")
_LIMIT_S = 300

pytestmark = pytest.mark.slow


def page_lines() -> list[str]:
    """The first block of the page."""
    found = re.search(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def run_line(line: str, **environment: str) -> None:
    """By a shell, in which ``locoexport`` is this checkout's."""
    shell = f'locoexport() {{ {shlex.quote(sys.executable)} -m locoexport "$@"; }}\n{line}'
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        ["bash", "-e", "-c", shell],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        env=os.environ | {"PYTHONPATH": paths} | environment,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_they_are_ten_lines_at_most() -> None:
    assert len(page_lines()) <= 10
    assert all(any(part in line for line in page_lines()) for part in TOY)


def test_a_folder_of_clips_becomes_a_proven_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    frames = np.uint8(textured_video(9, (120, 160), seed=0) * 127 + 128)
    write_mp4(tmp_path / "videos" / "a.mp4", frames, 25)
    for line in page_lines():
        if line.startswith(_FOR_THE_MACHINE):
            continue
        toy = line.replace("--steps 2000", TOY["--steps 2000"])
        if line.startswith("locoexport train"):
            toy += f" {TOY['locoexport train']}"
        if line.startswith("locoexport export"):
            toy += f" {TOY['locoexport export']}"
        run_line(toy, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert {"last.ckpt", "best.ckpt", "loss.png", "overlays", "lessons"} <= {
        path.name for path in Path("run").iterdir()
    }
    assert Path("run/mine.onnx").stat().st_size > 1_000_000
    assert read_clip("tracked.mp4").frames_rgb.shape[0] == 9
