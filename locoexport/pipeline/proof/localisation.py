"""Where an exported file departs from PyTorch: the first seam, then the first node.

Nothing has to be exported again: seams are found in the file by name, and a copy in memory gives
them out. The node is found against a fresh export in memory, whose names are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport.contract.interface import SPLIT_ROLES, FileRole
from locoexport.contract.metadata import OUTPUT_NAMES, ArtifactMetadata
from locoexport.contract.profile import ExportProfile, Precision, Sampling, Target
from locoexport.contract.seams import Seam
from locoexport.errors import LocoExportError, ModelFileError
from locoexport.network.loading import Network
from locoexport.network.oracle import move_video
from locoexport.network.recording import model_seams, reference_seams
from locoexport.notices import Listener, Notice
from locoexport.parity.divergence import (
    Localisation,
    SeamReading,
    compare_seams,
    first_departure,
    tied_points,
)
from locoexport.parity.probes import Probe
from locoexport.pipeline.assembly.graph import build_graph, lower_precision
from locoexport.pipeline.proof.narrowing import Narrowed, find_node
from locoexport.pipeline.proof.pointwise import at_working_size
from locoexport.pipeline.proof.studied_model import StudiedModel, read_studied
from locoexport.rewrites import select_passes, select_rewrites
from locoexport.runtime.video.frames import scale_tracks_to_model
from locoexport.version import __version__

__all__ = [
    "as_exported",
    "check_localisable",
    "fresh_export",
    "localise",
    "other_versions",
    "seam_values",
]

_NOISE_SAMPLES = 2


def check_localisable(path: Path, metadata: ArtifactMetadata, network: Network) -> None:
    """Raises ModelFileError where the file does not name its seams."""
    values = set(read_studied(path, "cpu").values())
    if not values & {seam.tensor for seam in model_seams(network.model)} - set(OUTPUT_NAMES):
        raise ModelFileError(
            f"{path} was written by locoexport {metadata.version} without the names of its seams "
            "(the values that torch has too), or lost them since, so it cannot be said where it "
            "differs. Export it again with this version, from the same checkpoint and with the "
            "same options, and verify that file."
        )


def localise(
    path: Path,
    metadata: ArtifactMetadata,
    profile: ExportProfile,
    network: Network,
    probe: Probe,
    provider: str,
    notify: Listener,
    fresh: Callable[[], StudiedModel] | None = None,
    *,
    exporting: bool = False,
) -> Localisation:
    """Compare every seam of a file with the unrewritten model on one pair of inputs.

    Args:
        path: the file, or any of a split export.
        metadata: what it says of itself.
        profile: at the file's own resolution and axes.
        network: with the weights that the file was made from.
        probe: the inputs.
        provider: what the file runs on.
        notify: is told of every step.
        fresh: makes the export to look for the node against; by default it is made in memory.
        exporting: the file is the fresh export itself: no node is looked for, since what makes the
            graph is at fault.

    Raises:
        ModelFileError: the file names no seams (``check_localisable``).
        MachineError: the provider cannot run the file with its seams given out.
    """
    check_localisable(path, metadata, network)
    seams = model_seams(network.model)
    suspect = read_studied(path, provider)
    notify(Notice(f"comparing {len(seams)} seams with torch on {probe.name}"))
    found = seam_values(suspect, probe, seams)
    readings = _compare(seams, found, probe, profile, network)
    missing = tuple(str(seam) for seam in seams if seam.tensor not in found)
    result = Localisation(probe.name, readings, missing)
    departing = first_departure(readings)
    if departing is None:
        return result
    if exporting:
        return replace(result, note=_fault_of_the_export(result, metadata))
    notify(Notice(f"the first seam that departs: {departing.seam}; searching for the node"))
    try:
        made = fresh() if fresh else fresh_export(profile, metadata, network, provider)
        narrowed = find_node(suspect, made, probe, seams, departing.seam, metadata.precision)
    except LocoExportError as error:
        narrowed = Narrowed(None, 0, f"the search for the node failed: {error}")
    return replace(
        result,
        node=narrowed.node,
        nodes_compared=narrowed.compared,
        note="; ".join(filter(None, (narrowed.note, other_versions(metadata)))),
    )


def _compare(
    seams: tuple[Seam, ...],
    found: dict[str, NDArray[Any]],
    probe: Probe,
    profile: ExportProfile,
    network: Network,
) -> tuple[SeamReading, ...]:
    """Every seam against the oracle's, with how far the oracle itself moves there."""
    asked = probe
    if profile.input_type == "uint8":
        asked = at_working_size(probe, profile.levels)
        frame_hw = (probe.video.shape[2], probe.video.shape[3])
        tracks = OUTPUT_NAMES[0]
        scaled = scale_tracks_to_model(found[tracks], frame_hw, profile.working_hw)
        found = {**found, tracks: scaled}
    queries = asked.query_points_tyx
    reference = reference_seams(network.model, asked.video, queries, asked.first_video)
    moved = [
        reference_seams(
            network.model,
            move_video(asked.video, seed),
            queries,
            None if asked.first_video is None else move_video(asked.first_video, seed),
        )
        for seed in range(_NOISE_SAMPLES)
    ]
    batch, points = queries.shape[:2]
    tied = tied_points(reference, batch, points, network.model.config.softmax_temperature)
    return compare_seams(seams, reference, moved, found, tied)


