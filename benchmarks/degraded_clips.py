"""How well files track clips that a camera or a codec has made worse: tables for docs/training.md.

``python benchmarks/degraded_clips.py TEACHER.onnx [NAME=FILE.onnx ...] [--strength X]``, in the
repository. Two tests, whose frames no training of ours has seen: generated sequences of ``eval``,
scored against their truth, and the clip bikes, against the teacher's own tracks on the clean
frames where these lead back to where they began. None of it depends on the machine's load.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from clips import fetch_clips  # noqa: E402
from trained_weights import mean_of  # noqa: E402

from locoexport.contract.visibility import visible_from_logits  # noqa: E402
from locoexport.evaluation.sides import GraphSide  # noqa: E402
from locoexport.runtime.queries.points import grid_queries  # noqa: E402
from locoexport.runtime.session.opening import open_model  # noqa: E402
from locoexport.runtime.video.clips import read_clip  # noqa: E402
from locoexport.training.data.degradation import degrade  # noqa: E402

FRAMES, SIDE, DRAWS, BACK_WITHIN_PX = 24, 8, 4, 1.5
NAMES = ("clean AJ / δ_avg", "degraded AJ / δ_avg", "bikes clean, px", "degraded p50", "p90")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("files", nargs="*", metavar="NAME=FILE.onnx")
    parser.add_argument("--strength", type=float, default=2.0)
    parser.add_argument("--sequences", type=int, default=12)
    asked = parser.parse_args()
    clip = fetch_clips(ROOT / ".data" / "clips")["bikes.mp4"]
    frames = read_clip(clip, max_frames=FRAMES).frames_rgb
    teacher = open_side(asked.teacher)
    truth, confirmed = confirm(teacher, frames)
    sys.stderr.write(f"bikes: {confirmed.any(1).sum()} of {SIDE**2} points confirmed\n")
    sys.stdout.write(f"| file | {' | '.join(NAMES)} |\n|{' --- |' * (len(NAMES) + 1)}\n")
    for text in (f"teacher={asked.teacher}", *asked.files):
        name, _, file = text.partition("=")
        side = open_side(Path(file))
        worse_px = np.concatenate(
            [
                apart(side, damaged(frames, draw, asked.strength), truth, confirmed)
                for draw in range(DRAWS)
            ]
        )
        row = (
            scores(side, asked.sequences, 0.0),
            scores(side, asked.sequences, asked.strength),
            f"{np.median(apart(side, frames, truth, confirmed)):.2f}",
            f"{np.median(worse_px):.2f}",
            f"{np.percentile(worse_px, 90):.2f}",
        )
        sys.stdout.write(f"| {name} | {' | '.join(row)} |\n")
        sys.stdout.flush()


def open_side(file: Path) -> GraphSide:
    """On one thread of the CPU."""
    return GraphSide(open_model(file, "cpu", threads=1))


def damaged(frames: np.ndarray, draw: int, strength: float) -> np.ndarray:
    """The frames made worse, each draw in its own way."""
    return degrade(frames, np.random.default_rng([41, draw]), strength)


def confirm(teacher: GraphSide, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (N, T, 2) of a grid, and which entries count: visible, of a point that is found back
    in the first frame from the last."""
    grid = grid_queries(SIDE, 256, 256).astype(np.float32)
    tracks, visible = track(teacher, frames, grid)
    last = np.full(len(grid), len(frames) - 1, np.float32)
    back, _ = track(teacher, frames, np.stack((last, tracks[:, -1, 1], tracks[:, -1, 0]), -1))
    found = np.linalg.norm(back[:, 0] - grid[:, [2, 1]], axis=-1) <= BACK_WITHIN_PX
    return tracks, visible & found[:, None]


def apart(
    side: GraphSide, frames: np.ndarray, truth: np.ndarray, confirmed: np.ndarray
) -> np.ndarray:
    """Distances in pixels of 256×256, of the entries that count."""
    tracks, _ = track(side, frames, grid_queries(SIDE, 256, 256).astype(np.float32))
    return np.linalg.norm(tracks - truth, axis=-1)[confirmed]


def track(
    side: GraphSide, frames: np.ndarray, queries: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, T, 2) and (N, T)."""
    raw = side.track(frames, queries[None])
    visible, _ = visible_from_logits(raw.occlusion, raw.expected_dist)
    return raw.tracks_xy[0], visible[0]


def scores(side: GraphSide, sequences: int, strength: float) -> str:
    """AJ and δ_avg in per cent, the mean over sequences."""
    mean = mean_of(side, "synthetic", sequences, lambda video, draw: damaged(video, draw, strength))
    return f"{100 * mean.average_jaccard:.1f} / {100 * mean.average_pts_within_thresh:.1f}"


if __name__ == "__main__":
    main()
