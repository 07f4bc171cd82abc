"""What a file states of its values and its inputs do not imply, taken out of the written file.

ONNX Runtime replaces a Shape node by the shape that value_info states, and shares buffers among
values of one stated size. So a length that is stated and not true (of a model whose inputs were
opened afterwards, say) would make new nodes that read lengths at run time wrong, or make them fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from locoexport.graphs.structure import is_length
from locoexport.graphs.values.inference import infer_from_inputs, with_named_axes
from locoexport.graphs.walking import bodies_of, iterate_graphs, iterate_nodes
from locoexport.graphs.weights.external_data import with_small_tensors
from locoexport.notices import Listener, Notice

__all__ = ["warn_of_stale", "without_stale_statements", "without_statements"]


def without_stale_statements(
    rewritten: onnx.ModelProto, before: onnx.ModelProto, folder: Path | None
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """``rewritten`` without the lengths and element types that its inputs contradict.

    What is left of a shape is its rank and the names of open lengths. Lengths that nothing
    contradicts and nothing implies go only where they may be stale all the same: of values that
    follow from an input with an open axis (ONNX Runtime shares buffers among values that it takes
    to be of one size), and of those from which follows a value whose length new nodes read. Graph
    outputs keep what they state, unless new nodes read it.

    Args:
        rewritten: the model to be written; it is not changed.
        before: the model that the passes took, with the same names of values; the same object where
            there are no new nodes.
        folder: where external data lies.

    Returns:
        The model, ``rewritten`` itself where nothing is stale, and the values that lost something.
    """
    facts = _Facts.of(before, folder)
    new = _newly_read(rewritten, before) if rewritten is not before else ()
    read = _ancestors(rewritten, set(new))
    varying = _descendants(rewritten, facts.open_inputs)
    result = onnx.ModelProto()
    result.CopyFrom(rewritten)
    changed: dict[str, None] = {}
    for value, is_output in _statements(result):
        if is_output and value.name not in read:
            continue
        # The element type of an output is what callers rely on.
        wrong = not is_output and _correct_type(value, facts)
        doubtful = value.name in read or value.name in varying
        if _clear_lengths(value, facts, doubtful=doubtful) or wrong:
            changed[value.name] = None
    return (result if changed else rewritten), tuple(changed)


def without_statements(model: onnx.ModelProto, folder: Path | None) -> onnx.ModelProto:
    """A model that computes the same and states nothing of what it computes but its outputs' types:
    whatever a runtime needs to know, it infers. ``model`` itself where it states nothing anyway.
    """
    corrected, _ = without_stale_statements(model, model, folder)
    result = onnx.ModelProto()
    result.CopyFrom(corrected)
    for index, graph in enumerate(iterate_graphs(result)):
        del graph.value_info[:]
        for value in (*graph.output, *(graph.input if index else ())):
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    return model if result == model else result


def warn_of_stale(names: Sequence[str], notify: Listener) -> None:
    """One line about them all; nothing where there are none."""
    if not names:
        return
    values = "1 value" if len(names) == 1 else f"{len(names):,} values"
    notify(
        Notice(
            f"Of {values} the file states lengths or types that its inputs do not imply (the first "
            f"is {names[0][:80]!r}). The written file leaves these out.",
            warning=True,
        )
    )


@dataclass(frozen=True)
class _Facts:
    """What the inputs imply, by the name of a value: element types and dimensions in every scope.

    ``from_inputs`` are the names of open axes of inputs, ``open_inputs`` those of these inputs.
    """

    types: dict[str, set[int]] = field(default_factory=dict)
    dimensions: dict[str, list[tuple[int | str | None, ...]]] = field(default_factory=dict)
    from_inputs: set[str] = field(default_factory=set)
    open_inputs: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, model: onnx.ModelProto, folder: Path | None) -> _Facts:
        """The facts that inference finds."""
        facts = cls()
        inferred = infer_from_inputs(with_named_axes(with_small_tensors(model, folder)))
        for value in inferred.graph.input:
            dims = value.type.tensor_type.shape.dim
            names = {dim.dim_param for dim in dims if dim.dim_param}
            facts.from_inputs.update(names)
            if names or not value.type.tensor_type.HasField("shape"):
                facts.open_inputs.add(value.name)
        for graph in iterate_graphs(inferred):
            for value in (*graph.input, *graph.output, *graph.value_info):
                tensor_type = value.type.tensor_type
                facts.types.setdefault(value.name, set()).add(tensor_type.elem_type)
                if tensor_type.HasField("shape"):
                    known = tuple(
                        dim.dim_value if is_length(dim) else dim.dim_param or None
                        for dim in tensor_type.shape.dim
                    )
                    facts.dimensions.setdefault(value.name, []).append(known)
            for tensor in graph.initializer:
                facts.types.setdefault(tensor.name, set()).add(tensor.data_type)
                facts.dimensions.setdefault(tensor.name, []).append(tuple(tensor.dims))
        return facts

    def contradict(self, name: str, axis: int, rank: int, length: int) -> bool:
        """Whether this length of a value is not what it can be."""
        for known in self.dimensions.get(name, []):
            if len(known) != rank:
                continue
            found = known[axis]
            if isinstance(found, int):
                if found != length:
                    return True
            elif found in self.from_inputs:
                return True
        return False

    def contradict_rank(self, name: str, rank: int) -> bool:
        """Whether a value has another rank than this in every scope that has one of the name."""
        found = self.dimensions.get(name, [])
        return bool(found) and all(len(known) != rank for known in found)

    def imply(self, name: str, axis: int, rank: int, length: int) -> bool:
        """Whether this length of a value is known to be so."""
        found = self.dimensions.get(name, [])
        return bool(found) and all(len(k) == rank and k[axis] == length for k in found)


def _statements(model: onnx.ModelProto) -> Iterator[tuple[onnx.ValueInfoProto, bool]]:
    """Every value that something is stated of, and whether it is an output of the main graph."""
    for index, graph in enumerate(iterate_graphs(model)):
        yield from ((value, False) for value in graph.value_info)
        yield from ((value, index == 0) for value in graph.output)
        if index:
            yield from ((value, False) for value in graph.input)


def _clear_lengths(value: onnx.ValueInfoProto, facts: _Facts, *, doubtful: bool) -> bool:
    dims = value.type.tensor_type.shape.dim
    if facts.contradict_rank(value.name, len(dims)) and value.type.tensor_type.HasField("shape"):
        value.type.tensor_type.ClearField("shape")
        return True
    cleared = False
    for axis, dim in enumerate(dims):
        if not is_length(dim):
            continue
        place = (value.name, axis, len(dims), dim.dim_value)
        if facts.contradict(*place) or (doubtful and not facts.imply(*place)):
            dim.ClearField("dim_value")
            cleared = True
    return cleared


def _correct_type(value: onnx.ValueInfoProto, facts: _Facts) -> bool:
    known = facts.types.get(value.name, set())
    tensor_type = value.type.tensor_type
    if len(known) != 1 or known <= {0, tensor_type.elem_type} or not tensor_type.elem_type:
        return False
    tensor_type.elem_type = next(iter(known))
    return True


def _newly_read(rewritten: onnx.ModelProto, before: onnx.ModelProto) -> Iterator[str]:
    """Values whose lengths are read by nodes that a pass wrote."""
    old = {name for node in iterate_nodes(before) for name in node.output}
    for node in iterate_nodes(rewritten):
        if node.op_type in ("Shape", "Size") and not old.issuperset(node.output):
            yield node.input[0]


def _ancestors(model: onnx.ModelProto, names: set[str]) -> set[str]:
    """The values and all that they are computed from, bodies included."""
    return _closure(_sources(model), names)


def _descendants(model: onnx.ModelProto, names: set[str]) -> set[str]:
    """The values and all that is computed from them, bodies included."""
    made_of: dict[str, set[str]] = {}
    for name, sources in _sources(model).items():
        for source in sources:
            made_of.setdefault(source, set()).add(name)
    return _closure(made_of, names)


def _closure(edges: Mapping[str, set[str]], names: set[str]) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name and name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _sources(model: onnx.ModelProto) -> dict[str, set[str]]:
    """What each value is computed from, by name over all scopes."""
    made_from: dict[str, set[str]] = {}
    for graph in iterate_graphs(model):
        for node in graph.node:
            bodies = list(bodies_of(node))
            sources = {*node.input, *(value.name for body in bodies for value in body.output)}
            for body in bodies:
                for value in body.input:  # a state of the loop, or a slice of what is scanned
                    made_from.setdefault(value.name, set()).update(node.input)
            for name in node.output:
                made_from.setdefault(name, set()).update(sources)
    return made_from
