"""Real graphs: torch modules with volumetric sampling, exported, rewritten, run beside torch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from sampling_graphs import LOWERINGS, run
from torch import Tensor, nn

import locoexport


class SpatialTransformer(nn.Module):
    """A 3D spatial transformer: regress an affine map, resample the volume by it."""

    def __init__(self) -> None:
        super().__init__()
        self.localise = nn.Sequential(nn.Conv3d(1, 4, 3, stride=2, padding=1), nn.ReLU())
        self.affine = nn.Linear(4, 12)

    def forward(self, volume: Tensor) -> Tensor:
        found = self.affine(self.localise(volume).mean((2, 3, 4))).reshape(-1, 3, 4)
        matrix = found + torch.eye(3, 4)
        steps = [torch.linspace(-1, 1, 6), torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 4)]
        z, y, x = torch.meshgrid(*steps, indexing="ij")
        base = torch.stack((x, y, z, torch.ones_like(x)), -1).reshape(-1, 4)
        grid = (base @ matrix.transpose(1, 2)).reshape(-1, 6, 5, 4, 3)
        return F.grid_sample(volume, grid, padding_mode="zeros", align_corners=True)


class WarpingNetwork(nn.Module):
    """In the style of LivePortrait: keypoint motions, one warp each, blended by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = nn.Conv3d(3 * 4, 3, 3, padding=1)
        self.refine = nn.Conv3d(4, 4, 3, padding=1)

    def forward(self, feature: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        channels, depth, height, width = feature.shape[1:]
        steps = [torch.linspace(-1, 1, size) for size in (4, 8, 6)]
        z, y, x = torch.meshgrid(*steps, indexing="ij")
        identity = torch.stack((x, y, z), -1)  # (D, H, W, 3)
        motion = (source - driving).reshape(-1, 3, 1, 1, 1, 3)
        grids = identity - motion  # (B, 3, D, H, W, 3)
        repeated = feature.unsqueeze(1).expand(-1, 3, -1, -1, -1, -1)
        warped = F.grid_sample(
            repeated.reshape(-1, channels, depth, height, width),
            grids.reshape(-1, depth, height, width, 3),
            align_corners=False,
        ).reshape(-1, 3 * channels, depth, height, width)
        mask = F.softmax(self.mask(warped), dim=1).unsqueeze(-1)
        flow = (grids * mask).sum(1)
        sampled = F.grid_sample(feature, flow, padding_mode="border", align_corners=False)
        return self.refine(sampled)


MODULES = {
    "transformer": (SpatialTransformer, ((2, 1, 7, 6, 5),)),
    "warping": (WarpingNetwork, ((2, 4, 4, 8, 6), (2, 3, 3), (2, 3, 3))),
}


def example(shapes):
    random = np.random.default_rng(3)
    return [torch.from_numpy(random.standard_normal(s, dtype=np.float32)) for s in shapes]


def exported(name: str, folder: Path, *, dynamo: bool) -> tuple[nn.Module, onnx.ModelProto]:
    torch.manual_seed(0)
    module, shapes = MODULES[name]
    network = module().eval()
    path = folder / "model.onnx"
    names = [f"x{index}" for index in range(len(shapes))]
    options = (
        {"dynamo": True}
        if dynamo
        else {
            "dynamo": False,
            "dynamic_axes": {name: {0: "batch"} for name in names},
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(example(shapes)),
            str(path),
            input_names=names,
            opset_version=20,
            **options,
        )
    return network, onnx.load(path)


def check(network, model, to, shapes):
    given = example(shapes)
    with torch.inference_mode():
        expected = network(*given).numpy()
    report = locoexport.rewrite(model, to=to)
    assert report.passed
    assert report.rewritten
    found = run(report.model, **{f"x{i}": value.numpy() for i, value in enumerate(given)})[0]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


TOLERANCE = 5e-5


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize("name", MODULES)
def test_torchscript_exporter(name, to, tmp_path):
    network, model = exported(name, tmp_path, dynamo=False)
    check(network, model, to, MODULES[name][1])
    # At a batch it was not traced at.
    check(network, model, to, [(3, *shape[1:]) for shape in MODULES[name][1]])


@pytest.mark.parametrize("name", MODULES)
def test_dynamo_exporter(name, tmp_path):
    network, model = exported(name, tmp_path, dynamo=True)
    for to in LOWERINGS:
        check(network, model, to, MODULES[name][1])
