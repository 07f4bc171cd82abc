"""Every promise of an exported file, broken one at a time by a graph that keeps all the others."""

import onnx
import onnx.parser
import pytest

from locoexport.contract.interface import interface_of
from locoexport.contract.profile import AxisSizes
from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.promises import check_promises

RESOLUTION_HW = (32, 40)
DYNAMIC = AxisSizes()
GRAPH = """
<ir_version: 8, opset_import: [{opsets}]>
tracker (float[batch,frames,32,40,3] video_input, float[batch,points,3] query_input)
  => (float[batch,points,frames,2] tracks, float[batch,points,frames] occlusion,
      float[batch,points,frames] expected_dist)
<int64[1] nil = {{0}}, int64[1] one = {{1}}, int64[1] last = {{-1}},
 int64[3] image_axes = {{2, 3, 4}}, float[1,1,2] zeros = {{0, 0}} {initializers}>
{{
  colour = ReduceSum<keepdims = 0>(video_input, image_axes)
  by_point = Unsqueeze(colour, one)
  t = Slice(query_input, nil, one, last)
  occlusion = Add(by_point, t)
  expected_dist = Sub(by_point, t)
  wide = Unsqueeze(occlusion, last)
  tracks = Add(wide, zeros)
  {extra}
}}
"""


def make_model(
    extra: str = "", *, initializers: str = "", opsets: str = '"" : 17', functions: str = ""
) -> onnx.ModelProto:
    """A graph that keeps every promise, and nodes that may break one."""
    text = GRAPH.format(extra=extra, initializers=initializers, opsets=opsets)
    return onnx.parser.parse_model(text + functions)


def check(model: onnx.ModelProto, opset: int = 17, axes: AxisSizes = DYNAMIC) -> onnx.ModelProto:
    return check_promises(model, opset=opset, interface=interface_of("whole", axes, RESOLUTION_HW))


def faults(model: onnx.ModelProto, opset: int = 17, axes: AxisSizes = DYNAMIC) -> list[str]:
    with pytest.raises(GraphCheckFailedError) as caught:
        check(model, opset, axes)
    first, *rest = str(caught.value).split("\n- ")
    assert first == "The graph breaks what it promises:"
    return rest


def in_a_body(nodes: str, output: str, element: str = "float", rank: int = 1) -> str:
    """``nodes`` in both bodies of an If; the second under other names."""
    dims = ",".join(f"d{axis}" for axis in range(rank))
    return f"""
      yes = Constant<value = bool {{1}}>()
      chosen = If(yes) <
        then_branch = large () => ({element}[{dims}] {output}) {{ {nodes} }},
        else_branch = small () => ({element}[{dims}] other) {{
          {nodes.replace(output, "inner")} other = Identity(inner)
        }}
      >
    """


def test_a_graph_that_keeps_every_promise_comes_back_with_shapes() -> None:
    inferred = check(make_model())
    shapes = {value.name: value.type.tensor_type.shape for value in inferred.graph.value_info}
    assert [dim.dim_param for dim in shapes["colour"].dim] == ["batch", "frames"]


GRIDS = ", float[1,1,2,2] image = {1,2,3,4}, float[1,1,1,2] places = {0, 0}"
VOLUMES = ", float[1,1,1,2,2] volume = {1,2,3,4}, float[1,1,1,1,3] points = {0, 0, 0}"


def test_grid_sample_of_rank_4_is_kept() -> None:
    nodes = "copied = Identity(image) sampled = GridSample(copied, places)"
    check(make_model(nodes, initializers=GRIDS))


def test_grid_sample_of_rank_5() -> None:
    model = make_model(
        "copied = Identity(volume) sampled = GridSample(copied, points)",
        initializers=VOLUMES,
        opsets='"" : 20',
    )
    assert faults(model, opset=20) == ["GridSample sampled has rank 5, not 4"]


def test_grid_sample_of_rank_5_in_a_body() -> None:
    nodes = "copied = Identity(volume) inside = GridSample(copied, points)"
    body = in_a_body(nodes, "inside", rank=5).replace("copied", "copied_then", 2)
    model = make_model(body, initializers=VOLUMES, opsets='"" : 20')
    assert [fault.partition(" has rank")[0] for fault in faults(model, opset=20)] == [
        "GridSample inside",
        "GridSample inner",
    ]


