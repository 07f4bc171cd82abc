"""The fastest file within limits on this machine, found in stages: ``locoexport tune``."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from locoexport.benchmarking.distrust import Distrust
from locoexport.contract.metadata import TuningStamp
from locoexport.contract.profile import ExportProfile
from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.machine.hardware import read_cpu
from locoexport.machine.installation import cache_path
from locoexport.machine.writing.cache_entries import make_private
from locoexport.machine.writing.output_files import check_apart, check_output, is_file
from locoexport.notices import Listener, Notice, counted, ignore, noting
from locoexport.pipeline.assembly.cost import describe_sequences
from locoexport.pipeline.contenders import Size
from locoexport.pipeline.tuning.building import Workshop, write_tuned
from locoexport.pipeline.tuning.candidates import Candidate
from locoexport.pipeline.tuning.records import Records
from locoexport.pipeline.tuning.report import Limits, Tuned, TuneReport
from locoexport.pipeline.tuning.stages import FINAL_ROUNDS, Search
from locoexport.pipeline.tuning.subject import find_subject, key_of
from locoexport.pipeline.tuning.trials import Trials
from locoexport.runtime.session.provider_options import parse_provider
from locoexport.runtime.session.providers import working_providers

__all__ = ["tune_model"]

_FRAMES, _POINTS = 24, 64


def tune_model(
    model: ExportProfile | str | Path,
    output: str | Path,
    *,
    limit_px: float = 0.5,
    limit_aj: float | None = None,
    checkpoint: str | Path | None = None,
    providers: Sequence[str] = (),
    frames: int | None = None,
    points: int | None = None,
    clips: Sequence[str | Path] = (),
    work: str | Path | None = None,
    resume: bool = True,
    force: bool = False,
    notify: Listener = ignore,
) -> TuneReport:
    """Find the fastest file within limits on this machine, and write it with its evidence.

    Every candidate is timed turn by turn with the float32 file on the CPU, and its tracks are
    compared with that file's. Where nothing is faster, the float32 file is written.

    Args:
        model: a profile, its name, or an exported file, whose weights are looked for as
            ``verify_model`` does; where they are not found, runtimes and threads alone are tried.
        output: the .onnx file; it appears whole or not at all.
        limit_px: what the 99th percentile of the tracks' distance from float32 may be, in pixels of
            256×256.
        limit_aj: how much AJ may fall on generated sequences, in points of a hundred; None does not
            ask.
        checkpoint: the weights, see ``export_model``.
        providers: the runtimes to try; by default cpu and every other one that works here.
        frames: of the timed call and of the sequences (default 24).
        points: of the timed call (default 64).
        clips: real clips on which tracks are compared as well.
        work: where finished trials are kept; by default a folder of the cache.
        resume: go on after the trials that an earlier run finished; False tries all again.
        force: replace an existing file.
        notify: is told of every step and warning.

    Raises:
        UsageError: a limit, a size or a provider is wrong.
        OutputError: the output or the work folder cannot be written.
        VideoError: there is no such clip.
        LocoExportError: the float32 file cannot be exported or run (see ``export_model``).
    """
    started = time.perf_counter()
    limits = _check_limits(limit_px, limit_aj)
    for name in providers:
        parse_provider(name)
    real = [Path(clip) for clip in clips]
    destination = check_output(output, force=force)
    _check_files(destination, model, checkpoint, real)
    warnings: list[str] = []
    distrust = Distrust(notify)
    # Each form is exported on its own, and warns of the same.
    notify = noting(warnings, notify, once=True)
    subject = find_subject(model, checkpoint, notify)
    if subject.given is not None:
        notify(Notice(f"Only runtimes and threads are tried: {subject.reason}", warning=True))
    size = _choose_size(subject.profile, frames, points)
    cpu = read_cpu()
    machine = f"{cpu.model}, {counted(cpu.usable_cores, 'core')}"
    key = key_of(subject, size.frames, size.points, real, machine)
    folder = _work_folder(work, f"{subject.profile.name}-{key}")
    notify(Notice(f"finished trials are kept in {folder}"))
    workshop = Workshop(subject, folder, notify)
    reference = Candidate(subject.usual, "cpu")
    notify(Notice(f"building {reference.form.name}"))
    trials = Trials(workshop, Records(folder, resume=resume), reference, size, real, notify)
    search = Search(subject, trials, reference, limits, distrust, notify)
    rows = search.run(list(dict.fromkeys(providers)) or list(working_providers()))
    winner = _choose(rows)
    rows[winner] = replace(rows[winner], verdict="wins")
    report = TuneReport(
        output=destination,
        title=subject.title,
        rows=tuple(rows),
        winner=winner,
        limits=limits,
        frames=size.frames,
        points=size.points,
        sequences="; ".join((describe_sequences(size.frames), *(clip.name for clip in real))),
        cpu=cpu,
        machine=machine,
        work=folder,
        kept_trials=trials.taken_from_records,
        seconds=time.perf_counter() - started,
        only_given=subject.reason,
        warnings=(*warnings, *distrust.reasons),
    )
    write_tuned(workshop.build(report.chosen.trial.candidate.form), destination, _stamp(report))
    return report


def _choose(rows: Sequence[Tuned]) -> int:
    """The fastest that was timed longer and is still faster; the first, float32, where none is."""
    final = [
        index
        for index, row in enumerate(rows)
        if index > 0 and row.verdict == "faster" and row.trial.rounds >= FINAL_ROUNDS
    ]
    return max(final, key=lambda index: rows[index].trial.ratio.median, default=0)


def _stamp(report: TuneReport) -> TuningStamp:
    """The evidence; a file is no distance from itself, also where nothing could be compared."""
    trial = report.chosen.trial
    error, ratio = trial.error, trial.ratio
    assert error is not None

    def distance(value: float) -> float:
        return 0.0 if not report.beats_float32 and math.isnan(value) else value

    return TuningStamp(
        provider=trial.candidate.provider,
        threads=trial.candidate.threads,
        machine=report.machine,
        frames=report.frames,
        points=report.points,
        latency_ms=1e3 * trial.latency.median,
        ratio=ratio.median,
        ratio_p10=ratio.p10,
        ratio_p90=ratio.p90,
        p50_px=distance(error.p50_px),
        p99_px=distance(error.p99_px),
        flip_share=distance(error.flip_share),
        average_jaccard_change=distance(error.average_jaccard_change),
        sequences=report.sequences,
        limit_px=report.limits.p99_px,
        limit_aj=report.limits.aj,
    )


def _check_files(
    output: Path,
    model: ExportProfile | str | Path,
    checkpoint: str | Path | None,
    clips: Sequence[Path],
) -> None:
    """Raises VideoError where a clip is not there, OutputError where the output is read."""
    missing = next((clip for clip in clips if not is_file(clip)), None)
    if missing is not None:
        raise VideoError(f"There is no clip {missing} to compare tracks on.")
    read: list[tuple[str, str | Path | None]] = [("the checkpoint", checkpoint)]
    read += [("the clip", clip) for clip in clips]
    if not isinstance(model, ExportProfile):
        read.append(("the model", model))
    check_apart([("the output", output)], read)


def _check_limits(limit_px: float, limit_aj: float | None) -> Limits:
    if not 0 < limit_px < math.inf:
        raise UsageError(f"--limit-px is {limit_px}; expected a positive number of pixels.")
    if limit_aj is not None and not 0 <= limit_aj < math.inf:
        raise UsageError(f"--limit-aj is {limit_aj}; expected points of AJ, 0 or more.")
    return Limits(limit_px, limit_aj)


def _choose_size(profile: ExportProfile, frames: int | None, points: int | None) -> Size:
    sizes = []
    for name, asked, fixed, usual in (
        ("frames", frames, profile.axes.frames, _FRAMES),
        ("points", points, profile.axes.points, _POINTS),
    ):
        if asked is not None and asked < 1:
            raise UsageError(f"--{name} is {asked}; expected a positive number.")
        if asked is not None and fixed not in (None, asked):
            raise UsageError(f"--{name} is {asked}, but the model is fixed to {fixed} {name}.")
        sizes.append(asked or fixed or usual)
    return Size(*sizes)


def _work_folder(work: str | Path | None, name: str) -> Path:
    """The folder of these trials, made.

    Raises:
        OutputError: it cannot be made or is somebody else's.
    """
    parent = cache_path() / "tuning" if work is None else Path(work)
    folder = parent / name
    try:
        reason = make_private(folder)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason is not None:
        raise OutputError(f"The work folder {folder} cannot be used: {reason}.")
    return folder
