"""What a rewrite did, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.proof.trials import CutOutProof
from locoexport.lowering.volumetric.grid_sample import Lowering
from locoexport.lowering.volumetric.proof import SampleProof

__all__ = ["NodeRewrite", "Proof", "RewriteFailedError", "RewriteReport"]

Proof = SampleProof | CutOutProof


@dataclass(frozen=True)
class NodeRewrite:
    """One rewritten node, or all nodes of an operator that another version of it reads now.

    ``proof`` is None where none was asked for, or where none could be run; then ``unproven`` says
    why. Of several nodes some may be proven and some not: both are given.
    """

    node: str
    pass_name: str
    before: str
    after: str
    nodes_added: int
    proof: Proof | None = None
    unproven: str = ""


@dataclass(frozen=True)
class RewriteReport:
    """What a rewrite did. ``model`` is the very model that was handed in where nothing changed.

    ``loads`` is None where the file was not tried in ONNX Runtime, "" where it loads, else the
    reason why neither the original nor the rewritten file does. ``reordered`` names the graphs
    whose nodes were not in topological order, ``left_samplers`` says which nodes look like a
    sampler and are not known.
    """

    model: onnx.ModelProto
    passes: tuple[str, ...]
    to: Lowering
    rewritten: tuple[NodeRewrite, ...]
    inlined_functions: tuple[str, ...]
    opset_before: int
    opset_after: int
    nodes_before: int
    nodes_after: int
    seconds: float
    path: Path | None = None
    size_bytes: int | None = None
    loads: str | None = None
    reordered: tuple[str, ...] = ()
    left_samplers: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """False where nothing was done."""
        return bool(
            self.rewritten
            or self.inlined_functions
            or self.reordered
            or self.opset_before != self.opset_after
        )

    @property
    def passed(self) -> bool:
        """True where no proof failed."""
        return all(node.proof is None or node.proof.passed for node in self.rewritten)

    @property
    def unproven(self) -> tuple[NodeRewrite, ...]:
        """Where a proof was tried and could not be run, for some nodes or all."""
        return tuple(node for node in self.rewritten if node.unproven)

    @property
    def worst_error(self) -> float | None:
        """The largest difference of any proof; None where nothing was proven."""
        errors = [node.proof.worst_error for node in self.rewritten if node.proof is not None]
        return max(errors, default=None)


class RewriteFailedError(GraphCheckFailedError):
    """A proof failed, so no file was written; ``report`` says where."""

    def __init__(self, message: str, report: RewriteReport) -> None:
        """``report`` is the failed one."""
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[RewriteFailedError], tuple[str, RewriteReport]]:
        """Made again from both, in another process."""
        return type(self), (str(self), self.report)
