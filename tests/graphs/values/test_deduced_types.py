"""Element types and ranks that signatures tie together, over main graph and bodies."""

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from locoexport.graphs.values.deduced_types import (
    Signature,
    deduce_ranks,
    deduce_types,
    types_in,
)
from locoexport.graphs.walking import iterate_scopes

FLOAT, HALF, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
tensor = helper.make_tensor_value_info
node = helper.make_node


def model_of(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[onnx.ValueInfoProto], opset: int = 20
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, [onnx.ValueInfoProto(name="y")])
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("acme", 1)]
    return helper.make_model(graph, opset_imports=imports)


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    return {
        name: kind.tensor_type.elem_type
        for graph in iterate_scopes(model.graph)
        for name, kind in types_in(graph).items()
    }


def plugin(taken: str, made: str) -> onnx.NodeProto:
    return node("Plugin", [taken], [made], domain="acme")


def test_a_type_goes_backwards_from_the_weight_of_a_conv() -> None:
    nodes = [
        plugin("x", "v"),
        node("GridSample", ["v", "g"], ["s"]),
        node("Conv", ["s", "w"], ["c"]),
        plugin("c", "y"),
    ]
    inputs = [tensor("x", INT64, None), tensor("g", FLOAT, None), tensor("w", HALF, None)]
    types = types_of(deduce_types(model_of(nodes, inputs)))
    assert (types["v"], types["s"], types["c"]) == (HALF, HALF, HALF)
    assert types["y"] == 0  # nothing ties what a plugin makes to what it takes


def test_two_types_for_one_value_tell_none() -> None:
    nodes = [
        plugin("x", "v"),
        node("Add", ["v", "a"], ["s"]),
        node("Mul", ["v", "b"], ["y"]),
    ]
    inputs = [tensor("x", FLOAT, None), tensor("a", FLOAT, None), tensor("b", HALF, None)]
    model = model_of(nodes, inputs)
    assert deduce_types(model) is model


def test_a_signature_with_one_type_tells_it() -> None:
    model = model_of([plugin("x", "shape"), node("Reshape", ["x", "shape"], ["y"])], [])
    assert types_of(deduce_types(model))["shape"] == INT64


def test_a_sequence_is_told_no_element_type() -> None:
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    model = model_of(
        [plugin("x", "v"), node("If", ["c"], ["y"])],
        [helper.make_value_info("s", sequence), tensor("x", FLOAT, None)],
    )
    model.graph.node.append(node("Identity", ["s"], ["t"]))
    assert deduce_types(model) is model


def test_bodies_are_tied_to_what_their_node_takes_and_makes() -> None:
    body = helper.make_graph(
        [plugin("carried", "p"), node("Add", ["p", "outer"], ["next"]), plugin("p", "row")],
        "body",
        [tensor("i", INT64, []), tensor("go", TensorProto.BOOL, []), tensor("carried", 0, None)],
        [onnx.ValueInfoProto(name=name) for name in ("go", "next", "row")],
    )
    loop = node("Loop", ["n", "go0", "start"], ["end", "rows"], body=body)
    nodes = [plugin("x", "start"), loop, node("Add", ["rows", "h"], ["y"])]
    inputs = [
        tensor("x", INT64, None),
        tensor("outer", FLOAT, None),
        tensor("h", HALF, None),
        tensor("n", INT64, []),
        tensor("go0", TensorProto.BOOL, []),
    ]
    types = types_of(deduce_types(model_of(nodes, inputs)))
    assert [types[name] for name in ("start", "carried", "p", "next", "end")] == [FLOAT] * 5
    assert (types["row"], types["rows"]) == (HALF, HALF)


def test_the_first_input_of_an_old_scan_goes_past_its_body() -> None:
    body = helper.make_graph(
        [node("Relu", ["row"], ["made"])],
        "body",
        [tensor("row", 0, None)],
        [onnx.ValueInfoProto(name="made")],
    )
    scan = node("Scan", ["lengths", "x"], ["y"], body=body, num_scan_inputs=1)
    inputs = [tensor("lengths", INT64, None), tensor("x", FLOAT, None)]
    assert types_of(deduce_types(model_of([scan], inputs, opset=8)))["made"] == FLOAT


def test_signatures_of_other_domains_count_where_somebody_knows_them() -> None:
    alike = Signature(("T",), ("T",), open_inputs=False, open_outputs=False)
    model = model_of([plugin("x", "v"), plugin("v", "y")], [tensor("x", HALF, None)])
    types = types_of(deduce_types(model, lambda domain, name: alike if domain == "acme" else None))
    assert (types["v"], types["y"]) == (HALF, HALF)


def test_a_rank_goes_backwards_and_into_bodies() -> None:
    body = helper.make_graph(
        [plugin("x", "v"), node("GridSample", ["v", "g"], ["b"])],
        "body",
        [],
        [tensor("b", FLOAT, None)],
    )
    body.value_info.append(tensor("v", FLOAT, None))
    nodes = [node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    inputs = [tensor("x", FLOAT, None), tensor("g", FLOAT, [1, 2, 3, 4, 3])]
    told = deduce_ranks(model_of(nodes, inputs))
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for graph in list(iterate_scopes(told.graph))[1:]
        for value in (*graph.value_info, *graph.output)
    }
    assert ranks == {"v": 5, "b": 5}
    assert deduce_ranks(told) is told
