"""Where nodes would run on providers that are not here, from tables of kernels.

A forecast, not a measurement: it knows operators, versions, types and ranks, and nothing of what a
provider decides by cost. What no table tells is unknown, and is said to be. Where a provider is at
hand, ``verify --provider`` tells what really ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx.defs import OpSchema
from onnx.inliner import inline_local_functions

from locoexport.graphs.domains import (
    DEFAULT_DOMAINS,
    imported_versions,
    plain_domain,
    qualified_name,
)
from locoexport.graphs.schemas import schema_at
from locoexport.graphs.values.inference import infer_shapes
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.inspection.kernel_tables import (
    Kernel,
    KernelTable,
    Restriction,
    kernel_tables,
    list_versions,
)
from locoexport.inspection.parts import UNATTRIBUTED, assign_parts

__all__ = ["Forecast", "NodeGroup", "forecast_providers"]

_GROUPS_SHOWN = 3
_READ_BY_ALL = "Constant"
"""No kernel runs it: ONNX Runtime makes an initializer of it, the importers of the others read it.
"""
_TABLED_DOMAINS = ("", "com.microsoft", "ai.onnx.ml")
"""Those that a complete table lists; what is registered in others is anyone's."""
_TYPE_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one kind in one part of the model, and why they have no kernel or are unknown."""

    op_type: str
    part: str
    count: int
    reason: str


@dataclass(frozen=True)
class Forecast:
    """One provider: nodes with a kernel, nodes without, and nodes that nothing is known of.

    ``without_kernel`` is what happens to those without. ``source`` is where the table of kernels is
    from, ``version`` of what and ``read`` the day it was read; ``note_sources`` has where each of
    ``notes`` is from.
    """

    provider: str
    covered: int
    uncovered: tuple[NodeGroup, ...]
    unknown: tuple[NodeGroup, ...]
    without_kernel: str
    notes: tuple[str, ...]
    note_sources: tuple[str, ...]
    source: str
    version: str
    read: str

    @property
    def missing(self) -> int:
        """How many nodes have no kernel."""
        return sum(group.count for group in self.uncovered)

    @property
    def undecided(self) -> int:
        """Of how many nodes it is unknown."""
        return sum(group.count for group in self.unknown)

    @property
    def total(self) -> int:
        """How many nodes there are."""
        return self.covered + self.missing + self.undecided

    @property
    def groups(self) -> str:
        """Which nodes have none, in which part, and what happens to them; empty where all have."""
        if not self.uncovered:
            return ""
        return f"{_listed_groups(self.uncovered)}: each {self.without_kernel}"

    @property
    def unknown_groups(self) -> str:
        """Which nodes are unknown, in which part and why; empty where none is."""
        return _listed_groups(self.unknown) if self.unknown else ""


@dataclass(frozen=True)
class _Value:
    rank: int | None
    type: str | None


@dataclass(frozen=True)
class _Model:
    """What the tables are asked with: versions by domain, and what is known of values."""

    opsets: Mapping[str, int]
    values: Mapping[str, _Value]
    functions: frozenset[tuple[str, str]]

    def schema(self, node: onnx.NodeProto) -> OpSchema | None:
        domain = plain_domain(node.domain)
        return schema_at(node.op_type, self.opsets.get(domain, 1), domain)

    def first_input(self, node: onnx.NodeProto) -> _Value:
        name = node.input[0] if node.input else ""
        return self.values.get(name, _Value(None, None))


@dataclass(frozen=True)
class _Verdict:
    state: str
    reason: str = ""


_HAS_KERNEL = _Verdict("kernel")


def forecast_providers(
    model: onnx.ModelProto, providers: Sequence[str] | None = None
) -> tuple[Forecast, ...]:
    """What each provider of the tables has kernels for, in the tables' order.

    Args:
        model: any graph.
        providers: only these, by the tables' names.
    """
    model = _with_functions_inlined(model)
    asked = _Model(
        opsets=imported_versions(model),
        values=_values(model),
        functions=frozenset((function.domain, function.name) for function in model.functions),
    )
    # A call of one of the model's own functions is no operator: the nodes inside are.
    nodes = [n for n in iterate_nodes(model) if (n.domain, n.op_type) not in asked.functions]
    parts = [str(part) for part in assign_parts(nodes)]
    return tuple(
        _forecast(table, list(zip(nodes, parts, strict=True)), asked)
        for provider, table in kernel_tables().items()
        if providers is None or provider in providers
    )


def _forecast(
    table: KernelTable, nodes: Sequence[tuple[onnx.NodeProto, str]], model: _Model
) -> Forecast:
    counts: dict[str, Counter[tuple[str, str, str]]] = {"none": Counter(), "unknown": Counter()}
    for node, part in nodes:
        verdict = _judge(node, table, model)
        if verdict.state in counts:
            counts[verdict.state][qualified_name(node), part, verdict.reason] += 1
    used = {qualified_name(node) for node, _ in nodes}
    remarks = [
        remark
        for remark in table.remarks
        if not remark.operators or not used.isdisjoint(remark.operators)
    ]
    return Forecast(
        provider=table.provider,
        covered=len(nodes) - sum(sum(counter.values()) for counter in counts.values()),
        uncovered=_groups(counts["none"]),
        unknown=_groups(counts["unknown"]),
        without_kernel=table.without_kernel,
        notes=tuple(remark.text for remark in remarks),
        note_sources=tuple(remark.source for remark in remarks),
        source=table.source,
        version=table.version,
        read=table.read,
    )


def _groups(counts: Counter[tuple[str, str, str]]) -> tuple[NodeGroup, ...]:
    return tuple(
        NodeGroup(op_type, part, count, reason)
        for (op_type, part, reason), count in counts.most_common()
    )


def _place(part: str) -> str:
    """Where nodes are; a stranger's model has no parts that we know."""
    return "" if part == str(UNATTRIBUTED) else f" of {part}"


