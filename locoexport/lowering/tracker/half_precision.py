"""float16 where it is safe: products and what lies between them, with islands of float32.

Inputs and outputs stay float32. What computes in float16: the backbone's convolutions, the cost
volume's and the local correlation's products, cmdtop, the transformer's projections and products.
What stays float32, and why:

- every position, coordinate and index, and the projection that moves positions: at 200 px a
  float16 is 0.125 px wide. ``check_coordinates`` proves it on the finished graph.
- sampling (gathers of patches and their weights, GridSample): ONNX Runtime's CUDA kernel has no
  other, and weights come from coordinates.
- the heatmap's convolution, its soft-argmax (temperature 20) and its logits: neighbouring cells
  would tie, and the argmax jump.
- normalisation (L2 of the grids with its floor of 1e-12, GroupNorm, InstanceNorm, LayerNorm),
  softmax over time and its bias (-1e9 is no float16), and the residual stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import InPlacePass, PassResult

from locoexport.contract.scopes import in_encoder, in_refinement_network, is_island
from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.node_homes import node_homes

__all__ = ["HalfPrecision", "computes_in_half", "to_half_precision"]

_PRODUCTS = frozenset(("Conv", "Gemm", "MatMul"))
_BETWEEN = frozenset(
    (
        *("Add", "Concat", "Div", "Erf", "Expand", "Flatten", "Gather", "Gelu", "Identity", "Mul"),
        *("Pad", "Relu", "Reshape", "Sigmoid", "Slice", "Split", "Squeeze", "Tanh", "Transpose"),
        *("Unsqueeze", "GlobalAveragePool", "ReduceMean"),
    )
)
_COST_VOLUME = re.compile(r"/cost_volume/")
_LARGEST = float(np.finfo(np.float16).max)


def to_half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """A new model that computes in float16 where ``computes_in_half`` says so.

    Raises:
        GraphCheckFailedError: nothing in it carries the names of our tracker, or a weight is too
            large for a float16.
    """
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    result = HalfPrecision(node_homes(inferred.graph))(ir.from_proto(inferred))
    if not result.modified:
        raise GraphCheckFailedError(
            "--precision fp16: no node has a name that an export gives, so it is "
            "unknown which are safe."
        )
    return ir.to_proto(result.model)


def computes_in_half(home: str, op_type: str) -> bool:
    """Whether a node of that home (see ``node_homes``) and operator may compute in float16."""
    if is_island(home):
        return False
    if _COST_VOLUME.match(home):
        # occ_linear is a Gemm and cost_conv a Conv: both read what the soft-argmax reads.
        return op_type == "MatMul"
    lowered = in_encoder(home) or in_refinement_network(home)
    return lowered and op_type in _PRODUCTS | _BETWEEN


class HalfPrecision(InPlacePass):
    """Precondition: types are known, and no body holds what is to be lowered (before a Scan).

    Postcondition: the nodes that ``computes_in_half`` chooses read and write float16, all others
    what they did; each value is cast once at most.
    """

    def __init__(self, homes: Mapping[str, str]) -> None:
        """``homes`` tell where each node stands, by its name."""
        super().__init__()
        self._homes = homes

    def call(self, model: ir.Model) -> PassResult:
        """Lower ``model`` in place; raises GraphCheckFailedError for a weight beyond float16."""
        graph = model.graph
        lowering = _Lowering(graph)
        # The soft-argmax's products come out of the same scope as the cost volume's.
        chosen = [node for node in graph if computes_in_half(self._home(node), node.op_type)]
        halves = {id(node) for node in chosen if _reads_float(node)}
        halves -= {id(node) for node in self._after_peak(graph)}
        for node in list(graph):
            if id(node) in halves:
                lowering.lower(node)
            else:
                lowering.keep(node)
        lowering.restore_outputs()
        lowering.drop_unread()
        return PassResult(model, bool(halves))

    def _home(self, node: ir.Node) -> str:
        return self._homes.get(node.name or "", "")

    def _after_peak(self, graph: Iterable[ir.Node]) -> list[ir.Node]:
        """Nodes of the cost volume that read, however indirectly, the argmax of a heatmap."""
        after: list[ir.Node] = []
        made: set[int] = set()
        for node in graph:
            if not _COST_VOLUME.match(self._home(node)):
                continue
            read = any(value is not None and id(value) in made for value in node.inputs)
            if node.op_type in ("ArgMax", "Softmax") or read:
                after.append(node)
                made.update(id(value) for value in node.outputs)
        return after


class _Lowering:
    """Which values are float16 by now, and the casts of each."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._written_in_half: set[int] = set()
        self._halves: dict[int, ir.Value] = {}
        self._singles: dict[int, ir.Value] = {}

    def lower(self, node: ir.Node) -> None:
        """Have ``node`` read and write float16 in place of float32."""
        for index, value in enumerate(node.inputs):
            if value is not None and id(value) not in self._written_in_half and _is_float(value):
                node.replace_input_with(index, self._half_of(value, node))
        for value in node.outputs:
            if _is_float(value):
                value.dtype = ir.DataType.FLOAT16
                self._written_in_half.add(id(value))

    def keep(self, node: ir.Node) -> None:
        """Have ``node`` read float32, whatever was lowered before it."""
        for index, value in enumerate(node.inputs):
            if value is not None and id(value) in self._written_in_half:
                node.replace_input_with(index, self._single_of(value))

    def restore_outputs(self) -> None:
        """Outputs of the graph are float32 under the names that they had."""
        for index, value in enumerate(self._graph.outputs):
            if id(value) in self._written_in_half:
                single = self._single_of(value)
                value.name, single.name = f"{value.name}_half", value.name
                self._graph.outputs[index] = single

    def drop_unread(self) -> None:
        """Take away the float32 weights that nothing reads any more."""
        for name, value in list(self._graph.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del self._graph.initializers[name]

    def _half_of(self, value: ir.Value, reader: ir.Node) -> ir.Value:
        known = self._halves.get(id(value))
        if known is None:
            constant = ir.convenience.get_const_tensor(value)
            if constant is None:
                known = self._cast(value, ir.DataType.FLOAT16, "half", reader)
            else:
                known = self._constant(value, constant.numpy())
            self._halves[id(value)] = known
        return known

    def _single_of(self, value: ir.Value) -> ir.Value:
        known = self._singles.get(id(value))
        if known is None:
            producer = value.producer()
            assert producer is not None
            known = self._cast(value, ir.DataType.FLOAT, "single", None)
            self._singles[id(value)] = known
        return known

    def _cast(
        self, value: ir.Value, to: ir.DataType, suffix: str, reader: ir.Node | None
    ) -> ir.Value:
        """A Cast right behind the value, or before its first reader where it is an input."""
        node = ir.node("Cast", [value], {"to": int(to)}, name=f"{value.name}_to_{suffix}")
        made = node.outputs[0]
        made.name, made.dtype, made.shape = f"{value.name}_{suffix}", to, value.shape
        producer = value.producer()
        if producer is not None:
            self._graph.insert_after(producer, node)
        else:
            assert reader is not None
            self._graph.insert_before(reader, node)
        return made

    def _constant(self, value: ir.Value, array: np.ndarray) -> ir.Value:
        if np.abs(array).max(initial=0) > _LARGEST:
            raise GraphCheckFailedError(
                f"--precision fp16: the weight {value.name} holds {np.abs(array).max():g}, and the "
                f"largest float16 is {_LARGEST:g}."
            )
        name = f"{value.name}_half"
        tensor = ir.tensor(array.astype(np.float16), name=name)
        made = ir.Value(
            name=name,
            shape=ir.Shape(list(array.shape)),
            type=ir.TensorType(ir.DataType.FLOAT16),
            const_value=tensor,
        )
        self._graph.register_initializer(made)
        return made


def _is_float(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT


def _reads_float(node: ir.Node) -> bool:
    return any(value is not None and _is_float(value) for value in node.inputs)
