"""The first lines of docs/training.md, run as they stand but for the size of the run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from locoexport.parity.probes import textured_video
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "training.md"
TOY = {
    "--steps 1000": "--steps 3",
    "--frames 4-16": "--frames 3-4",
    "--points 40": "--points 8",
    "--validate-every 250": "--validate-every 3",
    "--validate synthetic": "--validate motorcycle",
}
"""What makes the run short; everything else is the page's own."""
INSTALLING = ("python3 -m venv", "pip install")

pytestmark = pytest.mark.slow


def commands() -> list[str]:
    """The page's first block, line by line."""
    block = re.search(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    lines = block[1].splitlines()
    assert len(lines) <= 10
    return lines


def test_ten_lines_lead_from_footage_to_a_proven_file(tmp_path) -> None:
    (tmp_path / "home" / "footage").mkdir(parents=True)
    clip = np.uint8(textured_video(8, (120, 160), seed=0) * 127 + 128)
    write_mp4(tmp_path / "home" / "footage" / "shop.mp4", clip, 25)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "locoexport"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m locoexport "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for line in commands():
        if line.startswith(INSTALLING):
            continue
        for usual, toy in TOY.items():
            assert "locoexport train" not in line or usual in line
            line = line.replace(usual, toy)
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    # What was exported is what was trained, and not the weights that it began with.
    metadata = {
        entry.key: entry.value for entry in onnx.load(tmp_path / "mine.onnx").metadata_props
    }
    assert metadata["locoexport.weights"].startswith("best.ckpt")
    assert json.loads(metadata["locoexport.parity"])
    assert len(read_clip(tmp_path / "shop.tracked.mp4").frames_rgb) == 8
    assert (tmp_path / "run" / "loss.png").is_file()
    assert list((tmp_path / "run" / "overlays").iterdir())
