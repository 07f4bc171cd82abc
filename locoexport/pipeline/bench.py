"""A graph against PyTorch or another graph, on this machine."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from locoexport.benchmarking.contenders import Contender, open_graph
from locoexport.benchmarking.distrust import Distrust
from locoexport.benchmarking.fresh_process import run_fresh
from locoexport.benchmarking.matrix_products import measure_gemm
from locoexport.benchmarking.report import (
    Agreement,
    BenchReport,
    Cell,
    FreshRun,
    GemmRate,
    Side,
    paired_ratios,
)
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.errors import ProviderUnavailableError, UsageError
from locoexport.machine.hardware import CpuWatch, measure_load, read_cpu
from locoexport.machine.installation import installed_version
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.contenders import (
    Size,
    check_opponents,
    choose_sizes,
    find_model,
    open_opponents,
    require,
    title_of,
)
from locoexport.pipeline.diagnosis.outlook import forecast_sentence, place_nodes
from locoexport.runtime.session.opening import choose_run
from locoexport.runtime.session.provider_options import RunChoice

__all__ = ["bench_model"]

_LEAST_RUNS = 10
_VERSIONS = ("numpy", "onnxruntime", "onnxruntime-gpu", "torch", "onnx")


@dataclass(frozen=True)
class _Setting:
    """What every step of one benchmark needs. ``contenders`` has the graph under test first."""

    path: Path
    choice: RunChoice
    contenders: tuple[Contender, ...]
    runs: int
    notify: Listener
    distrust: Distrust


def bench_model(
    model: str | Path | None = None,
    *,
    backbone: str | None = None,
    provider: str | None = None,
    frames: Sequence[int] | None = None,
    points: Sequence[int] | None = None,
    against: str | Sequence[str] | None = None,
    runs: int = _LEAST_RUNS,
    notify: Listener = ignore,
) -> BenchReport:
    """Time a graph over a grid of frames and points, turn by turn with other contenders.

    Args:
        model: a file with our inputs and outputs; without one the backbone's profile is exported
            into the cache folder, once the provider is known to be there.
        backbone: a profile's name (default b0); not together with ``model``.
        provider: the execution provider, on which there is no fallback; None is the file's own
            choice (``locoexport tune`` makes one), which falls back to the CPU, else the CPU.
        frames: how many frames, for every row of the grid (default 8 and 24).
        points: how many points, for every column (default 64 and 256).
        against: one or several of ``torch`` (eager), ``compile``, ``autocast`` (eager under
            bfloat16 autocast) and .onnx files, or ``none``; by default torch where it is installed
            and the file is ours.
        runs: timed runs of each side and size, at least 10.
        notify: is told of progress and of every reason to distrust the figures.

    Raises:
        ProviderUnavailableError: the provider does not work here; nothing was exported. Its message
            forecasts where the nodes of ``model`` would run.
        UsageError: a size, ``runs`` or ``against`` is wrong.
        ModelFileError, PackageMissingError, MachineError, OutputError: see each.
    """
    if runs < _LEAST_RUNS:
        raise UsageError(f"--runs is {runs}; percentiles need at least {_LEAST_RUNS}.")
    opponents = (against,) if isinstance(against, str) else tuple(against or ())
    check_opponents(opponents)
    if provider is not None:
        _require(provider, model)
    distrust = Distrust(notify)
    path = find_model(model, backbone, notify)
    notify(Notice("measuring the machine's load"))
    load = measure_load()
    distrust.about_load(load.busy_share, "before the benchmark")
    choice = choose_run(path, provider)
    if choice.warning:
        notify(Notice(choice.warning, warning=True))
    ours = open_graph(path, choice.provider, "ONNX Runtime", choice)
    sizes = choose_sizes(ours, frames, points)
    contenders = (ours, *open_opponents(ours, opponents, provider, distrust))
    setting = _Setting(path, choice, contenders, runs, notify, distrust)
    before = measure_gemm(choice.provider)
    cells = [_time(size, setting) for size in sizes]
    gemm = _compare_rates(before, measure_gemm(choice.provider), distrust)
    cells = _add_parts(_add_costs(cells, setting), setting)
    cells = [_add_memory(cell, setting) for cell in cells]
    notify(Notice("checking where the nodes run"))
    return BenchReport(
        model=path,
        title=title_of(ours),
        provider=choice.provider,
        chosen_by=choice.chosen_by,
        runs=runs,
        cells=tuple(cells),
        placement=place_nodes(path, choice.provider),
        gemm=gemm,
        cpu=read_cpu(),
        load=load,
        versions=_versions(),
        warnings=distrust.reasons,
    )


def _require(provider: str, model: str | Path | None) -> None:
    """As ``require``; where the provider is not here, with the forecast of the file for it."""
    try:
        require(provider)
    except ProviderUnavailableError as error:
        path = None if model is None else Path(model)
        raise ProviderUnavailableError(f"{error} {forecast_sentence(path, provider)}") from error


def _time(size: Size, setting: _Setting) -> Cell:
    """Settle every contender, then time them turn by turn."""
    contenders, notify, runs = setting.contenders, setting.notify, setting.runs
    for contender in contenders:
        probe = size.probe(contender.resolution_hw)
        contender.prepare(probe.video, probe.query_points_tyx)
        notify(Notice(f"warming up {contender.name} at {size}"))
        settle(contender)
    watch = CpuWatch()
    seconds = take_turns(
        contenders, runs, progress=lambda done: notify(Notice(f"timing {size}", done, runs))
    )
    others = watch.share_of_others()
    cell = Cell(
        frames=size.frames,
        points=size.points,
        sides=tuple(
            Side(
                name=contender.name,
                threads=contender.threads,
                seconds=tuple(taken),
                point_frames_per_second=size.frames * size.points / float(np.median(taken)),
                transfers=contender.transfers(),
                ratio=None if contender is contenders[0] else paired_ratios(seconds[0], taken),
                agreement=_agreement(contenders[0], contender),
            )
            for contender, taken in zip(contenders, seconds, strict=True)
        ),
        others_share=others,
    )
    setting.distrust.about_cell(cell)
    return cell


def _agreement(ours: Contender, theirs: Contender) -> Agreement | None:
    """Whether both computed the same thing; None of one with itself, and at other resolutions."""
    if theirs is ours or theirs.resolution_hw != ours.resolution_hw:
        return None
    apart = np.linalg.norm(ours.outputs().tracks_xy - theirs.outputs().tracks_xy, axis=-1)
    return Agreement(float(np.median(apart)), float(apart.max()))


def _compare_rates(
    before: tuple[float, str] | None, after: tuple[float, str] | None, distrust: Distrust
) -> GemmRate | None:
    if before is None or after is None:
        distrust.add("The rate of matrix products cannot be measured on this provider.")
        return None
    rate = GemmRate(before[0], after[0], max(before, after)[1])
    distrust.about_rate(rate)
    return rate


def _add_costs(cells: list[Cell], setting: _Setting) -> list[Cell]:
    """FLOPs of the graph under test at every size, where onnx is there to read it."""
    if importlib.util.find_spec("onnx") is None:
        setting.distrust.add(
            "onnx is not installed, so neither FLOPs nor time by part are reported."
        )
        return cells
    from locoexport.graphs.reading import read_model
    from locoexport.inspection.facts import measure_costs
    from locoexport.inspection.shapes import dynamic_axes

    model = read_model(setting.path)
    open_axes = dynamic_axes(model)
    costed = []
    for cell in cells:
        sizes = {"batch": 1, "frames": cell.frames, "points": cell.points}
        sizes |= dict(zip(("height", "width"), setting.contenders[0].resolution_hw, strict=True))
        bound = {name: size for name, size in sizes.items() if name in open_axes}
        flops = measure_costs(model, bound).flops
        missing = len(flops.unresolved) + sum(flops.not_counted.values())
        if missing:
            setting.distrust.add(
                f"{missing} products of the graph have unknown sizes, so its share of the matrix "
                "product rate is not reported (see `locoexport inspect`)."
            )
        total = None if missing else flops.total
        costed.append(replace(cell, flops=total, flops_by_part=dict(flops.by_part)))
    return costed


def _add_parts(cells: list[Cell], setting: _Setting) -> list[Cell]:
    """Time by part of the graph under test at every size."""
    if importlib.util.find_spec("onnx") is None:
        return cells
    if setting.choice.provider != "cpu":
        setting.distrust.add(
            "Time by part is reported on the CPU only: on other providers ONNX Runtime's profile "
            "records the time to launch a kernel, not the time to run it."
        )
        return cells
    from locoexport.benchmarking.profiling import profile_parts

    setting.notify(Notice("profiling a separate session for the time by part"))
    resolution_hw = setting.contenders[0].resolution_hw
    probes = (Size(cell.frames, cell.points).probe(resolution_hw) for cell in cells)
    times = profile_parts(setting.path, probes, threads=setting.choice.threads)
    return [replace(cell, parts=parts) for cell, parts in zip(cells, times, strict=True)]


def _add_memory(cell: Cell, setting: _Setting) -> Cell:
    """Peak memory and load time of every side, in processes of their own, one after another."""
    setting.notify(Notice(f"memory and load time at {cell.label}, in new processes"))
    sides = []
    for side, contender in zip(cell.sides, setting.contenders, strict=True):
        task = contender.fresh_task(cell.frames, cell.points)
        found = None if task is None else run_fresh(task)
        if isinstance(found, str):
            setting.distrust.add(
                f"Memory of {side.name} at {cell.label} is unknown: {found}", kind="memory"
            )
        sides.append(replace(side, fresh=found if isinstance(found, FreshRun) else None))
    return replace(cell, sides=tuple(sides))


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in _VERSIONS}
    versions = {name: version for name, version in found.items() if version is not None}
    return {"python": platform.python_version(), **versions}
