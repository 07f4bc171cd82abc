"""What may not be imported: by help, and by tracking."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from refusals import REFUSE_TORCH_AND_ONNX
from synthetic_tracker import tracker_bytes

from locoexport.cli.main import app
from locoexport.models import locotrack
from locoexport.runtime.video.mp4 import write_mp4

HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnxsim",
    "onnxscript",
    "onnx_ir",
    "locoexport.models",
    "cv2",
)

_HELP = """
import sys
from locoexport.cli import main

sys.argv = ["locoexport", *sys.argv[1:]]
try:
    main()
finally:
    sys.stderr.write(",".join(name for name in {heavy} if name in sys.modules))
"""

_NOT_INSTALLED = """
import importlib.util
import sys

ABSENT = {"torch", "onnx", "onnxsim", "onnxscript"}
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ABSENT else find_spec(name)
"""

_TRACK = """
from locoexport.pipeline.tracking.points import track_video

video, model, overlay, tracks = sys.argv[1:]
report = track_video(video, model, points="grid:2", overlay=overlay, tracks_file=tracks)
print(*report.tracks.xy.shape)
"""

_COMMAND = """
from locoexport.cli import main

sys.argv = ["locoexport", *sys.argv[1:]]
main()
"""


def python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in typer.main.get_command(app).commands),
        ["export", "-h"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = python(_HELP.format(heavy=HEAVY), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout


def test_every_command_is_in_the_help() -> None:
    text = python(_HELP.format(heavy=HEAVY), "--help").stdout
    for command in ("export", "verify", "track", "profiles"):
        assert f" {command} " in text


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (5, 48, 40, 3), np.uint8)
    write_mp4(tmp_path / "clip.mp4", frames, 10)
    return tmp_path / "clip.mp4"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny graph with the inputs, outputs and metadata of an exported file."""
    (tmp_path / "model.onnx").write_bytes(tracker_bytes())
    return tmp_path / "model.onnx"


def test_tracking_needs_neither_torch_nor_onnx(clip: Path, model: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "out.mp4", tmp_path / "out.npz"
    done = python(REFUSE_TORCH_AND_ONNX + _TRACK, clip, model, *outputs)
    assert (done.stdout, done.stderr) == ("4 5 2\n", "")
    assert all(path.stat().st_size > 0 for path in outputs)


def test_the_track_command_needs_neither_torch_nor_onnx(
    clip: Path, model: Path, tmp_path: Path
) -> None:
    arguments = ("--model", model, "--tracks", tmp_path / "a.csv")
    done = python(REFUSE_TORCH_AND_ONNX + _COMMAND, "track", clip, *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.csv").read_text().count("\n") > 64


def test_the_profiles_command_needs_neither_torch_nor_onnx() -> None:
    done = python(REFUSE_TORCH_AND_ONNX + _COMMAND, "profiles")
    assert (done.returncode, done.stderr) == (0, "")
    assert "resnet-small" in done.stdout


@pytest.mark.parametrize("command", [["export"], ["verify", "model.onnx"]], ids=lambda c: c[0])
def test_export_and_verify_say_which_packages_are_missing(
    command: list[str], tmp_path: Path
) -> None:
    done = python(_NOT_INSTALLED + _COMMAND, *command)
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        "This command needs torch, onnx, onnxscript, onnxsim, which are not installed"
        in done.stderr
    )
    assert "pip install 'locoexport[export]'" in done.stderr


def test_the_networks_know_nothing_of_export() -> None:
    done = python(
        "import sys\n"
        "from locoexport.models import locotrack\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules} & "
        "{'onnx', 'onnxruntime', 'onnxscript', 'onnxsim', 'cv2', 'torch'}))\n"
        "print(*sorted(n for n in sys.modules if n.startswith('locoexport.') "
        "and n not in ('locoexport.machine', 'locoexport.machine.telemetry') "  # the package's own
        "and not n.startswith(('locoexport.models', 'locoexport.version'))))"
    )
    assert done.stdout == "torch\n\n", done.stderr
    assert set(locotrack.__all__) <= set(dir(locotrack))
