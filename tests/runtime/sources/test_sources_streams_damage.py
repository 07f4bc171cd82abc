"""Streams of which frames are lost on the way: no number is wrong without a word."""

import io
from pathlib import Path

import pytest
from numbered_films import number_of, write_numbered

from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.sources.named import StandardInput
from locoexport.runtime.sources.streams import stdin_footage
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.selection import Selection

FRAMES = 90


def _source(content: bytes, on_damage: OnDamage = "stop") -> FrameSource:
    footage = stdin_footage(StandardInput(), io.BytesIO(content), on_damage=on_damage)
    return FrameSource(footage, Selection())


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Those of a transport stream."""
    path = write_numbered(tmp_path_factory.mktemp("ts") / "a.ts", FRAMES, g="15", bf="2")
    content = path.read_bytes()
    return [content[place : place + 188] for place in range(0, len(content), 188)]


def _lossy(packets: list[bytes]) -> bytes:
    count = len(packets)
    return b"".join(packets[: count * 45 // 100] + packets[count * 55 // 100 :])


def test_a_stream_ends_before_what_is_lost(packets: list[bytes]) -> None:
    source = _source(_lossy(packets))
    shown = [number_of(frame) for frame in source.frames()]
    assert 20 < len(shown) < 50
    assert shown == list(range(len(shown)))
    assert f"stdin is damaged after {len(shown)} frames" in source.warnings[0]


def test_a_stream_goes_on_behind_it(packets: list[bytes]) -> None:
    source = _source(_lossy(packets), "continue")
    shown = [number_of(frame) for frame in source.frames()]
    repeated = source.frames_repeated
    assert len(shown) == FRAMES
    assert repeated
    good = [index for index in range(FRAMES) if index not in repeated]
    assert [shown[index] for index in good] == good
    assert f"in place of {len(repeated)} that are lost" in source.warnings[0]


def test_whoever_joins_late_begins_at_a_key_frame(packets: list[bytes]) -> None:
    source = _source(b"".join(packets[len(packets) // 3 :]))
    shown = [number_of(frame) for frame in source.frames()]
    assert shown == list(range(shown[0], FRAMES))
    assert shown[0] % 15 == 0
    assert "begins between key frames" in source.warnings[0]


@pytest.mark.parametrize("kind", ["ts", "mkv"])
def test_a_sound_stream_warns_of_nothing(kind: str, tmp_path: Path) -> None:
    pauses = [index + 40 * (index >= 20) for index in range(40)]
    path = write_numbered(tmp_path / f"a.{kind}", 40, pts=pauses, bf="2")
    source = _source(path.read_bytes())
    assert [number_of(frame) for frame in source.frames()] == list(range(40))
    assert source.warnings == []
