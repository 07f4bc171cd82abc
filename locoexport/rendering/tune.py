"""``locoexport tune``: what was tried, what it costs, and what was written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.benchmarking.report import LEAST_GAIN
from locoexport.notices import counted
from locoexport.rendering.parts.tables import facts, headed, titled

if TYPE_CHECKING:
    from locoexport.pipeline.tuning.report import Trial, Tuned, TuneReport

__all__ = ["tune_document", "tune_text"]

_STYLES = {"wins": "bold green", "faster": "green", "failed": "red"}


def tune_text(report: TuneReport) -> RenderableType:
    """Everything that was tried, for a terminal."""
    blocks: list[RenderableType] = [_facts(report), Text(), _times(report), Text(), _errors(report)]
    failures = [row for row in report.rows if row.trial.failure]
    if failures:
        rows = [(row.trial.candidate.name, row.reason) for row in failures]
        blocks += [Text(), titled("Could not be built or run", _said(rows))]
    blocks += [Text(), _notes(report), Text(), *_winner(report)]
    blocks += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return Group(*_busy(report), *blocks)


def tune_document(report: TuneReport) -> dict[str, Any]:
    """``locoexport.tune/1``: seconds, bytes, pixels of 256×256, points of AJ."""
    return {
        "schema": "locoexport.tune/1",
        "output": str(report.output),
        "title": report.title,
        "limits": {"p99_px": report.limits.p99_px, "aj": report.limits.aj},
        "frames": report.frames,
        "points": report.points,
        "sequences": report.sequences,
        "machine": report.machine,
        "cpu": asdict(report.cpu),
        "work": str(report.work),
        "kept_trials": report.kept_trials,
        "only_given": report.only_given or None,
        "seconds": report.seconds,
        "measured_busy": report.measured_busy,
        "others_share_of_machine": report.others_share,
        "beats_float32": report.beats_float32,
        "winner": report.winner,
        "candidates": [_row_document(row) for row in report.rows],
        "warnings": list(report.warnings),
    }


def _row_document(row: Tuned) -> dict[str, Any]:
    trial = row.trial
    ran = not trial.failure
    error = None if trial.error is None else asdict(trial.error)
    return {
        "name": trial.candidate.name,
        **asdict(trial.candidate),
        "verdict": row.verdict,
        "reason": row.reason or None,
        "size_bytes": trial.size_bytes,
        "latency": asdict(trial.latency) if ran else None,
        "ratio": asdict(trial.ratio) if ran else None,
        "rounds": trial.rounds,
        "seconds": list(trial.seconds),
        "reference_seconds": list(trial.reference_seconds),
        "others_share_of_machine": trial.others_share,
        "error": error,
        "flip_share": None if trial.error is None else trial.error.flip_share,
    }


def _busy(report: TuneReport) -> list[RenderableType]:
    """First of all, where nothing below can be believed."""
    if not report.measured_busy:
        return []
    said = f"MEASURED ON A BUSY MACHINE: other processes took up to {report.others_share:.0%} of it"
    again = "Do not publish these figures; try again with --fresh when it is idle."
    return [Text(f"{said}. {again}", style="bold yellow"), Text()]


def _facts(report: TuneReport) -> Table:
    limit = f"p99 {report.limits.p99_px:g} px of 256x256"
    if report.limits.aj is not None:
        limit += f", AJ {report.limits.aj:g} of 100"
    kept = f"{report.kept_trials} of an earlier run" if report.kept_trials else "all of this run"
    return facts(
        [
            ("model", report.title),
            ("machine", report.machine),
            ("timed", f"{counted(report.frames, 'frame')} by {counted(report.points, 'point')}"),
            ("compared on", report.sequences),
            ("limits", limit),
            ("trials", f"{len(report.rows)} in {report.seconds:.0f} s ({kept})"),
            ("kept in", str(report.work)),
            *([("only the file", report.only_given)] if report.only_given else []),
        ]
    )


def _times(report: TuneReport) -> RenderableType:
    numbers = ("ms", "ratio", "p10-p90", "p99 px")
    table = headed(("candidate", *numbers, "verdict"), right=numbers)
    for row in report.rows:
        trial = row.trial
        figures = ("-",) * 4 if trial.failure else _speed(trial)
        verdict = Text(row.verdict, _STYLES.get(row.verdict, ""))
        table.add_row(Text(trial.candidate.name), *figures, verdict)
    return titled("How fast, in turn with the first row's file", table)


def _speed(trial: Trial) -> tuple[str, ...]:
    ratio, error = trial.ratio, trial.error
    assert error is not None
    return (
        f"{1e3 * trial.latency.median:.1f}",
        f"{ratio.median:.2f}",
        f"{ratio.p10:.2f}-{ratio.p90:.2f}",
        _px(error.p99_px),
    )


def _px(distance_px: float) -> str:
    """To three decimals; a little is not nothing."""
    return "<0.001" if 0 < distance_px < 0.0005 else f"{distance_px:.3f}"


def _errors(report: TuneReport) -> RenderableType:
    numbers = ("p50 px", "p99 px", "max px", "flips", "AJ", "MB")
    table = headed(("candidate", *numbers), right=numbers)
    for row in report.rows:
        error, size = row.trial.error, row.trial.size_bytes
        if error is None or size is None:
            continue
        table.add_row(
            Text(row.trial.candidate.name),
            _px(error.p50_px),
            _px(error.p99_px),
            _px(error.max_px),
            f"{error.flip_share:.2%}",
            f"{error.average_jaccard_change:+.2f}",
            f"{size / 1e6:.1f}",
        )
    return titled("How far from float32", table)


def _said(rows: list[tuple[str, str]]) -> Table:
    table = headed(("candidate", "why"))
    for name, reason in rows:
        table.add_row(Text(name), Text(reason))
    return table


def _notes(report: TuneReport) -> Table:
    return facts(
        [
            ("ratio", "float32's time over the candidate's, median of the runs in turn"),
            ("ms", "median of the candidate's own runs; the ratio is what compares candidates"),
            ("p50, p99, max", "px of 256x256, over the points that float32 says are visible"),
            ("flips", "share of points and frames whose visibility changed"),
            ("AJ", "change against the known truth, in points of 100"),
            ("faster", f"at least {100 * (LEAST_GAIN - 1):.0f} % by the median, and p10 over 1"),
        ]
    )


def _winner(report: TuneReport) -> list[RenderableType]:
    trial = report.chosen.trial
    how = f"--provider {trial.candidate.provider}"
    if trial.candidate.threads is not None:
        how += f" with {counted(trial.candidate.threads, 'thread')}"
    if not report.beats_float32:
        return [
            Text(
                f"Nothing within the limits is faster than float32 here, so {report.output} is the "
                f"float32 file ({trial.candidate.name}).",
                "bold",
            )
        ]
    error, ratio = trial.error, trial.ratio
    assert error is not None
    return [
        Text(
            f"{report.output} is {trial.candidate.name}: {ratio.median:.2f} times as fast as "
            f"float32 ({ratio.p10:.2f}-{ratio.p90:.2f} in {counted(trial.rounds, 'run')} in turn), "
            f"99 % of the tracks within {error.p99_px:.3f} px of it. It is the fastest of those "
            f"within the limits. Run it with {how}.",
            "bold",
        )
    ]
