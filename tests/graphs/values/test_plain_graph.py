"""The copy that is asked: one name for ONNX's domain, sparse constants dense or inputs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from locoexport.graphs.values.plain_graph import plain


def sparse(name: str, shape: tuple[int, ...], *, pairs: bool = False) -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.array([5.0, 7.0], np.float32), name)
    places = [[0, 1], [1, 2]] if pairs else [1, 5]
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.array(places)), shape)


def model_of(*nodes: onnx.NodeProto, domain: str = "") -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])], []
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 20)])


def test_a_plain_model_is_handed_back() -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"]))
    assert plain(model) is model


def test_the_domain_has_one_name() -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx"), domain="ai.onnx")
    found = plain(model)
    assert [found.graph.node[0].domain, found.opset_import[0].domain] == ["", ""]
    assert model.graph.node[0].domain == "ai.onnx"


def test_a_sparse_initializer_is_an_input_of_its_type() -> None:
    model = model_of(helper.make_node("Add", ["x", "s"], ["y"]))
    model.graph.sparse_initializer.append(sparse("s", (2, 3)))
    found = plain(model).graph
    assert not found.sparse_initializer
    assert found.input[1] == helper.make_tensor_value_info("s", TensorProto.FLOAT, [2, 3])


def test_a_sparse_constant_is_dense_up_to_a_million_values() -> None:
    for pairs in (False, True):
        constant = helper.make_node(
            "Constant", [], ["s"], sparse_value=sparse("s", (2, 3), pairs=pairs)
        )
        (attribute,) = plain(model_of(constant)).graph.node[0].attribute
        expected = [[0, 5, 0], [0, 0, 7]]
        np.testing.assert_array_equal(numpy_helper.to_array(attribute.t), expected)
    huge = helper.make_node("Constant", [], ["s"], sparse_value=sparse("s", (2**20, 2**20)))
    found = plain(model_of(huge)).graph
    assert not found.node[0].attribute
    assert found.value_info[0].type.tensor_type.elem_type == TensorProto.FLOAT
