"""``locoexport track``: a clip and a file in, a film and tracks out."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

FRAME_HW = (48, 80)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def track(exported: Path, clip: Path, run):
    """Run ``track`` on the clip with the exported file."""
    return lambda *arguments: run("track", clip, "--model", exported, *arguments)


def test_an_overlay_and_tracks_of_a_grid(track, exported, clip, tmp_path: Path) -> None:
    film, file = tmp_path / "out.mp4", tmp_path / "tracks.npz"
    finished = track("--points", "grid:3", "-o", film, "--tracks", file, "--scale", "1")
    assert finished.code == 0
    assert str(film) in finished.stdout.replace("\n", "")
    assert "tracking frames: 3 of 3" in finished.stderr
    assert names(tmp_path) == ["out.mp4", "tracks.npz"]
    overlay = read_clip(film)
    assert overlay.frames_rgb.shape == (3, *FRAME_HW, 3)
    assert overlay.fps == pytest.approx(10)
    original = read_clip(clip).frames_rgb
    assert np.abs(overlay.frames_rgb.astype(int) - original).max() > 50  # something is drawn
    with np.load(file) as arrays:
        assert {name: arrays[name].shape for name in arrays} == {
            "tracks_xy": (9, 3, 2),
            "visible": (9, 3),
            "confidence": (9, 3),
            "query_points_tyx": (9, 3),
            "fps": (),
            "frame_hw": (2,),
            "frames_repeated": (0,),
            "time_s": (3,),
        }
        assert arrays["visible"].dtype == bool
        grid = [(0, (i + 0.5) * 16, (j + 0.5) * 80 / 3) for i in range(3) for j in range(3)]
        np.testing.assert_allclose(arrays["query_points_tyx"], grid, rtol=1e-6)
        with PointTracker(exported) as tracker:
            expected = tracker.track(clip, arrays["query_points_tyx"])
        np.testing.assert_array_equal(arrays["tracks_xy"], expected.xy)


def test_tracks_as_json_and_csv_hold_the_same(track, tmp_path: Path) -> None:
    for name in ("a.json", "a.csv"):
        query = ("--query", "0,20.5,30", "--query", "1.5,10,40.25")
        assert track(*query, "--tracks", tmp_path / name).code == 0
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["query_points_tyx"] == [[0, 20.5, 30], [1.5, 10, 40.25]]
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3
    from_csv = [[float(row["x"]), float(row["y"])] for row in rows]
    from_json = np.array(document["tracks_xy"]).transpose(1, 0, 2).reshape(-1, 2)
    np.testing.assert_allclose(from_csv, from_json, rtol=1e-5)


def test_queries_from_a_file_and_from_the_command_line_together(track, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("t,y,x\n0,1,2\n2,3,4\n")
    arguments = (
        "--queries",
        tmp_path / "q.csv",
        "--query",
        "1,5,6",
        "--tracks",
        tmp_path / "a.npz",
    )
    assert track(*arguments).code == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["query_points_tyx"].tolist() == [[1, 5, 6], [0, 1, 2], [2, 3, 4]]


@pytest.mark.parametrize(("option", "name"), [("-o", "a.mp4"), ("--tracks", "a.json")])
def test_existing_outputs_need_force(option: str, name: str, track, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    finished = track("--query", "0,9,9", option, path)
    assert finished.code == 2
    assert f"{path} exists already; pass --force" in finished.stderr
    assert path.read_bytes() == b"old"
    assert track("--query", "0,9,9", option, path, "--force").code == 0
    assert path.read_bytes() != b"old"
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--points", "9"], "Points are given as grid:N"),
        (["--points", "grid:0"], "Points are given as grid:N"),
        (["--query", "0,1"], "A query is t,y,x"),
        (["--query", "3,1,1"], "has t = 3; the video has 3 frames of 48x80"),
        (["--query", "0,49,1"], "has y = 49"),
        (["--query", "0,1,nan"], "has x = nan"),
        (["--queries", "no.csv"], "Cannot read no.csv"),
        (["--stride", "0"], "stride is 0"),
        (["--start", "2", "--end", "1"], "end is 1.0 s; it must be after start"),
        (["--start", "9"], "ends before the start"),
        (["--resize", "9"], "A size is HxW"),
        (["--memory", "much"], "Memory is given like 1GiB"),
        (["--memory", "1MB"], "Allow at least"),
        (["--window", "7"], "window is 7, but the model is fixed to 3 frames"),
        (["-o", "film.avi"], "the overlay is written as .mp4"),
        (["-o", "no/film.mp4"], "The folder no does not exist"),
        (["--tracks", "tracks.txt"], "tracks.txt"),
        (["--tracks", "no/tracks.npz"], "The folder no does not exist"),
    ],
)
def test_what_track_refuses(
    arguments: list[str], says: str, track, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = [] if {"-o", "--tracks"} & set(arguments) else ["--tracks", "a.npz"]
    finished = track(*arguments, *outputs)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert names(tmp_path) == []


def test_a_clip_shorter_than_the_file_is_fixed_to(exported: Path, run, tmp_path: Path) -> None:
    clip = tmp_path / "short.mp4"
    write_mp4(clip, [np.zeros((48, 64, 3), np.uint8)] * 2, 10)
    finished = run("track", clip, "--model", exported, "--tracks", tmp_path / "a.npz")
    assert finished.code == 2
    assert "has 2 frames, but" in finished.stderr
    assert names(tmp_path) == ["short.mp4"]


def test_a_file_that_is_no_video(exported: Path, run, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("no video")
    finished = run("track", tmp_path / "clip.mp4", "--model", exported, "-o", tmp_path / "a.mp4")
    assert finished.code == 2
    assert "cannot be read as a video" in finished.stderr
    assert names(tmp_path) == ["clip.mp4"]


def test_a_part_of_the_clip_in_another_size(exported: Path, run, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), dtype=np.uint8)
    write_mp4(clip, frames.repeat(8, 1).repeat(8, 2), 10)
    film, report = tmp_path / "out.mp4", tmp_path / "report.json"
    finished = run(
        *("-v", "track", clip, "--model", exported, "--points", "grid:2", "-o", film),
        *("--start", "0.2", "--end", "1", "--stride", "2", "--resize", "24x32", "--scale", "1"),
        *("--json", report),
    )
    assert finished.code == 0
    assert "in ONNX Runtime" in finished.stdout
    assert "LOCOEXPORT_CACHE is off" in finished.stderr
    document = json.loads(report.read_text())
    assert document["schema"] == "locoexport.track/1"
    assert (document["frames"], document["frame_hw"], document["points"]) == (4, [24, 32], 4)
    assert document["fps"] == 5
    assert 0 < document["inference_seconds"] < document["seconds"]
    assert 0 < document["first_frame_seconds"] < document["seconds"]
    overlay = read_clip(film)
    assert overlay.frames_rgb.shape == (4, 24, 32, 3)
    assert overlay.fps == pytest.approx(5)


def test_json_on_stdout_and_nothing_else(track, tmp_path: Path) -> None:
    finished = track("--query", "0,9,9", "--tracks", tmp_path / "a.npz", "--json", "-")
    assert finished.code == 0
    assert json.loads(finished.stdout)["tracks"] == str(tmp_path / "a.npz")


def test_windows_are_compared_to_one_window(track, run, clip, tmp_path: Path) -> None:
    model = tmp_path / "synthetic.onnx"
    model.write_bytes(tracker_bytes())
    arguments = ("--tracks", tmp_path / "a.npz", "--compare-windows", "--window", "2")
    finished = run("track", clip, "--model", model, *arguments)
    assert finished.code == 0
    assert "0.00 px p50, 0.00 p95, 0.00 max, 0.0% visibility flips" in finished.stdout
    finished = track("--tracks", tmp_path / "b.npz", "--compare-windows")
    assert (finished.code, names(tmp_path)) == (2, ["a.npz", "synthetic.onnx"])
    assert "is fixed to 3 frames; windows can be compared" in finished.stderr


def test_an_interrupt_leaves_no_output(exported: Path, tmp_path: Path) -> None:
    """Ctrl-C while it tracks: exit 130, one line, and neither output nor temporary file."""
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, [np.zeros((48, 64, 3), np.uint8)] * 3000, 10)
    command = [sys.executable, "-m", "locoexport", "track", str(clip), "--model", str(exported)]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "a.mp4"), "--tracks", str(tmp_path / "a.csv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(names(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)  # until the overlay's temporary file is there
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, stdout) == (130, "")
    assert stderr.endswith("Interrupted; no half-written file is left.\n")
    assert "Traceback" not in stderr
    assert names(tmp_path) == ["clip.mp4"]
