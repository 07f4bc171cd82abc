"""One correlation product for both ways round against two."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locoexport.models.locotrack import create_model
from locoexport.rewrites import correlation_products, shared_correlation
from locoexport.rewrites.correlation_products import FirstConvolution
from locoexport.rewrites.shared_correlation import SharedCorrelation

# Measured: at most 1.2e-6 over 300 random cases; outputs are of order 1, sums of 784 terms are
# added in another order, 240 zeros among them.
TOLERANCE = 6e-6


def _first(out_channels: int, seed: int) -> FirstConvolution:
    torch.manual_seed(seed)
    return FirstConvolution(torch.nn.Conv2d(49, out_channels, 5, stride=4)).eval()


@given(
    out_channels=st.sampled_from([32, 64]),
    batch=st.integers(1, 2),
    points=st.integers(1, 3),
    frames=st.integers(1, 4),
    channels=st.integers(1, 64),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=25)
def test_equal_to_two_products(out_channels, batch, points, frames, channels, seed) -> None:
    first = _first(out_channels, seed)
    neighbourhoods = torch.randn(batch, points, frames, 49, channels) / channels**0.5
    supports = torch.randn(batch, points, 49, channels)
    with torch.inference_mode():
        expected = first(neighbourhoods, supports)
        found = SharedCorrelation(first)(neighbourhoods, supports)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("variant", "shared"),
    [
        ("b0-wide", [True, True, False]),  # hires 40, lowres 112, highest 16 channels
        ("b0", [False, True, False]),
        ("resnet-small", [True, True, True]),
        ("resnet-base", [False, False, False]),  # 16 windows overlap too much
    ],
)
def test_only_levels_of_many_channels_share(variant: str, shared: list[bool]) -> None:
    products = correlation_products.rewrite(create_model(variant))
    rewritten = shared_correlation.rewrite(products)
    assert [isinstance(n.first, SharedCorrelation) for n in rewritten.cmdtop] == shared
    assert not any(isinstance(n.first, SharedCorrelation) for n in products.cmdtop)
    assert all(
        after.norms is before.norms
        for after, before in zip(rewritten.cmdtop, products.cmdtop, strict=True)
    )
