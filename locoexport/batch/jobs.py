"""What is to be done: a clip, its points and its part, as data that decides the result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from locoexport.machine.writing.output_files import sha256_of
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.sources.named import Images
from locoexport.runtime.video.selection import Selection

__all__ = ["ClipJob", "ClipOutcome", "WorkSettings", "clip_id", "job_id"]

_ID_DIGITS = 32


@dataclass(frozen=True)
class ClipJob:
    """One clip to track.

    Attributes:
        clip: its path, absolute: of a file, of a folder of images, or their pattern.
        points: where the query points come from.
        selection: which part of the clip.
        image_fps: frames a second of images; None for a file, and where nobody said any.
    """

    clip: Path
    points: PointSources = field(default_factory=lambda: PointSources(points="grid:8"))
    selection: Selection = field(default_factory=Selection)
    image_fps: float | None = None

    @property
    def source(self) -> Path | Images:
        """What ``open_video`` opens."""
        return self.clip if self.image_fps is None else Images(self.clip, self.image_fps)


@dataclass(frozen=True)
class WorkSettings:
    """What all clips of a run share; it goes to every worker.

    Attributes:
        model: an exported file.
        model_sha256: of that file, and of its neighbours where it is a split export.
        out: the folder of the outputs.
        provider: the execution provider.
        threads: of the CPU, for one worker.
        model_threads: those of its model; None is the provider's usual number.
        window: frames a window; see ``PointTracker``.
        memory: like ``1GiB``, for one worker; see ``PointTracker``.
        tracks_suffix: ``.npz``, ``.csv`` or ``.json`` where a file a clip is wanted besides.
        overlays: whether a drawn .mp4 a clip is wanted.
        style: how these are drawn.
    """

    model: Path
    model_sha256: str
    out: Path
    provider: str = "cpu"
    threads: int = 1
    model_threads: int | None = None
    window: int | None = None
    memory: str | None = None
    tracks_suffix: str | None = None
    overlays: bool = False
    style: DrawingStyle = OVERLAY_STYLE

    def options_of(self, job: ClipJob) -> dict[str, Any]:
        """Whatever else than clip and model decides what comes out, as JSON values.

        Of a file of query points its content counts, not its name.
        """
        points = job.points.described()
        if job.points.query_file is not None:
            points["query_file"] = _content_of(job.points.query_file)
        options: dict[str, Any] = {
            "points": points,
            "selection": job.selection.described(),
            "provider": self.provider,
            "window": self.window,
            "memory": self.memory,
        }
        # Earlier versions had one style, and no images.
        if self.overlays and self.style != OVERLAY_STYLE:
            options["style"] = asdict(self.style)
        if job.image_fps is not None:
            options["image_fps"] = job.image_fps
        # As it is read back: JSON makes lists of tuples.
        return dict(json.loads(json.dumps(options)))


@dataclass(frozen=True)
class ClipOutcome:
    """How one clip ended.

    Attributes:
        clip: its path.
        outcome: ``tracked``; ``failed``: the clip or its points are bad, which is recorded;
            ``lost``: not the clip's fault as far as anybody knows (its worker died, memory ran
            out), so that the next run takes it up again.
        text: in a few words what was tracked, or the reason.
        clip_id: of its tracks in the dataset; None where there are none.
        points: how many were tracked.
        frames: how many it has.
        seconds: the work took; 0 where it was skipped.
        skipped: whether an earlier run had done it.
        warnings: what was wrong with a clip that could be tracked.
    """

    clip: Path
    outcome: str
    text: str
    clip_id: str | None = None
    points: int = 0
    frames: int = 0
    seconds: float = 0.0
    skipped: bool = False
    warnings: tuple[str, ...] = ()


def clip_id(clip_sha256: str, model_sha256: str, options: dict[str, Any]) -> str:
    """The name of a clip's tracks: equal where the clip's bytes, the model and the options are."""
    return _digest([clip_sha256, model_sha256, options])


def job_id(job: ClipJob, model_sha256: str, options: dict[str, Any]) -> str:
    """The name of a job's record: by the clip's path, so that it is found without reading it."""
    return _digest([str(job.clip), model_sha256, options])


def _digest(facts: list[Any]) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def _content_of(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return "unreadable"  # reading the points will say why
