"""Reports of ``eval`` → tables, JSON, rows of Markdown and of LaTeX. Imports data types only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.evaluation.metrics import THRESHOLDS_PX
from locoexport.notices import counted
from locoexport.rendering.parts.metadata import short_weights
from locoexport.rendering.parts.placement import chosen_text
from locoexport.rendering.parts.tables import facts, headed, pixels, share

if TYPE_CHECKING:
    from locoexport.evaluation.scores import Difference, Scores
    from locoexport.pipeline.evaluate import EvalReport

__all__ = [
    "MARKDOWN_HEAD",
    "eval_document",
    "eval_latex",
    "eval_markdown",
    "eval_text",
    "evals_document",
    "evals_text",
]

MARKDOWN_HEAD = (
    "| model | runtime | dataset | queries | videos | AJ | δ_avg | OA | median px |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
_FIRST = ("AJ", "δ_avg", "OA", "median px")
_OTHERS = (*(f"<{x} px" for x in THRESHOLDS_PX), *(f"J{x}" for x in THRESHOLDS_PX))
# The columns of the published evaluators' own rows, in their order.
_LATEX_COLUMNS = (
    *("AJ", r"$<\delta^{x}_{avg}$", "OA"),
    *(rf"Jac. $\delta^{{{power}}}$" for power in range(len(THRESHOLDS_PX))),
    *(rf"$<\delta^{{{power}}}$" for power in range(len(THRESHOLDS_PX))),
)
_PUBLISHED = "published code's mean is NaN then"
_LATEX_ESCAPES = {
    **{letter: "\\" + letter for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}


def eval_text(report: EvalReport) -> RenderableType:
    """The means of every side, how far the sides are apart, and the rows for a README."""
    parts: list[RenderableType] = [_facts(report), Text(), _means(report)]
    apart = report.worst_difference
    if apart is not None:
        parts += [Text(), Text(_apart(apart))]
    return Group(*parts, Text(), *map(Text, eval_markdown(report).splitlines()))


def evals_text(reports: Sequence[EvalReport]) -> RenderableType:
    """Of one dataset its report; of several each one's, and a table of the rows of all."""
    if len(reports) == 1:
        return eval_text(reports[0])
    parts: list[RenderableType] = []
    for report in reports:
        title = report.dataset if report.live is None else f"{report.dataset}, live {report.live}"
        parts += [Text(title, "bold"), _facts(report), Text(), _means(report)]
        if report.worst_difference is not None:
            parts += [Text(), Text(_apart(report.worst_difference))]
        parts.append(Text())
    return Group(*parts, *map(Text, eval_markdown(*reports).splitlines()))


def eval_document(report: EvalReport) -> dict[str, Any]:
    """``locoexport.eval/1``; scores are 0 to 1, figures that could not be scored null."""
    apart = report.worst_difference
    return {
        "schema": "locoexport.eval/1",
        "file": str(report.model),
        "metadata": report.metadata.to_properties(),
        "dataset": report.dataset,
        "query_mode": report.query_mode,
        "full_resolution": report.full_resolution,
        "live": report.live,
        "provider": report.provider,
        "provider_chosen_by": report.chosen_by,
        "sides": list(report.sides),
        "torch_absent": report.absent,
        "mean": {side: asdict(report.mean(side)) for side in report.sides},
        "torch_against_onnx": None if apart is None else asdict(apart),
        "videos": [
            {
                "name": video.name,
                "frames": video.frames,
                "queries": video.queries,
                "scores": {
                    side: asdict(scores)
                    for side, scores in zip(report.sides, video.scores, strict=True)
                },
                "seconds": dict(zip(report.sides, video.seconds, strict=True)),
                "torch_against_onnx": [asdict(pair) for pair in video.differences],
                "remarks": list(video.remarks),
            }
            for video in report.videos
        ],
        "warnings": list(report.warnings),
        "resumed": report.resumed,
        "skipped": list(report.skipped),
        "unscored": list(report.unscored),
        "missing": list(report.missing),
        "seconds": report.seconds,
        "markdown": eval_markdown(report),
    }


def evals_document(reports: Sequence[EvalReport]) -> dict[str, Any]:
    """Of one dataset ``locoexport.eval/1``; of several ``locoexport.evals/1``, which holds such
    documents, so that nobody takes the first for all."""
    if len(reports) == 1:
        return eval_document(reports[0])
    return {
        "schema": "locoexport.evals/1",
        "datasets": [eval_document(report) for report in reports],
        "markdown": eval_markdown(*reports),
    }


