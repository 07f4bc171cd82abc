"""Nothing leaves the machine: every system call of a command that could, and what it writes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from locoexport.runtime.video.mp4 import write_mp4

pytestmark = pytest.mark.slow

SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "LOCOEXPORT_CACHE")
# On the way to a file by its path; "<...>" is where strace names what a descriptor stands for.
WRITES = re.compile(r'(?:openat|open|creat|mkdir|mkdirat)\([^"]*"([^"]+)", ?([^)]*)')


@pytest.fixture(scope="module")
def strace() -> str:
    """strace, where it is and may trace."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run([found, "-qq", "-o", os.devnull, "true"], capture_output=True)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.decode()[:100]}")
    return found


@pytest.mark.parametrize(
    "command",
    [
        ["track", "clip.mp4", "--points=grid:2", "-o", "out/o.mp4", "--tracks", "out/o.npz"],
        ["track", "clip.mp4", "--points=grid:2", "-o", "out/o.mp4", "--provider=openvino"],
        ["track-many", "clip.mp4", "--points=grid:2", "-o", "out/many", "--workers=1"],
    ],
    ids=["track", "openvino", "track-many"],
)
def test_no_connection_and_no_file_but_the_cache_and_the_outputs(
    strace: str, command: list[str], make_model, tmp_path: Path
) -> None:
    if "--provider=openvino" in command:
        pytest.importorskip("openvino")
    if command[0] == "track-many":
        pytest.importorskip("pyarrow")
    make_model()
    write_mp4(tmp_path / "clip.mp4", np.zeros((6, 48, 64, 3), np.uint8), 10)
    for folder in ("home", "cache", "temporary", "out"):
        (tmp_path / folder).mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    environment |= {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "temporary"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    calls = "trace=socket,connect,sendto,sendmsg,openat,open,creat,mkdir,mkdirat"
    traced = [strace, "-f", "-qq", "-e", calls, "-o", "calls.txt"]
    program = [sys.executable, "-m", "locoexport", *command, "--model", "model.onnx"]
    done = subprocess.run(
        [*traced, *program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "calls.txt").read_text(errors="replace").splitlines()
    assert len(lines) > 1000
    assert [line for line in lines if "AF_INET" in line or "events.data" in line] == []
    strays = sorted(set(_written_elsewhere(lines, tmp_path)))
    assert strays == []
    assert list((tmp_path / "home").iterdir()) == []


def _written_elsewhere(lines: list[str], folder: Path) -> list[str]:
    """Files that were opened for writing, or folders made, outside of what the command may use."""
    allowed = tuple(str(folder / name) for name in ("cache", "temporary", "out"))
    found = []
    for line in lines:
        match = WRITES.search(line)
        if match is None or "= -1" in line:
            continue
        path, how = match.groups()
        if "mkdir" not in line and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", how):
            continue
        whole = os.path.normpath(folder / path)
        if not (whole.startswith(allowed) or whole.startswith(("/dev/", "/proc/self/"))):
            found.append(whole)
    return found
