"""The golden vectors that the Python runtime and the page's JavaScript are both held to.

``python tests/support/vectors.py`` writes golden_vectors.json anew, from the Python runtime.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from locoexport.contract.visibility import visible_from_logits
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.drawing.points import Pen, query_colours
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.tracking.stitching import Stitcher
from locoexport.runtime.tracking.windows import Window, WindowSize, read_windows
from locoexport.runtime.tracks.tracks import Tracks, write_tracks
from locoexport.runtime.video.frames import (
    scale_queries_to_model,
    scale_tracks_to_video,
    to_model_input,
)

__all__ = ["TABLE", "make_vectors"]

TABLE = Path(__file__).parents[1] / "web" / "golden_vectors.json"
_SIZES = [
    ((5, 7), (8, 8)),
    ((12, 16), (8, 8)),
    ((8, 8), (8, 8)),
    ((1, 1), (8, 8)),
    ((9, 5), (16, 8)),
    ((31, 23), (8, 16)),
]
_ONE_PIXEL = Signature((1, 1), "float32", None, None, None)
_LOGITS = (0.0, -1.5, 2.25, 0.881, -30.0, 30.0, -800.0, 800.0, 1e-3)


def make_vectors() -> dict[str, Any]:
    """All of them, as JSON holds them."""
    return {
        "resize": _resize(),
        "visibility": _visibility(),
        "scaling": _scaling(),
        "grid": grid_queries(3, 144, 176, columns=4).tolist(),
        "colours": _colours(),
        "pens": [vars(Pen.for_frame(*hw)) for hw in ((96, 120), (144, 176), (1080, 1920))],
        "files": _files(),
        "windows": [_windows(frames, size) for frames, size in ((5, 6), (6, 6), (20, 6), (23, 9))],
        "stitching": [_stitching(seed) for seed in range(3)],
    }


def _resize() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    cases = []
    for frame_hw, model_hw in _SIZES:
        frame = rng.integers(0, 256, (*frame_hw, 3), np.uint8)
        cases.append(
            {
                "frame_hw": frame_hw,
                "model_hw": model_hw,
                "rgb": frame.ravel().tolist(),
                "video": _numbers(to_model_input(frame[None], model_hw)),
            }
        )
    return cases


def _visibility() -> list[dict[str, Any]]:
    grid = np.array([(a, b) for a in _LOGITS for b in _LOGITS], np.float32)
    visible, confidence = visible_from_logits(grid[:, 0], grid[:, 1])
    rows = zip(_pairs(grid), visible.tolist(), _numbers(confidence), strict=True)
    return [{"logits": pair, "visible": seen, "confidence": sure} for pair, seen, sure in rows]


def _scaling() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    queries = (rng.random((6, 3)) * (40, 144, 176)).astype(np.float32)
    tracks = (rng.random((6, 2)) * 256).astype(np.float32)
    return {
        "frame_hw": (144, 176),
        "model_hw": (256, 256),
        "queries": _numbers(queries),
        "queries_of_model": _numbers(scale_queries_to_model(queries, (144, 176), (256, 256))),
        "tracks": _numbers(tracks),
        "tracks_of_video": _numbers(scale_tracks_to_video(tracks, (256, 256), (144, 176))),
    }


def _colours() -> list[dict[str, Any]]:
    points = np.array([(0, y, x) for y in (0, 50.5, 143) for x in (0, 88.25, 176)], np.float32)
    colours = query_colours(points, 144, 176)
    pairs = zip(points.tolist(), colours, strict=True)
    return [{"point": point[1:], "rgb": list(colour)} for point, colour in pairs]


def _files() -> dict[str, Any]:
    # Below 1e6: where numpy begins to write exponents has changed between its versions.
    values = [0.1, 1e-5, 12.0, 119.36823, 3.4e-5, 123456.7, 1 / 3, -0.5, 1.17549435e-38, 1000]
    xy = np.array(values * 2, np.float32).reshape(2, 5, 2)
    confidence = np.array([0.1, 0.5, 0.49999997, 1, 0, 0.9, 1e-7, 0.25, 0.75, 0.5], np.float32)
    confidence = confidence.reshape(2, 5)
    queries = np.array([[0, 12.5, 1 / 3], [3, 0, 100]], np.float32)
    tracks = Tracks(xy, 1 - confidence <= 0.5, confidence, queries, 29.97)
    with TemporaryDirectory() as folder:
        path = Path(folder)
        write_tracks(path / "a.csv", tracks)
        write_tracks(path / "a.json", tracks)
        csv, document = (path / "a.csv").read_text(), json.loads((path / "a.json").read_text())
    return {
        "xy": _numbers(xy),
        "confidence": _numbers(confidence),
        "queries": _numbers(queries),
        "shape": (2, 5),
        "fps": 29.97,
        "csv": csv,
        "json": document,
    }


def _windows(frames: int, size: int) -> dict[str, Any]:
    """A clip of one pixel whose value is the frame's index, cut into windows."""
    clip = (np.full((1, 1, 3), index, np.uint8) for index in range(frames))
    found = read_windows(iter(clip), WindowSize.of(size), _ONE_PIXEL, Stopwatch())
    grey = [np.rint((window.video[0, :, 0, 0, 0] + 1) * 127.5).tolist() for window in found]
    again = (np.full((1, 1, 3), index, np.uint8) for index in range(frames))
    windows = read_windows(iter(again), WindowSize.of(size), _ONE_PIXEL, Stopwatch())
    return {
        "frames": frames,
        "size": size,
        "windows": [
            {"start": each.start, "commit_from": each.commit_from, "end": each.end, "grey": levels}
            for each, levels in zip(windows, grey, strict=True)
        ],
    }


