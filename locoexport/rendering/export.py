"""Reports → text tables and JSON documents. Imports data types only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.parity.quantiles import PrecisionParity
from locoexport.rendering.parts.growth import growth_document, growth_text
from locoexport.rendering.parts.localisation import localisation_document, localisation_text
from locoexport.rendering.parts.placement import elsewhere_text, nodes_text
from locoexport.rendering.parts.precision import precision_document, precision_table
from locoexport.rendering.parts.quantiles import (
    precision_parity_document,
    precision_parity_line,
    precision_parity_table,
)

if TYPE_CHECKING:
    from locoexport.contract.metadata import ArtifactMetadata
    from locoexport.contract.profile import AxisSizes, ExportProfile
    from locoexport.evaluation.precision_cost import PrecisionReport
    from locoexport.parity.divergence import Localisation
    from locoexport.parity.pointwise import CaseParity, ParityReport
    from locoexport.pipeline.export import ExportReport
    from locoexport.pipeline.proof.report import VerifyReport
    from locoexport.pipeline.tracking.points import TrackReport

__all__ = [
    "export_document",
    "export_text",
    "failed_export_document",
    "failed_export_text",
    "parity_document",
    "parity_table",
    "profiles_document",
    "profiles_table",
    "refused_export_document",
    "track_document",
    "track_text",
    "verify_document",
    "verify_text",
]


def export_text(report: ExportReport) -> RenderableType:
    """What an export wrote, and how it was proven."""
    metadata = report.artifact.metadata
    rows = [
        *(("file", f"{file.path} ({_megabytes(file.size_bytes)})") for file in report.artifacts),
        *([] if report.sidecar is None else [("sidecar", str(report.sidecar))]),
        (
            "profile",
            f"{metadata.profile}, {_size(metadata.resolution_hw)}, {metadata.precision}"
            f"{_taken(metadata)}",
        ),
        ("opset", str(metadata.opset)),
        ("weights", _short_weights(metadata)),
        ("sampling", f"{metadata.sampling}, for {metadata.target}"),
        ("rewrites", ", ".join(metadata.rewrites)),
        ("simplifier", report.simplifier_refusal or metadata.simplifier),
        ("nodes", f"{report.nodes_traced} traced, {report.nodes_written} written"),
    ]
    if report.parity is None:
        rows.append(("parity", "not checked (--no-verify)"))
    else:
        rows.append(("parity", _parity_line(report.parity)))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    if report.precision is None:
        return _facts(rows)
    return Group(_facts(rows), precision_table(report.precision))


def export_document(report: ExportReport) -> dict[str, Any]:
    """``locoexport.export/1``."""
    artifact, metadata = report.artifact, report.artifact.metadata
    return {
        "schema": "locoexport.export/1",
        "passed": True,
        "file": str(artifact.path),
        "size_bytes": artifact.size_bytes,
        "files": [
            {"part": f.metadata.part, "file": str(f.path), "size_bytes": f.size_bytes}
            for f in report.artifacts
        ],
        "sidecar": None if report.sidecar is None else str(report.sidecar),
        "metadata": _metadata_document(metadata),
        "nodes_traced": report.nodes_traced,
        "nodes_written": report.nodes_written,
        "simplifier_refusal": report.simplifier_refusal,
        "parity": None if report.parity is None else parity_document(report.parity),
        "precision": None if report.precision is None else precision_document(report.precision),
        "seconds": report.seconds,
    }


def refused_export_document(report: PrecisionReport) -> dict[str, Any]:
    """``locoexport.export/1`` for an export whose precision cost too much; no file was written."""
    return {
        "schema": "locoexport.export/1",
        "passed": False,
        "file": None,
        "precision": precision_document(report),
    }


def failed_export_document(
    report: ParityReport, localisation: Localisation | None = None, not_localised: str = ""
) -> dict[str, Any]:
    """``locoexport.export/1`` for an export that failed its parity check and wrote no file."""
    return {
        "schema": "locoexport.export/1",
        "passed": False,
        "file": None,
        "parity": parity_document(report),
        "localisation": None if localisation is None else localisation_document(localisation),
        "not_localised": not_localised or None,
    }


def verify_text(report: VerifyReport) -> RenderableType:
    """Every case and output of a verification, and the verdict."""
    metadata, parity = report.metadata, report.parity
    facts = _facts(
        [
            ("file", str(report.model_path)),
            ("profile", f"{metadata.profile}, {_size(metadata.resolution_hw)}{_taken(metadata)}"),
            ("weights", _short_weights(metadata)),
            ("provider", f"{parity.provider} (nodes: {nodes_text(parity.placement)})"),
            *([("elsewhere", elsewhere_text(report.elsewhere))] if report.elsewhere else []),
            ("against", report.against),
        ]
    )
    verdict = Text("PASS ", style="bold green") if parity.passed else Text("FAIL ", "bold red")
    parts: list[RenderableType] = [facts]
    if isinstance(parity, PrecisionParity):
        parts += [precision_parity_table(parity), verdict + Text(precision_parity_line(parity))]
    else:
        parts += [parity_table(parity), verdict + Text(_parity_line(parity))]
    if report.growth is not None:
        parts.append(growth_text(report.growth))
    return Group(*parts, *_where(report.localisation, report.not_localised))


def failed_export_text(
    report: ParityReport, localisation: Localisation | None, not_localised: str
) -> RenderableType:
    """Every case of an export that failed its parity check, and where it departs."""
    return Group(parity_table(report), *_where(localisation, not_localised))


def _where(localisation: Localisation | None, not_localised: str) -> Iterator[RenderableType]:
    if localisation is not None:
        yield localisation_text(localisation)
    if not_localised:
        yield Text(f"not localised: {not_localised}")


def verify_document(report: VerifyReport) -> dict[str, Any]:
    """``locoexport.verify/1``."""
    return {
        "schema": "locoexport.verify/1",
        "passed": report.passed,
        "file": str(report.model_path),
        "against": report.against,
        "elsewhere": [asdict(group) for group in report.elsewhere],
        "metadata": _metadata_document(report.metadata),
        "parity": precision_parity_document(report.parity)
        if isinstance(report.parity, PrecisionParity)
        else parity_document(report.parity),
        "localisation": None
        if report.localisation is None
        else localisation_document(report.localisation),
        "growth": None if report.growth is None else growth_document(report.growth),
        "not_localised": report.not_localised or None,
    }


def parity_table(report: ParityReport) -> Table:
    """A row for each case and output."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("inputs (BxTxN)", "output", "worst", "p99", "allowed", "at (b, point, frame)"):
        table.add_column(name, no_wrap=True)
    for name in ("torch", "onnx", "flips", "apart", ""):
        table.add_column(name, no_wrap=True)
    for case in report.cases:
        for index, output in enumerate(case.outputs):
            first = index == 0
            table.add_row(
                case.name if first else "",
                f"{output.output} [{output.unit}]",
                f"{output.worst:.2e}",
                f"{output.p99:.2e}",
                f"{output.tolerance:.0e}",
                str(output.worst_index),
                f"{output.expected:.4f}",
                f"{output.found:.4f}",
                str(case.visibility_flips) if first else "",
                _apart(case) if first else "",
                Text("pass", "green") if output.passed else Text("FAIL", "bold red"),
            )
    return table


