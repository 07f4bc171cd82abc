"""What a smaller precision costs and gains → table and JSON. Imports data types only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.tables import facts, megabytes

if TYPE_CHECKING:
    from locoexport.evaluation.precision_cost import PartTrial, PrecisionReport

__all__ = ["precision_document", "precision_table"]


def precision_table(report: PrecisionReport) -> Table:
    """Cost and gain against the same graph in float32."""
    apart = report.difference
    verdict = Text("within", "green") if report.passed else Text("BEYOND", "bold red")
    limit = Text(f"p99 {apart.p99_px:.3g} px is ") + verdict
    limit += Text(f" the limit of {report.limit_px:g} px ({report.limit_origin})")
    rows: list[tuple[str, str | Text]] = [
        (
            f"{report.precision} costs",
            f"px of 256x256 p50 {apart.p50_px:.3g}, p99 {apart.p99_px:.3g}, max "
            f"{apart.max_px:.3g}; visibility flips {apart.flips} of {apart.compared} "
            f"({apart.flip_share:.2%})",
        ),
        (
            "",
            f"AJ {report.average_jaccard:.1f} ({report.average_jaccard_change:+.2f}), δ_avg "
            f"{report.pts_within_thresh:.1f} ({report.pts_within_thresh_change:+.2f}) on "
            f"{report.sequences}",
        ),
        ("limit", limit),
        (
            "gains",
            f"{megabytes(report.bytes_before)} -> {megabytes(report.bytes_after)}; "
            f"{report.latency_ratio:.2f} times as fast on {report.provider} here "
            f"({report.latency_ms:.0f} ms a call)",
        ),
    ]
    if report.integer_form is not None:
        form = report.integer_form
        cpus = "with VNNI or dot products" if form.weight_bits == 8 else "of any kind"
        rows.append(("8 bits in", f"{', '.join(form.parts)} (for processors {cpus})"))
    for trial in report.trials:
        rows.append((f"  {trial.part}", _verdict(trial)))
    if report.calibration is not None:
        rows.append(("calibrated on", report.calibration))
    return facts(rows)


def _verdict(trial: PartTrial) -> Text:
    if trial.kept:
        return Text("kept", "green") + Text(
            f": {trial.gain:.2f} times as fast with it, p99 {trial.p99_px:.3g} px"
        )
    return Text("left in float32", "yellow") + Text(f": it {trial.refusal}")


def precision_document(report: PrecisionReport) -> dict[str, Any]:
    """Part of ``locoexport.export/1``."""
    share = report.difference.flip_share
    trials = [{**asdict(trial), "kept": trial.kept} for trial in report.trials]
    verdicts = {"passed": report.passed, "pays": report.pays}
    return {**asdict(report), "trials": trials, "flip_share": share, **verdicts}
