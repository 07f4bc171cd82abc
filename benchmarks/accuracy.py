"""Scores and costs of exported files: docs/accuracy.json, and the tables in docs/accuracy.md.

``python benchmarks/accuracy.py fp32.onnx fp16.onnx int8.onnx [--videos N]``, in the repository.
Each file is scored by ``eval`` on generated sequences and on the motorcycle pair, the first one
beside PyTorch; what a smaller precision costs is read from its metadata, where ``export`` wrote it.
None of it depends on the machine's load. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from marked_pages import write_between

from locoexport.notices import Notice
from locoexport.pipeline.evaluate import EvalReport, evaluate_model
from locoexport.rendering.evaluation import eval_document

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- accuracy: begin (benchmarks/accuracy.py) -->", "<!-- accuracy: end -->"


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--videos", type=int, default=24)
    given = parser.parse_args()
    reports = [
        evaluate_model(path, dataset, torch=path == given.files[0], videos=videos, notify=tell)
        for dataset, videos in (("synthetic", given.videos), ("motorcycle", None))
        for path in given.files
    ]
    documents = [eval_document(report) for report in reports]
    for document in documents:
        document["file"] = Path(document["file"]).name
        for unstable in ("seconds", "resumed"):
            del document[unstable]
    text = json.dumps({"evaluations": documents}, indent=1) + "\n"
    (ROOT / "docs" / "accuracy.json").write_text(text, encoding="utf-8")
    tables = scores_table(reports) + "\n\n" + costs_table(reports[: len(given.files)])
    write_between(ROOT / "docs" / "accuracy.md", BEGIN, END, tables)


def scores_table(reports: list[EvalReport]) -> str:
    """A row for each dataset and side."""
    names = ("dataset", "videos", "queries", "side", "AJ", "δ_avg", "OA", "median px")
    rows = [names, ("---",) * len(names)]
    for report in reports:
        for side in report.sides:
            mean = report.mean(side)
            rows.append(
                (
                    report.dataset,
                    str(len(report.videos)),
                    str(sum(video.queries for video in report.videos)),
                    "PyTorch" if side == "torch" else f"ONNX {report.metadata.precision}",
                    f"{100 * mean.average_jaccard:.2f}",
                    f"{100 * mean.average_pts_within_thresh:.2f}",
                    f"{100 * mean.occlusion_accuracy:.2f}",
                    f"{mean.median_px:.3f}",
                )
            )
    return lines(rows)


def costs_table(reports: list[EvalReport]) -> str:
    """A row for each file that carries what its precision costs; "" where none does."""
    names = ("precision", "px p50", "p99", "max", "flips", "ΔAJ", "Δδ_avg", "measured on")
    rows = [names, ("---",) * len(names)]
    for report in reports:
        cost = report.metadata.cost
        if cost is not None:
            rows.append(
                (
                    report.metadata.precision,
                    f"{cost.p50_px:.2g}",
                    f"{cost.p99_px:.2g}",
                    f"{cost.max_px:.2g}",
                    f"{cost.flip_share:.2%}",
                    f"{cost.average_jaccard_change:+.2f}",
                    f"{cost.pts_within_thresh_change:+.2f}",
                    cost.sequences,
                )
            )
    return lines(rows) if len(rows) > 2 else ""


def lines(rows: list[tuple[str, ...]]) -> str:
    """Rows of Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def tell(notice: Notice) -> None:
    """Progress on stderr."""
    count = "" if notice.done is None else f": {notice.done} of {notice.total}"
    sys.stderr.write(f"{notice.text}{count}\n")


if __name__ == "__main__":
    main()
