"""Addresses and stdin: a server on this machine, pipes, and what is never connected to."""

import io
import os
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import numpy as np
import pytest
from loopback import serving
from numbered_films import number_of, write_numbered
from tagged_films import set_display_matrix, write_colours

from locoexport.errors import StoppedError, UsageError, VideoError
from locoexport.runtime.sources.named import StandardInput, Url
from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.sources.streams import stdin_footage
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.selection import Selection

COUNT = 30


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    write_mp4(path, (np.roll(noise, index, 1) for index in range(COUNT)), 20)
    return path


@pytest.fixture(scope="module")
def piped() -> dict[str, bytes]:
    """A clip in the containers that can be piped."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, index, 1), format="rgb24")
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    planes = bytes(range(256)) * (48 * 64 * 3 // 2 // 256)
    raw = (b"FRAME\n" + planes[index:] + planes[:index] for index in range(COUNT))
    return {
        "mpegts": buffer.getvalue(),
        "yuv4mpegpipe": b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n" + b"".join(raw),
    }


def _frames(source: FrameSource) -> np.ndarray:
    return np.stack(list(source.frames()))


def test_an_address_gives_what_the_file_holds(clip: Path) -> None:
    with serving({"/clip.mp4": clip.read_bytes()}) as served:
        source = open_video(Url(f"{served.url}/clip.mp4"))
        np.testing.assert_array_equal(_frames(source), _frames(open_video(clip)))
    assert (source.fps, source.rereadable, source.warnings) == (20, False, [])


def test_an_address_is_shown_as_the_file_would_be(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_colours(path, 1, full=True)
    set_display_matrix(path, -1, 0, 0, 1)
    with serving({"/a.mp4": path.read_bytes()}) as served:
        np.testing.assert_array_equal(
            _frames(open_video(Url(f"{served.url}/a.mp4"))), _frames(open_video(path))
        )
    noise = np.random.default_rng(0).integers(0, 255, (3, 48, 64, 3)).astype(np.uint8)
    write_mp4(path, noise, 20, pixel_aspect=Fraction(16, 11))
    with serving({"/a.mp4": path.read_bytes()}) as served:
        source = open_video(Url(f"{served.url}/a.mp4"))
        assert source.pixel_aspect() == Fraction(16, 11)
        assert len(_frames(source)) == 3


def test_a_playlist_is_not_followed(clip: Path) -> None:
    list_ = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n"
    with serving({"/clip.mp4": clip.read_bytes(), "/list.m3u8": list_}) as served:
        with pytest.raises(VideoError, match="playlist"):
            open_video(Url(f"{served.url}/list.m3u8"))
        assert {path for _, path, _ in served.requests} == {"/list.m3u8"}


def test_nobody_there_and_nothing_there(clip: Path) -> None:
    with serving({}) as served, pytest.raises(VideoError, match="404"):
        open_video(Url(f"{served.url}/none.mp4"))
    with pytest.raises(VideoError, match="refused"):
        open_video(Url("rtsp://127.0.0.1:9/cam"))


def test_a_name_is_never_an_address(clip: Path) -> None:
    with serving({"/clip.mp4": clip.read_bytes()}) as served:
        with pytest.raises(VideoError, match="--url"):
            open_video(f"{served.url}/clip.mp4")
        assert served.requests == []


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "concat:a|b", "clip.mp4", "http://", "udp://h:1", "http://h:x"],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="address"):
        Url(address)


def test_no_secret_of_an_address_is_shown() -> None:
    url = Url("rtsp://me:secret@cam.local:554/a?token=secret")
    assert url.shown == "rtsp://cam.local:554/a"
    assert "secret" not in repr(url)


def test_a_stream_that_breaks_off_keeps_what_came(piped) -> None:
    data = piped["mpegts"]

    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])

    with serving({}) as served:
        served.scripts["/live.ts"] = half
        source = open_video(Url(f"{served.url}/live.ts"))
        assert 3 < len(_frames(source)) < COUNT


@pytest.mark.parametrize("bf", [0, 2])
def test_a_server_that_hangs_up_takes_no_frame_with_it(tmp_path: Path, bf: int) -> None:
    """Frames that wait in the decoder, or to be compared with later ones, came too."""
    data = write_numbered(tmp_path / "a.mkv", COUNT, bf=str(bf)).read_bytes()

    def more_than_there_is(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) + 100_000))
        handler.end_headers()
        handler.wfile.write(data)

    with serving({}) as served:
        served.scripts["/live.mkv"] = more_than_there_is
        source = open_video(Url(f"{served.url}/live.mkv"))
        assert [number_of(frame) for frame in source.frames()] == list(range(COUNT))
    (warning,) = source.warnings
    assert f"failed after {COUNT} frames" in warning


def test_stopping_ends_an_address_that_says_nothing_more(piped) -> None:
    over = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(piped["mpegts"])
        handler.wfile.flush()
        over.wait(20)

    with serving({}) as served:
        served.scripts["/live.ts"] = endless
        url = Url(f"{served.url}/live.ts")
        source = open_video(url)
        threading.Timer(0.5, url.stop.set).start()
        begun = time.monotonic()
        assert len(_frames(source)) > 3
        assert time.monotonic() - begun < 5
        over.set()


@pytest.mark.parametrize("kind", ["mpegts", "yuv4mpegpipe"])
def test_what_is_piped_in_is_read(piped, kind: str) -> None:
    source = FrameSource(stdin_footage(StandardInput(), io.BytesIO(piped[kind])), Selection())
    frames = _frames(source)
    assert frames.shape == (COUNT, 48, 64, 3)
    assert source.fps == 25
    assert (frames[0] != frames[-1]).any()


@pytest.mark.parametrize(("data", "said"), [(b"", "is empty"), (b"hello", "begins with b'hello'")])
def test_anything_else_piped_in_is_named(data: bytes, said: str) -> None:
    with pytest.raises(VideoError, match=f"{said}; it takes y4m"):
        stdin_footage(StandardInput(), io.BytesIO(data))


def test_a_pipe_that_says_nothing_can_be_stopped() -> None:
    reading, writing = os.pipe()
    source = StandardInput()
    threading.Timer(0.3, source.stop.set).start()
    with open(reading, "rb", buffering=0) as pipe:
        with pytest.raises(StoppedError, match="stdin"):
            stdin_footage(source, pipe)
        os.close(writing)
