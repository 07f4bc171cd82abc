"""Values of a graph as outputs, those of a Scan's body too."""

import numpy as np
import onnx
import onnx.parser
import onnxruntime

from locoexport.graphs.exposed_values import expose, open_seams, value_names, withdraw_seams

SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 2] x) => (float[n, 2] y)
<float two = {2}>
{
  a = Add(x, x)
  b = Scan <num_scan_inputs = 1, body = each (float[2] row) => (float[2] squared) {
    doubled = Mul(row, two)
    squared = Mul(doubled, doubled)
  }>(a)
  y = Neg(b)
}
"""


def model(text: str = SCAN) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def run(graph: onnx.ModelProto, outputs: list[str], x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(outputs, {"x": x})


def test_values_inside_and_outside_of_a_body_are_given_out() -> None:
    assert value_names(model()) == ["a", "doubled", "squared", "b", "y"]
    exposed = expose(model(), ["a", "doubled", "squared", "y", "nowhere"])
    assert set(exposed.outputs) == {"a", "doubled", "squared", "y"}
    assert exposed.stacked == {"doubled", "squared"}
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    names = ["a", "doubled", "squared", "y"]
    a, doubled, squared, y = run(exposed.model, [exposed.outputs[name] for name in names], x)
    np.testing.assert_array_equal(a, 2 * x)
    np.testing.assert_array_equal(doubled, 4 * x)
    np.testing.assert_array_equal(squared, 16 * x * x)
    np.testing.assert_array_equal(y, -16 * x * x)
    assert [value.name for value in model().graph.output] == ["y"]  # the original stays


def test_seams_are_outputs_for_a_while() -> None:
    graph = model()
    graph.graph.output.add().CopyFrom(
        onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [3, 2])
    )
    opened = open_seams(graph, ["y"])
    sizes = [d.dim_param for d in opened.graph.output[1].type.tensor_type.shape.dim]
    assert sizes == ["a_0", "a_1"]
    assert [v.name for v in withdraw_seams(opened, ["y"]).graph.output] == ["y"]
