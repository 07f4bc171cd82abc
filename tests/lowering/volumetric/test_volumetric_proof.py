"""The proof must be able to fail: one weight, one rounding, one border wrong, and it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from sampling_graphs import COMBINATIONS, LOWERINGS, sampling_model

import locoexport
from locoexport.lowering.volumetric.grid_sample import VolumetricGridSample
from locoexport.lowering.volumetric.probes import make_grid, probe_sizes
from locoexport.lowering.volumetric.proof import prove_sample


def lowered(to, mode="linear", padding="border", align_corners=0, **options):
    lowering = VolumetricGridSample(to)
    lowering(ir.from_proto(sampling_model(mode, padding, align_corners, **options)))
    return lowering.lowered[0]


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
def test_another_mode_padding_or_alignment_fails(mode, padding, align_corners, to):
    found = lowered(to, mode, padding, align_corners)
    assert prove_sample(found, 20).passed
    others = [
        {"mode": "nearest" if mode == "linear" else "linear"},
        {"align_corners": not align_corners},
    ]
    others += [
        {"padding": other} for other in ("zeros", "border", "reflection") if other != padding
    ]
    for other in others:
        wrong = replace(found, sample=replace(found.sample, **other))
        assert not prove_sample(wrong, 20).passed, other


def changed(found, op_type, number, become=None, **attributes):
    """The replacement with the attributes, or the operator, of one of its nodes changed."""
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in found.replacement]
    node = [node for node in nodes if node.op_type == op_type][number]
    node.op_type = become or op_type
    for attribute in node.attribute:
        if attribute.name in attributes:
            attribute.CopyFrom(
                onnx.helper.make_attribute(attribute.name, attributes[attribute.name])
            )
    return replace(found, replacement=tuple(nodes))


@pytest.mark.parametrize(
    ("to", "mode", "op_type", "number", "attributes"),
    [
        ("gather", "linear", "Floor", 0, {"become": "Ceil"}),
        ("gather", "linear", "Floor", 2, {"become": "Round"}),
        ("gather", "nearest", "Round", 1, {"become": "Floor"}),
        ("gather", "linear", "Max", 1, {"become": "Min"}),
        ("planar", "linear", "GridSample", 0, {"align_corners": 1}),
        ("planar", "linear", "GridSample", 0, {"padding_mode": "zeros"}),
        ("planar", "nearest", "Round", 0, {"become": "Ceil"}),
    ],
)
def test_one_wrong_node_fails(to, mode, op_type, number, attributes):
    assert not prove_sample(changed(lowered(to, mode), op_type, number, **attributes), 20).passed


def test_half_away_from_zero_fails():
    """Rounding floor(x + ½) differs from nearbyint at ties alone: the grids must hold some."""
    found = lowered("gather", "nearest", "zeros", 0)
    nodes = []
    for node in found.replacement:
        if node.op_type == "Round":
            half = onnx.helper.make_node("Constant", [], [node.output[0] + "h"], value_float=0.5)
            added = onnx.helper.make_node(
                "Add", [node.input[0], half.output[0]], [half.output[0] + "s"]
            )
            floor = onnx.helper.make_node("Floor", [added.output[0]], list(node.output))
            nodes += [half, added, floor]
        else:
            nodes.append(node)
    assert not prove_sample(replace(found, replacement=tuple(nodes)), 20).passed


def test_a_failed_proof_is_an_error_that_holds_the_report(monkeypatch):
    from locoexport.pipeline.rewrite import RewriteFailedError
    from locoexport.pipeline.rewriting import proof as rewrite_proof

    def sabotage(sample, opset):
        return prove_sample(changed(sample, "Floor", 0, become="Ceil"), opset)

    monkeypatch.setattr(rewrite_proof, "prove_sample", sabotage)
    with pytest.raises(RewriteFailedError, match=r"sample: .* apart, allowed 2e-05") as failed:
        locoexport.rewrite(sampling_model("linear", "border", 0))
    assert not failed.value.report.passed
    assert failed.value.exit_code == 1


def test_the_nodes_own_sizes_are_tried_and_large_ones_reduced():
    small = lowered("gather", volume_shape=(1, 2, 3, 4, 5), grid_shape=(1, 6, 7, 8, 3))
    assert [size.grid for size in probe_sizes(small.sample)] == [(1, 6, 7, 8, 3)]
    assert not any(size.reduced for size in prove_sample(small, 20).sizes)
    large = lowered("planar", volume_shape=(1, 8, 64, 64, 64), grid_shape=(1, 99, 99, 99, 3))
    proof = prove_sample(large, 20)
    assert proof.passed
    assert all(size.reduced for size in proof.sizes)
    assert {size.volume[2:] for size in proof.sizes} == {(64, 64, 64)}


@pytest.mark.parametrize("align_corners", [False, True])
def test_grids_hold_every_trap(align_corners):
    sizes = probe_sizes(lowered("gather").sample)[0]
    grid = make_grid(sizes, align_corners=align_corners, seed=0, dtype=np.dtype(np.float32))
    lengths = sizes.volume[2:]
    assert len(set(lengths)) == 3
    for column, length in enumerate(reversed(lengths)):
        g = grid[..., column].astype(np.float64)
        x = (g + 1) / 2 * (length - 1) if align_corners else ((g + 1) * length - 1) / 2
        inside = (x >= 0) & (x <= length - 1)
        assert {-1.0, 0.0, 1.0} <= set(g.ravel())
        assert (np.abs(g) >= 100).any()
        assert (inside & np.isclose(x, np.round(x))).any()
        assert np.isclose(np.abs(x - np.floor(x)), 0.5).any()
        assert (x < -length).any()
        assert (x > 2 * length).any()
