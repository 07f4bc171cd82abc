"""``locoexport convert``."""

from __future__ import annotations

import typer

from locoexport.cli.options import convert_options as options
from locoexport.cli.options.shared_options import JsonTarget, OutputFile, ReplaceFiles
from locoexport.cli.terminal import console

__all__ = ["convert"]


def convert(
    context: typer.Context,
    tracks: options.TracksToConvert,
    output: OutputFile,
    to: options.To = None,
    video: options.Clip = None,
    size: options.Size = None,
    fps: options.Rate = None,
    first_frame: options.FirstFrame = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
) -> None:
    """Write tracks as a file that another program reads: Nuke, Blender, CVAT and others.

    docs/exchange.md says for each format where frames and pixels begin, which way y goes, and what
    becomes of hidden points. Needs no model and no PyTorch.
    """
    console.check_outputs(context, files=("output",))
    from locoexport.pipeline.convert import convert_tracks
    from locoexport.rendering.tracking.convert import convert_document, convert_text
    from locoexport.runtime.exchange.clip_facts import ClipFacts
    from locoexport.runtime.video.selection import parse_size

    height, width = (None, None) if size is None else parse_size(size)
    facts = ClipFacts(width=width, height=height, fps=fps, first_frame=first_frame)
    with console.listening(context) as notify:
        report = convert_tracks(
            tracks, output, to=to, video=video, facts=facts, force=force, notify=notify
        )
    console.report(json_target, convert_document, convert_text, report, context=context)