def parity_document(report: ParityReport) -> dict[str, Any]:
    """The parity part of a document; errors that are not finite are null."""
    return {
        "passed": report.passed,
        "worst_px": report.worst_px,
        "worst_logit": report.worst_logit,
        "apart_points": report.apart_points,
        "worst_apart_px": report.worst_apart_px,
        "tolerance": asdict(report.tolerance),
        "provider": report.provider,
        "node_placement": dict(report.placement),
        "cases": [asdict(case) | {"passed": case.passed} for case in report.cases],
    }


def track_text(report: TrackReport, *, verbose: bool = False) -> RenderableType:
    """What was tracked and what was written; ``verbose`` tells where the time went."""
    tracks, seconds = report.tracks, report.seconds
    points, frames = tracks.visible.shape
    rows = [
        ("video", f"{report.video}: {frames} frames of {_size(report.frame_hw)}"),
        ("points", f"{points}, visible {tracks.visible.mean():.0%} of the time"),
        ("tracking", f"{seconds:.1f} s, {frames / seconds:.1f} frames/s"),
    ]
    if verbose:
        rows += [
            (
                "time",
                f"{report.inference_seconds:.2f} s in ONNX Runtime, {report.outside_share:.1%} "
                f"outside; first tracked frame after {report.first_frame_seconds:.2f} s",
            ),
            ("threads", ", ".join(f"{name} {spent:.2f} s" for name, spent in report.parts)),
        ]
    if report.windowing is not None:
        effect = report.windowing
        changed = f"{effect.p50_px:.2f} px p50, {effect.p95_px:.2f} p95, {effect.max_px:.2f} max"
        seen = f"visible {effect.visible:.0%}, in one window {effect.visible_in_one_window:.0%}"
        rows.append(("windows", f"{changed}, {effect.flips:.1%} visibility flips; {seen}"))
    if report.overlay is not None:
        rows.append(("overlay", str(report.overlay)))
    if report.tracks_file is not None:
        rows.append(("tracks", str(report.tracks_file)))
    return _facts(rows)


