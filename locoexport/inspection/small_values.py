"""Small values, computed along with the shapes that hang on them.

Only what reckons with lengths and indices is computed. A stranger's file may hold any operator of
the standard, and some run for ever on a few bytes: a regular expression, a pool over 10⁹ zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, TypeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

__all__ = ["Array", "evaluate", "is_followed", "small_constant"]

Array = NDArray[np.generic]

_SMALL = 4096
"""Values of more elements are not followed: shapes and indices of shapes are smaller."""
_MOST_READ = 16 * _SMALL
_FOLLOWED = frozenset(
    (
        *(
            "Constant",
            "ConstantOfShape",
            "Identity",
            "Cast",
            "CastLike",
            "Range",
            "EyeLike",
            "Size",
        ),
        *("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Sign", "Pow", "Sqrt", "Reciprocal"),
        *("Floor", "Ceil", "Round", "Min", "Max", "Sum", "Mean", "Clip", "Exp", "Log"),
        *("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Where"),
        *("Not", "And", "Or", "Xor", "IsNaN", "IsInf"),
        *("Concat", "Slice", "Split", "Gather", "GatherElements", "GatherND"),
        *("ScatterElements", "ScatterND", "Squeeze", "Unsqueeze", "Reshape", "Flatten"),
        *("Transpose", "Expand", "Tile", "Trilu", "CumSum", "ArgMax", "ArgMin"),
        *("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"),
    )
)
"""Each takes time in proportion to what it reads and writes."""
_NUMBERS = "biuf"


def small_constant(tensor: TensorProto) -> Array | None:
    """A tensor's values; None for a large one, one that lies in another file, or text."""
    external = tensor.data_location == TensorProto.EXTERNAL
    if external or tensor.data_type == TensorProto.STRING or math.prod(tensor.dims) > _SMALL:
        return None
    values: Array = numpy_helper.to_array(tensor)
    return values


def is_followed(
    node: onnx.NodeProto, values: Mapping[str, Array], outputs: Mapping[str, TypeProto]
) -> bool:
    """Whether a node of the default domain is computed.

    Args:
        node: what would be computed.
        values: by name, those known.
        outputs: the types of the node's outputs as they were inferred from these very values, so
            that a size which the file only claims is not believed.
    """
    names = [name for name in node.input if name]
    if node.op_type not in _FOLLOWED or not all(name in values for name in names):
        return False
    if sum(values[name].size for name in names) > _MOST_READ:
        return False
    kinds = [outputs.get(name) for name in node.output if name]
    return all(kind is not None and _is_small(kind) for kind in kinds)


def evaluate(
    node: onnx.NodeProto, inputs: Mapping[str, Array], opsets: Mapping[str, int]
) -> Iterator[tuple[str, Array]]:
    """The outputs of a node that ``is_followed``, by name; none where it cannot be computed."""
    try:
        with np.errstate(all="ignore"):
            results = _reference(node, opsets).run(None, dict(inputs))
    except Exception:  # noqa: BLE001, RUF100 - a value that is not known is no error here
        return
    for name, result in zip(filter(None, node.output), results, strict=True):
        known = isinstance(result, np.ndarray | np.generic) and result.dtype.kind in _NUMBERS
        if known and result.size <= _SMALL:
            yield name, np.asarray(result)


def _is_small(kind: TypeProto) -> bool:
    tensor_type = kind.tensor_type
    if not tensor_type.HasField("shape"):
        return False
    dims = tensor_type.shape.dim
    if not all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
        return False
    return bool(math.prod(dim.dim_value for dim in dims) <= _SMALL)


def _reference(node: onnx.NodeProto, opsets: Mapping[str, int]) -> ReferenceEvaluator:
    """The node as a graph of its own: a bare node would be run at the newest opset."""
    graph = helper.make_graph(
        [node], "one", _values(node.input), _values(filter(None, node.output))
    )
    return ReferenceEvaluator(graph, opsets=dict(opsets))


def _values(names: Iterable[str]) -> list[onnx.ValueInfoProto]:
    return [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names) if name]
