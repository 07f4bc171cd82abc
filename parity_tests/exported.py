"""Exported files for tests: built once each, without the export's own parity check."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.pipeline.export import export_model

__all__ = ["export_once", "seeded_profile"]

# Lives as long as the process; removed at its end.
_FOLDER = TemporaryDirectory(prefix="locoexport-parity-")


def seeded_profile(variant: str, opset: int = 17, sampling: str = "gather") -> ExportProfile:
    """A profile without its demo weights: the goldens are made with the seeded ones."""
    profile = load_profile(variant).with_options(opset=opset, sampling=sampling)
    return replace(profile, demo_weights=None)


@cache
def export_once(profile: ExportProfile) -> Path:
    """The .onnx file of that profile."""
    folder = Path(mkdtemp(prefix=f"{profile.name}-{profile.opset}-", dir=_FOLDER.name))
    path = folder / "model.onnx"
    export_model(profile, path, verify=False)
    return path
