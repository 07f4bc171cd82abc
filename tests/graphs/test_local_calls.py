"""Local functions that call each other: counted, and refused where there is no end."""

import onnx
import pytest
from onnx import TensorProto, helper

from locoexport.errors import ModelFileError
from locoexport.graphs.local_calls import check_calls


def call(name: str, read: str, written: str) -> onnx.NodeProto:
    return helper.make_node(name, [read], [written], domain="d")


def function(name: str, *nodes: onnx.NodeProto) -> onnx.FunctionProto:
    return helper.make_function("d", name, ["a"], ["b"], list(nodes), [])


def model(*functions: onnx.FunctionProto) -> onnx.ModelProto:
    graph = helper.make_graph([call(functions[-1].name, "x", "y")], "g", [], [])
    return helper.make_model(graph, functions=functions)


def check(made: onnx.ModelProto) -> None:
    check_calls(made, "m.onnx", ModelFileError)


LAST = function("f0", helper.make_node("Relu", ["a"], ["b"]))


def doubling(levels: int) -> onnx.ModelProto:
    twice = [
        function(f"f{level}", call(f"f{level - 1}", "a", "t"), call(f"f{level - 1}", "t", "b"))
        for level in range(1, levels)
    ]
    return model(LAST, *twice)


def test_calls_are_counted_and_not_written_out() -> None:
    check(doubling(15))
    with pytest.raises(ModelFileError, match=r"^m\.onnx has 8,589,934,65\d nodes, and at most 200"):
        check(doubling(34))


def test_the_limit_can_be_set(monkeypatch) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_GRAPH_NODES", "40")
    check(doubling(5))
    with pytest.raises(ModelFileError, match="LOCOEXPORT_MAX_GRAPH_NODES"):
        check(doubling(6))


def test_calls_deep_within_each_other_are_refused() -> None:
    chain = [function(f"f{level}", call(f"f{level - 1}", "a", "b")) for level in range(1, 3000)]
    check(model(LAST, *chain[:99]))
    with pytest.raises(ModelFileError, match=r"'d\.f101' has 101 levels of calls"):
        check(model(LAST, *chain))


def test_circles_are_refused_wherever_the_call_lies() -> None:
    body = helper.make_graph(
        [call("f", "a", "q")], "b", [], [helper.make_tensor_value_info("q", TensorProto.FLOAT, [])]
    )
    hidden = helper.make_node("If", ["a"], ["b"], then_branch=body, else_branch=body)
    ring = [function(f"g{n}", call(f"g{(n + 1) % 50}", "a", "b")) for n in range(50)]
    for made in (
        model(function("f", call("f", "a", "b"))),
        model(function("f", hidden)),
        model(*ring),
    ):
        with pytest.raises(ModelFileError, match="calls itself"):
            check(made)


def test_a_call_that_does_not_fit_is_refused() -> None:
    odd = model(LAST)
    odd.graph.node[0].input.extend(["x"] * 19)
    with pytest.raises(ModelFileError, match="has 20 inputs and 1 outputs, and the function 1"):
        check(odd)


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(ModelFileError, match=r"two functions 'd\.f0'"):
        check(model(LAST, LAST))
