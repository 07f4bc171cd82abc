"""Profile and checkpoint → a proven .onnx file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport import __version__
from locoexport.artifact import (
    QUERY_INPUT,
    VIDEO_INPUT,
    ArtifactMetadata,
    ExportArtifact,
    ParityStamp,
)
from locoexport.errors import ParityFailedError
from locoexport.files import check_output, whole_file
from locoexport.lowering.finishing import finish_graph, name_axes, to_bytes, with_properties
from locoexport.lowering.frame_scan import FRAME_SCAN, scan_frames
from locoexport.lowering.graphs import count_nodes
from locoexport.lowering.promises import check_promises
from locoexport.lowering.simplification import simplify as simplify_graph
from locoexport.network import Network, load_network
from locoexport.parity import ParityReport
from locoexport.pipeline.notices import Listener, Notice, ignore
from locoexport.pipeline.proof import EXPORT_SHAPES, make_probes, prove
from locoexport.probes import make_probe
from locoexport.profile import ExportProfile
from locoexport.rewrites import apply_rewrites, select_passes, select_rewrites
from locoexport.runtime.session import open_session
from locoexport.tracing import trace

__all__ = ["ExportParityError", "ExportReport", "export_model"]

_SQUEEZE_PASS = "single-axis-squeeze"


@dataclass(frozen=True)
class ExportReport:
    """What an export did. ``parity`` is None with ``verify=False``."""

    artifact: ExportArtifact
    nodes_traced: int
    nodes_written: int
    simplifier_refusal: str | None
    parity: ParityReport | None
    seconds: float


class ExportParityError(ParityFailedError):
    """Parity failed, so no file was written; ``report`` says where. A ``ParityFailedError``."""

    def __init__(self, message: str, report: ParityReport) -> None:
        """``report`` is the failed one."""
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class _Graph:
    model: onnx.ModelProto
    metadata: ArtifactMetadata
    nodes_traced: int
    simplifier_refusal: str | None


def export_model(
    profile: ExportProfile,
    output: str | Path,
    *,
    checkpoint: str | Path | None = None,
    simplify: bool = True,
    verify: bool = True,
    force: bool = False,
    notify: Listener = ignore,
) -> ExportReport:
    """Export the profile's network to ``output``, proven equal to the PyTorch model.

    Args:
        profile: see ``locoexport.load_profile`` and ``ExportProfile.with_options``.
        output: the .onnx file; it appears whole, after every check, or not at all.
        checkpoint: weights; by default those the package ships for the profile, else seeded ones.
        simplify: run onnxsim (its result is refused where it grew or changed the graph).
        verify: compare with the unrewritten model at several shapes before the file appears.
        force: replace an existing file.
        notify: is told of every step and warning.

    Raises:
        OutputError: ``output`` cannot or must not be written.
        CheckpointError: the weights cannot be read or do not fit the profile.
        GraphCheckFailedError: the graph breaks a promise that every file keeps.
        ExportParityError: the graph is not the same function.
    """
    started = time.perf_counter()
    path = check_output(output, force=force)
    select_rewrites(profile), select_passes(profile)  # names are checked before any work
    network = load_network(profile, None if checkpoint is None else Path(checkpoint))
    if network.weights.seeded:
        notify(
            Notice(
                f"Profile {profile.name} ships no trained weights and no --checkpoint was given: "
                "the weights are seeded. The graph is real, its tracks mean nothing.",
                warning=True,
            )
        )
    graph = _build_graph(profile, network, simplify=simplify, notify=notify)
    with whole_file(path) as temporary:
        metadata = graph.metadata
        temporary.write_bytes(to_bytes(with_properties(graph.model, metadata.to_properties())))
        parity = None
        if verify:
            parity = _prove_file(temporary, profile, network, notify)
            stamp = ParityStamp(
                parity.worst_px,
                parity.worst_logit,
                parity.shapes,
                parity.apart_points,
                parity.worst_apart_px,
            )
            metadata = replace(metadata, parity=stamp)
            temporary.write_bytes(to_bytes(with_properties(graph.model, metadata.to_properties())))
        notify(Notice("loading the finished file once more"))
        open_session(temporary)
        size_bytes = temporary.stat().st_size
    return ExportReport(
        artifact=ExportArtifact(path, size_bytes, metadata),
        nodes_traced=graph.nodes_traced,
        nodes_written=count_nodes(graph.model),
        simplifier_refusal=graph.simplifier_refusal,
        parity=parity,
        seconds=time.perf_counter() - started,
    )


def _build_graph(
    profile: ExportProfile, network: Network, *, simplify: bool, notify: Listener
) -> _Graph:
    """Rewrite, trace, simplify, finish and check: everything up to the bytes."""
    rewrites, passes = select_rewrites(profile), select_passes(profile)
    notify(Notice("rewriting " + ", ".join(rewrite.name for rewrite in rewrites)))
    rewritten = apply_rewrites(network.model, rewrites)
    notify(Notice(f"tracing {profile.variant} at opset {profile.opset}"))
    traced = trace(rewritten, profile)
    model, simplifier, refusal = traced.model, "none", None
    if simplify:
        notify(Notice("simplifying"))
        simplified = simplify_graph(model, _example(profile))
        model, simplifier, refusal = simplified.model, simplified.simplifier, simplified.refused
        if refusal is not None:
            notify(Notice(refusal, warning=True))
    notify(Notice("checking the graph"))
    model = name_axes(model, profile.axes, profile.resolution_hw)
    if FRAME_SCAN in passes:
        model = scan_frames(model)
    model = finish_graph(model, producer_version=__version__)
    check_promises(
        model, opset=profile.opset, axes=profile.axes, resolution_hw=profile.resolution_hw
    )
    metadata = ArtifactMetadata(
        version=__version__,
        profile=profile.name,
        variant=profile.variant,
        resolution_hw=profile.resolution_hw,
        opset=profile.opset,
        precision="fp32",
        sampling=profile.sampling,
        target=profile.target,
        rewrites=(*(rewrite.name for rewrite in rewrites), *passes, _SQUEEZE_PASS),
        weights=network.weights,
        simplifier=simplifier,
        torch_version=traced.torch_version,
    )
    return _Graph(model, metadata, traced.node_count, refusal)


def _prove_file(
    path: Path, profile: ExportProfile, network: Network, notify: Listener
) -> ParityReport:
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(path, profile_prefix=Path(folder) / "profile")
        probes = make_probes(EXPORT_SHAPES, profile.axes, profile.resolution_hw)
        report = prove(session, network.model, probes, profile.tolerance, notify)
    if not report.passed:
        if not report.conclusive:
            raise ExportParityError(
                f"Parity proves nothing: {report.apart_points} points are ties or unstable, too "
                "many for the rest to count. No file was written; --no-verify writes it unproven.",
                report,
            )
        raise ExportParityError(
            f"Parity failed: the graph is {report.worst_px:.3g} px and {report.worst_logit:.3g} "
            f"logits from the PyTorch model (allowed {profile.tolerance.tracks_px:g} and "
            f"{profile.tolerance.logits:g}). No file was written.",
            report,
        )
    return report


def _example(profile: ExportProfile) -> Mapping[str, NDArray[np.float32]]:
    """Inputs that the simplifier's result is compared on; another shape than the traced one."""
    axes = profile.axes
    probe = make_probe(
        "textured",
        batch=axes.batch or 1,
        frames=axes.frames or 2,
        points=axes.points or 6,
        size_hw=profile.resolution_hw,
        seed=0,
    )
    return {VIDEO_INPUT: probe.video, QUERY_INPUT: probe.query_points_tyx}
