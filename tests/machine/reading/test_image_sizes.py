"""The size in an image's header is the one that OpenCV makes room for."""

import struct

import cv2
import numpy as np
import pytest

from locoexport.machine.reading.image_sizes import image_is_whole, image_kind, image_pixels

IMAGE = np.zeros((37, 53, 3), np.uint8)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        *((".png", "png"), (".bmp", "bmp"), (".tiff", "tiff"), (".pgm", "pnm"), (".ppm", "pnm")),
        *((".pam", "pam"), (".jp2", "jpeg2000"), (".jpg", "jpeg"), (".webp", "webp")),
        *((".sr", "sun"), (".gif", "gif"), (".hdr", "radiance"), (".pfm", "pnm"), (".pbm", "pnm")),
    ],
)
def test_reads_what_opencv_writes(suffix, kind) -> None:
    image = IMAGE.astype(np.float32) if suffix in (".hdr", ".pfm") else IMAGE
    image = image[..., 0] if suffix in (".pgm", ".pbm", ".pam") else image
    data = cv2.imencode(suffix, image)[1].tobytes()
    assert image_kind(data) == kind
    assert image_pixels(data) == 37 * 53
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.shape[:2] == (37, 53)
    # Cut anywhere: a number, or none; never an exception.
    for size in range(40):
        assert image_pixels(data[:size]) in (None, *range(37 * 53 + 1))


def tiff(order: str, tags: dict[int, int]) -> bytes:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entries = (struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    return mark + struct.pack(order + "IH", 8, len(tags)) + b"".join(entries)


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (b"BM" + struct.pack("<IIIIHHHH", 0, 0, 26, 12, 40_000, 50_000, 1, 24), 2 * 10**9),
        (b"BM" + struct.pack("<IIIIii", 0, 0, 54, 40, 40_000, -50_000), 2 * 10**9),
        (b"P5 # a\n#b\n40000\n# c\n50000 255\n", 2 * 10**9),
        (b"P7\nWIDTH 40000\nWIDTH 5\nHEIGHT 50000\nENDHDR\n", 2 * 10**9),
        (b"#?RADIANCE\nX=1\n\n-Y 40000 +X 50000\n", 2 * 10**9),
        (tiff("<", {256: 40_000, 257: 50_000}), 2 * 10**9),
        (tiff(">", {256: 40_000, 257: 50_000}), 2 * 10**9),
        (tiff("<", {256: 4, 257: 5, 322: 40_000, 323: 50_000}), 2 * 10**9),
        (b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 40_000, 50_000, 0, 0), 2 * 10**9),
        (b"GIF89a" + struct.pack("<HH", 40_000, 50_000), 2 * 10**9),
        (b"\xff\xd8\xff\xe0\0\x02\xff\xc2\0\x0b\x08" + struct.pack(">HH", 4, 5) + b"\xff\xd9", 20),
        (b"\0\1\2\3", None),
        (b"", None),
    ],
)
def test_reads_what_is_written_by_hand(data, pixels) -> None:
    assert image_pixels(data) == pixels


def test_a_part_longer_than_its_file_is_no_part() -> None:
    data = cv2.imencode(".png", IMAGE)[1].tobytes()
    assert image_is_whole(data)
    assert image_is_whole(data + bytes(100))
    assert not image_is_whole(data[:-1])
    at = data.index(b"IDAT") - 4
    assert not image_is_whole(data[:at] + b"\x38\xff\xff\xff" + data[at + 4 :])
    assert image_is_whole(b"BM")
