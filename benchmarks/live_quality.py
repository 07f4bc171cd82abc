"""How good live tracking is: docs/live.json, and the tables of docs/live.md that no clock decides.

``python benchmarks/live_quality.py LIVE.onnx WHOLE.onnx [--part NAME] [--sequences N] [--write]``,
in the repository: exports of one network, ``--live open`` and whole. Each figure is kept in
docs/live.json as it is made, and not made again (``--fresh`` does); half an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "parity_tests"))

from clips import fetch_clips  # noqa: E402
from live_scenes import hidden_scene, moving_scene  # noqa: E402
from live_tables import write_tables  # noqa: E402

from locoexport.contract.profile import SCORED_HW  # noqa: E402
from locoexport.contract.visibility import visible_from_logits  # noqa: E402
from locoexport.evaluation.datasets.synthetic import (  # noqa: E402
    SyntheticSettings,
    make_sequence,
)
from locoexport.evaluation.live_sides import LiveSide  # noqa: E402
from locoexport.evaluation.scored_clip import score_clip  # noqa: E402
from locoexport.evaluation.sides import GraphSide, Side  # noqa: E402
from locoexport.runtime.live.tracker import LiveTracker  # noqa: E402
from locoexport.runtime.queries.points import grid_queries  # noqa: E402
from locoexport.runtime.session.opening import open_model  # noqa: E402
from locoexport.runtime.session.single import RawTracks  # noqa: E402
from locoexport.runtime.tracking.tracker import PointTracker  # noqa: E402
from locoexport.runtime.video.clips import read_clip  # noqa: E402

FIGURES = ROOT / "docs" / "live.json"
WINDOWS, TRACK_WINDOWS = (2, 4, 8, 16), (24, 48)
CLIPS = ("carphone_pristine", "bikes", "bigbuckbunny")
CLIP_FRAMES, TURN, SIDE, NEAR_PX = 60, 48, 6, 4.0
SCENES, HIDDEN, SPEEDS = 3, (4, 8, 16, 32), (4, 8, 16, 32)
LONG, LONG_SEQUENCES, STRETCH = 500, 2, 100


class WindowSide:
    """What ``track`` does: windows that are joined."""

    name = "track"

    def __init__(self, model: Path, window: int) -> None:
        """Open the whole file."""
        self._tracker = PointTracker(model, window=window, threads=1)

    def track(self, frames_rgb: np.ndarray, query_points_tyx: np.ndarray) -> RawTracks:
        """See ``Side``; frames are of 256×256."""
        found = self._tracker.track(frames_rgb, query_points_tyx[0])
        hidden = np.where(found.visible, -20, 20).astype(np.float32)[None]
        return RawTracks(found.xy[None], hidden, np.full_like(hidden, -20))


def main() -> None:
    """Measure what is not on record, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("live", type=Path)
    parser.add_argument("whole", type=Path)
    parser.add_argument("--part", choices=sorted(PARTS), action="append", help="these alone")
    parser.add_argument("--sequences", type=int, default=24)
    parser.add_argument("--figures", type=Path, default=FIGURES, help="in place of docs/live.json")
    parser.add_argument("--fresh", action="store_true", help="use no figure on record")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    asked = parser.parse_args()
    figures = asked.figures
    known = json.loads(figures.read_text()) if figures.exists() and not asked.fresh else {}
    sides = Sides(asked.live, asked.whole)
    for part in asked.part or PARTS:
        for key, measure in PARTS[part](sides, asked.sequences):
            if key not in known:
                known[key] = measure()
                sys.stderr.write(f"{key}: {known[key]}\n")
                figures.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    if asked.write:
        write_tables(known)