def as_exported(profile: ExportProfile, metadata: ArtifactMetadata) -> ExportProfile:
    """``profile`` with the options that the file was exported with."""
    sampling: Sampling = "planar" if metadata.sampling == "planar" else "gather"
    target: Target = next((t for t in ("cuda", "tensorrt") if t == metadata.target), "cpu")
    every = replace(profile, opset=metadata.opset, sampling=sampling, target=target, without=())
    could = [*(rewrite.name for rewrite in select_rewrites(every)), *select_passes(every)]
    without = tuple(
        name
        for name in could
        if name not in metadata.rewrites and not (name == "frame-scan" and metadata.part != "whole")
    )
    return replace(every, without=without)


def seam_values(
    model: StudiedModel, probe: Probe, seams: tuple[Seam, ...]
) -> dict[str, NDArray[Any]]:
    """What the file's seams hold, by tensor, in float32."""
    names = {seam.tensor for seam in seams} | {s.split_output for s in seams if s.split_output}
    found = model.run(probe, names)
    for seam in seams:
        if seam.split_output in found:
            found[seam.tensor] = found[seam.split_output]
    return {
        seam.tensor: found[seam.tensor].astype(np.float32, copy=False)
        for seam in seams
        if seam.tensor in found
    }


def fresh_export(
    profile: ExportProfile, metadata: ArtifactMetadata, network: Network, provider: str
) -> StudiedModel:
    """The same model exported again in memory, with the options that the metadata tell, in the
    file's precision; ranges of 8 bits are those of the generated sequences.

    Raises:
        GraphCheckFailedError: it cannot be exported today.
    """
    profile = as_exported(profile, metadata)
    if metadata.precision != "fp32":
        return StudiedModel({"whole": _lowered(profile, metadata, network)}, provider)
    roles: tuple[FileRole, ...] = ("whole",) if metadata.part == "whole" else SPLIT_ROLES
    simplify = not metadata.simplifier.startswith("none")
    graphs = {
        role: build_graph(
            profile, network, simplify=simplify, notify=lambda notice: None, role=role
        ).model
        for role in roles
    }
    return StudiedModel(graphs, provider)


def _fault_of_the_export(found: Localisation, metadata: ArtifactMetadata) -> str:
    before = "the inputs" if found.last_agreeing is None else str(found.last_agreeing.seam)
    return (
        f"the fault is in the exporter, in the step from {before} to this one; --no-rewrite NAME "
        f"skips one of {', '.join(metadata.rewrites)}, --no-simplify skips the simplifier"
    )


def _lowered(
    profile: ExportProfile, metadata: ArtifactMetadata, network: Network
) -> onnx.ModelProto:
    """The single file in its own precision; the same graph and ranges give the same bytes."""
    precision: Precision = "fp16" if metadata.precision == "fp16" else "int8"
    quiet: Listener = lambda notice: None  # noqa: E731
    simplify = not metadata.simplifier.startswith("none")
    graph = build_graph(profile, network, simplify=simplify, notify=quiet)
    asked = profile.with_options(precision=precision, integer_form=metadata.integer_form)
    return lower_precision(graph, asked, (), quiet).model


def other_versions(metadata: ArtifactMetadata) -> str:
    """Other versions may give nodes other names: then fewer can be compared."""
    if metadata.version == __version__:
        return ""
    return f"the file was written by locoexport {metadata.version}; this is {__version__}"
