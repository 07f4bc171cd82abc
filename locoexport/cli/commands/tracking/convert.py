"""``locoexport convert``."""

from __future__ import annotations

import typer

from locoexport.cli.options.shared_options import JsonTarget, ReplaceFiles
from locoexport.cli.options.tracking import convert_options as options
from locoexport.cli.terminal import console

__all__ = ["convert"]


def convert(
    context: typer.Context,
    tracks: options.TracksToConvert,
    output: options.Output,
    to: options.To = None,
    video: options.Clip = None,
    size: options.Size = None,
    fps: options.Rate = None,
    first_frame: options.FirstFrame = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
) -> None:
    """Write tracks for another program: Nuke, Blender, CVAT, ...

    docs/exchange.md says for each format where frames and pixels begin, which way y goes, and what
    happens to hidden points. Needs neither a model nor PyTorch.

    Examples:
        locoexport convert tracks.npz -o tracks.nk --video clip.mp4
        locoexport convert tracks.npz -o annotations.xml --to cvat --video clip.mp4
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