def _listed_groups(groups: Sequence[NodeGroup]) -> str:
    shown = [
        f"{group.count} {group.op_type}{_place(group.part)} ({group.reason})"
        for group in groups[:_GROUPS_SHOWN]
    ]
    rest = len(groups) - len(shown)
    more = f"; and {rest} more kinds" if rest else ""
    return "; ".join(shown) + more


def _judge(node: onnx.NodeProto, table: KernelTable, model: _Model) -> _Verdict:
    name = qualified_name(node)
    schema = model.schema(node)
    if name == _READ_BY_ALL:
        return _HAS_KERNEL
    kernels = table.operators.get(name)
    if kernels is None and name not in table.added:
        return _judge_unlisted(node, name, table, schema)
    version = schema.since_version if schema is not None else 1
    if schema is None and node.domain in DEFAULT_DOMAINS:
        return _Verdict("unknown", "no such operator in the standard at this opset")
    restriction = table.restricted.get(name)
    if restriction is not None:
        refused = _restricted(restriction, node, model.first_input(node))
        if refused:
            return _Verdict("none", refused)
    if kernels is None:
        return _HAS_KERNEL
    return _judge_kernels(node, kernels, table, schema, version, model)


def _judge_unlisted(
    node: onnx.NodeProto, name: str, table: KernelTable, schema: OpSchema | None
) -> _Verdict:
    if name in table.refused:
        return _Verdict("none", "listed as not supported")
    domain = plain_domain(node.domain)
    if domain not in _TABLED_DOMAINS:
        return _Verdict("unknown", f"{domain} is no domain of the standard")
    if not table.complete:
        return _Verdict("unknown", "not in its table")
    if schema is not None and _has_definition(schema):
        return _Verdict("unknown", "no kernel of its own: its definition's operators run instead")
    return _Verdict("none", "no kernel")


def _has_definition(schema: OpSchema) -> bool:
    """Whether the standard defines the operator by others, which a runtime may put in its place."""
    return any(getattr(schema, name) for name in ("has_function", "has_context_dependent_function"))


def _restricted(rule: Restriction, node: onnx.NodeProto, value: _Value) -> str:
    """Why a restriction of the tables refuses a node; empty where it does not."""
    if rule.ranks and value.rank not in (None, *rule.ranks):
        return f"rank {value.rank}, kernels for {_listed(rule.ranks)}"
    if rule.types and value.type not in (None, *rule.types):
        return f"{value.type}, kernels for {_listed(rule.types)}"
    mode = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "mode"), "")
    return f"mode {mode}: {rule.reason}" if mode in rule.modes else ""