def test_grid_sample_of_unknown_rank() -> None:
    nodes = """
      size = Shape(query_input) twos = Concat<axis = 0>(size, one)
      kept = Compress(twos, flags) unknown = Reshape(image, kept)
      sampled = GridSample(unknown, places)
    """
    initializers = GRIDS + ", bool[4] flags = {1, 1, 1, 1}"
    assert faults(make_model(nodes, initializers=initializers)) == [
        "GridSample sampled has rank unknown, not 4"
    ]


@pytest.mark.parametrize(
    ("squeeze", "initializers"),
    [
        ("flat = Squeeze(image, both)", ", int64[2] both = {0, 1}"),
        ("flat = Squeeze(image)", ""),
        ("axes = Constant<value_ints = [0, 1]>() flat = Squeeze(image, axes)", ""),
        ("axes = Constant<value = int64[2] {0, 1}>() flat = Squeeze(image, axes)", ""),
        ("axes = Sub(one, one) flat = Squeeze(image, axes)", ""),
    ],
    ids=["initializer", "none", "constant-ints", "constant-tensor", "computed"],
)
def test_squeezes_without_exactly_one_constant_axis(squeeze: str, initializers: str) -> None:
    model = make_model(squeeze, initializers=GRIDS + initializers)
    assert faults(model) == ["Squeeze flat does not have exactly one constant axis"]


@pytest.mark.parametrize(
    "squeeze",
    [
        "flat = Squeeze(image, one)",
        "axes = Constant<value_ints = [-4]>() flat = Squeeze(image, axes)",
        "axes = Constant<value = int64[1] {0}>() flat = Squeeze(image, axes)",
    ],
)
def test_a_squeeze_of_one_constant_axis_is_kept(squeeze: str) -> None:
    check(make_model(squeeze, initializers=GRIDS))


def test_a_squeeze_of_several_axes_in_a_body() -> None:
    nodes = "axes = Constant<value_ints = [0, 1]>() flat = Squeeze(image, axes)"
    model = make_model(in_a_body(nodes, "flat", rank=2), initializers=GRIDS)
    assert [fault.split()[:2] for fault in faults(model)] == [
        ["Squeeze", "flat"],
        ["Squeeze", "inner"],
    ]


def test_another_domain() -> None:
    model = make_model("odd = com.microsoft.Gelu(colour)", opsets='"" : 17, "com.microsoft" : 1')
    imports, node = faults(model)
    assert "'com.microsoft': 1" in imports
    assert node == "Gelu odd is of the domain 'com.microsoft'"


def test_a_local_function() -> None:
    function = '<domain: "own", opset_import: ["" : 17]> twice (v) => (w) { w = Add(v, v) }'
    model = make_model("odd = own.twice(colour)", opsets='"" : 17, "own" : 1', functions=function)
    imports, node = faults(model)
    assert "'own': 1" in imports
    assert node == "twice odd is of the domain 'own'"


def test_another_opset_than_was_asked_for() -> None:
    assert faults(make_model(), opset=18) == [
        "opset imports are {'': 17}, not the default domain at 18 alone"
    ]


def test_batch_normalization() -> None:
    vectors = "".join(f", float[2] {name} = {{1, 1}}" for name in ("scale", "bias", "mean", "var"))
    model = make_model(
        "normed = BatchNormalization(pairs, scale, bias, mean, var)",
        initializers=vectors + ", float[1,2] pairs = {1, 2}",
    )
    assert faults(model) == ["BatchNormalization normed is not folded"]


@pytest.mark.parametrize(
    ("nodes", "initializers", "says"),
    [
        ("wider = Cast<to = 11>(colour)", "", {"wider is float64", "Cast  makes float64"}),
        ("", ", double[1] precise = {1}", {"initializer precise is float64"}),
        (
            "precise = Constant<value = double[1] {1}>()",
            "",
            {"precise is float64", "Constant  makes float64"},
        ),
        (
            "size = Shape(colour) filled = ConstantOfShape<value = double[1] {1}>(size)",
            "",
            {"filled is float64", "ConstantOfShape  makes float64"},
        ),
    ],
    ids=["cast", "initializer", "constant", "fill"],
)
def test_float64(nodes: str, initializers: str, says: set[str]) -> None:
    assert set(faults(make_model(nodes, initializers=initializers))) == says


