"""Shapes and small values, followed through a graph."""

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx.reference import ReferenceEvaluator
from synthetic_tracker import tracker_bytes

from locoexport.errors import UsageError
from locoexport.inspection.shapes import dynamic_axes, resolve_shapes

# A Reshape whose target is computed by Shape → Gather → Cast → Div → Floor → Cast → Range → ...:
# onnx's own inference gives up at Floor.
_COMPUTED = """
<ir_version: 8, opset_import: ["" : 17]>
computed (float[rows,8] x) => (float[halves,cells] y)
<int64 zero = {0}, int64 one = {1}, float two = {2}, int64[1] nil = {0}, int64[1] rest = {-1}>
{
  shape = Shape(x)
  rows = Gather(shape, zero)
  real = Cast<to = 1>(rows)
  half = Div(real, two)
  whole = Floor(half)
  count = Cast<to = 7>(whole)
  steps = Range(zero, count, one)
  length = Shape(steps)
  target = Concat<axis = 0>(length, rest)
  y = Reshape(x, target)
}
"""


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def unresolved(shapes) -> list[str]:
    return [node.op_type for node in shapes.unresolved()]


def test_a_shape_that_hangs_on_computed_values_is_resolved() -> None:
    model = parse(_COMPUTED)
    assert dynamic_axes(model) == ("rows",)
    assert resolve_shapes(model, {"rows": 7}).shape("steps") == (3,)
    shapes = resolve_shapes(model, {"rows": 8})
    assert shapes.shape("y") == (4, 16)
    assert unresolved(shapes) == []


def test_what_stays_open_is_counted_never_taken_for_nothing() -> None:
    shapes = resolve_shapes(parse(_COMPUTED), {})
    assert shapes.shape("y") is None
    assert shapes.size_bytes("y") is None
    assert {"Range", "Reshape"} <= set(unresolved(shapes))


def test_every_shape_of_a_tracker_is_the_one_that_runs() -> None:
    model = onnx.load_from_string(tracker_bytes())
    sizes = {"batch": 2, "frames": 5, "points": 3}
    shapes = resolve_shapes(model, sizes)
    video = np.zeros((2, 5, 24, 32, 3), np.float32)
    results = ReferenceEvaluator(model).run(
        None,
        {"video_input": video, "query_input": np.zeros((2, 3, 3), np.float32)},
        intermediate=True,
    )
    ran = {name: np.shape(value) for name, value in results.items() if name}
    assert {name: shapes.shape(name) for name in ran} == ran


def test_nameless_axes_have_names_and_can_be_bound() -> None:
    model = parse(_COMPUTED)
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_param")
    assert dynamic_axes(model) == ("x[0]",)
    assert resolve_shapes(model, {"x[0]": 8}).shape("y") == (4, 16)


def test_an_axis_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(UsageError, match=r"no open axis 'frames'; its open axes are rows"):
        resolve_shapes(parse(_COMPUTED), {"frames": 3})


def test_shapes_stated_in_the_file_for_other_sizes_are_not_believed() -> None:
    model = parse(_COMPUTED)
    model.graph.value_info.append(
        onnx.helper.make_tensor_value_info("steps", onnx.TensorProto.INT64, [99])
    )
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [99, 99])
    )
    shapes = resolve_shapes(model, {"rows": 8})
    assert (shapes.shape("steps"), shapes.shape("y")) == ((4,), (4, 16))


@pytest.mark.parametrize(("rows", "size"), [(4, 8), (2, 16)])
def test_only_the_branch_that_is_taken_runs(rows: int, size: int) -> None:
    model = parse("""
    <ir_version: 8, opset_import: ["" : 17]>
    branches (float[rows,8] x) => (float[n,m] y)
    <int64 zero = {0}, int64 three = {3}>
    {
      shape = Shape(x)
      count = Gather(shape, zero)
      many = Greater(count, three)
      y = If(many) <
        then_branch = a () => (float[n,m] t) { t = Transpose(x) },
        else_branch = b () => (float[n,m] e) { e = Concat<axis = 1>(x, x) }
      >
    }
    """)
    shapes = resolve_shapes(model, {"rows": rows})
    assert shapes.shape("y") == ((8, 4) if rows == 4 else (2, size))
    assert unresolved(shapes) == []


def test_nodes_of_a_loop_are_not_resolved() -> None:
    model = parse("""
    <ir_version: 8, opset_import: ["" : 17]>
    loop (float[4,4] x, int64 times) => (float[4,4] y)
    <bool go = {1}>
    {
      y = Loop(times, go, x) <body = b (int64 i, bool c, float[4,4] s) => (bool d, float[4,4] t)
        { d = Identity(c)
          t = MatMul(s, s) }>
    }
    """)
    assert {"Identity", "MatMul"} <= set(unresolved(resolve_shapes(model, {})))


def test_local_functions_are_looked_into() -> None:
    model = parse("""
    <ir_version: 9, opset_import: ["" : 17, "mine" : 1]>
    main (float[n,8] x) => (float[n,n] y) { y = mine.gram(x) }
    <domain: "mine", opset_import: ["" : 17]>
    gram (a) => (b) { t = Transpose(a)
                      b = MatMul(a, t) }
    """)
    shapes = resolve_shapes(model, {"n": 5})
    assert shapes.shape("y") == (5, 5)
    assert [node.op_type for node in shapes.nodes] == ["Transpose", "MatMul"]


def test_operators_mean_what_the_file_s_own_opset_says() -> None:
    """Squeeze took its axes as an attribute up to opset 12."""
    model = parse("""
    <ir_version: 7, opset_import: ["" : 11]>
    old (float[rows,8] x) => (float[n] y)
    <int64[1] axes = {0}>
    {
      shape = Shape(x)
      wide = Unsqueeze<axes = [0]>(shape)
      narrow = Squeeze<axes = [0]>(wide)
      total = ReduceProd<axes = [0], keepdims = 1>(narrow)
      y = Reshape(x, total)
    }
    """)
    assert resolve_shapes(model, {"rows": 3}).shape("y") == (24,)


def test_an_operator_of_a_foreign_domain_is_open_and_so_is_what_follows() -> None:
    model = parse("""
    <ir_version: 8, opset_import: ["" : 17, "theirs" : 1]>
    foreign (float[2,8] x) => (float[n,m] y) { a = theirs.Warp(x)
                                              y = Relu(a) }
    """)
    assert unresolved(resolve_shapes(model, {})) == ["Warp", "Relu"]
