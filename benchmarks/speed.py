"""How fast the exported graph is, in turn with PyTorch and with a plain export.

    make bench                                     everything (about an hour on two idle cores)
    python benchmarks/speed.py --variants b0-wide  one variant; the others' rows stay as they were
    python benchmarks/speed.py --variants b0-wide --within b0-wide=tuned.onnx@openvino

Contenders take turns in one process: the unrewritten model in PyTorch eager (the oracle), the plain
graph (``--sampling planar``, every rewrite off that may be), the default graph, the model in
PyTorch under bfloat16 autocast, and the files of ``--within``. torch.compile joins them at 24 x 64
for the variants of ``--compile`` (compiling one size takes minutes). How far each is from eager is
measured as well: a file counts as within 0.5 px where its 99th percentile is. Memory is that of
processes of their own. ``share`` is work over time as a part of the machine's rate of fp32
matrix products, measured before and after. Work is what the PLAIN graph's convolutions and products
need (two operations to a multiply-add, taps on padding included), the same for all three, so that
leaving work out counts as speed. Results go to docs/speed.json, docs/speed.md, docs/speed.png and
the table in README.md, unless other processes took part of the machine: then they are kept in a
scratch file, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from locoexport.benchmarking.contenders import Contender, open_graph
from locoexport.benchmarking.fresh_process import FreshTask, run_fresh
from locoexport.benchmarking.matrix_products import measure_gemm
from locoexport.benchmarking.profiling import profile_parts
from locoexport.benchmarking.report import FreshRun, paired_ratios, spread
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.benchmarking.torch_model import TorchMode, TorchModel
from locoexport.contract.profile import load_profile
from locoexport.graphs.reading import read_model
from locoexport.inspection.facts import measure_costs
from locoexport.machine.hardware import CpuWatch, measure_load, read_cpu
from locoexport.network.loading import load_network
from locoexport.parity.probes import make_probe
from locoexport.pipeline.export import export_model
from locoexport.rewrites import GRAPH_PASSES, REWRITES

sys.path.insert(0, str(Path(__file__).parent))
from quiet_machine import require_quiet
from speed_pages import write_pages
from speed_sides import (
    COMPILED_AT,
    ProvenFile,
    compile_model,
    measure_errors,
    open_proven,
    proven_file,
)

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "speed.json"
VARIANTS = ("b0-tiny", "b0", "b0-wide", "b2", "b5", "resnet-small")
SIZES = ((8, 64), (24, 64), (24, 256))
SCALED = "b0-wide"
SCALES = (
    *((frames, 64) for frames in (8, 16, 32, 64, 100)),
    *((24, points) for points in (16, 64, 256, 1024)),
    (100, 1024),
)
COMPILED = ("b0-wide", "b5")
SECONDS_A_CELL, FEWEST_ROUNDS, MOST_ROUNDS = 80.0, 3, 10
PARTS_AT = (24, 64)


def main() -> None:
    """Measure what was asked for and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--no-scaling", action="store_true")
    parser.add_argument("--sizes", default=",".join(f"{t}x{n}" for t, n in SIZES))
    parser.add_argument("--compile", default=",".join(COMPILED), help="variants for torch.compile")
    parser.add_argument(
        "--within",
        action="append",
        default=[],
        metavar="VARIANT=FILE[@PROVIDER]",
        help="a file that is to be within 0.5 px, in turn with the rest; may be repeated",
    )
    parser.add_argument(
        "--pages", action="store_true", help="write the pages again, measure nothing"
    )
    options = parser.parse_args()
    document = read_results()
    if not options.pages:
        rate = measure_gemm("cpu")
        assert rate is not None
        document["cpu"] = asdict(read_cpu())
        document["busy_before"] = measure_load().busy_share
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            # Else an earlier run's work is used again, and compiling seems to take no time.
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{folder}/compiled"
            sizes = [tuple(map(int, size.split("x"))) for size in options.sizes.split(",")]
            for variant in filter(None, options.variants.split(",")):
                entrants = Entrants(
                    compiled=variant in options.compile.split(","),
                    proven=[f for text in options.within if (f := proven_file(text, variant))],
                )
                rows = measure_variant(variant, sizes, entrants, Path(folder))
                document["variants"] = in_order(document.get("variants", {}) | {variant: rows})
            if not options.no_scaling:
                document["scaling"] = {"variant": SCALED, "rows": measure_scaling(Path(folder))}
        after = measure_gemm("cpu")
        assert after is not None
        document["gemm_flops"] = {"before": rate[0], "after": after[0], "by": rate[1]}
        require_quiet(shares_of_others(document), document, "speed")
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    write_pages(document, ROOT)


