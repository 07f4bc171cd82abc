"""How good a checkpoint of b0-tiny is: the table of export_profiles/b0-tiny.weights.md.

``python benchmarks/trained_weights.py [NAME=CHECKPOINT ...]``, in the repository; without one, the
weights that the package ships. None of it is in any training set: generated sequences of ``eval``
(whole and live), the motorcycle pair, and the clip bikes there and back. One core, some minutes a
checkpoint; the load of the machine does not matter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from clips import fetch_clips  # noqa: E402

from locoexport.contract.profile import load_profile  # noqa: E402
from locoexport.contract.visibility import visible_from_logits  # noqa: E402
from locoexport.evaluation.datasets.opening import open_dataset  # noqa: E402
from locoexport.evaluation.live_sides import LiveSide  # noqa: E402
from locoexport.evaluation.scored_clip import score_clip  # noqa: E402
from locoexport.evaluation.scores import Scores, mean_scores  # noqa: E402
from locoexport.evaluation.sides import GraphSide, Side  # noqa: E402
from locoexport.pipeline.export import export_model  # noqa: E402
from locoexport.runtime.live.tracker import LiveTracker  # noqa: E402
from locoexport.runtime.queries.points import grid_queries  # noqa: E402
from locoexport.runtime.session.opening import open_model  # noqa: E402
from locoexport.runtime.video.clips import read_clip  # noqa: E402

TURN, SIDE, LIVE_WINDOW = 24, 6, 8
NAMES = ("synthetic AJ / δ_avg / OA", "live, W=8", "motorcycle", "bikes back, px", "visible")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="*", default=["shipped="], metavar="NAME=CHECKPOINT")
    parser.add_argument("--sequences", type=int, default=24)
    asked = parser.parse_args()
    clips = fetch_clips(ROOT / ".data" / "clips")
    bikes = read_clip(clips["bikes.mp4"], max_frames=TURN).frames_rgb
    sys.stdout.write(f"| weights | {' | '.join(NAMES)} |\n|{' --- |' * (len(NAMES) + 1)}\n")
    for text in asked.weights:
        name, _, file = text.partition("=")
        with tempfile.TemporaryDirectory() as scratch:
            whole, live = export_both(Path(file) if file else None, Path(scratch))
            distance_px, visible = there_and_back(whole, bikes)
            row = (
                scores(whole, "synthetic", asked.sequences),
                scores(live, "synthetic", asked.sequences),
                scores(whole, "motorcycle", 1),
                f"{distance_px:.2f}",
                f"{visible:.0%}",
            )
        sys.stdout.write(f"| {name} | {' | '.join(row)} |\n")
        sys.stdout.flush()


def export_both(checkpoint: Path | None, folder: Path) -> tuple[Side, Side]:
    """The whole file and the live one of a checkpoint, opened."""
    profile = load_profile("b0-tiny")
    whole, live = folder / "whole.onnx", folder / "live.onnx"
    export_model(profile, whole, checkpoint=checkpoint, verify=False)
    export_model(profile, live, checkpoint=checkpoint, live=LIVE_WINDOW, verify=False)
    return (
        GraphSide(open_model(whole, "cpu", threads=1)),
        LiveSide(LiveTracker(live, threads=1)),
    )


def scores(side: Side, dataset: str, most: int) -> str:
    """AJ, δ_avg and OA in per cent, the mean over clips."""
    mean = mean_of(side, dataset, most)
    figures = (mean.average_jaccard, mean.average_pts_within_thresh, mean.occlusion_accuracy)
    return " / ".join(f"{100 * figure:.1f}" for figure in figures)


def mean_of(
    side: Side,
    dataset: str,
    most: int,
    change: Callable[[np.ndarray, int], np.ndarray] = lambda video, number: video,
) -> Scores:
    """The mean over the first clips of a dataset; ``change`` makes each video, by its number."""
    found = []
    for number, source in enumerate(islice(open_dataset(dataset).clips(), most)):
        clip = source.load()
        changed = replace(clip, video=change(clip.video, number))
        scored = score_clip(changed, [side], "first")
        if scored is not None:
            found.append(scored.scores[0])
    return mean_scores(found)


def there_and_back(side: Side, frames: np.ndarray) -> tuple[float, float]:
    """The median distance in pixels of 256×256 between where points began and where they end, of
    those that are called visible there; and how many are."""
    turned = np.concatenate((frames, frames[-2::-1]))
    grid = grid_queries(SIDE, 256, 256)
    raw = side.track(turned, grid[None].astype(np.float32))
    visible, _ = visible_from_logits(raw.occlusion, raw.expected_dist)
    distance_px = np.linalg.norm(raw.tracks_xy[0, :, -1] - grid[:, [2, 1]], axis=-1)
    seen = visible[0, :, -1]
    return float(np.median(distance_px[seen])), float(seen.mean())


if __name__ == "__main__":
    main()
