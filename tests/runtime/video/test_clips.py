import socket
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4


def _smooth_frames(count: int, height: int, width: int) -> np.ndarray:
    """Colour gradients that drift: what H.264 keeps nearly unchanged, and every frame differs."""
    t, y, x = np.meshgrid(
        np.arange(count), np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij"
    )
    image = np.stack([200 * x + 20, 200 * y + 20, 100 * (x + y) / 2 + 60], axis=-1)
    return (image + 5 * t[..., None]).astype(np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    write_mp4(path, _smooth_frames(12, 48, 64), 25)
    return path


@pytest.mark.parametrize(("height", "width"), [(48, 64), (49, 63), (1, 30)])
def test_film_reads_back_as_it_was_written(tmp_path: Path, height: int, width: int) -> None:
    frames = _smooth_frames(6, height, width)
    before = frames.copy()
    write_mp4(tmp_path / "f.mp4", iter(frames), 30000 / 1001)
    clip = read_clip(tmp_path / "f.mp4")
    assert clip.warnings == ()
    assert clip.fps == pytest.approx(30000 / 1001, rel=1e-6)
    even = (height + height % 2, width + width % 2)
    assert clip.frames_rgb.shape == (6, *even, 3)
    error = clip.frames_rgb[:, :height, :width].astype(int) - frames
    # The colour matrix written is the one read: a mix-up of BT.601 and BT.709 is 10 and more.
    assert np.abs(error).mean() < 4
    np.testing.assert_array_equal(frames, before)


def test_film_plays_in_browsers(film: Path) -> None:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)
    content = film.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")
    assert [entry.name for entry in film.parent.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("fps", [0.5, 12.5, 23.976, 29.97, 59.94, 240])
def test_any_frame_rate(tmp_path: Path, fps: float) -> None:
    write_mp4(tmp_path / "f.mp4", _smooth_frames(4, 16, 16), fps)
    assert read_clip(tmp_path / "f.mp4").fps == pytest.approx(fps, rel=1e-4)


def test_writing_refuses_bad_frames_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    good = _smooth_frames(2, 16, 16)
    with pytest.raises(VideoError, match="no frames"):
        write_mp4(path, [], 25)
    with pytest.raises(VideoError, match="Frame 1 is uint8 of shape"):
        write_mp4(path, [good[0], good[1, :8]], 25)
    with pytest.raises(VideoError, match="Frame 0 is float64"):
        write_mp4(path, good.astype(float), 25)
    with pytest.raises(VideoError, match=r"\(height, width, 3\)"):
        write_mp4(path, good[..., 0], 25)
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="fps"):
            write_mp4(path, good, fps)
    with pytest.raises(OutputError):
        write_mp4(tmp_path / "absent" / "f.mp4", good, 25)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_keeps_the_old_film(film: Path) -> None:
    before = film.read_bytes()

    def interrupted():
        yield _smooth_frames(1, 16, 16)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(film, interrupted(), 25)
    assert film.read_bytes() == before
    assert [entry.name for entry in film.parent.iterdir()] == ["film.mp4"]


def test_max_frames(film: Path) -> None:
    whole = read_clip(film)
    cut = read_clip(film, max_frames=5)
    np.testing.assert_array_equal(cut.frames_rgb, whole.frames_rgb[:5])
    assert cut.warnings == ()
    assert len(read_clip(film, max_frames=100).frames_rgb) == 12
    with pytest.raises(UsageError, match="max_frames"):
        read_clip(film, max_frames=0)


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="There is no video file"):
        read_clip(tmp_path / "absent.mp4")
    with pytest.raises(VideoError, match="There is no video file"):
        read_clip(tmp_path)
    for content in (b"", b"hello\n" * 50, b"\x00" * 500):
        (tmp_path / "bad.mp4").write_bytes(content)
        with pytest.raises(VideoError, match=r"bad\.mp4"):
            read_clip(tmp_path / "bad.mp4")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + 800, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 800),
    )
    path.write_bytes(header + bytes(800))
    with pytest.raises(VideoError, match="no video stream"):
        read_clip(path)


