"""Soft-argmax near the peak against softmax over the whole heatmap."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locoexport.models.locotrack import create_model
from locoexport.models.locotrack.correlation import soft_argmax as reference
from locoexport.rewrites.soft_argmax_disk import rewrite, soft_argmax

# Measured: at most 1.7e-5 cells over 2000 random heatmaps (positions up to 64 cells; float32's
# last digit there is 3.8e-6).
TOLERANCE = 5e-5


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    scale=st.sampled_from([0.01, 0.3, 1.0, 5.0]),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=60)
def test_equal_to_the_reference(height, width, scale, seed) -> None:
    heatmaps = scale * torch.randn(7, height, width, generator=torch.Generator().manual_seed(seed))
    found, expected = (f(heatmaps, (height, width)) for f in (soft_argmax, reference))
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_peaks_in_every_corner_and_on_every_edge() -> None:
    height, width = 6, 11
    heatmaps = torch.zeros(height * width, height, width)
    heatmaps.flatten(1).fill_diagonal_(1.0)  # the peak in every cell once
    found, expected = (f(heatmaps, (height, width)) for f in (soft_argmax, reference))
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_of_equal_peaks_the_first_is_taken() -> None:
    heatmaps = torch.zeros(1, 20, 20)
    heatmaps[0, 3, 15] = heatmaps[0, 16, 2] = 4.0
    assert (soft_argmax(heatmaps, (20, 20)) - torch.tensor([[15.5, 3.5]])).abs().max() < 1e-3


def test_the_rewritten_model_shares_its_weights() -> None:
    model = create_model("b0-tiny")
    assert rewrite(model).cost_conv is model.cost_conv
    assert rewrite(model).operations.soft_argmax is soft_argmax
    assert model.operations.soft_argmax is reference
