"""The graph in ONNX Runtime against the unrewritten model, probe by probe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from locoexport.network import measure_noise, run_reference
from locoexport.parity import CaseParity, Conditioning, ParityReport, compare_case, summarise
from locoexport.pipeline.notices import Listener, Notice
from locoexport.probes import Probe, make_probe
from locoexport.profile import AxisSizes, Tolerance
from locoexport.runtime.session import RawTracks
from locoexport.runtime.split import Model
from locotrack import LocoTrack

__all__ = ["EXPORT_SHAPES", "VERIFY_SHAPES", "make_probes", "prove"]

EXPORT_SHAPES = ((1, 1, 1), (1, 2, 1), (2, 3, 4), (1, 8, 20))
"""(batch, frames, points) that every export is tried at."""
VERIFY_SHAPES = (*EXPORT_SHAPES, (1, 24, 64))
"""What ``verify`` tries as well. The traced shape, (2, 3, 5), is in neither."""
_NOISE_SHAPE = (1, 4, 9)


def make_probes(
    shapes: Sequence[tuple[int, int, int]], axes: AxisSizes, resolution_hw: tuple[int, int]
) -> Iterable[Probe]:
    """Textured clips of those shapes and one of noise; fixed axes replace the sizes asked for.

    Every clip and its queries are different, so that a graph of one fixed shape is tried as often.
    """
    kinds = [("textured", shape) for shape in shapes] + [("noise", _NOISE_SHAPE)]
    adapted = [
        (kind, (axes.batch or batch, axes.frames or frames, axes.points or points))
        for kind, (batch, frames, points) in kinds
    ]
    for seed, (kind, (batch, frames, points)) in enumerate(adapted):
        yield make_probe(
            kind, batch=batch, frames=frames, points=points, size_hw=resolution_hw, seed=seed
        )


def prove(
    session: Model,
    model: LocoTrack,
    probes: Iterable[Probe],
    tolerance: Tolerance,
    notify: Listener,
) -> ParityReport:
    """Compare the session with ``model`` on every probe.

    The session must have been opened with a profile prefix; its first run is profiled.
    """
    cases = []
    placement: tuple[tuple[str, int], ...] = ()
    for probe in probes:
        notify(Notice(f"parity: {probe.name}"))
        candidate = session.run(probe.video, probe.query_points_tyx)
        if not placement:
            placement = session.node_placement()
        cases.append(_compare(probe, candidate, model, tolerance, notify))
    return summarise(cases, tolerance, session.provider, placement)


def _compare(
    probe: Probe, candidate: RawTracks, model: LocoTrack, tolerance: Tolerance, notify: Listener
) -> CaseParity:
    """Compare; where points are beyond tolerance, measure how far the oracle can be trusted."""
    reference = run_reference(model, probe.video, probe.query_points_tyx)
    conditioning = Conditioning.unmeasured(reference.peak_gap)
    case = compare_case(probe.name, reference.outputs, candidate, conditioning, tolerance)
    if not case.suspect_points:
        return case
    notify(Notice(f"measuring the oracle's own noise at {len(case.suspect_points)} points"))
    conditioning = measure_noise(
        model, probe.video, probe.query_points_tyx, reference, case.suspect_points
    )
    return compare_case(probe.name, reference.outputs, candidate, conditioning, tolerance)
