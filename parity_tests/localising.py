"""Exports that faults are planted in, made once, and a way to localise a planted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import AxisSizes, ExportProfile, load_profile
from locoexport.network.loading import Network, load_network
from locoexport.parity.divergence import Localisation
from locoexport.parity.probes import Probe, make_probe
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.localisation import localise
from locoexport.pipeline.proof.studied_model import read_studied

SIZE_HW = (64, 64)
_FOLDER = TemporaryDirectory(prefix="locoexport-faults-")


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


def export(folder: Path, sampling: str) -> Exported:
    profile = load_profile("b0-tiny").with_options(
        resolution_hw=SIZE_HW, axes=AxisSizes(), sampling=sampling
    )
    report = export_model(profile, folder / f"{sampling}.onnx", verify=False)
    return Exported(
        report.artifact.path, report.artifact.metadata, profile, load_network(profile, None)
    )


@cache
def exported(sampling: str) -> Exported:
    """b0-tiny with the shipped weights at 64x64: ``gather`` has no GridSample, both have a Scan."""
    return export(Path(_FOLDER.name), sampling)


def localise_planted(sampling: str, fault: Callable[[onnx.ModelProto], None]) -> Localisation:
    """Plant a fault in a copy of a good file and localise it."""
    good = exported(sampling)
    model = onnx.load(good.path)
    fault(model)
    with TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "faulty.onnx")
        return good.localise(Path(folder) / "faulty.onnx")
