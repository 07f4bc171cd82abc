"""Windows as TensorFlow draws them, and frames resized as TensorFlow and everybody else do."""

import cv2
import numpy as np
import pytest

from locoexport.training.data.crops import crop_frames, draw_window


@pytest.mark.parametrize("size_hw", [(256, 256), (64, 64), (180, 320), (320, 180), (33, 65)])
def test_windows_keep_the_bounds_of_area_and_aspect(size_hw) -> None:
    random = np.random.default_rng(0)
    height, width = size_hw
    for _ in range(500):
        top, left, bottom, right = window = draw_window(size_hw, random)
        tall, wide = bottom - top, right - left
        assert 0 <= top < bottom <= height
        assert 0 <= left < right <= width
        assert 0.3 * height * width <= tall * wide
        if window != (0, 0, *size_hw):
            # The width is rounded to a pixel.
            assert 0.5 * tall - 0.5 <= wide <= 2 * tall + 0.5


def test_windows_are_of_all_sizes_and_in_all_places() -> None:
    random = np.random.default_rng(1)
    windows = np.array([draw_window((256, 256), random) for _ in range(3000)])
    top, left, bottom, right = windows.T
    area = (bottom - top) * (right - left) / 256**2
    aspect = (right - left) / (bottom - top)
    assert area.min() < 0.31
    assert area.max() > 0.97
    assert aspect.min() < 0.52
    assert aspect.max() > 1.95
    assert (top == 0).any()
    assert (left == 0).any()
    assert bottom.max() == 256
    assert right.max() == 256
    # TensorFlow leaves out the last place that a smaller window could have.
    assert (bottom[bottom - top < 256] < 256).all()
    assert (right[right - left < 256] < 256).all()


def test_heights_are_uniform_between_the_least_and_the_largest() -> None:
    # Of a square and for an aspect of a, heights are uniform in sqrt(0.3/a)..min(1, 1/a); a is
    # uniform in 0.5..2.
    aspects = np.linspace(0.5, 2, 30001)
    expected = np.mean((np.sqrt(0.3 / aspects) + np.minimum(1, 1 / aspects)) / 2)
    random = np.random.default_rng(2)
    windows = np.array([draw_window((1000, 1000), random) for _ in range(4000)])
    heights = (windows[:, 2] - windows[:, 0]) / 1000
    # Four standard errors of the mean; the deviation of one height was measured as 0.165.
    assert abs(heights.mean() - expected) < 4 * 0.165 / np.sqrt(4000)


def test_a_frame_that_no_window_fits_is_taken_whole() -> None:
    # 1 in 12 as high as wide: even the widest window has less than 0.3 of the area.
    assert draw_window((20, 240), np.random.default_rng(0)) == (0, 0, 20, 240)


@pytest.mark.parametrize("size_hw", [(64, 64), (40, 90), (20, 17)])
def test_half_pixel_centres_are_opencv_s(size_hw) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 50, 60, 3), np.uint8)
    found = crop_frames(frames, (5, 7, 45, 51), size_hw)
    assert (found.shape, found.dtype) == ((3, *size_hw, 3), np.float32)
    parts = frames[:, 5:45, 7:51].astype(np.float32)
    expected = np.stack([cv2.resize(part, size_hw[::-1]) for part in parts]) / 127.5 - 1
    # Two roundings of float32 in another order: 2.4e-7 were measured.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_size_it_has_changes_nothing() -> None:
    frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    for centres in (True, False):
        found = crop_frames(frames, (0, 0, 16, 16), (16, 16), half_pixel_centres=centres)
        np.testing.assert_array_equal(np.rint((found + 1) * 127.5), frames)
        assert (found.min(), found.max()) == (-1, 1)


def test_without_half_pixel_centres_a_ramp_lies_where_the_docstring_says() -> None:
    ramp = np.arange(0, 200, 10, dtype=np.uint8)
    frames = np.broadcast_to(ramp[None, None, :, None], (1, 20, 20, 3))
    found = crop_frames(frames, (0, 0, 20, 20), (40, 40), half_pixel_centres=False)
    # Content at raster x of the window is due at 2x; it is seen (1 - s)/(2s) = 0.5 px left of that.
    columns = (found[0, 0, :39, 0] + 1) * 12.75  # which column is seen there
    seen_at = np.arange(39) + 0.5
    # Values to a rounding of float32 times 25: 1.9e-6 px were measured.
    np.testing.assert_allclose(2 * (columns + 0.5) - 0.5, seen_at, rtol=0, atol=1e-5)
