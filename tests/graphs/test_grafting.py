"""What a pass did not touch is, byte for byte, what was read."""

from collections.abc import Callable

import onnx
import onnx.parser
import pytest

from locoexport.graphs.grafting import graft

TEXT = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[2] x, bool c) => (float[2] y)
{
  a = Abs(x)
  b = If <
    then_branch = yes () => (float[2] t) { t1 = Neg(a) t = Exp(t1) },
    else_branch = no () => (float[2] e) { e = Sqrt(a) }
  >(c)
  y = local.twice(b)
}
<domain: "local", opset_import: ["" : 17]>
twice (v) => (w)
{
  inner = Abs(v)
  w = Add(inner, inner)
}
"""


@pytest.fixture
def original() -> onnx.ModelProto:
    """A model with everything that an IR may lose: notes, metadata, types, names, functions."""
    model = onnx.parser.parse_model(TEXT)
    model.doc_string, model.producer_name = "of the model", "somebody"
    model.metadata_props.add(key="rate", value="25")
    model.graph.doc_string = "of the graph"
    model.graph.value_info.append(
        onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, ["n"])
    )
    model.graph.quantization_annotation.add(tensor_name="a")
    sparse = model.graph.sparse_initializer.add(dims=[3])
    sparse.values.CopyFrom(onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [2]))
    function = model.functions[0]
    function.doc_string = "of the function"
    then = model.graph.node[1].attribute[0].g
    then.doc_string = "of the body"
    nodes = [*model.graph.node, *then.node, *function.node]
    for index, node in enumerate(nodes):
        node.name, node.doc_string = f"node {index}", f"of node {index}"
    return model


def forget(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same computation as a pass gives it back: nodes without notes, nothing around them."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.metadata_props[:], bare.graph.value_info[:], bare.graph.sparse_initializer[:]
    del bare.graph.quantization_annotation[:]
    bare.doc_string = bare.graph.doc_string = bare.functions[0].doc_string = ""
    then = bare.graph.node[1].attribute[0].g
    then.doc_string = ""
    for node in (*bare.graph.node, *then.node, *bare.functions[0].node):
        node.name = node.doc_string = ""
    return bare


def test_a_pass_that_changes_no_node_changes_no_byte(original) -> None:
    assert forget(original).SerializeToString() != original.SerializeToString()
    result = graft(original, forget(original))
    assert result.SerializeToString() == original.SerializeToString()
    assert result is not original


def graph_nodes(model: onnx.ModelProto):
    return model.graph.node


def body_nodes(model: onnx.ModelProto):
    return model.graph.node[1].attribute[0].g.node


def function_nodes(model: onnx.ModelProto):
    return model.functions[0].node


@pytest.mark.parametrize("nodes_of", [graph_nodes, body_nodes, function_nodes])
def test_one_changed_node_is_the_only_change(
    original, nodes_of: Callable[[onnx.ModelProto], list[onnx.NodeProto]]
) -> None:
    rewritten, due = forget(original), onnx.ModelProto()
    due.CopyFrom(original)
    for model in (rewritten, due):
        changed = nodes_of(model)[0]
        changed.op_type, changed.name, changed.doc_string = "Relu", "fresh", ""
    before = original.SerializeToString()
    assert graft(original, rewritten).SerializeToString() == due.SerializeToString()
    assert original.SerializeToString() == before


def test_nodes_that_a_pass_put_in_stand_where_it_put_them(original) -> None:
    rewritten = forget(original)
    first, branch, last = rewritten.graph.node
    fresh = onnx.helper.make_node("Cos", ["x"], ["a"], name="fresh")
    first.output[0] = "x_abs"
    fresh.input[0] = "x_abs"
    del rewritten.graph.node[:]
    rewritten.graph.node.extend([first, fresh, branch, last])
    result = graft(original, rewritten).graph.node
    assert [node.op_type for node in result] == ["Abs", "Cos", "If", "twice"]
    # The first writes another value: another node. Those after it are the ones that were read.
    assert [node.name for node in result] == ["", "fresh", "node 1", "node 2"]
    assert result[2] == original.graph.node[1]
    assert result[3] == original.graph.node[2]


def test_nodes_that_a_pass_took_out_are_gone(original) -> None:
    rewritten = forget(original)
    body = body_nodes(rewritten)
    body[1].input[0] = "a"
    del body[0]
    kept = body_nodes(graft(original, rewritten))
    assert [(node.op_type, list(node.input), list(node.output)) for node in kept] == [
        ("Exp", ["a"], ["t"])
    ]


def test_both_names_of_the_default_domain_are_one(original) -> None:
    rewritten = forget(original)
    rewritten.graph.node[0].domain = "ai.onnx"
    result = graft(original, rewritten)
    assert result.SerializeToString() == original.SerializeToString()


def test_a_node_of_another_domain_is_another_node(original) -> None:
    rewritten = forget(original)
    rewritten.graph.node[0].domain = "elsewhere"
    found = graft(original, rewritten).graph.node[0]
    assert (found.domain, found.name) == ("elsewhere", "")


def test_functions_of_one_name_are_told_apart_by_their_overload(original) -> None:
    second = original.functions.add()
    second.CopyFrom(original.functions[0])
    second.overload, second.node[0].op_type = "other", "Ceil"
    second.node[0].doc_string = "of the other"
    result = graft(original, forget(original))
    assert result.SerializeToString() == original.SerializeToString()


def test_every_body_of_a_list_is_grafted(original) -> None:
    branch = original.graph.node[1]
    bodies = [attribute.g for attribute in branch.attribute]
    del branch.attribute[:]
    branch.attribute.append(onnx.helper.make_attribute("branches", bodies))
    due, rewritten = onnx.ModelProto(), onnx.ModelProto()
    due.CopyFrom(original)
    rewritten.CopyFrom(original)
    for model in (due, rewritten):
        model.graph.node[1].attribute[0].graphs[1].node[0].op_type = "Log"
    assert graft(original, rewritten).SerializeToString() == due.SerializeToString()
