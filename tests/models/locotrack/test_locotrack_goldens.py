"""Single functions of the network against the reference's own, to 1e-5."""

import json

import numpy as np
import pytest
import torch
from golden_files import FOLDER, largest_difference, load_arrays, recipe
from torch import nn

from locoexport.models import locotrack
from locoexport.models.locotrack.config import VARIANTS
from locoexport.models.locotrack.correlation import (
    CorrelationNetwork,
    centre_near_peak,
    soft_argmax,
)
from locoexport.models.locotrack.refinement import (
    MultiHeadAttention,
    attention_bias,
    encode_positions,
)
from locoexport.models.locotrack.resolutions import default_resolutions
from locoexport.models.locotrack.sampling import sample_plane, sample_volume

TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def load_tensors(file: str) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in load_arrays(file).items()}


def fill_from_recipe(module: nn.Module, prefix: str) -> None:
    """Weights by name, strictly."""
    module.load_state_dict(
        {
            name: torch.from_numpy(recipe.weights_for(f"{prefix}.{name}", tensor.shape))
            for name, tensor in module.state_dict().items()
        }
    )


@pytest.mark.parametrize("label", [0, 1, 2], ids=["interior", "border", "outside"])
def test_map_coordinates_3d(label: int) -> None:
    golden = load_tensors("unit__map_coordinates_3d.npz")
    chosen = golden["label"] == label
    assert chosen.sum() >= 20
    found = sample_volume(golden["feats"], golden["coords"][:, chosen])
    assert largest_difference(found, golden["out"][:, chosen].numpy()) <= TOLERANCE


def test_map_coordinates_2d() -> None:
    golden = load_tensors("unit__map_coordinates_2d.npz")
    grid, coords_xy = golden["feats"], golden["coords"].flip(-1)  # stored as (y, x)
    by_frame = coords_xy.transpose(1, 2).flatten(0, 1)  # (B·T, N, 49, 2)
    found = sample_plane(grid.flatten(0, 1), by_frame, grid.shape[2:4])  # (B·T, C, N, 49)
    found = found.reshape(*grid.shape[:2], *found.shape[1:]).permute(0, 3, 1, 4, 2)
    assert largest_difference(found, golden["out"].numpy()) <= TOLERANCE


def test_centre_near_the_peak_of_a_softmax() -> None:
    golden = load_tensors("unit__heatmaps.npz")
    softmax = golden["softmax"].flatten(0, 2)
    found = centre_near_peak(softmax.flatten(1), softmax.shape[1:])
    expected = golden["soft_argmax"].flatten(0, 2).numpy()
    assert largest_difference(found, expected) <= TOLERANCE


def test_soft_argmax_sharpens_by_20() -> None:
    golden = load_tensors("unit__heatmaps.npz")
    softmax = golden["softmax"].flatten(0, 2).double()
    assert softmax.min() > 0
    found = soft_argmax(softmax.log() / 20, softmax.shape[1:])
    expected = golden["soft_argmax"].flatten(0, 2).numpy()
    assert largest_difference(found, expected) <= TOLERANCE


def test_initial_points_are_pinned_on_their_own_frame() -> None:
    """The golden's soft-argmax goes in; the model scales it and pins the queries."""
    golden = load_tensors("unit__heatmaps.npz")
    queries, peaks = golden["queries"], golden["soft_argmax"]
    points, frames = peaks.shape[1:3]
    video_hw = (32, 40)
    # The golden's peaks are in cells of a 16x20 grid; the model's hires grid has 8x10.
    operations = locotrack.Operations(soft_argmax=lambda heatmaps, size: (peaks / 2).flatten(0, 2))
    model = locotrack.create_model("b0-tiny", video_hw).with_operations(operations)
    result = model(torch.zeros(2, frames, *video_hw, 3), queries)
    own_frame = torch.round(queries[..., :1]) == torch.arange(frames)
    assert own_frame.sum() == 2 * points
    found = result.unrefined_tracks[0]
    assert largest_difference(found, golden["points"].numpy()) <= TOLERANCE


@pytest.mark.parametrize("name", ["down", "up", "same"])
def test_bilinear_resizing_of_video(name: str) -> None:
    golden = load_tensors("unit__bilinear.npz")
    video, expected = golden["video"], golden[name]
    seen: list[torch.Tensor] = []
    model = locotrack.create_model("b0-tiny")
    model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.extract_features(video, tuple(expected.shape[2:4]))
    frames = seen[0].permute(0, 2, 3, 1)
    assert largest_difference(frames, expected.flatten(0, 1).numpy()) <= TOLERANCE


def test_position_encoding() -> None:
    golden = load_tensors("unit__posenc.npz")
    found = encode_positions(golden["x"])
    assert largest_difference(found, golden["out"].numpy()) <= TOLERANCE


@pytest.mark.parametrize("heads", [2, 4, 6])
def test_attention(heads: int) -> None:
    golden = load_tensors("unit__attention.npz")
    x = golden[f"x{heads}"]
    attention = MultiHeadAttention(x.shape[-1], heads)
    fill_from_recipe(attention, f"unit.mha{heads}")
    bias = attention_bias(torch.arange(x.shape[1], dtype=torch.float32), heads)
    assert largest_difference(attention(x, bias), golden[f"out{heads}"].numpy()) <= TOLERANCE


@pytest.mark.parametrize(
    ("tag", "variant"), [("tiny", "b0-tiny"), ("small", "b0"), ("base", "resnet-base")]
)
def test_correlation_network(tag: str, variant: str) -> None:
    golden = load_tensors("unit__cmdtop.npz")
    network = CorrelationNetwork(VARIANTS[variant].correlation)
    fill_from_recipe(network, f"unit.cmdtop_{tag}")
    by_position = golden[f"x_{tag}"].flatten(3).permute(0, 3, 1, 2)  # (n, 49 query, h, w)
    by_query = golden[f"x_{tag}"].flatten(1, 2)  # (n, 49 frame, i, j)
    found = network((by_position, by_query))
    assert largest_difference(found, golden[f"out_{tag}"].numpy()) <= TOLERANCE


def test_default_resolutions() -> None:
    rows = json.loads((FOLDER / "unit__default_resolutions.json").read_text())
    assert len(rows) == 28
    for row in rows:
        found = default_resolutions(tuple(row["full"]), tuple(row["train"]))
        assert np.array(found).tolist() == row["out"], row
