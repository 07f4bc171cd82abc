"""What each pass did to a node, and its proof: cut out, and run beside the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx

from locoexport.graphs.values.deduced_types import types_in
from locoexport.graphs.values.known_values import KnownValue, constants_of, known_values
from locoexport.graphs.walking import iterate_scopes
from locoexport.lowering.opset.newer_operators import ExpandedNode
from locoexport.lowering.opset.single_axis_squeeze import SplitSqueeze
from locoexport.lowering.opset.versions import LoweredNode, LoweredOpset
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError, cut_out
from locoexport.lowering.proof.kernels import kernel_tolerance
from locoexport.lowering.proof.tolerance import ProofTolerance
from locoexport.lowering.proof.trials import CutOutProof, prove_cut_outs
from locoexport.lowering.volumetric.grid_sample import LoweredSample, predicted_peak_bytes
from locoexport.lowering.volumetric.proof import prove_sample
from locoexport.notices import Listener, Notice
from locoexport.pipeline.rewriting.report import NodeRewrite

__all__ = [
    "PROVING",
    "Rewritten",
    "of_expanded",
    "of_opset",
    "of_sample",
    "of_squeeze",
    "prove_all",
]

PROVING = "proving"
"""What a notice says while a node is proven."""

_Outcome = CutOutProof | str
"""A proof, or the reason why there is none."""


@dataclass(frozen=True, eq=False)
class Rewritten:
    """A row of the report before its proof, and what there is to prove.

    ``subject`` is a lowered sample, a split Squeeze, a newer operator, or cut-outs (a text where a
    node could not be cut out: the reason).
    """

    node: NodeRewrite
    subject: LoweredSample | SplitSqueeze | ExpandedNode | tuple[CutOut | str, ...]


def of_sample(sample: LoweredSample, pass_name: str) -> Rewritten:
    """One volumetric GridSample."""
    row = NodeRewrite(
        sample.sample.name,
        pass_name,
        str(sample.sample),
        sample.after,
        sample.nodes_added,
        peak_bytes=predicted_peak_bytes(sample.sample, sample.to),
    )
    return Rewritten(row, sample)


def of_squeeze(split: SplitSqueeze, pass_name: str) -> Rewritten:
    """One Squeeze."""
    after = f"{len(split.axes)} in a row" if split.axes else "no Squeeze: no axis is of length 1"
    before = f"Squeeze of axes {sorted(split.axes)}"
    return Rewritten(NodeRewrite(split.name, pass_name, before, after, split.nodes_added), split)


def of_expanded(node: ExpandedNode, pass_name: str) -> Rewritten:
    """One operator that is newer than the opset that is wanted."""
    before = _told(node.original, node.version)
    row = NodeRewrite(node.name, pass_name, before, node.after, node.nodes_added)
    return Rewritten(row, node)


def of_opset(
    lowered: LoweredOpset, original: onnx.ModelProto, before: int, after: int, pass_name: str
) -> list[Rewritten]:
    """A row for each node whose text changed, then one for each operator that is read anew."""
    if not lowered.nodes:
        return []
    values, constants = known_values(original), constants_of(original)
    no_tensors = _no_tensors(original)

    def subject(node: LoweredNode) -> CutOut | str:
        try:
            return cut_out(
                ([node.before], before),
                ([node.after], after),
                (node.before.output, node.after.output),
                values,
                constants,
                tolerance=_allowed(node, values),
                no_tensors=no_tensors,
            )
        except NotProvenError as reason:
            return str(reason)

    rows = []
    alike: dict[tuple[str, int, int], list[CutOut | str]] = {}
    for node in lowered.nodes:
        key = (node.before.op_type, node.version_before, node.version_after)
        if not node.rewritten:
            alike.setdefault(key, []).append(subject(node))
            continue
        name = node.before.name or str(node.before.output[0])
        row = NodeRewrite(name, pass_name, _told(node.before, key[1]), _told(node.after, key[2]), 0)
        rows.append(Rewritten(row, (subject(node),)))
    for (operator, first, second), subjects in alike.items():
        row = NodeRewrite(
            f"{len(subjects)}× {operator}", pass_name, f"version {first}", f"version {second}", 0
        )
        rows.append(Rewritten(row, tuple(subjects)))
    return rows


def _no_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """What the values are that are stated to be no tensors, in the main graph and in bodies."""
    scopes = iterate_scopes(model.graph)
    kinds = {name: kind for graph in scopes for name, kind in types_in(graph).items()}
    told = {name: str(kind.WhichOneof("value") or "tensor_type") for name, kind in kinds.items()}
    return {
        name: kind.removesuffix("_type").replace("_", " ")
        for name, kind in told.items()
        if kind != "tensor_type"
    }


def _allowed(node: LoweredNode, values: Mapping[str, KnownValue]) -> ProofTolerance:
    known = values.get(node.before.input[0]) if node.before.input else None
    return kernel_tolerance(
        node.before.op_type,
        node.version_before,
        node.version_after,
        None if known is None else known.elem_type,
    )


def prove_all(
    done: Sequence[Rewritten], opsets: tuple[int, int], notify: Listener
) -> tuple[NodeRewrite, ...]:
    """Each row with its proof; ``opsets`` are the model's before and after."""
    samples = [row for row in done if isinstance(row.subject, LoweredSample)]
    subjects = {row: _cut_outs(row, opsets[0]) for row in done if row not in samples}
    # Equal cut-outs are run once.
    unique = list(dict.fromkeys(one for cuts in subjects.values() for one in cuts))
    cut_outs = [one for one in unique if isinstance(one, CutOut)]
    total = len(samples) + len(cut_outs)
    proven: dict[Rewritten, NodeRewrite] = {}
    if total:
        notify(Notice(PROVING, done=0, total=total))
    for count, row in enumerate(samples, 1):
        assert isinstance(row.subject, LoweredSample)
        proven[row] = replace(row.node, proof=prove_sample(row.subject, opsets[1]))
        notify(Notice(PROVING, done=count, total=total))

    def tell(count: int) -> None:
        notify(Notice(PROVING, done=len(samples) + count, total=total))

    outcomes = dict(zip(cut_outs, prove_cut_outs(cut_outs, tell), strict=True))
    for row, cuts in subjects.items():
        found = [one if isinstance(one, str) else outcomes[one] for one in cuts]
        proven[row] = _told_outcomes(row.node, found)
    return tuple(proven[row] for row in done)


