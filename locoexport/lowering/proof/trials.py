"""Both sides of cut-outs on the same inputs: equal, within a stated tolerance, or apart.

What only another version reads computes nothing else, so the two must be equal bit by bit; what was
written anew, or is another kernel, states its tolerance.

A runtime that cannot run one of the two sides proves nothing, and another one is asked for both
(``settings``). One that takes the replacement and stumbles over it, on inputs on which the original
runs, has found it to be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from locoexport.lowering.proof.batches import Batch, batches_of, output_sizes
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError
from locoexport.lowering.proof.differences import (
    Value,
    count_values,
    told_difference,
    worst_difference,
)
from locoexport.lowering.proof.inputs import MOST_VALUES, Shapes, inputs_of
from locoexport.lowering.proof.runners import (
    Arrays,
    CannotRunError,
    NotValidError,
    Runner,
    StumbledError,
)
from locoexport.lowering.proof.settings import Setting, load_unoptimised, settings_for
from locoexport.lowering.proof.tolerance import ProofTolerance

__all__ = ["CutOutProof", "check_affordable", "prove_cut_out", "prove_cut_outs"]

_RUNTIME = "ONNX Runtime CPU"


@dataclass(frozen=True)
class CutOutProof:
    """How far both sides were apart, and what they were tried on: ``shapes`` of the inputs of each
    trial, ``points`` (values compared) in all. ``fault`` says in words what no number does.
    """

    worst_error: float
    tolerance: ProofTolerance
    shapes: tuple[Shapes, ...]
    points: int
    runtime: str
    fault: str = ""

    @property
    def reduced(self) -> bool:
        """Never: what is too large is not proven."""
        return False

    @property
    def passed(self) -> bool:
        """True where every value is the same."""
        return self.worst_error <= self.tolerance.worst


def check_affordable(subject: CutOut) -> None:
    """Count what a cut-out makes, as far as inference knows, before it is run: a constant of a few
    bytes may ask for any number of values.

    Raises:
        NotProvenError: there are too many to try.
    """
    _check_size(output_sizes([subject])[0])


def prove_cut_outs(
    subjects: Sequence[CutOut], proven: Callable[[int], None] = lambda count: None
) -> list[CutOutProof | str]:
    """Each cut-out's proof, or the reason why there is none; ``proven`` hears how many are done.

    The same outcomes as ``check_affordable`` and ``prove_cut_out`` give one by one, sooner.
    """
    outcomes: list[CutOutProof | str] = [""] * len(subjects)
    sizes = output_sizes(subjects)
    done = 0
    for batch, places in batches_of(subjects, sizes):
        for place, outcome in zip(places, _prove_batch(batch, sizes, places), strict=True):
            outcomes[place] = outcome
            done += 1
            proven(done)
    return outcomes


def prove_cut_out(subject: CutOut) -> CutOutProof:
    """Run both sides on the same inputs, in the first way in which both run.

    Raises:
        NotProvenError: no way runs both on any inputs tried, or the original is random.
    """
    reasons: list[tuple[str, str]] = []
    for setting in settings_for(subject):
        try:
            return _prove(setting)
        except (CannotRunError, NotProvenError) as error:
            # Where one of two runtimes cannot run a side, it says so again.
            if setting.plain or str(error) not in [reason for _, reason in reasons]:
                reasons.append((setting.name, str(error)))
    raise NotProvenError("; ".join(f"{name}: {reason}" for name, reason in reasons))


def _prove_batch(
    batch: Batch, sizes: Sequence[int], places: Sequence[int]
) -> Iterator[CutOutProof | str]:
    found = _equal_together(batch) if len(places) > 1 else None
    if found is None and len(places) > 1:
        middle = len(places) // 2
        for half, of_half in zip(batch.halves, (places[:middle], places[middle:]), strict=True):
            yield from _prove_batch(half, sizes, of_half)
        return
    for subject, place, proof in zip(batch.subjects, places, found or [None], strict=True):
        if proof is not None:
            yield proof
            continue
        try:
            _check_size(sizes[place])
            yield prove_cut_out(subject)
        except NotProvenError as reason:
            yield str(reason)


def _equal_together(batch: Batch) -> list[CutOutProof | None] | None:
    """The proofs of those that pass in ONNX Runtime; None where the batch cannot be run at all."""
    tallies = [_Tally() for _ in batch.subjects]
    suspects: set[int] = set()
    try:
        original, replacement = batch.load(load_unoptimised)
        trials = zip(*(inputs_of(subject) for subject in batch.subjects), strict=True)
        for number, inputs in enumerate(trials):
            expected, found = original(inputs), replacement(inputs)
            if not number:
                again = original(inputs)
                suspects |= {
                    place
                    for place, pair in enumerate(zip(expected, again, strict=True))
                    if worst_difference(*pair)
                }
            for tally, *values in zip(tallies, inputs, expected, found, strict=True):
                tally.add(*values)
    except (CannotRunError, NotProvenError):
        return None
    proofs = [
        tally.proof(subject.tolerance, _RUNTIME)
        for tally, subject in zip(tallies, batch.subjects, strict=True)
    ]
    return [
        proof if proof.passed and place not in suspects else None
        for place, proof in enumerate(proofs)
    ]


def _prove(setting: Setting) -> CutOutProof:
    subject = setting.subject
    original = setting.original(subject.before)
    tally, refusal, fault = _Tally(), "nothing ran", ""
    replacement: Runner | None = None
    try:
        replacement = setting.replacement(subject.after)
    except NotValidError as error:
        if not setting.together:
            raise
        fault = f"it is not valid: {error}"
    for inputs in inputs_of(subject):
        try:
            expected = original(inputs)
            again = expected if tally.shapes else original(inputs)
        except CannotRunError as error:
            refusal = str(error)
            continue
        if worst_difference(expected, again):
            raise NotProvenError("it is random")
        if replacement is None:
            tally.fail(inputs, fault)
            continue
        try:
            found = replacement(inputs)
        except StumbledError as error:
            if not setting.together:
                raise
            tally.fail(inputs, f"it fails when it is run: {error}")
            continue
        tally.add(inputs, expected, found)
    if not tally.shapes:
        raise NotProvenError(refusal)
    return tally.proof(subject.tolerance, setting.name)


class _Tally:
    """What the trials of one cut-out found."""

    def __init__(self) -> None:
        self.shapes: dict[Shapes, None] = {}
        self._worst, self._points, self._fault = 0.0, 0, ""

    def add(self, inputs: Arrays, expected: Sequence[Value], found: Sequence[Value]) -> None:
        apart = worst_difference(expected, found)
        if math.isinf(apart):
            self._fault = self._fault or told_difference(expected, found)
        self._worst = max(self._worst, apart)
        self._points += count_values(expected)
        self.shapes[tuple(value.shape for value in inputs)] = None

    def fail(self, inputs: Arrays, fault: str) -> None:
        self._worst, self._fault = math.inf, self._fault or fault
        self.shapes[tuple(value.shape for value in inputs)] = None

    def proof(self, tolerance: ProofTolerance, runtime: str) -> CutOutProof:
        shapes = tuple(self.shapes)
        return CutOutProof(self._worst, tolerance, shapes, self._points, runtime, self._fault)


def _check_size(size: int) -> None:
    if size > MOST_VALUES:
        raise NotProvenError(f"its outputs have over {MOST_VALUES} values")
