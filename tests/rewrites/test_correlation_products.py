"""Correlation by products against local correlation and convolutions in torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locoexport.models.locotrack import VARIANTS, create_model
from locoexport.models.locotrack.config import CorrelationConfig
from locoexport.models.locotrack.correlation import CorrelationNetwork, embed_correlation
from locoexport.rewrites.correlation_products import CorrelationProducts, rewrite

# Measured: at most 3.5e-7 over 450 random cases. Embeddings are of
# order 1; the sums behind them have up to 49·25 terms in another order.
TOLERANCE = 3e-6
NETWORKS = {config.correlation for config in VARIANTS.values()}


def _network(config: CorrelationConfig, seed: int) -> CorrelationNetwork:
    torch.manual_seed(seed)
    network = CorrelationNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@given(
    config=st.sampled_from(sorted(NETWORKS, key=str)),
    batch=st.integers(1, 2),
    points=st.integers(1, 4),
    frames=st.integers(1, 4),
    channels=st.integers(1, 24),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=25)
def test_equal_to_the_reference(config, batch, points, frames, channels, seed) -> None:
    network = _network(config, seed)
    neighbourhoods = torch.randn(batch, points, frames, 49, channels) / channels**0.5
    supports = torch.randn(batch, points, 49, channels)
    with torch.inference_mode():
        expected = embed_correlation(network, neighbourhoods, supports)
        found = CorrelationProducts(network)(neighbourhoods, supports)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("config", sorted(NETWORKS, key=str), ids=str)
def test_neighbourhoods_that_are_zero_as_outside_the_frame(config) -> None:
    network = _network(config, 0)
    neighbourhoods, supports = torch.zeros(1, 2, 3, 49, 8), torch.randn(1, 2, 49, 8)
    with torch.inference_mode():
        expected = embed_correlation(network, neighbourhoods, supports)
        found = CorrelationProducts(network)(neighbourhoods, supports)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_the_two_ways_round_are_not_mistaken_for_one_another() -> None:
    network = _network(next(iter(NETWORKS)), 1)
    first, second = torch.randn(1, 1, 1, 49, 8), torch.randn(1, 1, 49, 8)
    with torch.inference_mode():
        there = CorrelationProducts(network)(first, second)
        back = CorrelationProducts(network)(second[:, :, None], first[:, :, 0])
    half = there.shape[1] // 2
    torch.testing.assert_close(there[:, :half], back[:, half:], rtol=0, atol=TOLERANCE)
    assert (there - back).abs().max() > 1e-2


def test_the_rewritten_model_shares_what_it_does_not_replace() -> None:
    model = create_model("b0-tiny")
    rewritten = rewrite(model)
    assert rewritten.torch_pips_mixer is model.torch_pips_mixer
    assert isinstance(model.cmdtop[0], CorrelationNetwork)
    assert isinstance(rewritten.cmdtop[0], CorrelationProducts)
    # Applying it twice changes nothing.
    assert rewrite(rewritten).cmdtop[0] is rewritten.cmdtop[0]
