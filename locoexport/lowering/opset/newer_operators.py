"""Operators that an older opset does not have, written in those it has.

Replaces: in the main graph and in bodies of If, Loop and Scan, every node whose operator is newer
than ``target`` and is defined in terms of older ones (Gelu, LayerNormalization, AffineGrid, ...);
GroupNormalization where version 21 gave its inputs another meaning; Split into ``num_outputs`` and
Pad of some axes.

Identity: the operator's own definition. ``own_bodies`` writes those that need care,
``schema_bodies`` takes all others from the schemas of the installed onnx.

Why: PyTorch's exporters write at opset 20 what no lower opset has, so that ``opset`` alone could
not bring such a file down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import onnx
import onnx_ir as ir
from onnx import numpy_helper
from onnx_ir.passes import InPlacePass, PassResult

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.domains import DEFAULT_DOMAINS, default_version
from locoexport.graphs.drafts import Draft, Names
from locoexport.graphs.schemas import schema_at, versions_of
from locoexport.graphs.values.inference import infer_shapes
from locoexport.graphs.values.known_values import KnownValue, known_values, read_constant
from locoexport.lowering.opset.own_bodies import OWN_BODIES, CannotExpandError, Writer
from locoexport.lowering.opset.schema_bodies import write_function_body
from locoexport.lowering.opset.versions import lower_opset
from locoexport.lowering.proof.cut_out import CutOut, cut_out
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance
from locoexport.lowering.volumetric.samplers.node import name_of

__all__ = ["ExpandedNode", "LeftNode", "NewerOperators", "is_newer", "newer_names"]

_WITH_MORE = 18
"""Split into a number of parts and Pad of some axes came with it."""
_PAD_AXES = 3
_LARGEST_CONSTANT = 1024
_TOLERANCES = {
    ir.DataType.DOUBLE: ProofTolerance(1e-12, "as float32, with the rounding of double"),
    ir.DataType.FLOAT16: ProofTolerance(
        8e-3,
        "one unit in the last place of a float16 of 8 to 16: computed in float32, then rounded",
    ),
    ir.DataType.BFLOAT16: ProofTolerance(
        6.3e-2, "one unit in the last place of a bfloat16 of 8 to 16"
    ),
}
_DOUBLE_GELU = ProofTolerance(1e-7, "ONNX's own body holds its constants in float32")
_FLOAT_TOLERANCE = ProofTolerance(
    2e-5,
    "measured at most 3.8e-6 in tests/lowering/opset/test_newer_operators.py (inputs of deviation "
    "4), 9.5e-7 on our own exports; the rest is for other processors",
)


@dataclass(frozen=True)
class ExpandedNode:
    """One rewritten node: what it was, at which version, and the very nodes in its place."""

    name: str
    version: int
    original: onnx.NodeProto
    replacement: tuple[onnx.NodeProto, ...]
    known: Mapping[str, KnownValue]
    constants: Mapping[str, onnx.TensorProto]
    tolerance: ProofTolerance

    @property
    def nodes_added(self) -> int:
        """How many nodes more there are than before."""
        return len(self.replacement) - 1

    @property
    def after(self) -> str:
        """The operators that stand there now, constants left out."""
        kinds = dict.fromkeys(node.op_type for node in self.replacement)
        return ", ".join(kind for kind in kinds if kind != "Constant")

    def cut_out(self, opset: int) -> CutOut:
        """Both sides, to be run beside each other."""
        return cut_out(
            ([self.original], opset),
            (self.replacement, opset),
            (self.original.output, self.original.output),
            self.known,
            self.constants,
            tolerance=self.tolerance,
        )


@dataclass(frozen=True)
class LeftNode:
    """A newer node that was left as it is, and why."""

    name: str
    op_type: str
    reason: str


def is_newer(node: onnx.NodeProto, newer: frozenset[str]) -> bool:
    """True for a node that the pass rewrites; ``newer`` are ``newer_names``."""
    if node.domain not in DEFAULT_DOMAINS or node.op_type not in newer:
        return False
    if node.op_type == "Split":
        return any(attribute.name == "num_outputs" for attribute in node.attribute)
    return node.op_type != "Pad" or (len(node.input) > _PAD_AXES and bool(node.input[_PAD_AXES]))


def newer_names(opset: int, target: int) -> frozenset[str]:
    """Operators of the default domain that ``opset`` has and ``target`` has not, or not so."""
    names = {"Split", "Pad"} if target < _WITH_MORE <= opset else set()
    return frozenset(names | {name for name in versions_of() if _is_newer(name, opset, target)})


class NewerOperators(InPlacePass):
    """Precondition: shapes were inferred; functions that hold such nodes were inlined.

    Postcondition: what was newer than ``target`` and could be expanded is expanded. ``expanded``
    holds what was rewritten by the last call, in order, and ``left`` what was not, with reasons.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self._target = target
        self.expanded: tuple[ExpandedNode, ...] = ()
        self.left: tuple[LeftNode, ...] = ()

    def call(self, model: ir.Model) -> PassResult:
        """Rewrite ``model`` in place."""
        opset = default_version(model.opset_imports)
        newer = newer_names(opset, self._target)
        names = Names.of(model)
        expanded: list[ExpandedNode] = []
        while True:
            count = len(expanded)
            left: list[LeftNode] = []
            for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
                if node.op_type not in newer or not is_newer(ir.to_proto(node), newer):
                    continue
                try:
                    expanded.append(self._expand(node, opset, self._writer(node), names))
                except CannotExpandError as reason:
                    left.append(LeftNode(name_of(node), node.op_type, str(reason)))
            if not left or len(expanded) == count:
                break
            # onnx infers nothing through some of them, and does through what is there now.
            _learn_types(model)
        self.expanded, self.left = tuple(expanded), tuple(left)
        return PassResult(model, bool(expanded))

    def _writer(self, node: ir.Node) -> Writer:
        if node.op_type in OWN_BODIES:
            return OWN_BODIES[node.op_type]
        return partial(write_function_body, lower=self._lower_body)

    def _lower_body(self, body: onnx.ModelProto) -> ir.Model:
        """A body without newer operators: it is brought down as any model is."""
        model = ir.from_proto(infer_shapes(body))
        inner = NewerOperators(self._target)
        inner(model)
        if inner.left:
            first = inner.left[0]
            raise CannotExpandError(f"its body holds {first.op_type}: {first.reason}")
        return model

    def _expand(self, node: ir.Node, opset: int, writer: Writer, names: Names) -> ExpandedNode:
        draft = Draft(name_of(node), names)
        original = ir.to_proto(node)
        known, constants = _known(node), _constants(node)
        written = list(writer(draft, node, opset))
        replacement = tuple(ir.to_proto(new) for new in draft.nodes)
        self._check_lowers(replacement, known, constants, opset)
        pairs = [(old, new) for old, new in zip(node.outputs, written, strict=True) if old.name]
        graph, schema = node.graph, schema_at(node.op_type, opset)
        assert graph is not None
        assert schema is not None
        olds, news = [old for old, _ in pairs], [new for _, new in pairs]
        ir.convenience.replace_nodes_and_values(graph, node, [node], draft.nodes, olds, news)
        return ExpandedNode(
            name=draft.prefix,
            version=schema.since_version,
            original=original,
            replacement=tuple(ir.to_proto(new) for new in draft.nodes),
            known=known,
            constants=constants,
            tolerance=_tolerance(node),
        )

    def _check_lowers(
        self,
        nodes: tuple[onnx.NodeProto, ...],
        known: Mapping[str, KnownValue],
        constants: Mapping[str, onnx.TensorProto],
        opset: int,
    ) -> None:
        """A body that cannot be brought down would only hide the operator from the refusal."""
        graph = onnx.helper.make_graph(
            nodes,
            "body",
            [
                onnx.helper.make_tensor_value_info(name, value.elem_type, value.shape)
                for name, value in known.items()
                if name not in constants
            ],
            [],
            initializer=list(constants.values()),
        )
        imports = [onnx.helper.make_opsetid("", opset)]
        try:
            lower_opset(onnx.helper.make_model(graph, opset_imports=imports), self._target)
        except GraphCheckFailedError as error:
            reasons = str(error).partition("allow it: ")[2] or str(error)
            raise CannotExpandError(f"in its body, {reasons}") from error