def _judge_kernels(
    node: onnx.NodeProto,
    kernels: Sequence[Kernel],
    table: KernelTable,
    schema: OpSchema | None,
    version: int,
    model: _Model,
) -> _Verdict:
    if table.newest_opset is not None and version > table.newest_opset:
        return _Verdict("unknown", f"of opset {version}, its table ends at {table.newest_opset}")
    of_version = [kernel for kernel in kernels if kernel.covers(version)]
    if not of_version:
        if table.complete:
            return _Verdict("none", f"version {version}, kernels for {list_versions(kernels)}")
        return _Verdict("unknown", f"version {version} is not in its table")
    stated = list(_typed_constraints(node, schema, model.values))
    cast = [_Stated(value.names, table.read_as.get(value.type, value.type)) for value in stated]
    misfits = [_misfit(kernel, stated) for kernel in of_version]
    if any(misfit is None for misfit in misfits):
        return _HAS_KERNEL
    if cast != stated and any(_misfit(kernel, cast) is None for kernel in of_version):
        return _HAS_KERNEL
    reason = _why_no_fit([misfit for misfit in misfits if misfit is not None])
    # Without the operator's schema, which type a table speaks of is a guess.
    return _Verdict("unknown" if schema is None else "none", reason)


@dataclass(frozen=True)
class _Stated:
    """The type of an input or output, and the names that a table may give its constraint."""

    names: tuple[str, ...]
    type: str


@dataclass(frozen=True)
class _Misfit:
    """A type of a node that a kernel is not for, and those that it is for there."""

    found: str
    known: frozenset[str]


def _typed_constraints(
    node: onnx.NodeProto, schema: OpSchema | None, values: Mapping[str, _Value]
) -> Iterator[_Stated]:
    """What is known of the types of a node's inputs and outputs."""
    if schema is None:
        first = values.get(node.input[0]) if node.input else None
        if first is not None and first.type is not None:
            yield _Stated(("T", "T1", "0"), first.type)
        return
    for names, formals, are_inputs in (
        (node.input, schema.inputs, True),
        (node.output, schema.outputs, False),
    ):
        for index, name in enumerate(names):
            kind = values[name].type if name in values else None
            if kind is not None and formals:
                formal = formals[min(index, len(formals) - 1)]
                position = (str(index),) if are_inputs else ()
                yield _Stated((formal.type_str, formal.name, *position), kind)


def _misfit(kernel: Kernel, stated: Sequence[_Stated]) -> _Misfit | None:
    """The first type that a kernel is not for; None where it fits."""
    for value in stated:
        for name in value.names:
            types = kernel.types.get(name)
            if types is not None and value.type not in types:
                return _Misfit(value.type, types)
    return None


def _why_no_fit(misfits: Sequence[_Misfit]) -> str:
    found = misfits[0].found
    known = frozenset[str]().union(*(misfit.known for misfit in misfits if misfit.found == found))
    if found in known or any(misfit.found != found for misfit in misfits):
        return f"no kernel for {_listed(sorted({m.found for m in misfits}))} in these places"
    return f"{found}, kernels for {_listed(sorted(known))}"


def _values(model: onnx.ModelProto) -> dict[str, _Value]:
    """Rank and type of every value that shape inference knows."""
    found: dict[str, _Value] = {}
    for graph in iterate_graphs(infer_shapes(model)):
        known = {
            tensor.name: _value(len(tensor.dims), tensor.data_type) for tensor in graph.initializer
        }
        for value in (*graph.value_info, *graph.input, *graph.output):
            tensor = value.type.tensor_type
            rank = len(tensor.shape.dim) if tensor.HasField("shape") else None
            known.setdefault(value.name, _value(rank, tensor.elem_type))
        for name, value in known.items():
            # Two branches may use one name for different values: then nothing is known of it.
            found[name] = value if found.get(name, value) == value else _Value(None, None)
    return found


def _value(rank: int | None, element: int) -> _Value:
    return _Value(rank, _type_name(element))


def _with_functions_inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the nodes of its functions where they run; as it is where that fails."""
    if not model.functions:
        return model
    try:
        return inline_local_functions(model)
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return model


def _type_name(element: int) -> str | None:
    if element not in onnx.TensorProto.DataType.values() or element == onnx.TensorProto.UNDEFINED:
        return None
    name = str(onnx.TensorProto.DataType.Name(element))
    return _TYPE_NAMES.get(name, name.lower())


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
