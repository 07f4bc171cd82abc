"""How many frames a second there are, and when each is shown."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_films import number_of, numbered_frame, write_numbered

from locoexport.runtime.decoding.frame_rate import average_rate, read_seconds
from locoexport.runtime.decoding.timeline import Timeline
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.sources import open_source

BROWSER_MS = [0, 107, 140, 213, 265, 327, 384, 427, 476, 544, 587, 631, 683, 809, 935, 1055]
SLOWING_MS = [index * 40 if index < 10 else 400 + (index - 10) * 200 for index in range(20)]


@pytest.mark.parametrize(("stamps_ms", "fps"), [(BROWSER_MS, 14.218), (SLOWING_MS, 8.636)])
@pytest.mark.parametrize("kind", ["webm", "mkv", "mp4"])
def test_the_rate_is_that_of_the_time_stamps(
    stamps_ms: list[int], fps: float, kind: str, tmp_path: Path
) -> None:
    codec = "libvpx" if kind == "webm" else "libx264"
    path = write_numbered(
        tmp_path / f"a.{kind}",
        len(stamps_ms),
        codec,
        fps=1000,  # as browsers say
        pts=stamps_ms,
        time_base=Fraction(1, 1000),
    )
    source = open_source(path)
    assert source.fps == pytest.approx(fps, rel=0.08)
    source.read_through()
    np.testing.assert_allclose(source.times_s, np.array(stamps_ms) / 1000, atol=1e-6)
    assert source.average_fps == pytest.approx(fps, rel=1e-3)


def test_an_overlay_keeps_the_times_of_its_clip(tmp_path: Path) -> None:
    times_s = np.array(SLOWING_MS) / 1000
    frames = [numbered_frame(index) for index in range(20)]
    write_mp4(tmp_path / "o.mp4", frames, 8.636, times_s + 7)
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        shown = [
            (float(frame.time), number_of(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(stream)
        ]
        length_s = float(stream.duration * stream.time_base)
    np.testing.assert_allclose([time_s for time_s, _ in shown], times_s, atol=1e-4)
    assert [number for _, number in shown] == list(range(20))
    # The last frame is shown as long as the others are on average.
    assert length_s == pytest.approx(2.2 * 20 / 19, abs=1e-3)


def test_times_rounded_to_thousandths_are_a_constant_rate_in_the_overlay(tmp_path: Path) -> None:
    times_s = np.round(np.arange(30) * 1001 / 30000, 3)
    frames = [numbered_frame(index) for index in range(30)]
    write_mp4(tmp_path / "o.mp4", frames, 30000 / 1001, times_s)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_a_rate_is_kept_where_the_times_agree() -> None:
    regular = np.arange(50) / 25
    assert average_rate(regular, 25) == 25
    assert average_rate(np.round(np.arange(50) * 1001 / 30000, 3), 30000 / 1001) == 30000 / 1001
    assert average_rate(regular, 1000) == pytest.approx(25)
    paused = regular + 3.0 * (np.arange(50) > 20)  # one pause changes no rate
    assert average_rate(paused, 25) == 25


def test_a_part_of_a_clip_keeps_the_clips_times(tmp_path: Path) -> None:
    from locoexport.runtime.video.selection import Selection

    path = write_numbered(tmp_path / "a.ts", 50)
    source = open_source(path, Selection(start_s=1.0, stride=2))
    source.read_through()
    np.testing.assert_allclose(source.times_s, 1 + np.arange(13) * 0.08, atol=1e-6)


@pytest.mark.parametrize(
    ("stamps_s", "expected_s"),
    [
        ([0.5, 0.54, 0.54, 0.58], [0.5, 0.54, 0.54 + 1 / 90000, 0.58]),
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([9.0, 9.04, 9.08, 0.0, 0.04], [9.0, 9.04, 9.08, 9.12, 9.16]),
        ([0.0, 0.04, 3600.0, 3600.04], [0.0, 0.04, 0.08, 0.12]),
    ],
)
def test_times_rise(stamps_s: list[float | None], expected_s: list[float]) -> None:
    timeline = Timeline(25, joinable=True)
    times_s = [timeline.place(stamp_s) for stamp_s in stamps_s]
    np.testing.assert_allclose(times_s, expected_s, atol=1e-9)
    assert (np.diff(times_s) > 0).all()


def test_a_long_pause_is_one_where_nothing_is_joined() -> None:
    timeline = Timeline(25, joinable=False)
    assert [timeline.place(stamp_s) for stamp_s in (0.0, 0.04, 3600.0)] == [0.0, 0.04, 3600.0]


def test_lengths_of_matroska() -> None:
    assert read_seconds("00:01:02.480000000") == 62.48
    assert read_seconds("") is None
    assert read_seconds("1 min") is None
