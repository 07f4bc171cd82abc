"""Time and peak memory of volumetric sampling in ONNX Runtime's CPU provider, four ways.

    python benchmarks/volumetric_sampling.py [--channels 4] [--threads 1] [--json FILE] [--docs]
    python benchmarks/volumetric_sampling.py --smallest     # a trial: 8³ and 100 points, seconds
    python benchmarks/volumetric_sampling.py --real-sizes [--before REVISION] [--docs]

``--docs`` writes the table and what it was measured on into docs/volumetric-sampling.md, between
its two marks. All of it takes 6 to 12 minutes and 11 GB on two idle cores. With ``--real-sizes``
it is the other table, of the sizes of published models (real_sizes.py), and no more than that;
``--before`` adds ``gather`` as a git revision made it (fcb34a1: an index for each channel).

- ``native``: GridSample of rank 5, opset 20
- ``gather``, ``planar``: what ``locoexport rewrite`` makes of it
- ``columns``: the recipe that circulates (every column of the last axis sampled, its lerp mended)

Linear, border padding, align_corners=0, batch 1, float32, uniform points. Each measurement is a
process of its own: ``ms`` is the median of runs after one to warm up, ``MB`` what the resident set
rose by at its peak during the runs, over what it was with the session made and the inputs there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import locoexport  # it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnx
import onnxruntime
from marked_pages import write_between
from quiet_machine import require_quiet
from real_sizes import measure_real_sizes, real_table, short, tree_of
from sampling_cell import resident

from locoexport.machine.hardware import (
    BUSY_SHARE,
    CpuWatch,
    measure_load,
    read_cpu,
    running_reduced,
)

DOCS = Path(__file__).parents[1] / "docs" / "volumetric-sampling.md"
BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"
REAL_BEGIN, REAL_END = "<!-- real sizes: begin -->", "<!-- real sizes: end -->"
WAYS = ("native", "gather", "planar", "columns")
SIDES = (8, 16, 32, 64, 128)
POINTS = (10**2, 10**3, 10**4, 10**5, 10**6)
MOST_BYTES = 8e9
SECONDS_WANTED, MOST_RUNS = 1.0, 9


def main() -> None:
    """Measure everything, or with ``--measure`` one thing in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true", help=f"put the table into {DOCS.name}")
    parser.add_argument("--smallest", action="store_true", help="the smallest sizes alone")
    parser.add_argument("--real-sizes", action="store_true", help="the sizes of published models")
    parser.add_argument("--before", metavar="REVISION", help="gather of this revision as well")
    parser.add_argument("--measure", nargs=3, metavar=("MODEL", "SIDE", "POINTS"))
    options = parser.parse_args()
    if options.measure:
        model, side, count = options.measure
        result = measure(model, options.channels, int(side), int(count), options.threads)
        print(json.dumps(result))
        return
    if options.smallest and options.docs:
        parser.error("--docs wants every size")
    if options.before and not options.real_sizes:
        parser.error("--before goes with --real-sizes")
    if options.real_sizes:
        run_real_sizes(options)
        return
    sides, points = (SIDES[:1], POINTS[:1]) if options.smallest else (SIDES, POINTS)
    before = measure_load().busy_share
    watch = CpuWatch()
    rows = measure_all(options.channels, options.threads, sides, points)
    during = watch.share_of_others()
    sizes = f"C={options.channels}, N=1, fp32, linear, border"
    conditions = describe(sizes, options.threads, before, during)
    print(f"\n{conditions}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        shares = {"before the benchmark": before, "during it": during}
        require_quiet(shares, rows, "volumetric-sampling")
        write_docs(rows, conditions)


def run_real_sizes(options: argparse.Namespace) -> None:
    """The table of real sizes: printed, and published if asked on a quiet machine."""
    before = measure_load().busy_share
    watch = CpuWatch()
    with tree_of(options.before) as tree:
        rows = measure_real_sizes(options.threads, tree, options.smallest)
    during = watch.share_of_others()
    conditions = describe("fp32, linear", options.threads, before, during)
    print(f"\n{conditions}")
    figures = [asdict(row) for row in rows]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.docs:
        shares = {"before the benchmark": before, "during it": during}
        require_quiet(shares, figures, "volumetric-sampling-real-sizes")
        write_between(DOCS, REAL_BEGIN, REAL_END, "\n".join((conditions, "", *real_table(rows))))


def describe(sizes: str, threads: int, before: float, during: float) -> str:
    """What the figures were taken on, and whether they can be trusted."""
    text = (
        f"ONNX Runtime {onnxruntime.__version__}, CPU ({read_cpu().model}), {sizes}, "
        f"align_corners 0, {threads} thread{'s' if threads > 1 else ''}, "
        "each cell in a separate process. Cells show median ms \\| peak MB above the start. Other "
        f"processes took {before:.0%} of the machine before the run and {during:.0%} during it"
    )
    if max(before, during) > BUSY_SHARE or running_reduced():
        return f"{text}: **times cannot be trusted, memory can.**"
    return f"{text}."


def write_docs(rows: list[dict[str, object]], conditions: str) -> None:
    """Exchange what stands between the marks of docs/volumetric-sampling.md."""
    cells = {(row["side"], row["points"], row["way"]): row for row in rows}
    lines = ["| volume | points | native 5D | gather | planar | every column |"]
    lines.append("|---|---|---|---|---|---|")
    for side in SIDES:
        for points in POINTS:
            found = [cells[side, points, way] for way in WAYS]
            told = " | ".join(rf"{short(cell['ms'])} \| {short(cell['mb'])}" for cell in found)
            lines.append(f"| {side}³ | {_power(points)} | {told} |")
    write_between(DOCS, BEGIN, END, "\n".join((conditions, "", *lines)))


def _power(points: int) -> str:
    return "10" + "⁰¹²³⁴⁵⁶"[round(np.log10(points))]


def measure_all(
    channels: int, threads: int, sides: tuple[int, ...], counts: tuple[int, ...]
) -> list[dict[str, object]]:
    """Every volume, number of points and way; prints the table as it grows."""
    header = " | ".join(f"{way} ms | MB" for way in WAYS)
    print(f"| volume | points | {header} |\n|---|---|" + "---|---|" * len(WAYS))
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            for points in counts:
                cells = []
                for way in WAYS:
                    found = measure_apart(Path(folder), way, channels, side, points, threads)
                    rows.append({"way": way, "side": side, "points": points, **found})
                    cells += [short(found["ms"]), short(found["mb"])]
                print(f"| {side}³ | {points:,} | " + " | ".join(cells) + " |", flush=True)
    return rows


def measure_apart(
    folder: Path, way: str, channels: int, side: int, points: int, threads: int
) -> dict[str, float | None]:
    """In a process of its own, unless it would take more memory than is sensible."""
    slices = side if way in ("planar", "columns") else 8
    if 4.0 * slices * points * (channels + 2) * 2 > MOST_BYTES:
        return {"ms": None, "mb": None}
    path = folder / f"{way}_{side}_{points}.onnx"
    onnx.save(build(way, channels, side, points), path)
    command = [sys.executable, __file__, "--channels", str(channels), "--threads", str(threads)]
    command += ["--measure", str(path), str(side), str(points)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(
    path: str, channels: int, side: int, points: int, threads: int
) -> dict[str, float | None]:
    """Median milliseconds of a run and the peak of memory above the start, in MB."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    inputs = {
        "volume": random.standard_normal((1, channels, side, side, side), dtype=np.float32),
        "grid": random.uniform(-1.1, 1.1, (1, points, 1, 1, 3)).astype(np.float32),
    }
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    session.run(None, inputs)
    times: list[float] = []
    while len(times) < MOST_RUNS and (len(times) < 3 or sum(times) < SECONDS_WANTED):
        started = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - started)
    return {"ms": 1e3 * statistics.median(times), "mb": (resident("VmHWM") - before) / 1e3}


def build(way: str, channels: int, side: int, points: int) -> onnx.ModelProto:
    """The graph of one way at static sizes."""
    if way == "columns":
        return _columns(channels, side, points)
    native = _native(channels, side, points)
    if way == "native":
        return native
    return locoexport.rewrite(native, to=way, check=False).model


def _native(channels: int, side: int, points: int) -> onnx.ModelProto:
    make, float32 = onnx.helper, onnx.TensorProto.FLOAT
    node = make.make_node("GridSample", ["volume", "grid"], ["sampled"], padding_mode="border")
    graph = make.make_graph(
        [node],
        "native",
        [
            make.make_tensor_value_info("volume", float32, [1, channels, side, side, side]),
            make.make_tensor_value_info("grid", float32, [1, points, 1, 1, 3]),
        ],
        [make.make_tensor_value_info("sampled", float32, [1, channels, points, 1, 1])],
    )
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 20)], ir_version=10)


def _columns(channels: int, side: int, points: int) -> onnx.ModelProto:
    """The recipe, exported by torch at static sizes."""
    import torch
    import torch.nn.functional as F

    class Columns(torch.nn.Module):
        def forward(self, volume: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
            images = volume.permute(0, 4, 1, 2, 3).reshape(side, channels, side, side)
            plane = grid[:, :, 0, :, 1:].expand(-1, -1, side, -1)  # (1, P, W, 2) as (y, z)
            plane = plane.permute(0, 2, 1, 3).reshape(side, points, 1, 2)
            sampled = F.grid_sample(
                images, plane, mode="bilinear", padding_mode="border", align_corners=False
            )
            columns = sampled.reshape(1, side, channels, points).permute(0, 2, 3, 1)
            x = (((grid[:, :, 0, 0, 0] + 1) * side - 1) / 2).clamp(0, side - 1)
            first = x.floor().long().clamp(0, side - 2)
            index = first.view(1, 1, points, 1).expand(-1, channels, -1, -1)
            before = columns.gather(3, index).squeeze(3)
            after = columns.gather(3, index + 1).squeeze(3)
            weight = (x - first).view(1, 1, points)
            return (1 - weight) * before + weight * after

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "columns.onnx"
        example = (torch.zeros(1, channels, side, side, side), torch.zeros(1, points, 1, 1, 3))
        torch.onnx.export(
            Columns(),
            example,
            str(path),
            opset_version=20,
            dynamo=False,
            input_names=["volume", "grid"],
            output_names=["sampled"],
        )
        return onnx.load(path)


if __name__ == "__main__":
    main()
