"""Bringing a model down to an older opset: what is written, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser
from sampling_graphs import make_model, run, sampling_model

import locoexport
from locoexport.errors import GraphCheckFailedError, UsageError


def plane_model(opset=20, mode="linear"):
    return sampling_model(mode, "zeros", 0, (1, 2, 5, 6), (1, 3, 4, 2), opset=opset)


def modes(model):
    return [a.s.decode() for n in model.graph.node for a in n.attribute if a.name == "mode"]


@pytest.mark.parametrize("opset", [16, 17, 18, 19])
@pytest.mark.parametrize(
    ("mode", "old"), [("linear", "bilinear"), ("cubic", "bicubic"), ("nearest", "nearest")]
)
def test_spellings(mode, old, opset):
    model = plane_model(22, mode)
    report = locoexport.rewrite(model, opset=opset)
    assert [entry.version for entry in report.model.opset_import] == [opset]
    assert modes(report.model) == [old]
    assert (report.opset_before, report.opset_after) == (22, opset)
    onnx.checker.check_model(report.model, full_check=True)
    random = np.random.default_rng(0)
    given = {
        "volume": random.standard_normal((1, 2, 5, 6), dtype=np.float32),
        "grid": random.uniform(-1.5, 1.5, (1, 3, 4, 2)).astype(np.float32),
    }
    np.testing.assert_array_equal(run(model, **given)[0], run(report.model, **given)[0])


def test_a_default_mode_is_written_out():
    report = locoexport.rewrite(plane_model(mode=None), opset=17)
    assert modes(report.model) == ["bilinear"]


@pytest.mark.parametrize("to", ["planar", "gather"])
@pytest.mark.parametrize("opset", [16, 17, 18, 19, 20])
def test_volumes_with_a_lower_opset(opset, to):
    model = sampling_model("linear", "reflection", 1, opset=22)
    report = locoexport.rewrite(model, to=to, opset=opset)
    assert report.passed
    assert [entry.version for entry in report.model.opset_import] == [opset]
    assert f"opset {opset}" in report.rewritten[0].proof.runtime
    onnx.checker.check_model(report.model, full_check=True)


def test_volumes_keep_a_model_at_20():
    model = sampling_model("linear", "zeros", 0)
    with pytest.raises(GraphCheckFailedError, match="keeps the model at opset 20: sample"):
        locoexport.rewrite(model, opset=17, passes=["opset"])
    report = locoexport.rewrite(model, opset=20, passes=["opset"])
    assert (report.rewritten, report.nodes_after) == ((), report.nodes_before)


def test_refusal_lists_every_operator():
    model = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["": 21]>
        graph (float[2,3] x, float[6] s) => (float[?,?] y) {
           a = Gelu (x)
           n = LayerNormalization (a, s)
           d, e = Split <num_outputs = 2, axis = 1> (n)
           f = Mish (d)
           y = Gelu (f)
        }"""
    )
    with pytest.raises(GraphCheckFailedError) as refused:
        locoexport.rewrite(model, opset=16, passes=["opset"], check=False)
    listed = (
        "Gelu: new in opset 20 (2×); LayerNormalization: new in opset 17 (1×); "
        "Mish: new in opset 18 (1×); Split: attribute num_outputs is newer (1×); "
        "Split: changed in opset 18 (1×)"
    )
    assert listed in str(refused.value)


