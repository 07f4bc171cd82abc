"""Every command's JSON says what it warned of, if only that there was nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from synthetic_tracker import tracker_bytes

from locoexport.cli.main import app
from locoexport.runtime.video.mp4 import write_mp4

RUN_HERE = {
    "inspect": ["m.onnx"],
    "doctor": [],
    "profiles": [],
    "version": [],
    "rewrite": ["m.onnx", "-o", "out.onnx"],
    "package": ["m.onnx", "--triton", "repository"],
    "track": ["c.mp4", "--model", "m.onnx", "--tracks", "t.npz"],
    "track-many": ["c.mp4", "--model", "m.onnx", "-o", "out", "--workers", "1"],
    "convert": ["given.csv", "-o", "t.json", "--fps", "10"],
}
TRIED_ELSEWHERE = {"export", "verify", "bench", "eval", "live", "train", "tune"}
"""They take seconds; their documents' tests read ``warnings``."""


def test_every_command_is_tried() -> None:
    commands = typer.main.get_command(app).commands
    with_json = {
        name
        for name, command in commands.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert set(RUN_HERE) | TRIED_ELSEWHERE == with_json


@pytest.mark.parametrize("command", RUN_HERE)
def test_warnings_are_a_list(command: str, run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(tracker_bytes())
    write_mp4(Path("c.mp4"), np.zeros((3, 48, 64, 3), np.uint8), 10)
    Path("given.csv").write_text(
        "frame,object,point,x,y,visible,confidence,time_s\n0,,0,1,2,1,0.9,0.0\n"
    )
    done = run(command, *RUN_HERE[command], "--json", "-")
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"].startswith("locoexport.")
    told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert [f"warning: {text}" for text in document["warnings"]] == told
