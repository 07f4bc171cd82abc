"""The live example in C++: built, fed with y4m, and compared with Python's LiveTracker."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from exported import export_once
from native_runtimes import MissingHereError, build_cpp

from locoexport.contract.profile import load_profile
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.runtime.live.tracker import LiveTracker

pytestmark = pytest.mark.slow
FRAMES, HEIGHT, WIDTH, WINDOW = 6, 96, 130, 4
POINTS = ["40.5,60.25", "20,100", "70,33.5"]
# The same files, inputs and kernels; half of the last digit that it prints is 5e-5.
TOLERANCE_PX = 0.004


@pytest.fixture(scope="module")
def model() -> Path:
    return export_once(load_profile("b0-tiny").with_options(resolution_hw=(64, 64)), live="open")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> list[str]:
    try:
        return build_cpp(tmp_path_factory.mktemp("cpp"), "live")
    except MissingHereError as missing:
        pytest.skip(f"cpp: {missing}")


def planes(kind: str) -> list[list[np.ndarray]]:
    """Y, and U and V where there are any, of each frame: a generated sequence's channels."""
    video = make_sequence(0, SyntheticSettings(frames=FRAMES)).video[:, :HEIGHT, :WIDTH]
    step = {"444": 1, "420jpeg": 2, "mono": 0}[kind]
    chroma = [1, 2] if step else []
    return [
        [frame[..., 0], *(frame[:: max(step, 1), :: max(step, 1), c] for c in chroma)]
        for frame in video
    ]


def y4m(kind: str, full: bool) -> bytes:
    header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip A1:1 C{kind}"
    text = header + (" XCOLORRANGE=FULL" if full else "")
    frames = [b"FRAME\n" + b"".join(p.tobytes() for p in each) for each in planes(kind)]
    return text.encode() + b"\n" + b"".join(frames)


def rgb_of(kind: str, full: bool) -> np.ndarray:
    """BT.601, each chroma sample for the pixels that it is of."""
    black, gain, wide = (0, 1, 1) if full else (16, 255 / 219, 255 / 224)
    frames = []
    for luma, *chroma in planes(kind):
        grey = gain * (luma.astype(float) - black)
        blue, red = (
            (
                wide
                * (p.astype(float) - 128).repeat(HEIGHT // len(p), 0).repeat(WIDTH // p.shape[1], 1)
                for p in chroma
            )
            if chroma
            else (0.0, 0.0)
        )
        rgb = (grey + 1.402 * red, grey - 0.344136 * blue - 0.714136 * red, grey + 1.772 * blue)
        frames.append(np.clip(np.floor(np.stack(rgb, -1) + 0.5), 0, 255).astype(np.uint8))
    return np.stack(frames)


def run(program: list[str], *arguments: object, given: bytes = b""):
    command = [*program, *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("kind", "full", "points"),
    [("444", True, POINTS), ("420jpeg", False, []), ("mono", False, POINTS)],
)
def test_it_prints_what_the_live_tracker_says(
    kind: str, full: bool, points: list[str], program: list[str], model: Path
) -> None:
    code, text, errors = run(program, model, "--window", WINDOW, *points, given=y4m(kind, full))
    assert (code, errors) == (0, "")
    asked = [list(map(float, point.split(","))) for point in points] or [
        [(row + 0.5) * HEIGHT / 8, (column + 0.5) * WIDTH / 8]
        for row in range(8)
        for column in range(8)
    ]
    with LiveTracker(model, window=WINDOW, threads=1) as tracker:
        tracker.add(np.array(asked, np.float32))
        expected = [tracker.push(frame) for frame in rgb_of(kind, full)]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(int(r["frame"]), int(r["point"])) for r in rows] == [
        (frame, point) for frame in range(FRAMES) for point in range(len(asked))
    ]
    xy = np.array([[float(r["x"]), float(r["y"])] for r in rows]).reshape(FRAMES, -1, 2)
    apart = np.abs(xy - np.stack([each.xy for each in expected])).max(-1)
    seen = np.stack([each.visible for each in expected])
    print(f"{kind}: worst {apart[seen].max():.2e} px of those seen, {apart.max():.2e} of all")
    # Where a point is not seen its place is a guess, that rounding moves from frame to frame.
    assert apart[seen].max() < TOLERANCE_PX
    assert np.quantile(apart, 0.95) < TOLERANCE_PX
    visible = np.array([r["visible"] == "1" for r in rows]).reshape(FRAMES, -1)
    sure = np.stack([np.abs(each.confidence - 0.5) > 1e-3 for each in expected])
    assert (visible == np.stack([each.visible for each in expected]))[sure].all()


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        ((), b"", "usage: live NAME.onnx"),
        (("MODEL", "1,2,3"), b"", "a point is y,x, not 1,2,3"),
        (("MODEL", "--window", "0"), b"", "--window is a number from 1 to 256, not 0"),
        (("MODEL",), b"RIFF", "stdin is no y4m"),
        (("MODEL",), b"YUV4MPEG2 W0 H4\n", "no sizes that a frame can have"),
        (("MODEL",), b"YUV4MPEG2 W8 H8 C420p10\n", "this is C420p10"),
        (("MODEL",), b"YUV4MPEG2 W8 H8\nFRAME\nabc", "the y4m ends within a frame"),
        (("MODEL",), b"YUV4MPEG2 W8 H8\nabc\n", "no FRAME where it is due"),
        (("missing.onnx",), b"", "missing.encoder.onnx"),
    ],
)
def test_wrong_use(arguments, given: bytes, says: str, program: list[str], model: Path) -> None:
    named = [model if each == "MODEL" else each for each in arguments]
    code, text, errors = run(program, *named, given=given)
    assert code == 2
    assert "point" not in text.replace("frame,point,x,y,visible", "")
    assert errors.startswith("error: ")
    assert says in errors
