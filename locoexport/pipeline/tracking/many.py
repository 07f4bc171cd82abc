"""Many clips through one exported file, on this machine or a Ray cluster, into one dataset."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from locoexport.batch.clip_work import OutputFolder, finished_earlier
from locoexport.batch.dataset import read_part, write_clip_table
from locoexport.batch.events import Event, FramesDone, WorkerDied
from locoexport.batch.inputs import JobDefaults, collect_jobs
from locoexport.batch.jobs import ClipJob, ClipOutcome, WorkSettings
from locoexport.batch.local_engine import run_local
from locoexport.batch.ray_engine import run_ray
from locoexport.batch.records import model_sha256
from locoexport.contract.shipped_model import shipped_model_path
from locoexport.errors import OutputError, UsageError
from locoexport.machine.hardware import read_cpu, read_memory
from locoexport.machine.installation import require_packages
from locoexport.machine.writing.drafts import sweep
from locoexport.notices import Listener, Notice, counted, ignore, noting
from locoexport.pipeline.tracking.points import check_colours
from locoexport.pipeline.tracking.progress import ClipProgress
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.session.opening import choose_run
from locoexport.runtime.session.provider_options import USUAL_RUN, RunChoice
from locoexport.runtime.tracking.budget import parse_memory

__all__ = ["Engine", "ManyReport", "track_many"]

Engine = Literal["local", "ray"]

_WORKER_BYTES = 2 << 30
"""Room for one worker where no limit was given: 48 frames of a usual profile need 1.1 to 1.5 GB."""
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.[a-z0-9]+|\..+\.tally")


@dataclass(frozen=True)
class ManyReport:
    """What became of every clip.

    Attributes:
        out: the folder of the dataset.
        outcomes: of every clip, in the order in which they were named.
        workers: processes or actors.
        threads: of the CPU, each.
        choice: what the model ran on, and who chose it.
        worker_deaths: how many workers were killed or crashed.
        seconds: all of it.
        warnings: that were told on the way.
    """

    out: Path
    outcomes: tuple[ClipOutcome, ...]
    engine: Engine
    workers: int
    threads: int
    worker_deaths: int
    seconds: float
    warnings: tuple[str, ...] = ()
    choice: RunChoice = USUAL_RUN

    @property
    def passed(self) -> bool:
        """Whether every clip was tracked, now or earlier."""
        return all(outcome.outcome == "tracked" for outcome in self.outcomes)

    def count(self, outcome: str) -> int:
        """How many clips ended so."""
        return sum(each.outcome == outcome for each in self.outcomes)

    @property
    def skipped(self) -> int:
        """How many clips an earlier run had dealt with."""
        return sum(each.skipped for each in self.outcomes)

    @property
    def frames(self) -> int:
        """How many were tracked by this run."""
        return sum(each.frames for each in self.outcomes if not each.skipped)


def track_many(
    inputs: Sequence[str | Path],
    model: str | Path | None,
    out: str | Path,
    *,
    defaults: JobDefaults | None = None,
    engine: Engine = "local",
    address: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    provider: str | None = None,
    window: int | None = None,
    memory: str | None = None,
    tracks_suffix: str | None = None,
    overlays: bool = False,
    style: DrawingStyle = OVERLAY_STYLE,
    retry_failed: bool = False,
    notify: Listener = ignore,
) -> ManyReport:
    """Track points through many clips; what is done already is not done again.

    ``out`` holds ``tracks/``, a Parquet dataset with a file a clip; ``clips.parquet``, the list of
    the clips of the last run; ``records/``; and ``files/`` where files a clip were wanted. A clip
    counts by its content, the model and the options: the same is done once, whatever its name.

    With the engine ``local`` call this below ``if __name__ == "__main__":``, since its processes
    import the calling script.

    Args:
        inputs: clips, folders, patterns, manifests; see ``collect_jobs``.
        model: a file written by ``locoexport export``; None is the one that the package ships.
        out: a folder; it is made where its parent exists.
        defaults: points and part of a clip for which a manifest says nothing else.
        engine: processes on this machine, or Ray Data.
        address: of a running Ray cluster; None starts one on this machine.
        workers: processes or actors; None is as many as there are cores, and room in memory; one
            where the provider is not ``cpu``.
        threads: of the CPU for each worker; None is the file's own choice with its provider, else
            shares the cores out.
        provider: the execution provider, on which there is no fallback; None is the file's own
            choice (``locoexport tune`` makes one), which falls back to the CPU where it does not
            work on this machine, else the CPU. All workers run on the same one, and a clip counts
            by it.
        window: frames a window; see ``PointTracker``.
        memory: like ``1GiB``, for each worker.
        tracks_suffix: ``.npz``, ``.csv`` or ``.json`` for a tracks file a clip besides.
        overlays: for a drawn .mp4 a clip besides.
        style: how these are drawn; it cannot colour by objects, since there are none.
        retry_failed: do clips again that failed in an earlier run.
        notify: is told of progress.

    Raises:
        PackageMissingError: pyarrow, filelock or ray is not installed.
        UsageError: options contradict one another; nothing was begun.
        InputError: a clip or manifest is not there or cannot be read; nothing was begun.
        OutputError: ``out`` cannot be written (any more); what is done stays done.
        MachineError: workers cannot be started.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify = noting(warnings, notify)
    _check_engine(engine, address)
    check_colours(style)
    jobs = _collect(inputs, defaults or JobDefaults(), Path(out).absolute())
    model = shipped_model_path() if model is None else Path(model).absolute()
    choice = choose_run(model, provider, threads)
    if choice.warning:
        notify(Notice(choice.warning, warning=True))
    workers, threads = _share_out(choice.provider, workers, choice.threads, memory)
    settings = WorkSettings(
        model=model,
        model_sha256=model_sha256(model),
        out=Path(out).absolute(),
        provider=choice.provider,
        threads=threads,
        model_threads=choice.threads if choice.chosen_by == "tune" else None,
        window=window,
        memory=memory,
        tracks_suffix=tracks_suffix,
        overlays=overlays,
        style=style,
    )
    with _locked(OutputFolder(settings.out), bool(tracks_suffix or overlays)):
        run = _Run(jobs, settings, notify)
        due = run.skip_finished(retry_failed=retry_failed)
        with _listed(run):
            if due:
                chosen = [jobs[index] for index in due]
                run.follow(_begin(chosen, settings, engine, workers, address), due)
    return ManyReport(
        out=Path(out),
        outcomes=tuple(run.outcomes[index] for index in range(len(jobs))),
        engine=engine,
        workers=workers,
        threads=threads,
        choice=choice,
        worker_deaths=run.deaths,
        seconds=time.perf_counter() - started,
        warnings=tuple(warnings),
    )


