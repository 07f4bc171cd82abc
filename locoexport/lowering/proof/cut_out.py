"""A node, cut out of its graph, and what stands in its place: two small models of one input list.

For every pass but the volumetric one (``lowering.volumetric.proof``). Small constants among a
node's inputs stay what they are; every other input is of the type and shape that the model tells.

A node that cannot be run by itself (an input of unknown type, a shape that only the rest of the
graph could compute) is no pass: it is told as not proven, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import onnx
from onnx import helper

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.values.known_values import KnownValue, is_float
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance

__all__ = ["CutOut", "NotProvenError", "cut_out"]

_IR_VERSION = 10
_POOLINGS = ("AveragePool", "MaxPool", "LpPool")
_LARGE_CONSTANT = 1024


class NotProvenError(Exception):
    """Why a node could not be run by itself."""


@dataclass(frozen=True)
class CutOut:
    """Both sides, over the same inputs ``i0``, ``i1``, ...; what they make is ``o0``, ``o1``, ...

    Two cut-outs that are equal need one proof. ``grid``, ``shape`` and ``sizes`` say which input is
    a grid of coordinates, the shape that a Reshape takes, or the size that an AffineGrid takes.
    ``least`` are the shortest spatial axes of the first input that hold one window of a pooling:
    what comes of shorter ones is left open by ONNX, and ONNX Runtime's kernels differ in it.
    """

    before: bytes
    after: bytes
    inputs: tuple[KnownValue, ...]
    grid: int | None
    shape: int | None
    sizes: int | None
    tolerance: ProofTolerance
    least: tuple[int, ...] = ()
    opsets: tuple[int, int] = (0, 0)
    operators: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for cut-outs that a runtime takes alike: operators, opsets and element types."""
        return (self.operators, self.opsets, tuple(known.elem_type for known in self.inputs))

    @property
    def same_operator(self) -> bool:
        """Whether another version of one operator is all that stands in its place."""
        return len(self.operators[0]) == 1 and self.operators[0] == self.operators[1]


def cut_out(
    before: tuple[Sequence[onnx.NodeProto], int],
    after: tuple[Sequence[onnx.NodeProto], int],
    outputs: tuple[Sequence[str], Sequence[str]],
    values: Mapping[str, KnownValue],
    constants: Mapping[str, onnx.TensorProto],
    *,
    tolerance: ProofTolerance = EXACT,
    no_tensors: Mapping[str, str] = MappingProxyType({}),
) -> CutOut:
    """Both sides as models.

    Args:
        before: the original node or nodes, and their opset.
        after: what stands in their place, and its opset.
        outputs: what the two sides make, in the same order.
        values: types and shapes of what the nodes may take, by name.
        constants: those of them that are constants.
        tolerance: how far the two may be apart.
        no_tensors: what values are that are no tensors (``sequence``), by name.

    Raises:
        NotProvenError: an input's type or rank is unknown, or it is no tensor.
    """
    taken = list(dict.fromkeys(name for name in _taken(before[0]) if name))
    kept = [name for name in taken if name in constants and not _is_large(constants[name])]
    free = [name for name in taken if name not in kept]
    for name in free:
        if name in no_tensors:
            raise NotProvenError(
                f"it reads a {no_tensors[name]} ({name!r}); nodes are tried by themselves on "
                "tensors only"
            )
    inputs = tuple(_known(name, values, constants) for name in free)
    renamed = {name: f"i{number}" for number, name in enumerate(free)}
    renamed |= {name: f"c{number}" for number, name in enumerate(kept)}
    sides = []
    for (nodes, opset), made in zip((before, after), outputs, strict=True):
        names = renamed | {name: f"o{number}" for number, name in enumerate(made) if name}
        initializers = [_named(constants[name], renamed[name]) for name in kept]
        sides.append(_model(nodes, opset, names, inputs, initializers))
    return CutOut(
        before=sides[0],
        after=sides[1],
        inputs=inputs,
        grid=_second_input(before[0], "GridSample", free),
        shape=_second_input(before[0], "Reshape", free),
        sizes=_second_input(before[0], "AffineGrid", free),
        tolerance=tolerance,
        least=_window(before[0][0]) if len(before[0]) == 1 else (),
        opsets=(before[1], after[1]),
        operators=(_operators(before[0]), _operators(after[0])),
    )


def _window(node: onnx.NodeProto) -> tuple[int, ...]:
    """How long the spatial axes of a pooling's input are at least, one window being whole."""
    if node.op_type not in _POOLINGS:
        return ()
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}
    kernel = given.get("kernel_shape", [])
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return ()
    steps = given.get("dilations") or [1] * len(kernel)
    padding = given.get("pads") or [0] * 2 * len(kernel)
    if not len(kernel) == len(steps) == len(padding) / 2:
        return ()
    lengths = zip(kernel, steps, padding[: len(kernel)], padding[len(kernel) :], strict=True)
    return tuple((size - 1) * step + 1 - low - high for size, step, low, high in lengths)


def _operators(nodes: Sequence[onnx.NodeProto]) -> tuple[str, ...]:
    return tuple(node.op_type for node in nodes)


def _taken(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    made = {name for node in nodes for name in node.output}
    return [name for node in nodes for name in node.input if name not in made]


def _known(
    name: str, values: Mapping[str, KnownValue], constants: Mapping[str, onnx.TensorProto]
) -> KnownValue:
    if name in constants:
        return KnownValue(constants[name].data_type, tuple(constants[name].dims))
    known = values.get(name)
    if known is None or known.shape is None:
        raise NotProvenError(
            f"the {'type' if known is None else 'rank'} of its input {name!r} is unknown"
        )
    return known


def _second_input(nodes: Sequence[onnx.NodeProto], op_type: str, free: list[str]) -> int | None:
    """Which free input is the second one of a node of this kind."""
    seconds = [node.input[1] for node in nodes if node.op_type == op_type and len(node.input) > 1]
    return free.index(seconds[0]) if seconds and seconds[0] in free else None


def _is_large(tensor: onnx.TensorProto) -> bool:
    known = KnownValue(tensor.data_type, ())
    return is_float(known) and math.prod(tensor.dims) > _LARGE_CONSTANT


def _named(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _model(
    nodes: Sequence[onnx.NodeProto],
    opset: int,
    names: Mapping[str, str],
    inputs: Sequence[KnownValue],
    initializers: list[onnx.TensorProto],
) -> bytes:
    copies = []
    inner: dict[str, str] = {}
    for number, node in enumerate(nodes):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"n{number}"
        copy.ClearField("doc_string")
        copy.ClearField("metadata_props")
        for field in (copy.input, copy.output):
            for name in field:
                inner.setdefault(name, f"m{len(inner)}")
            field[:] = [names.get(name, inner[name]) if name else "" for name in field]
        copies.append(copy)
    made = {name for copy in copies for name in copy.output}
    outputs = [f"o{number}" for number in range(len(names)) if f"o{number}" in made]
    graph = helper.make_graph(
        copies,
        "cut_out",
        [
            helper.make_tensor_value_info(f"i{number}", known.elem_type, [None] * len(known.shape))
            for number, known in enumerate(inputs)
            if known.shape is not None
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        initializer=initializers,
    )
    others = sorted({node.domain for node in nodes} - set(DEFAULT_DOMAINS))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in others)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))