def eval_markdown(*reports: EvalReport) -> str:
    """A row a dataset and side, under ``MARKDOWN_HEAD``; scores in percent, as papers give them."""
    rows = []
    for report, side in ((each, side) for each in reports for side in each.sides):
        metadata = report.metadata
        seeded = " (seeded weights)" if metadata.weights.seeded else ""
        mean = report.mean(side)
        cells = (
            f"{metadata.profile}{seeded}",
            _runtime(report, side),
            report.dataset,
            report.query_mode,
            str(len(report.videos)),
            *(_percent(value) for value in _first_three(mean)),
            f"{mean.median_px:.2f}",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join((MARKDOWN_HEAD, *rows))


def eval_latex(reports: Sequence[EvalReport]) -> str:
    """A row a dataset and side of a LaTeX table, below a row of the columns' names.

    After the names the columns of the published evaluators: AJ, <δ_avg, OA, then the Jaccards and
    the shares within 1, 2, 4, 8 and 16 px; in percent with one decimal.
    """
    rows = [("data set", "runtime", "queries", *_LATEX_COLUMNS)]
    for report in reports:
        for side in report.sides:
            mean = report.mean(side)
            names = (report.dataset, _runtime(report, side), report.query_mode)
            figures = (*_first_three(mean), *mean.jaccard, *mean.pts_within)
            cells = ("--" if math.isnan(value) else _percent(value) for value in figures)
            rows.append((*map(_latex_escaped, names), *cells))
    return "".join(" & ".join(row) + " \\\\\n" for row in rows)


def _facts(report: EvalReport) -> Table:
    metadata = report.metadata
    height, width = metadata.resolution_hw
    resized = "" if report.full_resolution else ", frames at 256x256"
    videos = counted(len(report.videos), "video")
    queries = counted(_queries(report), "query", "queries")
    rows = [
        ("file", str(report.model)),
        ("profile", f"{metadata.profile}, {height}x{width}, {metadata.precision}"),
        ("weights", short_weights(report.metadata)),
        ("dataset", f"{report.dataset}: {videos}, {queries}"),
        ("protocol", f"TAP-Vid, {report.query_mode}{resized}, scored at 256x256"),
        ("provider", f"{report.provider}{chosen_text(report.chosen_by)}"),
    ]
    if report.live is not None:
        frames = counted(report.live, "frame")
        rows.append(("live", f"each frame from the newest {frames} alone, as they come"))
    if report.skipped:
        rows.append(("left out", f"no visible point: {', '.join(report.skipped)} ({_PUBLISHED})"))
    if report.missing:
        rows.append(
            ("missing", f"{counted(len(report.missing), 'annotated video')} without a .mp4 file")
        )
    if report.unscored:
        names = ", ".join(report.unscored)
        rows.append(("not in mean", f"no visible point is scored: {names} ({_PUBLISHED})"))
    if report.resumed:
        rows.append(("resumed", f"{counted(report.resumed, 'video')} of an earlier, equal command"))
    if report.absent is not None:
        rows.append(("torch", report.absent))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    return facts(rows)


def _means(report: EvalReport) -> Group:
    """The figures that papers compare; below them those that they are means of."""
    means = [(side, report.mean(side)) for side in report.sides]
    first = headed(("scores in %", *_FIRST), right=_FIRST)
    second = headed(("of these", *_OTHERS), right=_OTHERS)
    for side, mean in means:
        first.add_row(side, *map(_percent, _first_three(mean)), f"{mean.median_px:.2f}")
        second.add_row(side, *map(_percent, (*mean.pts_within, *mean.jaccard)))
    return Group(first, Text(), second)


def _runtime(report: EvalReport, side: str) -> str:
    runtime = "PyTorch" if side == "torch" else f"ONNX {report.metadata.precision}"
    return runtime if report.live is None else f"{runtime}, live {report.live}"


def _latex_escaped(text: str) -> str:
    return "".join(_LATEX_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))


def _apart(apart: Difference) -> str:
    errors = (apart.p50_px, apart.p99_px, apart.max_px)
    p50, p99, worst = map(pixels, errors)
    flips = share(apart.flips, apart.compared)
    return (
        f"torch against onnx, worst of any video: p50 {p50} px, p99 {p99} px, worst {worst} px; "
        f"visibility flips {apart.flips:,} of {apart.compared:,} ({flips})"
    )


def _first_three(scores: Scores) -> tuple[float, float, float]:
    return scores.average_jaccard, scores.average_pts_within_thresh, scores.occlusion_accuracy


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _queries(report: EvalReport) -> int:
    return sum(video.queries for video in report.videos)
