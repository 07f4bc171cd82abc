"""The last GroupNorm as products against torch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locoexport.models.locotrack import VARIANTS, create_model
from locoexport.models.locotrack.correlation import CorrelationNetwork, embed_correlation
from locoexport.rewrites import correlation_products, group_norm_products
from locoexport.rewrites.correlation_products import CorrelationProducts
from locoexport.rewrites.group_norm_products import CentredHead

# Measured: at most 7.1e-7 over 400 random cases; embeddings are of order 1.
TOLERANCE = 4e-6
NETWORKS = sorted({config.correlation for config in VARIANTS.values()}, key=str)


def _networks(config, seed: int) -> tuple[CorrelationNetwork, CorrelationProducts]:
    torch.manual_seed(seed)
    network = CorrelationNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    products = CorrelationProducts(network.eval())
    return network, products.with_parts(head=CentredHead(products.head))


@given(
    config=st.sampled_from(NETWORKS),
    points=st.integers(1, 4),
    frames=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=25)
def test_equal_to_the_reference(config, points, frames, seed) -> None:
    network, products = _networks(config, seed)
    neighbourhoods = torch.randn(1, points, frames, 49, 16) / 4
    supports = torch.randn(1, points, 49, 16)
    with torch.inference_mode():
        expected = embed_correlation(network, neighbourhoods, supports)
        found = products(neighbourhoods, supports)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("config", NETWORKS, ids=str)
def test_constant_correlation_divides_by_epsilon_alone(config) -> None:
    network, products = _networks(config, 0)
    neighbourhoods, supports = torch.zeros(1, 2, 3, 49, 8), torch.randn(1, 2, 49, 8)
    with torch.inference_mode():
        expected = embed_correlation(network, neighbourhoods, supports)
        found = products(neighbourhoods, supports)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_without_correlation_products_nothing_changes() -> None:
    model = create_model("b0-tiny")
    assert [type(n) for n in group_norm_products.rewrite(model).cmdtop] == [CorrelationNetwork] * 3
    products = correlation_products.rewrite(model)
    rewritten = group_norm_products.rewrite(products)
    assert all(isinstance(network.head, CentredHead) for network in rewritten.cmdtop)
    assert not any(isinstance(network.head, CentredHead) for network in products.cmdtop)
