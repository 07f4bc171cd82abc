"""Exported files against the unrewritten model, at shapes they were not traced at.

What CI runs is a part of the matrix: a small variant of each kind of backbone, both samplings, the
first and the last opset and the default. ``make test-exhaustive`` runs every variant at every opset
(docs/parity.md has the result); goldens of all but the two slowest variants go through their files
in any run (test_goldens_onnx.py).
"""

from __future__ import annotations

from itertools import product

import onnx
import pytest
from exhaustive import matrix
from exported import export_once, seeded_profile

from locoexport.contract.profile import OPSETS, AxisSizes, load_profile
from locoexport.graphs.walking import iterate_nodes
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.parity.probes import make_probe
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.pointwise import prove
from locoexport.runtime.session.single import open_session

SAMPLINGS = ("planar", "gather")
OTHER_OPSETS = [opset for opset in OPSETS if opset != 17]
SHAPES = ((1, 1, 1), (1, 2, 1), (1, 8, 20), (2, 3, 4))
LARGE_SHAPES = ((1, 24, 64), (1, 50, 200))


def _assert_parity(profile, shapes, tmp_path) -> None:
    session = open_session(export_once(profile), profile_prefix=tmp_path / "ort")
    probes = [
        make_probe(
            "textured",
            batch=batch,
            frames=frames,
            points=points,
            size_hw=profile.resolution_hw,
            seed=seed,
        )
        for seed, (batch, frames, points) in enumerate(shapes)
    ]
    network = load_network(profile, None)
    report = prove(session, network.model, probes, profile.tolerance, ignore)
    assert report.passed, report
    # Seeded weights are well conditioned: nothing may need to be counted apart.
    assert sum(case.tied_points + case.unstable_points for case in report.cases) == 0


@pytest.mark.parametrize(
    ("variant", "sampling"),
    matrix(
        product(locotrack.VARIANTS, SAMPLINGS),
        [
            *((kind, "gather") for kind in ("b0-tiny", "b0-proj-small")),
            *((kind, "planar") for kind in ("b0-tiny", "resnet-small")),
        ],
    ),
)
def test_every_variant_in_both_samplings(variant: str, sampling: str, tmp_path) -> None:
    _assert_parity(seeded_profile(variant, sampling=sampling), SHAPES, tmp_path)


@pytest.mark.parametrize(
    ("variant", "opset"),
    matrix(
        product(locotrack.VARIANTS, OTHER_OPSETS),
        [("b0-tiny", 16), ("b0-tiny", 20)],
    ),
)
def test_every_opset(variant: str, opset: int, tmp_path) -> None:
    sampling = "planar" if variant == "b0-tiny" else "gather"
    profile = seeded_profile(variant, opset, sampling)
    _assert_parity(profile, ((1, 2, 1), (1, 8, 20)), tmp_path)
    assert onnx.load(export_once(profile)).opset_import[0].version == opset


@pytest.mark.parametrize(
    ("variant", "sampling"),
    matrix(product(locotrack.VARIANTS, SAMPLINGS), [("b0-tiny", "gather")]),
)
def test_large_shapes(variant: str, sampling: str, tmp_path) -> None:
    _assert_parity(seeded_profile(variant, sampling=sampling), LARGE_SHAPES, tmp_path)


def test_fixed_axes_and_another_resolution(tmp_path) -> None:
    profile = seeded_profile("b0-tiny").with_options(
        axes=AxisSizes(batch=1, frames=4, points=6), resolution_hw=(192, 320)
    )
    export_model(profile, tmp_path / "fixed.onnx")  # parity is checked at the fixed shape
    session = open_session(tmp_path / "fixed.onnx")
    assert (session.fixed_batch, session.fixed_frames, session.fixed_points) == (1, 4, 6)
    assert session.resolution_hw == (192, 320)


def test_gather_has_no_grid_sample_and_planar_only_4d() -> None:
    gather = onnx.load(export_once(seeded_profile("b0-tiny", sampling="gather")))
    assert not [node for node in iterate_nodes(gather) if node.op_type == "GridSample"]
    planar = onnx.load(export_once(seeded_profile("b0-tiny", sampling="planar")))
    # Three grids of query features, and three in each of four refinements.
    assert len([node for node in iterate_nodes(planar) if node.op_type == "GridSample"]) == 15


def test_no_loop_over_queries_or_frames_is_unrolled() -> None:
    """The number of nodes depends on the network alone, whatever sizes it is traced at."""
    profile = load_profile("b0-tiny")
    small = onnx.load(export_once(seeded_profile("b0-tiny")))
    fixed = profile.with_options(axes=AxisSizes(batch=1, frames=7, points=33))
    assert len(onnx.load(export_once(fixed)).graph.node) <= len(small.graph.node)
