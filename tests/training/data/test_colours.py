"""Colours against Python's own colorsys, a pixel at a time, and the shares that are drawn."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch

from locoexport.training.data.colours import ColourChange, change_colours, draw_change


def by_the_recipe(video: np.ndarray, change: ColourChange) -> np.ndarray:
    """spec/training.md, section 1.4, in its order, in float64: (T, H, W, 3) in [-1, 1]."""
    frames = 0.5 * (video.astype(np.float64) + 1) + change.brightness
    frames = per_pixel(frames, lambda h, s, v: (h, min(1, max(0, s * change.saturation)), v))
    mean = frames.mean(axis=(1, 2), keepdims=True)
    frames = (frames - mean) * change.contrast + mean
    frames = per_pixel(frames, lambda h, s, v: ((h + change.hue) % 1, s, v))
    changed = 2 * np.clip(frames, 0, 1) - 1
    if change.grey:
        grey = 0.2989 * changed[..., 0] + 0.587 * changed[..., 1] + 0.114 * changed[..., 2]
        changed = np.repeat(grey[..., None], 3, axis=-1)
    return changed


def per_pixel(frames: np.ndarray, change) -> np.ndarray:
    pixels = frames.reshape(-1, 3)
    # Below black there is no hue: TensorFlow's kernels leave such a pixel to the clipping.
    changed = [
        colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) if max(pixel) > 0 else pixel
        for pixel in pixels.tolist()
    ]
    return np.array(changed).reshape(frames.shape)


def drawn(count: int, seed: int = 0) -> list[ColourChange]:
    generator = torch.Generator().manual_seed(seed)
    return [draw_change(generator) for _ in range(count)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("grey", [False, True])
def test_changes_are_those_of_the_recipe(seed, grey) -> None:
    change = replace(next(c for c in drawn(50, seed) if c.hue), grey=grey)
    random = np.random.default_rng(seed)
    video = random.uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    video[0, 0, :3] = [[-1] * 3, [1] * 3, [0.2] * 3]  # black, white, grey
    video[0, 1, :4] = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]]
    found = change_colours(torch.from_numpy(video), change)
    assert found.shape == video.shape
    # Float32 against float64, with hues multiplied by six: 1.8e-6 was measured.
    np.testing.assert_allclose(found.numpy(), by_the_recipe(video, change), rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    "change",
    [
        ColourChange(brightness=32 / 255),
        ColourChange(brightness=-32 / 255),
        ColourChange(saturation=0.6),
        ColourChange(saturation=1.4),
        ColourChange(contrast=1.4),
        ColourChange(hue=0.2),
        ColourChange(hue=-0.2),
        ColourChange(-32 / 255, 1.4, 1.4, -0.2),
    ],
)
def test_each_part_at_the_ends_of_its_range(change) -> None:
    video = np.random.default_rng(0).uniform(-1, 1, (2, 6, 6, 3)).astype(np.float32)
    found = change_colours(torch.from_numpy(video), change).numpy()
    assert not np.allclose(found, video, atol=0.01)
    # As above: 2.5e-6 was measured.
    np.testing.assert_allclose(found, by_the_recipe(video, change), rtol=0, atol=5e-6)


def test_no_change_leaves_the_clip_as_it_is() -> None:
    video = torch.rand(2, 4, 4, 3) * 2 - 1
    assert change_colours(video, ColourChange()) is video


def test_grey_alone_does_not_touch_brightness() -> None:
    video = torch.rand(2, 4, 4, 3) * 2 - 1
    found = change_colours(video, ColourChange(grey=True))
    expected = (video * torch.tensor([0.2989, 0.587, 0.114])).sum(-1)
    for channel in range(3):
        torch.testing.assert_close(found[..., channel], expected, rtol=0, atol=0)


def test_what_leaves_the_range_is_clipped() -> None:
    video = torch.rand(2, 8, 8, 3) * 2 - 1
    found = change_colours(video, ColourChange(brightness=0.12, contrast=1.4))
    assert (found.min(), found.max()) == (-1, 1)


def test_contrast_is_about_each_frame_s_own_mean() -> None:
    dark, light = torch.full((1, 4, 4, 3), -0.8), torch.full((1, 4, 4, 3), 0.8)
    video = torch.cat([dark, light])
    # Frames of one colour each are their mean: they stay, to a rounding (6e-8).
    found = change_colours(video, ColourChange(contrast=1.4))
    torch.testing.assert_close(found, video, rtol=0, atol=2.5e-7)


def test_all_frames_of_a_clip_are_changed_alike() -> None:
    frame = torch.rand(1, 6, 6, 3) * 2 - 1
    found = change_colours(frame.repeat(3, 1, 1, 1), drawn(1)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_nothing_to_differentiate_is_left_behind() -> None:
    assert not change_colours(torch.rand(1, 4, 4, 3), ColourChange(hue=0.1)).requires_grad


def test_shares_and_ranges_of_what_is_drawn() -> None:
    changes = drawn(4000)
    jittered = [change for change in changes if change.hue]
    # Four standard errors of a share of 4000.
    error = 4 * np.sqrt(0.16 / 4000)
    assert abs(len(jittered) / 4000 - 0.8) < error
    assert abs(sum(change.grey for change in changes) / 4000 - 0.2) < error
    assert abs(sum(change.grey for change in jittered) / len(jittered) - 0.2) < 1.2 * error
    for name, middle, reach in (
        ("brightness", 0, 32 / 255),
        ("saturation", 1, 0.4),
        ("contrast", 1, 0.4),
        ("hue", 0, 0.2),
    ):
        values = np.array([getattr(change, name) for change in jittered])
        assert np.abs(values - middle).max() <= reach
        assert values.min() < middle - 0.99 * reach
        assert values.max() > middle + 0.99 * reach
        # Four standard errors of a uniform mean.
        assert abs(values.mean() - middle) < 4 * reach / np.sqrt(3 * len(values))


def test_a_generator_s_state_decides_the_change() -> None:
    assert drawn(5, seed=3) == drawn(5, seed=3)
    assert drawn(5, seed=3) != drawn(5, seed=4)
