"""What only training sees: dropped branches, stopped gradients, and how statistics move."""

import pytest
import torch
from torch import nn

from locoexport.models import locotrack
from locoexport.models.locotrack.efficientnet import MBConvBlock

SIZE_HW = (64, 64)
SHARE = 0.2


@pytest.fixture(scope="module")
def model() -> locotrack.LocoTrack:
    torch.manual_seed(0)
    return locotrack.create_model("b0-tiny", SIZE_HW)


@pytest.fixture(scope="module")
def asked() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    video = torch.rand((1, 3, *SIZE_HW, 3), generator=generator) * 2 - 1
    queries = torch.tensor([[[0.0, 20.5, 30.5], [1.0, 40.5, 12.5]]])
    return video, queries


def blocks_of(model: locotrack.LocoTrack) -> list[MBConvBlock]:
    return [module for module in model.modules() if isinstance(module, MBConvBlock)]


def test_the_chance_grows_with_depth() -> None:
    """spec/training.md, section 4: 0.2·i/n for block i of the n that are kept; 5 in b0-tiny."""
    model = locotrack.create_model("b0-tiny")
    assert [block.dropped_share for block in blocks_of(model)] == [0] * 5
    model.efficientnet_feature_extractor.drop_connections(SHARE)
    shares = [block.dropped_share for block in blocks_of(model)]
    assert shares == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_whole_images_are_dropped_and_the_mean_stays() -> None:
    block = MBConvBlock(4, 4, 3, 1, 1, (8, 8)).eval()
    block.dropped_share = 0.5
    image = torch.rand((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    branch = block(image) - image
    block.training = True
    torch.manual_seed(0)
    found = block(image.expand(400, -1, -1, -1)) - image
    left_out = found.flatten(1).abs().amax(1) == 0
    # 400 draws at 0.5: the standard deviation of the count is 10.
    assert 150 < int(left_out.sum()) < 250
    # Float32 of a difference of numbers below 2; measured 1.2e-7.
    torch.testing.assert_close(
        found[~left_out], 2 * branch.expand(400, -1, -1, -1)[~left_out], rtol=0, atol=1e-6
    )


def test_a_block_without_a_residual_drops_nothing() -> None:
    block = MBConvBlock(4, 8, 3, 1, 1, (8, 8))
    image = torch.rand((6, 4, 8, 8))
    for module in block.modules():
        module.eval()
    before = block(image)
    block.training, block.dropped_share = True, 0.9
    assert torch.equal(block(image), before)


def test_in_evaluation_nothing_is_dropped(model, asked) -> None:
    model.eval()
    with torch.inference_mode():
        model.efficientnet_feature_extractor.drop_connections(0.0)
        before = model(*asked)
        model.efficientnet_feature_extractor.drop_connections(0.9)
        after = model(*asked)
    model.efficientnet_feature_extractor.drop_connections(0.0)
    assert torch.equal(before.tracks, after.tracks)
    assert torch.equal(before.occlusion, after.occlusion)


def test_gradients_or_none_the_answer_is_the_same(model, asked) -> None:
    """Estimates are detached where gradients are recorded alone."""
    model.eval()
    recorded = model(*asked)
    with torch.inference_mode():
        plain = model(*asked)
    for name in ("tracks", "occlusion", "expected_dist"):
        assert torch.equal(getattr(recorded, name).detach(), getattr(plain, name)), name


@pytest.mark.parametrize("output", ["tracks", "occlusion", "expected_dist"])
def test_no_gradient_flows_from_one_refinement_to_the_initial_state(model, asked, output) -> None:
    """``cost_conv`` and ``occ_linear`` make the initial state and nothing else."""
    model.eval().zero_grad()
    result = model(*asked)
    getattr(result, output).sum().backward()
    initial = [*model.cost_conv.parameters(), *model.occ_linear.parameters()]
    assert all(value.grad is None or not value.grad.any() for value in initial)
    assert any(value.grad.any() for value in model.torch_pips_mixer.parameters())
    model.zero_grad()
    first = getattr(model(*asked), f"unrefined_{output}")[0]
    first.sum().backward()
    assert any(value.grad is not None and value.grad.any() for value in initial)


def test_the_running_feature_is_not_detached(model, asked) -> None:
    """What the first refinement answers is 4 numbers of the estimate, then the feature's change."""
    changes = []
    hook = model.torch_pips_mixer.register_forward_hook(lambda *call: changes.append(call[2]))
    model.eval().zero_grad()
    result = model(*asked)
    hook.remove()
    for change in changes:
        change.retain_grad()
    result.tracks.sum().backward()
    first = changes[0].grad
    assert not first[..., :4].any()
    assert first[..., 4:].any()


def test_statistics_move_as_the_published_network_s(model) -> None:
    """spec/training.md, section 4: momentum 0.01, epsilon 1e-3."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 1e-3)}


def test_every_weight_gets_a_gradient(model, asked) -> None:
    """What several devices need: they wait for the gradient of each."""
    model.train().zero_grad()
    result = model(*asked)
    states = [
        *result.unrefined_tracks,
        *result.unrefined_occlusion,
        *result.unrefined_expected_dist,
    ]
    total = sum(state.sum() for state in states)
    (total + result.tracks.sum() + result.occlusion.sum() + result.expected_dist.sum()).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
