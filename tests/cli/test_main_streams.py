"""What stdout and stderr cannot take, and names that the operating system refuses: one line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.runtime.video.mp4 import write_mp4

LONG = "a" * 300

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which $L is the program."""
    environment = dict(os.environ, L=f"{sys.executable} -m locoexport")
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
        env=environment,
    )


@needs_dev_full
@pytest.mark.parametrize("command", ["profiles", "profiles --json -", "--version", "--help"])
def test_a_full_disk_behind_stdout_is_told_in_a_line(command: str) -> None:
    done = shell(f"$L {command} > /dev/full")
    assert done.stderr == "error: Cannot write the output: No space left on device.\n"
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["profiles", "profiles --json -"])
def test_a_closed_stdout_is_told_in_a_line(command: str) -> None:
    done = shell(f"$L {command} >&-")
    assert done.stderr == "error: Cannot write the output: Bad file descriptor.\n"
    assert done.returncode == 2


def test_a_closed_stderr_changes_no_result() -> None:
    done = shell("$L profiles 2>&-")
    assert (done.returncode, done.stdout) == (0, shell("$L profiles").stdout)
    assert shell("$L inspect none.onnx 2>&-").returncode == 2
    assert shell("$L profiles <&- >&- 2>&-").returncode == 2


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = shell("$L profiles | true; $L --help | head -1; $L profiles --json - | head -1")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A folder of its own with a clip and a model."""
    write_mp4(tmp_path / "clip.mp4", np.zeros((3, 48, 64, 3), np.uint8), 25)
    (tmp_path / "m.onnx").write_bytes(tracker_bytes())
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        f"inspect {LONG}.onnx",
        f"doctor {LONG}.onnx",
        f"rewrite {LONG}.onnx -o o.onnx",
        f"rewrite m.onnx -o {LONG}.onnx",
        f"verify {LONG}.onnx",
        f"verify m.onnx --sidecar {LONG}.npz",
        f"package {LONG}.onnx --triton .",
        f"package m.onnx --triton {LONG}",
        f"track {LONG}.mp4 --model m.onnx -o o.mp4",
        f"track clip.mp4 --model {LONG}.onnx -o o.mp4",
        f"track clip.mp4 --model m.onnx -o {LONG}.mp4",
        f"track clip.mp4 --model m.onnx --queries {LONG}.csv -o o.mp4",
        f"track clip.mp4 --model m.onnx --mask {LONG}.png -o o.mp4",
        f"track clip.mp4 --model m.onnx --tracks {LONG}.npz",
        f"track clip.mp4 --model m.onnx --boxes {LONG}.csv -o o.mp4",
        f"track clip.mp4 --model m.onnx --boxes {LONG} -o o.mp4",
        f"track clip.mp4 --model m.onnx --json {LONG}.json -o o.mp4",
        f"track clip.mp4 --model m.onnx --detect face --detector-model {LONG}.onnx -o o.mp4",
        f"track-many {LONG}.mp4 --model m.onnx -o many",
        f"track-many clip.mp4 --model m.onnx -o {LONG}",
        f"track-many {LONG}.csv --model m.onnx -o many",
        f"track-many clip.mp4 --model {LONG}.onnx -o many",
        f"export --profile {LONG}.toml -o o.onnx",
        f"export --checkpoint {LONG}.pt -o o.onnx",
        f"export -o {LONG}.onnx",
        f"eval {LONG}.onnx --dataset synthetic",
        f"eval m.onnx --dataset {LONG}.pkl",
        f"demo {LONG}.onnx --export site",
        f"demo m.onnx --export {LONG}",
    ],
)
def test_a_name_that_is_too_long_ends_in_a_line(folder: Path, run, arguments: str) -> None:
    done = run("-q", *arguments.split())
    assert done.code == 2, done.stderr
    assert done.stdout == ""
    assert LONG[:150] in done.stderr  # some shorten it, and say so
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_name_with_a_line_break_and_an_escape_sequence_is_one_line(folder: Path, run) -> None:
    name = "a\nerror: b\x1b[2J\u202e.mp4"
    done = run("track", name, "--model", "m.onnx", "-o", "o.mp4")
    assert done.stderr.splitlines()[-1] == (
        r"error: There is no file a\nerror: b\x1b[2J\u202e.mp4, and none matches it as a pattern."
    )
    assert "\x1b" not in done.stderr
