"""Shape inference of what was made to break it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from locoexport.graphs.inference import infer_shapes


def model(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=[numpy_helper.from_array(np.array([2, 2]), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def shapes(inferred: onnx.ModelProto) -> dict[str, list[int]]:
    return {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }


def test_values_are_followed_through_a_concat() -> None:
    both = helper.make_node("Concat", ["w", "w"], ["s"], axis=0)
    filled = helper.make_node("ConstantOfShape", ["s"], ["y"])
    assert shapes(infer_shapes(model(both, filled)))["y"] == [2, 2, 2, 2]


def test_a_value_that_doubles_sixty_times_is_not_followed() -> None:
    doubled = [helper.make_node("Concat", ["w", "w"], ["c0"], axis=0)]
    for step in range(60):
        doubled.append(helper.make_node("Concat", [f"c{step}"] * 2, [f"c{step + 1}"], axis=0))
    inferred = infer_shapes(model(*doubled, helper.make_node("Relu", ["x"], ["y"])))
    assert shapes(inferred)["y"] == [3, 4]
    assert shapes(inferred)["c3"] == [32]


def test_a_cast_to_a_type_that_does_not_exist_makes_values_of_no_type() -> None:
    cast = helper.make_node("Cast", ["x"], ["z"], to=99)
    inferred = infer_shapes(model(cast, helper.make_node("Identity", ["x"], ["y"])))
    values = (*inferred.graph.value_info, *inferred.graph.output)
    kinds = {value.type.tensor_type.elem_type for value in values}
    assert kinds <= set(TensorProto.DataType.values())


def test_operators_that_onnx_dies_of_without_a_type_are_not_inferred() -> None:
    for domain, name in (("", "RegexFullMatch"), ("ai.onnx.ml", "LabelEncoder")):
        made = model(
            helper.make_node("Novel", ["x"], ["t"], domain="theirs"),
            helper.make_node(name, ["t"], ["y"], domain=domain),
        )
        made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
        assert infer_shapes(made) is made
