"""A file that calls itself fp16 or int8 has to hold such weights, at any depth."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from locoexport.errors import ModelFileError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.pipeline.proof.precision_claim import check_precision_claim


def write(path: Path, *, weights: int, operator: str = "Identity", inside: bool = False) -> Path:
    """A model with a weight of that type, in the graph itself or in the body of a Loop's If."""
    weight = helper.make_tensor("w", weights, [2], [1, 2])
    node = helper.make_node(operator, ["w"], ["y"])
    out = helper.make_tensor_value_info("y", weights, [2])
    graph = helper.make_graph([node], "g", [], [out], [weight])
    if inside:
        for name in ("If", "Loop"):
            node = helper.make_node(name, ["c"], ["y"], body=graph)
            graph = helper.make_graph([node], "g", [], [out])
    onnx.save(helper.make_model(graph), path)
    return path


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("precision", "weights", "operator", "holds"),
    [
        ("fp32", TensorProto.FLOAT, "Identity", True),
        ("fp16", TensorProto.FLOAT, "Identity", False),
        ("fp16", TensorProto.FLOAT16, "Identity", True),
        ("int8", TensorProto.FLOAT, "DequantizeLinear", False),
        ("int8", TensorProto.INT8, "Identity", False),
        ("int8", TensorProto.INT8, "DequantizeLinear", True),
        ("int8", TensorProto.UINT8, "MatMulInteger", True),
    ],
)
def test_what_a_graph_holds(tmp_path, precision, weights, operator, holds, inside) -> None:
    path = write(tmp_path / "m.onnx", weights=weights, operator=operator, inside=inside)
    files = {path: sha256_of(path)}
    if holds:
        check_precision_claim(files, precision)
        return
    with pytest.raises(ModelFileError, match=r"contradicts itself: .* computes in " + precision):
        check_precision_claim(files, precision)


def test_a_file_that_was_replaced_meanwhile(tmp_path) -> None:
    path = write(tmp_path / "m.onnx", weights=TensorProto.FLOAT16)
    with pytest.raises(ModelFileError, match="was replaced while it was verified"):
        check_precision_claim({path: "0" * 64}, "fp16")


def test_graphs_nested_without_end(tmp_path) -> None:
    graph = b""
    for _ in range(1000):
        for field in (6, 5, 1):  # an attribute's graph, a node's attribute, a graph's node
            graph = bytes([field << 3 | 2]) + _length(graph) + graph
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes([7 << 3 | 2]) + _length(graph) + graph)
    with pytest.raises(ModelFileError, match="nested more than 20 deep"):
        check_precision_claim({path: sha256_of(path)}, "fp16")


def _length(data: bytes) -> bytes:
    size, found = len(data), b""
    while size > 127:
        found, size = found + bytes([size & 127 | 128]), size >> 7
    return found + bytes([size])
