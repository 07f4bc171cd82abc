"""The PyTorch side: what it computes in each mode, and what it says of its memory."""

import numpy as np
import pytest
import torch

from locoexport.benchmarking.fresh_process import FreshTask, run_fresh
from locoexport.benchmarking.report import FreshRun
from locoexport.benchmarking.torch_model import TorchModel
from locoexport.errors import MachineError
from locoexport.models import locotrack
from locoexport.models.locotrack import LocoTrack
from locoexport.parity.probes import make_probe

PROBE = make_probe("textured", batch=1, frames=2, points=3, size_hw=(64, 64), seed=0)


@pytest.fixture(scope="module")
def model() -> LocoTrack:
    return locotrack.create_model("b0-tiny", (64, 64))


def run_as(mode, model: LocoTrack) -> TorchModel:
    side = TorchModel(model, "b0-tiny", mode=mode, device="cpu")
    side.prepare(PROBE.video, PROBE.query_points_tyx)
    side.run()
    return side


def expected_tracks(model: LocoTrack):
    with torch.inference_mode():
        return model.track_resized(
            torch.from_numpy(PROBE.video), torch.from_numpy(PROBE.query_points_tyx)
        ).tracks.numpy()


def test_eager_computes_what_the_model_computes(model) -> None:
    side = run_as("eager", model)
    np.testing.assert_array_equal(side.outputs().tracks_xy, expected_tracks(model))
    assert side.name == "torch eager"
    task = side.fresh_task(2, 3)
    assert task is not None
    assert (task.variant, task.graph, task.autocast) == ("b0-tiny", None, False)


def test_autocast_computes_in_bfloat16_and_answers_in_float32(model) -> None:
    side = run_as("autocast", model)
    assert side.name == "torch bf16 autocast"
    raw = side.outputs()
    tracks, occlusion = raw.tracks_xy, raw.occlusion
    for array in (tracks, occlusion, raw.expected_dist):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    # The logits have a bfloat16's digits: they survive the rounding unchanged.
    rounded = torch.from_numpy(occlusion).bfloat16().float().numpy()
    np.testing.assert_array_equal(occlusion, rounded)
    apart = np.abs(tracks - expected_tracks(model))
    assert 0 < np.median(apart) < 1
    assert not torch.is_autocast_enabled("cpu")


def test_the_next_side_is_not_under_autocast(model) -> None:
    run_as("autocast", model)
    eager = run_as("eager", model)
    np.testing.assert_array_equal(eager.outputs().tracks_xy, expected_tracks(model))


def test_what_torch_raises_is_told_as_what_the_machine_lacks(model) -> None:
    side = TorchModel(model, "b0-tiny", mode="autocast", device="cpu")
    side.prepare(np.zeros((1, 2, 8, 8, 3), np.float32), np.zeros((1, 3, 3), np.float32))
    with pytest.raises(MachineError, match="torch bf16 autocast failed"):
        side.run()


# torch.compile imports modules of torch that use what torch itself deprecates.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_memory_is_measured_where_that_takes_no_minutes(model) -> None:
    compiled = TorchModel(model, "b0-tiny", mode="compile", device="cpu")
    assert (compiled.name, compiled.fresh_task(2, 3)) == ("torch compile", None)
    task = TorchModel(model, "b0-tiny", mode="autocast", device="cpu").fresh_task(2, 3)
    assert task == FreshTask(
        *(2, 3, (64, 64)),
        variant="b0-tiny",
        initial_hw=(64, 64),
        first_hw=(64, 64),
        autocast=True,
    )
    found = run_fresh(task)
    assert isinstance(found, FreshRun), found
    assert found.peak_bytes > found.before_bytes
