"""A film that is read again gives the frames of the first reading, and no others."""

from pathlib import Path

import numpy as np
import pytest
from numbered_films import number_of, write_numbered

from locoexport.runtime.decoding.ledger import Ledger
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.sources import open_source

COUNT = 60
FILMS = {
    "a.mp4": {},
    "a.ts": {"g": "12", "bf": "3"},
    "a.m2ts": {"g": "12"},
    "a.mts": {"g": "12"},
    "a.vob": {"codec": "mpeg2video", "bf": "2"},
    "a.flv": {"bf": "2"},
    "a.h264": {"g": "12"},
    "a.m2v": {"codec": "mpeg2video", "bf": "2"},
    "open.ts": {"x264-params": "open-gop=1:keyint=12:bframes=3"},
    "a.avi": {"codec": "mpeg4", "bf": "2"},
    "a.webm": {"codec": "libvpx", "cpu-used": "8"},
}


@pytest.mark.parametrize("name", FILMS)
def test_any_part_comes_again(name: str, tmp_path: Path) -> None:
    source = open_source(write_numbered(tmp_path / name, COUNT, **FILMS[name]))  # type: ignore[arg-type]
    first = list(source.frames())
    assert [number_of(frame) for frame in first] == list(range(COUNT))
    for begin, end in ((40, 60), (13, 20), (0, 3), (59, 60)):
        again = source.frames_between(begin, end)
        assert len(again) == end - begin
        assert all(np.array_equal(a, b) for a, b in zip(again, first[begin:end], strict=True))


def test_an_index_that_leads_astray_is_not_believed(tmp_path: Path, monkeypatch) -> None:
    """Where decoding after a seek gives a wrong frame, the film is read from its beginning."""
    reader = VideoReader(write_numbered(tmp_path / "a.mp4", COUNT, g="12"))
    times = [time_s for time_s, _ in reader.frames()]
    true = reader._film.to_rgb

    def wrong_at_30(frame):
        image = true(frame)
        opened.append(number_of(image))
        return image // 2 if opened.count(30) == 1 and opened[-1] == 30 else image

    opened: list[int] = []
    monkeypatch.setattr(reader._film, "to_rgb", wrong_at_30)
    assert [number_of(frame) for _, frame in reader.frames(times[26])] == list(range(26, COUNT))
    assert opened.count(0) == 1  # it was read from the beginning


def test_seeking_begins_near_what_is_wanted(tmp_path: Path, monkeypatch) -> None:
    reader = VideoReader(write_numbered(tmp_path / "a.mp4", COUNT, g="12"))
    times = [time_s for time_s, _ in reader.frames()]
    monkeypatch.setattr(reader, "_from_start", lambda: pytest.fail("read from the beginning"))
    assert [number_of(frame) for _, frame in reader.frames(times[50])] == list(range(50, COUNT))


def test_what_is_noted_is_compared() -> None:
    ledger, black, white = (
        Ledger(),
        np.zeros((2, 2, 3), np.uint8),
        np.full((2, 2, 3), 255, np.uint8),
    )
    assert ledger.check(0, 0.0, 7, black)
    assert ledger.check(0, 0.0, 7, black)
    assert not ledger.check(0, 0.0, 7, white)
    assert not ledger.check(0, 0.5, 7, black)
    assert ledger.number_of(7, black) == 0
    assert ledger.number_of(7, white) is None
    assert ledger.number_of(8, black) is None
    assert ledger.findable
    assert ledger.check(1, 1.0, 7, white)
    assert not ledger.findable  # two frames of one stamp
