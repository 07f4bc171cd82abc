"""What a model tells of its values: types, shapes and constants."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
from onnx import TensorProto, numpy_helper

from locoexport.graphs.values.known_values import (
    KnownValue,
    constants_of,
    is_float,
    known_values,
    read_constant,
)

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 2] x, bool c) => (float[n, 2] y)
<float[2] w = {1, 2}, int64[1] axes = {0}>
{
  a = Mul(x, w)
  h = Cast<to = 10>(a)
  b = If <
    then_branch = yes () => (float[n, 2] t) <float[2] inner = {3, 4}> { t = Mul(a, inner) },
    else_branch = no () => (float[n, 2] e) { e = Neg(a) }
  >(c)
  y = Identity(b)
}
"""


def model(text: str = TEXT) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def of_nodes(nodes: str) -> onnx.ModelProto:
    return model(f'<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (y) {{ {nodes} }}')


def test_types_and_shapes_are_known_in_bodies_too() -> None:
    found = known_values(model())
    floats = KnownValue(TensorProto.FLOAT, ("n", 2))
    assert {name: found[name] for name in ("x", "a", "b", "y", "t", "e")} == dict.fromkeys(
        ("x", "a", "b", "y", "t", "e"), floats
    )
    assert found["h"] == KnownValue(TensorProto.FLOAT16, ("n", 2))
    assert found["w"] == found["inner"] == KnownValue(TensorProto.FLOAT, (2,))
    assert found["axes"] == KnownValue(TensorProto.INT64, (1,))
    assert found["c"] == KnownValue(TensorProto.BOOL, ())


@pytest.mark.parametrize("order", ["then_branch else_branch", "else_branch then_branch"])
def test_a_constant_of_one_scope_says_nothing_of_another_scope(order: str) -> None:
    bodies = {
        "then_branch": "yes () => (float[m] t) <float[5] w = {1, 2, 3, 4, 5}> { t = Relu(w) }",
        "else_branch": "no () => (float[n, 2] e) { w = Abs(x) e = Relu(w) }",
    }
    written = ", ".join(f"{name} = {bodies[name]}" for name in order.split())
    found = known_values(
        model(
            '<ir_version: 8, opset_import: ["" : 17]> '
            f"g (float[n, 2] x, bool c) => (float[?] y) {{ y = If <{written}> (c) }}"
        )
    )
    assert "w" not in found
    assert found["x"] == KnownValue(TensorProto.FLOAT, ("n", 2))


def test_a_value_that_one_scope_knows_is_not_that_of_another() -> None:
    found = known_values(
        model("""<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
        g (float[n, 2] x, bool c) => (y) {
            y = If <
                then_branch = yes () => (t) { h = Cast <to = 10> (x) t = Relu(h) },
                else_branch = no () => (e) { h = acme.Plugin(x) e = acme.Plugin(h) }
            > (c)
        }""")
    )
    assert found["t"] == KnownValue(TensorProto.FLOAT16, ("n", 2))
    assert "h" not in found


def test_a_length_nobody_names_and_a_rank_nobody_knows_are_none() -> None:
    made = model()
    made.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    assert known_values(made)["x"].shape == (None, 2)
    made.graph.input[1].type.tensor_type.ClearField("shape")
    assert known_values(made)["c"] == KnownValue(TensorProto.BOOL, None)


def test_a_name_of_two_types_is_not_known() -> None:
    made = model()
    branches = [attribute.g for attribute in made.graph.node[2].attribute]
    for branch, elem_type in zip(branches, (TensorProto.INT8, TensorProto.INT16), strict=True):
        branch.value_info.append(onnx.helper.make_tensor_value_info("shared", elem_type, [2]))
        branch.value_info.append(onnx.helper.make_tensor_value_info("same", elem_type, [2]))
        branch.value_info[-1].type.tensor_type.elem_type = TensorProto.INT8
    found = known_values(made)
    assert "shared" not in found
    assert found["same"] == KnownValue(TensorProto.INT8, (None,))  # a stated length is a claim


def test_what_an_unknown_operator_makes_is_not_known() -> None:
    assert set(known_values(of_nodes("y = elsewhere.Unknown(x)"))) == {"x"}


def test_types_are_written_as_schemas_write_them() -> None:
    assert KnownValue(TensorProto.FLOAT, None).type_string == "tensor(float)"
    assert KnownValue(TensorProto.BFLOAT16, ()).type_string == "tensor(bfloat16)"


