"""Films that come over a pipe: what is lost, joined or chosen is as in the same film as a file."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numbered_films import number_of, write_numbered

from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.sources.named import StandardInput
from locoexport.runtime.sources.streams import stdin_footage
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import open_source

TS = 188


def _piped(path: Path, on_damage: OnDamage = "stop") -> FrameSource:
    pipe = io.BytesIO(path.read_bytes())
    return FrameSource(stdin_footage(StandardInput(), pipe, on_damage=on_damage), Selection())


def _without_packets(path: Path, first: float, last: float) -> Path:
    content = path.read_bytes()
    packets = len(content) // TS
    path.write_bytes(content[: int(packets * first) * TS] + content[int(packets * last) * TS :])
    return path


@pytest.mark.parametrize("on_damage", ["stop", "continue"])
def test_packets_that_are_lost_are_lost_as_in_a_file(tmp_path: Path, on_damage: OnDamage) -> None:
    path = _without_packets(write_numbered(tmp_path / "a.ts", 100, g="25"), 0.45, 0.65)
    piped, filed = _piped(path, on_damage), open_source(path, Selection(on_damage=on_damage))
    shown = [number_of(frame) for frame in piped.frames()]
    assert shown == [number_of(frame) for frame in filed.frames()]
    assert piped.frames_repeated == filed.frames_repeated
    np.testing.assert_array_equal(piped.times_s, filed.times_s)
    good = [index for index in range(len(shown)) if index not in piped.frames_repeated]
    assert [shown[index] for index in good] == good
    assert (len(shown) == 100) == (on_damage == "continue")
    (warning,) = piped.warnings
    assert "stdin is damaged after" in warning


def test_a_stream_that_begins_between_key_frames(tmp_path: Path) -> None:
    path = _without_packets(write_numbered(tmp_path / "a.ts", 100, g="25"), 0.0, 0.4)
    source = _piped(path)
    shown = [number_of(frame) for frame in source.frames()]
    assert shown == list(range(shown[0], 100))
    assert shown[0] % 25 == 0
    assert "begins between key frames" in source.warnings[0]


def test_times_rise_where_recordings_are_joined(tmp_path: Path) -> None:
    parts = [write_numbered(tmp_path / f"{first}.ts", 30, first=first, bf="2") for first in (0, 30)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = _piped(path)
    assert [number_of(frame) for frame in source.frames()] == list(range(60))
    np.testing.assert_allclose(source.times_s, np.arange(60) / 25, atol=1e-6)
    assert source.warnings == []


def test_stamps_that_repeat_rise(tmp_path: Path) -> None:
    pts = [index // 2 * 2 for index in range(20)]
    path = write_numbered(tmp_path / "a.mkv", 20, "ffv1", pts=pts)
    source = _piped(path)
    assert len(list(source.frames())) == 20
    assert (np.diff(source.times_s) > 0).all()


def test_the_film_flagged_as_default_is_the_one(tmp_path: Path) -> None:
    path = tmp_path / "f.mkv"
    with av.open(str(path), "w") as container:
        for level, flags in ((60, Disposition(0)), (180, Disposition.default)):
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "gray"
            stream.disposition = flags
            stream.codec_context.time_base = Fraction(1, 25)
            stream.metadata["title"] = str(level)
        for index in range(3):
            for stream in container.streams.video:
                image = np.full((32, 32), int(stream.metadata["title"]), np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="gray")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
    assert [int(frame.mean().round()) for frame in _piped(path).frames()] == [180] * 3


@pytest.mark.parametrize("kind", ["ts", "mkv"])
def test_a_sound_stream_warns_of_nothing(kind: str, tmp_path: Path) -> None:
    pauses = [index + 40 * (index >= 20) for index in range(40)]
    path = write_numbered(tmp_path / f"a.{kind}", 40, pts=pauses, bf="2")
    source = _piped(path)
    assert [number_of(frame) for frame in source.frames()] == list(range(40))
    assert source.warnings == []
