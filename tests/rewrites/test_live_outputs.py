"""Rows of the output projection that nothing reads change nothing when they go."""

import pytest
import torch

from locoexport.models import locotrack
from locoexport.parity.probes import probe_queries, textured_video
from locoexport.rewrites import live_outputs

SIZE_HW = (64, 64)
# A product of fewer rows is summed in another order: measured 8e-6 px.
TOLERANCE = 1e-3


def run(model: locotrack.LocoTrack) -> locotrack.TrackingResult:
    video = torch.from_numpy(textured_video(3, SIZE_HW, 0))[None]
    queries = torch.from_numpy(probe_queries(24, 3, SIZE_HW, 0)[16:])[None]
    with torch.inference_mode():
        return model(video, queries)


@pytest.mark.parametrize("variant", ["b0", "resnet-base"])
def test_equal_tracks_from_four_rows(variant: str) -> None:
    model = locotrack.create_model(variant, SIZE_HW)
    rows = model.torch_pips_mixer.output_proj.weight.shape[0]
    rewritten = live_outputs.rewrite(model)
    mixer = rewritten.torch_pips_mixer
    assert mixer.output_proj.weight.shape == (4, model.config.transformer.dim)
    assert mixer.transformer is model.torch_pips_mixer.transformer
    assert model.torch_pips_mixer.output_proj.weight.shape[0] == rows > 4
    expected, found = run(model), run(rewritten)
    for name in ("tracks", "occlusion", "expected_dist"):
        assert (getattr(found, name) - getattr(expected, name)).abs().max() <= TOLERANCE, name


@pytest.mark.parametrize("variant", ["b0-tiny", "b0-mlp"])
def test_rows_that_are_read_stay(variant: str) -> None:
    model = locotrack.create_model(variant)
    assert live_outputs.rewrite(model) is model
