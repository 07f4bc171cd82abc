"""A folder of clips and its folders, tracked one by one; what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from locoexport.batch.clip_content import fingerprint
from locoexport.batch.clips import find_source_tree
from locoexport.batch.records import (
    ClipRecord,
    hash_file,
    model_sha256,
    read_record,
    write_record,
)
from locoexport.errors import (
    NothingDetectedError,
    OutputError,
    QueryError,
    UsageError,
    VideoError,
)
from locoexport.machine.writing.names import fit_name
from locoexport.notices import Listener, Notice, ignore

__all__ = [
    "ClipFiles",
    "ClipResult",
    "FolderReport",
    "TrackedClip",
    "hash_files",
    "track_folder",
]


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip in the output folder, by the clip's whole name and its own folder."""

    overlay: Path
    tracks: Path
    boxes: Path
    record: Path

    @classmethod
    def of(cls, clip: Path, out: Path) -> ClipFiles:
        """For ``x/a.mp4``: ``x/a.mp4.tracked.mp4``, .tracks.npz, .boxes.csv and .done.json.

        Where that is longer than a name can be, the clip's part is shortened (``fit_name``).

        Args:
            clip: relative to the folder of clips.
            out: the folder of the outputs.
        """
        names = ("tracked.mp4", "tracks.npz", "boxes.csv", "done.json")
        base = fit_name(clip.name, 1 + max(map(len, names)))
        return cls(*(out / clip.parent / f"{base}.{name}" for name in names))

    @property
    def all(self) -> tuple[Path, ...]:
        """The paths."""
        return self.overlay, self.tracks, self.boxes, self.record


@dataclass(frozen=True)
class TrackedClip:
    """What was found in a clip, in a few words, and the warnings on the way."""

    text: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipResult:
    """How one clip ended: ``outcome`` is ``tracked``, ``nothing detected`` or ``failed``.

    ``warnings`` are of the run that did it, this one or an earlier one.
    """

    clip: Path
    outcome: str
    text: str
    skipped: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderReport:
    """What became of every clip of a folder; ``preset`` names the rules of its objects, if any."""

    folder: Path
    out: Path
    results: tuple[ClipResult, ...]
    preset: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every clip was tracked, now or earlier."""
        return all(result.outcome == "tracked" for result in self.results)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of all clips, each with its clip's path."""
        return tuple(
            f"{result.clip}: {text}" for result in self.results for text in result.warnings
        )


def hash_files(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, for ``options``: a file of the same name may change.

    Raises:
        InputError: one cannot be read.
    """
    return {str(path): hash_file(path) for path in paths}


def track_folder(
    folder: Path,
    out: Path,
    model: Path,
    options: Mapping[str, Any],
    track_clip: Callable[[Path, ClipFiles, str], TrackedClip],
    *,
    preset: str | None = None,
    force: bool = False,
    notify: Listener = ignore,
) -> FolderReport:
    """Track every clip of a folder, and of the folders below it, one after another.

    Each clip's outputs lie where the clip does, in ``out`` in place of ``folder``.
    A clip that is done leaves a record beside its outputs, written last. On another run it is
    skipped, if the clip, the model and the options are the same. So an interrupted run goes on
    where it stopped. A clip that cannot be read, or in which nothing was detected, does not stop
    the others; the former is tried again next time.

    Args:
        folder: with clips; see ``find_source_tree``.
        out: where the outputs go; it must exist. It may lie in ``folder``, and is not looked into.
        model: the exported file.
        options: whatever else decides what comes out, as JSON values.
        track_clip: tracks one clip into those files, replacing what is there, with the model of
            that SHA-256 and no other, and says in a few words what it found.
        preset: for the report; its numbers are among the options.
        force: do again what is done already.
        notify: is told which clip it is at.

    Raises:
        OutputError: there is no folder ``out``, it is the folder of the clips, an output of one
            clip would be that of another or a clip, or a folder in ``out`` cannot be made.
        UsageError: ``out`` holds results of other options, another model or another clip of the
            same name, and ``force`` is not given. Nothing is done then.
        VideoError: there is no clip.
        LocoExportError: an error of ``track_clip`` that is not the clip's fault.
    """
    if not out.is_dir():
        raise OutputError(f"The folder {out} does not exist; make it first (mkdir -p {out}).")
    if out.resolve() == folder.resolve():
        raise OutputError(f"{out} is the folder of the clips; name another folder for outputs.")
    clips = find_source_tree(folder, out)
    files = {clip: ClipFiles.of(clip.relative_to(folder), out) for clip in clips}
    _check_apart(files)
    # As they are read back: JSON makes lists of tuples.
    written = json.loads(json.dumps(dict(options)))
    due = ClipRecord(model_sha256(model), written, None, "", "")
    earlier = {clip: None if force else _earlier_result(clip, files[clip], due) for clip in clips}
    results = []
    for index, clip in enumerate(clips):
        notify(Notice("clips", done=index, total=len(clips)))
        result = earlier[clip] or _track(clip, files[clip], due, track_clip, notify)
        results.append(result)
    notify(Notice("clips", done=len(clips), total=len(clips)))
    return FolderReport(folder, out, tuple(results), preset)


def _check_apart(files: Mapping[Path, ClipFiles]) -> None:
    """Raises OutputError where two clips share an output, by links, or one is in the way."""
    clips = {clip.resolve() for clip in files}
    owners: dict[Path, Path] = {}
    for clip, outputs in files.items():
        folders = (outputs.record.parent, *outputs.record.parent.parents)
        there = next(path for path in folders if path.exists())
        if not there.is_dir():
            raise OutputError(f"{there} is a file; expected a folder for outputs. Move the file.")
        for path in (path.resolve() for path in outputs.all):
            if path in clips:
                raise OutputError(
                    f"{path}, an output of {clip}, is a clip of the folder itself; name another "
                    "folder for outputs."
                )
            if path in owners:
                raise OutputError(
                    f"{owners[path]} and {clip} have the same output {path}, by a link in the "
                    "folder of outputs; name another one."
                )
            owners[path] = clip


def _track(
    clip: Path,
    files: ClipFiles,
    due: ClipRecord,
    track_clip: Callable[[Path, ClipFiles, str], TrackedClip],
    notify: Listener,
) -> ClipResult:
    _make_folder(files.record.parent)
    files.record.unlink(missing_ok=True)
    seen = fingerprint(clip)
    try:
        found = track_clip(clip, files, due.model_sha256)
        result = ClipResult(clip, "tracked", found.text, warnings=found.warnings)
    except NothingDetectedError as error:
        result = ClipResult(clip, "nothing detected", str(error))
    except (VideoError, QueryError) as error:
        notify(Notice(str(error), warning=True))
        return ClipResult(clip, "failed", str(error))
    told = replace(due, clip=seen, outcome=result.outcome, text=result.text)
    write_record(files.record, replace(told, warnings=result.warnings))
    return result


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make {folder}: {error.strerror or error}.") from error


def _earlier_result(clip: Path, files: ClipFiles, due: ClipRecord) -> ClipResult | None:
    """What an earlier run recorded; None where the clip is not done."""
    record = read_record(files.record)
    if record is None:
        return None
    name = record.difference(replace(due, clip=fingerprint(clip)))
    if name is not None:
        raise UsageError(
            f"{files.record} is of another run: its {name} differs. Pass --force to do all "
            "clips again, or name another output folder."
        )
    done = ClipResult(clip, record.outcome, record.text, True, record.warnings)
    if done.outcome == "tracked" and not files.tracks.is_file():
        return None
    return done
