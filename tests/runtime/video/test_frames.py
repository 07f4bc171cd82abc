import numpy as np
import pytest

from locoexport.errors import VideoError
from locoexport.runtime.video.frames import (
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)


def _bilinear_axis(image: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Half-pixel bilinear along one axis, in float64: align_corners False, no antialiasing."""
    source = image.shape[axis]
    at = np.clip((np.arange(size) + 0.5) * source / size - 0.5, 0, source - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, source - 1)
    shape = [1] * image.ndim
    shape[axis] = size
    weight = (at - low).reshape(shape)
    return np.take(image, low, axis) * (1 - weight) + np.take(image, high, axis) * weight


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((144, 176), (256, 256)),
        ((272, 640), (256, 256)),
        ((500, 37), (64, 128)),
        ((1, 9), (16, 24)),
        ((256, 256), (256, 256)),
    ],
)
def test_resize_is_half_pixel_bilinear(source: tuple[int, int], target: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, *source, 3)).astype(np.uint8)
    video = to_model_input(frames, target)
    assert video.shape == (1, 2, *target, 3)
    assert video.dtype == np.float32
    normalised = frames / 255 * 2 - 1
    expected = _bilinear_axis(_bilinear_axis(normalised, target[0], 1), target[1], 2)
    assert np.abs(video[0] - expected).max() < 2e-6


def test_frames_must_be_uint8_rgb() -> None:
    with pytest.raises(VideoError, match="float32"):
        to_model_input(np.zeros((1, 8, 8, 3), np.float32), (8, 8))
    with pytest.raises(VideoError, match=r"shape \(8, 8, 3\)"):
        to_model_input(np.zeros((8, 8, 3), np.uint8), (8, 8))
    with pytest.raises(VideoError):
        to_model_input(np.zeros((0, 8, 8, 3), np.uint8), (8, 8))


@pytest.mark.parametrize(
    ("frames", "way"),
    [
        (np.zeros((2, 8, 9, 3), np.float32), r"\* 255"),
        (np.zeros((2, 8, 9, 3), np.uint16), ">> 8"),
        (np.zeros((2, 3, 8, 9), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((2, 8, 9, 4), np.uint8), "fourth channel"),
        (np.zeros((2, 8, 9), np.uint8), "grey"),
    ],
)
def test_the_way_to_rgb_is_said(frames: np.ndarray, way: str) -> None:
    with pytest.raises(VideoError, match=way):
        to_model_input(frames, (8, 8))


def test_positions_scale_by_axis_and_back() -> None:
    queries = np.array([[3.5, 144, 88], [0, 0, 176]], np.float32)
    scaled = scale_queries_to_model(queries, (144, 176), (256, 512))
    np.testing.assert_array_equal(scaled, np.array([[3.5, 256, 256], [0, 0, 512]], np.float32))
    back = scale_tracks_to_video(scaled[:, [2, 1]], (256, 512), (144, 176))
    np.testing.assert_allclose(back, queries[:, [2, 1]], atol=1e-4)
