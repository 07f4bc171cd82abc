"""Nodes put in order: stable, in every scope, and what has no order is refused."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest

from locoexport.errors import ModelFileError
from locoexport.graphs.ordering import in_order

SHUFFLED_BODY = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[2] a) => (float[2] out) {
        out = If (c) <
            then_branch = t () => (float[2] t2) { t2 = Relu(t1)  t1 = Neg(b) },
            else_branch = e () => (float[2] e1) { e1 = Neg(b) }
        >
        b = Abs(a)
    }
"""


def model(text):
    return onnx.parser.parse_model(text)


def graph(nodes):
    return model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[2] a) => (float[2] out) {{ {nodes} }}'
    )


def operators(graph):
    return [node.op_type for node in graph.node]


def test_a_model_in_order_is_the_very_object():
    sorted_model = graph("b = Abs(a) out = Neg(b)")
    assert in_order(sorted_model) == (sorted_model, ())
    assert in_order(sorted_model)[0] is sorted_model


def test_nodes_keep_the_order_of_the_file_as_far_as_they_can():
    shuffled = graph("out = Add(b, c) d = Exp(a) b = Abs(a) c = Neg(b) e = Sin(a)")
    found, graphs = in_order(shuffled)
    assert graphs == ("the main graph",)
    assert operators(found.graph) == ["Exp", "Abs", "Neg", "Add", "Sin"]
    assert operators(shuffled.graph)[0] == "Add"  # the one that was handed in is as it was
    onnx.checker.check_model(found, full_check=True)


def test_what_a_body_takes_from_outside_counts_for_its_node():
    found, graphs = in_order(model(SHUFFLED_BODY))
    assert graphs == ("the main graph", "then_branch of If 'out'")
    assert operators(found.graph) == ["Abs", "If"]
    branch = next(a.g for a in found.graph.node[1].attribute if a.name == "then_branch")
    assert operators(branch) == ["Neg", "Relu"]
    onnx.checker.check_model(found, full_check=True)


def test_functions_are_sorted_too():
    shuffled = model("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[2] a) => (float[2] out) { out = local.twice(a) }
        <domain: "local", opset_import: ["" : 17]>
        twice (x) => (y) { y = Neg(z) z = Abs(x) }
    """)
    found, graphs = in_order(shuffled)
    assert graphs == ("function 'local.twice'",)
    assert operators(found.functions[0]) == ["Abs", "Neg"]


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("b = Add(a, out) out = Neg(b)", "Add 'b' in the main graph waits for its own result"),
        ("out = Add(a, out)", "waits for its own result"),
        ("b = Abs(a) b = Neg(a) out = Exp(b)", "makes 'b', and so does another node"),
        ("a = Abs(a) out = Neg(a)", "makes 'a', and so does an input or initializer"),
        ("out = Add(a, lost)", "reads 'lost', which nothing makes"),
        ("b = Abs(a)", "The main graph gives out 'out', which nothing makes"),
    ],
)
def test_what_has_no_order_is_refused_in_words(nodes, told):
    with pytest.raises(ModelFileError, match=told):
        in_order(graph(nodes))


def test_a_body_that_reads_what_nothing_makes_is_refused():
    with pytest.raises(ModelFileError, match="reads 'b', which nothing makes"):
        in_order(model(SHUFFLED_BODY.replace("b = Abs(a)", "")))
