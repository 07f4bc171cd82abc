"""``track`` of images and streams: which is which, what they are called, how Ctrl-C ends them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.cli.commands.tracking.track_source import (
    choose_source,
    is_clip_folder,
    named_outputs,
)
from locoexport.errors import UsageError
from locoexport.pipeline.tracking.objects import ObjectOutputs
from locoexport.runtime.sources.named import Camera, Images, StandardInput, stem_of
from locoexport.runtime.video.mp4 import write_mp4


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tracker_bytes())
    return path


def _images(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:05}.png"), np.full((48, 64, 3), index * 9, np.uint8))
    return folder


def test_folders_of_frames_are_told_from_folders_of_clips(tmp_path: Path) -> None:
    folder = _images(tmp_path / "walk")
    assert choose_source(folder, None, None, None) == Images(folder)
    write_mp4(folder / "walk.tracked.mp4", np.zeros((2, 48, 64, 3), np.uint8), 25)
    assert choose_source(folder, None, None, 30) == Images(folder, 30)
    (folder / "more").mkdir()
    write_mp4(folder / "more" / "a.mp4", np.zeros((2, 48, 64, 3), np.uint8), 25)
    chosen = choose_source(folder, None, None, None)
    assert chosen == folder
    assert is_clip_folder(chosen)


def test_what_outputs_are_called(tmp_path: Path) -> None:
    folder = _images(tmp_path / "walk")
    for where in (folder, folder / "%05d.png", folder / "*.png"):
        assert stem_of(Images(where)) == "walk"
    outputs = named_outputs(ObjectOutputs(overlay=tmp_path), Images(folder))
    assert outputs.overlay == tmp_path / "walk.tracked.mp4"
    assert stem_of(Camera(2)) == "camera-2"
    assert stem_of(StandardInput()) == "stdin"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, None, None, None), "Missing argument 'VIDEO'"),
        ((Path("a.mp4"), 0, None, None), "one source"),
        ((None, 0, "http://h/x", None), "one source"),
        ((None, -1, None, None), "from 0 to 99"),
        ((Path("a.mp4"), None, None, 25.0), "--fps is for images"),
    ],
)
def test_wrong_use_is_named(arguments, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_source(*arguments)


def test_images_are_tracked(run, tiny_file: Path, tmp_path: Path) -> None:
    folder = _images(tmp_path / "walk")
    ended = run(
        *("track", folder / "*.png", "--model", tiny_file, "--points", "grid:1"),
        *("--tracks", tmp_path / "o.npz", "--seconds", "0.12"),
    )
    assert ended.code == 0, ended.stderr
    assert "25 a second is assumed (--fps)" in ended.stderr
    with np.load(tmp_path / "o.npz") as tracks:
        assert tracks["visible"].shape[1] == 3


def test_ctrl_c_is_the_end_of_stdin_and_keeps_its_tracks(tiny_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "o.npz"
    command = ["track", "-", "--model", tiny_file, "--points", "grid:1", "--tracks", target]
    with subprocess.Popen(
        [sys.executable, "-m", "locoexport", *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        frames = b"".join(b"FRAME\n" + bytes([40 * i]) * (48 * 64 * 3 // 2) for i in range(5))
        process.stdin.write(b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n" + frames)
        process.stdin.flush()  # and no more, nor an end
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        said = process.stderr.read().decode()
    assert code == 0, said
    assert "warning: Interrupted: the" in said
    with np.load(target) as tracks:
        assert tracks["visible"].shape[1] >= 3
