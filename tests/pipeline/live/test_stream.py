"""A stream followed end to end: what is answered, written, dropped and ended."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from exported import live_once
from moving_square import square_at, square_frames

from locoexport.errors import MachineError, ModelFileError, OutputError, QueryError, UsageError
from locoexport.pipeline.live.lines import open_lines
from locoexport.pipeline.live.points import LivePoints
from locoexport.pipeline.live.stream import LiveRequest, follow_live
from locoexport.runtime.live.tracker import LiveTracks
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.selection import Selection

FRAMES = 8
INSIDE = (12.5, 12.5)
"""Of the square, (y, x) from its upper left corner."""


@pytest.fixture(scope="module")
def model() -> Path:
    return live_once()


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "square.mp4"
    write_mp4(path, list(square_frames(FRAMES)), 10)
    return path


def in_square(frame: int) -> tuple[float, float]:
    top, left = square_at(frame)
    return top + INSIDE[0], left + INSIDE[1]


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_point_is_followed_and_told_line_by_line(clip, model, tmp_path) -> None:
    y, x = in_square(0)
    lines, film = tmp_path / "out.jsonl", tmp_path / "out.mp4"
    points = LivePoints(queries=(f"{y},{x}",))
    report = follow_live(LiveRequest(clip, points, lines=str(lines), film=film), model)
    told = lines_of(lines)
    assert [each["frame"] for each in told] == list(range(FRAMES))
    assert [each["time_s"] for each in told] == pytest.approx([t / 10 for t in range(FRAMES)])
    assert {each["schema"] for each in told} == {"locoexport.live/1"}
    for each in told:
        expected_y, expected_x = in_square(each["frame"])
        (found_x, found_y), *_ = each["xy"]
        assert np.hypot(found_x - expected_x, found_y - expected_y) < 1.5
        assert (each["ids"], each["visible"]) == ([0], [True])
        assert "object_ids" not in each
    assert (report.came, report.answered, report.dropped) == (FRAMES, FRAMES, 0)
    assert (report.points, report.window, report.frame_hw) == (1, 8, (64, 64))
    assert 0 < report.latency_p50_ms <= report.latency_p95_ms
    assert report.fps == pytest.approx(FRAMES / report.seconds)
    assert len(list(VideoReader(film).frames())) == FRAMES


def test_without_points_there_is_a_grid_and_none_means_none(clip, model) -> None:
    two = Selection(max_frames=2)
    assert follow_live(LiveRequest(clip, selection=two), model).points == 64
    nothing = LiveRequest(clip, LivePoints("none"), selection=two)
    assert follow_live(nothing, model).points == 0


def test_a_clip_in_real_time_drops_frames_and_says_how_many(tmp_path, model) -> None:
    fast = tmp_path / "fast.mp4"
    write_mp4(fast, list(square_frames(60)), 2000)
    lines = tmp_path / "fast.jsonl"
    request = LiveRequest(fast, LivePoints("grid:2"), realtime=True, lines=str(lines))
    told: list[str] = []
    report = follow_live(request, model, notify=lambda notice: told.append(notice.text))
    assert report.came == 60
    assert 0 < report.dropped == 60 - len(lines_of(lines))
    assert any(f"{report.dropped} of 60 frames" in text for text in report.warnings)
    assert lines_of(lines)[-1]["frame"] == 59


def test_a_target_that_is_not_kept_is_told(clip, model) -> None:
    report = follow_live(LiveRequest(clip, LivePoints("grid:2"), target_fps=1e6), model)
    assert report.behind == FRAMES
    assert any("took longer than --target-fps" in text for text in report.warnings)


def test_what_cannot_be_written_is_told_before_the_model_is_opened(clip, tmp_path) -> None:
    missing = tmp_path / "none.onnx"
    there = tmp_path / "there.jsonl"
    there.write_text("kept")
    with pytest.raises(OutputError, match="exists already"):
        follow_live(LiveRequest(clip, lines=str(there)), missing)
    with pytest.raises(OutputError, match=r"\.mp4, \.gif or \.webp"):
        follow_live(LiveRequest(clip, film=tmp_path / "film.avi"), missing)
    with pytest.raises(ModelFileError, match="not a live export"):
        follow_live(LiveRequest(clip, lines=str(there), force=True), missing)
    assert there.read_text() == "kept"


def test_no_window_without_a_display(clip, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MachineError, match="display"):
        follow_live(LiveRequest(clip, show=True), tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (LivePoints("grid:x"), "corners"),
        (LivePoints(queries=("5",)), "y,x in its pixels"),
        (LivePoints(queries=("65,3",)), "y = 65"),
        (LivePoints("corners:0"), "0"),
    ],
)
def test_points_that_cannot_be_are_refused(points, said) -> None:
    with pytest.raises((QueryError, UsageError), match=said):
        points.collect_yx(square_frames(1)[0])


def test_points_are_in_y_x() -> None:
    frame = square_frames(1, (40, 64))[0]
    assert LivePoints(queries=("3,50", "39.5,1")).collect_yx(frame).tolist() == [[3, 50], [39.5, 1]]
    assert LivePoints("grid:2").collect_yx(frame).tolist() == [
        *([10, 16], [10, 48], [30, 16], [30, 48])
    ]
    assert 0 < len(LivePoints("corners:7").collect_yx(frame)) <= 7


def test_what_is_not_finite_is_null_in_a_line(tmp_path) -> None:
    one = LiveTracks(
        np.array([3]),
        np.array([[np.nan, 2.0004]], np.float32),
        np.array([False]),
        np.array([0.25], np.float32),
        *(0, 1.23456),
    )
    path = tmp_path / "lines.jsonl"
    with open_lines(str(path)) as lines:
        assert lines is not None
        lines.write(one, 4, 0.5, [-1])
        assert lines_of(path) == [  # while it is still open
            {
                "schema": "locoexport.live/1",
                "frame": 4,
                "time_s": 0.5,
                "ids": [3],
                "xy": [[None, 2.0]],
                "visible": [False],
                "confidence": [0.25],
                "latency_ms": 1.235,
                "window": 1,
                "object_ids": [-1],
            }
        ]


def test_it_ends_when_the_reader_of_its_lines_goes_away(tmp_path, model) -> None:
    clip, film, pipe = tmp_path / "long.mp4", tmp_path / "film.mp4", tmp_path / "pipe"
    write_mp4(clip, list(square_frames(80)), 10)
    os.mkfifo(pipe)
    read: list[str] = []

    def read_two() -> None:
        with pipe.open() as lines:
            read.extend([lines.readline(), lines.readline()])

    reader = threading.Thread(target=read_two)
    reader.start()
    request = LiveRequest(clip, LivePoints("grid:2"), lines=str(pipe), film=film)
    report = follow_live(request, model)
    reader.join()
    assert [json.loads(line)["frame"] for line in read] == [0, 1]
    assert 2 <= report.answered < 80
    assert report.warnings == ("the reader of the JSON lines closed the pipe",)
    assert len(list(VideoReader(film).frames())) == report.answered
    assert pipe.is_fifo()
