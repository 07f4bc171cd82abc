"""The graph in ONNX Runtime against the unrewritten model, probe by probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from locoexport.contract.profile import AxisSizes, InputType, Tolerance
from locoexport.models.locotrack import LocoTrack
from locoexport.network.oracle import measure_noise, resize_reference, run_reference
from locoexport.notices import Listener, Notice, counted
from locoexport.parity.pointwise import (
    CaseParity,
    Conditioning,
    ParityReport,
    compare_case,
    summarise,
)
from locoexport.parity.probes import MadeKind, Probe, make_probe, to_uint8
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.video.frames import scale_queries_to_model, scale_tracks_to_model

__all__ = [
    "EXPORT_SHAPES",
    "VERIFY_SHAPES",
    "at_working_size",
    "make_probes",
    "probe_to_study",
    "prove",
]

EXPORT_SHAPES = ((1, 1, 1), (1, 2, 1), (2, 3, 4), (1, 8, 20))
"""(batch, frames, points) that every export is tried at."""
VERIFY_SHAPES = (*EXPORT_SHAPES, (1, 24, 64))
"""What ``verify`` tries as well. The traced shape, (2, 3, 5), is in neither."""
_NOISE_SHAPE = (1, 4, 9)
_FRAME_SIZES_HW = ((97, 131), (270, 481), (480, 270), (144, 176), (720, 1280))
"""Frames that a graph for any size is tried on, in turn: small and odd, wide, upright, large. The
traced size, 41x59, is none of them."""
_LARGEST_STUDY = 200
"""Frames times points: 0.6 GB for the seams of b0."""


def make_probes(
    shapes: Sequence[tuple[int, int, int]],
    axes: AxisSizes,
    resolution_hw: tuple[int, int],
    input_type: InputType = "float32",
) -> Iterator[Probe]:
    """Textured clips of those shapes and one of noise; fixed axes replace the sizes asked for.

    Every clip and its queries are different, so that a graph of one fixed shape is tried as often.
    Clips for a graph that takes ``uint8`` are of several sizes, the first of the working one.
    """
    kinds: list[tuple[MadeKind, tuple[int, int, int]]]
    kinds = [*(("textured", shape) for shape in shapes), ("noise", _NOISE_SHAPE)]
    adapted = [
        (kind, (axes.batch or batch, axes.frames or frames, axes.points or points))
        for kind, (batch, frames, points) in kinds
    ]
    for seed, (kind, (batch, frames, points)) in enumerate(adapted):
        size_hw = resolution_hw
        if input_type == "uint8" and seed > 0:
            size_hw = _FRAME_SIZES_HW[(seed - 1) % len(_FRAME_SIZES_HW)]
        probe = make_probe(
            kind, batch=batch, frames=frames, points=points, size_hw=size_hw, seed=seed
        )
        if input_type == "uint8":
            name = f"{probe.name} of {size_hw[0]}x{size_hw[1]}"
            probe = replace(probe, name=name, video=to_uint8(probe.video))
        yield probe


def prove(
    session: Model,
    model: LocoTrack,
    probes: Iterable[Probe],
    tolerance: Tolerance,
    notify: Listener,
) -> ParityReport:
    """Compare the session with ``model`` on every probe.

    The session must have been opened with a profile prefix; its first run is profiled. Errors are
    in pixels of the working resolution, whatever the size of the frames.
    """
    cases = []
    placement: tuple[tuple[str, int], ...] = ()
    for probe in probes:
        notify(Notice(f"parity: {probe.name}"))
        candidate = session.run(probe.video, probe.query_points_tyx)
        if not placement:
            placement = session.node_placement()
        if session.signature.input_type == "uint8":
            probe, candidate = _at_working_resolution(probe, candidate, model.config.levels)
        cases.append(_compare(probe, candidate, model, tolerance, notify))
    return summarise(cases, tolerance, session.provider, placement)


def _at_working_resolution(
    probe: Probe, candidate: RawTracks, levels: tuple[tuple[int, int], tuple[int, int]]
) -> tuple[Probe, RawTracks]:
    """What the oracle is asked in place of a clip of any size, and the answer in its pixels."""
    frame_hw = (probe.video.shape[2], probe.video.shape[3])
    tracks_xy = scale_tracks_to_model(candidate.tracks_xy, frame_hw, levels[1])
    return at_working_size(probe, levels), replace(candidate, tracks_xy=tracks_xy)


def at_working_size(probe: Probe, levels: tuple[tuple[int, int], tuple[int, int]]) -> Probe:
    """What the oracle is asked in place of uint8 frames of any size.

    Each of the two ``levels``, (height, width), is resized from the frames themselves, as the
    model does it.
    """
    frame_hw = (probe.video.shape[2], probe.video.shape[3])
    first_hw, last_hw = levels
    return replace(
        probe,
        video=resize_reference(probe.video, last_hw),
        query_points_tyx=scale_queries_to_model(probe.query_points_tyx, frame_hw, last_hw),
        first_video=None if first_hw == last_hw else resize_reference(probe.video, first_hw),
    )


def probe_to_study(probes: Iterable[Probe], report: ParityReport) -> Probe:
    """The inputs on which to look for a fault: the smallest case that failed, else the largest.

    ``probes`` are those that ``report`` was made from, in the same order.
    """
    pairs = list(zip(probes, report.cases, strict=True))
    failed = [(probe, case) for probe, case in pairs if not case.passed]

    def size(pair: tuple[Probe, CaseParity]) -> int:
        return pair[1].batch * pair[1].frames * pair[1].points

    if failed:
        return min(failed, key=size)[0]
    # A share of what verify tries at most: every value is held at once.
    small = [pair for pair in pairs if size(pair) <= _LARGEST_STUDY] or [min(pairs, key=size)]
    return max(small, key=size)[0]


def _compare(
    probe: Probe, candidate: RawTracks, model: LocoTrack, tolerance: Tolerance, notify: Listener
) -> CaseParity:
    """Compare; where points are beyond tolerance, measure how far the oracle can be trusted."""
    reference = run_reference(model, probe.video, probe.query_points_tyx, probe.first_video)
    conditioning = Conditioning.unmeasured(reference.peak_gap)
    case = compare_case(probe.name, reference.outputs, candidate, conditioning, tolerance)
    if not case.suspect_points:
        return case
    notify(
        Notice(f"checking how stable PyTorch is at {counted(len(case.suspect_points), 'point')}")
    )
    conditioning = measure_noise(
        model,
        probe.video,
        probe.query_points_tyx,
        reference,
        case.suspect_points,
        probe.first_video,
    )
    return compare_case(probe.name, reference.outputs, candidate, conditioning, tolerance)
