"""Counters of transport streams, over bytes made by hand (ISO/IEC 13818-1, 2.4.3)."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from locoexport.runtime.decoding.transport import goes_on_between

FILM, SOUND, NOTHING = 256, 257, 0x1FFF


def _packet(stream: int, counter: int, *, holds: bool = True, set_anew: bool = False) -> bytes:
    field = 0x10 * holds | 0x20 * set_anew
    head = bytes([0x47, stream >> 8, stream & 255, field | counter % 16, 1, 0x80 * set_anew])
    return head.ljust(188, b"\xaa")


def _goes_on(folder: Path, packets: list[bytes], lead: int = 0) -> bool:
    path = folder / "a.ts"
    path.write_bytes(b"".join(bytes(lead) + packet for packet in packets))
    size = 188 + lead
    earlier, later = SimpleNamespace(pos=lead), SimpleNamespace(pos=lead + size * 3)
    return goes_on_between(f"file:{path}", earlier, later)  # type: ignore[arg-type]


def _both(film: list[int], sound: list[int]) -> list[bytes]:
    pairs = zip(film, sound, strict=True)
    return [each for one, other in pairs for each in (_packet(FILM, one), _packet(SOUND, other))]


@pytest.mark.parametrize("lead", [0, 4, 16])
def test_counters_that_go_on(tmp_path: Path, lead: int) -> None:
    if lead == 16:  # parity behind each packet
        packets = [each + bytes(16) for each in _both([14, 15, 16, 17], [3, 4, 5, 6])]
        assert _goes_on(tmp_path, packets)
    else:
        assert _goes_on(tmp_path, _both([14, 15, 16, 17], [3, 4, 5, 6]), lead)


@pytest.mark.parametrize(
    ("film", "sound"),
    [([1, 2, 4, 5], [1, 2, 3, 4]), ([1, 2, 3, 4], [1, 2, 9, 10])],
)
def test_counters_that_do_not(tmp_path: Path, film: list[int], sound: list[int]) -> None:
    assert not _goes_on(tmp_path, _both(film, sound))


def test_what_does_not_count(tmp_path: Path) -> None:
    packets = [
        *_both([1, 2], [7, 8]),
        _packet(FILM, 2),  # twice
        _packet(SOUND, 8, holds=False),
        _packet(NOTHING, 5),
        _packet(NOTHING, 9),
        _packet(FILM, 11, set_anew=True),
        _packet(SOUND, 9),
        _packet(FILM, 12),
    ]
    assert _goes_on(tmp_path, packets)


def test_one_stream_alone_proves_nothing(tmp_path: Path) -> None:
    assert not _goes_on(tmp_path, [_packet(FILM, counter) for counter in range(8)])


def test_other_bytes_prove_nothing(tmp_path: Path) -> None:
    assert not _goes_on(tmp_path, [bytes(188)] * 8)
