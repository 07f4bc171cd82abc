"""The costs in the TOMLs, counted anew from the models and the exported files."""

import exhaustive
import pytest
import torch
from exported import export_once

from locoexport.contract.profile import load_profile, profile_names
from locoexport.models import locotrack
from locoexport.pipeline.inspect import inspect_here

CALL = {"batch": 1, "frames": 24, "points": 64}
OTHERS = [name for name in profile_names() if name != "b0-tiny"]


@pytest.mark.parametrize("name", profile_names())
def test_parameters(name: str) -> None:
    profile = load_profile(name)
    with torch.device("meta"):
        model = locotrack.LocoTrack(locotrack.VARIANTS[profile.variant])
    assert profile.cost.parameters == sum(tensor.numel() for tensor in model.parameters())


@pytest.mark.slow
def test_the_file_and_the_call() -> None:
    check("b0-tiny")


@pytest.mark.slow
@pytest.mark.parametrize("name", exhaustive.matrix(OTHERS, ["resnet-small"]))
def test_the_file_and_the_call_of_the_others(name: str) -> None:
    check(name)


def check(name: str) -> None:
    profile = load_profile(name)
    path = export_once(profile)
    flops = inspect_here(path, CALL).facts.costs.flops
    assert (flops.unresolved, dict(flops.not_counted)) == ((), {})
    assert profile.cost.gflop_24x64 == pytest.approx(flops.total / 1e9, abs=0.006)
    # Names of versions are in the file too.
    assert profile.cost.file_bytes == pytest.approx(path.stat().st_size, rel=0.01)
