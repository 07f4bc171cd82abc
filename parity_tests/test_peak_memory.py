"""The memory that a real export takes does not grow with the video.

b0-tiny at 64x64, so that 900 frames take seconds; at 256x256 each frame costs sixteen times that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exhaustive import matrix
from exported import export_once

from locoexport.contract.profile import load_profile
from locoexport.runtime.video.mp4 import write_mp4

FRAMES = (300, 600)
_TRACK = """
import sys
from locoexport.machine.hardware import peak_memory
from locoexport.pipeline.tracking.points import track_video
from locoexport.runtime.video.selection import Selection

clip, model, count, folder = sys.argv[1:]
report = track_video(
    clip, model, points="grid:4", window=24, selection=Selection(max_frames=int(count)),
    overlay=folder + "/a.mp4", tracks_file=folder + "/a.npz", force=True,
)
assert report.tracks.visible.shape == (16, int(count))
print(peak_memory())
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A texture that drifts by two pixels a frame, 176x144."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    cells = np.random.default_rng(0).integers(0, 256, (18, 200, 3), dtype=np.uint8)
    wide = cells.repeat(8, 0).repeat(8, 1)
    write_mp4(path, (wide[:, 2 * t : 2 * t + 176] for t in range(FRAMES[1])), 25)
    return path


@pytest.mark.parametrize("input_type", matrix(["float32", "uint8"], ["float32"]))
def test_the_peak_at_300_and_600_frames(clip: Path, input_type: str, tmp_path: Path) -> None:
    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64), input_type=input_type)
    peaks = []
    for count in FRAMES:
        done = subprocess.run(
            [sys.executable, "-c", _TRACK, clip, export_once(profile), str(count), tmp_path],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert abs(peaks[1] / peaks[0] - 1) < 0.05, peaks
