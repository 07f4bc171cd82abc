"""One clip from start to end: what a worker of any engine does with a job.

A clip's tracks are the file ``tracks/<clip_id>.parquet``, which appears whole; from then on the
clip is done, whatever dies afterwards. Its name hangs on the clip's bytes, the model and the
options, so two workers that do the same clip write the same file. The record in ``records/`` only
spares the next run reading the clip.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2

from locoexport.batch.clip_content import clip_sha256, fingerprint
from locoexport.batch.dataset import ClipPicture, PartFile, read_part, write_part
from locoexport.batch.jobs import ClipJob, ClipOutcome, WorkSettings, clip_id, job_id
from locoexport.batch.records import ClipRecord, read_record, write_record
from locoexport.errors import (
    InputError,
    MachineError,
    OutputError,
    UsageError,
)
from locoexport.machine.stopwatch import Stopwatch
from locoexport.machine.writing.names import fit_name
from locoexport.notices import counted, ignore, noting
from locoexport.runtime.drawing.film import drawn_film
from locoexport.runtime.drawing.sound import find_sound
from locoexport.runtime.queries.sources import collect_points
from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks, write_tracks

__all__ = ["MAX_ATTEMPTS", "ClipWorker", "OutputFolder", "finished_earlier"]

MAX_ATTEMPTS = 3
"""So often a clip is begun whose worker dies; then it is lost to this run."""


@dataclass(frozen=True)
class OutputFolder:
    """The folders and files of a run's outputs."""

    path: Path

    @property
    def tracks(self) -> Path:
        """Of the Parquet dataset, a file a clip."""
        return self.path / "tracks"

    @property
    def records(self) -> Path:
        """Of what was done."""
        return self.path / "records"

    @property
    def files(self) -> Path:
        """Of what was wanted besides: overlays, other tracks files."""
        return self.path / "files"

    @property
    def clip_table(self) -> Path:
        """The list of clips."""
        return self.path / "clips.parquet"

    @property
    def lock(self) -> Path:
        """Held by the one run that may write here."""
        return self.path / ".lock"

    def part(self, name: str) -> Path:
        """A clip's file in the dataset, by its ``clip_id``."""
        return self.tracks / f"{name}.parquet"

    def record(self, name: str) -> Path:
        """A record, by its ``job_id``."""
        return self.records / f"{name}.json"

    def tally(self, name: str) -> Path:
        """How often a job was begun and not ended, by its ``job_id``: a byte each."""
        return self.records / f".{name}.tally"

    def extra(self, clip: Path, name: str, suffix: str) -> Path:
        """A file besides; clips of one name in two folders have two."""
        ending = f".{name[:8]}{suffix}"
        return self.files / (fit_name(clip.name, len(ending)) + ending)


def finished_earlier(
    job: ClipJob, settings: WorkSettings, *, retry_failed: bool
) -> ClipOutcome | None:
    """What an earlier run made of a job, without reading the clip; None where it is to be done.

    A failure stands until the clip changes or ``retry_failed`` is given.
    """
    folder, options = OutputFolder(settings.out), settings.options_of(job)
    try:
        record = read_record(folder.record(job_id(job, settings.model_sha256, options)))
    except InputError:
        return None  # the worker meets it again, and says so
    due = ClipRecord(settings.model_sha256, options, fingerprint(job.clip), "", "")
    if record is None or record.difference(due) is not None:
        return None
    if record.outcome == "failed":
        if retry_failed:
            return None
        return ClipOutcome(job.clip, "failed", record.text, skipped=True, warnings=record.warnings)
    part = _part_of(job, settings, str(record.result.get("clip_id")))
    if part is None:
        return None
    return ClipOutcome(
        job.clip,
        record.outcome,
        record.text,
        clip_id=part.facts.clip_id,
        points=part.facts.points,
        frames=part.facts.frames,
        skipped=True,
        warnings=record.warnings or part.facts.warnings,
    )