def test_truncated_film_gives_what_can_be_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3)).astype(np.uint8)
    path = tmp_path / "noise.mp4"
    write_mp4(path, noise, 25)
    whole = read_clip(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = read_clip(path)
    assert 5 < len(clip.frames_rgb) < 30
    np.testing.assert_array_equal(clip.frames_rgb[:5], whole.frames_rgb[:5])
    assert len(clip.warnings) == 1
    assert "cut short" in clip.warnings[0] or "damaged" in clip.warnings[0]
    # Asked for less than there is, nothing is missing.
    assert read_clip(path, max_frames=3).warnings == ()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(VideoError):
        read_clip(path)


def test_damage_in_the_middle_ends_the_clip_with_a_warning(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3)).astype(np.uint8)
    path = tmp_path / "noise.mp4"
    write_mp4(path, noise, 25)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    clip = read_clip(path)
    assert 5 < len(clip.frames_rgb) < 30
    assert [f"damaged after {len(clip.frames_rgb)} frames" in text for text in clip.warnings] == [
        True
    ]


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
    ids=["clockwise", "half", "anticlockwise"],
)
def test_rotation_metadata_is_applied(film: Path, matrix: tuple[int, ...], turns: int) -> None:
    upright = read_clip(film).frames_rgb
    content = bytearray(film.read_bytes())
    # The 3x3 matrix of the track header box, 16.16 fixed point: 40 bytes after its version.
    at = content.find(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    film.write_bytes(content)
    turned = read_clip(film).frames_rgb
    np.testing.assert_array_equal(turned, np.rot90(upright, turns, axes=(1, 2)))


def test_grey_alpha_and_deep_colour_become_rgb(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(5, axis=0)
    deep = ramp.astype(np.uint16) * 257
    images = {
        "grey": ramp,
        "grey16": deep,
        "alpha": np.dstack([ramp, ramp, ramp, 255 - ramp]),
        "rgb16": np.dstack([deep, deep, deep]),
    }
    for name, image in images.items():
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), image)
        clip = read_clip(path)
        assert clip.frames_rgb.shape == (1, 5, 64, 3), name
        assert np.abs(clip.frames_rgb[0].astype(int) - ramp[..., None]).max() <= 1, name
        assert clip.fps == 25
        assert clip.warnings == (), name


def test_frames_that_change_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    """An MJPEG stream may do that at every frame."""
    jpegs = [
        cv2.imencode(".jpg", np.full((height, 32, 3), level, np.uint8))[1].tobytes()
        for height, level in ((24, 40), (48, 200))
    ]
    (tmp_path / "f.mjpeg").write_bytes(b"".join(jpegs))
    clip = read_clip(tmp_path / "f.mjpeg")
    assert clip.frames_rgb.shape == (2, 24, 32, 3)
    assert "change size" in clip.warnings[0]
    assert np.abs(clip.frames_rgb[1].astype(int) - 200).max() <= 2


def test_variable_frame_rate_has_its_average(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for pts in (0, 2, 4, 20, 40, 60, 62, 64):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), pts, np.uint8))
            frame.pts, frame.time_base = pts, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = read_clip(path)
    assert len(clip.frames_rgb) == 8
    assert 8 / 0.9 < clip.fps < 8 / 0.6
    assert clip.warnings == ()


def _gif(width: int, height: int) -> bytes:
    """Twenty frames of one pixel each on a canvas of any size; 480 bytes."""
    canvas = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\0\x0a\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return canvas + 20 * frame + b";"