@dataclass(eq=False)
class _Run:
    """What became of the jobs so far, by their places in the list."""

    jobs: Sequence[ClipJob]
    settings: WorkSettings
    notify: Listener
    outcomes: dict[int, ClipOutcome] = field(default_factory=dict)
    deaths: int = 0
    _started: float = field(default_factory=time.monotonic)

    def skip_finished(self, *, retry_failed: bool) -> list[int]:
        """Take over what earlier runs did; returns the places of the jobs that are to be done."""
        for index, job in enumerate(self.jobs):
            outcome = finished_earlier(job, self.settings, retry_failed=retry_failed)
            if outcome is not None:
                self.outcomes[index] = outcome
        due = [index for index in range(len(self.jobs)) if index not in self.outcomes]
        if len(due) < len(self.jobs):
            done = len(self.jobs) - len(due)
            self.notify(
                Notice(f"{done} of {counted(len(self.jobs), 'clip')} done by an earlier run")
            )
        return due

    def follow(self, events: Iterator[Event], due: Sequence[int]) -> None:
        """Take in what an engine tells of the jobs at ``due``, until it ends."""
        failed = sum(outcome.outcome != "tracked" for outcome in self.outcomes.values())
        progress = ClipProgress(len(due), failed, self._started, self.notify)
        progress.tell(now=True)
        try:
            for event in events:
                self._take(event, due, progress)
                progress.tell()
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()  # ends the workers
        progress.tell(now=True)

    def _take(self, event: Event, due: Sequence[int], progress: ClipProgress) -> None:
        if isinstance(event, FramesDone):
            progress.come_to(event.index, event.frames)
        elif isinstance(event, WorkerDied):
            self.deaths += 1
            job = ""
            if event.index is not None:
                progress.lose(event.index)
                job = f" while it tracked {self.jobs[due[event.index]].clip}"
            self.notify(Notice(f"a worker died ({event.reason}){job}", warning=True))
        else:
            self.outcomes[due[event.index]] = event.outcome
            progress.end(event.index, event.outcome)
            self._warn_of(event.outcome)

    def _warn_of(self, outcome: ClipOutcome) -> None:
        for text in outcome.warnings:
            self.notify(Notice(text, warning=True))
        if outcome.outcome != "tracked":
            text = f"{outcome.clip} {outcome.outcome}: {outcome.text}"
            self.notify(Notice(text, warning=True))

    def write_table(self) -> None:
        """Write ``clips.parquet``."""
        folder = OutputFolder(self.settings.out)
        rows = []
        for index, job in enumerate(self.jobs):
            outcome = self.outcomes.get(index, ClipOutcome(job.clip, "not reached", ""))
            rows.append(_row(job, outcome, self.settings, folder))
        write_clip_table(folder.clip_table, rows)


