"""A folded convolution equals convolution and BatchNorm."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from locoexport.models import locotrack
from locoexport.parity.probes import textured_video
from locoexport.rewrites import batchnorm_folding

# Measured 2e-6 of outputs of order one: the fold is in double, rounded once.
TOLERANCE = 1e-5


def make_norm(channels: int, generator: torch.Generator) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-3).eval()
    with torch.no_grad():
        norm.weight.normal_(1, 0.5, generator=generator)
        norm.bias.normal_(generator=generator)
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0, 2, generator=generator)
    return norm


@given(
    channels=st.integers(1, 6),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    depthwise=st.booleans(),
    seed=st.integers(0, 100),
)
def test_equal_to_convolution_and_norm(
    channels: int, kernel: int, stride: int, depthwise: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    groups = channels if depthwise else 1
    conv = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    conv.weight.data = torch.randn(conv.weight.shape, generator=generator) / kernel
    norm = make_norm(channels, generator)
    images = torch.randn(2, channels, 7, 9, generator=generator)
    with torch.no_grad():
        expected = norm(conv(images))
        weight, bias = batchnorm_folding.fold(conv, norm)
        found = nn.functional.conv2d(images, weight, bias, stride, kernel // 2, 1, groups)
    assert (weight.dtype, bias.dtype) == (torch.float32, torch.float32)
    scale = expected.abs().max().clamp(min=1)
    assert (found - expected).abs().max() <= TOLERANCE * scale


@pytest.mark.parametrize("variant", ["b0-tiny", "b0-proj-small", "b2"])
def test_the_rewritten_backbone_has_no_norm_and_equal_grids(variant: str) -> None:
    model = locotrack.create_model(variant, (64, 96))
    names = set(model.state_dict())
    rewritten = batchnorm_folding.rewrite(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in rewritten.modules())
    video = torch.from_numpy(textured_video(2, (64, 96), 0))[None]
    with torch.inference_mode():
        expected = model.extract_features(video, (64, 96)).grids
        found = rewritten.extract_features(video, (64, 96)).grids
    for mine, theirs in zip(expected, found, strict=True):
        assert (mine - theirs).abs().max() <= TOLERANCE
    # The original keeps its norms; everything but the backbone is shared.
    assert set(model.state_dict()) == names
    assert rewritten.torch_pips_mixer is model.torch_pips_mixer
    assert rewritten.cmdtop is model.cmdtop


def test_a_resnet_has_nothing_to_fold() -> None:
    model = locotrack.create_model("resnet-small")
    assert batchnorm_folding.rewrite(model) is model
