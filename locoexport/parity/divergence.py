"""Where a graph departs from PyTorch: seam by seam, then the first node. numpy only.

A seam may differ by its kind's tolerance, and besides by a few times what the oracle's own value
moves there when the video moves by 1e-6: refinements multiply rounding, at some points by much.
Points whose heatmap nearly ties are left out from there on, as in ``parity.pointwise``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.seams import Seam, SeamKind, seam_name
from locoexport.parity.pointwise import NOISE_FACTOR, PEAK_NOISE

__all__ = [
    "SEAM_TOLERANCES",
    "Difference",
    "Localisation",
    "NodeFault",
    "SeamReading",
    "compare_seams",
    "first_departure",
    "largest_difference",
    "tied_points",
]

Floats = NDArray[np.float32]
Values = Mapping[str, Floats]

SEAM_TOLERANCES: Mapping[SeamKind, float] = {
    "features": 5e-5,
    "grid": 5e-5,
    "support": 5e-5,
    "costs": 5e-5,
    "heatmap": 5e-5,
    "neighbourhood": 5e-5,
    "embedding": 1e-4,
    "inputs": 5e-5,
    "layer": 5e-5,
    "changes": 5e-5,
    "pixels": 1.5e-5,
    "logit": 1e-4,
}
"""What a seam of each kind may differ by beyond the oracle's own movement, as a share of the
largest value that torch has there (pixels: of 256, which makes it the profiles' 4e-3 px).

Origin: good exports of b0-tiny (trained) and b0 (seeded), both samplings, on the CPU provider at
1x8x20 textured and 1x4x9 noise: embeddings differ by at most 1.7e-5 beyond four times the
movement, every other kind by nothing. Several times that, for other processors and providers.
"""

_TEMPERATURE = 20.0


@dataclass(frozen=True)
class Difference:
    """Two arrays at the place where they differ most; ``error`` is infinite for other shapes."""

    error: float
    index: tuple[int, ...]
    expected: float
    found: float


@dataclass(frozen=True)
class SeamReading:
    """One seam of a file against torch, at the place that is furthest beyond what is allowed there.

    ``excess`` is the error there by what is allowed there: above 1 the file departs from torch.
    """

    seam: Seam
    excess: float
    difference: Difference
    allowed: float

    @property
    def departs(self) -> bool:
        """True where the file holds something else than torch."""
        return self.excess > 1


@dataclass(frozen=True)
class NodeFault:
    """The first node whose output is another than that of a fresh export of the same model.

    ``causes`` say how the node itself differs: weights, attributes, inputs. Empty where only what
    it computes differs.
    """

    node: str
    op_type: str
    tensor: str
    part: str
    difference: Difference
    causes: tuple[str, ...]


@dataclass(frozen=True)
class Localisation:
    """Every seam of a file on one pair of inputs, and the first node at fault.

    ``nodes_compared`` counts those that were compared with a fresh export, ``note`` says what is to
    be known besides (why there is no node, what could not be compared).
    """

    probe: str
    readings: tuple[SeamReading, ...]
    missing: tuple[str, ...]
    node: NodeFault | None = None
    nodes_compared: int = 0
    note: str = ""

    @property
    def first(self) -> SeamReading | None:
        """The first seam that departs; None where all agree."""
        return first_departure(self.readings)

    @property
    def last_agreeing(self) -> SeamReading | None:
        """The seam before it."""
        first = self.first
        if first is None:
            return None
        index = self.readings.index(first)
        return self.readings[index - 1] if index else None


def first_departure(readings: Sequence[SeamReading]) -> SeamReading | None:
    """The first seam that departs, in the order of computation."""
    return next((reading for reading in readings if reading.departs), None)


def tied_points(
    reference: Values, batch: int, points: int, temperature: float = _TEMPERATURE
) -> NDArray[np.bool_]:
    """(B, N) bool: points with a frame in which the heatmap's two largest cells nearly tie.

    ``temperature`` is that of the softmax over heatmaps.
    """
    heatmaps = reference[seam_name("cost_volume", "heatmap")]
    flat = heatmaps.reshape(batch, points, -1, heatmaps[0].size)
    top = np.partition(flat, -2, axis=-1)[..., -2:]
    return np.asarray((temperature * (top[..., 1] - top[..., 0]) < PEAK_NOISE).any(-1))


def compare_seams(
    seams: Sequence[Seam],
    reference: Values,
    moved: Sequence[Values],
    candidate: Values,
    tied: NDArray[np.bool_],
) -> tuple[SeamReading, ...]:
    """Every seam that the candidate has, in order.

    Args:
        seams: in the order of computation.
        reference: the oracle's values by tensor name.
        moved: the oracle's values with the video moved by 1e-6, a mapping a sample.
        candidate: the file's values; those that it does not have are left out.
        tied: (B, N), from ``tied_points``.
    """
    readings = []
    after_heatmap = False
    for seam in seams:
        if seam.tensor in candidate:
            left_out = tied if after_heatmap else np.zeros_like(tied)
            samples = [sample[seam.tensor] for sample in moved]
            readings.append(
                _read(seam, reference[seam.tensor], samples, candidate[seam.tensor], left_out)
            )
        after_heatmap |= seam.kind == "heatmap"
    return tuple(readings)


def largest_difference(expected: Floats, found: Floats) -> Difference:
    """Where two arrays differ most; what is not finite in one of them alone differs infinitely."""
    if expected.shape != found.shape:
        return Difference(float("inf"), (), float("nan"), float("nan"))
    if not expected.size:
        return Difference(0.0, (), 0.0, 0.0)
    return _at(expected, found, _errors(expected, found))


def _read(
    seam: Seam,
    expected: Floats,
    samples: Sequence[Floats],
    found: Floats,
    left_out: NDArray[np.bool_],
) -> SeamReading:
    if seam.kind == "changes":
        # An export may leave out rows of the output projection that nothing reads.
        width = min(expected.shape[-1], found.shape[-1])
        expected, found = expected[..., :width], found[..., :width]
        samples = [sample[..., :width] for sample in samples]
    if expected.shape != found.shape:
        return SeamReading(seam, float("inf"), largest_difference(expected, found), 0.0)
    rows = expected.shape[: seam.row_axes]
    movement = np.zeros(rows, np.float32)
    for sample in samples:
        shift = np.abs(sample - expected).reshape(*rows, -1).max(-1)
        movement = np.maximum(movement, shift)
    scale = 256.0 if seam.kind == "pixels" else float(np.abs(expected).max(initial=0.0))
    allowed = SEAM_TOLERANCES[seam.kind] * scale + NOISE_FACTOR * movement
    allowed = np.where(_spread(left_out, seam, rows), np.inf, allowed)
    allowed = allowed.reshape(*rows, *[1] * (expected.ndim - len(rows)))
    errors = _errors(expected, found)
    with np.errstate(invalid="ignore"):
        # Beyond all bounds is an error even where a tie allows everything finite.
        excess = np.where(np.isinf(errors), np.inf, errors / np.maximum(allowed, 1e-30))
    index = _largest(excess)
    difference = Difference(
        float(errors[index]), index, float(expected[index]), float(found[index])
    )
    limit = np.broadcast_to(allowed, errors.shape)[index]
    return SeamReading(seam, float(excess[index]), difference, float(limit))


def _spread(left_out: NDArray[np.bool_], seam: Seam, rows: tuple[int, ...]) -> NDArray[np.bool_]:
    """(B, N) → the seam's rows; images and grids belong to no point."""
    if seam.axes[:2] == ("batch", "point"):
        return left_out
    if seam.axes[0] == "track":
        return left_out.reshape(rows)
    if seam.axes[0] == "row":
        return np.repeat(left_out.reshape(-1), rows[0] // left_out.size)
    return np.zeros(rows, np.bool_)


def _errors(expected: Floats, found: Floats) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        errors = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isfinite(errors), errors, np.inf))


def _at(expected: Floats, found: Floats, errors: NDArray[np.float64]) -> Difference:
    index = _largest(errors)
    return Difference(float(errors[index]), index, float(expected[index]), float(found[index]))


def _largest(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(values.argmax()), values.shape))
