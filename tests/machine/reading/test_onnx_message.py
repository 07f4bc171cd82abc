"""Nodes and tensors out of a file's bytes, against the onnx package."""

import onnx
import pytest
from onnx import TensorProto, helper

from locoexport.machine.reading.onnx_message import (
    external_locations,
    iterate_nodes,
    iterate_tensors,
    operator_of,
    type_of,
)


def tensor(kind: int, location: str | None = None) -> TensorProto:
    made = TensorProto(name="t", data_type=kind, dims=(1,))
    if location is not None:
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="offset", value="0")
        made.external_data.add(key="location", value=location)
    return made


def test_every_place_that_holds_a_tensor_or_a_node() -> None:
    inner = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["b"])], "body", [], [], [tensor(10, "inner.bin")]
    )
    constant = helper.make_node("Constant", [], ["c"], value=tensor(3, "constant.bin"))
    loop = helper.make_node("Loop", ["c"], ["d"], body=inner)
    graph = helper.make_graph([constant, loop], "g", [], [], [tensor(1, "w.bin"), tensor(1)])
    sparse = onnx.SparseTensorProto(values=tensor(11, "sparse.bin"), indices=tensor(7))
    graph.sparse_initializer.append(sparse)
    imports = [helper.make_opsetid("", 17)]
    body = [helper.make_node("Constant", [], ["y"], value=tensor(16, "function.bin"))]
    function = helper.make_function("d", "f", [], ["y"], body, imports)
    model = helper.make_model(graph, functions=[function], opset_imports=imports)
    data = memoryview(model.SerializeToString())
    assert sorted(map(operator_of, iterate_nodes(data))) == ["Constant", "Constant", "Loop", "Neg"]
    assert sorted(map(type_of, iterate_tensors(data))) == [1, 1, 3, 7, 10, 11, 16]
    assert sorted(external_locations(data)) == [
        "constant.bin",
        "function.bin",
        "inner.bin",
        "sparse.bin",
        "w.bin",
    ]


@pytest.mark.parametrize("data", [b"\x3a\x05\x0a", b"\xff" * 12, b"\x0b"])
def test_what_is_no_message(data) -> None:
    with pytest.raises(ValueError, match=r"cut short|wire type"):
        list(iterate_nodes(memoryview(data)))
