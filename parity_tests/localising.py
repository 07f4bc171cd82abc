"""Exports that faults are planted in, made once, and a way to localise a planted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from exported import export_once

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import AxisSizes, ExportProfile, load_profile
from locoexport.network.loading import Network, load_network
from locoexport.parity.divergence import Localisation
from locoexport.parity.probes import Probe, make_probe
from locoexport.pipeline.proof.localisation import localise
from locoexport.pipeline.proof.studied_model import read_studied
from locoexport.runtime.session.single import open_session

SIZE_HW = (64, 64)


@dataclass(frozen=True)
class Exported:
    """A good file, and what it was made from."""

    path: Path
    metadata: ArtifactMetadata
    profile: ExportProfile
    network: Network

    def localise(self, path: Path, probe: Probe | None = None) -> Localisation:
        """Localise a file made from this one, which serves as the fresh export."""
        probe = probe or make_probe(
            "textured", batch=1, frames=4, points=16, size_hw=SIZE_HW, seed=0
        )
        return localise(
            path,
            self.metadata,
            self.profile,
            self.network,
            probe,
            "cpu",
            lambda notice: None,
            fresh=lambda: read_studied(self.path, "cpu"),
        )


@cache
def exported(sampling: str) -> Exported:
    """b0-tiny with the shipped weights at 64x64: ``gather`` has no GridSample, both have a Scan."""
    profile = load_profile("b0-tiny").with_options(
        resolution_hw=SIZE_HW, axes=AxisSizes(), sampling=sampling
    )
    path = export_once(profile)
    metadata = open_session(path).metadata
    assert metadata is not None
    return Exported(path, metadata, profile, load_network(profile, None))


def localise_planted(sampling: str, fault: Callable[[onnx.ModelProto], None]) -> Localisation:
    """Plant a fault in a copy of a good file and localise it."""
    good = exported(sampling)
    model = onnx.load(good.path)
    fault(model)
    with TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "faulty.onnx")
        return good.localise(Path(folder) / "faulty.onnx")