def _is_newer(name: str, opset: int, target: int) -> bool:
    new, old = schema_at(name, opset), schema_at(name, target)
    if new is None:
        return False
    if name == "GroupNormalization":
        return old is None or old.since_version != new.since_version
    return old is None


def _learn_types(model: ir.Model) -> None:
    """Types and shapes that the model does not state and inference finds."""
    known = known_values(ir.to_proto(model))
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for value in node.outputs:
            found = known.get(value.name or "")
            if found is None:
                continue
            if value.dtype is None:
                value.dtype = ir.DataType(found.elem_type)
            if value.shape is None and found.shape is not None:
                value.shape = ir.Shape(found.shape)


def _known(node: ir.Node) -> dict[str, KnownValue]:
    """What is known of the inputs, by name."""
    found: dict[str, KnownValue] = {}
    for value in node.inputs:
        if value is None or value.dtype is None:
            continue
        shape = None
        if value.shape is not None:
            shape = tuple(size if isinstance(size, int) else size.value for size in value.shape)
        found[str(value.name)] = KnownValue(int(value.dtype), shape)
    return found


def _constants(node: ir.Node) -> dict[str, onnx.TensorProto]:
    """The small constants among the inputs, text left out; large ones are not read."""
    found = {}
    for value in node.inputs:
        tensor = read_constant(value)
        if value is None or tensor is None or tensor.dtype == ir.DataType.STRING:
            continue
        if tensor.size <= _LARGEST_CONSTANT:
            found[str(value.name)] = numpy_helper.from_array(tensor.numpy(), str(value.name))
    return found


def _tolerance(node: ir.Node) -> ProofTolerance:
    dtype = node.outputs[0].dtype or next(
        (value.dtype for value in node.inputs if value is not None), None
    )
    if node.op_type in ("Split", "Pad") or dtype is None or not dtype.is_floating_point():
        return EXACT
    if node.op_type == "Gelu" and dtype == ir.DataType.DOUBLE:
        return _DOUBLE_GELU
    return _TOLERANCES.get(dtype, _FLOAT_TOLERANCE)
