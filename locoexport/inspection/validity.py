"""What onnx.checker refuses of a model, apart from what runtimes load all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from locoexport.graphs.ordering import names_read
from locoexport.graphs.walking import iterate_graphs
from locoexport.graphs.weights.external_data import without_external
from locoexport.inspection.labels import label_node

__all__ = ["complaint_of_checker", "unsorted_nodes", "unstated_types"]

_LONGEST = 300
_UNSORTED = "must be topologically sorted"


def complaint_of_checker(model: onnx.ModelProto) -> Iterator[str]:
    """The checker's complaint, if it has one beyond ``unstated_types`` and ``unsorted_nodes``."""
    try:
        onnx.checker.check_model(_completed(without_external(model)))
    except ValueError:  # above protobuf's 2 GB: cannot be checked in memory
        return
    except Exception as error:  # noqa: BLE001, RUF100 - its errors have no common class
        said = " ".join(str(error).split())
        if _UNSORTED not in said or not any(unsorted_nodes(model)):
            yield said[:_LONGEST]


def unstated_types(model: onnx.ModelProto) -> Iterator[str]:
    """Inputs and outputs of the main graph without a type or a shape, and a graph of no name."""
    yield from (value.name for value in _unstated(model.graph))
    if not model.graph.name:
        yield "the graph's name"


def unsorted_nodes(model: onnx.ModelProto) -> Iterator[str]:
    """Nodes that stand before one that makes an input of theirs, in any graph or function."""
    for nodes in (
        *(graph.node for graph in iterate_graphs(model)),
        *(function.node for function in model.functions),
    ):
        later = {name for node in nodes for name in node.output if name}
        for node in nodes:
            if not later.isdisjoint(names_read(node)):
                yield label_node(node)
            later.difference_update(node.output)


def _completed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with something where the checker wants a shape or a name; it compares none of them."""
    if not any(unstated_types(model)):
        return model
    completed = onnx.ModelProto()
    completed.CopyFrom(model)
    completed.graph.name = completed.graph.name or "graph"
    for value in _unstated(completed.graph):
        tensor = value.type.tensor_type
        tensor.elem_type = tensor.elem_type or onnx.TensorProto.FLOAT
        tensor.shape.SetInParent()
    return completed


def _unstated(graph: onnx.GraphProto) -> Iterable[onnx.ValueInfoProto]:
    for value in (*graph.input, *graph.output):
        kind = value.type
        if kind.WhichOneof("value") is None or (
            kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape")
        ):
            yield value
