"""A draft of nodes: what a pass writes in place of one node, before it goes into the graph.

Sizes that are known stay Python integers as long as they can, so that a static graph gets
constants and a dynamic one gets Shape nodes, from the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

__all__ = ["Draft", "Names", "Size"]

Attribute = int | float | str | Sequence[int] | ir.TensorProtocol | ir.Attr
Size = int | ir.Value
"""The length of an axis: known, or an int64 tensor of shape (1,)."""


class Names:
    """Names that are free in the whole model; subgraphs must not shadow, so it is one set."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    @classmethod
    def of(cls, model: ir.Model) -> Names:
        """Every name of a value or node in the model."""
        return cls(_names_in(model))

    def fresh(self, wish: str) -> str:
        """``wish``, with a number where it is taken."""
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name


class Draft:
    """Nodes in order of execution. Equal constants and equal Shape nodes are written once."""

    def __init__(self, prefix: str, names: Names) -> None:
        self.nodes: list[ir.Node] = []
        self.prefix = prefix
        self._names = names
        self._constants: dict[tuple[bytes, tuple[int, ...], ir.DataType], ir.Value] = {}
        self._shapes: dict[ir.Value, ir.Value] = {}
        self._sizes: dict[tuple[ir.Value, int], ir.Value] = {}

    def op(self, op_type: str, *inputs: ir.Value, **attributes: Attribute) -> ir.Value:
        """Append one node of the default domain with one output."""
        return self.node(op_type, inputs, attributes)[0]

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Attribute],
        outputs: int = 1,
    ) -> Sequence[ir.Value]:
        """Append one node of the default domain; None is an input that is left out."""
        name = self._names.fresh(f"{self.prefix}/{op_type}")
        node = ir.node(op_type, list(inputs), attributes, num_outputs=outputs, name=name)
        for value in node.outputs:
            value.name = self._names.fresh(f"{name}_output")
        self.nodes.append(node)
        return node.outputs

    def constant(
        self, value: float | Sequence[int] | NDArray[np.generic], dtype: ir.DataType
    ) -> ir.Value:
        """A scalar, for a sequence a tensor of one axis, or an array as it is."""
        array = np.asarray(value).astype(dtype.numpy())
        key = (array.tobytes(), array.shape, dtype)  # bytes: -0.0 is not 0.0
        if key not in self._constants:
            tensor = ir.Tensor(array, dtype=dtype)
            self._constants[key] = self.op("Constant", value=tensor)
        return self._constants[key]

    def integers(self, *values: int) -> ir.Value:
        """int64, one axis."""
        return self.constant(values, ir.DataType.INT64)

    def size(self, value: ir.Value, axis: int, known: int | None) -> Size:
        """The length of one axis of ``value``: as known, or read at run time."""
        if known is not None:
            return known
        if value not in self._shapes:
            self._shapes[value] = self.op("Shape", value)
        if (value, axis) not in self._sizes:
            index = self.integers(axis)
            self._sizes[value, axis] = self.op("Gather", self._shapes[value], index, axis=0)
        return self._sizes[value, axis]

    def product(self, *sizes: Size) -> Size:
        """The product of sizes; known where all are."""
        known = int(np.prod([size for size in sizes if isinstance(size, int)], dtype=np.int64))
        unknown = [size for size in sizes if not isinstance(size, int)]
        if not unknown:
            return known
        factors = [*unknown, self.integers(known)] if known != 1 else unknown
        result = factors[0]
        for factor in factors[1:]:
            result = self.op("Mul", result, factor)
        return result

    def less(self, size: Size, by: int) -> Size:
        """``size - by``."""
        if isinstance(size, int):
            return size - by
        return self.op("Sub", size, self.integers(by))

    def tensor(self, size: Size, dtype: ir.DataType = ir.DataType.INT64) -> ir.Value:
        """A size as a tensor that broadcasts: a scalar where known, else of shape (1,)."""
        if isinstance(size, int):
            return self.constant(size, dtype)
        return size if dtype == ir.DataType.INT64 else self.op("Cast", size, to=int(dtype))

    def shape(self, *sizes: Size) -> ir.Value:
        """Sizes as the shape input of Reshape or Expand."""
        parts: list[ir.Value] = []
        known: list[int] = []
        for size in sizes:
            if isinstance(size, int):
                known.append(size)
                continue
            if known:
                parts.append(self.integers(*known))
                known = []
            parts.append(size)
        if not parts:
            return self.integers(*known)
        if known:
            parts.append(self.integers(*known))
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def reshape(self, value: ir.Value, *sizes: Size) -> ir.Value:
        """``value`` with axes of these lengths; where one may be 0 at run time, 0 is said to be."""
        if all(isinstance(size, int) and size > 0 for size in sizes):
            return self.op("Reshape", value, self.shape(*sizes))
        return self.op("Reshape", value, self.shape(*sizes), allowzero=1)

    def cast(self, value: ir.Value, source: ir.DataType, target: ir.DataType) -> ir.Value:
        """``value`` as ``target``; itself where it is that already."""
        return value if source == target else self.op("Cast", value, to=int(target))


def _names_in(model: ir.Model) -> Iterator[str]:
    graphs: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for graph in graphs:
        yield from (value.name for value in graph.inputs if value.name)
        if isinstance(graph, ir.Graph):
            yield from graph.initializers
        for node in ir.traversal.RecursiveGraphIterator(graph):
            if node.name:
                yield node.name
            yield from (value.name for value in node.outputs if value.name)
            for attribute in node.attributes.values():
                for body in _bodies(attribute):
                    yield from (value.name for value in body.inputs if value.name)
                    yield from body.initializers


def _bodies(attribute: ir.Attr) -> Sequence[ir.Graph]:
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    if attribute.type == ir.AttributeType.GRAPHS:
        return list(attribute.as_graphs())
    return []
