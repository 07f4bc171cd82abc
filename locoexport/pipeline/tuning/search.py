"""The fastest file within limits on this machine, found in stages: ``locoexport tune``."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from locoexport.benchmarking.distrust import Distrust
from locoexport.contract.metadata import TuningStamp
from locoexport.contract.profile import ExportProfile
from locoexport.errors import OutputError, ProviderUnavailableError, UsageError, VideoError
from locoexport.machine.hardware import Cpu, read_cpu
from locoexport.machine.installation import cache_path
from locoexport.machine.writing.cache_entries import make_private
from locoexport.machine.writing.output_files import check_apart, check_output, is_file
from locoexport.notices import Listener, Notice, counted, ignore
from locoexport.pipeline.assembly.cost import describe_sequences
from locoexport.pipeline.contenders import Size
from locoexport.pipeline.tuning.building import Workshop, write_tuned
from locoexport.pipeline.tuning.candidates import (
    Candidate,
    Form,
    graph_forms,
    has_threads,
    precision_candidates,
    runtimes_of,
    thread_counts,
)
from locoexport.pipeline.tuning.judgement import GAIN, fastest, judge
from locoexport.pipeline.tuning.records import Records
from locoexport.pipeline.tuning.report import Limits, Trial, Tuned, TuneReport
from locoexport.pipeline.tuning.subject import Subject, find_subject, key_of
from locoexport.pipeline.tuning.trials import Trials
from locoexport.runtime.session.provider_options import parse_provider
from locoexport.runtime.session.providers import require_provider, working_providers

__all__ = ["tune_model"]

_ROUNDS = 10
_FINAL_ROUNDS = 30
_FINALISTS = 3
_THREADED = 2
"""So many of the fastest are tried with other numbers of threads."""
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
    missing = next((clip for clip in real if not is_file(clip)), None)
    if missing is not None:
        raise VideoError(f"There is no clip {missing} to compare tracks on.")
    destination = check_output(output, force=force)
    read = [("the checkpoint", checkpoint), *(("the clip", clip) for clip in real)]
    if not isinstance(model, ExportProfile):
        read.append(("the model", model))
    check_apart([("the output", destination)], read)
    warnings: list[str] = []
    notify = _each_warning_once(warnings, notify)
    distrust = Distrust(notify)
    subject = find_subject(model, checkpoint, notify)
    if subject.given is not None:
        notify(Notice(f"Only runtimes and threads are tried: {subject.reason}", warning=True))
    size = _choose_size(subject.profile, frames, points)
    cpu = read_cpu()
    machine = f"{cpu.model}, {counted(cpu.usable_cores, 'core')}"
    key = key_of(subject, size.frames, size.points, real, machine)
    folder = _work_folder(work, f"{subject.profile.name}-{key}")
    notify(Notice(f"finished trials are kept in {folder}"))
    reference = Candidate(subject.usual, "cpu")
    workshop = Workshop(subject, folder, notify)
    notify(Notice(f"building {reference.form.name}"))
    trials = Trials(workshop, Records(folder, resume=resume), reference, size, real, notify)
    search = _Search(subject, trials, reference, limits, cpu, distrust, notify)
    rows = search.run(list(dict.fromkeys(providers)) or list(working_providers()))
    winner = _choose(rows)
    rows[winner] = replace(rows[winner], verdict="wins")
    sequences = describe_sequences(size.frames)
    if real:
        sequences += f"; {', '.join(clip.name for clip in real)}"
    chosen = rows[winner].trial
    stamp = _stamp(chosen, machine, size, sequences, limits, is_float32=winner == 0)
    write_tuned(workshop.build(chosen.candidate.form), destination, stamp)
    told = (*(text for text in warnings if text not in distrust.reasons), *distrust.reasons)
    return TuneReport(
        output=destination,
        title=subject.title,
        rows=tuple(rows),
        winner=winner,
        limits=limits,
        frames=size.frames,
        points=size.points,
        sequences=sequences,
        cpu=cpu,
        machine=machine,
        work=folder,
        kept_trials=trials.taken_from_records,
        seconds=time.perf_counter() - started,
        only_given=subject.reason,
        warnings=told,
    )


@dataclass
class _Search:
    """The stages. Each takes the best of those before it, so the product is never tried whole."""

    subject: Subject
    trials: Trials
    reference: Candidate
    limits: Limits
    cpu: Cpu
    distrust: Distrust
    notify: Listener
    found: dict[Candidate, Trial] = field(default_factory=dict)
    _expected: int = 0
    _fresh: list[float] = field(default_factory=list)

    def run(self, providers: Sequence[str]) -> list[Tuned]:
        """Every candidate that was tried, in order, the float32 file first."""
        runtimes = [(name, extra, _why_missing(name)) for name, extra in runtimes_of(providers)]
        forms = graph_forms(self.subject.profile)
        if self.subject.given is not None:
            forms = forms[:1]
        threads = thread_counts()
        self._expected = (
            len(runtimes) * (len(forms) + 3) + _THREADED * len(threads) + _FINALISTS + 1
        )
        self._try([self.reference])
        working = []
        for name, extra, missing in runtimes:
            if missing:
                lacking = Candidate(forms[0], name)
                self.found[lacking] = Trial(lacking, failure=missing)
            else:
                working.append((name, extra))
        for name, _ in working:
            self._try(Candidate(form, name) for form in forms)
            self._try(self._combined(forms, name))
        for name, extra in working:
            form = self._best_form(name)
            if form is not None:
                self._try(self._smaller(form, name, extra))
        # Seeded weights may say of no point that it is visible: then nothing is within the limits.
        quick = fastest(list(self.found.values()), self.limits, at_most=_THREADED)
        for trial in quick:
            if has_threads(trial.candidate.provider):
                self._try(replace(trial.candidate, threads=count) for count in threads)
        others = list(self.found.values())[1:]
        promising = [trial for trial in others if judge(trial, self.limits)[0] == "faster"]
        last = fastest(promising, self.limits, at_most=_FINALISTS)
        self._try((trial.candidate for trial in last), _FINAL_ROUNDS)
        reference, *rows = self.found.values()
        judged = [Tuned(trial, *judge(trial, self.limits)) for trial in rows]
        return [Tuned(reference, "reference"), *judged]

    def _smaller(self, form: Form, provider: str, extra: Sequence[str]) -> list[Candidate]:
        candidates = precision_candidates(form, provider, extra, self.cpu)
        if self.subject.given is None:
            return candidates
        return [candidate for candidate in candidates if candidate.form == self.subject.usual]

    def _combined(self, forms: Sequence[Form], provider: str) -> list[Candidate]:
        """All rewrites left out together that the provider is faster without, if there are two."""
        usual = self.found[Candidate(forms[0], provider)]
        if usual.failure:
            return []
        least = GAIN * usual.ratio.median
        tried = [self.found[Candidate(form, provider)] for form in forms[1:]]
        better = [
            trial.candidate.form
            for trial in fastest(tried, self.limits, at_most=len(tried))
            if trial.ratio.median >= least
        ]
        names = [form.without[-1] for form in better if form.without != forms[0].without]
        sampling = next((f.sampling for f in better if f.sampling != forms[0].sampling), None)
        if len(names) + (sampling is not None) < 2:
            return []
        without = (*forms[0].without, *sorted(names))
        together = replace(forms[0], sampling=sampling or forms[0].sampling, without=without)
        return [Candidate(together, provider)]

    def _best_form(self, provider: str) -> Form | None:
        """The fastest float32 form on a provider; None where none runs there."""
        there = [t for c, t in self.found.items() if c.provider == provider and not t.failure]
        return max(there, key=lambda t: t.ratio.median).candidate.form if there else None

    def _try(self, candidates: Iterable[Candidate], rounds: int = _ROUNDS) -> None:
        for candidate in candidates:
            known = self.found.get(candidate)
            if known is not None and (known.failure or known.rounds >= rounds):
                continue
            done = len(self.found) + (known is not None)
            total = max(self._expected, done + 1)
            self.notify(Notice("tuning", done, total))
            self.notify(Notice(f"trying {candidate.name}{self._left(total - done)}"))
            began, kept = time.perf_counter(), self.trials.taken_from_records
            trial = self.trials.attempt(candidate, rounds)
            if self.trials.taken_from_records == kept:
                self._fresh.append(time.perf_counter() - began)
            self.found[candidate] = trial
            self.distrust.about_load(trial.others_share, f"while {candidate.name} was timed")

    def _left(self, trials: int) -> str:
        """How long the trials to come take, as far as those so far tell."""
        if not self._fresh:
            return ""
        seconds = trials * sum(self._fresh) / len(self._fresh)
        return f" (about {_duration(seconds)} left)"


def _why_missing(provider: str) -> str:
    try:
        require_provider(provider)
    except ProviderUnavailableError as error:
        return str(error)
    return ""


def _choose(rows: Sequence[Tuned]) -> int:
    """The fastest that was timed longer and is still faster; the first, float32, where none is."""
    final = [
        index
        for index, row in enumerate(rows)
        if index > 0 and row.verdict == "faster" and row.trial.rounds >= _FINAL_ROUNDS
    ]
    return max(final, key=lambda index: rows[index].trial.ratio.median, default=0)


def _stamp(
    trial: Trial, machine: str, size: Size, sequences: str, limits: Limits, *, is_float32: bool
) -> TuningStamp:
    """The evidence; a file is no distance from itself, also where nothing could be compared."""
    error, ratio = trial.error, trial.ratio
    assert error is not None

    def distance(value: float) -> float:
        return 0.0 if is_float32 and math.isnan(value) else value

    return TuningStamp(
        provider=trial.candidate.provider,
        threads=trial.candidate.threads,
        machine=machine,
        frames=size.frames,
        points=size.points,
        latency_ms=1e3 * trial.latency.median,
        ratio=ratio.median,
        ratio_p10=ratio.p10,
        ratio_p90=ratio.p90,
        p50_px=distance(error.p50_px),
        p99_px=distance(error.p99_px),
        flip_share=distance(error.flip_share),
        average_jaccard_change=distance(error.average_jaccard_change),
        sequences=sequences,
        limit_px=limits.p99_px,
        limit_aj=limits.aj,
    )


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


def _each_warning_once(warnings: list[str], notify: Listener) -> Listener:
    """Each form is exported on its own, and warns of the same."""

    def listen(notice: Notice) -> None:
        if notice.warning:
            if notice.text in warnings:
                return
            warnings.append(notice.text)
        notify(notice)

    return listen


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
