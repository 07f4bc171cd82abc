"""Squeeze of several axes, or of none given, as single-axis ones.

Replaces: ``Squeeze(x, axes=[a, b, ...])`` and ``Squeeze(x)``.

Identity: squeezing axes one by one from the last to the first leaves the numbers of those still to
come unchanged. Without axes, every axis whose size is 1 is meant; they are known where shape
inference gives a static size.

Why: converters of several runtimes refuse a Squeeze of more than one axis, and one without axes
changes meaning with the shape at run time.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import InPlacePass, PassResult

from locoexport.errors import GraphCheckFailedError

__all__ = ["SingleAxisSqueeze"]


class SingleAxisSqueeze(InPlacePass):
    """Precondition: axes are constants, or the input's shape is known. Opset 13 and later.

    Postcondition: every Squeeze, in subgraphs and functions too, has exactly one axis.
    """

    def call(self, model: ir.Model) -> PassResult:
        """Rewrite ``model`` in place; raises GraphCheckFailedError where the axes are unknown."""
        modified = False
        graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
        for graph in graphs:
            for node in list(ir.traversal.RecursiveGraphIterator(graph)):
                if node.op_type == "Squeeze" and node.domain == "":
                    modified |= _split(node)
        return PassResult(model, modified)


def _split(node: ir.Node) -> bool:
    axes = _axes_of(node)
    if len(axes) == 1 and len(node.inputs) > 1:
        return False
    value = node.inputs[0]
    assert value is not None
    graph = node.graph
    assert graph is not None
    output = node.outputs[0]
    replacements: list[ir.Node] = []
    for axis in axes:
        constant = ir.node("Constant", [], {"value_ints": [axis]})
        single = ir.node("Squeeze", [value, constant.outputs[0]])
        replacements += [constant, single]
        value = single.outputs[0]
    if not axes:
        identity = ir.node("Identity", [value])
        replacements.append(identity)
        value = identity.outputs[0]
    value.shape, value.type = output.shape, output.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], replacements, [output], [value])
    return True


def _axes_of(node: ir.Node) -> list[int]:
    """The axes in an order in which they can be squeezed one by one."""
    value = node.inputs[0]
    shape = None if value is None else value.shape
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        constant = ir.convenience.get_const_tensor(node.inputs[1])
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
            axes = [axis % len(shape) for axis in axes]
        return sorted(axes, reverse=True)
    if shape is None or not all(isinstance(size, int) for size in shape):
        raise GraphCheckFailedError(
            f"Squeeze {node.name!r} gives no axes and its input's shape is not static "
            f"({shape}); which axes it means is unknown."
        )
    return [axis for axis in reversed(range(len(shape))) if shape[axis] == 1]
