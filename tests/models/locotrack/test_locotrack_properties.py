"""What holds of the network whatever its weights: independence, sharing, determinism."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from locoexport.models import locotrack
from locoexport.models.locotrack import REFERENCE
from locoexport.parity.probes import probe_queries, textured_video

SIZE_HW = (64, 96)
FRAMES = 3
# Another batch size may order sums differently; measured 0 with one thread.
TOLERANCE_PX = 1e-3
OUTPUTS = ("tracks", "occlusion", "expected_dist")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module", params=["b0-tiny", "resnet-small"])
def model(request) -> locotrack.LocoTrack:
    return locotrack.create_model(request.param, SIZE_HW)


def make_video(seed: int) -> torch.Tensor:
    return torch.from_numpy(textured_video(FRAMES, SIZE_HW, seed))[None]


def make_queries(points: int, seed: int) -> torch.Tensor:
    """Inside the frame, where the network is well conditioned."""
    queries = probe_queries(points + 16, FRAMES, SIZE_HW, seed)[16:]
    return torch.from_numpy(queries)[None]


def check_equal(
    found: locotrack.TrackingResult, expected: locotrack.TrackingResult, select: slice
) -> None:
    for name in OUTPUTS:
        difference = getattr(found, name) - getattr(expected, name)[:, select]
        assert difference.abs().max() <= TOLERANCE_PX, name


def test_a_batch_equals_separate_runs(model: locotrack.LocoTrack) -> None:
    videos, queries = [make_video(0), make_video(1)], [make_queries(4, 0), make_queries(4, 1)]
    together = model(torch.cat(videos), torch.cat(queries))
    for index in range(2):
        alone = model(videos[index], queries[index])
        for name in OUTPUTS:
            difference = getattr(together, name)[index : index + 1] - getattr(alone, name)
            assert difference.abs().max() <= TOLERANCE_PX, name
    assert (together.tracks[0] - together.tracks[1]).abs().max() > 1


def test_a_query_does_not_depend_on_the_others(model: locotrack.LocoTrack) -> None:
    video, queries = make_video(0), make_queries(6, 0)
    together = model(video, queries)
    for select in (slice(0, 1), slice(2, 5)):
        check_equal(model(video, queries[:, select]), together, select)


def test_a_query_is_where_it_was_asked_for_before_refinement(model: locotrack.LocoTrack) -> None:
    queries = torch.tensor([[[0.5, 10.0, 20.0], [1.5, 30.0, 5.0], [2.0, 1.0, 90.0]]])
    initial = model(make_video(0), queries).unrefined_tracks[0][0]
    for point, frame in enumerate((0, 2, 2)):  # rounded half to even
        assert initial[point, frame].tolist() == queries[0, point, [2, 1]].tolist()


def test_tracks_scale_with_the_videos_size() -> None:
    """A video of twice the size is resized: its one initial level is the same."""
    model = locotrack.create_model("b0-tiny", SIZE_HW)
    small, queries = make_video(0), make_queries(4, 0)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    scale = torch.tensor([1.0, 2.0, 2.0])
    found = model(large, queries * scale, [SIZE_HW])
    assert (found.tracks / 2 - model(small, queries).tracks).abs().max() <= TOLERANCE_PX


def test_levels_between_the_first_and_the_last_change_nothing() -> None:
    model = locotrack.create_model("b0-tiny", SIZE_HW)
    video, queries = make_video(0), make_queries(4, 0)
    ends = model(video, queries, [SIZE_HW, (96, 128)])
    between = model(video, queries, [SIZE_HW, (80, 112), (96, 128)])
    assert torch.equal(ends.tracks, between.tracks)
    assert not torch.equal(ends.tracks, model(video, queries, [SIZE_HW]).tracks)


@pytest.mark.parametrize("levels", [[], [(4, 64)], [(64, 64), (64, 0)], [(60, 64)]])
def test_unusable_levels_are_refused(levels: list[tuple[int, int]]) -> None:
    model = locotrack.create_model("b0-tiny", SIZE_HW)
    with pytest.raises(ValueError, match=r"refinement_resolutions is .* no side under 8 pixels"):
        model(make_video(0), make_queries(1, 0), levels)


def test_the_path_of_an_exported_graph_is_the_one_level_path(model: locotrack.LocoTrack) -> None:
    video, queries = make_video(0), make_queries(4, 0)
    check_equal(model.track_resized(video, queries), model(video, queries), slice(None))


def test_with_operations_shares_the_weights(model: locotrack.LocoTrack) -> None:
    doubled = replace(
        REFERENCE, soft_argmax=lambda maps, size: REFERENCE.soft_argmax(maps, size) + 1
    )
    twin = model.with_operations(doubled)
    assert twin is not model
    assert twin.operations is doubled
    mine, theirs = model.state_dict(), twin.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(mine[name].data_ptr() == theirs[name].data_ptr() for name in mine)
    assert not any(module.training for module in twin.modules())


def test_with_operations_leaves_the_original_as_it_was(model: locotrack.LocoTrack) -> None:
    video, queries = make_video(0), make_queries(2, 0)
    before = model(video, queries)
    moved = replace(REFERENCE, soft_argmax=lambda maps, size: REFERENCE.soft_argmax(maps, size) + 1)
    other = model.with_operations(moved)(video, queries)
    after = model(video, queries)
    assert model.operations is REFERENCE
    assert torch.equal(before.tracks, after.tracks)
    assert not torch.equal(other.tracks, after.tracks)


def test_models_are_built_in_eval_mode(model: locotrack.LocoTrack) -> None:
    assert not any(module.training for module in model.modules())


def test_seeded_models_are_equal_and_no_two_tensors_are() -> None:
    one, two = (locotrack.create_model("b0-tiny").state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    drawn = [tensor for name, tensor in one.items() if not name.endswith("num_batches_tracked")]
    assert len({tensor.flatten()[:2].sum().item() for tensor in drawn}) == len(drawn)


def test_create_model_refuses_an_unknown_variant() -> None:
    with pytest.raises(ValueError, match="no variant 'b1'; known are resnet-small, "):
        locotrack.create_model("b1")


@pytest.mark.parametrize("variant", ["b0-tiny", "b2", "resnet-small"])
def test_seeded_heatmaps_have_a_clear_peak(variant: str) -> None:
    """Float noise moves log weights by 4e-5 (``parity.PEAK_NOISE``); argmax must not flip."""
    gaps: list[torch.Tensor] = []

    def soft_argmax(heatmaps: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        top = (20 * heatmaps.flatten(1)).topk(2).values
        gaps.append(top[:, 0] - top[:, 1])
        return REFERENCE.soft_argmax(heatmaps, size_hw)

    model = locotrack.create_model(variant)
    observed = model.with_operations(replace(REFERENCE, soft_argmax=soft_argmax))
    video = torch.from_numpy(textured_video(2, (256, 256), 0))[None]
    observed(video, torch.from_numpy(probe_queries(40, 2, (256, 256), 0))[None])
    assert gaps[0].shape == (80,)
    assert gaps[0].min() > 1e-3
    assert np.median(gaps[0].numpy()) > 0.05


def test_visible_is_the_papers_formula() -> None:
    logits = torch.tensor([-4.0, -1.0, 0.0, 4.0])
    occlusion, expected_dist = torch.meshgrid(logits, logits, indexing="ij")
    empty = torch.zeros(4, 4, 2)
    result = locotrack.TrackingResult(empty, occlusion, expected_dist, (), (), ())
    hidden = 1 - (1 - torch.sigmoid(occlusion)) * (1 - torch.sigmoid(expected_dist))
    assert torch.equal(result.visible, hidden <= 0.5)
    assert result.visible.tolist()[0] == [True, True, False, False]
