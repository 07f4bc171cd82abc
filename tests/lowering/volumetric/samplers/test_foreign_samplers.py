"""Samplers of plugins and exporters: lowered as their sources define them, or named."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from sampling_graphs import run, sampling_model, torch_sample, trapped_grid

import locoexport
from locoexport.errors import GraphCheckFailedError

INTEGERS = {"interpolation_mode": 0, "padding_mode": 1, "align_corners": 1}
STRINGS = {"mode": "bilinear", "padding_mode": "border", "align_corners": 1}
VOLUME, GRID = (2, 3, 4, 7, 5), (2, 3, 4, 6, 3)
CONSTANTS = {"mode": np.array(0), "padding": np.array(1), "corners": np.array(True)}
ATEN_INPUTS = ("volume", "grid", *CONSTANTS)


def foreign_model(operator, domain="", attributes=INTEGERS, *, opset=20, inputs=(), rank=5):
    shapes = (VOLUME, GRID) if rank == 5 else (VOLUME[:4], (2, 3, 4, 2))
    model = sampling_model(None, None, None, *shapes, opset=opset)
    node = model.graph.node[0]
    node.op_type, node.domain = operator, domain
    node.input[:] = inputs or node.input
    node.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    if inputs:
        tensors = (numpy_helper.from_array(array, name) for name, array in CONSTANTS.items())
        model.graph.initializer.extend(tensors)
    return model


def error(model, mode="linear", padding="border", align_corners=1):
    """The rewritten model against PyTorch."""
    random = np.random.default_rng(0)
    volume = random.standard_normal(VOLUME, dtype=np.float32)
    grid = trapped_grid(random, VOLUME[2:], GRID[:-1], align_corners)
    expected = torch_sample(volume, grid, mode, padding, align_corners)
    return np.abs(run(model, volume=volume, grid=grid)[0] - expected).max()


@pytest.mark.parametrize(
    "model",
    [
        foreign_model("GridSample3D"),
        foreign_model("GridSample3D", "trt.plugins", opset=16),
        foreign_model("GridSample3D", opset=13),
        foreign_model("GridSample3D", attributes=STRINGS),
        foreign_model("GridSample", "com.microsoft", STRINGS),
        foreign_model("grid_sampler", "mmdeploy"),
        foreign_model("grid_sampler", "mmcv"),
        foreign_model("grid_sampler_3d", "aten", {}, inputs=ATEN_INPUTS),
        foreign_model("ATen", "org.pytorch.aten", {"operator": "grid_sampler"}, inputs=ATEN_INPUTS),
    ],
    ids=lambda model: f"{model.graph.node[0].domain}.{model.graph.node[0].op_type}",
)
def test_every_published_spelling_is_lowered(model):
    report = locoexport.rewrite(model)
    assert [row.after for row in report.rewritten][-1] == "gather"
    assert "published definition" in report.rewritten[0].unproven
    assert [entry.domain for entry in report.model.opset_import] == [""]
    assert error(report.model) < 1e-6
    onnx.checker.check_model(report.model, full_check=True)


@pytest.mark.parametrize(("number", "padding"), [(0, "zeros"), (1, "border"), (2, "reflection")])
def test_integers_count_as_pytorch_counts(number, padding):
    attributes = {"interpolation_mode": 1, "padding_mode": number, "align_corners": 1}
    told = []
    report = locoexport.rewrite(
        foreign_model("GridSample3D", attributes=attributes), notify=told.append
    )
    assert error(report.model, "nearest", padding) == 0
    assert any("fills the first channel alone" in notice.text for notice in told)


def test_a_node_without_attributes_takes_the_defaults_of_the_plugin():
    """Scripts that rename with graphsurgeon leave these three."""
    attributes = {"name": "GridSample3D", "version": 1, "namespace": ""}
    report = locoexport.rewrite(foreign_model("GridSample3D", attributes=attributes))
    assert error(report.model, "linear", "zeros", 0) < 1e-6


def test_an_image_sampler_of_onnxruntime_is_proven_beside_its_own_kernel():
    report = locoexport.rewrite(foreign_model("GridSample", "com.microsoft", STRINGS, rank=4))
    assert report.rewritten[0].proof is not None
    assert report.rewritten[0].proof.worst_error == 0
    assert [node.op_type for node in report.model.graph.node] == ["GridSample"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (foreign_model("F.grid_sample", "pnnx"), "no published definition of it is known"),
        (foreign_model("GridSampler3DTRT"), "ten times as large"),
        (foreign_model("GridSample3D", attributes={"interpolation_mode": 2}), "is cubic"),
        (foreign_model("GridSample3D", attributes={"padding_mode": 7}), "padding_mode is 7"),
        (foreign_model("GridSample3D", attributes={"scale": 7}), "an attribute 'scale'"),
        (foreign_model("grid_sampler", "mmdeploy", opset=13, rank=4), "opset 16"),
    ],
)
def test_what_is_not_certain_is_named_and_left(model, told):
    report = locoexport.rewrite(model)
    assert not report.changed
    assert report.model is model
    assert told in report.left_samplers[0]


def test_an_opset_that_lacks_the_operators_is_refused_in_words():
    with pytest.raises(GraphCheckFailedError, match=r"needs opset 13.*the model is at opset 11"):
        locoexport.rewrite(foreign_model("grid_sampler", "mmdeploy", opset=11))


def test_a_function_of_the_model_with_that_name_is_no_plugin():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[2] a) => (float[2] out) { out = local.GridSample3D(a) }
        <domain: "local", opset_import: ["" : 17]>
        GridSample3D (x) => (y) { y = Abs(x) }
    """)
    report = locoexport.rewrite(model)
    assert not report.changed
    assert not report.left_samplers


def test_attributes_of_a_call_reach_a_sampler_in_a_function():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 20, "local" : 1, "mmdeploy" : 1]>
        g (float[2,3,4,7,5] volume, float[2,3,4,6,3] grid) => (float[2,3,3,4,6] out)
        { out = local.warp <pad = 1> (volume, grid) }
        <domain: "local", opset_import: ["" : 20, "mmdeploy" : 1]>
        warp <pad> (v, g) => (y) {
            y = mmdeploy.grid_sampler <padding_mode: int = @pad, align_corners = 1> (v, g)
        }
    """)
    report = locoexport.rewrite(model)
    assert report.inlined_functions == ("local.warp",)
    assert error(report.model) < 1e-6


def test_a_chain_out_of_order_is_sorted_and_lowered():
    """As LivePortrait has it: one sampler reads, through other nodes, what another makes."""
    model = foreign_model("GridSample3D", opset=16)
    model.graph.node[0].output[0] = "first"
    model.graph.node.insert(0, helper.make_node("GridSample3D", ["bent", "grid"], ["sampled"]))
    model.graph.node.insert(1, helper.make_node("Tanh", ["first"], ["bent"]))
    report = locoexport.rewrite(model)
    assert report.reordered == ("the main graph",)
    assert [row.after for row in report.rewritten].count("gather") == 2
    random = np.random.default_rng(1)
    volume = random.standard_normal(VOLUME, dtype=np.float32)
    grid = random.uniform(-1.2, 1.2, GRID).astype(np.float32)
    first = np.tanh(torch_sample(volume, grid, "linear", "border", 1))
    expected = torch_sample(first, grid, "linear", "zeros", 0)
    assert np.abs(run(report.model, volume=volume, grid=grid)[0] - expected).max() < 1e-6
