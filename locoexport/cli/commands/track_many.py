"""``locoexport track-many``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.terminal.console import check_json_target, listening, print_result, write_json
from locoexport.cli.terminal.track_options import Features, PointRequest

__all__ = ["track_many"]


def track_many(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS...",
            help="Clips, folders of clips, patterns like 'clips/**/*.mp4', and manifests (.csv, "
            ".jsonl) with the columns clip, queries, points, features, start, end, stride, resize.",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path, typer.Option(metavar="FILE", help="A file written by `locoexport export`.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder of the Parquet dataset; a run that stopped goes on there.",
        ),
    ],
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes on this machine, or Ray Data.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a running Ray cluster (auto, HOST:PORT, ray://...); without it one is "
            "started on this machine.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Processes or actors (as many as there are cores, and memory)."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the CPU for each worker (the cores, shared out)."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do clips again that failed in an earlier run.")
    ] = False,
    points: Annotated[
        str | None,
        typer.Option(
            metavar="grid:N", help="N x N points (grid:NxM: N rows of M) on frame 0 (grid:8)."
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(metavar="t,y,x", help="One point of every clip, in pixels; may be repeated."),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Points of every clip: .csv, .json or .npy.")
    ] = None,
    features: Features = None,
    tracks: Annotated[
        Literal["npz", "csv", "json"] | None,
        typer.Option(help="Write a tracks file a clip as well (npz, csv, json), into DIR/files."),
    ] = None,
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Draw an .mp4 a clip as well, into DIR/files.")
    ] = False,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    start: Annotated[
        float, typer.Option(metavar="SECONDS", help="Begin there in every clip.")
    ] = 0.0,
    end: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop before that time of every clip.")
    ] = None,
    stride: Annotated[int, typer.Option(metavar="N", help="Keep every N-th frame.")] = 1,
    resize: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Scale frames first; points and tracks are in that size."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="For each worker besides the model, like 1GiB."),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(metavar="FRAMES", help="Frames that go through the model at once (48)."),
    ] = None,
    json_target: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing report.")] = False,
) -> None:
    """Track points through many clips, in several processes or on a Ray cluster; no PyTorch.

    Each clip is done once by its content, the model and the options: run the same command again
    and it goes on where it stopped. A clip that cannot be tracked does not stop the others; it is
    listed with the reason, and left alone until it changes or --retry-failed is given. Exit code
    1: not every clip was tracked. Needs `locoexport[many]` (pyarrow), or `locoexport[ray]`.
    """
    check_json_target(json_target, force=force)
    from locoexport.batch.inputs import JobDefaults
    from locoexport.pipeline.tracking.many import track_many as track_clips
    from locoexport.rendering.track_many import many_document, many_text
    from locoexport.runtime.video.selection import Selection, parse_size

    asked = PointRequest(points, tuple(query or ()), queries, (), 2.0, features)
    size = None if resize is None else parse_size(resize)
    with listening(context) as notify:
        report = track_clips(
            inputs,
            model,
            out,
            defaults=JobDefaults(asked.sources("grid:8"), Selection(start, end, stride, size)),
            engine=engine,
            address=address,
            workers=workers,
            threads=threads,
            provider=provider,
            window=window,
            memory=memory,
            tracks_suffix=None if tracks is None else f".{tracks}",
            overlays=overlays,
            retry_failed=retry_failed,
            notify=notify,
        )
    if json_target is not None:
        write_json(json_target, many_document(report))
    if json_target != "-":
        print_result(many_text(report))
    if not report.passed:
        raise typer.Exit(1)
