"""Exported files for tests: each made once in a run, without the export's own parity check.

All workers of a run share one folder. A file's name is a digest of everything that decides it: the
profile and the form. The sources are the same for the whole run.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import astuple, replace
from pathlib import Path

from filelock import FileLock
from surroundings import EXPORTS

from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.pipeline.export import export_model

__all__ = ["export_once", "seeded_profile"]


def seeded_profile(variant: str, opset: int = 17, sampling: str = "gather") -> ExportProfile:
    """A profile without its demo weights: the goldens are made with the seeded ones."""
    profile = load_profile(variant).with_options(opset=opset, sampling=sampling)
    return replace(profile, demo_weights=None)


def export_once(profile: ExportProfile, *, split: bool = False, sidecar: bool = False) -> Path:
    """The .onnx file of that profile, for reading alone; of a split, what names its three files."""
    decides = repr((astuple(profile), split, sidecar))
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]
    folder = Path(os.environ[EXPORTS]) / f"{profile.name}-{digest}"
    path, done = folder / "model.onnx", folder / "done"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            folder.mkdir(exist_ok=True)
            export_model(profile, path, verify=False, split=split, sidecar=sidecar)
            done.touch()
    return path
