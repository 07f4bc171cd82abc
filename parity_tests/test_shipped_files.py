"""The files that the package ships: the same function as PyTorch, and what is exported today."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from exported import export_once
from onnx import numpy_helper

from locoexport.contract.profile import load_profile
from locoexport.contract.shipped_model import (
    SHIPPED_PROFILE,
    shipped_live_path,
    shipped_model_path,
)
from locoexport.network.loading import Network, load_network
from locoexport.notices import ignore
from locoexport.pipeline.live.proof import prove_live
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.split_files import find_live_files

PROFILE = load_profile(SHIPPED_PROFILE)
# Constants are folded in float32, whose last bits may differ from processor to processor.
_FOLDING = 1e-5


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network(PROFILE, None)


@pytest.mark.slow
def test_the_file_for_clips_answers_as_pytorch_does(network, tmp_path) -> None:
    probes = make_probes(((1, 1, 1), (2, 3, 4)), PROFILE.axes, PROFILE.resolution_hw)
    session = open_model(shipped_model_path(), profile_prefix=tmp_path / "profile")
    report = prove(session, network.model, probes, PROFILE.tolerance, ignore)
    assert report.passed
    assert len(report.cases) == 3


@pytest.mark.exhaustive
def test_the_live_files_answer_as_pytorch_does(network, tmp_path) -> None:
    probes = make_probes(((1, 3, 4),), PROFILE.axes, PROFILE.resolution_hw)
    session = open_live(shipped_live_path(), profile_prefix=tmp_path / "profile")
    report = prove_live(session, network.model, probes, PROFILE.tolerance, ignore)
    assert report.passed
    assert len(report.cases) >= 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", [shipped_model_path(), shipped_live_path()], ids=["whole", "live"])
def test_verify_passes(path: Path) -> None:
    assert verify_model(path).parity.passed


@pytest.mark.slow
def test_the_file_for_clips_is_what_is_exported_today() -> None:
    _check_same(shipped_model_path(), export_once(PROFILE))


@pytest.mark.slow
def test_the_live_files_are_what_is_exported_today() -> None:
    shipped = find_live_files(shipped_live_path())
    today = find_live_files(export_once(PROFILE, live="open"))
    assert shipped is not None
    assert today is not None
    for role, path in shipped.items():
        _check_same(path, today[role])


def _check_same(shipped: Path, today: Path) -> None:
    """Of two graphs; where they differ, ``make box`` was forgotten."""
    old, new = (onnx.load(path).graph for path in (shipped, today))
    assert [_shown(node) for node in old.node] == [_shown(node) for node in new.node]
    assert [each.name for each in old.initializer] == [each.name for each in new.initializer]
    for one, other in zip(old.initializer, new.initializer, strict=True):
        np.testing.assert_allclose(
            numpy_helper.to_array(one), numpy_helper.to_array(other), _FOLDING, _FOLDING
        )


def _shown(node: onnx.NodeProto) -> tuple[str, ...]:
    return (node.op_type, *node.input, "->", *node.output)
