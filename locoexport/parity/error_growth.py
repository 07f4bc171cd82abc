"""How the rounding of a smaller precision grows through a tracker, stage by stage. numpy only.

A file in float16 or 8 bits departs from PyTorch from its first product on, so that the first seam
beyond float32's tolerance says nothing. What says something is how large the error is where each
stage of the model ends, against where it began.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.seams import Seam
from locoexport.parity.divergence import NodeFault

__all__ = ["ErrorGrowth", "SeamError", "StageError", "measure_growth"]

Floats = NDArray[np.float32]

_OWN_STAGE = ("sampling", "correlation and cmdtop")
"""Steps of a refinement that are stages; the rest of it is the transformer."""


@dataclass(frozen=True)
class SeamError:
    """One seam against PyTorch: the median and the 99th percentile over its rows.

    Of tracks in pixels, of logits as they are, of all else the length of the difference by the
    length of PyTorch's value (1 is 100 %). Infinite where the file has no number.
    """

    seam: Seam
    p50: float
    p99: float


@dataclass(frozen=True)
class StageError:
    """A stage of the model: median relative errors where it begins and where it ends.

    ``comes_in`` is that of the stages that it reads, 0 for the backbone; ``goes_out`` the largest
    of its last seams; ``adds`` what lies between. ``tracks`` are its tracks, in pixels, where it
    ends with some.
    """

    name: str
    comes_in: float
    goes_out: float
    tracks: SeamError | None

    @property
    def adds(self) -> float:
        """Beyond what came in."""
        return self.goes_out - self.comes_in


@dataclass(frozen=True)
class ErrorGrowth:
    """Every seam and stage of a file on one pair of inputs.

    ``fault`` is the first node that is another than in a fresh export in the same precision, and
    ``note`` what is to be known besides, such as why none was looked for.
    """

    probe: str
    precision: str
    seams: tuple[SeamError, ...]
    stages: tuple[StageError, ...]
    missing: tuple[str, ...]
    fault: NodeFault | None = None
    nodes_compared: int = 0
    note: str = ""

    @property
    def faulty(self) -> bool:
        """True where a node is another than it should be, not only its values: those alone may be
        another machine's roundings."""
        return self.fault is not None and bool(self.fault.causes)

    @property
    def costliest(self) -> StageError | None:
        """The stage that adds most; one that ends without numbers before all others."""
        broken = next((s for s in self.stages if not math.isfinite(s.goes_out)), None)
        return broken or max(self.stages, key=lambda stage: stage.adds, default=None)


def measure_growth(
    seams: Sequence[Seam], reference: Mapping[str, Floats], candidate: Mapping[str, Floats]
) -> tuple[tuple[SeamError, ...], tuple[StageError, ...]]:
    """Every seam that the candidate has, in order of computation, and the stages they belong to.

    Args:
        seams: in order of computation.
        reference: the oracle's values by tensor name.
        candidate: the file's; seams that it does not have are left out.
    """
    errors = tuple(
        _measure(seam, reference[seam.tensor], candidate[seam.tensor])
        for seam in seams
        if seam.tensor in candidate
    )
    return errors, _stages(errors)


def _measure(seam: Seam, expected: Floats, found: Floats) -> SeamError:
    if seam.kind == "changes":
        # An export may leave out rows of the output projection that nothing reads.
        width = min(expected.shape[-1], found.shape[-1])
        expected, found = expected[..., :width], found[..., :width]
    if expected.shape != found.shape:
        return SeamError(seam, math.inf, math.inf)
    difference = found.astype(np.float64) - expected
    if seam.kind == "pixels":
        rows = np.sqrt(np.square(difference).sum(-1)).ravel()
    elif seam.kind == "logit":
        rows = np.abs(difference).ravel()
    else:
        count = int(np.prod(expected.shape[: seam.row_axes]))
        length = np.linalg.norm(expected.reshape(count, -1).astype(np.float64), axis=1)
        rows = np.linalg.norm(difference.reshape(count, -1), axis=1) / np.maximum(length, 1e-30)
        # A neighbourhood wholly outside the frame is zero in both.
        rows = np.where(length > 0, rows, np.where(rows > 0, np.inf, 0.0))
    rows = np.where(np.isfinite(rows), rows, np.inf)
    p50, p99 = np.quantile(rows, (0.5, 0.99), method="higher")
    # One value that is no number is no rounding, however few there are.
    return SeamError(seam, float(p50), float(p99) if np.isfinite(rows).all() else math.inf)


def _stage_of(seam: Seam) -> str:
    if seam.part != "refinement":
        return seam.part
    step = seam.step if seam.step in _OWN_STAGE else "transformer"
    return f"{seam.part} {seam.iteration}: {step}"


def _stages(errors: Sequence[SeamError]) -> tuple[StageError, ...]:
    by_name: dict[str, list[SeamError]] = {}
    for error in errors:
        by_name.setdefault(_stage_of(error.seam), []).append(error)
    stages: list[StageError] = []
    out: dict[str, float] = {}
    before = 0.0
    for name, members in by_name.items():
        # What is sampled are the backbone's grids; every other stage reads the one before it.
        comes_in = out.get("backbone", 0.0) if name.endswith(": sampling") else before
        relative = [e for e in members if e.seam.kind not in ("pixels", "logit")]
        last = [e for e in relative if e.seam.kind == relative[-1].seam.kind]
        goes_out = max((e.p50 for e in last), default=comes_in)
        if any(math.isinf(e.p99) for e in members):
            goes_out = math.inf
        tracks = next((e for e in members if e.seam.kind == "pixels"), None)
        stages.append(StageError(name, comes_in, goes_out, tracks))
        out[name] = before = goes_out
    return tuple(stages)
