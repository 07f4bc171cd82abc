"""What a rewrite did, node by node."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.proof.trials import CutOutProof
from locoexport.lowering.proof.whole.whole_model import WholeModelProof
from locoexport.lowering.volumetric.grid_sample import Lowering
from locoexport.lowering.volumetric.proof import SampleProof

__all__ = ["DataFile", "NodeRewrite", "Proof", "RewriteFailedError", "RewriteReport"]

Proof = SampleProof | CutOutProof


@dataclass(frozen=True)
class NodeRewrite:
    """One rewritten node, or all nodes of an operator that another version of it reads now.

    ``proof`` is None where none was asked for, or where none could be run; then ``unproven`` says
    why. ``peak_bytes`` is what a lowered GridSample is predicted to take at its peak, where its
    sizes are stated. Of several nodes some may be proven and some not: both are given.
    """

    node: str
    pass_name: str
    before: str
    after: str
    nodes_added: int
    proof: Proof | None = None
    unproven: str = ""
    peak_bytes: int | None = None

    @property
    def told(self) -> str:
        """How its proof ended, in words."""
        if self.proof is None:
            return f"{self.node}: not proven"
        apart, allowed = self.proof.worst_error, self.proof.tolerance.worst
        if isinstance(self.proof, CutOutProof) and self.proof.fault:
            return f"{self.node}: {self.proof.fault}"
        if math.isinf(apart):
            return f"{self.node}: it does not run, or gives another shape or NaN"
        return f"{self.node}: {apart:.3g} apart, allowed {allowed:.3g}"


@dataclass(frozen=True)
class DataFile:
    """A file beside a model that holds weights of it."""

    path: Path
    size_bytes: int


@dataclass(frozen=True)
class RewriteReport:
    """What a rewrite did. ``model`` is the very model that was handed in where nothing changed.

    ``repacked`` tells that the file's weights were put elsewhere than they were. ``data_files`` are
    those beside the file that it keeps weights in.

    ``loads`` is None where the file was not tried in ONNX Runtime, "" where it loads, else the
    reason why it does not: the original does not either, or a kernel is not there. ``whole_model``
    is None where nothing changed, or no proof was asked for. ``assumed`` are values and the types
    that were taken on the user's word. ``reordered`` names the graphs whose nodes were not in
    topological order, ``left_samplers`` says which nodes look like a sampler and are not known.
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
    whole_model: WholeModelProof | None = None
    ir_version_before: int = 0
    ir_version_after: int = 0
    repacked: bool = False
    data_files: tuple[DataFile, ...] = ()
    assumed: tuple[tuple[str, str], ...] = ()
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
            or self.ir_version_before != self.ir_version_after
            or self.repacked
        )

    @property
    def passed(self) -> bool:
        """True where no proof failed."""
        nodes = all(node.proof is None or node.proof.passed for node in self.rewritten)
        return nodes and (self.whole_model is None or self.whole_model.passed)

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
