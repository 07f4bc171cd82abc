"""What windows cost in quality: the tables of docs/long-videos.md, by the code as it is.

``python benchmarks/window_quality.py [--model FILE] [--write]``, in the repository. Three real
clips, a 6×6 grid, windows of 24 and 48 frames against one window. Figures are in pixels of the
256×256 that b0-tiny sees and do not depend on the machine's load; some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from clips import fetch_clips  # noqa: E402
from marked_pages import write_between  # noqa: E402

from locoexport.contract.profile import load_profile  # noqa: E402
from locoexport.pipeline.export import export_model  # noqa: E402
from locoexport.runtime.queries.points import grid_queries  # noqa: E402
from locoexport.runtime.tracking.tracker import PointTracker  # noqa: E402
from locoexport.runtime.tracking.window_effect import compare_tracks  # noqa: E402
from locoexport.runtime.tracks.tracks import Tracks  # noqa: E402
from locoexport.runtime.video.clips import read_clip  # noqa: E402

BEGIN = "<!-- window quality: begin (benchmarks/window_quality.py --write) -->"
END = "<!-- window quality: end -->"
CLIPS = ("carphone_pristine", "bikes", "bigbuckbunny")
FRAMES, TURN, SIDE, WINDOWS = 60, 48, 6, (24, 48)
NEAR_PX = 4.0


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="in place of an export of b0-tiny")
    parser.add_argument("--clip", choices=CLIPS, action="append", help="these alone")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    asked = parser.parse_args()
    paths = fetch_clips(ROOT / ".data" / "clips")
    with tempfile.TemporaryDirectory() as scratch:
        model = asked.model or Path(scratch) / "model.onnx"
        if asked.model is None:
            export_model(load_profile("b0-tiny"), model, verify=False)
        against, returns = [], []
        for name in asked.clip or CLIPS:
            frames = read_clip(paths[f"{name}.mp4"], max_frames=FRAMES).frames_rgb
            grid = grid_queries(SIDE, *frames.shape[1:3])
            against += against_one_window(model, name, frames, grid)
            returns += there_and_back(model, name, frames[:TURN], grid)
    text = tables(against, returns)
    sys.stdout.write(text)
    if asked.write:
        write_between(ROOT / "docs" / "long-videos.md", BEGIN, END, text)


def track(model: Path, frames: np.ndarray, queries: np.ndarray, window: int) -> Tracks:
    """Tracks in pixels of the 256×256 that the network sees."""
    with PointTracker(model, window=window) as tracker:
        tracks = tracker.track(frames, queries)
        resolution_hw = tracker.model.resolution_hw
    scale_xy = np.array(resolution_hw[::-1], np.float32) / frames.shape[2:0:-1]
    return replace(tracks, xy=(tracks.xy * scale_xy).astype(np.float32))


def spread_over_time(grid: np.ndarray, frames: int) -> np.ndarray:
    """The same points, each asked for in a frame of its own, from the first to the last."""
    times = np.random.default_rng(0).permutation(np.linspace(0, frames - 1, len(grid)).round())
    return np.concatenate((times[:, None], grid[:, 1:]), 1).astype(np.float32)


def against_one_window(
    model: Path, name: str, frames: np.ndarray, grid: np.ndarray
) -> list[tuple[str, ...]]:
    """Rows: windows against one window, for points of frame 0 and of frames of their own."""
    rows = []
    cases = {"frame 0": grid, "many frames": spread_over_time(grid, len(frames))}
    for asked, queries in cases.items():
        whole = track(model, frames, queries, len(frames))
        for window in WINDOWS:
            effect = compare_tracks(track(model, frames, queries, window), whole)
            row = (
                *(name, asked, str(window), f"{effect.p50_px:.2f}", f"{effect.p95_px:.2f}"),
                *(f"{effect.max_px:.1f}", f"{effect.flips:.1%}", f"{effect.visible:.1%}"),
                f"{effect.visible_in_one_window:.1%}",
            )
            rows.append(row)
            sys.stderr.write(f"{' '.join(row)}\n")
    return rows


def there_and_back(
    model: Path, name: str, frames: np.ndarray, grid: np.ndarray
) -> list[tuple[str, ...]]:
    """Rows: the frames and then the same in reverse; each point ends where it began."""
    turned = np.concatenate((frames, frames[-2::-1]))
    scale_xy = np.array((256, 256)) / frames.shape[2:0:-1]
    rows = []
    for window in (len(turned), *WINDOWS):
        tracks = track(model, turned, grid, window)
        distance = np.linalg.norm(tracks.xy[:, -1] - grid[:, [2, 1]] * scale_xy, axis=1)
        shown = "one window" if window == len(turned) else str(window)
        row = (
            *(name, shown, f"{np.median(distance):.2f}", f"{np.percentile(distance, 90):.2f}"),
            *(f"{(distance < NEAR_PX).mean():.0%}", f"{tracks.visible[:, -1].mean():.0%}"),
        )
        rows.append(row)
        sys.stderr.write(f"{' '.join(row)}\n")
    return rows


def tables(against: list[tuple[str, ...]], returns: list[tuple[str, ...]]) -> str:
    """Both tables, as Markdown."""
    return (
        f"Windows compared with one window: the first {FRAMES} frames and {SIDE}×{SIDE} points, "
        "over the points and frames\nthat both call visible.\n\n"
        + table(
            *("clip", "queries in", "window", "p50 px", "p95 px", "max px", "flips", "visible"),
            "visible in one window",
            rows=against,
        )
        + f"\nThere and back: {TURN} frames, then the same frames in reverse, so that each point "
        "ends where it began.\n\n"
        + table(
            *("clip", "window", "median px at the end", "p90 px", f"within {NEAR_PX:.0f} px"),
            "visible at the end",
            rows=returns,
        )
    )


def table(*names: str, rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [names, ("---",) * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
