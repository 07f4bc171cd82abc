"""Nodes of every other pass, cut out and run beside the original; and proofs that fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from sampling_graphs import make_model, sampling_model

import locoexport
from locoexport.graphs.values.known_values import KnownValue
from locoexport.lowering.proof.cut_out import NotProvenError, cut_out
from locoexport.lowering.proof.trials import prove_cut_out
from locoexport.pipeline.rewrite import RewriteFailedError
from locoexport.pipeline.rewriting import proof as rewrite_proof

FLOATS = KnownValue(TensorProto.FLOAT, ("n", 3, None))


def beside(before, after, known=FLOATS, opsets=(21, 17), constants=None):
    return cut_out(
        ([before], opsets[0]),
        ([after], opsets[1]),
        (before.output, after.output),
        {"x": known},
        constants or {},
    )


def node(op_type, *inputs, output="y", **attributes):
    return helper.make_node(op_type, list(inputs), [output], **attributes)


def test_equal_nodes_are_equal():
    proof = prove_cut_out(beside(node("Neg", "x"), node("Neg", "x", output="z")))
    assert proof.passed
    assert proof.runtime == "ONNX Runtime CPU"
    assert {shape for trial in proof.shapes for shape in trial} == {(3, 3, 3), (2, 3, 2), (1, 3, 1)}
    assert proof.points == 27 + 12 + 3


@pytest.mark.parametrize(
    "other", [node("Abs", "x"), node("Shape", "x"), node("NoSuch", "x"), node("Size", "x")]
)
def test_another_node_is_not(other):
    assert not prove_cut_out(beside(node("Neg", "x"), other)).passed


def test_constants_stay_what_they_are():
    axes = {"axes": numpy_helper.from_array(np.array([1], np.int64), "axes")}
    before = node("ReduceMax", "x", "axes")
    right, wrong = (node("ReduceMax", "x", axes=[axis]) for axis in (1, 0))
    assert prove_cut_out(beside(before, right, constants=axes)).passed
    assert not prove_cut_out(beside(before, wrong, constants=axes)).passed


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        (node("RandomNormalLike", "x"), "it is random"),
        (node("NoSuch", "x"), "NoSuch"),
    ],
)
def test_what_cannot_be_run_is_no_pass(subject, says):
    with pytest.raises(NotProvenError, match=says):
        prove_cut_out(beside(subject, subject))


def test_what_is_not_known_is_no_pass():
    with pytest.raises(NotProvenError, match="the type of its input 'other' is unknown"):
        beside(node("Neg", "other"), node("Neg", "other"))
    with pytest.raises(NotProvenError, match="the rank of its input 'x' is unknown"):
        beside(node("Neg", "x"), node("Neg", "x"), known=replace(FLOATS, shape=None))


def opset_model():
    graph = parser.parse_graph("""
        g (float[n, 2, 5, 6] image, float[n, 4, 4, 2] grid, int64[2] target) => (y, total, r)
        <int64[1] axes = {1}> {
            y = GridSample <mode = "linear"> (image, grid)
            small = ReduceMax <keepdims = 0> (image, axes)
            total = Cast <to = 1, saturate = 1> (small)
            r = Reshape (total, target)
        }""")
    for output in graph.output:
        output.type.tensor_type.elem_type = TensorProto.FLOAT
    return make_model(graph, opset=21)


def test_the_opset_pass_is_proven_node_by_node():
    report = locoexport.rewrite(opset_model(), opset=17)
    rows = {row.node: row for row in report.rewritten}
    assert set(rows) == {"y", "small", "total", "1× Reshape"}
    assert "mode=linear" in rows["y"].before
    assert "mode=bilinear" in rows["y"].after
    assert (rows["1× Reshape"].before, rows["1× Reshape"].after) == ("version 21", "version 14")
    for row in report.rewritten:
        assert row.pass_name == "opset"
        assert row.proof.passed, row
        assert row.unproven == ""
        assert row.proof.points > 0


def test_a_wrong_spelling_is_found(monkeypatch):
    """TensorRT#4646, as it were: linear written as nearest."""
    from locoexport.lowering.opset import versions as opset

    monkeypatch.setattr(opset, "respelled_mode", lambda mode, at: "nearest")
    with pytest.raises(RewriteFailedError, match=r"y: .* apart, allowed 0"):
        locoexport.rewrite(opset_model(), opset=17)


def test_nodes_that_nobody_can_run_are_told():
    model = opset_model()
    del model.graph.value_info[:]
    model.graph.node.append(node("Unknown", "y", output="strange"))
    model.graph.node[-1].domain = "elsewhere"
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    model.graph.node.append(node("Flatten", "strange", output="flat"))
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))
    report = locoexport.rewrite(model, opset=17)
    (row,) = report.unproven
    assert row.node == "1× Flatten"
    assert row.proof is None
    # Flatten gives out the type that it takes, so that alone is known.
    assert row.unproven == "the rank of its input 'strange' is unknown"
    assert report.passed


def test_a_split_squeeze_is_proven_and_a_wrong_one_found(monkeypatch):
    graph = parser.parse_graph("""
        g (float[1, n, 1, 3] x) => (float[n, 3] y) <int64[2] axes = {0, -2}> {
            y = Squeeze (x, axes)
        }""")
    model = make_model(graph, opset=17)
    (row,) = locoexport.rewrite(model, passes=["single-axis-squeeze"]).rewritten
    assert row.proof.passed
    assert row.proof.shapes == (((1, 3, 1, 3),), ((1, 2, 1, 3),), ((1, 1, 1, 3),))

    def transposed(split, pass_name):
        last = onnx.NodeProto()
        last.CopyFrom(split.replacement[-1])
        last.output[0] = "squeezed"
        moved = helper.make_node("Transpose", ["squeezed"], [split.output_name], perm=[1, 0])
        nodes = (*split.replacement[:-1], last, moved)
        return of_squeeze(replace(split, replacement=nodes), pass_name)

    of_squeeze = rewrite_proof.of_squeeze
    monkeypatch.setattr("locoexport.pipeline.rewriting.passes.of_squeeze", transposed)
    with pytest.raises(RewriteFailedError, match="y: it makes float32 of shape"):
        locoexport.rewrite(model, passes=["single-axis-squeeze"])


def test_all_passes_are_one_list():
    model = sampling_model("linear", "zeros", 0, (1, 2, 3, 4, 5), (1, 2, 2, 2, 3), opset=22)
    report = locoexport.rewrite(model, to="planar", opset=17)
    assert report.rewritten[0].node == "sample"
    assert {row.pass_name for row in report.rewritten} == {"volumetric-gridsample", "opset"}
    assert report.unproven == ()
    assert report.passed


@pytest.mark.parametrize("counted", [0, 1])
def test_open_axes_hold_a_window_of_a_pooling_at_least(counted: int) -> None:
    # What half a window makes is left open by ONNX, and ONNX Runtime's two kernels differ in it.
    attributes = f"kernel_shape = [4, 2], strides = [4, 2], count_include_pad = {counted}"
    header = '<ir_version: 8, opset_import: ["" : 22]> g (float[n, 3, h, w] x) => (y)'
    model = onnx.parser.parse_model(f"{header} {{ y = AveragePool <{attributes}> (x) }}")
    report = locoexport.rewrite(model, opset=17)
    (row,) = report.rewritten
    assert row.proof is not None
    assert row.proof.shapes == (((3, 3, 5, 4),), ((2, 3, 4, 2),), ((1, 3, 4, 2),))
    assert report.whole_model is not None
    assert report.whole_model.passed
