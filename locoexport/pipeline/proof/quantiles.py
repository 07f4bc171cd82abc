"""A file in a smaller precision against the unrewritten PyTorch model, by its own limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from locoexport.contract.profile import SCORED_HW
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.sides import GraphSide, TorchSide
from locoexport.models.locotrack import LocoTrack
from locoexport.network.oracle import run_reference
from locoexport.notices import Listener, Notice
from locoexport.parity.probes import Probe
from locoexport.parity.quantiles import (
    PrecisionCase,
    PrecisionGroup,
    PrecisionParity,
    PrecisionTolerance,
    compare_precision,
)
from locoexport.pipeline.assembly.cost import cost_sequences
from locoexport.runtime.session.opening import Model

__all__ = ["prove_precision"]


def prove_precision(
    session: Model,
    model: LocoTrack,
    probes: Iterable[Probe],
    clips: Sequence[Probe],
    tolerance: PrecisionTolerance,
    notify: Listener,
) -> PrecisionParity:
    """Compare on the sequences that the export measured the cost on, and on other inputs.

    Args:
        session: opened with a profile prefix.
        model: the oracle.
        probes: other shapes, with too few and too awkward points for a 99th percentile: there the
            medians are held to the limit, but for noise.
        clips: real ones, held to the limits.
        tolerance: see ``allowed_precision``.
        notify: is told of every step.
    """
    sequences = _compare_sequences(session, model, notify)
    placement = session.node_placement()
    groups = [PrecisionGroup("generated sequences", sequences, tolerance)]
    # What a network sees in noise is chance: at 64x64 float16 moved the one visible point of four
    # frames by 1.3 px, and textured clips by 0.002. There numbers are asked for, and no more.
    others = tuple(
        replace(case, medians_px=()) if probe.kind == "noise" else case
        for probe in probes
        for case in (_compare(session, model, probe, notify),)
    )
    groups.append(PrecisionGroup("other shapes", others, tolerance, held=False))
    groups += [
        PrecisionGroup(clip.name, (_compare(session, model, clip, notify),), tolerance)
        for clip in clips
    ]
    cost = session.metadata.cost
    return PrecisionParity(
        tuple(groups),
        tolerance,
        session.provider,
        placement,
        None if cost is None else cost.p99_px,
    )


def _compare_sequences(
    session: Model, model: LocoTrack, notify: Listener
) -> tuple[PrecisionCase, ...]:
    from_frames = session.signature.input_type == "uint8"
    sides = (TorchSide(model, from_frames=from_frames), GraphSide(session))
    cases = []
    what = "parity on generated sequences"
    for index, clip in enumerate(cost_sequences(session.fixed_frames, what, notify)):
        truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
        queries = sample_queries(clip.occluded, truth, "first")["query_points"].astype(np.float32)
        expected, found = (side.track(clip.video, queries) for side in sides)
        cases.append(compare_precision(f"sequence {index}", expected, found, SCORED_HW))
    return tuple(cases)


def _compare(session: Model, model: LocoTrack, probe: Probe, notify: Listener) -> PrecisionCase:
    notify(Notice(f"parity: {probe.name}"))
    found = session.run(probe.video, probe.query_points_tyx)
    expected = run_reference(model, probe.video, probe.query_points_tyx).outputs
    return compare_precision(probe.name, expected, found, session.resolution_hw)
