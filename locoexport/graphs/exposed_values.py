"""Values inside a graph as outputs of it: seams while a file is made, anything when it is studied.

A value in the body of a Scan is given out stacked, one entry an iteration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import onnx

__all__ = ["ExposedGraph", "expose", "open_seams", "value_names", "withdraw_seams"]

_STACKED = "@frames"


@dataclass(frozen=True)
class ExposedGraph:
    """A copy of a model that gives out more; ``outputs`` maps each value to its output's name.

    ``stacked`` are the values of a Scan's body: their output has one more axis, the first.
    """

    model: onnx.ModelProto
    outputs: dict[str, str]
    stacked: frozenset[str]


def open_seams(model: onnx.ModelProto, outputs: Collection[str]) -> onnx.ModelProto:
    """A copy in which outputs other than ``outputs`` state no size, only a rank.

    Whoever infers shapes takes an output's for granted, and the exporter's are those of the trace.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    for value in opened.graph.output:
        if value.name not in outputs:
            for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
                dimension.dim_param = f"{value.name}_{axis}"
    return opened


def withdraw_seams(model: onnx.ModelProto, outputs: Collection[str]) -> onnx.ModelProto:
    """A copy that gives out ``outputs`` alone; the other values keep their names."""
    withdrawn = onnx.ModelProto()
    withdrawn.CopyFrom(model)
    kept = [value for value in model.graph.output if value.name in outputs]
    del withdrawn.graph.output[:]
    withdrawn.graph.output.extend(kept)
    return withdrawn


def value_names(model: onnx.ModelProto) -> list[str]:
    """Every value that a node computes, in order; those in a Scan's body before its outputs."""
    names = []
    for node in model.graph.node:
        body = _body(node)
        if body is not None:
            names += [name for inner in body.node for name in inner.output if name]
        names += [name for name in node.output if name]
    return names


def expose(model: onnx.ModelProto, names: Iterable[str]) -> ExposedGraph:
    """A copy of ``model`` that gives out those of ``names`` that it computes, besides its outputs.

    Values in other bodies than a Scan's (a Loop's, a branch's) are not reached.
    """
    wanted = set(names)
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    given = {value.name for value in exposed.graph.output}
    outputs: dict[str, str] = {name: name for name in given & wanted}
    stacked = set()
    for node in exposed.graph.node:
        body = _body(node)
        inner = [] if body is None else [n for made in body.node for n in made.output]
        for name in filter(wanted.__contains__, inner):
            assert body is not None
            _give_out_of_scan(node, body, name)
            outputs[name] = name + _STACKED
            stacked.add(name)
        for name in node.output:
            if name in wanted and name not in given:
                outputs[name] = name
    for output in outputs.values():
        if output not in given:
            exposed.graph.output.add(name=output)
    return ExposedGraph(exposed, outputs, frozenset(stacked))


def _body(node: onnx.NodeProto) -> onnx.GraphProto | None:
    if node.op_type != "Scan":
        return None
    body: onnx.GraphProto = next(a.g for a in node.attribute if a.name == "body")
    return body


def _give_out_of_scan(node: onnx.NodeProto, body: onnx.GraphProto, name: str) -> None:
    """``name`` of the body as one more scan output, stacked along a new first axis."""
    if any(value.name == name for value in body.output):
        # An output may be listed once only; a copy has a name of its own.
        copy = f"{name}@copy"
        body.node.add(op_type="Identity", input=[name], output=[copy])
        name_inside = copy
    else:
        name_inside = name
    body.output.add(name=name_inside)
    node.output.append(name + _STACKED)
    for attribute in node.attribute:
        if attribute.name in ("scan_output_axes", "scan_output_directions"):
            attribute.ints.append(0)
