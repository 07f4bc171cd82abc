"""The stages of a search: forms on each runtime, precisions, threads, the best timed longer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from locoexport.benchmarking.distrust import Distrust
from locoexport.benchmarking.report import LEAST_GAIN
from locoexport.errors import ProviderUnavailableError
from locoexport.notices import Listener, Notice
from locoexport.pipeline.tuning.candidates import (
    Candidate,
    Form,
    graph_forms,
    has_threads,
    precision_candidates,
    runtimes_of,
    thread_counts,
)
from locoexport.pipeline.tuning.judgement import fastest, judge
from locoexport.pipeline.tuning.report import Limits, Trial, Tuned
from locoexport.pipeline.tuning.subject import Subject
from locoexport.pipeline.tuning.trials import Trials
from locoexport.runtime.session.providers import require_provider

__all__ = ["FINAL_ROUNDS", "Search"]

FINAL_ROUNDS = 30
"""Timed runs of each side for those that may win."""
_ROUNDS = 10
_FINALISTS = 3
_THREADED = 2
"""So many of the fastest are tried with other numbers of threads."""


@dataclass
class Search:
    """The stages. Each takes the best of those before it, so the product is never tried whole."""

    subject: Subject
    trials: Trials
    reference: Candidate
    limits: Limits
    distrust: Distrust
    notify: Listener
    found: dict[Candidate, Trial] = field(default_factory=dict)
    _expected: int = 0
    _fresh: list[float] = field(default_factory=list)

    def run(self, providers: Sequence[str]) -> list[Tuned]:
        """Every candidate that was tried, in order, the float32 file first."""
        runtimes = runtimes_of(providers)
        forms = graph_forms(self.subject.profile)
        if self.subject.given is not None:
            forms = forms[:1]
        threads = thread_counts()
        self._expected = (
            len(runtimes) * (len(forms) + 3) + _THREADED * len(threads) + _FINALISTS + 1
        )
        self._try([self.reference])
        working = [runtime for runtime in runtimes if self._works(runtime[0], forms[0])]
        for name, _ in working:
            self._try(Candidate(form, name) for form in forms)
            self._try(self._combined(forms, name))
        for name, extra in working:
            form = self._best_form(name)
            if form is not None:
                self._try(self._smaller(form, name, extra))
        for trial in fastest(list(self.found.values()), self.limits, at_most=_THREADED):
            if has_threads(trial.candidate.provider):
                self._try(replace(trial.candidate, threads=count) for count in threads)
        others = list(self.found.values())[1:]
        promising = [trial for trial in others if judge(trial, self.limits)[0] == "faster"]
        last = fastest(promising, self.limits, at_most=_FINALISTS)
        self._try((trial.candidate for trial in last), FINAL_ROUNDS)
        reference, *rows = self.found.values()
        judged = [Tuned(trial, *judge(trial, self.limits)) for trial in rows]
        return [Tuned(reference, "reference"), *judged]

    def _works(self, provider: str, form: Form) -> bool:
        """Whether a provider is here; one that is not is a row of the report with the reason."""
        try:
            require_provider(provider)
        except ProviderUnavailableError as error:
            lacking = Candidate(form, provider)
            self.found[lacking] = Trial(lacking, failure=str(error))
            return False
        return True

    def _smaller(self, form: Form, provider: str, extra: Sequence[str]) -> list[Candidate]:
        candidates = precision_candidates(form, provider, extra)
        if self.subject.given is None:
            return candidates
        return [candidate for candidate in candidates if candidate.form == self.subject.usual]

    def _combined(self, forms: Sequence[Form], provider: str) -> list[Candidate]:
        """All rewrites left out together that the provider is faster without, if there are two."""
        usual = self.found[Candidate(forms[0], provider)]
        if usual.failure:
            return []
        least = LEAST_GAIN * usual.ratio.median
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
        """The fastest float32 form on a provider, the usual one unless another beats it beyond
        noise; None where none runs there."""
        there = [t for c, t in self.found.items() if c.provider == provider and not t.failure]
        if not there:
            return None
        best = max(there, key=lambda t: t.ratio.median)
        usual = next((t for t in there if t.candidate.form == self.subject.usual), best)
        beaten = best.ratio.median >= LEAST_GAIN * usual.ratio.median
        return (best if beaten else usual).candidate.form

    def _try(self, candidates: Iterable[Candidate], rounds: int = _ROUNDS) -> None:
        for candidate in candidates:
            known = self.found.get(candidate)
            if known is not None and (known.failure or known.rounds >= rounds):
                continue
            done = len(self.found) + (known is not None)
            total = max(self._expected, done + 1)
            self.notify(Notice("tuning", done, total))
            which = f"trying {done + 1} of about {total}: {candidate.name}"
            self.notify(Notice(f"{which}{self._left(total - done)}"))
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


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