def _row(
    job: ClipJob, outcome: ClipOutcome, settings: WorkSettings, folder: OutputFolder
) -> dict[str, Any]:
    """A clip's row of ``clips.parquet``."""
    row: dict[str, Any] = {
        "clip": str(job.clip),
        "clip_id": outcome.clip_id,
        "outcome": outcome.outcome,
        "reason": None if outcome.outcome == "tracked" else outcome.text,
        "options": json.dumps(settings.options_of(job), sort_keys=True),
        "model_sha256": settings.model_sha256,
        "warnings": list(outcome.warnings),
    }
    part = None if outcome.clip_id is None else read_part(folder.part(outcome.clip_id))
    if part is not None:
        facts = part.facts
        row |= {"points": facts.points, "frames": facts.frames, "fps": facts.fps}
        picture = facts.picture
        row |= {"height": picture.frame_hw[0], "width": picture.frame_hw[1]}
        row |= {"pixel_aspect": float(picture.pixel_aspect), "deinterlaced": picture.deinterlaced}
        row |= {"frames_repeated": list(picture.frames_repeated)}
    return row


@contextmanager
def _listed(run: _Run) -> Iterator[None]:
    """Write the list of the clips at the end; of a run that was stopped it says how far it came."""
    try:
        yield
    except BaseException:
        with suppress(OutputError):  # the reason is the other error
            run.write_table()
        raise
    run.write_table()


def _collect(inputs: Sequence[str | Path], defaults: JobDefaults, out: Path) -> list[ClipJob]:
    # A pattern that matches everything also matches the overlays of the last run.
    return [job for job in collect_jobs(inputs, defaults) if out not in job.clip.parents]


def _begin(
    jobs: Sequence[ClipJob],
    settings: WorkSettings,
    engine: Engine,
    workers: int,
    address: str | None,
) -> Iterator[Event]:
    if engine == "local":
        return run_local(jobs, settings, workers)
    return run_ray(jobs, settings, workers, address)


def _check_engine(engine: Engine, address: str | None) -> None:
    if address is not None and engine != "ray":
        raise UsageError("--address is of a Ray cluster; it needs --engine ray.")
    if engine == "ray":
        require_packages("pyarrow", "filelock", "ray", extra="ray")
    else:
        require_packages("pyarrow", "filelock", extra="many")


def _share_out(
    provider: str, workers: int | None, threads: int | None, memory: str | None
) -> tuple[int, int]:
    """Workers, and threads for each, so that there are no more threads than cores."""
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1.")
    cores = read_cpu().usable_cores
    if workers is None:
        each = _WORKER_BYTES if memory is None else parse_memory(memory)
        fit = max(1, read_memory().available // each)
        # Several models on one accelerator only share its memory.
        workers = max(1, min(cores // (threads or 1), fit)) if provider == "cpu" else 1
    return workers, threads or max(1, cores // workers)


@contextmanager
def _locked(folder: OutputFolder, files: bool) -> Iterator[None]:
    """Make the folders, and keep other runs out of them while this one writes.

    What a killed run left half-written is removed. A worker of it that still lives then cannot
    rename what it wrote, and ends.
    """
    import filelock

    out = folder.path
    if not out.parent.is_dir():
        raise OutputError(
            f"The folder {out.parent} does not exist; make it first (mkdir -p {out.parent})."
        )
    if out.is_dir() and not folder.records.is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} holds other things; name an empty or a new folder.")
    lock = filelock.FileLock(folder.lock, timeout=0)
    try:
        for path in (out, folder.tracks, folder.records, *([folder.files] if files else [])):
            path.mkdir(exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise OutputError(f"Another run is writing to {out}; wait for it to end.") from None
    except OSError as error:
        raise OutputError(f"Cannot write {out}: {error.strerror or error}.") from error
    try:
        _remove_unfinished(folder)
        yield
    finally:
        # What a worker had begun that was stopped, since another met a full disk.
        _remove_unfinished(folder)
        lock.release()


def _remove_unfinished(folder: OutputFolder) -> None:
    """Remove what dead processes left; under the lock nobody else is at work here."""
    for place in (folder.path, folder.tracks, folder.records, folder.files):
        sweep(place)
        for path in place.glob(".locoexport-*"):
            with suppress(OSError):  # it is not empty
                path.rmdir()
        for path in place.glob(".*"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
