"""What ``locoexport track`` was asked for: the options, read. A part of that command.

It is imported when the command runs: ``--help`` needs nothing of the runtime.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from locoexport.cli.commands.tracking.track_source import is_clip_folder
from locoexport.cli.options.option_values import parse_grid, parse_share
from locoexport.cli.options.tracking.track_options import DEFAULT_POINTS
from locoexport.errors import UsageError
from locoexport.machine.writing.names import fit_name
from locoexport.machine.writing.output_files import check_apart, is_file
from locoexport.pipeline.tracking.objects import ObjectOutputs, ObjectSources
from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.objects.rules import ObjectRules, find_preset
from locoexport.runtime.queries.masks import parse_mask
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.sources.named import is_live, name_of, stem_of
from locoexport.runtime.sources.opening import NamedSource
from locoexport.runtime.video.selection import Selection, parse_size

__all__ = ["ObjectRequest", "TrackRequest", "select_frames", "with_default_points"]


@dataclass(frozen=True)
class ObjectRequest:
    """Objects, as they were asked for on the command line.

    A folder's records keep these values under these names. They keep nothing of the fields with a
    default where these are at it: earlier versions had not got them.
    """

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
    segmenter_model: Path | None = None
    gap_box: Literal["moved", "points"] = "moved"
    mask_every: int | None = None
    preset: str | None = None

    def with_preset(self, name: str, typed: Collection[str]) -> ObjectRequest:
        """These values, and those of a preset wherever nothing was typed.

        Args:
            name: of the preset.
            typed: the command's options that were given, by their parameters' names.

        Raises:
            UsageError: there is no such preset.
        """
        rules = find_preset(name).rules
        rows, columns = rules.grid_hw
        # By the parameter of the command: the field here, and what the preset says.
        values: tuple[tuple[str, str, object], ...] = (
            ("object_grid", "grid", f"{rows}x{columns}"),
            ("context_frames", "context", rules.context_frames),
            ("outlier_deviations", "outlier_deviations", rules.outlier_deviations),
            ("displacement", "displacement", rules.displacement),
            ("least_visible", "least_visible", str(rules.least_visible)),
            ("least_overlap", "least_overlap", rules.least_overlap),
            ("least_detections", "least_detections", rules.least_detections),
            ("gap_box", "gap_box", rules.gap_box),
            ("mask_every", "mask_every", rules.mask_every),
        )
        taken: dict[str, Any] = {
            field: value for option, field, value in values if option not in typed
        }
        return replace(self, preset=name, **taken)

    @property
    def given(self) -> bool:
        """Whether any object was asked for."""
        return bool(self.boxes) or self.detect is not None

    def sources(self) -> ObjectSources:
        """Where objects come from, and by which rules.

        Raises:
            UsageError: a number cannot be read or is out of range, a detector's file was given
                without a detector, or something else that is for objects without any.
        """
        if self.detector_model is not None and self.detect is None:
            raise UsageError("--detector-model is for a detector; name one with --detect.")
        self.refuse_without_objects()
        return ObjectSources(
            detector=self.detect,
            detector_model=self.detector_model,
            boxes=self.boxes,
            segmenter=self.segment,
            segmenter_model=self.segmenter_model,
            preset=self.preset,
            rules=self._rules(),
        )

    def refuse_without_objects(self) -> None:
        """Raises UsageError where an option that is for objects alone was given without any."""
        named = (
            ("--preset", self.preset),
            ("--mask-every", self.mask_every),
            ("--segmenter-model", self.segmenter_model),
        )
        for option, value in named:
            if value is not None and not self.given:
                raise UsageError(f"{option} is for objects; ask for some with --detect or --boxes.")

    def kept(self) -> dict[str, Any]:
        """The values that decide what comes out, for a record."""
        values = asdict(self)
        del values["preset"]  # its numbers are there
        later = ("segmenter_model", "gap_box", "mask_every")
        defaults = {field.name: field.default for field in fields(self) if field.name in later}
        return {
            name: value
            for name, value in values.items()
            if name not in defaults or value != defaults[name]
        }

    def _rules(self) -> ObjectRules:
        return ObjectRules(
            outlier_deviations=self.outlier_deviations,
            displacement=self.displacement,
            least_visible=parse_share(self.least_visible),
            context_frames=self.context,
            grid_hw=parse_grid(self.grid),
            least_overlap=self.least_overlap,
            least_detections=self.least_detections,
            gap_box=self.gap_box,
            mask_every=self.mask_every,
        )


@dataclass(frozen=True)
class TrackRequest:
    """All that ``locoexport track`` was asked for, but how to report it.

    ``outputs`` has what was named: of a folder of clips, ``overlay`` is the folder of outputs.
    ``image_fps`` is the rate of images in its folders.
    """

    video: NamedSource
    model: Path
    points: PointSources
    objects: ObjectRequest
    outputs: ObjectOutputs
    selection: Selection
    provider: str | None
    window: int | None
    memory: str | None
    compare_windows: bool
    force: bool
    style: DrawingStyle = field(default=OVERLAY_STYLE)
    image_fps: float | None = None

    @property
    def needs_objects(self) -> bool:
        """Whether only the way through objects does it: for objects, boxes, and TAP-Vid files."""
        tracks = self.outputs.tracks_file
        has_pickle = tracks is not None and tracks.suffix.lower() == ".pkl"
        return self.objects.given or self.outputs.boxes_file is not None or has_pickle

    def clip_outputs(self) -> ObjectOutputs:
        """The outputs of a single clip: an overlay in this folder where none was named."""
        if self.outputs.written():
            return self.outputs
        ending = ".tracked.mp4"
        return ObjectOutputs(overlay=Path(fit_name(stem_of(self.video), len(ending)) + ending))

    def point_sources(self) -> PointSources:
        """The points asked for; the default ones where no object was asked for either."""
        return self.points if self.objects.given else with_default_points(self.points)

    def check_apart(self) -> None:
        """Raises OutputError where an output is an input, or two outputs are one file."""
        is_folder = is_clip_folder(self.video)
        inputs: list[tuple[str, str | Path | None]] = [
            ("VIDEO", None if is_folder or is_live(self.video) else name_of(self.video)),
            ("--model", self.model),
            *(("the input", path) for path in self.files()),
        ]
        outputs = self.outputs if is_folder else self.clip_outputs()
        check_apart(
            (
                ("--output", outputs.overlay),
                ("--tracks", outputs.tracks_file),
                ("--objects", outputs.boxes_file),
            ),
            inputs,
        )

    def refuse_comparison(self) -> None:
        """Raises UsageError where windows are to be compared though that is not done here."""
        if self.compare_windows:
            raise UsageError(
                "--compare-windows is for points of one clip, without objects and without .pkl."
            )

    def files(self) -> tuple[Path, ...]:
        """Files that points and objects are read from or found with."""
        masks = (parse_mask(text).path for text in self.points.masks)
        boxes = (path for path in map(Path, self.objects.boxes) if is_file(path))
        models = (self.objects.detector_model, self.objects.segmenter_model)
        named = (self.points.query_file, *masks, *boxes, *models)
        return tuple(path for path in named if path is not None)

    def described(self) -> dict[str, Any]:
        """What decides the tracks of a clip, as JSON values; a folder's records keep it."""
        asked = self.points.described() | self.objects.kept() | self.selection.described()
        values = asked | {"window": self.window, "memory": self.memory}
        if self.style != OVERLAY_STYLE:  # earlier versions had one style
            values["style"] = asdict(self.style)
        if self.image_fps is not None:
            values["image_fps"] = self.image_fps
        return {
            name: str(value) if isinstance(value, Path) else value for name, value in values.items()
        }


def select_frames(
    start: float,
    end: float | None,
    stride: int,
    resize: str | None,
    *,
    seconds: float | None = None,
    max_frames: int | None = None,
    deinterlace: bool = False,
    on_damage: OnDamage = "stop",
) -> Selection:
    """Which part of a clip is meant; ``start`` and ``end`` in seconds, ``resize`` as ``HxW``.

    ``seconds`` says ``end`` from ``start`` on.

    Raises:
        UsageError: a number cannot be read or is out of range.
    """
    if seconds is not None:
        if end is not None:
            raise UsageError("--seconds and --end both say where to stop; give one of them.")
        if not seconds > 0:
            raise UsageError(f"--seconds is {seconds}; it must be above 0.")
        end = start + seconds
    size = None if resize is None else parse_size(resize)
    return Selection(
        *(start, end, stride, size, max_frames), deinterlace=deinterlace, on_damage=on_damage
    )


def with_default_points(points: PointSources) -> PointSources:
    """These; a grid where none were asked for."""
    return points if points.given else PointSources(points=DEFAULT_POINTS)
