"""Frames resized by gathers and lerps against torch's own bilinear resize."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locoexport.models.locotrack import create_model
from locoexport.models.locotrack.frames import resize_frames as reference
from locoexport.rewrites.frame_gather import resize_frames, rewrite

# Values lie in [-1, 1]; coordinates up to 70 are rounded by 4e-6, and the step between two pixels
# is up to 2. Measured: at most 1.3e-6.
TOLERANCE = 1e-5


def _frames(height: int, width: int, seed: int, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


def _exact(frames: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """The reference in float64: torch rounds coordinates to float32, which moves them by up to
    6e-5 pixels in large frames."""
    return reference(frames.double() / 255 * 2 - 1, size_hw)


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_equal_to_the_reference(height, width, rows, columns, seed) -> None:
    frames, size_hw = _frames(height, width, seed), (8 * rows, 8 * columns)
    found = resize_frames(frames, size_hw)
    assert (found.dtype, found.shape) == (torch.float32, (2, 3, *size_hw))
    expected = _exact(frames, size_hw).float()
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(reference(frames, size_hw), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size_hw", [(256, 256), (384, 512)])
@pytest.mark.parametrize("frame_hw", [(1, 1), (1, 300), (256, 256), (1080, 1920), (2160, 3841)])
def test_one_pixel_and_large_frames(frame_hw, size_hw) -> None:
    frames = _frames(*frame_hw, seed=0, count=1)
    found = resize_frames(frames, size_hw)
    # At 384 coordinates are rounded too: 1e-4 pixels at 2000, times a step of 2 between pixels.
    atol = TOLERANCE if size_hw == (256, 256) else 5e-4
    torch.testing.assert_close(found, _exact(frames, size_hw).float(), rtol=0, atol=atol)


def test_a_frame_of_the_working_size_is_only_normalised() -> None:
    frames = _frames(16, 24, seed=1)
    expected = (frames.double() / 255 * 2 - 1).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(resize_frames(frames, (16, 24)), expected, rtol=0, atol=TOLERANCE)


def test_the_rewritten_model_shares_its_weights() -> None:
    model = create_model("b0-tiny")
    assert rewrite(model).cost_conv is model.cost_conv
    assert rewrite(model).operations.resize_frames is resize_frames
    assert model.operations.resize_frames is reference