class Sides:
    """Every way of tracking that is compared, by its name, opened when it is first asked for."""

    def __init__(self, live: Path, whole: Path) -> None:
        """``live`` is an open live export, ``whole`` a single file."""
        self._live, self._whole = live, whole
        self._open: dict[str, Side] = {}

    def __getitem__(self, name: str) -> Side:
        """``one window``, ``track W`` or ``live W``."""
        if name not in self._open:
            kind, _, window = name.partition(" ")
            if kind == "live":
                side: Side = LiveSide(LiveTracker(self._live, window=int(window), threads=1))
            elif kind == "track":
                side = WindowSide(self._whole, int(window))
            else:
                side = GraphSide(open_model(self._whole, "cpu"))
            self._open[name] = side
        return self._open[name]

    def tracks(
        self, name: str, frames: np.ndarray, queries: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, T, 2) in pixels of 256×256 and visibility (N, T); queries in pixels of the frames."""
        scale = np.array([1, SCORED_HW[0] / frames.shape[1], SCORED_HW[1] / frames.shape[2]])
        scaled = (queries * scale).astype(np.float32)
        if name.startswith("track"):
            tracker = self[name]._tracker  # it takes frames of any size
            found = tracker.track(frames, queries)
            return found.xy * scale[:0:-1].astype(np.float32), found.visible
        raw = self[name].track(frames, scaled[None])
        return raw.tracks_xy[0], visible_from_logits(raw.occlusion, raw.expected_dist)[0][0]


Measure = Callable[[], list[float]]
Part = Iterator[tuple[str, Measure]]
LIVE = tuple(f"live {window}" for window in WINDOWS)


def generated(sides: Sides, sequences: int) -> Part:
    """AJ, δ_avg, OA and the median error, by sequence length, way and sequence."""
    for index in range(sequences):
        for frames in (72, 24):
            for name in ("one window", *(f"track {w}" for w in TRACK_WINDOWS if w < frames), *LIVE):

                def measure(name: str = name, index: int = index, frames: int = frames) -> list:
                    clip = make_sequence(index, SyntheticSettings(frames=frames))
                    scores = score_clip(clip, [sides[name]], "first").scores[0]
                    return [
                        scores.average_jaccard,
                        scores.average_pts_within_thresh,
                        scores.occlusion_accuracy,
                        scores.median_px,
                    ]

                yield f"generated/{frames}/{name}/{index}", measure


def clips(sides: Sides, sequences: int) -> Part:
    """Distance to the tracks of one window, and where points end that go there and back."""
    paths = fetch_clips(ROOT / ".data" / "clips")
    for clip in CLIPS:
        frames = read_clip(paths[f"{clip}.mp4"], max_frames=CLIP_FRAMES).frames_rgb
        grid = grid_queries(SIDE, *frames.shape[1:3])
        turned = np.concatenate((frames[:TURN], frames[TURN - 2 :: -1]))
        back = grid[:, [2, 1]] * np.array(SCORED_HW) / frames.shape[2:0:-1]
        for name in ("track 24", *LIVE):

            def apart(name=name, frames=frames, grid=grid) -> list[float]:
                whole, seen = sides.tracks("one window", frames, grid)
                xy, visible = sides.tracks(name, frames, grid)
                far = np.linalg.norm(xy - whole, axis=-1)[seen & visible]
                flips = float((seen != visible).mean())
                return [float(np.median(far)), float(np.percentile(far, 95)), flips]

            yield f"clips/{clip}/{name}", apart
        for name in ("one window", "track 24", *LIVE):

            def ends(name=name, turned=turned, grid=grid, back=back) -> list[float]:
                xy, visible = sides.tracks(name, turned, grid)
                far = np.linalg.norm(xy[:, -1] - back, axis=1)
                near, seen = float((far < NEAR_PX).mean()), float(visible[:, -1].mean())
                return [float(np.median(far)), near, seen]

            yield f"return/{clip}/{name}", ends


def hidden(sides: Sides, sequences: int) -> Part:
    """Of points that were hidden so long: the share found again at once, and 8 frames later."""
    for frames in HIDDEN:
        for name in ("one window", *LIVE):

            def measure(name: str = name, frames: int = frames) -> list[float]:
                at_once, later, wrongly = [], [], []
                for seed in range(SCENES):
                    scene = hidden_scene(seed, frames)
                    xy, seen = sides.tracks(name, scene.frames_rgb, scene.query_points_tyx)
                    near = np.linalg.norm(xy - scene.tracks_xy, axis=-1) < NEAR_PX
                    again = scene.hidden_until
                    at_once.append((near & seen)[:, again].mean())
                    later.append((near & seen)[:, again + 8].mean())
                    wrongly.append(seen[:, scene.hidden_from : again].mean())
                return [float(np.mean(each)) for each in (at_once, later, wrongly)]

            yield f"hidden/{frames}/{name}", measure


def fast(sides: Sides, sequences: int) -> Part:
    """The share of points and frames within 4 px, by pixels a frame."""
    for speed in SPEEDS:
        for name in ("one window", *LIVE):

            def measure(name: str = name, speed: int = speed) -> list[float]:
                shares, seen_shares = [], []
                for seed in range(SCENES):
                    scene = moving_scene(seed, speed)
                    xy, seen = sides.tracks(name, scene.frames_rgb, scene.query_points_tyx)
                    near = np.linalg.norm(xy - scene.tracks_xy, axis=-1) < NEAR_PX
                    shares.append(near[:, 1:].mean())
                    seen_shares.append(seen[:, 1:].mean())
                return [float(np.mean(shares)), float(np.mean(seen_shares))]

            yield f"fast/{speed}/{name}", measure


def drift(sides: Sides, sequences: int) -> Part:
    """Median error, and share within 4 px, of visible points, in each stretch of a long clip."""
    for index in range(LONG_SEQUENCES):
        for name in ("live 8", "track 48"):

            def measure(name: str = name, index: int = index) -> list[float]:
                clip = make_sequence(index, SyntheticSettings(frames=LONG))
                asked = ~clip.occluded[:, 0]
                truth = clip.points[asked] * np.array(SCORED_HW[::-1])
                visible = ~clip.occluded[asked]
                queries = np.insert(truth[:, 0, ::-1], 0, 0, axis=1).astype(np.float32)
                xy, _ = sides.tracks(name, clip.video, queries)
                far = np.linalg.norm(xy - truth, axis=-1)
                figures = [float(asked.sum())]
                for start in range(0, LONG, STRETCH):
                    part = slice(max(start, 1), start + STRETCH)
                    errors = far[:, part][visible[:, part]]
                    figures += [float(np.median(errors)), float((errors < NEAR_PX).mean())]
                return figures

            yield f"drift/{name}/{index}", measure


PARTS = {"hidden": hidden, "fast": fast, "clips": clips, "generated": generated, "drift": drift}


if __name__ == "__main__":
    main()
