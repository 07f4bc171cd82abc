"""``locoexport verify``: whether the file is the same function, and where it is not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.parity.quantiles import PrecisionParity
from locoexport.rendering.parts.growth import growth_document, growth_text
from locoexport.rendering.parts.localisation import localisation_document
from locoexport.rendering.parts.placement import chosen_text, elsewhere_text, nodes_text
from locoexport.rendering.parts.quantiles import (
    precision_details_table,
    precision_parity_document,
    precision_parity_rows,
    precision_parity_table,
)

if TYPE_CHECKING:
    from locoexport.parity.sidecar import SidecarMaker
    from locoexport.pipeline.proof.report import VerifyReport
from locoexport.rendering.parts.localisation import whereabouts
from locoexport.rendering.parts.metadata import (
    short_weights,
    taken_frames,
    trained_settings,
    tuning_rows,
)
from locoexport.rendering.parts.parity import (
    outputs_table,
    parity_document,
    parity_rows,
    parity_table,
)
from locoexport.rendering.parts.tables import facts, size

__all__ = ["verify_document", "verify_text"]


def verify_text(report: VerifyReport, *, verbose: bool = False) -> RenderableType:
    """A row for each input, and the verdict; ``verbose`` adds every output and every seam."""
    metadata, parity = report.metadata, report.parity
    rows = facts(
        [
            ("file", str(report.model_path)),
            (
                "profile",
                f"{metadata.profile}, {size(metadata.resolution_hw)}{taken_frames(metadata)}",
            ),
            ("weights", short_weights(metadata)),
            ("trained", trained_settings(metadata)),
            *tuning_rows(metadata.tuning),
            (
                "provider",
                f"{parity.provider}{chosen_text(report.chosen_by)} "
                f"(nodes: {nodes_text(parity.placement)})",
            ),
            *([("elsewhere", elsewhere_text(report.elsewhere))] if report.elsewhere else []),
            ("against", report.against),
            *([("made by", _maker_text(report.sidecar))] if report.sidecar is not None else []),
            ("a pass means", report.proves),
        ]
    )
    parts: list[RenderableType] = [rows, Text(), *_parity_parts(report, verbose=verbose)]
    if report.growth is not None:
        parts += [Text(), growth_text(report.growth)]
    found = list(whereabouts(report.localisation, report.not_localised, verbose=verbose))
    return Group(*parts, *([Text()] if found else []), *found)


def _parity_parts(report: VerifyReport, *, verbose: bool) -> list[RenderableType]:
    parity = report.parity
    if isinstance(parity, PrecisionParity):
        table, rows = precision_parity_table(parity), precision_parity_rows(parity)
        details = precision_details_table(parity)
    else:
        table, rows = parity_table(parity), parity_rows(parity, report.judge)
        details = outputs_table(parity)
    parts: list[RenderableType] = [table, Text(), facts(rows)]
    if verbose:
        parts += [Text(), details]
    return parts


def _maker_text(maker: SidecarMaker) -> str:
    return (
        f"locoexport {maker.locoexport}, profile {maker.profile} ({maker.profile_sha256[:12]}), "
        f"weights {maker.weights}, as the sidecar says"
    )


def verify_document(report: VerifyReport) -> dict[str, Any]:
    """``locoexport.verify/1``."""
    return {
        "schema": "locoexport.verify/1",
        "passed": report.passed,
        "file": str(report.model_path),
        "against": report.against,
        "proves": report.proves,
        "sidecar": None if report.sidecar is None else asdict(report.sidecar),
        "provider_chosen_by": report.chosen_by,
        "elsewhere": [asdict(group) for group in report.elsewhere],
        "metadata": report.metadata.to_properties(),
        "parity": precision_parity_document(report.parity)
        if isinstance(report.parity, PrecisionParity)
        else parity_document(report.parity),
        "localisation": None
        if report.localisation is None
        else localisation_document(report.localisation),
        "growth": None if report.growth is None else growth_document(report.growth),
        "not_localised": report.not_localised or None,
        "warnings": list(report.warnings),
    }
