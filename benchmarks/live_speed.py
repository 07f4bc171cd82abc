"""How fast live tracking is on this machine: the table of speeds in docs/live.md.

``python benchmarks/live_speed.py LIVE.onnx WHOLE.onnx [--threads N] [--write]``, in the
repository, on an idle machine: some five minutes. A push is timed from the frame to the answer,
resizing and normalising included; frames are of 256×256.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from live_tables import PAGE, lines
from marked_pages import write_between
from quiet_machine import require_quiet

from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.machine.hardware import CpuWatch, measure_load, read_cpu
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.tracking.tracker import PointTracker

BEGIN = "<!-- live speed: begin (benchmarks/live_speed.py --write) -->"
END = "<!-- live speed: end -->"
WINDOWS, POINTS, TRACK_WINDOW = (2, 4, 8, 16), (16, 64, 256), 48
FRAMES, WARM = 120, 20


def main() -> None:
    """Time, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("live", type=Path)
    parser.add_argument("whole", type=Path)
    parser.add_argument("--threads", type=int, help="of the CPU (default: all cores)")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    asked = parser.parse_args()
    before, watch = measure_load(2.0).busy_share, CpuWatch()
    frames = make_sequence(0, SyntheticSettings(frames=asked.frames)).video
    rows = []
    for points in POINTS:
        queries = grid_queries(int(points**0.5), *frames.shape[1:3])
        for window in WINDOWS:
            rows.append(live_row(asked.live, frames, queries, window, asked.threads))
            sys.stderr.write(f"{' '.join(rows[-1])}\n")
        rows.append(follow_row(asked.live, frames, queries, asked.threads))
        sys.stderr.write(f"{' '.join(rows[-1])}\n")
        rows.append(track_row(asked.whole, frames, queries, asked.threads))
        sys.stderr.write(f"{' '.join(rows[-1])}\n")
    cores = asked.threads or len(os.sched_getaffinity(0))
    text = f"{read_cpu().model}, {cores} cores, {asked.frames} frames:\n\n" + lines(
        *("points", "tracker", "frames a second", "p50 ms", "p95 ms", "first answer after"),
        rows=rows,
    )
    sys.stdout.write(text)
    if asked.write:
        shares = {"before the benchmark": before, "during it": watch.share_of_others()}
        require_quiet(shares, rows, "live-speed")
        write_between(PAGE, BEGIN, END, text)


def live_row(
    model: Path, frames: np.ndarray, queries: np.ndarray, window: int, threads: int | None
) -> tuple[str, ...]:
    """Pushes, one after another, without those in which the window fills."""
    with LiveTracker(model, window=window, threads=threads) as tracker:
        tracker.add(queries[:, 1:])
        took = np.array([tracker.push(frame).latency_ms for frame in frames])[WARM:]
    p50, p95 = np.percentile(took, (50, 95))
    fps = 1e3 / took.mean()
    return (
        str(len(queries)),
        f"live {window}",
        f"{fps:.1f}",
        f"{p50:.1f}",
        f"{p95:.1f}",
        "1 frame",
    )


def follow_row(
    model: Path, frames: np.ndarray, queries: np.ndarray, threads: int | None
) -> tuple[str, ...]:
    """The same by ``follow``, which encodes the next frame beside the answer to this one."""
    with LiveTracker(model, threads=threads) as tracker:
        tracker.add(queries[:, 1:])
        for frame in frames[:WARM]:
            tracker.push(frame)
        began = time.perf_counter()
        count = sum(1 for _ in tracker.follow(frames[WARM:]))
        fps = count / (time.perf_counter() - began)
    name = f"live {tracker.window}, follow"
    return (str(len(queries)), name, f"{fps:.1f}", "", "", "1 frame")


def track_row(
    model: Path, frames: np.ndarray, queries: np.ndarray, threads: int | None
) -> tuple[str, ...]:
    """What ``track`` does of the same frames: an answer a window."""
    with PointTracker(model, window=TRACK_WINDOW, threads=threads) as tracker:
        tracker.track(frames[:TRACK_WINDOW], queries)
        began = time.perf_counter()
        tracker.track(frames, queries)
        fps = len(frames) / (time.perf_counter() - began)
    name = f"track {TRACK_WINDOW}"
    return (str(len(queries)), name, f"{fps:.1f}", "", "", f"{TRACK_WINDOW} frames")


if __name__ == "__main__":
    main()