def _told_outcomes(node: NodeRewrite, found: Sequence[_Outcome]) -> NodeRewrite:
    reasons = [outcome for outcome in found if isinstance(outcome, str)]
    proofs = [outcome for outcome in found if isinstance(outcome, CutOutProof)]
    unproven = ""
    if reasons:
        count = f"{len(reasons)} of {len(found)}: " if len(found) > 1 else ""
        unproven = count + reasons[0]
    return replace(node, proof=_together(proofs), unproven=unproven)


def _cut_outs(row: Rewritten, opset: int) -> tuple[CutOut | str, ...]:
    subject = row.subject
    if isinstance(subject, SplitSqueeze | ExpandedNode):
        return (_cut_out_of(subject, opset),)
    assert not isinstance(subject, LoweredSample)
    return subject


def _cut_out_of(node: SplitSqueeze | ExpandedNode, opset: int) -> CutOut | str:
    try:
        return node.cut_out(opset)
    except NotProvenError as reason:
        return str(reason)


def _together(proofs: Sequence[CutOutProof]) -> CutOutProof | None:
    if not proofs:
        return None
    worst = max(proofs, key=lambda proof: (not proof.passed, proof.worst_error))
    return replace(
        worst,
        shapes=tuple(dict.fromkeys(shapes for proof in proofs for shapes in proof.shapes)),
        points=sum(proof.points for proof in proofs),
        runtime=", ".join(dict.fromkeys(proof.runtime for proof in proofs)),
    )


def _told(node: onnx.NodeProto, version: int) -> str:
    """Operator, version and the attributes that fit in a word."""
    attributes = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            continue
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, str | int | float | list):
            attributes.append(f"{attribute.name}={value}")
    return f"{node.op_type} version {version}" + "".join(f", {text}" for text in attributes)
