"""The options of ``locoexport track`` that say where points and objects come from."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from locoexport.errors import UsageError
from locoexport.machine.output_files import is_file

if TYPE_CHECKING:
    from locoexport.pipeline.tracking.objects import ObjectOutputs, ObjectSources
    from locoexport.runtime.objects.rules import ObjectRules
    from locoexport.runtime.queries.sources import PointSources
    from locoexport.runtime.video.selection import Selection

__all__ = [
    "DEFAULT_POINTS",
    "Boxes",
    "BoxesFile",
    "CompareWindows",
    "Context",
    "Detect",
    "DetectorModel",
    "Displacement",
    "End",
    "Features",
    "Force",
    "JsonTarget",
    "LeastDetections",
    "LeastOverlap",
    "LeastVisible",
    "Mask",
    "MaskErosion",
    "Memory",
    "ObjectGrid",
    "ObjectRequest",
    "OutlierDeviations",
    "Output",
    "OutputRequest",
    "PointRequest",
    "Points",
    "Provider",
    "Queries",
    "Query",
    "Resize",
    "RunRequest",
    "Segment",
    "Start",
    "Stride",
    "TracksFile",
    "Window",
]

DEFAULT_POINTS = "grid:8"
"""Tracked where neither points nor objects are asked for."""

Points = Annotated[
    str | None,
    typer.Option(
        metavar="grid:N|grid:NxM",
        help="Centres of N×N, or N rows of M, cells on frame 0 (grid:8 where no point and no "
        "object is asked for).",
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(metavar="t,y,x", help="One query point, in pixels; may be repeated."),
]
Queries = Annotated[Path | None, typer.Option(help="Query points from a .csv, .json or .npy file.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Overlay video to write, .mp4 (VIDEO.tracked.mp4 in this folder where no output "
        "is named); for a folder of clips, the folder of outputs.",
    ),
]
TracksFile = Annotated[
    Path | None,
    typer.Option(help="Tracks file to write (.npz, .csv, .json, or .pkl in TAP-Vid's layout)."),
]
Provider = Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")]
Start = Annotated[
    float, typer.Option(metavar="SECONDS", help="Begin there; frame 0 is the first from it on.")
]
End = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Stop before that time of the clip.")
]
Stride = Annotated[int, typer.Option(metavar="N", help="Keep every N-th frame.")]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Scale frames first; query points, tracks and overlay are in that size.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Stay below that much memory besides the model, like 1GiB, at any length.",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="FRAMES",
        help="Frames that go through the model at once (48, or what --memory allows).",
    ),
]
CompareWindows = Annotated[
    bool,
    typer.Option(
        "--compare-windows",
        help="Track the clip in one window as well, and report what windows changed.",
    ),
]
JsonTarget = Annotated[
    str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]

Mask = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="FILE[@frame][:grid]",
        help="A grid of points (8x8, or N, or NxM) inside an image's non-black pixels; may be "
        "repeated.",
    ),
]
MaskErosion = Annotated[
    float, typer.Option(metavar="PX", help="How far from a mask's edge its points begin.")
]
Features = Annotated[
    int | None,
    typer.Option(metavar="N", help="Up to N corners of frame 0 that are easy to follow."),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--boxes",
        metavar="x0,y0,x1,y1[@frame]|FILE",
        help="Objects to follow, as a box in pixels or a .csv, .json or .npy file of boxes; may "
        "be repeated.",
    ),
]
Detect = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Objects to follow: face, or an installed detector's name."),
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(help="A file for the detector; for face a YuNet .onnx in place of the cascades."),
]
Segment = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="What keeps an object's points off its background: ellipse, box, ..."
    ),
]
BoxesFile = Annotated[
    Path | None,
    typer.Option("--objects", help="Boxes file to write: a row a frame and object (.csv, .json)."),
]
ObjectGrid = Annotated[
    str, typer.Option(metavar="NxM", help="Rows and columns of points in an object's box.")
]
Context = Annotated[
    int, typer.Option(metavar="FRAMES", help="Seen on each side of a gap that is filled.")
]
OutlierDeviations = Annotated[
    float,
    typer.Option(
        metavar="X",
        help="Hide a point where its displacement is X standard deviations from usual (inf: "
        "never).",
    ),
]
Displacement = Annotated[
    Literal["origin", "step"],
    typer.Option(help="From where the point began, or from the frame before."),
]
LeastVisible = Annotated[
    str,
    typer.Option(
        metavar="SHARE", help="An object is lost where fewer of its points are visible, like 1/3."
    ),
]
LeastOverlap = Annotated[
    float,
    typer.Option(metavar="IOU", help="From which two boxes of different frames show one object."),
]
LeastDetections = Annotated[
    int,
    typer.Option(metavar="N", help="Objects detected in fewer frames are taken for false alarms."),
]


@dataclass(frozen=True)
class PointRequest:
    """Points, as they were asked for on the command line."""

    points: str | None
    queries: tuple[str, ...]
    query_file: Path | None
    masks: tuple[str, ...]
    mask_erosion_px: float
    features: int | None

    def files(self) -> tuple[Path, ...]:
        """Files that points are read from."""
        from locoexport.runtime.queries.masks import parse_mask

        masks = tuple(parse_mask(text).path for text in self.masks)
        return masks if self.query_file is None else (self.query_file, *masks)

    def sources(self, default: str | None) -> PointSources:
        """All of them; ``default`` points where none were asked for."""
        from locoexport.runtime.queries.sources import PointSources

        sources = PointSources(**vars(self))
        return sources if sources.given or default is None else PointSources(points=default)


@dataclass(frozen=True)
class ObjectRequest:
    """Objects, as they were asked for on the command line."""

    boxes: tuple[str, ...]
    detect: str | None
    detector_model: Path | None
    segment: str
    grid: str
    context: int
    outlier_deviations: float
    displacement: Literal["origin", "step"]
    least_visible: str
    least_overlap: float
    least_detections: int

    @property
    def given(self) -> bool:
        """Whether any object was asked for."""
        return bool(self.boxes) or self.detect is not None

    def files(self) -> tuple[Path, ...]:
        """Files that objects are read from or found with."""
        boxes = tuple(path for path in map(Path, self.boxes) if is_file(path))
        return boxes if self.detector_model is None else (*boxes, self.detector_model)

    def sources(self) -> ObjectSources:
        """Where objects come from; raises UsageError where a number cannot be read."""
        from locoexport.pipeline.tracking.objects import ObjectSources

        if self.detector_model is not None and self.detect is None:
            raise UsageError("--detector-model is for a detector; name one with --detect.")
        return ObjectSources(
            detector=self.detect,
            detector_model=self.detector_model,
            boxes=self.boxes,
            segmenter=self.segment,
            rules=self._rules(),
        )

    def _rules(self) -> ObjectRules:
        from locoexport.runtime.objects.rules import ObjectRules

        return ObjectRules(
            outlier_deviations=self.outlier_deviations,
            displacement=self.displacement,
            least_visible=_parse_share(self.least_visible),
            context_frames=self.context,
            grid_hw=_parse_grid(self.grid),
            least_overlap=self.least_overlap,
            least_detections=self.least_detections,
        )


@dataclass(frozen=True)
class OutputRequest:
    """Files to write, as they were asked for on the command line."""

    overlay: Path | None
    tracks: Path | None
    boxes: Path | None

    @property
    def needs_objects(self) -> bool:
        """Whether only the way through objects writes one of them."""
        return self.boxes is not None or (
            self.tracks is not None and self.tracks.suffix.lower() == ".pkl"
        )

    def named(self, video: Path) -> OutputRequest:
        """With an overlay in this folder where nothing is asked for."""
        if self.overlay is None and self.tracks is None and self.boxes is None:
            return OutputRequest(Path(f"{video.stem}.tracked.mp4"), None, None)
        return self

    def files(self) -> ObjectOutputs:
        """As the pipeline takes them."""
        from locoexport.pipeline.tracking.objects import ObjectOutputs

        return ObjectOutputs(self.overlay, self.tracks, self.boxes)


@dataclass(frozen=True)
class RunRequest:
    """How to run, as it was asked for on the command line."""

    provider: str
    start: float
    end: float | None
    stride: int
    resize: str | None
    window: int | None
    memory: str | None
    compare_windows: bool
    force: bool
    json_target: str | None

    def selection(self) -> Selection:
        """Which part of the clip; raises UsageError where a number is wrong."""
        from locoexport.runtime.video.selection import Selection, parse_size

        size = None if self.resize is None else parse_size(self.resize)
        return Selection(self.start, self.end, self.stride, size)

    def refuse_comparison(self) -> None:
        """Raises UsageError where windows are to be compared though that is not done here."""
        if self.compare_windows:
            raise UsageError(
                "--compare-windows is for points of one clip, without objects and without .pkl."
            )


def described(*requests: PointRequest | ObjectRequest) -> dict[str, Any]:
    """Requests as JSON values."""
    values = {name: value for request in requests for name, value in asdict(request).items()}
    return {
        name: str(value)
        if isinstance(value, Path)
        else list(value)
        if type(value) is tuple
        else value
        for name, value in values.items()
    }


def _parse_share(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"A share is a number like 0.3 or 1/3, not {text!r}.") from None


def _parse_grid(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})(?:x([0-9]{1,4}))?", text)
    if match is None:
        raise UsageError(f"A grid is N or NxM (rows and columns), like 8x8, not {text!r}.")
    return int(match[1]), int(match[2] or match[1])
