"""Each display matrix, against the definition: a stored point (x, y) goes to (ax + cy, bx + dy)."""

import gc
import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tagged_films import set_display_matrix, write_frames

from locoexport.runtime.video.clips import read_clip

_MATRICES = [
    matrix
    for plain in ((1, 0, 0, 1), (0, 1, 1, 0))
    for signs in itertools.product((1, -1), repeat=2)
    for matrix in [
        (plain[0] * signs[0], plain[1] * signs[0], plain[2] * signs[1], plain[3] * signs[1])
    ]
]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)
    write_frames(tmp_path / "f.mp4", [av.VideoFrame.from_ndarray(image).reformat(format="yuv444p")])
    return tmp_path / "f.mp4"


def _moved(stored: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """Each pixel put where the matrix says, and all pushed back into the first quadrant."""
    height, width = stored.shape[:2]
    y, x = np.mgrid[:height, :width]
    to_x, to_y = a * x + c * y, b * x + d * y
    shown = np.zeros((np.ptp(to_y) + 1, np.ptp(to_x) + 1, 3), np.uint8)
    shown[to_y - to_y.min(), to_x - to_x.min()] = stored
    return shown


@pytest.mark.parametrize("matrix", _MATRICES, ids=str)
def test_every_turn_and_mirror(film: Path, matrix: tuple[int, int, int, int]) -> None:
    assert len(_MATRICES) == 8
    stored = read_clip(film).frames_rgb[0]
    set_display_matrix(film, *matrix)
    clip = read_clip(film)
    np.testing.assert_array_equal(clip.frames_rgb[0], _moved(stored, *matrix))
    assert clip.warnings == ()


@pytest.mark.parametrize("degrees", [0.5, -0.8])
def test_a_turn_of_less_than_a_degree_is_none(film: Path, degrees: float) -> None:
    stored = read_clip(film).frames_rgb
    turn = np.radians(degrees)
    set_display_matrix(film, np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn))
    clip = read_clip(film)
    np.testing.assert_array_equal(clip.frames_rgb, stored)
    assert clip.warnings == ()


@pytest.mark.parametrize(
    ("matrix", "left_over"),
    [((0.866, 0.5, -0.5, 0.866), "30 degrees"), ((1, 0, 0.5, 0.866), "degrees")],
    ids=["turned", "sheared"],
)
def test_other_angles_are_told(film: Path, matrix: tuple[float, ...], left_over: str) -> None:
    stored = read_clip(film).frames_rgb
    set_display_matrix(film, *matrix)
    clip = read_clip(film)
    np.testing.assert_array_equal(clip.frames_rgb, stored)
    assert len(clip.warnings) == 1
    assert left_over in clip.warnings[0]


def test_a_matrix_of_zeros_is_none(film: Path) -> None:
    stored = read_clip(film).frames_rgb
    set_display_matrix(film, 0, 0, 0, 0)
    np.testing.assert_array_equal(read_clip(film).frames_rgb, stored)


@pytest.mark.parametrize("value", range(1, 9))
def test_photographs_by_their_exif_orientation(tmp_path: Path, value: int) -> None:
    """What is right is Pillow's word."""
    image = pytest.importorskip("PIL.Image")
    from PIL import ImageOps

    stored = np.zeros((24, 32, 3), np.uint8)
    stored[:8, :16], stored[16:, 16:] = (255, 0, 0), (0, 0, 255)
    exif = image.Exif()
    exif[0x112] = value
    path = tmp_path / "p.jpg"
    image.fromarray(cv2.blur(stored, (5, 5))).save(path, exif=exif, quality=95)
    shown = np.asarray(ImageOps.exif_transpose(image.open(path)))
    got = read_clip(path).frames_rgb[0]
    assert got.shape == shown.shape
    # Two decoders of JPEG differ by little where colours are sampled; a mirror by 38.
    assert np.abs(got.astype(int) - shown).mean() < 4


def test_a_picture_does_not_wait_for_pythons_garbage_collection(film: Path) -> None:
    set_display_matrix(film, 0, 1, -1, 0)
    gc.collect()
    gc.disable()
    try:
        read_clip(film)
        assert not [each for each in gc.get_objects() if type(each) is av.VideoFrame]
    finally:
        gc.enable()
