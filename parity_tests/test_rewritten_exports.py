"""Our own exports at opset 20, brought down by ``locoexport rewrite``: the same tracker."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from exhaustive import matrix
from exported import export_once, seeded_profile

from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe
from locoexport.pipeline.proof.pointwise import prove
from locoexport.pipeline.rewrite import rewrite_file
from locoexport.runtime.session.single import open_session

SHAPES = ((1, 1, 1), (1, 8, 20), (2, 3, 4))


@pytest.mark.parametrize(
    ("opset", "sampling", "target"),
    matrix(
        [
            (opset, sampling, target)
            for opset, sampling in [(18, "gather"), (20, "gather"), (20, "planar")]
            for target in (16, 17)
        ],
        [(20, "planar", 17)],
    ),
)
def test_an_export_comes_down(opset: int, sampling: str, target: int, tmp_path: Path) -> None:
    profile = seeded_profile("b0-tiny", opset=opset, sampling=sampling)
    source, output = export_once(profile), tmp_path / "out.onnx"
    report = rewrite_file(source, output, opset=target)
    assert report.passed
    assert report.loads == ""
    written = onnx.load(output)
    assert [entry.version for entry in written.opset_import] == [target]

    session = open_session(output, profile_prefix=tmp_path / "ort")
    assert session.metadata.opset == target
    probes = [
        make_probe(
            "textured", batch=b, frames=t, points=n, size_hw=profile.resolution_hw, seed=seed
        )
        for seed, (b, t, n) in enumerate(SHAPES)
    ]
    proof = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert proof.passed, proof
