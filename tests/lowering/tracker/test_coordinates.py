"""No index or coordinate through float16 or 8-bit integers: the check finds each planted fault."""

import onnx
import onnx.parser
import pytest

from locoexport.lowering.tracker.coordinates import coordinate_faults

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
tracker (float[n,2] query_input, float[4,8] grid) => (float[n,2] tracks, float[n,8] rows)
<float[2,2] weight = {{1, 0, 0, 1}}, int64 axis = {{1}}, int64[1] minus = {{-1}},
 float half = {{0.5}}>
{{
  {before}
  corner = Sub({asked}, half)
  floor = Floor(corner)
  whole = Cast<to = 7>(floor)
  cell = Gather<axis = 1>(whole, axis)
  rows = Gather(grid, cell)
  moved = MatMul({moving}, weight)
  {after}
  tracks = Add(corner, {change})
}}
"""


def faults(
    before: str = "",
    asked: str = "query_input",
    moving: str = "query_input",
    after: str = "",
    change: str = "moved",
) -> list[str]:
    text = _GRAPH.format(before=before, asked=asked, moving=moving, after=after, change=change)
    model = onnx.parser.parse_model(text)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return list(coordinate_faults(inferred))


def test_a_graph_in_float32_keeps_the_promise() -> None:
    assert faults() == []


def test_features_may_be_anything() -> None:
    """What a product reads is no coordinate, though it moves one."""
    half = "small = Cast<to = 10>(query_input) back = Cast<to = 1>(small)"
    assert faults(before=half, moving="back") == []


@pytest.mark.parametrize(
    "before",
    [
        "small = Cast<to = 10>(query_input) back = Cast<to = 1>(small)",
        "small = Cast<to = 16>(query_input) back = Cast<to = 1>(small)",
    ],
    ids=["float16", "bfloat16"],
)
def test_an_index_through_a_half(before: str) -> None:
    (fault, *_) = faults(before=before, asked="back")
    assert "passes through small, which is" in fault


def test_a_change_of_position_in_half() -> None:
    after = "small = Cast<to = 10>(moved) back = Cast<to = 1>(small)"
    (fault,) = faults(after=after, change="back")
    assert fault == "the output tracks passes through small, which is float16"


def test_a_quantised_position() -> None:
    before = (
        "step = Constant<value_float = 0.1>() zero = Constant<value = uint8 {128}>() "
        "few = QuantizeLinear(query_input, step, zero) back = DequantizeLinear(few, step, zero)"
    )
    assert any("DequantizeLinear" in fault for fault in faults(before=before, asked="back"))
