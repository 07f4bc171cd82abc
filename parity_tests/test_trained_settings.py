"""Refinements, softmax temperature and GELU's form: the file is the network as it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from exhaustive import matrix
from exported import export_once, seeded_profile

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.contract.profile import OPSETS, ExportProfile
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.session.single import open_session

SHAPES = ((1, 1, 1), (1, 2, 3), (2, 3, 4), (1, 9, 17))
TWO = CheckpointSettings(refinements=2, softmax_temperature=10.0)


def small(settings: CheckpointSettings, opset: int = 17) -> ExportProfile:
    profile = seeded_profile("b0-tiny", opset).with_options(resolution_hw=(64, 64))
    return profile.with_options(settings=settings)


@pytest.mark.parametrize(
    ("settings", "opset"),
    [
        (CheckpointSettings(refinements=1, softmax_temperature=3.7), 17),
        (CheckpointSettings(refinements=7, softmax_temperature=45.0), 17),
        *matrix(
            [(CheckpointSettings(gelu="tanh"), opset) for opset in OPSETS],
            [(CheckpointSettings(gelu="tanh"), opset) for opset in (20,)],
        ),
        (TWO, 17),
    ],
)
def test_parity(settings: CheckpointSettings, opset: int, tmp_path: Path) -> None:
    profile = small(settings, opset)
    session = open_session(export_once(profile), profile_prefix=tmp_path / "ort")
    probes = make_probes(SHAPES, profile.axes, profile.working_hw)
    report = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert report.passed, report


def test_each_of_them_moves_tracks() -> None:
    """Else the tests above would prove nothing."""
    probe = make_probe("textured", batch=1, frames=4, points=9, size_hw=(64, 64), seed=1)
    inputs = torch.from_numpy(probe.video), torch.from_numpy(probe.query_points_tyx)
    with torch.inference_mode():
        usual, *others = (
            load_network(small(settings), None).model(*inputs).tracks
            for settings in (
                CheckpointSettings(),
                CheckpointSettings(refinements=2),
                CheckpointSettings(softmax_temperature=10.0),
                CheckpointSettings(gelu="tanh"),
            )
        )
    moved = [float((tracks - usual).abs().max()) for tracks in others]
    assert min(moved[:2]) > 0.1
    assert moved[2] > 1e-5


def test_a_file_says_them_and_verify_knows(tmp_path: Path) -> None:
    path = export_once(small(TWO))
    metadata = open_session(path).metadata
    assert metadata.trained.refinements == 2
    assert metadata.trained.softmax_temperature == 10.0
    report = verify_model(path, localise=True)
    assert report.passed
    assert report.localisation is not None
    iterations = {reading.seam.iteration for reading in report.localisation.readings}
    assert iterations == {None, 0, 1}