class ClipWorker:
    """An open model that does one clip after another."""

    def __init__(self, settings: WorkSettings) -> None:
        """Open the model.

        Raises:
            ModelFileError, ProviderUnavailableError, UsageError: see ``PointTracker``.
        """
        import pyarrow

        # Each of these takes all cores otherwise, in every worker.
        cv2.setNumThreads(settings.threads)
        pyarrow.set_cpu_count(settings.threads)
        self._settings = settings
        self._folder = OutputFolder(settings.out)
        self._tracker = PointTracker(
            settings.model,
            settings.provider,
            threads=settings.threads if settings.provider == "cpu" else settings.model_threads,
            window=settings.window,
            memory=settings.memory,
            model_sha256=settings.model_sha256,
        )

    def work(self, job: ClipJob, progress: Callable[[int], None] | None = None) -> ClipOutcome:
        """Do one clip, unless its tracks are there; a bad clip is an outcome, not an error.

        Args:
            job: what to do.
            progress: called with the number of frames done.

        Raises:
            OutputError: nothing can be written (a full disk): no other clip can either.
        """
        started = time.perf_counter()
        # Before the bytes are read: a clip that changes meanwhile is done again next time.
        seen = fingerprint(job.clip)
        try:
            outcome = self._outcome(job, seen, progress)
        except OutputError:
            raise
        except MachineError as error:
            outcome = ClipOutcome(job.clip, "lost", str(error))
        except (InputError, UsageError) as error:
            outcome = ClipOutcome(job.clip, "failed", str(error))
            self._record(job, seen, "failed", str(error))
        except Exception as error:
            # One odd clip must not end a run of thousands; the next run takes it up again.
            traceback.print_exc()
            reason = f"a bug in locoexport: {type(error).__name__}: {error}"
            outcome = ClipOutcome(job.clip, "lost", reason)
        return replace(outcome, seconds=time.perf_counter() - started)

    def close(self) -> None:
        """Give the model's memory back."""
        self._tracker.close()

    def __enter__(self) -> ClipWorker:
        """The worker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _outcome(
        self, job: ClipJob, seen: dict[str, int] | None, progress: Callable[[int], None] | None
    ) -> ClipOutcome:
        options = self._settings.options_of(job)
        name = clip_id(clip_sha256(job.clip), self._settings.model_sha256, options)
        part = _part_of(job, self._settings, name)
        skipped = part is not None
        if not skipped:
            self._track(job, name, seen, progress)
            part = read_part(self._folder.part(name))
        assert part is not None
        facts = part.facts
        text = f"{counted(facts.points, 'point')}, {counted(facts.frames, 'frame')}"
        result = {"clip_id": name, "points": facts.points, "frames": facts.frames}
        self._record(job, seen, "tracked", text, facts.warnings, **result)
        return ClipOutcome(
            job.clip,
            "tracked",
            text,
            clip_id=name,
            points=facts.points,
            frames=facts.frames,
            skipped=skipped,
            warnings=facts.warnings,
        )

    def _track(
        self,
        job: ClipJob,
        name: str,
        seen: dict[str, int] | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        source = open_video(job.source, job.selection)
        frame_hw = source.frame_hw()
        queries = collect_points(job.points, *frame_hw, source.first_frame)
        film = self._folder.extra(job.clip, name, ".tracked.mp4")
        drawn = film if self._settings.overlays else None
        told: list[str] = []
        sound, reason = find_sound(
            job.clip, film, lambda: source.span_s, stride=job.selection.stride
        )
        if drawn is not None and reason is not None:
            told.append(f"the overlay has no sound: {reason}")
        with drawn_film(
            *(drawn, source.fps, Stopwatch()),
            pixel_aspect=source.pixel_aspect(),
            style=self._settings.style.within(self._settings.memory),
            sound=sound,
            notify=noting(told, ignore),
        ) as sink:
            tracks = self._tracker.track(
                source,
                queries,
                progress=None if progress is None else (lambda done, total: progress(done)),
                sink=sink,
            )
        if fingerprint(job.clip) != seen:
            # The name is of other bytes than the tracks.
            raise MachineError(f"{job.clip} changed while it was tracked; it is left for later.")
        picture = ClipPicture(
            frame_hw,
            source.pixel_aspect(),
            source.frames_repeated,
            deinterlaced=job.selection.deinterlace,
        )
        self._write(job, name, picture, tracks, (*source.warnings, *told))

    def _write(
        self,
        job: ClipJob,
        name: str,
        picture: ClipPicture,
        tracks: Tracks,
        warnings: tuple[str, ...],
    ) -> None:
        suffix = self._settings.tracks_suffix
        if suffix is not None:
            write_tracks(self._folder.extra(job.clip, name, f".tracks{suffix}"), tracks)
        # Last: with it the clip counts as done.
        write_part(self._folder.part(name), str(job.clip), name, picture, tracks, warnings)

    def _record(
        self,
        job: ClipJob,
        seen: dict[str, int] | None,
        outcome: str,
        text: str,
        warnings: tuple[str, ...] = (),
        **result: Any,
    ) -> None:
        options, model = self._settings.options_of(job), self._settings.model_sha256
        record = ClipRecord(model, options, seen, outcome, text, result, warnings)
        write_record(self._folder.record(job_id(job, model, options)), record)


def _part_of(job: ClipJob, settings: WorkSettings, name: str) -> PartFile | None:
    """A clip's file of the dataset, where it and all files besides are there and it is of this
    clip; None where the clip is to be done: what is damaged is written anew."""
    if re.fullmatch(r"[0-9a-f]+", name) is None or not _has_all_files(job, settings, name):
        return None
    try:
        part = read_part(OutputFolder(settings.out).part(name))
    except InputError:
        return None
    return part if part is not None and part.facts.clip_id == name else None


def _has_all_files(job: ClipJob, settings: WorkSettings, name: str) -> bool:
    folder = OutputFolder(settings.out)
    suffixes = [".tracked.mp4"] if settings.overlays else []
    if settings.tracks_suffix is not None:
        suffixes.append(f".tracks{settings.tracks_suffix}")
    extras = [folder.extra(job.clip, name, suffix) for suffix in suffixes]
    return all(path.is_file() for path in (folder.part(name), *extras))
