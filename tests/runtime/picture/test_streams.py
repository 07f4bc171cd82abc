"""The film of a file is chosen, never its cover."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from locoexport.errors import VideoError
from locoexport.runtime.video.clips import read_clip

_JPEG_SIDE = 16


def _cover() -> bytes:
    image = av.VideoFrame.from_ndarray(np.full((_JPEG_SIDE, _JPEG_SIDE, 3), 250, np.uint8))
    with av.open(io.BytesIO(), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width = stream.height = _JPEG_SIDE
        stream.pix_fmt = "yuvj420p"
        packets = [*stream.encode(image.reformat(format="yuvj420p")), *stream.encode(None)]
        return b"".join(bytes(packet) for packet in packets)


def _write(path: Path, *levels: int, default: int | None = None, cover_first: bool = False) -> None:
    """Films of one grey each in one file, and a cover."""
    with av.open(str(path), "w") as container:
        streams = []
        if cover_first:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width = picture.height = _JPEG_SIDE
            picture.pix_fmt = "yuvj420p"
            picture.disposition = Disposition.attached_pic
        for index, _ in enumerate(levels):
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv420p"
            stream.disposition = Disposition.default if index == default else Disposition(0)
            streams.append(stream)
        if cover_first:
            packet = av.Packet(_cover())
            packet.stream, packet.pts, packet.dts = picture, 0, 0
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
        for time in range(4):
            for stream, level in zip(streams, levels, strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8))
                frame.pts, frame.time_base = time, Fraction(1, 25)
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
        for stream in streams:
            container.mux(stream.encode(None))


@pytest.mark.parametrize(("default", "level"), [(0, 60), (1, 120), (2, 180)])
def test_the_film_flagged_as_default(tmp_path: Path, default: int, level: int) -> None:
    path = tmp_path / "f.mkv"
    _write(path, 60, 120, 180, default=default)
    clip = read_clip(path)
    assert len(clip.frames_rgb) == 4
    assert np.abs(clip.frames_rgb.astype(int) - level).max() <= 3


def test_a_cover_that_stands_first_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    _write(path, 60, cover_first=True)
    clip = read_clip(path)
    assert clip.frames_rgb.shape == (4, 32, 32, 3)
    assert np.abs(clip.frames_rgb.astype(int) - 60).max() <= 3


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    """An mp3 as players write it: an ID3 tag with a picture, then silence."""
    picture = b"\0image/jpeg\0\3\0" + _cover()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = len(frame)
    safe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    silence = (b"\xff\xfb\x90\xc4" + bytes(413)) * 20
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\3\0\0" + safe + frame + silence)
    with pytest.raises(VideoError, match="cover picture"):
        read_clip(path)
