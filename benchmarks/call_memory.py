"""What one call of a model takes of memory: the table of docs/long-videos.md, by the code as it is.

``python benchmarks/call_memory.py [--model FILE] [--write]``. Each call is in a process of its own.
The figures do not depend on the machine's load, but on its processor: ONNX Runtime pads the
channels of convolutions to 8 or to 16 by what it can compute at once. Some minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from marked_pages import write_between

from locoexport.contract.shipped_model import shipped_model_path
from locoexport.machine.hardware import (
    peak_memory,
    process_memory,
    read_cpu,
    reset_peak_memory,
)
from locoexport.notices import counted
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.tracking.budget import MemoryModel, measure_memory

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- call memory: begin (benchmarks/call_memory.py --write) -->"
END = "<!-- call memory: end -->"
POINTS = (1, 64, 128, 256, 512, 1024)
CELLS = (
    *((8, points) for points in POINTS),
    *((24, points) for points in (1, 64, 128, 256, 512)),
    *((48, points) for points in (1, 64, 128, 256)),
)
MB = 1e6


def main() -> None:
    """Measure, print, and write where asked; with ``--cell`` be the process of one call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--cell", type=int, nargs=2, metavar=("FRAMES", "POINTS"))
    asked = parser.parse_args()
    model = asked.model or shipped_model_path()
    if asked.cell:
        sys.stdout.write(f"{call_bytes(model, *asked.cell)}\n")
        return
    taken = {cell: in_fresh_process(model, *cell) for cell in CELLS}
    with_plan = measure_memory(open_model(model, cached=True))
    text = page_part(taken, with_plan, f"{model.stem}; {read_cpu().model}")
    sys.stdout.write(text)
    if asked.write:
        write_between(ROOT / "docs" / "long-videos.md", BEGIN, END, text)


def in_fresh_process(model: Path, frames: int, points: int) -> int:
    """``call_bytes`` in a process that ran nothing before."""
    command = [sys.executable, __file__, "--model", model, "--cell", frames, points]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    sys.stderr.write(f"{frames} x {points}: {int(done.stdout) / MB:.0f} MB\n")
    return int(done.stdout)


def call_bytes(path: Path, frames: int, points: int) -> int:
    """The peak of one call on noise, above what the process held before it."""
    model = open_model(path, cached=True)
    rng = np.random.default_rng(0)
    video = rng.random((1, frames, *model.resolution_hw, 3), np.float32) * 2 - 1
    queries = rng.random((1, points, 3)) * (0, *model.resolution_hw)
    reset_peak_memory()
    before = process_memory()
    model.run(video, queries.astype(np.float32), release_memory=True)
    return peak_memory() - before


def page_part(taken: dict[tuple[int, int], int], need: MemoryModel, machine: str) -> str:
    """The table, the plan's three numbers, and the worst that a call exceeds them by."""
    frames = sorted({cell[0] for cell in taken})
    lines = [
        f"{machine}. MB; empty cells were not measured.\n",
        "| frames | " + " | ".join(counted(points, "point") for points in POINTS) + " |",
        "| --- |" + " --- |" * len(POINTS),
    ]
    for count in frames:
        cells = (taken.get((count, points)) for points in POINTS)
        shown = ("" if cell is None else f"{cell / MB:.0f}" for cell in cells)
        lines.append(f"| {count} | {' | '.join(shown)} |")
    ratio, worst = max(
        (size / (cell[0] * max(need.frame, need.refine + need.point * cell[1])), cell)
        for cell, size in taken.items()
    )
    lines.append(
        f"\nThree short calls give a = {need.frame / MB:.1f} MB, c = {need.refine / MB:.1f} MB and "
        f"b = {need.point / MB:.2f} MB.\nThe call that exceeds T · max(a, c + b·N) most takes "
        f"{ratio:.2f} times that ({worst[0]} frames, {worst[1]} points)."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
