"""The live form of the network: what it has in common with the offline one, and what it forgets."""

import pytest
import torch
from exported import live_profile
from moving_square import square_frames

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.config import TransformerConfig
from locoexport.models.locotrack.live import follow_newest, memory_channels
from locoexport.models.locotrack.refinement import (
    MultiHeadAttention,
    Remembered,
    attention_bias,
)
from locoexport.models.locotrack.states import ByLevel, Estimate, FeatureGrids
from locoexport.network.loading import load_network
from locoexport.runtime.video.frames import to_model_input

QUERIES = torch.tensor([[[0.0, 14, 14], [0, 20, 18], [0, 40, 50]]])
ELSEWHERE = QUERIES - torch.tensor([1.0, 0, 0])


@pytest.fixture(scope="module")
def model() -> LocoTrack:
    return load_network(live_profile(), None).model.eval()


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.from_numpy(to_model_input(square_frames(5), (64, 64)))


@pytest.fixture(scope="module")
def grids(model: LocoTrack, video: torch.Tensor) -> list[FeatureGrids]:
    with torch.inference_mode():
        return [model.extract_levels(video[:, t : t + 1], ((64, 64),) * 2)[1] for t in range(5)]


@pytest.fixture(scope="module")
def supports(model: LocoTrack, grids: list[FeatureGrids]) -> ByLevel[torch.Tensor]:
    with torch.inference_mode():
        return model.sample_supports(grids[0], QUERIES, (64, 64))


def nothing(model: LocoTrack, past: int, points: int = 3) -> torch.Tensor:
    return torch.zeros(1, points, past, memory_channels(model.config))


def follow(
    model: LocoTrack,
    grids: FeatureGrids,
    supports: ByLevel[torch.Tensor],
    queries: torch.Tensor,
    memory: torch.Tensor,
) -> tuple[Estimate, torch.Tensor]:
    with torch.inference_mode():
        return follow_newest(model, grids, grids, supports, supports, queries, memory)


def test_without_a_memory_it_is_the_network_on_one_frame(
    model: LocoTrack,
    video: torch.Tensor,
    grids: list[FeatureGrids],
    supports: ByLevel[torch.Tensor],
) -> None:
    with torch.inference_mode():
        offline = model.track(grids[0], grids[0], QUERIES, (64, 64))
    live, memory = follow(model, grids[0], supports, QUERIES, nothing(model, 0))
    assert memory.shape == (1, 3, 0, memory_channels(model.config))
    assert torch.allclose(live.positions_xy, offline.tracks, atol=1e-4)
    assert torch.allclose(live.occlusion, offline.occlusion, atol=1e-4)
    assert torch.allclose(live.expected_dist, offline.expected_dist, atol=1e-4)


def test_a_window_that_is_not_filled_is_a_shorter_one(
    model: LocoTrack, grids: list[FeatureGrids], supports: ByLevel[torch.Tensor]
) -> None:
    short, long = nothing(model, 2), nothing(model, 7)
    for index in range(3):
        queries = QUERIES - torch.tensor([float(index), 0, 0])
        in_short, short = follow(model, grids[index], supports, queries, short)
        in_long, long = follow(model, grids[index], supports, queries, long)
        assert torch.allclose(in_short.positions_xy, in_long.positions_xy, atol=1e-3)
        assert torch.allclose(in_short.occlusion, in_long.occlusion, atol=1e-3)
    assert torch.allclose(short, long[:, :, -2:], atol=1e-2)


def test_a_point_does_not_depend_on_the_others(
    model: LocoTrack, grids: list[FeatureGrids], supports: ByLevel[torch.Tensor]
) -> None:
    _, memory = follow(model, grids[0], supports, QUERIES, nothing(model, 3))
    together, _ = follow(model, grids[1], supports, ELSEWHERE, memory)
    one = ByLevel(*(each[:, 1:2] for each in supports))
    alone, _ = follow(model, grids[1], one, ELSEWHERE[:, 1:2], memory[:, 1:2])
    assert torch.allclose(together.positions_xy[:, 1:2], alone.positions_xy, atol=1e-3)


def test_what_was_before_a_point_is_nothing_to_it(
    model: LocoTrack, grids: list[FeatureGrids], supports: ByLevel[torch.Tensor]
) -> None:
    clean = nothing(model, 3)
    dirty = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 10
    dirty[..., 0] = 0  # not known: whatever else stands there
    expected, _ = follow(model, grids[0], supports, QUERIES, clean)
    found, _ = follow(model, grids[0], supports, QUERIES, dirty)
    assert torch.allclose(found.positions_xy, expected.positions_xy, atol=1e-4)


def test_the_past_changes_the_answer(
    model: LocoTrack, grids: list[FeatureGrids], supports: ByLevel[torch.Tensor]
) -> None:
    _, memory = follow(model, grids[0], supports, QUERIES, nothing(model, 3))
    remembered, _ = follow(model, grids[1], supports, ELSEWHERE, memory)
    forgotten, _ = follow(model, grids[1], supports, ELSEWHERE, nothing(model, 3))
    assert (remembered.positions_xy - forgotten.positions_xy).abs().max() > 1e-2


def test_a_last_frame_is_the_transformers_where_the_frames_before_know_nothing_of_it(
    model: LocoTrack,
) -> None:
    """Of one layer: more of them see the last frame in those before it, offline."""
    attention = model.torch_pips_mixer.transformer.layers[0].attn
    assert isinstance(attention, MultiHeadAttention)
    config = model.config.transformer
    x = torch.randn(3, 6, config.dim, generator=torch.Generator().manual_seed(0))
    bias = attention_bias(torch.arange(6.0), config.heads)
    half = config.heads // 2
    pairs = [
        attention.follow(x[:, t : t + 1], nothing_seen(3, config), bias[:half, -1:, -1:])[1]
        for t in range(5)
    ]
    before = Remembered(*(torch.cat(each, 2) for each in zip(*pairs, strict=True)))
    with torch.inference_mode():
        found, _ = attention.follow(x[:, 5:], before, bias[:half, -1:])
        expected = attention(x, bias)[:, -1:]
    assert torch.allclose(found, expected, atol=1e-5)


def nothing_seen(points: int, config: TransformerConfig) -> Remembered:
    empty = torch.zeros(points, config.heads // 2, 0, config.dim // config.heads)
    return Remembered(empty, empty)
