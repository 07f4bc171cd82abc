"""What was named on the command line → jobs: paths, folders, patterns and manifests."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from locoexport.batch.clips import find_clips, holds_images, is_image
from locoexport.batch.jobs import ClipJob
from locoexport.errors import InputError, LocoExportError, UsageError, VideoError
from locoexport.machine.limits import ROWS, TEXT_BYTES
from locoexport.machine.reading.documents import parse_json, read_at_most
from locoexport.runtime.picture.addresses import looks_like_url
from locoexport.runtime.queries.points import parse_points
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.sources.images import is_pattern, stands_for_images
from locoexport.runtime.video.selection import Selection, check_fps, parse_size

__all__ = ["MANIFEST_COLUMNS", "JobDefaults", "collect_jobs"]

MANIFEST_COLUMNS = (
    *("clip", "queries", "points", "features"),
    *("start", "end", "stride", "resize", "fps"),
)
"""What a manifest may name: a clip (needed), its points, and its part; empty is the default."""
_MANIFESTS = (".csv", ".jsonl")
_POINTS = ("queries", "points", "features")
_REAL = ("start", "end", "fps")


@dataclass(frozen=True)
class JobDefaults:
    """Points, part of a clip and rate of images for which a manifest says nothing else."""

    points: PointSources = field(default_factory=lambda: PointSources(points="grid:8"))
    selection: Selection = field(default_factory=Selection)
    image_fps: float | None = None


def collect_jobs(inputs: Sequence[str | Path], defaults: JobDefaults) -> list[ClipJob]:
    """All clips that were named, in order; the same clip with the same options only once.

    Args:
        inputs: a clip's path; a folder of clips, of images, or of folders of images; a pattern
            like ``clips/**/*.mp4``; images by a pattern, ``f/%05d.png`` or ``f/*.png``; a manifest:
            .csv with a header line, or .jsonl with an object a line, of ``MANIFEST_COLUMNS``.
            Paths in a manifest are relative to its folder. A row that names points in any way
            replaces the default points altogether.
        defaults: for what a manifest leaves out, and for clips that were named alone.

    Raises:
        VideoError: a path that does not exist, a pattern without a match, a folder without clips,
            an address, a camera's number, stdin.
        UsageError: a rate is given and no images.
        InputError: a manifest that cannot be read; says in which line. A clip in it that does not
            exist is no error here: it fails by itself.
    """
    if defaults.points.query_file is not None:
        path = defaults.points.query_file.absolute()
        defaults = replace(defaults, points=replace(defaults.points, query_file=path))
    jobs: dict[ClipJob, None] = {}
    for given in inputs:
        for job in _jobs_of(str(given), defaults):
            jobs.setdefault(job)
    if defaults.image_fps is not None and all(job.image_fps is None for job in jobs):
        raise UsageError("--fps is for images, and none are named; clips have their own rate.")
    return list(jobs)


def _jobs_of(text: str, defaults: JobDefaults) -> Iterator[ClipJob]:
    path = Path(text)
    if path.suffix.lower() in _MANIFESTS:
        yield from _read_manifest(path, defaults)
    elif path.is_dir():
        yield from (_job(clip, defaults) for clip in find_clips(path))
    elif path.exists():
        yield _job(path, defaults)
    elif looks_like_url(text):
        raise VideoError(_not_a_clip(text))
    elif glob.has_magic(text):
        yield from (_job(clip, defaults) for clip in _matches(text))
    elif is_pattern(path):
        yield _job(path, defaults)
    else:
        raise VideoError(_not_a_clip(text))


def _matches(pattern: str) -> list[Path]:
    """The clips that a pattern stands for: files and folders of images; images are one together."""
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    files = [path for path in found if path.is_file()]
    if files and all(is_image(path) for path in files):
        return [Path(pattern)]
    clips = [path for path in found if path.is_file() or (path.is_dir() and holds_images(path))]
    if not clips:
        raise VideoError(f"No clip and no folder of images matches {pattern}.")
    return clips


def _not_a_clip(text: str) -> str:
    """Why a name stands for no clip."""
    one = "`locoexport track` takes one"
    if looks_like_url(text):
        return f"{text} is an address; download the clip and name the file ({one}: --url)."
    if text == "-":
        return f"- is stdin, which can be read only once; save the clip and name the file ({one})."
    if text.isdigit():
        return (
            f"There is no clip {text}; to track a camera, record clips first ({one}: --camera "
            f"{text})."
        )
    return f"There is no clip, folder or manifest {text}."


def _job(clip: Path, defaults: JobDefaults) -> ClipJob:
    clip = clip.absolute()
    fps = defaults.image_fps if stands_for_images(clip) else None
    return ClipJob(clip, defaults.points, defaults.selection, fps)


def _read_manifest(path: Path, defaults: JobDefaults) -> Iterator[ClipJob]:
    rows = _csv_rows if path.suffix.lower() == ".csv" else _jsonl_rows
    count = 0
    try:
        for line, row in rows(path):
            try:
                yield _row_job(row, path.parent, defaults)
            except (LocoExportError, ValueError) as error:
                raise InputError(f"{path}, line {line}: {error}") from error
            count += 1
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a manifest: {error}.") from error
    if not count:
        raise InputError(f"{path} names no clip.")


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = read_at_most(path, TEXT_BYTES, path).decode("utf-8-sig")
    with io.StringIO(text, newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            ROWS.check(reader.line_num - 1, path)
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {reader.line_num}: its number of columns differs from the "
                    "header's."
                )
            if any(row.values()):
                yield reader.line_num, {name.strip().lower(): row[name] for name in row}


def _jsonl_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    content = read_at_most(path, TEXT_BYTES, path).decode("utf-8-sig")
    with io.StringIO(content) as file:
        for line, text in enumerate(file, 1):
            ROWS.check(line, path)
            if not text.strip():
                continue
            row = parse_json(text, f"{path}, line {line}: it")
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {line}: expected an object like {{'clip': ...}}.")
            yield line, row


def _row_job(row: Mapping[str, Any], folder: Path, defaults: JobDefaults) -> ClipJob:
    unknown = sorted(set(row) - set(MANIFEST_COLUMNS))
    if unknown:
        raise InputError(
            f"there is no column {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(MANIFEST_COLUMNS)}."
        )
    given = {name: str(value).strip() for name, value in row.items() if value not in (None, "")}
    if "clip" not in given:
        raise InputError("it names no clip (column 'clip').")
    clip = (folder / given["clip"]).absolute()
    if looks_like_url(given["clip"]) or (given["clip"] == "-" and not clip.exists()):
        raise InputError(_not_a_clip(given["clip"]))
    return ClipJob(
        clip,
        _row_points(given, folder, defaults.points),
        _row_selection(given, defaults.selection),
        _row_fps(given, clip, defaults.image_fps),
    )


def _row_fps(given: Mapping[str, str], clip: Path, default: float | None) -> float | None:
    if "fps" not in given:
        return default if stands_for_images(clip) else None
    if not stands_for_images(clip):
        raise InputError("fps is for images; a clip has its own rate. Leave that cell empty.")
    return check_fps(_number(given, "fps"))


def _row_points(given: Mapping[str, str], folder: Path, default: PointSources) -> PointSources:
    if not any(name in given for name in _POINTS):
        return default
    if "points" in given:
        parse_points(given["points"])
    return PointSources(
        points=given.get("points"),
        query_file=(folder / given["queries"]).absolute() if "queries" in given else None,
        features=int(_number(given, "features")) if "features" in given else None,
        query_order=default.query_order,
    )


def _row_selection(given: Mapping[str, str], default: Selection) -> Selection:
    chosen: dict[str, Any] = {}
    if "start" in given:
        chosen["start_s"] = _number(given, "start")
    if "end" in given:
        chosen["end_s"] = _number(given, "end")
    if "stride" in given:
        chosen["stride"] = int(_number(given, "stride"))
    if "resize" in given:
        chosen["resize_hw"] = parse_size(given["resize"])
    return replace(default, **chosen)


def _number(given: Mapping[str, str], name: str) -> float:
    try:
        return float(given[name]) if name in _REAL else int(given[name])
    except ValueError:
        raise InputError(f"{name} is {given[name]!r}, which is not a number.") from None
