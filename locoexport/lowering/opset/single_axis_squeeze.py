"""Squeeze of several axes, or of none given, as single-axis ones.

Replaces: ``Squeeze(x, axes=[a, b, ...])`` and ``Squeeze(x)``.

Identity: squeezing axes one by one from the last to the first leaves the numbers of those still to
come unchanged. Without axes, every axis whose size is 1 is meant; they are known where shape
inference gives a static size.

Why: converters of several runtimes refuse a Squeeze of more than one axis, and one without axes
changes meaning with the shape at run time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx_ir.passes import InPlacePass, PassResult

from locoexport.errors import GraphCheckFailedError, ModelFileError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.drafts import Draft, Names
from locoexport.graphs.values.known_values import Dimension, KnownValue, read_constant
from locoexport.lowering.proof.cut_out import CutOut, cut_out

__all__ = ["SingleAxisSqueeze", "SplitSqueeze"]

_HIGHEST_RANK = 64


@dataclass(frozen=True, eq=False)
class SplitSqueeze:
    """One rewritten node: the axes it squeezed, in the order in which they are squeezed now, and
    the very nodes that stand in its place.

    ``written_axes`` are those of the file, None where it gives none. ``replacement`` takes
    ``squeezed``, of which ``known`` is what the model tells, and makes
    ``output_name``; ``original`` makes what ``original.output`` says.
    """

    name: str
    axes: tuple[int, ...]
    original: onnx.NodeProto
    replacement: tuple[onnx.NodeProto, ...]
    output_name: str
    squeezed: str
    known: KnownValue
    written_axes: NDArray[np.int64] | None

    @property
    def nodes_added(self) -> int:
        """How many nodes more there are than before."""
        return len(self.replacement) - 1

    def cut_out(self, opset: int) -> CutOut:
        """Both sides, to be run beside each other."""
        constants = {}
        if self.written_axes is not None:
            constants[self.original.input[1]] = numpy_helper.from_array(self.written_axes)
        return cut_out(
            ([self.original], opset),
            (self.replacement, opset),
            (self.original.output, [self.output_name]),
            {self.squeezed: self.known},
            constants,
        )


class SingleAxisSqueeze(InPlacePass):
    """Precondition: axes are constants, or the input's shape is known. Opset 13 and later.

    Postcondition: every Squeeze, in subgraphs and functions too, has exactly one axis.
    ``split`` holds what was rewritten by the last call, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.split: tuple[SplitSqueeze, ...] = ()

    def call(self, model: ir.Model) -> PassResult:
        """Rewrite ``model`` in place; raises GraphCheckFailedError where the axes are unknown."""
        names = Names.of(model)
        split: list[SplitSqueeze] = []
        graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
        for graph in graphs:
            for node in list(ir.traversal.RecursiveGraphIterator(graph)):
                if node.op_type == "Squeeze" and node.domain in DEFAULT_DOMAINS:
                    split += _split(node, names)
        self.split = tuple(split)
        return PassResult(model, bool(split))


def _split(node: ir.Node, names: Names) -> list[SplitSqueeze]:
    axes = _axes_of(node)
    _check_axes(node, axes)
    if len(axes) == 1 and len(node.inputs) > 1:
        return []
    value = node.inputs[0]
    assert value is not None
    graph = node.graph
    assert graph is not None
    output = node.outputs[0]
    name = node.name or str(output.name)
    squeezed, known, original = value, _known(value, axes), ir.to_proto(node)
    written = _written_axes(node)
    draft = Draft(name, names)
    for axis in axes:
        value = draft.op("Squeeze", value, draft.integers(axis))
    if not axes:
        value = draft.op("Identity", value)
    value.shape, value.type = output.shape, output.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], draft.nodes, [output], [value])
    return [
        SplitSqueeze(
            name=name,
            axes=tuple(axes),
            original=original,
            replacement=tuple(ir.to_proto(written) for written in draft.nodes),
            output_name=str(value.name),
            squeezed=str(squeezed.name),
            known=known,
            written_axes=written,
        )
    ]


def _written_axes(node: ir.Node) -> NDArray[np.int64] | None:
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    constant = read_constant(axes)
    return None if constant is None else np.asarray(constant.numpy(), np.int64).reshape(-1)


def _known(value: ir.Value, axes: list[int]) -> KnownValue:
    """Type and shape with the squeezed axes of length 1; what is unknown does not matter here."""
    shape: list[Dimension]
    if value.shape is None:
        shape = [None] * (max(axes, default=0) + 2)
    else:
        shape = [size if isinstance(size, int) else size.value for size in value.shape]
    for axis in axes:
        shape[axis] = 1
    return KnownValue(int(value.dtype or ir.DataType.FLOAT), tuple(shape))


def _check_axes(node: ir.Node, axes: list[int]) -> None:
    """Refuse axes that the input does not have."""
    value = node.inputs[0]
    rank = _HIGHEST_RANK if value is None or value.shape is None else value.shape.rank()
    if not all(-rank <= axis < rank for axis in axes):
        raise ModelFileError(
            f"Squeeze {node.name!r} squeezes axes {axes[:8]} of a value of {rank} axes; it is "
            "damaged."
        )


def _axes_of(node: ir.Node) -> list[int]:
    """The axes in an order in which they can be squeezed one by one."""
    value = node.inputs[0]
    shape = None if value is None else value.shape
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        constant = read_constant(node.inputs[1])
        if constant is None:
            raise GraphCheckFailedError(
                f"Squeeze {node.name!r} computes its axes at run time; it cannot be made "
                "single-axis. Make the axes constant."
            )
        axes = [int(axis) for axis in constant.numpy().reshape(-1)]
        if len(axes) > 1 and any(axis < 0 for axis in axes):
            if shape is None:
                raise GraphCheckFailedError(
                    f"Squeeze {node.name!r} has negative axes {axes} and an input of unknown "
                    "rank; run shape inference first."
                )
            axes = [axis % max(len(shape), 1) for axis in axes]
        return sorted(axes, reverse=True)
    if shape is None or not all(isinstance(size, int) for size in shape):
        raise GraphCheckFailedError(
            f"Squeeze {node.name!r} gives no axes and its input's shape is not static "
            f"({shape}); which axes it means is unknown."
        )
    return [axis for axis in reversed(range(len(shape))) if shape[axis] == 1]
