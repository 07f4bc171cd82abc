"""Sound exports depart nowhere: the tolerances of ``verify --localise`` hold for every variant.

They were measured on b0-tiny and b0 (``parity.divergence.SEAM_TOLERANCES``); here they are
tried on networks of other depths, widths, strides and norms.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import onnx
import pytest
from exhaustive import matrix
from exported import export_once, seeded_profile
from planting import perturb

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.network.loading import Network, load_network
from locoexport.notices import ignore
from locoexport.parity.divergence import Localisation
from locoexport.parity.probes import make_probe
from locoexport.pipeline.proof.localisation import localise
from locoexport.pipeline.proof.studied_model import StudiedModel, read_studied
from locoexport.runtime.session.single import open_session

PROBES = {"textured": (1, 8, 20), "noise": (1, 4, 9)}
TRAINED = "b0-tiny"
VARIANTS = (TRAINED, "b0", "b0-wide", "b2", "resnet-small")


def profile_of(variant: str, sampling: str) -> ExportProfile:
    """The trained weights where the package ships them, else seeded ones."""
    if variant == TRAINED:
        return load_profile(variant).with_options(sampling=sampling)
    return seeded_profile(variant, sampling=sampling)


@cache
def network_of(variant: str) -> Network:
    return load_network(profile_of(variant, "gather"), None)


def localised(
    variant: str, sampling: str, kind: str, path: Path | None = None
) -> tuple[Localisation, list[Path]]:
    """The profile's file, or ``path``, on one probe; and each fresh export that was needed."""
    profile = profile_of(variant, sampling)
    good, needed = export_once(profile), []

    def fresh() -> StudiedModel:
        needed.append(good)
        return read_studied(good, "cpu")

    batch, frames, points = PROBES[kind]
    probe = make_probe(
        kind, batch=batch, frames=frames, points=points, size_hw=profile.resolution_hw, seed=0
    )
    metadata = open_session(good).metadata
    network = network_of(variant)
    found = localise(path or good, metadata, profile, network, probe, "cpu", ignore, fresh)
    return found, needed


@pytest.mark.parametrize(
    ("variant", "kind"),
    matrix(
        product(VARIANTS, PROBES),
        [(TRAINED, "textured"), (TRAINED, "noise"), ("b2", "noise"), ("resnet-small", "textured")],
    ),
)
def test_a_sound_export_departs_nowhere(variant: str, kind: str) -> None:
    found, needed = localised(variant, "gather", kind)
    departing = {str(r.seam): round(r.excess, 2) for r in found.readings if r.departs}
    assert departing == {}
    assert (found.first, found.node, found.missing, needed) == (None, None, (), [])
    assert len(found.readings) > 60


@pytest.mark.parametrize("variant", matrix(VARIANTS, [TRAINED]))
def test_with_gridsample_as_well(variant: str) -> None:
    found, needed = localised(variant, "planar", "textured")
    assert (found.first, found.missing, needed) == (None, (), [])


def test_the_same_comparison_finds_a_fault(tmp_path: Path) -> None:
    """On a network that no tolerance was measured on: one number of 18 is another."""
    model = onnx.load(export_once(profile_of("resnet-small", "gather")))
    perturb("cost_conv.weight")(model)
    onnx.save(model, tmp_path / "faulty.onnx")
    found, needed = localised("resnet-small", "gather", "textured", tmp_path / "faulty.onnx")
    assert found.first is not None
    assert str(found.first.seam) == "cost volume: heatmap"
    assert found.node is not None
    assert "cost_conv.weight differs in 1 of 480 numbers" in " ".join(found.node.causes)
    assert len(needed) == 1
