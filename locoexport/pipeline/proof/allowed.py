"""How far a file may be from PyTorch: this installation's limits, which a file can only tighten."""

from __future__ import annotations

import math
from dataclasses import replace

from locoexport.contract.installed_limits import installed_limits
from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import Precision, Tolerance
from locoexport.errors import ModelFileError, SidecarError
from locoexport.parity.quantiles import (
    BFLOAT16_TOLERANCE,
    PrecisionTolerance,
    precision_tolerance,
)
from locoexport.parity.sidecar import Sidecar

__all__ = ["allowed_by_sidecar", "allowed_in_bfloat16", "allowed_precision", "precision_of"]

_OWN = "--tolerance-px"


def precision_of(metadata: ArtifactMetadata) -> Precision:
    """The precision that a file says it computes in.

    Raises:
        ModelFileError: this version does not know it.
    """
    known: dict[str, Precision] = {"fp32": "fp32", "fp16": "fp16", "int8": "int8"}
    precision = known.get(metadata.precision)
    if precision is None:
        raise ModelFileError(
            f"The file says that it computes in {metadata.precision!r}; this version knows "
            f"{', '.join(known)}."
        )
    return precision


def allowed_precision(
    metadata: ArtifactMetadata, tolerance_px: float | None = None
) -> PrecisionTolerance:
    """What a file in a smaller precision may differ from PyTorch by.

    Args:
        metadata: of the file; its own limit counts where it is the smaller one.
        tolerance_px: the user's own limit, in place of both.

    Raises:
        ModelFileError: its precision is unknown, or it does not say what that costs.
    """
    precision = precision_of(metadata)
    if metadata.cost is None:
        raise ModelFileError(
            f"The file computes in {precision} and does not say what that cost on export "
            "(locoexport.cost), so that it cannot be held to it. Export it again."
        )
    cost, installed = metadata.cost, installed_limits(metadata).precision
    limit, origin = installed.of(precision), installed.origin
    if cost.limit_px is not None and cost.limit_px < limit:
        limit, origin = cost.limit_px, f"what profile {metadata.profile} allowed on export"
    if tolerance_px is not None:
        limit, origin = tolerance_px, _OWN
    return precision_tolerance(precision, limit, origin, cost.flip_share)


def allowed_in_bfloat16(tolerance_px: float | None = None) -> PrecisionTolerance:
    """What a float32 file may differ by on a provider that computes in bf16.

    ``tolerance_px`` is the user's own limit of the 99th percentile.
    """
    if tolerance_px is None:
        return BFLOAT16_TOLERANCE
    return replace(BFLOAT16_TOLERANCE, p99_px=tolerance_px, origin=_OWN)


def allowed_by_sidecar(
    stored: Sidecar, metadata: ArtifactMetadata, tolerance_px: float | None = None
) -> Tolerance | PrecisionTolerance:
    """What a file may differ by from its sidecar's answers.

    Raises:
        SidecarError: the sidecar is of a file in another precision than this one.
        ModelFileError: see ``allowed_precision``.
    """
    precision, stated = precision_of(metadata), stored.tolerance
    of_sidecar = stated.precision if isinstance(stated, PrecisionTolerance) else "fp32"
    if of_sidecar != precision:
        raise SidecarError(
            f"The sidecar is of a file that computes in {of_sidecar}, the model says that it "
            f"computes in {precision}. Use the pair as it was exported."
        )
    if isinstance(stated, PrecisionTolerance):
        allowed = allowed_precision(metadata, tolerance_px)
        flips = _smaller(stated.flip_share, allowed.flip_share)
        if tolerance_px is not None:
            return replace(allowed, flip_share=flips)
        p99_px = _smaller(stated.p99_px, allowed.p99_px)
        return replace(allowed, p99_px=p99_px, flip_share=flips)
    installed = installed_limits(metadata).tolerance
    logits = _smaller(stated.logits, installed.logits)
    if tolerance_px is not None:
        return Tolerance(tolerance_px, logits, _OWN)
    return replace(
        installed, tracks_px=_smaller(stated.tracks_px, installed.tracks_px), logits=logits
    )


def _smaller(stated: float, installed: float) -> float:
    """The smaller of two limits; what is no number above 0 limits nothing."""
    return min(stated, installed) if math.isfinite(stated) and stated >= 0 else installed
