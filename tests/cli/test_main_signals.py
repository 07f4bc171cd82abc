"""A signal while ONNX Runtime works on a model that never answers: the run ends, and is clean."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from endless_model import endless
from exhaustive import matrix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals"),
]

GENEROUS_S = 10.0


@pytest.fixture(scope="module")
def stuck(exported: Path, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("endless") / "endless.onnx"
    onnx.save(endless(onnx.load(exported)), path)
    return path


@pytest.mark.parametrize(
    ("command", "name", "code"),
    matrix(
        [
            (command, name, code)
            for command in ("track", "track-many", "verify")
            for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))
        ],
        [
            *(("track", name, code) for name, code in (("SIGINT", 130), ("SIGHUP", 129))),
            *((command, "SIGTERM", 143) for command in ("track-many", "verify")),
        ],
    ),
)
def test_a_run_inside_onnx_runtime_ends(
    command: str, name: str, code: int, stuck: Path, clip: Path, tmp_path: Path
) -> None:
    out, scratch = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    scratch.mkdir()
    arguments = {
        "track": [clip, "--model", stuck, "--points", "grid:2", "-o", out / "a.mp4"],
        "track-many": [clip, "--model", stuck, "--points", "grid:2", "-o", out / "many"],
        "verify": [stuck],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-m", "locoexport", command, *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(8)
        assert process.poll() is None, process.communicate()
        begun = time.monotonic()
        process.send_signal(signal.Signals[name])
        _, stderr = process.communicate(timeout=60)
        seconds = time.monotonic() - begun
    finally:
        process.kill()
    assert process.returncode == code
    assert stderr.endswith("no half-written file is left.\n")
    assert "Traceback" not in stderr
    assert not [path for path in tmp_path.rglob(".locoexport-*")]
    assert not list(out.glob("*.mp4"))
    assert seconds < GENEROUS_S
