"""The promise that no index and no coordinate passes through a float16 or a quantised number.

From every index (of Gather, GridSample and their like) and from the output ``tracks`` the graph is
walked backwards through arithmetic and shapes, up to the products and reductions that the numbers
come from. Everything on the way, and what those products write, must be float32 or an integer.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto

from locoexport.contract.metadata import OUTPUT_NAMES
from locoexport.graphs.walking import iterate_graphs

__all__ = ["coordinate_faults"]

_INDEX_INPUTS = {
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "GridSample": (1,),
    "ScatterElements": (1,),
    "ScatterND": (1,),
    "Slice": (1, 2, 3, 4),
    "Range": (0, 1, 2),
    "Tile": (1,),
    "Expand": (1,),
    "Reshape": (1,),
}
# Where numbers are made of many others: what they read are features and weights of a mean.
_SOURCES = frozenset(
    (
        *("ArgMax", "ArgMin", "Conv", "Gemm", "GroupNormalization", "InstanceNormalization"),
        *("LayerNormalization", "MatMul", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"),
        *("Scan", "Shape", "Size", "Softmax", "Exp"),
    )
)
_QUANTISED = frozenset(
    ("DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear")
)
_HALVES: dict[int, str] = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}


def coordinate_faults(model: onnx.ModelProto) -> Iterator[str]:
    """One text for each index or coordinate that is not kept whole; types must be inferred."""
    for graph in iterate_graphs(model):
        types = {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.value_info, *graph.input, *graph.output)
        } | {tensor.name: tensor.data_type for tensor in graph.initializer}
        makers = {name: node for node in graph.node for name in node.output}
        seen: set[str] = set()
        for start, role in _starts(graph):
            yield from _walk(start, role, makers, types, seen)


def _starts(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    for value in graph.output:
        if value.name == OUTPUT_NAMES[0]:
            yield value.name, f"the output {value.name}"
    for node in graph.node:
        for index in _INDEX_INPUTS.get(node.op_type, ()):
            if index < len(node.input) and node.input[index]:
                yield node.input[index], f"an index of {node.op_type} {node.name}"


def _walk(
    start: str,
    role: str,
    makers: dict[str, onnx.NodeProto],
    types: dict[str, int],
    seen: set[str],
) -> Iterator[str]:
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        if types.get(name) in _HALVES:
            yield f"{role} passes through {name}, which is {_HALVES[types[name]]}"
            continue
        maker = makers.get(name)
        if maker is None:
            continue
        if maker.op_type in _QUANTISED:
            yield f"{role} passes through {maker.op_type} {maker.name}"
        elif maker.op_type not in _SOURCES:
            waiting.extend(maker.input)
