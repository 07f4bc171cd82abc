"""Eight columns of a heatmap at once against one convolution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locoexport.models.locotrack import create_model
from locoexport.rewrites import heatmap_columns
from locoexport.rewrites.heatmap_columns import ColumnConvolution

# Float32's rounding of 18 products of order 1, and zeros: the order of the sum is the library's.
TOLERANCE = 5e-6


@given(
    maps=st.integers(1, 5),
    height=st.integers(1, 9),
    eights=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_equal_to_the_convolution(maps, height, eights, seed) -> None:
    torch.manual_seed(seed)
    size_hw = (height, 8 * eights)
    conv = torch.nn.Conv2d(2, 1, 3, padding=1)
    planes = torch.randn(maps, 2, *size_hw)
    with torch.inference_mode():
        found, expected = ColumnConvolution(conv, size_hw)(planes), conv(planes)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_each_tap_reads_the_cell_that_it_read() -> None:
    conv = torch.nn.Conv2d(2, 1, 3, padding=1)
    impulses = torch.eye(2 * 4 * 16).reshape(-1, 2, 4, 16)  # every cell of both planes once
    with torch.inference_mode():
        conv.weight.copy_(torch.arange(1.0, 19.0).reshape(1, 2, 3, 3))
        conv.bias.zero_()
        assert torch.equal(ColumnConvolution(conv, (4, 16))(impulses), conv(impulses))


@pytest.mark.parametrize("variant", ["b0", "b5", "resnet-small"])
def test_the_rewritten_model_has_another_convolution_alone(variant: str) -> None:
    model = create_model(variant)
    rewritten = heatmap_columns.rewrite(model)
    assert isinstance(rewritten.cost_conv, ColumnConvolution)
    assert isinstance(model.cost_conv, torch.nn.Conv2d)
    assert rewritten.occ_linear is model.occ_linear
    assert rewritten.operations == model.operations


@pytest.mark.parametrize(
    ("variant", "size_hw"),
    [("b0-wide", (256, 256)), ("b0", (64, 64)), ("b0", (256, 272))],  # 32, 16 and 68 columns
)
def test_narrow_planes_and_other_widths_are_left_alone(variant, size_hw) -> None:
    model = create_model(variant, size_hw)
    assert heatmap_columns.rewrite(model) is model
