"""Where a call's time goes: ONNX Runtime's own profile, told by part of the model.

ONNX Runtime names a profiled node as the optimised graph does, so that graph is written beside the
profile and its nodes are given parts by ``locoexport.inspection.parts``.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import onnx

from locoexport.benchmarking.report import PartTimes
from locoexport.contract.metadata import QUERY_INPUT, VIDEO_INPUT
from locoexport.graphs.walking import iterate_nodes
from locoexport.inspection.parts import UNATTRIBUTED, Part, assign_parts
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.parity.probes import Probe, to_uint8
from locoexport.runtime.session.providers import create_session
from locoexport.runtime.session.single import session_options

__all__ = ["profile_parts", "sum_by_part"]

_WARM_UPS = 2
_RUNS = 3
_KERNEL = "_kernel_time"
_CONTAINERS = ("If", "Loop", "Scan")
"""Their time is that of the nodes in them, which have events of their own."""


def profile_parts(
    path: Path, probes: Iterable[Probe], *, threads: int | None = None
) -> list[PartTimes]:
    """Time by part for every probe, on the CPU (elsewhere a profile tells launches, not work)."""
    each = _WARM_UPS + _RUNS
    with scratch_folder() as folder:
        optimised = folder / "optimised.onnx"
        options = session_options("cpu", profile_prefix=folder / "profile", threads=threads)
        options.optimized_model_filepath = str(optimised)
        session = create_session(str(path), "cpu", options)
        types = {argument.name: argument.type for argument in session.get_inputs()}
        for probe in probes:
            raw = types.get(VIDEO_INPUT) == "tensor(uint8)"
            video = to_uint8(probe.video) if raw else probe.video
            for _ in range(each):
                session.run(None, {VIDEO_INPUT: video, QUERY_INPUT: probe.query_points_tyx})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        nodes = list(iterate_nodes(onnx.load(optimised)))
        parts = dict(zip((node.name for node in nodes), assign_parts(nodes), strict=True))
    runs = sum_by_part(events, parts)
    return [_mean(runs[start + _WARM_UPS : start + each]) for start in range(0, len(runs), each)]


def sum_by_part(events: Sequence[dict[str, Any]], parts: dict[str, Part]) -> list[PartTimes]:
    """One entry for every run in the profile, in order; ``parts`` are by name of node."""
    runs = sorted((event["ts"], event["dur"]) for event in events if event["name"] == "model_run")
    starts = [start for start, _ in runs]
    sums: list[dict[Part, float]] = [{} for _ in runs]
    for event in events:
        name = event["name"]
        if not name.endswith(_KERNEL) or event["args"].get("op_name") in _CONTAINERS:
            continue
        index = bisect.bisect_right(starts, event["ts"]) - 1
        if index < 0 or event["ts"] > starts[index] + runs[index][1]:
            continue
        part = parts.get(name.removesuffix(_KERNEL), UNATTRIBUTED)
        sums[index][part] = sums[index].get(part, 0.0) + event["dur"] * 1e-6
    return [
        PartTimes(by_part, max(0.0, duration * 1e-6 - sum(by_part.values())), 1)
        for by_part, (_, duration) in zip(sums, runs, strict=True)
    ]


def _mean(runs: Sequence[PartTimes]) -> PartTimes:
    parts = {part for run in runs for part in run.by_part}
    means = {part: sum(run.by_part.get(part, 0.0) for run in runs) / len(runs) for part in parts}
    return PartTimes(means, sum(run.outside for run in runs) / len(runs), len(runs))
