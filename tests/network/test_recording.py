"""Seams by forward hooks: every one of them, what it holds, and a model that is left as it was."""

import numpy as np
import pytest
import torch

from locoexport.contract.seams import Seam
from locoexport.models import locotrack
from locoexport.network.recording import model_seams, record_seams, reference_seams
from locoexport.parity.probes import make_probe

SIZE_HW = (64, 64)
BATCH, FRAMES, POINTS = 2, 3, 4
VARIANTS = ("b0-tiny", "resnet-small")


@pytest.fixture(scope="module", params=VARIANTS)
def model(request) -> locotrack.LocoTrack:
    return locotrack.create_model(request.param, SIZE_HW)


@pytest.fixture(scope="module")
def inputs() -> tuple[np.ndarray, np.ndarray]:
    probe = make_probe(
        "textured", batch=BATCH, frames=FRAMES, points=POINTS, size_hw=SIZE_HW, seed=0
    )
    return probe.video, probe.query_points_tyx


@pytest.fixture(scope="module")
def recorded(model, inputs) -> dict[str, np.ndarray]:
    return reference_seams(model, *inputs)


def count_hooks(model: torch.nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    )


def track(model: locotrack.LocoTrack, inputs) -> locotrack.TrackingResult:
    with torch.inference_mode():
        return model.track_resized(*(torch.from_numpy(array) for array in inputs))


def test_every_seam_is_recorded_and_nothing_else(model, recorded) -> None:
    names = [seam.tensor for seam in model_seams(model)]
    assert len(names) == len(set(names)) > 60
    # The last refinement's state goes by the names of the outputs in a file.
    last = {f"/refinement_3/seam/{name}" for name in ("tracks", "occlusion", "expected_dist")}
    assert set(recorded) == set(names) | last


def test_axes_are_as_long_as_their_names_say(model, recorded) -> None:
    lengths = {
        "batch": BATCH,
        "frame": FRAMES,
        "point": POINTS,
        "image": BATCH * FRAMES,
        "row": BATCH * POINTS * FRAMES,
        "track": BATCH * POINTS,
        "xy": 2,
        "offset": 49,
    }
    for seam in model_seams(model):
        shape = recorded[seam.tensor].shape
        assert len(shape) == len(seam.axes), seam
        for axis, length in zip(seam.axes, shape, strict=True):
            # At 64x64 a support has 49 rows; heights, widths and channels are the network's.
            assert length == lengths.get(axis, length), (str(seam), axis)


def test_values_are_what_the_model_computes(model, inputs, recorded) -> None:
    result = track(model, inputs)
    np.testing.assert_array_equal(recorded["tracks"], result.tracks)
    np.testing.assert_array_equal(recorded["occlusion"], result.occlusion)
    with torch.inference_mode():
        grids = model.extract_features(torch.from_numpy(inputs[0]), SIZE_HW, resize=False).grids
    for level, grid in zip(("hires", "lowres", "highest"), grids, strict=True):
        np.testing.assert_array_equal(recorded[f"/encoder/seam/grid_{level}"], grid)
    states = {0: "/cost_volume/seam", 1: "/refinement_0/seam", 3: "/refinement_2/seam"}
    for index, scope in states.items():
        unrefined = result.unrefined_occlusion[index]
        np.testing.assert_array_equal(recorded[f"{scope}/occlusion"], unrefined)


def test_levels_and_refinements_are_told_apart(model, recorded) -> None:
    """One module serves three levels and four refinements: each call has a name of its own."""
    for kind in ("neighbourhood", "embedding", "inputs", "layer", "changes"):
        seams: list[Seam] = [seam for seam in model_seams(model) if seam.kind == kind]
        values = [recorded[seam.tensor].tobytes() for seam in seams]
        assert len(set(values)) == len(seams) >= 4, kind


def test_recording_changes_nothing(model, inputs) -> None:
    before = track(model, inputs)
    with record_seams(model):
        during = track(model, inputs)
    for name in ("tracks", "occlusion", "expected_dist"):
        assert torch.equal(getattr(before, name), getattr(during, name)), name


def test_hooks_are_gone_afterwards(model, inputs) -> None:
    with record_seams(model) as tensors:
        assert count_hooks(model) >= 25
        track(model, inputs)
    assert count_hooks(model) == 0
    kept = dict(tensors)
    track(model, (inputs[0] * 0.5, inputs[1]))
    assert all(tensors[name] is value for name, value in kept.items())


def test_hooks_are_gone_after_a_failure(model, inputs) -> None:
    video, queries = inputs
    with pytest.raises(RuntimeError), record_seams(model):
        track(model, (video[..., :2], queries))
    assert count_hooks(model) == 0