def in_order(variants: dict[str, Any]) -> dict[str, Any]:
    """By ``VARIANTS``; others, that were asked for by name, after these."""
    places = {variant: place for place, variant in enumerate(VARIANTS)}
    return dict(sorted(variants.items(), key=lambda item: places.get(item[0], len(places))))


def shares_of_others(document: dict[str, Any]) -> dict[str, float]:
    """What other processes took, before the benchmark and at most during it."""
    cells = [cell for measured in document["variants"].values() for cell in measured["cells"]]
    during = max((cell["others_share"] for cell in cells), default=0.0)
    return {"before the benchmark": document["busy_before"], "during it": during}


def read_results() -> dict[str, Any]:
    """What was measured before; empty where nothing was."""
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Entrants:
    """Who takes part beside eager, plain, default and autocast."""

    compiled: bool
    proven: Sequence[ProvenFile]


def measure_variant(
    variant: str, sizes: Sequence[tuple[int, ...]], entrants: Entrants, folder: Path
) -> dict[str, Any]:
    """Every size of one variant: seconds of every run, ratios, memory, errors, time by part."""
    profile = load_profile(variant)
    plain_path, path = folder / f"{variant}.plain.onnx", folder / f"{variant}.onnx"
    off = tuple(rewrite.name for rewrite in REWRITES if not rewrite.required)
    off += tuple(graph_pass.name for graph_pass in GRAPH_PASSES)
    say(f"{variant}: exporting")
    export_model(profile.with_options(sampling="planar", without=off), plain_path, verify=False)
    export_model(profile, path, verify=False)
    model = load_network(profile, None).model

    def in_torch(mode: TorchMode) -> TorchModel:
        return TorchModel(model, profile.variant, mode=mode, device="cpu")

    eager, plain, default = (
        in_torch("eager"),
        open_graph(plain_path, "cpu", "plain graph"),
        open_graph(path, "cpu", "default graph"),
    )
    others = [in_torch("autocast"), *(open_proven(found) for found in entrants.proven)]
    compiled = None
    if entrants.compiled and COMPILED_AT in sizes:
        say(f"{variant}: torch.compile")
        compiled = compile_model(in_torch("compile"))
        say(f"  {compiled.failed or f'took {compiled.seconds:.0f} s'}")
    slow = [compiled.side] if compiled is not None and compiled.side is not None else []
    cells = []
    for frames, points in sizes:
        joining = slow if (frames, points) == COMPILED_AT else []
        contenders: list[Contender] = [eager, plain, default, *others, *joining]
        cell = time_cell(contenders, frames, points)
        bound = {"batch": 1, "frames": frames, "points": points}
        cell["work_flops"] = measure_costs(read_model(plain_path), bound).flops.total
        cell["own_flops"] = measure_costs(read_model(path), bound).flops.total
        tasks = (side.fresh_task(frames, points) for side in contenders)
        cell["peak_bytes"] = [None if task is None else memory(task) for task in tasks]
        cells.append(cell)
    say(f"{variant}: errors")
    return {
        "cells": cells,
        "errors": measure_errors([eager, default, *others, *slow], profile.working_hw),
        "compile": None if compiled is None else compiled.record(),
        "parts_seconds": seconds_by_part(path, profile.resolution_hw),
        "parts_flops": flops_by_part(path),
    }