def test_reductions_get_their_axes_back_as_an_attribute():
    model = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["": 20]>
        graph (float[2,3,4] x) => (float[?,?] y, float[?,?] z) {
           axes = Constant <value_ints = [-1]> ()
           y = ReduceMean <keepdims = 0> (x, axes)
           z = ReduceSum <keepdims = 0> (x, axes)
        }"""
    )
    report = locoexport.rewrite(model, opset=17)
    reduced = {node.op_type: node for node in report.model.graph.node}
    assert list(reduced["ReduceMean"].input) == ["x"]
    assert list(reduced["ReduceSum"].input) == ["x", "axes"]
    onnx.checker.check_model(report.model, full_check=True)
    x = np.random.default_rng(0).standard_normal((2, 3, 4), dtype=np.float32)
    for before, after in zip(run(model, x=x), run(report.model, x=x), strict=True):
        np.testing.assert_array_equal(before, after)


def test_axes_that_became_attributes_leave_no_constant_behind():
    model = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["": 20]>
        graph (float[2,3,4] x) => (float[?,?] y, float[?,?] z, int64[1] kept)
        <int64[1] first = {0}, int64[1] unused = {5}> {
           axes = Constant <value_ints = [-1]> ()
           kept = Constant <value_ints = [-1]> ()
           y = ReduceMean <keepdims = 0> (x, axes)
           a = ReduceMean <keepdims = 0, noop_with_empty_axes = 1> (x, kept)
           z = ReduceMax <keepdims = 0> (x, first)
        }"""
    )
    lowered = locoexport.rewrite(model, opset=17).model
    assert [node.op_type for node in lowered.graph.node] == [
        "Constant",
        "ReduceMean",
        "ReduceMean",
        "ReduceMax",
    ]
    assert [tensor.name for tensor in lowered.graph.initializer] == ["unused"]


def test_attributes_at_their_default_are_dropped():
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16, saturate=1)]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2])],
    )
    report = locoexport.rewrite(make_model(graph), opset=16)
    assert [attribute.name for attribute in report.model.graph.node[0].attribute] == ["to"]


def test_types_that_are_newer_are_refused():
    graph = helper.make_graph(
        [helper.make_node("Sin", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [2])],
        [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [2])],
    )
    with pytest.raises(GraphCheckFailedError, match=r"Sin: tensor\(bfloat16\) is newer"):
        locoexport.rewrite(make_model(graph, opset=22), opset=18)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('y = Pad <mode = "wrap"> (x, two)', "Pad: changed in opset 19"),
        ("y = DFT <inverse = 1, onesided = 1> (x)", "DFT: changed in opset 20"),
        ("axis = ReduceMax <keepdims = 0> (two) y = DFT (x, , axis)", "DFT: the axis is computed"),
        ("y = ReduceMax (x, two)", "ReduceMax: axes are computed"),
    ],
)
def test_changed_meanings_are_refused(body, says):
    model = parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["": 20]>
        graph (float[1,2,1] x, int64[6] two) => (float[?,?,?] y) {{ {body} }}"""
    )
    with pytest.raises(GraphCheckFailedError, match=says):
        locoexport.rewrite(model, opset=17, check=False)


def test_an_opset_is_never_raised():
    with pytest.raises(UsageError, match="brought down, not up to 20"):
        locoexport.rewrite(plane_model(17, "bilinear"), opset=20)


@pytest.mark.parametrize("opset", [15, 21])
def test_opsets_out_of_reach(opset):
    with pytest.raises(UsageError, match="expected 16 to 20"):
        locoexport.rewrite(plane_model(), opset=opset)


@pytest.mark.parametrize("branches", ["then_branch else_branch", "else_branch then_branch"])
def test_axes_of_one_branch_are_not_those_of_another(branches):
    """Both branches name their axes alike: constant in one, computed in the other."""
    bodies = {
        "then_branch": "yes () => (float[?, 3] t) <int64[1] ax = {0}> { t = ReduceMean(x, ax) }",
        "else_branch": "no () => (float[?, 3] e) { ax = Neg(k) e = ReduceMean(x, ax) }",
    }
    written = ", ".join(f"{name} = {bodies[name]}" for name in branches.split())
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[n, 3] x, bool c, int64[1] k) '
        f"=> (float[?, 3] y) {{ y = If <{written}> (c) }}"
    )
    with pytest.raises(GraphCheckFailedError, match="axes are computed"):
        locoexport.rewrite(model, opset=17)
