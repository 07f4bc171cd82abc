"""``locoexport live`` end to end: lines, films, reports, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exported import live_once
from moving_square import square_frames

from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.mp4 import write_mp4


@pytest.fixture(scope="module")
def model() -> Path:
    return live_once()


@pytest.fixture(scope="module")
def square(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("square") / "square.mp4"
    write_mp4(path, list(square_frames(6)), 10)
    return path


def test_lines_go_to_stdout_and_nothing_else_does(run, square, model) -> None:
    done = run("live", square, "--model", model, "--query", "16,16", "--jsonl", "-")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.code, [line["frame"] for line in lines]) == (0, [0, 1, 2, 3, 4, 5])


def test_the_report_says_what_was_answered_and_dropped(run, square, model, tmp_path) -> None:
    film = tmp_path / "film.mp4"
    arguments = ("live", "--video", square, "--model", model, "--points", "grid:2", "-o", film)
    done = run(*arguments, "--max-frames", 4, "--window", 4, "--json", "-")
    report = json.loads(done.stdout)
    assert done.code == 0
    assert report["schema"] == "locoexport.live-report/1"
    assert (report["frames"], report["answered"], report["dropped"]) == (4, 4, 0)
    assert (report["points"], report["window"], report["film"]) == (4, 4, str(film))
    assert report["warnings"] == []
    assert len(list(VideoReader(film).frames())) == 4


def test_the_text_fits_a_terminal_and_has_the_figures(run, square, model) -> None:
    done = run("live", square, "--model", model, "--points", "grid:2", "--max-frames", 2)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["video", "points", "speed", "latency", "dropped"]
    assert "4 at the end, each answer from 8 frames" in done.stdout
    assert "0 of 2 frames" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'VIDEO'"),
        (("SQUARE", "--video", "SQUARE"), "are the same"),
        (("SQUARE", "--camera", "0"), "Name one source"),
        (("SQUARE", "--jsonl", "-", "--json", "-"), "cannot both go to stdout"),
        (("SQUARE", "--detector-model", "x.onnx"), "name one with --detect"),
        (("SQUARE", "--colour", "object"), "--colour object"),
        (("SQUARE", "--jsonl", "SQUARE", "--force"), "is VIDEO"),
        (("FOLDER",), "folder of clips"),
        (("SQUARE", "--points", "grid:x"), "corners"),
        (("SQUARE", "--target-fps", "0"), "target_fps"),
        (("SQUARE", "--detect", "nothing-like-it"), "nothing-like-it"),
    ],
)
def test_wrong_use_is_one_line(run, square, model, arguments, said) -> None:
    names = {"SQUARE": square, "FOLDER": square.parent}
    done = run("live", *(names.get(each, each) for each in arguments), "--model", model)
    assert done.code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_without_a_display_a_window_is_refused(run, square, model, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = run("live", square, "--model", model, "--show")
    assert (done.code, done.stderr.count("\n")) == (3, 1)
    assert "There is no display" in done.stderr


def test_without_a_model_the_built_in_one_follows(run, square) -> None:
    done = run("live", square, "--json", "-")
    assert done.code == 0
    assert json.loads(done.stdout)["model"].endswith("b0-tiny.live.onnx")


def test_a_profile_without_an_exporter_says_how(run, square, monkeypatch) -> None:
    from locoexport.machine import installation

    there = installation.importlib.util.find_spec
    monkeypatch.setattr(
        installation.importlib.util,
        "find_spec",
        lambda name: None if name == "torch" else there(name),
    )
    done = run("live", square, "--model", "b0")
    assert (done.code, done.stderr.count("\n")) == (3, 1)
    assert "b0 must be exported before it can run" in done.stderr
    assert "locoexport[export]" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
def test_ctrl_c_ends_a_clip_and_keeps_what_was_answered(tmp_path, model) -> None:
    clip, lines, film = tmp_path / "long.mp4", tmp_path / "long.jsonl", tmp_path / "long.mp4.mp4"
    write_mp4(clip, list(square_frames(400)), 10)
    command = [sys.executable, "-m", "locoexport", "live", str(clip), "--model", str(model)]
    command += ["--realtime", "--points", "grid:2", "--jsonl", str(lines), "-o", str(film)]
    command += ["--json", "-"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    for _ in range(200):
        if lines.exists() and lines.read_text().count("\n") >= 3:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    report = json.loads(stdout)
    assert (process.returncode, report["interrupted"]) == (0, True), stderr
    answered = lines.read_text().splitlines()
    assert 3 <= len(answered) == report["answered"] < 400
    assert len(list(VideoReader(film).frames())) == len(answered)