def test_floats_of_8_bits_and_integers_are_none() -> None:
    floats = {
        elem_type
        for elem_type in TensorProto.DataType.values()
        if is_float(KnownValue(elem_type, ()))
    }
    assert floats == {
        *(TensorProto.FLOAT, TensorProto.DOUBLE),
        *(TensorProto.FLOAT16, TensorProto.BFLOAT16),
    }


def values(made: onnx.ModelProto) -> dict[str, object]:
    return {n: numpy_helper.to_array(t).tolist() for n, t in constants_of(made).items()}


def test_constants_are_initializers_those_of_bodies_and_constant_nodes() -> None:
    assert values(model()) == {"w": [1, 2], "axes": [0], "inner": [3, 4]}


@pytest.mark.parametrize("order", ["then_branch else_branch", "else_branch then_branch"])
@pytest.mark.parametrize(
    "constant", ["<int64[1] axes = {0}> {", "{ axes = Constant<value_ints = [0]>()"]
)
def test_a_name_that_another_scope_computes_is_no_constant(order: str, constant: str) -> None:
    bodies = {
        "then_branch": f"yes () => (float[?, 2] t) {constant} t = ReduceMean(x, axes) }}",
        "else_branch": "no () => (float[?, 2] e) { axes = Neg(k) e = ReduceMean(x, axes) }",
    }
    written = ", ".join(f"{name} = {bodies[name]}" for name in order.split())
    made = model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[n, 2] x, bool c, int64[1] k) '
        f"=> (float[?, 2] y) {{ y = If <{written}> (c) }}"
    )
    assert values(made) == {}


def test_a_name_that_a_body_or_a_function_is_handed_is_no_constant() -> None:
    loop = "body = step (int64 i, bool go, int64[1] axes) => (bool on, int64[1] next)"
    made = model(
        '<ir_version: 8, opset_import: ["" : 18, "own" : 1]> '
        "g (float[n, 2] x, int64 m, bool c, int64[1] k) => (float[?, 2] y, int64[1] z) "
        "<int64[1] axes = {0}, int64[1] given = {1}, int64[1] kept = {1}> {"
        f" y = own.mean(x, k) z = Loop <{loop} {{ on = Identity(go) next = Neg(axes) }}> (m, c, k)"
        '} <domain: "own", opset_import: ["" : 18]> mean (v, given) => (w) '
        "{ w = ReduceMean(v, given) }"
    )
    assert values(made) == {"kept": [1]}


@pytest.mark.parametrize(
    ("stated", "value", "dtype"),
    [
        ("value = float[1] {2}", [2], np.float32),
        ("value_int = 3", 3, np.int64),
        ("value_ints = [3, 4]", [3, 4], np.int64),
        ("value_float = 0.5", 0.5, np.float32),
        ("value_floats = [0.5, 2.0]", [0.5, 2.0], np.float32),
    ],
)
def test_every_way_to_state_a_constant_is_read(stated: str, value, dtype) -> None:
    (tensor,) = constants_of(of_nodes(f"y = Constant<{stated}>()")).values()
    assert numpy_helper.to_array(tensor).tolist() == value
    assert numpy_helper.to_array(tensor).dtype == dtype


def test_what_a_caller_may_override_is_no_constant() -> None:
    made = model()
    made.graph.input.append(onnx.helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]))
    assert values(made) == {"axes": [0], "inner": [3, 4]}
    made.ir_version = 3  # there, every initializer had to be an input
    assert values(made) == {"w": [1, 2], "axes": [0], "inner": [3, 4]}


def test_external_and_shared_names_are_no_constants() -> None:
    made = model()
    made.graph.initializer[1].data_location = TensorProto.EXTERNAL
    body = made.graph.node[2].attribute[0].g
    body.initializer[0].name = "w"
    assert values(made) == {}


def test_a_constant_of_the_ir_is_read_unless_it_is_an_input() -> None:
    made = model()
    made.graph.input.append(onnx.helper.make_tensor_value_info("axes", TensorProto.INT64, [1]))
    graph = ir.from_proto(made).graph
    product = graph.node(0)
    constant = read_constant(product.inputs[1])
    assert constant is not None
    assert constant.numpy().tolist() == [1, 2]
    assert read_constant(product.inputs[0]) is None
    assert read_constant(graph.initializers["axes"]) is None
    assert read_constant(None) is None
