"""What stands in the way of a bfloat16 file: ONNX's own types, and the kernels that CUDA has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from locoexport.graphs.reading import read_model
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.inspection.kernel_tables import Kernel, kernel_tables

__all__ = ["Bfloat16Support", "bfloat16_support"]

_OLDEST = 16


@dataclass(frozen=True)
class Bfloat16Support:
    """Of one file: nodes that compute with floats, by what takes bfloat16.

    ``by_standard`` are operators (with their number) whose ONNX definition at the file's opset
    takes none, each with the first opset that does (None: none up to now). ``by_kernel`` are those
    of the rest for which the CUDA provider's own table lists no such kernel.
    """

    opset: int
    float_nodes: int
    by_standard: tuple[tuple[str, int, int | None], ...]
    by_kernel: tuple[tuple[str, int], ...]


def bfloat16_support(path: Path) -> Bfloat16Support:
    """Read a file and ask ONNX's definitions and the table of CUDA's kernels."""
    model = read_model(path)
    opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    types = _read_types(model)
    floating = Counter(
        node.op_type
        for node in iterate_nodes(model)
        if node.domain in ("", "ai.onnx") and node.op_type != "Constant" and _on_floats(node, types)
    )
    refused = [kind for kind in floating if "bfloat16" not in _types_of(kind, opset)]
    kernels = kernel_tables()["cuda"].operators
    missing = [
        kind
        for kind in floating
        if kind not in refused and not _has_kernel(kernels.get(kind, ()), kind, opset)
    ]
    return Bfloat16Support(
        opset=opset,
        float_nodes=sum(floating.values()),
        by_standard=tuple((kind, floating[kind], _first_opset(kind)) for kind in sorted(refused)),
        by_kernel=tuple((kind, floating[kind]) for kind in sorted(missing)),
    )


def _read_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types by name of the value; names are unique in the files that we write."""
    inferred = onnx.shape_inference.infer_shapes(model)
    types: dict[str, int] = {}
    for graph in iterate_graphs(inferred):
        types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            types[value.name] = value.type.tensor_type.elem_type
    return types


def _on_floats(node: onnx.NodeProto, types: Mapping[str, int]) -> bool:
    """Whether what a node computes is float32."""
    return bool(node.input) and types.get(node.output[0]) == onnx.TensorProto.FLOAT


def _types_of(kind: str, opset: int) -> set[str]:
    """Element types that the first output of an operator may have at that opset."""
    schema = onnx.defs.get_schema(kind, opset)
    letter = schema.outputs[0].type_str
    allowed = {item.type_param_str: item.allowed_type_strs for item in schema.type_constraints}
    return {text.removeprefix("tensor(").rstrip(")") for text in allowed.get(letter, [letter])}


def _first_opset(kind: str) -> int | None:
    """The first opset from 16 on at which the operator takes bfloat16."""
    newest = onnx.defs.onnx_opset_version()
    for opset in range(_OLDEST, newest + 1):
        if "bfloat16" in _types_of(kind, opset):
            return opset
    return None


def _has_kernel(kernels: Iterable[Kernel], kind: str, opset: int) -> bool:
    version = onnx.defs.get_schema(kind, opset).since_version
    return any(
        kernel.covers(version)
        and (not kernel.types or any("bfloat16" in types for types in kernel.types.values()))
        for kernel in kernels
    )
