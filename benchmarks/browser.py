"""The page's speed and weight: 24 frames × 64 points in WebAssembly against the Python runtime.

    python benchmarks/browser.py [--rounds 5] [--write]

In each round, one after the other on this machine: Python with 1 and 2 threads, then Chromium with
1 and 2 threads, the single file and the split files; each is run twice and the second run counts.
Medians are printed; ``--write`` puts the tables into docs/browser.md. Needs the tools of the
browser tests (make browser-tools).
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from browser_session import NODE_MODULES, missing_tools, run_scenario, served  # noqa: E402
from clips import fetch_clips  # noqa: E402
from marked_pages import write_between  # noqa: E402
from quiet_machine import require_quiet  # noqa: E402

from locoexport.contract.profile import load_profile  # noqa: E402
from locoexport.demo.packages import packages_in  # noqa: E402
from locoexport.demo.site import Site, SiteModel, assemble_site  # noqa: E402
from locoexport.machine.hardware import measure_load, read_cpu  # noqa: E402
from locoexport.pipeline.export import export_model  # noqa: E402
from locoexport.runtime.queries.points import grid_queries  # noqa: E402
from locoexport.runtime.session.single import open_session  # noqa: E402
from locoexport.runtime.session.split_files import name_split_files  # noqa: E402
from locoexport.runtime.video.clips import read_clip  # noqa: E402
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input  # noqa: E402
from locoexport.runtime.video.mp4 import write_mp4  # noqa: E402

THREADS = (1, 2)
BEGIN = "<!-- timings: begin (written by `python benchmarks/browser.py --write`) -->"
END = "<!-- timings: end -->"


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--side", type=int, default=8, help="of the grid of points")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/browser.md")
    asked = parser.parse_args()
    if missing := missing_tools():
        sys.exit(f"The browser cannot be timed: {missing}.")
    before = measure_load(2.0).busy_share
    with tempfile.TemporaryDirectory() as scratch:
        text = measure(Path(scratch), asked.rounds, asked.frames, asked.side)
    sys.stdout.write(text)
    if asked.write:
        require_quiet({"before the benchmark": before}, text, "browser")
        write_between(ROOT / "docs" / "browser.md", BEGIN, END, text)


def measure(folder: Path, rounds: int, frames: int, side: int) -> str:
    """Both tables, as Markdown."""
    profile = load_profile("b0-tiny")
    single, split = folder / "b0-tiny.onnx", folder / "split.onnx"
    export_model(profile, single, verify=False)
    export_model(profile, split, split=True, verify=False)
    source = read_clip(
        fetch_clips(ROOT / ".data" / "clips")["carphone_pristine.mp4"], max_frames=frames
    )
    clip = folder / "clip.mp4"
    write_mp4(clip, source.frames_rgb, source.fps)
    site = make_site(single, split, clip)
    seconds: dict[tuple[str, int], list[float]] = {}
    opened: dict[tuple[str, int], list[float]] = {}
    with served(site) as url:
        models = [
            {"whole": "model/b0-tiny.onnx"},
            {role: f"model/{path.name}" for role, path in name_split_files(split).items()},
        ]
        began = time.perf_counter()
        for number in range(rounds):
            spent = time.perf_counter() - began
            sys.stderr.write(f"round {number + 1} of {rounds} ({spent:.0f} s so far)\n")
            for threads in THREADS:
                took = time_python(single, source.frames_rgb, threads, side)
                seconds.setdefault(("Python runtime", threads), []).append(took)
            order = {"models": models, "threads": THREADS, "side": side}
            for run in run_scenario("timing", url, limit_s=600, **order):
                name = "page, split files" if run["split"] else "page, single file"
                key = (name, run["threads"])
                seconds.setdefault(key, []).append(run["encode"] + run["refine"])
                opened.setdefault(key, []).append(run["opened"])
    what = f"{frames} frames × {side * side} points with b0-tiny, encode and refine"
    head = f"{what}, medians of {rounds} rounds on {machine()}:"
    return "\n\n".join((head, timing_table(seconds, opened), verdict(seconds), weight_table(site)))


def make_site(single: Path, split: Path, clip: Path) -> Site:
    """The page with both exports in it."""
    model = SiteModel(single.name, {"whole": single}, seeded=False)
    site = assemble_site(model, packages_in(NODE_MODULES), clip)
    parts = {f"model/{path.name}": path for path in name_split_files(split).values()}
    return Site({**site.files, **parts}, site.texts)


def time_python(model: Path, frames_rgb: np.ndarray, threads: int, side: int) -> float:
    """Seconds of the second run of the single file in ONNX Runtime."""
    session = open_session(model, threads=threads)
    height, width = frames_rgb.shape[1:3]
    resolution_hw = session.signature.resolution_hw
    video = to_model_input(frames_rgb, resolution_hw)
    grid = grid_queries(side, height, width)
    queries = scale_queries_to_model(grid, (height, width), resolution_hw)[None]
    session.run(video, queries)
    began = time.perf_counter()
    session.run(video, queries)
    return time.perf_counter() - began


def machine() -> str:
    """The processor, and how busy it is besides: figures of a busy machine mean little."""
    cpu = read_cpu()
    busy = os.getloadavg()[0]
    return f"{cpu.model}, {cpu.usable_cores} cores (load {busy:.1f} at the end)"


def timing_table(
    seconds: dict[tuple[str, int], list[float]],
    opened: dict[tuple[str, int], list[float]],
) -> str:
    """Medians, and how many times as long as Python with as many threads."""
    lines = [
        "| | threads | s | spread | times Python | opening, s |",
        "|---|---|---|---|---|---|",
    ]
    for (name, threads), values in sorted(seconds.items()):
        median = statistics.median(values)
        python = statistics.median(seconds["Python runtime", threads])
        opening = opened.get((name, threads))
        shown = "" if opening is None else f"{statistics.median(opening):.1f}"
        lines.append(
            f"| {name} | {threads} | {median:.2f} | {min(values):.2f}–{max(values):.2f} | "
            f"{median / python:.1f} | {shown} |"
        )
    return "\n".join(lines)


def verdict(seconds: dict[tuple[str, int], list[float]]) -> str:
    """Whether the split files are worth it in the page: only what lies beyond the spread counts."""
    lines = []
    for threads in THREADS:
        single = seconds["page, single file", threads]
        split = seconds["page, split files", threads]
        ratio = statistics.median(split) / statistics.median(single)
        apart = max(split) < min(single) or max(single) < min(split)
        if apart and ratio < 1:
            choice = "the split files are the better choice"
        elif apart:
            choice = "the single file is the better choice"
        else:
            choice = "the rounds of both overlap, so the single file stays"
        count = f"{threads} thread{'s' if threads > 1 else ''}"
        lines.append(f"Split against single with {count}: {ratio:.2f} times as long; {choice}.")
    return "\n".join(lines)


def weight_table(site: Site) -> str:
    """What a browser loads before the clip: as it is, and compressed by gzip."""
    groups: dict[str, list[bytes]] = {}
    for place, path in site.files.items():
        if place.startswith("clip/") or (place.startswith("model/") and "split" in place):
            continue
        if place.endswith((".txt", "LICENSE")):
            continue
        folder, *rest = place.split("/")
        kinds = {"model": "model (b0-tiny)", "packages": rest[0] if rest else ""}
        kind = kinds.get(folder, "our page")
        groups.setdefault(kind, []).append(path.read_bytes())
    lines = ["| part | MB | MB by gzip |", "|---|---|---|"]
    total, packed = 0, 0
    for kind, parts in groups.items():
        size = sum(map(len, parts))
        small = sum(len(gzip.compress(part, 9)) for part in parts)
        total, packed = total + size, packed + small
        lines.append(f"| {kind} | {size / 1e6:.2f} | {small / 1e6:.2f} |")
    lines.append(f"| all | {total / 1e6:.2f} | {packed / 1e6:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