def seconds_by_part(path: Path, resolution_hw: tuple[int, int]) -> dict[str, float]:
    """What a profiled run of the default graph takes by part, at ``PARTS_AT``."""
    frames, points = PARTS_AT
    probe = make_probe(
        "textured", batch=1, frames=frames, points=points, size_hw=resolution_hw, seed=0
    )
    (times,) = profile_parts(path, [probe])
    parts: dict[str, float] = {"outside kernels": times.outside}
    for part, seconds in times.by_part.items():
        parts[part.name] = parts.get(part.name, 0.0) + seconds
    return parts


def flops_by_part(path: Path) -> dict[str, int]:
    """What the default graph's own products need by part, at ``PARTS_AT``."""
    bound = dict(zip(("batch", "frames", "points"), (1, *PARTS_AT), strict=True))
    parts: dict[str, int] = {}
    for part, flops in measure_costs(read_model(path), bound).flops.by_part.items():
        parts[part.name] = parts.get(part.name, 0) + flops
    return parts


def time_cell(contenders: Sequence[Contender], frames: int, points: int) -> dict[str, Any]:
    """One size: all contenders in turn, the first three eager, plain and default."""
    for contender in contenders:
        probe = make_probe(
            "textured",
            batch=1,
            frames=frames,
            points=points,
            size_hw=contender.resolution_hw,
            seed=0,
        )
        contender.prepare(probe.video, probe.query_points_tyx)
        settle(contender)
    started = time.perf_counter()
    for contender in contenders:
        contender.run()
    once = time.perf_counter() - started
    rounds = int(min(max(SECONDS_A_CELL / once, FEWEST_ROUNDS), MOST_ROUNDS))
    watch = CpuWatch()
    seconds = take_turns(contenders, rounds, progress=lambda done: None)
    tracks = [contender.outputs().tracks_xy for contender in contenders]
    cell = {
        "frames": frames,
        "points": points,
        "names": [contender.name for contender in contenders],
        "seconds": seconds,
        "medians": [float(np.median(taken)) for taken in seconds],
        "others_share": watch.share_of_others(),
        "apart_px": [float(np.median(np.abs(found - tracks[0]))) for found in tracks],
    }
    cell["eager_over_default"] = asdict(paired_ratios(seconds[2], seconds[0]))
    cell["plain_over_default"] = asdict(paired_ratios(seconds[2], seconds[1]))
    say(f"  {frames} x {points}: " + ", ".join(f"{m * 1e3:.0f} ms" for m in cell["medians"]))
    return cell


def measure_scaling(folder: Path) -> list[dict[str, Any]]:
    """The default graph alone, at more frames and points, with its memory."""
    profile = load_profile(SCALED)
    path = folder / f"{SCALED}.scaled.onnx"
    export_model(profile, path, verify=False)
    timed = [time_scale(path, frames, points) for frames, points in SCALES]
    rows = []
    # Afterwards: a graph that has run 100 x 1024 keeps 13 GB, and the new process needs its own.
    for (frames, points), seconds in zip(SCALES, timed, strict=True):
        task = FreshTask(frames, points, profile.resolution_hw, graph=str(path))
        latency = asdict(spread(seconds))
        rows.append(
            {"frames": frames, "points": points, "latency_s": latency, "peak_bytes": memory(task)}
        )
    return rows


def time_scale(path: Path, frames: int, points: int) -> tuple[float, ...]:
    """Seconds of some runs at one size, in a session that ends with it."""
    graph = open_graph(path, "cpu", "default graph")
    probe = make_probe(
        "textured", batch=1, frames=frames, points=points, size_hw=graph.resolution_hw, seed=0
    )
    graph.prepare(probe.video, probe.query_points_tyx)
    graph.run()
    rounds = 2 if frames * points > 24 * 1024 else 5
    (seconds,) = take_turns((graph,), rounds, progress=lambda done: None)
    say(f"  scaling {frames} x {points}: {np.median(seconds) * 1e3:.0f} ms")
    return tuple(seconds)


def memory(task: FreshTask) -> int | None:
    """Peak resident bytes of a new process; None, and said, where it could not be measured."""
    found = run_fresh(task)
    if isinstance(found, FreshRun):
        return found.peak_bytes
    say(f"  memory at {task.frames} x {task.points} is unknown: {found}")
    return None


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
