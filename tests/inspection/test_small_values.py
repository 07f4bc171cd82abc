"""Which small values are computed, and which a stranger's file is not given the time for."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.inspection.shapes import GraphShapes, resolve_shapes


def resolve(*nodes: onnx.NodeProto, **constants: np.ndarray) -> GraphShapes:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", 20)]
    return resolve_shapes(helper.make_model(graph, opset_imports=imports), {})


def test_lengths_are_followed_through_what_reckons_with_them() -> None:
    shapes = resolve(
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "two"], ["d"]),
        helper.make_node("Expand", ["x", "d"], ["unfit"]),
        helper.make_node("ConstantOfShape", ["d"], ["y"]),
        two=np.array([2, 2]),
    )
    np.testing.assert_array_equal(shapes.values["d"], [4, 6])
    assert shapes.shape("y") == (4, 6)


def test_no_regular_expression_is_ever_matched() -> None:
    # Python's engine takes 2⁴⁰ steps for this one.
    matched = helper.make_node("RegexFullMatch", ["s"], ["y"], pattern="(a+)+b?")
    shapes = resolve(matched, s=np.array(["a" * 40 + "!"], dtype=object))
    assert shapes.shape("y") == (1,)
    assert "y" not in shapes.values


FAR = 10**9
LONG = [
    helper.make_node(
        "MaxPool", ["w"], ["y"], kernel_shape=[FAR], pads=[FAR - 1] * 2, strides=[FAR]
    ),
    helper.make_node("Conv", ["w", "k"], ["y"], pads=[FAR] * 2, strides=[2 * FAR]),
    helper.make_node("Einsum", ["w"] * 8, ["y"], equation="xya,xyb,xyc,xyd,xye,xyf,xyg,xyh->"),
]


@pytest.mark.parametrize("node", LONG, ids=lambda node: node.op_type)
def test_work_that_is_large_for_a_small_result_is_not_done(node: onnx.NodeProto) -> None:
    image, kernel = np.ones((1, 1, 50), np.float32), np.ones((1, 1, 1), np.float32)
    assert "y" not in resolve(node, w=image, k=kernel).values


def test_results_that_are_large_are_not_made() -> None:
    for node in (
        helper.make_node("ConstantOfShape", ["n"], ["y"]),
        helper.make_node("Range", ["zero", "last", "one"], ["y"]),
        helper.make_node("Tile", ["zeros", "n"], ["y"]),
        helper.make_node("Concat", ["zeros"] * 5000, ["y"], axis=0),
    ):
        shapes = resolve(
            node,
            n=np.array([2**40]),
            zero=np.array(0),
            one=np.array(1),
            last=np.array(2**40),
            zeros=np.zeros(4096, np.int64),
        )
        assert "y" not in shapes.values


def test_a_shape_that_no_tensor_has_is_unknown() -> None:
    shapes = resolve(helper.make_node("ConstantOfShape", ["n"], ["y"]), n=np.array([2**62] * 40))
    assert shapes.shape("y") is None
    assert shapes.rank("y") == 40
