"""What ``finish_graph`` makes of Squeezes: single-axis ones of the same meaning, in every body."""

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.walking import count_nodes, iterate_nodes
from locoexport.lowering.opset.single_axis_squeeze import SingleAxisSqueeze
from locoexport.lowering.tracker.finishing import finish_graph

SHAPE = (1, 3, 1, 2, 1)
X = np.random.default_rng(0).random(SHAPE, np.float32)


def parse(body: str, *, x: str = "float[1,3,1,2,1] x", y: str = "float[a,b] y") -> onnx.ModelProto:
    """A graph of one input and one output."""
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g ({x}) => ({y}) {body}'
    )


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # names of output axes are made up here
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": x})[0]


def finish(model: onnx.ModelProto) -> onnx.ModelProto:
    finished = finish_graph(model, producer_version="1")
    onnx.checker.check_model(finished, full_check=True)
    return finished


def axes_of_squeezes(model: onnx.ModelProto) -> list[list[int]]:
    """The constant axes of every Squeeze, in order."""
    to_array = onnx.numpy_helper.to_array
    constants = {tensor.name: to_array(tensor).tolist() for tensor in model.graph.initializer}
    for node in iterate_nodes(model):
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = to_array(node.attribute[0].t).tolist()
    return [constants[node.input[1]] for node in iterate_nodes(model) if node.op_type == "Squeeze"]


@pytest.mark.parametrize(
    ("axes", "squeezed"),
    [
        ([0, 2], [[2], [0]]),
        ([2, 0], [[2], [0]]),
        ([0, 2, 4], [[4], [2], [0]]),
        ([-1, 0], [[4], [0]]),
        ([-1, -3, -5], [[4], [2], [0]]),
    ],
)
def test_several_axes_are_squeezed_from_the_last(
    axes: list[int], squeezed: list[list[int]]
) -> None:
    listed, left = ",".join(map(str, axes)), ",".join("abcd"[: 5 - len(axes)])
    model = parse(
        f"<int64[{len(axes)}] axes = {{{listed}}}> {{ y = Squeeze(x, axes) }}", y=f"float[{left}] y"
    )
    finished = finish(model)
    assert axes_of_squeezes(finished) == squeezed
    assert [value.name for value in finished.graph.output] == ["y"]
    np.testing.assert_array_equal(run(finished, X), run(model, X))


@given(shape=st.lists(st.sampled_from([1, 1, 2, 3]), max_size=5), data=st.data())
def test_equal_for_every_choice_of_axes(shape: list[int], data: st.DataObject) -> None:
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    chosen = data.draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    axes = [data.draw(st.sampled_from([axis, axis - len(shape)])) for axis in chosen]
    listed = f"<int64[{len(axes)}] axes = {{{','.join(map(str, axes))}}}>" if axes else ""
    left = len(shape) - len(axes or ones)
    model = parse(
        f"{listed} {{ y = Squeeze(x{', axes' if axes else ''}) }}",
        x=f"float[{','.join(map(str, shape))}] x" if shape else "float x",
        y=f"float[{','.join('abcde'[:left])}] y" if left else "float y",
    )
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    finished = finish_graph(model, producer_version="1")
    assert all(len(squeezed) == 1 for squeezed in axes_of_squeezes(finished))
    np.testing.assert_array_equal(run(finished, x), run(model, x))


def test_no_axes_of_a_static_shape() -> None:
    finished = finish(parse("{ y = Squeeze(x) }"))
    assert axes_of_squeezes(finished) == [[4], [2], [0]]
    np.testing.assert_array_equal(run(finished, X), X.reshape(3, 2))


def test_no_axes_where_no_size_is_one() -> None:
    finished = finish(parse("{ y = Squeeze(x) }", x="float[3,2] x"))
    assert [node.op_type for node in iterate_nodes(finished)] == ["Identity"]


def test_a_single_axis_is_left_as_it_is() -> None:
    model = parse("<int64[1] axes = {-1}> { y = Squeeze(x, axes) }", y="float[a,b,c,d] y")
    assert list(finish(model).graph.node) == list(model.graph.node)


@pytest.mark.parametrize(
    ("x", "body", "says"),
    [
        (
            "float[n,3,1] x",
            "{ y = Squeeze(x) }",
            "gives no axes and its input's shape is not static",
        ),
        (
            "float[1,3,n] x",
            "{ sizes = Shape(x) y = Squeeze(x, sizes) }",
            "computes its axes at run time",
        ),
    ],
)
def test_axes_that_cannot_be_known(x: str, body: str, says: str) -> None:
    with pytest.raises(GraphCheckFailedError) as caught:
        finish_graph(parse(body, x=x), producer_version="1")
    assert says in str(caught.value)


IN_BODIES = """
{
  limit = Constant<value_float = 0.0>()
  largest = ReduceMax<keepdims = 0>(x)
  positive = Greater(largest, limit)
  y = If(positive) <
    then_branch = large () => (float[a,b] then_out) {
      three = Constant<value_ints = [0, 2, 4]>()
      then_out = Squeeze(x, three)
    },
    else_branch = small () => (float[c,d] else_out) {
      negative = Neg(x)
      ends = Constant<value_ints = [-1, -3, -5]>()
      else_out = Squeeze(negative, ends)
    }
  >
}
"""


@pytest.mark.parametrize("sign", [1, -1], ids=["then", "else"])
def test_bodies_of_control_flow(sign: int) -> None:
    model = parse(IN_BODIES)
    x = sign * (1 + X)
    finished = finish(model)
    assert axes_of_squeezes(finished) == [[4], [2], [0]] * 2
    assert count_nodes(finished) > count_nodes(model)
    np.testing.assert_array_equal(run(finished, x), run(model, x))


def test_local_functions() -> None:
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[1,3,1,2,1] x) => (float[a,b,c] y) { y = own.drop(x) }
        <domain: "own", opset_import: ["" : 17]>
        drop (v) => (w) { axes = Constant<value_ints = [4, 0]>() w = Squeeze(v, axes) }
        """
    )
    passed = ir.to_proto(SingleAxisSqueeze()(ir.from_proto(model)).model)
    assert axes_of_squeezes(passed) == [[4], [0]]
    np.testing.assert_array_equal(run(passed, X), X.reshape(3, 1, 2))


def test_the_lowest_ir_version_and_our_name() -> None:
    finished = finish(parse("{ y = Squeeze(x) }"))
    assert finished.ir_version == 8
    assert (finished.producer_name, finished.producer_version) == ("locoexport", "1")
