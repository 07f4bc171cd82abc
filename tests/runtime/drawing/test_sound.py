"""The overlay's sound: copied packets, at the time at which they belong."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from locoexport.runtime.drawing.film import write_film
from locoexport.runtime.drawing.sound import ClipSound, find_sound

RATE, FPS = 44100, 25
BEEP_S = 1.5


def make_clip(path: Path, codec: str, seconds: float = 2.0) -> Path:
    """A clip of 2 s that is silent but for a beep at 1.5 s."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"bf": "0"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = out.add_stream(codec, rate=RATE, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for index in range(round(seconds * FPS)):
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        times = np.arange(round(seconds * RATE)) / RATE
        loud = (times >= BEEP_S) & (times < BEEP_S + 0.05)
        wave = (np.sin(2 * np.pi * 1000 * times) * loud * 20000).astype(np.int16)
        for start in range(0, len(wave), 1024):
            piece = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "s16", "mono")
            piece.sample_rate, piece.pts = RATE, start
            out.mux(audio.encode(piece))
        out.mux(audio.encode(None))
    return path


def beep_at(path: Path) -> float | None:
    """Seconds at which it becomes loud; None of a silent film."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(float)).reshape(-1)
            loud = np.flatnonzero(wave > 0.2)
            if len(loud):
                return float(frame.time) + loud[0] / frame.sample_rate
    return None


def draw(film: Path, sound: ClipSound | None, frames: int) -> None:
    write_film(film, [np.zeros((32, 32, 3), np.uint8)] * frames, FPS, sound=sound)


@pytest.mark.parametrize(("begin_s", "frames"), [(0.0, 50), (1.0, 25), (1.0, 20)])
def test_sound_is_where_it_was(begin_s: float, frames: int, tmp_path: Path) -> None:
    clip, film = make_clip(tmp_path / "clip.mp4", "aac"), tmp_path / "film.mp4"
    sound, reason = find_sound(clip, film, lambda: (begin_s, begin_s + frames / FPS))
    assert reason is None
    draw(film, sound, frames)
    assert beep_at(film) == pytest.approx(BEEP_S - begin_s, abs=0.003)
    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames
        length_s = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    assert length_s == pytest.approx(frames / FPS, abs=0.03)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "film.mp4"]


def test_why_there_is_no_sound_is_said(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", "aac", 0.2)
    raw = make_clip(tmp_path / "raw.mov", "pcm_s16le", 0.2)

    def reason(path: Path, film: str = "a.mp4", stride: int = 1) -> str | None:
        sound, why = find_sound(path, Path(film), lambda: (0.0, 1.0), stride=stride)
        assert sound is None
        return why

    assert "--stride 2" in reason(clip, stride=2)
    assert ".gif cannot hold sound" in reason(clip, "a.gif")
    assert "pcm_s16le" in reason(raw)
    silent = tmp_path / "silent.mp4"
    draw(silent, None, 2)
    assert reason(silent) is None
    assert reason(tmp_path) is None
    assert beep_at(silent) is None


def test_a_film_stays_where_its_sound_cannot_be_copied(tmp_path: Path) -> None:
    told, film = [], tmp_path / "film.mp4"
    missing = ClipSound(tmp_path / "gone.mp4", lambda: (0.0, 1.0))
    frames = [np.zeros((32, 32, 3), np.uint8)] * 5
    write_film(film, frames, FPS, sound=missing, notify=told.append)
    assert [notice.warning for notice in told] == [True]
    assert "has no sound" in told[0].text
    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_a_film_with_sound_keeps_its_times_and_the_shape_of_its_pixels(tmp_path: Path) -> None:
    clip, film = make_clip(tmp_path / "clip.mp4", "aac"), tmp_path / "film.mp4"
    time_s = np.array([0.0, 0.04, 0.2, 1.3, 1.5])
    sound, _ = find_sound(clip, film, lambda: (0.0, 2.0))
    frames = [np.zeros((32, 32, 3), np.uint8)] * 5
    write_film(film, frames, 4 / 1.5, time_s, pixel_aspect=Fraction(16, 11), sound=sound)
    assert beep_at(film) == pytest.approx(BEEP_S, abs=0.003)
    with av.open(str(film)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
        shown = [frame.time for frame in container.decode(video=0)]
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(1.875, abs=0.002)
    np.testing.assert_allclose(shown, time_s, atol=1e-3)
