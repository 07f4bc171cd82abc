"""The size of an image is read as a decoder reads it."""

import struct

import cv2
import numpy as np
import pytest

from locoexport.machine.reading.image_sizes import read_image_header


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
        (".png", []),
    ],
)
def test_the_size_is_the_decoders(suffix: str, options: list[int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)
    data = cv2.imencode(suffix, image, options)[1].tobytes()
    header = read_image_header(data)
    assert header is not None
    assert (header.height, header.width) == cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape[:2]
    assert (header.scans > 1) == (cv2.IMWRITE_JPEG_PROGRESSIVE in options)


def test_segments_before_the_frame_are_passed_over() -> None:
    data = cv2.imencode(".jpg", np.zeros((5, 9, 3), np.uint8))[1].tobytes()
    inner = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 9999, 9999)  # as in a thumbnail
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(inner)) + inner
    header = read_image_header(data[:2] + segment + b"\xff" * 3 + data[2:])
    assert header is not None
    assert (header.height, header.width) == (5, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + b"\xff\x01" * 5000,
        b"\xff\xd8\xff\xda\x00\x02\xff\xc0\x00\x11\x08\x00\x09\x00\x09",
        b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x09\x03",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 4,
    ],
)
def test_what_is_no_image_has_no_size(data: bytes) -> None:
    assert read_image_header(data) is None
