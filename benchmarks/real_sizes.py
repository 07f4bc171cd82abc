"""Volumetric sampling at the sizes of published models: rows and table of ``--real-sizes``.

Called by volumetric_sampling.py. Each cell is measured in a process of its own (sampling_cell.py).
The column "before" is ``gather`` as another revision makes it, from a temporary worktree.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
from sampling_cell import Cell, build

__all__ = ["RealRow", "measure_real_sizes", "real_table", "short", "tree_of"]

ROOT = Path(__file__).parents[1]
CELL_SCRIPT = Path(__file__).with_name("sampling_cell.py")
WAYS = ("native", "gather", "planar")
BEFORE = "before"
MOST_BYTES = 8e9


@dataclass(frozen=True)
class RealSize:
    """Where the sizes come from, and the sizes."""

    name: str
    volume: tuple[int, ...]
    grid: tuple[int, ...]
    padding: str


SIZES = (
    RealSize("pnnx", (4, 64, 8, 40, 60), (4, 7, 512, 128, 3), "zeros"),
    RealSize("pnnx", (4, 64, 8, 40, 60), (4, 7, 512, 128, 3), "border"),
    RealSize("LivePortrait", (1, 32, 16, 64, 64), (1, 16, 64, 64, 3), "zeros"),
    RealSize("VoxelMorph", (1, 1, 160, 192, 224), (1, 160, 192, 224, 3), "zeros"),
    RealSize("VoxelMorph, half", (2, 3, 80, 96, 112), (2, 80, 96, 112, 3), "zeros"),
    RealSize("10⁵ points", (2, 16, 32, 64, 64), (2, 10**5, 1, 1, 3), "border"),
    RealSize("batch of 8", (8, 3, 32, 32, 32), (8, 32, 32, 32, 3), "border"),
)


@dataclass(frozen=True)
class RealRow:
    """One cell's figures; None where it was not measured."""

    name: str
    cell: Cell
    ms: float | None
    mb: float | None
    runs: int


@contextlib.contextmanager
def tree_of(revision: str | None) -> Iterator[Path | None]:
    """A temporary worktree of the revision; None for none."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        added = subprocess.run([*git, "add", "-q", "--detach", str(tree), revision], check=False)
        if added.returncode:
            raise SystemExit(f"git could not make a worktree of {revision}: is it a revision here?")
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def measure_real_sizes(threads: int, before: Path | None, smallest: bool) -> list[RealRow]:
    """Every size and way, the ways side by side; prints each row as it is done."""
    ways = (*WAYS, BEFORE) if before else WAYS
    rows: list[RealRow] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES[-1:] if smallest else SIZES:
            path = Path(folder) / "cell.onnx"
            for way in ways:
                cell = Cell(way, size.volume, size.grid, size.padding)
                rows.append(_measure_apart(size.name, cell, path, threads, before))
            print(_line(rows[-len(ways) :]), flush=True)
    return rows


def real_table(rows: list[RealRow]) -> list[str]:
    """The lines of the table, a size each."""
    ways = list(dict.fromkeys(row.cell.way for row in rows))
    titles = {"native": "native 5D", BEFORE: "gather before"}
    named = " | ".join(titles.get(way, way) for way in ways)
    lines = [f"| sizes of | volume | grid | padding | {named} |", "|---" * (4 + len(ways)) + "|"]
    return lines + [_line(rows[at : at + len(ways)]) for at in range(0, len(rows), len(ways))]


def _measure_apart(name: str, cell: Cell, path: Path, threads: int, before: Path | None) -> RealRow:
    """Built and measured in other processes, unless it would take more memory than is sensible."""
    batch, channels, *lengths = cell.volume
    slices = min(lengths) if cell.way == "planar" else 0
    points = batch * math.prod(cell.grid[1:4])
    if 4.0 * slices * points * (channels + 2) * 2 > MOST_BYTES:
        return RealRow(name, cell, None, None, 0)
    if cell.way == BEFORE:
        _build_before(cell, path, before)
    else:
        onnx.save(build(cell), path)
    command = [sys.executable, str(CELL_SCRIPT), "measure", json.dumps(asdict(cell)), str(path)]
    done = subprocess.run([*command, str(threads)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return RealRow(name, cell, found["ms"], found["mb"], found["runs"])


def _build_before(cell: Cell, path: Path, tree: Path | None) -> None:
    """``gather`` by the other tree, which PYTHONPATH puts before the installed one."""
    told = json.dumps({**asdict(cell), "way": "gather"})
    command = [sys.executable, str(CELL_SCRIPT), "build", told, str(path), str(tree)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(tree)})


def _line(rows: list[RealRow]) -> str:
    cell = rows[0].cell
    told = " | ".join(rf"{short(row.ms)} \| {short(row.mb)}" for row in rows)
    return f"| {rows[0].name} | {cell.volume} | {cell.grid} | {cell.padding} | {told} |"


def short(value: float | None) -> str:
    """Three digits, or whole numbers from 100 on; a dash for what was not measured."""
    if value is None:
        return "–"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
