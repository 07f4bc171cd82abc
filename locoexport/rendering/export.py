"""``locoexport export``: what was written and how it was proven, or where it departs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.rendering.parts.localisation import localisation_document
from locoexport.rendering.parts.precision import precision_document, precision_table

if TYPE_CHECKING:
    from locoexport.evaluation.precision_cost import PrecisionReport
    from locoexport.parity.divergence import Localisation
    from locoexport.parity.pointwise import ParityReport
    from locoexport.pipeline.export import ExportReport

from locoexport.rendering.parts.localisation import whereabouts
from locoexport.rendering.parts.metadata import short_weights, taken_frames, trained_settings
from locoexport.rendering.parts.parity import (
    parity_document,
    parity_rows,
    parity_table,
    shapes_text,
)
from locoexport.rendering.parts.tables import facts, file_size, size

__all__ = [
    "export_document",
    "export_text",
    "failed_export_document",
    "failed_export_text",
    "refused_export_document",
]


def export_text(report: ExportReport) -> RenderableType:
    """What an export wrote, and how it was proven."""
    metadata = report.artifact.metadata
    rows: list[tuple[str | Text, str | Text]] = [
        *(("file", f"{file.path} ({file_size(file.size_bytes)})") for file in report.artifacts),
        *([] if report.sidecar is None else [("sidecar", str(report.sidecar))]),
        (
            "profile",
            f"{metadata.profile}, {size(metadata.resolution_hw)}, {metadata.precision}"
            f"{taken_frames(metadata)}",
        ),
        ("opset", str(metadata.opset)),
        ("weights", short_weights(metadata)),
        ("trained", trained_settings(metadata)),
        ("sampling", f"{metadata.sampling}, for {metadata.target}"),
        ("rewrites", ", ".join(metadata.rewrites)),
        ("simplifier", report.simplifier_refusal or metadata.simplifier),
        ("nodes", f"{report.nodes_traced} traced, {report.nodes_written} written"),
    ]
    if report.parity is None:
        rows.append(("verified", "no (--no-verify)"))
    else:
        (passed, errors), *others = parity_rows(report.parity)
        rows += [("parity", Text.assemble(passed, "  ", errors)), *others]
        rows.append(("tried at", _tried(report.parity)))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    if report.precision is None:
        return facts(rows)
    return Group(facts(rows), precision_table(report.precision))


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
        "metadata": metadata.to_properties(),
        "nodes_traced": report.nodes_traced,
        "nodes_written": report.nodes_written,
        "simplifier_refusal": report.simplifier_refusal,
        "parity": None if report.parity is None else parity_document(report.parity),
        "precision": None if report.precision is None else precision_document(report.precision),
        "seconds": report.seconds,
        "warnings": list(report.warnings),
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


def failed_export_text(
    report: ParityReport, localisation: Localisation | None, not_localised: str
) -> RenderableType:
    """Every input of an export that failed its parity check, and where it departs."""
    found = whereabouts(localisation, not_localised)
    return Group(parity_table(report), Text(), facts(parity_rows(report)), *found)


def _tried(parity: ParityReport) -> str:
    return f"BxTxN {shapes_text(parity.shapes)}"