def track_document(report: TrackReport) -> dict[str, Any]:
    """``locoexport.track/1``."""
    points, frames = report.tracks.visible.shape
    return {
        "schema": "locoexport.track/1",
        "video": str(report.video),
        "model": str(report.model),
        "frames": frames,
        "frame_hw": list(report.frame_hw),
        "fps": report.tracks.fps,
        "points": points,
        "visible_share": float(report.tracks.visible.mean()),
        "overlay": None if report.overlay is None else str(report.overlay),
        "tracks": None if report.tracks_file is None else str(report.tracks_file),
        "seconds": report.seconds,
        "inference_seconds": report.inference_seconds,
        "outside_share": report.outside_share,
        "first_frame_seconds": report.first_frame_seconds,
        "parts": dict(report.parts),
        "windowing": None if report.windowing is None else asdict(report.windowing),
    }


def profiles_table(profiles: Sequence[ExportProfile]) -> Table:
    """A row for each profile."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("profile", "resolution", "opset", "sampling", "axes", "tolerance", "weights"):
        table.add_column(name)
    for profile in profiles:
        table.add_row(
            profile.name,
            _size(profile.resolution_hw),
            str(profile.opset),
            profile.sampling,
            _axes(profile.axes),
            f"{profile.tolerance.tracks_px:g} px",
            f"shipped: {profile.demo_weights}" if profile.demo_weights else "seeded",
        )
    return table


def profiles_document(profiles: Sequence[ExportProfile]) -> dict[str, Any]:
    """``locoexport.profiles/1``."""
    return {
        "schema": "locoexport.profiles/1",
        "profiles": [asdict(profile) for profile in profiles],
    }


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _metadata_document(metadata: ArtifactMetadata) -> dict[str, Any]:
    return metadata.to_properties()


def _taken(metadata: ArtifactMetadata) -> str:
    """What is taken in place of floats at the resolution."""
    return ", from uint8 frames of any size" if metadata.input_type == "uint8" else ""


def _parity_line(parity: ParityReport) -> str:
    tried = ", ".join("x".join(map(str, shape)) for shape in parity.shapes)
    line = (
        f"worst {parity.worst_px:.2e} px and {parity.worst_logit:.2e} logits from torch "
        f"(allowed {parity.tolerance.tracks_px:g} and {parity.tolerance.logits:g}) at BxTxN {tried}"
    )
    if parity.apart_points:
        tied = sum(case.tied_points for case in parity.cases)
        line += (
            f"; counted apart: {tied} tied and {parity.apart_points - tied} unstable points, "
            f"up to {parity.worst_apart_px:.2e} px"
        )
    if not parity.conclusive:
        line += ": too many for the rest to prove anything"
    return line


def _apart(case: CaseParity) -> str:
    if not case.tied_points and not case.unstable_points:
        return "-"
    return f"{case.tied_points} tied, {case.unstable_points} unstable, {case.worst_apart_px:.1e} px"


def _short_weights(metadata: ArtifactMetadata) -> str:
    weights = metadata.weights
    if weights.seeded or weights.sha256 is None:
        return "seeded (tracks mean nothing)"
    return f"{weights.file_name} (sha256 {weights.sha256[:12]}...)"


def _axes(axes: AxisSizes) -> str:
    fixed = {"batch": axes.batch, "frames": axes.frames, "points": axes.points}
    named = [f"{name}={size}" for name, size in fixed.items() if size is not None]
    return ", ".join(named) or "dynamic"


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[0]}x{size_hw[1]}"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
