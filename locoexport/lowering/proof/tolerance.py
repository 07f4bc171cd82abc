"""How far a replacement may be from the node that it stands for, and where that figure is from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXACT", "ProofTolerance"]


@dataclass(frozen=True)
class ProofTolerance:
    """The largest difference allowed on values of about 1, and its measured origin."""

    worst: float
    origin: str


EXACT = ProofTolerance(
    0.0, "the same arithmetic, in ONNX Runtime the same kernel: equal bit by bit, or wrong"
)
