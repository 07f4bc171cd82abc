"""A file and its sidecar can tighten what this installation allows, and never loosen it."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_tracker import synthetic_metadata

from locoexport.contract.metadata import CostStamp
from locoexport.contract.profile import Tolerance
from locoexport.errors import ModelFileError, SidecarError
from locoexport.parity.quantiles import FLIP_LIMITS, FLIP_ROOM, PrecisionTolerance
from locoexport.parity.sidecar import Sidecar
from locoexport.pipeline.proof.allowed import allowed_by_sidecar, allowed_precision

COST = CostStamp(0.0, 0.001, 0.01, 0.0004, 0.0, 0.0, "x", None, limit_px=0.25)
HALF = replace(synthetic_metadata((24, 32), "float32"), precision="fp16", cost=COST)
WHOLE = replace(HALF, precision="fp32", cost=None)


@pytest.mark.parametrize(
    ("stated_px", "allowed_px"),
    [(0.25, 0.25), (0.1, 0.1), (1e9, 0.25), (np.inf, 0.25), (np.nan, 0.25), (None, 0.25)],
)
def test_the_limit_on_tracks(stated_px, allowed_px) -> None:
    metadata = replace(HALF, cost=replace(COST, limit_px=stated_px))
    assert allowed_precision(metadata).p99_px == allowed_px
    assert allowed_precision(metadata, 3.0).p99_px == 3.0


@pytest.mark.parametrize("flips", [1.0, 1e300, np.nan, np.inf, -5.0])
def test_the_limit_on_flips(flips) -> None:
    allowed = allowed_precision(replace(HALF, cost=replace(COST, flip_share=flips)))
    assert allowed.flip_share == FLIP_LIMITS["fp16"]
    assert allowed_precision(HALF).flip_share == COST.flip_share + FLIP_ROOM


@pytest.mark.parametrize("precision", ["fp4", "", "FP16"])
def test_a_precision_that_is_not_known(precision) -> None:
    with pytest.raises(ModelFileError, match="this version knows fp32, fp16, int8"):
        allowed_precision(replace(HALF, precision=precision))


def stored(tolerance: Tolerance | PrecisionTolerance) -> Sidecar:
    return Sidecar({}, tolerance, "2.13.0", ())


@pytest.mark.parametrize(
    ("stated", "allowed"), [((1e9, 1e9), (4e-3, 4e-3)), ((1e-4, 1e9), (1e-4, 4e-3))]
)
def test_a_sidecar_of_float32(stated, allowed) -> None:
    found = allowed_by_sidecar(stored(Tolerance(*stated, "x")), WHOLE)
    assert isinstance(found, Tolerance)
    assert (found.tracks_px, found.logits) == allowed
    own = allowed_by_sidecar(stored(Tolerance(*stated, "x")), WHOLE, 3.0)
    assert isinstance(own, Tolerance)
    assert own.tracks_px == 3.0


def test_a_sidecar_of_a_smaller_precision() -> None:
    loose, tight = PrecisionTolerance("fp16", 1e9, 1e9, "x"), PrecisionTolerance("fp16", 0.1, 0, "")
    found = [allowed_by_sidecar(stored(stated), HALF) for stated in (loose, tight)]
    assert found[0] == allowed_precision(HALF)
    assert isinstance(found[1], PrecisionTolerance)
    assert (found[1].p99_px, found[1].flip_share) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("stated", "metadata"),
    [
        (PrecisionTolerance("fp16", 1e9, 1e9, "x"), WHOLE),
        (PrecisionTolerance("int8", 1, 1, "x"), HALF),
        (Tolerance(1, 1, "x"), HALF),
    ],
)
def test_a_sidecar_of_another_precision(stated, metadata) -> None:
    with pytest.raises(SidecarError, match="The sidecar is of a file that computes in"):
        allowed_by_sidecar(stored(stated), metadata)
