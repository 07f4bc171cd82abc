"""Films of which frames are lost: no number is wrong, and nothing intact is called damaged."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_films import number_of, numbered_frame, write_numbered

from locoexport.errors import UsageError
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import open_source

TS = 188
FRAMES = 100


def _numbers(path: Path, on_damage: str = "stop") -> tuple[list[int], set[int], list[str]]:
    """What each frame shows, which stand for lost ones, and the warnings."""
    reader = VideoReader(path, on_damage)  # type: ignore[arg-type]
    shown, repeated = [], set()
    for index, (time_s, frame) in enumerate(reader.frames()):
        shown.append(number_of(frame))
        if time_s in reader.repeated_s:
            repeated.add(index)
    return shown, repeated, reader.warnings


def _transport(folder: Path, **options: str) -> Path:
    return write_numbered(folder / "a.ts", FRAMES, g="25", **options)


def _without_packets(path: Path, first: float, last: float) -> Path:
    content = path.read_bytes()
    packets = len(content) // TS
    begin, end = int(packets * first) * TS, int(packets * last) * TS
    path.write_bytes(content[:begin] + content[end:])
    return path


def _zeroed(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    begin, end = len(content) // 2, int(len(content) * 0.6)
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)
    return path


def _lossy_ts(folder: Path) -> Path:
    return _without_packets(_transport(folder), 0.45, 0.65)


def _one_packet_lost(folder: Path) -> Path:
    path = _transport(folder)
    packets = len(path.read_bytes()) // TS
    return _without_packets(path, 0.5, 0.5 + 1.5 / packets)


def _holed_mp4(folder: Path) -> Path:
    return _zeroed(write_numbered(folder / "a.mp4", FRAMES, g="25"))


def _holed_mkv(folder: Path) -> Path:
    return _zeroed(write_numbered(folder / "a.mkv", FRAMES, g="25"))


def _holed_avi(folder: Path) -> Path:
    return _zeroed(write_numbered(folder / "a.avi", FRAMES, "mjpeg"))


DAMAGED = [_lossy_ts, _one_packet_lost, _holed_mp4, _holed_mkv, _holed_avi]


@pytest.mark.parametrize("make", DAMAGED)
def test_what_is_before_the_damage_is_read(make: Callable[[Path], Path], tmp_path: Path) -> None:
    shown, _, (warning,) = _numbers(make(tmp_path))
    assert 20 < len(shown) < FRAMES
    assert shown == list(range(len(shown)))
    assert f"is damaged after {len(shown)} frames " in warning


@pytest.mark.parametrize("make", DAMAGED)
def test_behind_the_damage_numbers_are_true(make: Callable[[Path], Path], tmp_path: Path) -> None:
    shown, repeated, (warning,) = _numbers(make(tmp_path), "continue")
    assert len(shown) == FRAMES
    assert 1 <= len(repeated) < 60
    good = [index for index in range(FRAMES) if index not in repeated]
    assert [shown[index] for index in good] == good
    assert max(repeated) < max(good)
    # Each lost frame shows the last good one.
    assert {shown[index] for index in repeated} == {min(repeated) - 1}
    assert f"replaces {len(repeated)} that are lost" in warning


def test_times_go_on_behind_the_damage(tmp_path: Path) -> None:
    source = open_source(_lossy_ts(tmp_path), Selection(on_damage="continue"))
    assert source.read_through() == FRAMES
    np.testing.assert_allclose(source.times_s, np.arange(FRAMES) / 25, atol=1e-6)
    assert source.average_fps == pytest.approx(25)
    first, *_, last = source.frames_repeated
    assert source.frames_repeated == tuple(range(first, last + 1))


def test_a_recording_that_begins_between_key_frames(tmp_path: Path) -> None:
    path = _without_packets(_transport(tmp_path), 0.0, 0.4)
    content = path.read_bytes()
    shown, repeated, (warning,) = _numbers(path)
    assert len(content) % TS == 0
    assert shown == list(range(shown[0], FRAMES))
    assert shown[0] % 25 == 0
    assert not repeated
    assert "begins between key frames" in warning


def test_a_stream_cut_out_of_an_avi_film_ends_at_the_cut(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.avi", FRAMES, "mjpeg")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[len(content) * 11 // 20 :])
    shown, _, (warning,) = _numbers(path)
    assert shown == list(range(len(shown)))
    assert 20 < len(shown) < 60
    assert "damaged" in warning


def _variable(count: int) -> list[int]:
    """10 frames at 25 a second, then others at 5, in milliseconds."""
    return [index * 40 if index < 10 else 400 + (index - 10) * 200 for index in range(count)]


def _pausing(count: int) -> list[int]:
    """A screen recording: 25 a second, and twice nothing moved for a second."""
    return [index * 40 + 1000 * (index >= 15) + 1000 * (index >= 30) for index in range(count)]


INTACT = {
    "b-frames.flv": {"bf": "3"},
    "a.ts": {"bf": "3"},
    "variable.mkv": {"pts": _variable(40)},
    "variable.mp4": {"pts": _variable(40)},
    "variable.ts": {"pts": _variable(40)},
    "variable.webm": {"pts": _variable(40), "codec": "libvpx"},
    "pausing.mkv": {"pts": _pausing(40)},
    "pausing.mp4": {"pts": _pausing(40)},
    "open.mkv": {"x264-params": "open-gop=1:keyint=12"},
    "refresh.ts": {"x264-params": "intra-refresh=1:keyint=20"},
    "a.avi": {"codec": "mpeg4", "bf": "2"},
    "picture.avi": {"codec": "mjpeg"},
    "a.mpg": {"codec": "mpeg2video", "bf": "2"},
    "alt.webm": {
        "codec": "libvpx-vp9",
        "lag-in-frames": "16",
        "auto-alt-ref": "1",
        "cpu-used": "8",
    },
}


@pytest.mark.parametrize("name", INTACT)
def test_an_intact_film_is_not_called_damaged(name: str, tmp_path: Path) -> None:
    options = dict(INTACT[name])
    if "pts" in options:
        options["time_base"] = Fraction(1, 1000)
    path = write_numbered(tmp_path / name, 40, **options)  # type: ignore[arg-type]
    assert _numbers(path) == (list(range(40)), set(), [])


@pytest.mark.parametrize("kind", ["mkv", "webm", "mp4"])
def test_a_pause_with_sound_in_it_is_no_hole(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    with av.open(str(path), "w") as container:
        codec = "libvpx" if kind == "webm" else "libx264"
        film = container.add_stream(codec, rate=25)
        film.height, film.width, film.pix_fmt = 48, 128, "yuv420p"
        film.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("libopus", rate=48000)
        noise = np.random.default_rng(0).integers(-9999, 9999, (1, 960), dtype=np.int16)
        for index, pts in enumerate(_pausing(40)):
            frame = av.VideoFrame.from_ndarray(numbered_frame(index), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 1000), pts
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        for index in range(180):
            heard = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
            heard.sample_rate, heard.pts = 48000, index * 960
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    assert _numbers(path) == (list(range(40)), set(), [])


def test_recordings_joined_end_to_end_are_one_film(tmp_path: Path) -> None:
    """The clock is set back, and the counters of the transport begin anew: nothing is lost."""
    parts = [write_numbered(tmp_path / f"{first}.ts", 30, first=first, bf="2") for first in (0, 30)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = open_source(path)
    assert [number_of(frame) for frame in source.frames()] == list(range(60))
    assert source.warnings == []
    np.testing.assert_allclose(source.times_s, np.arange(60) / 25, atol=1e-6)
    assert [number_of(frame) for frame in source.frames_between(40, 44)] == [40, 41, 42, 43]


def test_on_damage_is_one_of_two() -> None:
    with pytest.raises(UsageError, match="stop or continue"):
        Selection(on_damage="go")  # type: ignore[arg-type]


def test_a_stream_without_times_is_whole(tmp_path: Path) -> None:
    """Raw H.264 holds no times: nothing is missing where nothing fails."""
    path = tmp_path / "a.h264"
    with av.open(str(_transport(tmp_path))) as given, av.open(str(path), "w") as taken:
        stream = taken.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                taken.mux(packet)
    shown, repeated, warnings = _numbers(path)
    assert (shown, repeated, warnings) == (list(range(FRAMES)), set(), [])


def test_sound_may_come_first_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libopus", rate=48000)
        film = container.add_stream("libx264", rate=25)
        film.height, film.width, film.pix_fmt = 48, 128, "yuv420p"
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
        heard.sample_rate, heard.pts = 48000, 0
        container.mux(sound.encode(heard))
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(numbered_frame(index), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 25), index
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        container.mux(sound.encode(None))
    assert _numbers(path) == (list(range(20)), set(), [])
