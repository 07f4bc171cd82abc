"""The rewritten model stays exportable by torch's dynamo exporter at opset 18 and later.

Not what ``locoexport export`` uses (docs/decisions/002-exporter.md), but TorchScript is deprecated.
"""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exported import seeded_profile
from torch import Tensor, nn

from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.network.loading import load_network
from locoexport.parity.probes import make_probe
from locoexport.rewrites import apply_rewrites, select_rewrites


class Graph(nn.Module):
    """Arrays in, the three outputs out."""

    def __init__(self, tracker: nn.Module) -> None:
        super().__init__()
        self.tracker = tracker

    def forward(self, video: Tensor, query_points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        result = self.tracker.track_resized(video, query_points)
        return result.tracks, result.occlusion, result.expected_dist


@pytest.mark.exhaustive  # over a minute, and no file of ours is made so
def test_dynamo_exports_the_model_at_opset_18_for_every_shape(tmp_path) -> None:
    profile = seeded_profile("b0-tiny")
    model = load_network(profile, None).model
    rewritten = apply_rewrites(model, select_rewrites(profile))
    batch, frames, points = (torch.export.Dim(name) for name in ("batch", "frames", "points"))
    path = tmp_path / "dynamo.onnx"
    with warnings.catch_warnings():
        # The exporter and onnxscript warn of their own deprecated calls.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph(rewritten).eval(),
            (torch.zeros(2, 3, 256, 256, 3), torch.zeros(2, 5, 3)),
            str(path),
            dynamo=True,
            opset_version=18,
            dynamic_shapes={
                "video": {0: batch, 1: frames},
                "query_points": {0: batch, 1: points},
            },
            input_names=[VIDEO_INPUT, QUERY_INPUT],
            output_names=list(OUTPUT_NAMES),
            optimize=False,
        )
    assert onnx.load(path, load_external_data=False).opset_import[0].version == 18
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for b, t, n in ((1, 4, 7), (2, 2, 3)):
        probe = make_probe("textured", batch=b, frames=t, points=n, size_hw=(256, 256), seed=0)
        tracks = session.run(
            [OUTPUT_NAMES[0]], {VIDEO_INPUT: probe.video, QUERY_INPUT: probe.query_points_tyx}
        )[0]
        with torch.inference_mode():
            expected = model.track_resized(
                torch.from_numpy(probe.video), torch.from_numpy(probe.query_points_tyx)
            )
        np.testing.assert_allclose(tracks, expected.tracks.numpy(), rtol=0, atol=4e-3)
