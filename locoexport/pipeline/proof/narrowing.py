"""The first node of a file that computes something else than a fresh export of the same model.

Both run on the same inputs in the same runtime, and the same versions give the same names, so that
values agree to the last bits up to the fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport.contract.seams import Seam
from locoexport.graphs.exposed_values import value_names
from locoexport.graphs.node_difference import NodeIndex, differences, index_nodes
from locoexport.graphs.walking import iterate_nodes
from locoexport.inspection.parts import UNATTRIBUTED, assign_parts
from locoexport.parity.divergence import Difference, NodeFault, largest_difference
from locoexport.parity.probes import Probe
from locoexport.pipeline.proof.studied_model import StudiedModel

__all__ = ["Narrowed", "find_node"]

_SAME = {"fp32": 1e-5, "fp16": 1e-3, "int8": 2e-2}
"""Values of the same name differ by less than this share of their largest. Both graphs run without
optimisations in one runtime, so that equal nodes give equal bits on the CPU; the share is for
providers that sum in another order each time: two roundings of float16 (11 bits), and five steps of
8 bits, whose ranges another machine finds a little elsewhere."""
_AT_ONCE = 200
"""Values given out in one run: more would hold more memory than they save time."""


@dataclass(frozen=True)
class Narrowed:
    """The node, or why there is none; ``compared`` counts the values that both have."""

    node: NodeFault | None
    compared: int
    note: str = ""


def find_node(
    suspect: StudiedModel,
    fresh: StudiedModel,
    probe: Probe,
    seams: Sequence[Seam],
    departing: Seam,
    precision: str,
) -> Narrowed:
    """Look for the first node at fault, up to the seam that departs from torch.

    Args:
        suspect: the file.
        fresh: an export of the same model, as it is made today.
        probe: inputs on which the file departs.
        seams: all, in the order of computation.
        departing: the first that departs from torch.
        precision: of the file, and of the fresh export.
    """
    suspect, fresh = replace(suspect, optimised=False), replace(fresh, optimised=False)
    same = _SAME[precision]
    upto = seams[: seams.index(departing) + 1]
    names = {name for seam in upto for name in _names(seam)}
    ours, theirs = suspect.run(probe, names), fresh.run(probe, names)
    compared = [seam for seam in upto if _name_in(seam, ours) and _name_in(seam, theirs)]
    differing = [
        seam
        for seam in compared
        if _differ(ours[_name_in(seam, ours)], theirs[_name_in(seam, theirs)], same)
    ]
    if not differing:
        return Narrowed(
            None,
            len(compared),
            "a fresh export departs from torch in the same way: the fault is in the exporter and "
            f"not in this file, in the step from the seam before to {departing}",
        )
    target = differing[0]
    known = {_name_in(seam, ours) for seam in compared if seam not in differing}
    for role, graph in suspect.graphs.items():
        index = index_nodes(graph)
        value = next((name for name in _names(target) if name in index.makers), None)
        if value is not None and role in fresh.graphs:
            segment = index.ancestors(value, known)
            ordered = [name for name in value_names(graph) if name in segment]
            return _search(suspect, fresh, probe, ordered, index, graph, fresh.graphs[role], same)
    return Narrowed(None, len(compared), f"no node of the file makes {target.tensor}")


def _search(
    suspect: StudiedModel,
    fresh: StudiedModel,
    probe: Probe,
    ordered: Sequence[str],
    index: NodeIndex,
    graph: onnx.ModelProto,
    fresh_graph: onnx.ModelProto,
    same: float,
) -> Narrowed:
    good = index_nodes(fresh_graph)
    ordered = [name for name in ordered if name not in index.constants]
    compared = 0
    for start in range(0, len(ordered), _AT_ONCE):
        names = ordered[start : start + _AT_ONCE]
        ours = suspect.run(probe, names)
        theirs = fresh.run(probe, [name for name in names if name in good.makers])
        for name in names:
            fault = _fault(name, ours, theirs, same)
            compared += name in ours and name in theirs
            if fault is not None:
                node = index.makers[name]
                causes = (*differences(name, index, good), *_overflow(fault, index, name))
                part = _part(graph, node)
                return Narrowed(
                    NodeFault(node.name or name, node.op_type, name, part, fault, causes), compared
                )
    return Narrowed(
        None,
        compared,
        "every earlier value that a fresh export has too agrees; the difference is in nodes that "
        "only this file has",
    )


def _fault(
    name: str, ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]], same: float
) -> Difference | None:
    """How the value is at fault: it differs, or is not finite and not in the other file."""
    if name not in ours:
        return None
    found = ours[name]
    if name in theirs:
        return (
            largest_difference(theirs[name], found) if _differ(found, theirs[name], same) else None
        )
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        return Difference(float("inf"), index, float("nan"), float(found[index]))
    return None


def _differ(found: NDArray[Any], expected: NDArray[Any], same: float) -> bool:
    if found.shape != expected.shape:
        return True
    if expected.dtype.kind != "f":
        return bool((found != expected).any())
    finite = expected[np.isfinite(expected)]
    scale = float(np.abs(finite).max(initial=0.0))
    return largest_difference(expected, found).error > same * scale


def _overflow(fault: Difference, index: NodeIndex, name: str) -> tuple[str, ...]:
    """What is not finite in half precision has most likely left its range."""
    node = index.makers[name]
    to_half = node.op_type == "Cast" and any(
        a.name == "to" and a.i == onnx.TensorProto.FLOAT16 for a in node.attribute
    )
    if to_half and not np.isfinite(fault.found):
        return ("float16 ends at 65504, and the value exceeds it",)
    return ()


def _part(graph: onnx.ModelProto, node: onnx.NodeProto) -> str:
    nodes = list(iterate_nodes(graph))
    parts = assign_parts(nodes)
    found = next(
        (part for other, part in zip(nodes, parts, strict=True) if other.output == node.output),
        UNATTRIBUTED,
    )
    return str(found)


def _names(seam: Seam) -> tuple[str, ...]:
    return (seam.tensor,) if seam.split_output is None else (seam.tensor, seam.split_output)


def _name_in(seam: Seam, values: Mapping[str, NDArray[Any]]) -> str:
    return next((name for name in _names(seam) if name in values), "")
