"""Shape inference of what was made to break it."""

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

from locoexport.graphs.values.inference import infer_from_inputs, infer_shapes, with_named_axes
from locoexport.graphs.walking import iterate_graphs


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


def parsed(body: str, given: str = "float[n, 3, h] x", stated: str = "") -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 20, "theirs" : 1]> g ({given}) => (y) '
    return onnx.parser.parse_model(f"{text} <{stated}> {{ {body} }}")


def known(model: onnx.ModelProto, name: str) -> tuple[int, tuple[int | str, ...] | None]:
    """The element type and the lengths that inference from inputs finds in any scope."""
    for graph in iterate_graphs(infer_from_inputs(model)):
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.name == name and value.type.tensor_type.HasField("shape"):
                dims = value.type.tensor_type.shape.dim
                lengths = [dim.dim_value or dim.dim_param for dim in dims]
                # onnx numbers the lengths that it does not know.
                told = tuple("" if str(one).startswith("unk__") else one for one in lengths)
                return value.type.tensor_type.elem_type, told
    return 0, None


def test_stated_lengths_do_not_count_and_what_inputs_imply_does() -> None:
    model = parsed("a = Relu(x) y = Concat<axis = 1>(a, a)", stated="float[1, 3, 8] a")
    model.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(1, [1, 6, 8]))
    assert known(model, "a") == (TensorProto.FLOAT, ("n", 3, "h"))
    assert known(model, "y") == (TensorProto.FLOAT, ("n", 6, "h"))


def test_a_stated_name_does_not_count() -> None:
    model = parsed("a = Relu(x) y = Neg(a)", stated='float["q", 3, "q"] a')
    assert known(model, "a")[1] == ("n", 3, "h")


def test_a_stated_rank_does_not_count_where_another_is_implied() -> None:
    model = parsed("a = Relu(x) y = Neg(a)", stated="float[1, 3] a")
    assert known(model, "a")[1] == ("n", 3, "h")


def test_a_stale_type_does_not_keep_the_rest_from_being_known() -> None:
    model = parsed("a = Relu(x) y = Neg(a)", "float16[n, 3] x", stated="float[n, 3] a")
    assert infer_shapes(model).graph.value_info[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert known(model, "y") == (TensorProto.FLOAT16, ("n", 3))


def test_of_values_that_nothing_else_tells_of_type_and_rank_are_believed() -> None:
    body = "a = theirs.Novel(x) b = Relu(a) y = Concat<axis = 1>(b, b)"
    model = parsed(body, stated="float16[1, 3, 8] a, float[1, 3] b")
    assert known(model, "a") == (TensorProto.FLOAT16, ("", "", ""))
    # Of what follows from it, inference is believed.
    assert known(model, "b")[0] == TensorProto.FLOAT16
    assert len(known(model, "y")[1]) == 3


def test_lengths_that_bodies_state_do_not_count() -> None:
    body = """y = If (c) <
        then_branch = t () => (float[1, 3, 8] p) <float[1, 3, 8] q> { q = Relu(x) p = Neg(q) },
        else_branch = e () => (float[1, 3, 8] r) { r = Neg(x) }
    >"""
    model = parsed(body, "float[n, 3, h] x, bool c")
    for name in ("p", "q", "r"):
        assert known(model, name) == (TensorProto.FLOAT, ("n", 3, "h"))


def test_a_loop_carries_a_type_and_a_stated_rank_and_no_length() -> None:
    body = """m = Constant<value_int = 2>() y = Loop (m, , x) <
        body = b (int64 i, bool c, float[1, 3, 8] s) => (bool d, float[1, 3, 8] t)
            { d = Identity(c) t = Relu(s) }
    >"""
    assert known(parsed(body), "s") == (TensorProto.FLOAT, ("", "", ""))
    assert known(parsed(body), "t") == (TensorProto.FLOAT, ("", "", ""))


def test_a_constant_that_a_caller_may_override_implies_nothing() -> None:
    for ir_version, expected in ((10, ("", "")), (3, (4, 6))):
        model = parsed("y = Reshape(x, s)", "float[24] x, int64[2] s")
        model.ir_version = ir_version
        model.graph.initializer.append(numpy_helper.from_array(np.array([4, 6]), "s"))
        assert known(model, "y")[1] == expected


def test_large_weights_are_not_copied() -> None:
    model = parsed("y = MatMul(x, w)", "float[n, 256] x")
    weight = numpy_helper.from_array(np.zeros((256, 128), np.float32), "w")
    model.graph.initializer.append(weight)
    inferred = infer_from_inputs(model)
    assert inferred.ByteSize() < 2000
    assert known(model, "y")[1] == ("n", 128)
    assert model.graph.initializer[0] == weight


def test_operators_that_onnx_dies_of_keep_the_type_that_is_stated() -> None:
    body = 't = theirs.Novel(x) y = RegexFullMatch<pattern = "a">(t)'
    assert known(parsed(body, "string[n] x", "string[7] t"), "y") == (TensorProto.BOOL, ("",))


def test_open_axes_without_a_name_are_followed_once_they_have_one() -> None:
    model = parsed("y = Relu(x)", "float[?, 3] x")
    model.graph.input[0].type.CopyFrom(helper.make_tensor_type_proto(1, [None, 3]))
    assert known(with_named_axes(model), "y")[1] == ("x[0]", 3)
    assert not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
