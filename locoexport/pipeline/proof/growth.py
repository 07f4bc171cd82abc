"""Where a file in a smaller precision loses what it loses, and whether it is a good one at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import SCORED_HW, ExportProfile, Precision
from locoexport.errors import LocoExportError
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.network.loading import Network
from locoexport.network.recording import model_seams, reference_seams
from locoexport.notices import Listener, Notice, counted
from locoexport.parity.error_growth import ErrorGrowth, measure_growth
from locoexport.parity.probes import Probe
from locoexport.pipeline.assembly.precision import describe_calibration
from locoexport.pipeline.proof.localisation import (
    check_localisable,
    fresh_export,
    other_versions,
    seam_values,
)
from locoexport.pipeline.proof.narrowing import find_node
from locoexport.pipeline.proof.studied_model import StudiedModel, read_studied
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input

__all__ = ["study_growth"]

_FRAMES, _POINTS = 8, 20
"""Every seam is held at once: 0.6 GB for 200 frames times points of b0."""


def study_growth(
    path: Path,
    metadata: ArtifactMetadata,
    profile: ExportProfile,
    network: Network,
    provider: str,
    notify: Listener,
    fresh: Callable[[], StudiedModel] | None = None,
) -> ErrorGrowth:
    """Compare every seam of a file in fp16 or int8 with PyTorch, and its nodes with a fresh export
    in the same precision.

    Args:
        path: the file.
        metadata: what it says of itself.
        profile: at the file's own resolution and axes.
        network: with the weights that the file was made from.
        provider: what the file runs on.
        notify: is told of every step.
        fresh: makes the export to look for a faulty node against; by default in memory.

    Raises:
        ModelFileError: the file names no seams.
        MachineError: the provider cannot run the file with its seams given out.
    """
    check_localisable(path, metadata, network)
    seams = model_seams(network.model)
    probe = _probe(profile)
    suspect = read_studied(path, provider)
    notify(Notice(f"comparing {len(seams)} seams with torch on {probe.name}"))
    found = seam_values(suspect, probe, seams)
    reference = reference_seams(network.model, probe.video, probe.query_points_tyx)
    errors, stages = measure_growth(seams, reference, found)
    missing = tuple(str(seam) for seam in seams if seam.tensor not in found)
    growth = ErrorGrowth(probe.name, metadata.precision, errors, stages, missing)
    precision: Precision = "fp16" if metadata.precision == "fp16" else "int8"
    calibration = None if metadata.cost is None else metadata.cost.calibration
    if fresh is None and precision == "int8" and metadata.integer_form is None:
        note = f"locoexport {metadata.version} did not say which parts it put in 8 bits"
        return replace(growth, note=f"{note}, so the faulty node was not searched for")
    if fresh is None and calibration != describe_calibration(metadata.integer_form, ()):
        note = f"its ranges come from {calibration}, and no fresh export has the same ones"
        return replace(growth, note=f"{note}, so the faulty node was not searched for")
    notify(Notice(f"comparing its nodes with a fresh export in {precision}"))
    try:
        made = fresh() if fresh else fresh_export(profile, metadata, network, provider)
        narrowed = find_node(suspect, made, probe, seams, seams[-1], precision)
    except LocoExportError as error:
        return replace(growth, note=f"the search for the node failed: {error}")
    # Without a fault the note tells that a fresh export departs alike, which it is meant to.
    notes = (narrowed.note if narrowed.node else "", other_versions(metadata))
    return replace(
        growth,
        fault=narrowed.node,
        nodes_compared=narrowed.compared,
        note="; ".join(filter(None, notes)),
    )


def _probe(profile: ExportProfile) -> Probe:
    """The start of a generated sequence: real motion, no awkward points."""
    frames = profile.axes.frames or _FRAMES
    points = profile.axes.points or _POINTS
    clip = make_sequence(0, SyntheticSettings(frames=frames))
    truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
    asked = sample_queries(clip.occluded, truth, "first")["query_points"].astype(np.float32)
    queries = scale_queries_to_model(asked, SCORED_HW, profile.working_hw)
    return Probe(
        f"a generated sequence of {counted(frames, 'frame')} and {counted(points, 'point')}",
        "sequence",
        to_model_input(clip.video, profile.working_hw),
        np.resize(queries, (1, points, 3)),
    )
