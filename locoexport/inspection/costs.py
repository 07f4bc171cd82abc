"""What a graph costs at bound sizes: operations of its products and memory of its activations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from locoexport.graphs.walking import bodies_of
from locoexport.inspection.labels import label_node
from locoexport.inspection.parts import Part
from locoexport.inspection.shapes import GraphShapes, Shape, operand

__all__ = ["Flops", "PeakMemory", "count_flops", "peak_activations"]

_VIEWS = ("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout")
"""Their output is their input's memory under another shape."""
_NOT_COUNTED = (
    *("LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "GroupQueryAttention"),
    *("DeformConv", "QAttention", "Loop", "Scan"),
)
"""Operators that multiply matrices inside; no formula here, so they are named in the report."""


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of convolutions and matrix products, two to a multiply-add.

    Nothing else is counted: additions, activations and copies are bound by memory, not by the
    rate that this is compared with. ``unresolved`` are products whose sizes are unknown,
    ``not_counted`` operators that hold products but have no formula here; both make ``total`` a
    lower bound.
    """

    total: int
    by_part: Mapping[Part, int]
    counted: int
    unresolved: tuple[str, ...]
    not_counted: Mapping[str, int]


@dataclass(frozen=True)
class PeakMemory:
    """The most bytes of activations alive at once when nodes run in the file's order.

    Inputs are alive throughout, weights are not counted, views cost nothing. ``at`` is the node
    that runs then. ``unknown`` values have no known size, and are not in the sum.
    """

    size_bytes: int
    at: str
    unknown: int


def count_flops(shapes: GraphShapes, parts: Sequence[Part]) -> Flops:
    """Operations of every product; ``parts`` belong to ``shapes.nodes``, one by one."""
    by_part: Counter[Part] = Counter()
    unresolved: list[str] = []
    not_counted: Counter[str] = Counter()
    counted = 0
    for node, part, trips in zip(shapes.nodes, parts, shapes.trips, strict=True):
        formula = _FORMULAS.get(node.op_type)
        if formula is not None:
            operations = formula(node, shapes)
            if operations is None:
                unresolved.append(label_node(node))
            else:
                counted += 1
                by_part[part] += operations * trips
        elif node.op_type in _NOT_COUNTED and shapes.followed.isdisjoint(node.output[:1]):
            not_counted[node.op_type] += 1
    unresolved += [label_node(node) for node in shapes.hidden if node.op_type in _FORMULAS]
    total = sum(by_part.values())
    return Flops(total, dict(by_part), counted, tuple(unresolved), dict(not_counted))


def peak_activations(shapes: GraphShapes, graph: onnx.GraphProto) -> PeakMemory:
    """Let every value live from the node that writes it to the last that reads it."""
    roots = _roots(shapes.nodes)
    always = {value.name for value in graph.input} - shapes.constants
    kept = {roots.get(value.name, value.name) for value in graph.output} | always
    last_read = {
        roots.get(name, name): index
        for index, node in enumerate(shapes.nodes)
        for name in _reads(node)
    }
    sizes = {name: shapes.size_bytes(name) for name in always}
    alive = sum(size or 0 for size in sizes.values())
    peak, at = alive, "the inputs alone"
    expiring: dict[int, list[str]] = {}
    for name, index in last_read.items():
        if name not in kept:
            expiring.setdefault(index, []).append(name)
    for index, node in enumerate(shapes.nodes):
        for name in node.output:
            if name and roots.get(name, name) == name and name not in shapes.constants:
                sizes[name] = shapes.size_bytes(name)
                alive += sizes[name] or 0
        if alive > peak:
            peak, at = alive, label_node(node)
        unread = [name for name in node.output if name not in last_read and name not in kept]
        for name in (*expiring.get(index, ()), *unread):
            alive -= sizes.get(name) or 0
    return PeakMemory(peak, at, sum(size is None for size in sizes.values()))


def _roots(nodes: Iterable[onnx.NodeProto]) -> dict[str, str]:
    """For every view, the value whose memory it shows."""
    roots: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _VIEWS and node.input and node.output:
            roots[node.output[0]] = roots.get(node.input[0], node.input[0])
    return roots


def _reads(node: onnx.NodeProto) -> Iterable[str]:
    """Inputs of a node, and what its bodies read from outside them."""
    yield from filter(None, node.input)
    for body in bodies_of(node):
        for inner in body.node:
            yield from _reads(inner)


def _convolution(weight: int) -> Callable[[onnx.NodeProto, GraphShapes], int | None]:
    def count(node: onnx.NodeProto, shapes: GraphShapes) -> int | None:
        output, kernel = _result(node, shapes), shapes.shape(operand(node, weight))
        if output is None or kernel is None:
            return None
        return 2 * math.prod(output) * math.prod(kernel[1:])

    return count


def _transposed_convolution(node: onnx.NodeProto, shapes: GraphShapes) -> int | None:
    image, kernel = shapes.shape(operand(node, 0)), shapes.shape(operand(node, 1))
    if image is None or kernel is None:
        return None
    return 2 * math.prod(image) * math.prod(kernel[1:])


def _result(node: onnx.NodeProto, shapes: GraphShapes) -> Shape | None:
    return shapes.shape(node.output[0]) if node.output else None


def _product(node: onnx.NodeProto, shapes: GraphShapes) -> int | None:
    left, output = shapes.shape(operand(node, 0)), _result(node, shapes)
    if not left or output is None:
        return None
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2 * math.prod(output) * left[-2 if transposed and len(left) > 1 else -1]


def _einsum(node: onnx.NodeProto, shapes: GraphShapes) -> int | None:
    equation = _equation(node)
    terms = equation.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    if len(terms) != len(node.input):
        return None
    for term, name in zip(terms, node.input, strict=True):
        shape = shapes.shape(name)
        if shape is None or len(shape) != len(term):  # an ellipsis among them
            return None
        sizes.update(zip(term, shape, strict=True))
    return 2 * math.prod(sizes.values()) if len(terms) > 1 else 0


def _equation(node: onnx.NodeProto) -> str:
    stated = next((a.s for a in node.attribute if a.name == "equation"), b"")
    return str(stated.decode(errors="replace")).replace(" ", "")


_FORMULAS: Mapping[str, Callable[[onnx.NodeProto, GraphShapes], int | None]] = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul"), _product),
    **dict.fromkeys(("Gemm", "FusedGemm"), _product),
    "Einsum": _einsum,
}