def _stitching(seed: int) -> dict[str, Any]:
    """A pass over a clip with a model that answers at random: what is asked and what comes out."""
    rng = np.random.default_rng(seed)
    frames, points, size = 41, 10, WindowSize.of(12)
    queries = (rng.random((points, 3)) * (frames - 1, 16, 16)).astype(np.float32)
    # Whole frames are kept as anchors; points between two frames leave the room to lost ones.
    whole = (4, 1, 0)[seed]
    queries[:whole, 0] = (0, 0, 3, 11)[:whole]
    stitcher = Stitcher(queries, size)
    steps = []
    clip = (np.full((1, 1, 3), index, np.uint8) for index in range(frames))
    for window in read_windows(iter(clip), size, _ONE_PIXEL, Stopwatch()):
        active = int(stitcher.begin(window).sum())
        requests = [_asked(stitcher, window, each, rng) for each in stitcher.requests(window, 4)]
        xy, confidence, new = stitcher.finish(window)
        steps.append(
            {
                "active": active,
                "requests": requests,
                "xy": _numbers(xy),
                "confidence": _numbers(confidence),
                "new": new.astype(int).ravel().tolist(),
            }
        )
    return {"frames": frames, "size": size.frames, "queries": _numbers(queries), "steps": steps}


def _asked(stitcher: Stitcher, window: Window, request: Any, rng: np.random.Generator) -> Any:
    count, frames = len(request.points), len(window.frames)
    xy = (rng.random((count, frames, 2)) * 16).astype(np.float32)
    # Some points are hidden throughout, so that anchors are needed.
    confidence = rng.random((count, frames)) * rng.choice([0.4, 1.0], (count, 1), p=[0.3, 0.7])
    # Half of the others is lost at the end, so that several frames show them equally.
    confidence[rng.random(count) < 0.5, -4:] *= 0.4
    confidence = confidence.astype(np.float32)
    stitcher.answer(request, xy, confidence)
    return {
        "points": request.points.tolist(),
        "queries": _numbers(request.queries_tyx),
        "grey": np.rint((request.video[0, :, 0, 0, 0] + 1) * 127.5).tolist(),
        "xy": _numbers(xy),
        "confidence": _numbers(confidence),
    }


def _pairs(array: Any) -> list[list[float]]:
    return [_numbers(row) for row in array]


def _numbers(array: Any) -> list[float | None]:
    """Flat; the shortest float64s that read back as the same float32s; NaN is None."""
    flat = np.asarray(array, np.float32).ravel().astype(str).astype(np.float64).tolist()
    return [None if value != value else value for value in flat]


if __name__ == "__main__":
    TABLE.write_text(json.dumps(make_vectors(), separators=(",", ":")) + "\n", encoding="utf-8")
