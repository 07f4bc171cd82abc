"""A folder of clips, tracked one by one; what is done already is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locoexport.errors import (
    InputError,
    NothingDetectedError,
    OutputError,
    QueryError,
    UsageError,
    VideoError,
)
from locoexport.files import sha256_of, whole_file
from locoexport.pipeline.notices import Listener, Notice, ignore
from locoexport.runtime.split import split_paths

__all__ = ["ClipFiles", "ClipResult", "FolderReport", "find_clips", "hash_files", "track_folder"]

_SCHEMA = "locoexport.tracked-clip/1"
_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip in the output folder, by the clip's whole name."""

    overlay: Path
    tracks: Path
    boxes: Path
    record: Path

    @classmethod
    def of(cls, clip: Path, out: Path) -> ClipFiles:
        """For ``a.mp4``: ``a.mp4.tracked.mp4``, .tracks.npz, .boxes.csv and .done.json."""
        names = ("tracked.mp4", "tracks.npz", "boxes.csv", "done.json")
        return cls(*(out / f"{clip.name}.{name}" for name in names))


@dataclass(frozen=True)
class ClipResult:
    """How one clip ended: ``outcome`` is ``tracked``, ``nothing detected`` or ``failed``."""

    clip: Path
    outcome: str
    text: str
    skipped: bool = False


@dataclass(frozen=True)
class FolderReport:
    """What became of every clip of a folder."""

    folder: Path
    out: Path
    results: tuple[ClipResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every clip was tracked, now or earlier."""
        return all(result.outcome == "tracked" for result in self.results)


def find_clips(folder: Path) -> list[Path]:
    """The clips in a folder, by their suffix, in alphabetical order; folders in it are left out.

    Raises:
        VideoError: there is none, or the folder cannot be read.
    """
    try:
        clips = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
    except OSError as error:
        raise VideoError(f"Cannot read {folder}: {error.strerror or error}.") from error
    if not clips:
        raise VideoError(f"{folder} holds no clip ({', '.join(_SUFFIXES)}).")
    return clips


def hash_files(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, for ``options``: a file of the same name may change.

    Raises:
        InputError: one cannot be read.
    """
    return {str(path): _sha256(path) for path in paths}


def track_folder(
    folder: Path,
    out: Path,
    model: Path,
    options: Mapping[str, Any],
    track_clip: Callable[[Path, ClipFiles], str],
    *,
    force: bool = False,
    notify: Listener = ignore,
) -> FolderReport:
    """Track every clip of a folder, one after another.

    A clip that is done leaves a record beside its outputs, written last. On another run it is
    skipped, if the clip, the model and the options are the same. So an interrupted run goes on
    where it stopped. A clip that cannot be read, or in which nothing was detected, does not stop
    the others; the former is tried again next time.

    Args:
        folder: with clips; see ``find_clips``.
        out: where the outputs go; it must exist.
        model: the exported file.
        options: whatever else decides what comes out, as JSON values.
        track_clip: tracks one clip into those files, replacing what is there, and says in a few
            words what it found.
        force: do again what is done already.
        notify: is told which clip it is at.

    Raises:
        OutputError: there is no folder ``out``, or it is the folder of the clips.
        UsageError: ``out`` holds results of other options, another model or another clip of the
            same name, and ``force`` is not given. Nothing is done then.
        VideoError: there is no clip.
        LocoExportError: an error of ``track_clip`` that is not the clip's fault.
    """
    clips = find_clips(folder)
    if not out.is_dir():
        raise OutputError(f"The folder {out} does not exist; make it first (mkdir -p {out}).")
    if out.resolve() == folder.resolve():
        raise OutputError(f"{out} is the folder of the clips; name another folder for outputs.")
    # As they are read back: JSON makes lists of tuples.
    written = json.loads(json.dumps(dict(options)))
    due = {"schema": _SCHEMA, "model_sha256": _hash_model(model), "options": written}
    earlier = {
        clip: None if force else _earlier_result(clip, ClipFiles.of(clip, out), due)
        for clip in clips
    }
    results = []
    for index, clip in enumerate(clips):
        notify(Notice("clips", done=index, total=len(clips)))
        result = earlier[clip] or _track(clip, ClipFiles.of(clip, out), due, track_clip, notify)
        results.append(result)
    notify(Notice("clips", done=len(clips), total=len(clips)))
    return FolderReport(folder, out, tuple(results))


def _track(
    clip: Path,
    files: ClipFiles,
    due: dict[str, Any],
    track_clip: Callable[[Path, ClipFiles], str],
    notify: Listener,
) -> ClipResult:
    files.record.unlink(missing_ok=True)
    try:
        result = ClipResult(clip, "tracked", track_clip(clip, files))
    except NothingDetectedError as error:
        result = ClipResult(clip, "nothing detected", str(error))
    except (VideoError, QueryError) as error:
        notify(Notice(str(error), warning=True))
        return ClipResult(clip, "failed", str(error))
    record = {**due, "clip": _fingerprint(clip), "outcome": result.outcome, "text": result.text}
    with whole_file(files.record) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result


def _earlier_result(clip: Path, files: ClipFiles, due: dict[str, Any]) -> ClipResult | None:
    """What an earlier run recorded; None where the clip is not done."""
    try:
        record = json.loads(files.record.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{files.record} is no record of this program ({error}); delete it, or pass --force."
        ) from error
    expected = {**due, "clip": _fingerprint(clip)}
    for name, value in expected.items():
        if not isinstance(record, dict) or record.get(name) != value:
            raise UsageError(
                f"{files.record} is of another run: its {name} differs. Pass --force to do all "
                "clips again, or name another output folder."
            )
    done = ClipResult(clip, str(record.get("outcome")), str(record.get("text")), skipped=True)
    if done.outcome == "tracked" and not files.tracks.is_file():
        return None
    return done


def _fingerprint(clip: Path) -> dict[str, int]:
    """Size and time of change: a content hash would read every clip on every run."""
    status = clip.stat()
    return {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _hash_model(model: Path) -> str | dict[str, str]:
    parts = split_paths(model)
    return _sha256(model) if parts is None else hash_files(parts.values())


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
