"""Films that do not tell how many frames a hole took: they end there, whatever was asked for."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from numbered_films import number_of, write_numbered

from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.video.clips import VideoReader

FRAMES = 100
BOTH: tuple[OnDamage, ...] = ("stop", "continue")
X264 = {"g": "25", "bf": "2"}
X265 = "log-level=none:keyint=20:min-keyint=20:bframes=3"


def _shown(path: Path, on_damage: OnDamage = "stop") -> tuple[list[int], list[str]]:
    reader = VideoReader(path, on_damage)
    return [number_of(frame) for _, frame in reader.frames()], reader.warnings


def _h264(folder: Path) -> Path:
    return write_numbered(folder / "a.h264", FRAMES, **X264)


def _hevc(folder: Path) -> Path:
    params = f"{X265}:open-gop=1"
    return write_numbered(folder / "a.hevc", FRAMES, "libx265", **{"x265-params": params})


def _leading(folder: Path) -> Path:
    """Frames that are coded behind an IDR picture, and shown before it."""
    params = f"{X265}:open-gop=0:radl=2"
    return write_numbered(folder / "a.hevc", FRAMES, "libx265", **{"x265-params": params})


def _intra(folder: Path) -> Path:
    return write_numbered(folder / "a.h264", FRAMES, g="1")


def _without_reordering(folder: Path) -> Path:
    return write_numbered(folder / "a.h264", FRAMES, g="25", bf="0")


def _mjpeg(folder: Path) -> Path:
    return write_numbered(folder / "a.mjpeg", FRAMES, "mjpeg")


def _avi(folder: Path) -> Path:
    """As a camera leaves it whose power went: without the index that is written at the end."""
    path = write_numbered(folder / "a.avi", FRAMES, "mjpeg")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1")])
    return path


RAW = [_h264, _hevc, _leading, _intra, _without_reordering, _mjpeg, _avi]


@pytest.mark.parametrize("make", RAW)
def test_intact(make: Callable[[Path], Path], tmp_path: Path) -> None:
    assert _shown(make(tmp_path)) == (list(range(FRAMES)), [])


@pytest.mark.parametrize("on_damage", BOTH)
@pytest.mark.parametrize("make", RAW)
@pytest.mark.parametrize("how", ["taken out", "zeroed"])
def test_it_ends_before_a_hole(
    make: Callable[[Path], Path], how: str, on_damage: OnDamage, tmp_path: Path
) -> None:
    path = make(tmp_path)
    content = path.read_bytes()
    begin, end = len(content) * 50 // 100, len(content) * 58 // 100
    hole = bytes(end - begin) if how == "zeroed" else b""
    path.write_bytes(content[:begin] + hole + content[end:])
    shown, (warning, *_) = _shown(path, on_damage)
    assert 30 < len(shown) < 60
    assert shown == list(range(len(shown)))
    assert f"is damaged after {len(shown)} frames" in warning
    if on_damage == "continue":
        assert "the file does not say how many frames were lost" in warning


def _pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("on_damage", BOTH)
@pytest.mark.parametrize("first", [51, 52, 53, 54])
@pytest.mark.parametrize("make", [_h264, _without_reordering])
def test_whole_pictures_are_missing(
    make: Callable[[Path], Path], first: int, on_damage: OnDamage, tmp_path: Path
) -> None:
    """No decoder complains then."""
    path = make(tmp_path)
    pictures = _pictures(path)
    path.write_bytes(b"".join(pictures[:first] + pictures[first + 3 :]))
    shown, (warning,) = _shown(path, on_damage)
    assert shown == list(range(len(shown)))
    assert first - 7 <= len(shown) <= first
    assert "damaged" in warning


@pytest.mark.parametrize("on_damage", BOTH)
def test_a_whole_sequence_is_missing(on_damage: OnDamage, tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.h264", FRAMES, g="25", sc_threshold="0")
    pictures = _pictures(path)
    path.write_bytes(b"".join(pictures[:50] + pictures[75:]))
    shown, (warning,) = _shown(path, on_damage)
    assert shown == list(range(len(shown)))
    assert 40 < len(shown) <= 50
    assert "damaged" in warning


@pytest.mark.parametrize("make", [_h264, _hevc])
def test_a_raw_stream_that_begins_between_key_frames(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = make(tmp_path)
    path.write_bytes(b"".join(_pictures(path)[33:]))
    shown, (warning,) = _shown(path)
    assert shown == list(range(shown[0], FRAMES))
    assert shown[0] >= 40
    assert "begins between key frames" in warning


@pytest.mark.parametrize("on_damage", BOTH)
def test_a_file_earns_every_warning(on_damage: OnDamage, tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.ts", FRAMES, **X264)
    content = path.read_bytes()
    packets = [content[place : place + 188] for place in range(0, len(content), 188)]
    share = len(packets) / 100
    kept = packets[int(8 * share) : int(50 * share)] + packets[int(60 * share) : int(96 * share)]
    path.write_bytes(b"".join(kept))
    _, warnings = _shown(path, on_damage)
    assert "begins between key frames" in warnings[0]
    assert "damaged after" in warnings[1]


def test_damaged_and_cut_short_are_two_things(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.flv", FRAMES, **X264)
    content = bytearray(path.read_bytes()[: path.stat().st_size * 8 // 10])
    begin = len(content) // 2
    content[begin : begin + 600] = bytes(600)
    path.write_bytes(content)
    _, warnings = _shown(path, "continue")
    assert "is damaged after" in warnings[0]
    assert "early" in warnings[-1]


@pytest.mark.parametrize("last", [-1, -2, -3])
def test_a_film_cut_off_among_reordered_frames(last: int, tmp_path: Path) -> None:
    """Of frames that are coded behind one that is shown after them some are missing."""
    path = write_numbered(tmp_path / "a.ts", 60, bf="3", **{"x264-params": "b-adapt=0"})
    cut = tmp_path / "cut.ts"
    with av.open(str(path)) as given, av.open(str(cut), "w") as taken:
        stream = taken.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(video=0) if packet.size]
        for packet in packets[: 50 + last]:
            packet.stream = stream
            taken.mux(packet)
    shown, warnings = _shown(cut)
    assert shown == list(range(len(shown)))
    assert len(shown) >= 44
    assert len(shown) == 50 + last or "damaged" in warnings[0]


def test_a_pause_of_a_transport_stream_is_no_hole(tmp_path: Path) -> None:
    pts = [index + 175 * (index >= 30) for index in range(60)]
    path = write_numbered(tmp_path / "a.ts", 60, pts=pts)
    assert _shown(path) == (list(range(60)), [])


def test_recordings_with_other_clocks_joined(tmp_path: Path) -> None:
    late = [index + 50000 for index in range(30)]
    parts = [
        write_numbered(tmp_path / "1.ts", 30, pts=late),
        write_numbered(tmp_path / "2.ts", 30, first=30),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert _shown(path) == (list(range(60)), [])


def test_a_beginning_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mkv", 60, g="20", bf="0")
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        first = next(container.demux(video=0))
    assert first.pos is not None
    content[first.pos + 200 : first.pos + 600] = bytes(400)
    path.write_bytes(content)
    shown, (warning,) = _shown(path)
    assert shown == list(range(20, 60))
    assert "damaged at its beginning" in warning