def test_float64_in_a_body() -> None:
    nodes = "wider = Cast<to = 11>(colour) back = Cast<to = 1>(wider)"
    assert set(faults(make_model(in_a_body(nodes, "back", rank=2)))) == {
        "Cast  makes float64",
        "wider is float64",
    }


def test_a_float64_initializer_of_a_body() -> None:
    model = make_model(in_a_body("back = Identity(colour)", "back", rank=2))
    (node,) = (node for node in model.graph.node if node.op_type == "If")
    body = node.attribute[0].g
    body.initializer.append(onnx.helper.make_tensor("precise", onnx.TensorProto.DOUBLE, [1], [1.0]))
    assert faults(model) == ["initializer precise is float64"]


def rename_axis(model: onnx.ModelProto, tensor: str, axis: int, name: str) -> None:
    (value,) = (v for v in (*model.graph.input, *model.graph.output) if v.name == tensor)
    value.type.tensor_type.shape.dim[axis].dim_param = name


@pytest.mark.parametrize(
    ("tensor", "axis"), [("tracks", 1), ("occlusion", 2), ("expected_dist", 0)]
)
def test_an_axis_of_another_name(tensor: str, axis: int) -> None:
    model = make_model()
    rename_axis(model, tensor, axis, "some")
    (fault,) = faults(model)
    assert fault.startswith(f"{tensor} has shape [")
    assert "'some'" in fault


def test_an_input_of_another_type() -> None:
    frames = interface_of("whole", DYNAMIC, RESOLUTION_HW, input_type="uint8")
    with pytest.raises(GraphCheckFailedError) as caught:
        check_promises(make_model(), opset=17, interface=frames)
    _, shape, kind = str(caught.value).split("\n- ")
    assert shape.endswith("not ['batch', 'frames', 'height', 'width', 3]")
    assert kind == "video_input holds FLOAT, not UINT8"


def test_axes_that_should_be_fixed() -> None:
    found = faults(make_model(), axes=AxisSizes(batch=1, frames=8))
    assert len(found) == 5
    assert found[0].endswith("not [1, 8, 32, 40, 3]")
    assert found[1].endswith("not [1, 'points', 3]")
    assert found[2].endswith("not [1, 'points', 8, 2]")


def test_another_resolution() -> None:
    with pytest.raises(GraphCheckFailedError, match=r"video_input has shape .* not .*32, 48, 3\]"):
        check_promises(make_model(), opset=17, interface=interface_of("whole", DYNAMIC, (32, 48)))


def test_another_name_of_an_input() -> None:
    model = make_model()
    model.graph.input[1].name = "queries"
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "query_input":
                node.input[index] = "queries"
    (fault,) = faults(model)
    assert fault.startswith("inputs and outputs are ['video_input', 'queries', 'tracks', ")


def test_outputs_in_another_order() -> None:
    model = make_model()
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(outputs[::-1])
    (fault,) = faults(model)
    assert fault.startswith("inputs and outputs are ['video_input', 'query_input', 'expected_dist'")


def test_all_broken_promises_are_listed() -> None:
    nodes = "flat = Squeeze(image) precise = Constant<value = double[1] {1}>()"
    assert len(faults(make_model(nodes, initializers=GRIDS), opset=16)) == 4


def break_an_edge(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = "nowhere"


def break_an_operator(model: onnx.ModelProto) -> None:
    model.graph.node[1].op_type = "Unsqueezed"


def break_a_type(model: onnx.ModelProto) -> None:
    model.graph.node[3].input[1] = "one"


@pytest.mark.parametrize("damage", [break_an_edge, break_an_operator, break_a_type])
def test_an_invalid_graph(damage) -> None:
    model = make_model()
    damage(model)
    with pytest.raises(GraphCheckFailedError, match="The graph is not valid ONNX: "):
        check(model)
