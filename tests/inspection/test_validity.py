"""What the checker refuses and runtimes load is told apart from what is wrong."""

import onnx
import onnx.parser
import onnxruntime
import pytest

from locoexport.inspection.lint import lint
from locoexport.inspection.shapes import resolve_shapes
from locoexport.inspection.validity import complaint_of_checker, unsorted_nodes, unstated_types


def model(body: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) {{ {body} }}'
    )


def findings(graph: onnx.ModelProto) -> list[str]:
    return [f"{found.severity} {found.rule}" for found in lint(graph, resolve_shapes(graph, {}))]


def loads(graph: onnx.ModelProto) -> None:
    onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("lacking", ["shape", "type", "name"])
def test_what_is_not_stated_is_no_error(lacking: str) -> None:
    graph = model("y = Relu(x)")
    if lacking == "shape":
        graph.graph.output[0].type.tensor_type.ClearField("shape")
    elif lacking == "type":
        graph.graph.output[0].ClearField("type")
    else:
        graph.graph.name = ""
    before = graph.SerializeToString()
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(graph)
    loads(graph)
    assert findings(graph) == ["info unstated-type"]
    assert list(unstated_types(graph)) == ["the graph's name" if lacking == "name" else "y"]
    assert graph.SerializeToString() == before


def test_what_is_not_stated_does_not_hide_an_error() -> None:
    graph = model("y = Relu(q)")
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    assert set(findings(graph)) == {"error valid", "info unstated-type"}


def test_nodes_out_of_order() -> None:
    graph = model("y = Relu(a) a = Abs(x)")
    loads(graph)
    assert findings(graph) == ["warning unsorted"]
    assert list(unsorted_nodes(graph)) == ["Relu → y"]
    assert list(complaint_of_checker(graph)) == []


def test_a_body_that_reads_a_later_node() -> None:
    graph = model(
        "c = Constant<value = bool {1}>() y = If(c) <"
        "then_branch = t () => (float[4] p) { p = Abs(a) }, "
        "else_branch = e () => (float[4] q) { a2 = Abs(x) q = Relu(a2) }> "
        "a = Relu(x)"
    )
    assert list(unsorted_nodes(graph)) == ["If → y"]


def test_a_body_may_use_a_name_of_its_own_that_is_used_later_outside() -> None:
    graph = model(
        "c = Constant<value = bool {1}>() y = If(c) <"
        "then_branch = t () => (float[4] p) { a = Relu(x) p = Abs(a) }, "
        "else_branch = e () => (float[4] q) { q = Relu(x) }> "
        "a = Relu(x)"
    )
    assert list(unsorted_nodes(graph)) == []
