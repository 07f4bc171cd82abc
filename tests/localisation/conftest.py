"""Exports that faults are planted in, made once, and a way to localise a planted one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from locoexport.artifact import ArtifactMetadata
from locoexport.divergence import Localisation
from locoexport.network import Network, load_network
from locoexport.pipeline.export import export_model
from locoexport.pipeline.localise import localise
from locoexport.pipeline.studied_model import read_studied
from locoexport.probes import Probe, make_probe
from locoexport.profile import AxisSizes, ExportProfile, load_profile

sys.path.append(str(Path(__file__).parent))

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


def export(folder: Path, sampling: str) -> Exported:
    profile = load_profile("b0-tiny").with_options(
        resolution_hw=SIZE_HW, axes=AxisSizes(), sampling=sampling
    )
    report = export_model(profile, folder / f"{sampling}.onnx", verify=False)
    return Exported(
        report.artifact.path, report.artifact.metadata, profile, load_network(profile, None)
    )


@pytest.fixture(scope="session")
def gather(tmp_path_factory) -> Exported:
    """b0-tiny with the shipped weights at 64x64, no GridSample, its encoder in a Scan."""
    return export(tmp_path_factory.mktemp("gather"), "gather")


@pytest.fixture(scope="session")
def planar(tmp_path_factory) -> Exported:
    """The same with GridSample."""
    return export(tmp_path_factory.mktemp("planar"), "planar")


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Localisation]:
    """Plant a fault in a copy of a good file and localise it."""

    def run(good: Exported, fault: Callable[[onnx.ModelProto], None]) -> Localisation:
        model = onnx.load(good.path)
        fault(model)
        onnx.save(model, tmp_path / "faulty.onnx")
        return good.localise(tmp_path / "faulty.onnx")

    return run
