"""Several-axes Squeeze as single ones."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser
from sampling_graphs import make_model, run

import locoexport
from locoexport.errors import GraphCheckFailedError, UsageError

SQUEEZE = ["single-axis-squeeze"]


def squeeze_model(shape, axes, opset=17):
    inputs, initializers = ["x"], []
    if axes is not None:
        inputs.append("axes")
        initializers = [numpy_helper.from_array(np.array(axes, np.int64), "axes")]
    graph = helper.make_graph(
        [helper.make_node("Squeeze", inputs, ["y"], name="squeeze")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=initializers,
    )
    return make_model(graph, opset=opset)


def single_axes(model):
    constants = {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    } | {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return [constants[n.input[1]].size for n in model.graph.node if n.op_type == "Squeeze"]


@st.composite
def squeezes(draw):
    shape = draw(st.lists(st.sampled_from((1, 1, 2, 3)), min_size=1, max_size=6))
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    if draw(st.booleans()) or not ones:
        return tuple(shape), None
    axes = draw(st.lists(st.sampled_from(ones), min_size=1, unique=True))
    return tuple(shape), [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]


@settings(max_examples=40, deadline=None)
@given(case=squeezes())
def test_equal_and_single(case):
    shape, axes = case
    model = squeeze_model(shape, axes)
    rewritten = locoexport.rewrite(model, passes=SQUEEZE).model
    assert all(count == 1 for count in single_axes(rewritten))
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    np.testing.assert_array_equal(run(model, x=x)[0], run(rewritten, x=x)[0])


def test_in_bodies_names_shadow_nothing():
    model = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["": 20]>
        graph (float[1,2,1] x, bool c) => (float[?] y, float[?] z) {
           axes = Constant <value_ints = [0, 2]> ()
           y = Squeeze (x, axes)
           z = If (c) <then_branch = a () => (float[2] p) { p = Squeeze (x, axes) },
                       else_branch = b () => (float[2] q) { q = Squeeze (x, axes) }>
        }"""
    )
    report = locoexport.rewrite(model, passes=SQUEEZE)
    assert [node.nodes_added for node in report.rewritten] == [3, 3, 3]
    onnx.checker.check_model(report.model, full_check=True)
    x = np.ones((1, 2, 1), np.float32)
    assert [found.shape for found in run(report.model, x=x, c=np.array(True))] == [(2,), (2,)]


def test_single_ones_are_left_alone():
    report = locoexport.rewrite(squeeze_model((1, 2, 1), [2]), passes=SQUEEZE)
    assert not report.changed


def test_unknown_axes_are_refused():
    with pytest.raises(GraphCheckFailedError, match="which axes it means is unknown"):
        locoexport.rewrite(squeeze_model(("n", 1), None), passes=SQUEEZE)


def test_old_opsets_are_refused():
    model = squeeze_model((1, 2), None, opset=11)
    with pytest.raises(UsageError, match="needs opset 13"):
        locoexport.rewrite(model, passes=SQUEEZE)
