"""One trial: a candidate timed turn by turn with the float32 file, and its tracks compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.benchmarking.contenders import DeviceGraph, HostGraph, open_graph
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.contract.profile import SCORED_HW
from locoexport.contract.visibility import visible_from_logits
from locoexport.errors import LocoExportError
from locoexport.evaluation.sides import GraphSide, Side
from locoexport.machine.hardware import CpuWatch
from locoexport.notices import Listener, Notice
from locoexport.parity.probes import Probe
from locoexport.pipeline.assembly.cost import cost_sequences, measure_difference
from locoexport.pipeline.contenders import Size
from locoexport.pipeline.tuning.building import Workshop
from locoexport.pipeline.tuning.candidates import Candidate
from locoexport.pipeline.tuning.records import Records
from locoexport.pipeline.tuning.report import TrackError, Trial
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.session.provider_options import RunChoice
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.single import RawTracks
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.runtime.video.clips import read_clip

__all__ = ["Trials"]

_FAILURES: tuple[type[Exception], ...] = (LocoExportError, MemoryError, *ORT_ERRORS)
"""What building and running a candidate raises: a row of the report, and no end of the search."""
_CLIP_GRID = 8

Floats = NDArray[np.float32]


class Trials:
    """Tries candidates; what an earlier run finished is taken from its records."""

    def __init__(
        self,
        workshop: Workshop,
        records: Records,
        reference: Candidate,
        size: Size,
        clips: Sequence[Path],
        notify: Listener,
    ) -> None:
        """``reference`` is the float32 file on the CPU.

        Raises:
            LocoExportError: it cannot be built or opened; nothing can be measured then.
        """
        self._workshop, self._records, self._size = workshop, records, size
        self._clips, self._notify = clips, notify
        self._reference = _open(workshop.build(reference.form), reference)
        probe = size.probe(self._reference.resolution_hw)
        self._reference.prepare(probe.video, probe.query_points_tyx)
        self._answers = _Remembering(GraphSide(self._reference.session))
        self.taken_from_records = 0

    def attempt(self, candidate: Candidate, rounds: int) -> Trial:
        """Build, time and compare one candidate; a failure is a trial too."""
        kept = self._records.trial(candidate, rounds)
        if kept is not None:
            self.taken_from_records += 1
            return kept
        try:
            trial = self._measure(candidate, rounds)
        except _FAILURES as error:
            said = " ".join(str(error).split()) or type(error).__name__
            trial = Trial(candidate, failure=said)
        self._records.keep_trial(trial, rounds)
        return trial

    def _measure(self, candidate: Candidate, rounds: int) -> Trial:
        path = self._workshop.build(candidate.form)
        graph = _open(path, candidate)
        probe = self._size.probe(graph.resolution_hw)
        finite = _time_once(graph, probe)
        error = self._compare(candidate, graph)
        error = replace(error, finite=error.finite and finite)
        self._notify(Notice(f"timing {candidate.name}"))
        for contender in (graph, self._reference):
            settle(contender)
        watch = CpuWatch()
        seconds, reference = take_turns(
            (graph, self._reference), rounds, progress=lambda done: None
        )
        return Trial(
            candidate,
            path.stat().st_size,
            tuple(seconds),
            tuple(reference),
            watch.share_of_others(),
            error,
        )

    def _compare(self, candidate: Candidate, graph: HostGraph | DeviceGraph) -> TrackError:
        """On the CPU of ONNX Runtime bits are equal with any number of threads: once is enough."""
        if candidate.provider == "cpu":
            candidate = replace(candidate, threads=None)
        known = self._records.error(candidate)
        if known is None:
            known = self._compare_anew(graph, candidate.name)
            self._records.keep_error(candidate, known)
        return known

    def _compare_anew(self, graph: HostGraph | DeviceGraph, name: str) -> TrackError:
        watched = _Watched(GraphSide(graph.session))
        what = f"comparing {name}, sequences"
        generated = measure_difference(
            (self._answers, watched), cost_sequences(self._size.frames, what, self._notify)
        )
        found = [generated.difference]
        if self._clips:
            clips = self._real_clips(self._reference.session.fixed_frames)
            found.append(measure_difference((self._answers, watched), clips).difference)

        def worst(values: list[float]) -> float:
            return float(np.max(values))  # NaN where one is

        return TrackError(
            worst([each.p50_px for each in found]),
            worst([each.p99_px for each in found]),
            worst([each.max_px for each in found]),
            sum(each.flips for each in found),
            sum(each.compared for each in found),
            generated.average_jaccard_change,
            watched.finite,
        )

    def _real_clips(self, fixed_frames: int | None) -> Iterator[TapVidClip]:
        """The clips' first frames, with what float32 answers in the place of the truth."""
        for path in self._clips:
            frames = read_clip(path, max_frames=fixed_frames or self._size.frames).frames_rgb
            self._notify(Notice(f"comparing on {path.name}"))
            queries = grid_queries(_CLIP_GRID, *SCORED_HW)[None]
            answer = self._answers.track(frames, queries)
            visible, _ = visible_from_logits(answer.occlusion, answer.expected_dist)
            yield TapVidClip(
                frames, answer.tracks_xy[0] / np.array(SCORED_HW[::-1], np.float32), ~visible[0]
            )


def _open(path: Path, candidate: Candidate) -> HostGraph | DeviceGraph:
    choice = RunChoice(candidate.provider, candidate.threads)
    return open_graph(path, candidate.provider, candidate.name, choice)


def _time_once(graph: HostGraph | DeviceGraph, probe: Probe) -> bool:
    """Prepare the inputs of the timed runs; whether a first run gives finite numbers alone."""
    graph.prepare(probe.video, probe.query_points_tyx)
    graph.run()
    return _is_finite(graph.outputs())


def _is_finite(raw: RawTracks) -> bool:
    outputs = (raw.tracks_xy, raw.occlusion, raw.expected_dist)
    return all(bool(np.isfinite(each).all()) for each in outputs)


class _Watched:
    """A side, and whether all that it ever answered was finite."""

    def __init__(self, side: Side) -> None:
        self._side, self.name, self.finite = side, side.name, True

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``."""
        raw = self._side.track(frames_rgb, query_points_tyx)
        self.finite = self.finite and _is_finite(raw)
        return raw


class _Remembering:
    """A side that is asked the same for every candidate, and answers once."""

    def __init__(self, side: Side) -> None:
        self._side, self.name = side, side.name
        self._answers: dict[str, RawTracks] = {}

    def track(self, frames_rgb: NDArray[np.uint8], query_points_tyx: Floats) -> RawTracks:
        """See ``Side``."""
        asked = hashlib.sha256(np.ascontiguousarray(frames_rgb).data)
        asked.update(np.ascontiguousarray(query_points_tyx).data)
        key = asked.hexdigest()
        if key not in self._answers:
            self._answers[key] = self._side.track(frames_rgb, query_points_tyx)
        return self._answers[key]
