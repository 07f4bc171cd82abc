"""The same parity on CUDA. Skipped, never passed, where CUDA cannot really be used."""

from __future__ import annotations

import pytest
from exported import export_once, seeded_profile

from locoexport.errors import ProviderUnavailableError
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.pipeline.proof.pointwise import VERIFY_SHAPES, make_probes, prove
from locoexport.runtime.session.single import open_session, require_provider


@pytest.mark.cuda
@pytest.mark.parametrize("sampling", ["planar", "gather"])
@pytest.mark.parametrize("variant", ["b0-tiny", "b0", "b2", "b5", "resnet-small"])
def test_parity_on_cuda(variant: str, sampling: str, tmp_path) -> None:
    try:
        require_provider("cuda")
    except ProviderUnavailableError as error:
        pytest.skip(str(error))
    profile = seeded_profile(variant, sampling=sampling)
    session = open_session(export_once(profile), "cuda", profile_prefix=tmp_path / "ort")
    probes = make_probes(VERIFY_SHAPES, profile.axes, profile.resolution_hw)
    report = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert report.passed, report
    assert dict(report.placement).get("cuda", 0) > 0
