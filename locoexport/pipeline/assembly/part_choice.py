"""The graph in a smaller precision with what that costs; of int8 the parts that pay are chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from locoexport.benchmarking.report import LEAST_GAIN
from locoexport.contract.profile import ExportProfile, IntegerForm
from locoexport.contract.profile_tables import QUANTISED_PARTS, QuantisedPart
from locoexport.errors import GraphCheckFailedError
from locoexport.evaluation.precision_cost import PartTrial, PrecisionReport
from locoexport.lowering.tracker.finishing import to_bytes, with_properties
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.notices import Listener, Notice
from locoexport.pipeline.assembly.cost import PrecisionRefusedError, measure_precision
from locoexport.pipeline.assembly.graph import FinishedGraph, lower_precision
from locoexport.pipeline.assembly.precision import weight_bits_here

__all__ = ["lower_and_measure"]


@dataclass(frozen=True)
class _Lowered:
    graph: FinishedGraph
    report: PrecisionReport


def lower_and_measure(
    whole: Path,
    graph: FinishedGraph,
    profile: ExportProfile,
    calibrate: Sequence[Path],
    notify: Listener,
) -> tuple[FinishedGraph, PrecisionReport]:
    """The graph in the profile's precision, and what it costs and gains against float32.

    Of int8 without ``quantised_parts``, every part is tried in turn and kept where the file is
    faster with it and stays within the profile's limits: a part may cost what the parts before it
    have left.

    Args:
        whole: the file in float32, which runs in turn with every other.
        graph: what that file holds.
        profile: in fp16 or int8.
        calibrate: clips that ranges are taken from; none for generated ones.
        notify: is told of every step.

    Raises:
        PrecisionRefusedError: no part pays.
        GraphCheckFailedError: the graph breaks a promise, or nothing of it can be lowered.
        VideoError: a clip to calibrate on cannot be read.
    """
    if profile.precision == "int8" and profile.weight_bits is None:
        profile = profile.with_options(weight_bits=weight_bits_here())
    if profile.precision == "int8" and profile.quantised_parts is None:
        chosen = _choose_parts(whole, graph, profile, calibrate, notify)
    else:
        chosen = _lower(whole, graph, profile, calibrate, notify)
    return chosen.graph, chosen.report


def _choose_parts(
    whole: Path,
    graph: FinishedGraph,
    profile: ExportProfile,
    calibrate: Sequence[Path],
    notify: Listener,
) -> _Lowered:
    trials: list[PartTrial] = []
    best: _Lowered | None = None
    last: _Lowered | None = None
    for part in QUANTISED_PARTS:
        notify(Notice(f"trying the {part} in 8 bits"))
        try:
            last = _lower(whole, graph, _with(profile, best, part), calibrate, notify)
        except GraphCheckFailedError as error:
            trials.append(PartTrial(part, math.nan, math.nan, math.nan, str(error).rstrip(".")))
            continue
        trials.append(_judge(part, last.report, best))
        if trials[-1].kept:
            best = last
    found = best or last
    if found is None:
        raise GraphCheckFailedError("; ".join(trial.refusal for trial in trials) + ".")
    report = replace(found.report, trials=tuple(trials))
    if best is None:
        refusals = "; ".join(f"the {trial.part} {trial.refusal}" for trial in trials)
        raise PrecisionRefusedError(
            f"int8 pays in no part of this model on this machine: {refusals}. No file was written; "
            "--int8-parts PART --force writes one all the same.",
            report,
        )
    return _Lowered(best.graph, report)


def _with(profile: ExportProfile, best: _Lowered | None, part: QuantisedPart) -> ExportProfile:
    """The profile with one more part in 8 bits."""
    kept = best.report.integer_form if best else None
    assert profile.weight_bits is not None
    form = IntegerForm((*(kept.parts if kept else ()), part), profile.weight_bits)
    return profile.with_options(integer_form=form)


def _judge(part: QuantisedPart, report: PrecisionReport, best: _Lowered | None) -> PartTrial:
    gain = report.latency_ratio / (best.report.latency_ratio if best else 1.0)
    apart, lost = report.difference, -report.average_jaccard_change
    refusal = ""
    if not report.keeps_tracks:
        refusal = f"moves tracks by p99 {apart.p99_px:.3g} px (limit {report.limit_px:g})"
    elif not report.keeps_scores:
        refusal = f"loses {lost:.2f} points of AJ (limit {report.limit_aj:g})"
    elif gain < LEAST_GAIN:
        refusal = f"makes it {gain:.2f} times as fast (at least {LEAST_GAIN:g} is wanted)"
    return PartTrial(part, gain, apart.p99_px, report.average_jaccard_change, refusal)


def _lower(
    whole: Path,
    graph: FinishedGraph,
    profile: ExportProfile,
    calibrate: Sequence[Path],
    notify: Listener,
) -> _Lowered:
    """Lower it, write it beside nothing that anybody reads, and measure it."""
    lowered = lower_precision(graph, profile, calibrate, notify)
    with scratch_folder() as folder:
        draft = folder / "lowered.onnx"
        stamped = with_properties(lowered.model, lowered.metadata.to_properties())
        draft.write_bytes(to_bytes(stamped))
        return _Lowered(lowered, measure_precision(whole, draft, profile, calibrate, notify))
