"""Exported files and traced graphs for tests: each made once in a run, and not proven.

All workers of a run share one folder. A file's name is a digest of everything that decides it: the
profile and the form. The sources are the same for the whole run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from surroundings import EXPORTS

from locoexport.contract.interface import LiveWindow
from locoexport.contract.profile import ExportProfile, load_profile
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.pipeline.assembly.graph import FinishedGraph, build_graph
from locoexport.pipeline.export import export_model

__all__ = ["export_once", "graph_once", "live_once", "live_profile", "seeded_profile"]


def seeded_profile(variant: str, opset: int = 17, sampling: str = "gather") -> ExportProfile:
    """A profile without its demo weights: the goldens are made with the seeded ones."""
    profile = load_profile(variant).with_options(opset=opset, sampling=sampling)
    return replace(profile, demo_weights=None)


def export_once(
    profile: ExportProfile,
    *,
    split: bool = False,
    sidecar: bool = False,
    live: LiveWindow | None = None,
) -> Path:
    """The .onnx file of that profile, for reading alone; of a split, what names its three files."""
    with _made_once("file", profile, split, sidecar, live) as (folder, is_made):
        path = folder / "model.onnx"
        if not is_made:
            export_model(profile, path, verify=False, split=split, sidecar=sidecar, live=live)
    return path


def live_profile(variant: str = "b0-tiny", **options: Any) -> ExportProfile:
    """A profile at 64x64, with the weights in the box where there are: small, and it tracks."""
    return load_profile(variant).with_options(resolution_hw=(64, 64), **options)


def live_once(profile: ExportProfile | None = None, window: LiveWindow = "open") -> Path:
    """What names the three files of a live export; by default of ``live_profile()``."""
    return export_once(profile or live_profile(), live=window)


def graph_once(profile: ExportProfile) -> FinishedGraph:
    """The graph of that profile's network, simplified."""
    with _made_once("graph", profile) as (folder, is_made):
        path = folder / "graph.pickle"
        if not is_made:
            network = load_network(profile, None)
            graph = build_graph(profile, network, simplify=True, notify=ignore)
            path.write_bytes(pickle.dumps(graph))
    return pickle.loads(path.read_bytes())


@contextmanager
def _made_once(kind: str, profile: ExportProfile, *form: object) -> Iterator[tuple[Path, bool]]:
    """The folder of that thing, and whether it is in it; other workers wait until it is."""
    decides = repr((kind, astuple(profile), form))
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]
    folder = Path(os.environ[EXPORTS]) / f"{profile.name}-{kind}-{digest}"
    with FileLock(f"{folder}.lock"):
        folder.mkdir(exist_ok=True)
        done = folder / "done"
        yield folder, done.exists()
        done.touch()