def _write_film(path: Path, codec: str, side: int, pix_fmt: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width = stream.height = side
        stream.pix_fmt = pix_fmt
        for image in _smooth_frames(3, side, side):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_canvas_of_a_few_bytes_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "g.gif"
    path.write_bytes(_gif(16, 16))
    assert len(read_clip(path).frames_rgb) == 20
    path.write_bytes(_gif(16_000, 16_000))
    with pytest.raises(VideoError, match=r"g\.gif has 256,000,000 pixels a frame, and at most 40"):
        read_clip(path)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        *(("f.mp4", "libx264", "yuv420p"), ("f.mkv", "libx264", "yuv420p")),
        *(("f.ts", "libx264", "yuv420p"), ("f.avi", "mpeg4", "yuv420p")),
        *(("f.mov", "png", "rgb24"), ("f.avi", "png", "rgb24"), ("f.mkv", "mjpeg", "yuvj420p")),
    ],
)
def test_no_decoder_makes_room_for_frames_over_the_limit(
    tmp_path: Path, monkeypatch, name: str, codec: str, pix_fmt: str
) -> None:
    path = _write_film(tmp_path / name, codec, 64, pix_fmt)
    assert read_clip(path).frames_rgb.shape == (3, 64, 64, 3)
    monkeypatch.setenv("LOCOEXPORT_MAX_FRAME_PIXELS", str(64 * 64 - 1))
    with pytest.raises(VideoError, match="LOCOEXPORT_MAX_FRAME_PIXELS"):
        read_clip(path)


def test_frames_that_grow_over_the_limit_end_the_clip(tmp_path: Path, monkeypatch) -> None:
    small = _write_film(tmp_path / "small.mjpeg", "mjpeg", 32, "yuvj420p")
    large = _write_film(tmp_path / "large.mjpeg", "mjpeg", 64, "yuvj420p")
    path = tmp_path / "f.mjpeg"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    assert len(read_clip(path).frames_rgb) == 6
    monkeypatch.setenv("LOCOEXPORT_MAX_FRAME_PIXELS", str(64 * 64 - 1))
    clip = read_clip(path)
    assert clip.frames_rgb.shape == (3, 32, 32, 3)
    assert any("damaged after 3 frames" in warning for warning in clip.warnings)


@pytest.mark.parametrize("suffix", [".mp4", ""])
@pytest.mark.parametrize(
    ("own_suffix", "text"),
    [
        (".m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nADDRESS\n#EXT-X-ENDLIST\n"),
        (".m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfilm.mp4\n#EXT-X-ENDLIST\n"),
        (".ffconcat", "ffconcat version 1.0\nfile ADDRESS\n"),
        (".ffconcat", "ffconcat version 1.0\nfile film.mp4\n"),
        (".sdp", "v=0\no=- 0 0 IN IP4 HOST\ns=x\nc=IN IP4 HOST\nt=0 0\nm=video 9 RTP/AVP 96\n"),
        (
            ".mpd",
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
            "<Period><AdaptationSet><Representation><BaseURL>ADDRESS</BaseURL>"
            "</Representation></AdaptationSet></Period></MPD>",
        ),
        (".asx", '<asx><entry><ref href="ADDRESS"/></entry></asx>'),
    ],
)
def test_a_list_of_other_files_opens_none(
    film: Path, own_suffix: str, text: str, suffix: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        host, port = server.getsockname()
        path = film.with_name(f"list{suffix or own_suffix}")
        path.write_text(
            text.replace("ADDRESS", f"http://{host}:{port}/f.mp4").replace("HOST", host)
        )
        with pytest.raises(VideoError, match="not a playlist"):
            read_clip(path)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_name_is_never_an_address_or_a_pattern(film: Path, monkeypatch) -> None:
    monkeypatch.chdir(film.parent)
    image = _smooth_frames(1, 32, 32)[0]
    for name in ("concat:a", "img%d.png", "img1.png"):
        assert cv2.imwrite("some.png", image)
        Path("some.png").rename(name)
    assert read_clip("concat:a").frames_rgb.shape == (1, 32, 32, 3)
    with pytest.raises(VideoError, match=r"img%d\.png"):
        read_clip("img%d.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm"])
def test_a_photograph_is_a_clip_of_one_frame(tmp_path: Path, suffix: str) -> None:
    assert cv2.imwrite(str(tmp_path / f"p{suffix}"), _smooth_frames(1, 32, 48)[0])
    assert read_clip(tmp_path / f"p{suffix}").frames_rgb.shape == (1, 32, 48, 3)


@pytest.mark.parametrize("name", ["a" * 300 + ".mp4", "a\0b.mp4"])
def test_a_name_that_no_file_can_have_is_no_video(name: str) -> None:
    with pytest.raises(VideoError, match="There is no video file"):
        read_clip(name)
