"""What ONNX Runtime tells of its own operators; what the file states of them is kept from it."""

import onnx
import pytest
from onnx import TensorProto, helper

from locoexport.graphs.values.deduced_types import types_in
from locoexport.graphs.walking import iterate_scopes
from locoexport.lowering.proof.runtime_types import runtime_signature, with_runtime_types

HALF = TensorProto.FLOAT16


def gelu(taken: str, made: str) -> onnx.NodeProto:
    return helper.make_node("Gelu", [taken], [made], domain="com.microsoft")


def model_of(nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4])],
        [onnx.ValueInfoProto(name="y")],
    )
    imports = [helper.make_opsetid(*pair) for pair in (("", 20), ("com.microsoft", 1), ("acme", 1))]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def told(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    found = {}
    for graph in iterate_scopes(with_runtime_types(model).graph):
        for name, kind in types_in(graph).items():
            found[name] = (kind.tensor_type.elem_type, len(kind.tensor_type.shape.dim))
    return found


def test_types_and_ranks_come_without_lengths() -> None:
    model = model_of([gelu("x", "v"), gelu("v", "y")])
    assert told(model)["v"] == (TensorProto.FLOAT, 3)
    dims = types_in(with_runtime_types(model).graph)["v"].tensor_type.shape.dim
    assert all(not dim.WhichOneof("value") for dim in dims)


def test_what_a_plugin_makes_is_left_out_and_the_rest_is_asked() -> None:
    plugin = helper.make_node("Plugin", ["x"], ["p"], domain="acme")
    found = told(model_of([plugin, gelu("p", "q"), gelu("x", "y")]))
    assert found["y"] == (TensorProto.FLOAT, 3)
    assert "p" not in found
    assert "q" not in found


def test_bodies_are_asked_too() -> None:
    body = helper.make_graph([gelu("x", "b")], "body", [], [onnx.ValueInfoProto(name="b")])
    model = model_of([helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)])
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    assert told(model)["b"] == (TensorProto.FLOAT, 3)


def test_a_model_of_onnx_alone_is_not_asked_about() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])])
    assert with_runtime_types(model) is model


@pytest.mark.parametrize(("domain", "name"), [("acme", "Gelu"), ("com.microsoft", "NoSuch")])
def test_what_onnxruntime_does_not_have_has_no_signature(domain: str, name: str) -> None:
    assert runtime_signature(domain, name) is None
    signature = runtime_signature("com.microsoft", "FusedConv")
    assert signature is not None
    assert signature.inputs[:2] == signature.outputs * 2
