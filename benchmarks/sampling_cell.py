"""One cell of the table of real sizes, in a process of its own: build its model, or measure it.

    python benchmarks/sampling_cell.py build CELL MODEL TREE   # TREE is where locoexport must lie
    python benchmarks/sampling_cell.py measure CELL MODEL THREADS

CELL is JSON. Only locoexport's public functions are used, so that an older tree can build.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import locoexport  # it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnx
import onnxruntime

__all__ = ["Cell", "build", "resident"]

SECONDS_WANTED, MOST_RUNS = 1.0, 9
SLOW, SLOWEST = 3.0, 8.0
"""Seconds of a first run from which one more is enough, and from which it is itself the figure."""


@dataclass(frozen=True)
class Cell:
    """A sampling of ``volume`` (N, C, D, H, W) at ``grid`` (N, D', H', W', 3), float32, linear."""

    way: str
    volume: tuple[int, ...]
    grid: tuple[int, ...]
    padding: str


def build(cell: Cell) -> onnx.ModelProto:
    """The native model (opset 20), or what this process's locoexport makes of it."""
    make, float32 = onnx.helper, onnx.TensorProto.FLOAT
    node = make.make_node("GridSample", ["volume", "grid"], ["sampled"], padding_mode=cell.padding)
    sampled = (*cell.volume[:2], *cell.grid[1:4])
    graph = make.make_graph(
        [node],
        "native",
        [
            make.make_tensor_value_info("volume", float32, cell.volume),
            make.make_tensor_value_info("grid", float32, cell.grid),
        ],
        [make.make_tensor_value_info("sampled", float32, sampled)],
    )
    native = make.make_model(graph, opset_imports=[make.make_opsetid("", 20)], ir_version=10)
    if cell.way == "native":
        return native
    return locoexport.rewrite(native, to=cell.way, check=False).model


def measure(cell: Cell, path: str, threads: int) -> dict[str, float]:
    """Median milliseconds, the peak of the first run above the start in MB, and the runs timed."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    inputs = {
        "volume": random.standard_normal(cell.volume, dtype=np.float32),
        "grid": random.random(cell.grid, dtype=np.float32) * np.float32(2.2) - np.float32(1.1),
    }
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    first = _timed(session, inputs)
    peak = resident("VmHWM") - before
    times: list[float] = [first] if first > SLOWEST else []
    fewest = 1 if first > SLOW else 3
    while len(times) < fewest or (
        first <= SLOW and len(times) < MOST_RUNS and sum(times) < SECONDS_WANTED
    ):
        times.append(_timed(session, inputs))
    return {"ms": 1e3 * statistics.median(times), "mb": peak / 1e3, "runs": len(times)}


def _timed(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> float:
    started = time.perf_counter()
    session.run(None, inputs)
    return time.perf_counter() - started


def resident(field: str) -> float:
    """KiB, from /proc: this runs on Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return float(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def main() -> None:
    """Build or measure, as the first argument says."""
    task, text, path, last = sys.argv[1:]
    told = json.loads(text)
    cell = Cell(told["way"], tuple(told["volume"]), tuple(told["grid"]), told["padding"])
    if task == "measure":
        print(json.dumps(measure(cell, path, int(last))))
        return
    if Path(last) not in Path(locoexport.__file__).parents:
        raise SystemExit(f"locoexport came from {locoexport.__file__}, not from {last}")
    onnx.save(build(cell), path)


if __name__ == "__main__":
    main()
