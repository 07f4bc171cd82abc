"""How a node differs from that of another file, in words."""

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from locoexport.graphs.node_difference import differences, index_nodes

LOOPED = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 2] x, bool c) => (float[n, 2] y)
{
  a = Add(x, x)
  k = Constant<value = float[2] {3, 4}>()
  b = If <
    then_branch = yes () => (float[n, 2] t) <float[2] w = {1, 2}> { t = Mul(a, w) },
    else_branch = no () => (float[n, 2] e) { e = Neg(a) }
  >(c)
  y = Mul(b, k)
}
"""


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def array(values, dtype=np.float32, name: str = "w") -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype), name)


def test_nodes_and_constants_are_found_in_bodies_too() -> None:
    index = index_nodes(model(LOOPED))
    assert {name: node.op_type for name, node in index.makers.items()} == {
        "a": "Add",
        "k": "Constant",
        "b": "If",
        "y": "Mul",
        "t": "Mul",
        "e": "Neg",
    }
    found = {name: numpy_helper.to_array(t).tolist() for name, t in index.constants.items()}
    assert found == {"k": [3, 4], "w": [1, 2]}


def test_ancestors_reach_through_bodies_as_far_as_what_is_known() -> None:
    index = index_nodes(model(LOOPED))
    assert index.ancestors("y", []) == {"y", "b", "k", "t", "e", "a"}
    assert index.ancestors("y", ["t", "a"]) == {"y", "b", "k", "e"}
    assert index.ancestors("x", []) == set()
    assert index.ancestors("y", ["y"]) == set()


def told(edit) -> list[str]:
    """How the node that makes ``y`` differs after an edit."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x, float[2] z) => (float[2] y) <float[2] w = {1, 2}>
    { a = Mul(x, w) b = Sub(a, z) y = LeakyRelu <alpha = 0.5>(b) }
    """
    good, edited = model(text), model(text)
    edit(edited)
    names = ("a", "b", "y")
    return [said for n in names for said in differences(n, index_nodes(edited), index_nodes(good))]


def test_how_a_node_differs_is_told() -> None:
    def weight(m: onnx.ModelProto) -> None:
        m.graph.initializer[0].CopyFrom(
            onnx.numpy_helper.from_array(np.array([1, 3], np.float32), "w")
        )

    def swap(m: onnx.ModelProto) -> None:
        m.graph.node[1].input[:] = ["z", "a"]

    def attribute(m: onnx.ModelProto) -> None:
        m.graph.node[2].attribute[0].f = 0.25

    def operator(m: onnx.ModelProto) -> None:
        m.graph.node[1].op_type = "Add"

    assert told(lambda m: None) == []
    assert told(weight) == [
        "its weight w differs in 1 of 2 numbers, first at (1,): 3.0 where a fresh export has 2.0"
    ]
    assert told(swap) == ["its inputs are swapped: z, a; expected a, z"]
    assert told(attribute) == ["its alpha is 0.25 where a fresh export has 0.5"]
    assert told(operator) == ["it is a Add where a fresh export has a Sub"]


def set_weight(tensor: onnx.TensorProto):
    return lambda edited: edited.graph.initializer[0].CopyFrom(tensor)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (array([[1, 2]]), "float32 of shape (1, 2) where a fresh export has float32 of shape (2,)"),
        (array([1, 2], np.float16), "float16 of shape (2,) where a fresh export has float32 of"),
        (array([0, np.nan]), "differs in 2 of 2 numbers, first at (0,): 0.0 where"),
    ],
)
def test_a_weight_that_differs_is_told(tensor: onnx.TensorProto, said: str) -> None:
    (found,) = told(set_weight(tensor))
    assert found.startswith("its weight w ")
    assert said in found


def test_nan_in_both_weights_is_no_difference() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (y) { y = Mul(x, w) }'
    good, edited = model(text), model(text)
    for made in (good, edited):
        made.graph.initializer.append(array([np.nan, 1]))
    assert list(differences("y", index_nodes(edited), index_nodes(good))) == []


def test_inputs_that_differ_are_told() -> None:
    def other(m: onnx.ModelProto) -> None:
        m.graph.node[2].input[0] = "a"

    def more(m: onnx.ModelProto) -> None:
        m.graph.node[2].input.append("x")

    def no_attribute(m: onnx.ModelProto) -> None:
        del m.graph.node[2].attribute[:]

    assert told(other) == ["its input 0 is a (made by Mul); expected b"]
    assert told(more) == ["it has 2 inputs; expected 1"]
    assert told(no_attribute) == ["its alpha is absent where a fresh export has 0.5"]


def test_a_value_that_only_one_file_makes_is_not_compared() -> None:
    index, empty = index_nodes(model(LOOPED)), index_nodes(onnx.ModelProto())
    assert list(differences("a", index, empty)) == []
    assert list(differences("a", empty, index)) == []
