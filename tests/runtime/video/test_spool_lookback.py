"""Reading backwards where nothing can be found again but from the beginning."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numbered_films import number_of, write_numbered
from numpy.typing import NDArray

from locoexport.runtime.video.sources import open_source
from locoexport.runtime.video.spool import Lookback

FRAMES = 30
SHAPE = (4, 6, 3)


class _Film:
    """Frames that are their number, and how many of them were read."""

    def __init__(self) -> None:
        self.readings = 0

    def take(self, first: int, end: int, keep: Callable[[NDArray[np.uint8]], None]) -> None:
        self.readings += 1
        for number in range(first, end):
            keep(np.full(SHAPE, number, np.uint8))


@pytest.mark.parametrize(("room", "readings"), [(100, 1), (12, 3), (5, 6), (1, 6)])
@pytest.mark.parametrize("backwards", [True, False])
def test_blocks(room: int, readings: int, backwards: bool) -> None:
    film = _Film()
    size = int(np.prod(SHAPE))
    lookback = Lookback(FRAMES, film.take, most_bytes=room * size)
    blocks = [(first, first + 5) for first in range(0, FRAMES, 5)]
    for first, end in reversed(blocks) if backwards else blocks:
        found = lookback.read(first, end, size)
        assert [int(frame[0, 0, 0]) for frame in found] == list(range(first, end))
    # Forwards the first block is read alone: nobody knows yet which way it goes.
    assert film.readings <= readings + (not backwards)
    lookback.close()


@pytest.mark.parametrize("kind", ["raw", "joined"])
def test_a_film_without_times_is_read_backwards_in_one_more_reading(
    kind: str, tmp_path: Path, monkeypatch
) -> None:
    if kind == "raw":
        path = write_numbered(tmp_path / "a.h264", 200, g="25", bf="2")
    else:
        parts = [write_numbered(tmp_path / f"{n}.ts", 100, first=n, bf="2") for n in (0, 100)]
        path = tmp_path / "a.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_source(path)
    assert source.read_through() == 200
    begun = []
    timed = source._timed

    def counted(seek_s: float | None):
        begun.append(seek_s)
        return timed(seek_s)

    monkeypatch.setattr(source, "_timed", counted)
    for end in range(196, 0, -14):
        found = source.frames_between(end - 14, end)
        assert [number_of(frame) for frame in found] == list(range(end - 14, end))
    assert begun == [None]
    source.close()
