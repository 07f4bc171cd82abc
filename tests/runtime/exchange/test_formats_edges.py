"""Every format at its edges: one point, one frame, nothing visible, a broadcast rate, odd names.

What is visible comes back at its own frame and place, in our pixels, and nothing else does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exchange_readers import (
    read_after_effects,
    read_coco,
    read_cvat,
    read_equalizer,
    read_fiftyone,
    read_label_studio,
)
from nuke_script import read_tracker4
from stand_in_for_bpy import MovieClip, stand_in

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.formats import FORMATS, export_tracks, find_format
from locoexport.runtime.queries.points import read_queries
from locoexport.runtime.tracks.tracks import Tracks

NTSC = 30000 / 1001
NAME = "my clip é [1080p]'s.mp4"
WIDTH, HEIGHT = 720, 576
Seen = dict[tuple[int, int], tuple[float, float]]


def falling_dots(visible: np.ndarray) -> Tracks:
    """Dots that fall by two and a bit pixels a frame, from the edge below to that above."""
    points, frames = visible.shape
    t = np.arange(frames)
    xy = [
        np.stack([30.5 + 60 * point + 0 * t, (40.25 + 2.125 * t) % HEIGHT], -1)
        for point in range(points)
    ]
    return Tracks(
        xy=np.array(xy, np.float32).reshape(points, frames, 2),
        visible=visible,
        confidence=np.where(visible, 0.75, 0.25).astype(np.float32),
        query_points=np.array([[0, 40.25, 30.5 + 60 * each] for each in range(points)], np.float32),
        fps=NTSC,
    )


def flags(points: int, frames: int, *hidden: tuple[int, int]) -> np.ndarray:
    """All visible but for these (point, frame)."""
    visible = np.ones((points, frames), np.bool_)
    for place in hidden:
        visible[place] = False
    return visible


EDGES = {
    "one point, one frame": flags(1, 1),
    "one frame": flags(3, 1, (1, 0)),
    "one point, hidden amid": flags(1, 8, (0, 3), (0, 4)),
    "hidden at both ends": flags(2, 5, (0, 0), (1, 4)),
    "all hidden": ~flags(2, 4),
    "one of two never seen": flags(2, 3, (1, 0), (1, 1), (1, 2)),
    "seen once": ~flags(1, 6, (0, 2)),
    "1200 frames": flags(1, 1200, (0, 700)),
}


def number(name: str) -> int:
    return int(name.rpartition("_")[2])


def nuke(path: Path) -> Seen:
    seen = {}
    for row in read_tracker4(path.read_text()):
        enabled = 0.0
        for frame in row["track_x"]:
            enabled = row["enable"].get(frame, enabled)
            if enabled:
                place = (row["track_x"][frame], HEIGHT - row["track_y"][frame])
                seen[number(row["name"]), frame - 1] = place
    return seen


def equalizer(path: Path) -> Seen:
    return {
        (number(name), frame - 1): (x, HEIGHT - y)
        for name, curve in read_equalizer(path.read_text()).items()
        for frame, (x, y) in curve.items()
    }


def after_effects(path: Path) -> Seen:
    header, points = read_after_effects(path.read_text())
    assert abs(header["Units Per Second"] - NTSC) < 1e-6
    return {
        (int(name.split("#")[1]) - 1, frame): place
        for name, curve in points.items()
        for frame, place in curve.items()
    }


def blender(path: Path) -> Seen:
    clip = MovieClip(f"/b/{NAME}", (WIDTH, HEIGHT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bpy", stand_in([clip]))
        exec(compile(path.read_text("utf-8"), str(path), "exec"), {"__file__": str(path)})
    return {
        (number(track.name), marker.frame - 1): (
            marker.co[0] * WIDTH,
            HEIGHT - marker.co[1] * HEIGHT,
        )
        for track in clip.tracking.tracks
        for marker in track.markers
        if not marker.mute
    }


def cvat(path: Path) -> Seen:
    places, marks = read_cvat(path.read_text("utf-8"))
    return {
        (int(name), frame): place
        for name, curve in places.items()
        for frame, place in curve.items()
        if marks[name][frame] == (0, 0)
    }


def label_studio(path: Path) -> Seen:
    if '"result": [\n]' in path.read_text():
        return {}
    value, points = read_label_studio(path.read_text())
    assert abs(value["duration"] - value["framesCount"] / NTSC) < 1e-5
    return {
        (number(name), frame - 1): (x * WIDTH / 100, y * HEIGHT / 100)
        for name, curve in points.items()
        for frame, (x, y) in curve.items()
    }


def coco(path: Path) -> Seen:
    places, marks = read_coco(path.read_text())
    return {
        (number(name), frame): (x + 0.5, y + 0.5)
        for name, curve in places.items()
        for frame, (x, y) in curve.items()
        if marks[name][frame] == 2
    }


def fiftyone(path: Path) -> Seen:
    places, hidden = read_fiftyone(path.read_text())
    return {
        (number(name), frame - 1): (x * WIDTH, y * HEIGHT)
        for name, curve in places.items()
        for frame, (x, y) in curve.items()
        if not hidden[name][frame]
    }


def rerun(path: Path) -> Seen:
    chunks = pytest.importorskip("rerun.chunk")
    seen = {}
    for chunk in chunks.RrdReader(str(path)).stream().to_chunks():
        if str(chunk.entity_path) != "/tracks/visible":
            continue
        batch = chunk.to_record_batch().to_pydict()
        column = {name.split(":")[-1]: values for name, values in batch.items()}
        rows = (column["frame"], column["time"], column["positions"], column["point"])
        for frame, time, places, points in zip(*rows, strict=True):
            assert abs(time.total_seconds() - frame / NTSC) < 2e-6
            for place, point in zip(places or [], points or [], strict=True):
                seen[point, frame] = tuple(place)
    return seen


def deeplabcut(path: Path) -> Seen:
    pandas = pytest.importorskip("pandas")
    table = pandas.read_hdf(path)["locoexport"]
    return {
        (number(part), frame): (row["x"] + 0.5, row["y"] + 0.5)
        for part in table.columns.unique(level=0)
        for frame, row in table[part].iterrows()
        if row["likelihood"] >= 0.5
    }


def sleap(path: Path) -> Seen:
    sleap_io = pytest.importorskip("sleap_io")
    labels = sleap_io.load_slp(str(path), open_videos=False)
    assert labels.videos[0].filename == NAME
    return {
        (point, frame.frame_idx): tuple(place + 0.5)
        for frame in labels
        for point, place in enumerate(frame.instances[0].points["xy"])
        if frame.instances[0].points["visible"][point]
    }


READERS: dict[str, Callable[[Path], Seen]] = {
    "nuke": nuke,
    "3de": equalizer,
    "after-effects": after_effects,
    "blender": blender,
    "cvat": cvat,
    "label-studio": label_studio,
    "coco": coco,
    "fiftyone": fiftyone,
    "rerun": rerun,
    "deeplabcut": deeplabcut,
    "sleap": sleap,
}
NEEDS = {"rerun": "rerun", "deeplabcut": "tables", "sleap": "sleap_io"}
ASKED_AGAIN = ("cvat", "coco", "deeplabcut", "sleap")


def test_every_format_has_a_reader() -> None:
    assert set(READERS) == {each.name for each in FORMATS if not each.is_own}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", READERS)
def test_what_is_visible_comes_back_and_nothing_else(name: str, edge: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    tracks = falling_dots(EDGES[edge])
    chosen = next(each for each in FORMATS if each.name == name)
    path = tmp_path / f"t{chosen.suffixes[0]}"
    facts = ClipFacts(WIDTH, HEIGHT, NTSC, frame_count=tracks.frames, file_name=NAME)
    export_tracks(path, tracks, facts, chosen)
    seen = READERS[name](path)
    assert sorted(seen) == [tuple(place) for place in np.argwhere(tracks.visible).tolist()]
    for (point, frame), place in seen.items():
        np.testing.assert_allclose(place, tracks.xy[point, frame], atol=2e-4)
    if name in ASKED_AGAIN:
        check_queries_of(tracks, path)


def test_sleaps_analysis_comes_back(tmp_path: Path) -> None:
    sleap_io = pytest.importorskip("sleap_io")
    for edge, visible in EDGES.items():
        path = tmp_path / f"{edge}.analysis.h5"
        tracks = falling_dots(visible)
        facts = ClipFacts(WIDTH, HEIGHT, NTSC, file_name=NAME)
        export_tracks(path, tracks, facts, find_format(path))
        places = sleap_io.load_analysis_h5(str(path)).numpy()
        if visible.any():
            seen = np.where(visible[..., None], tracks.xy, np.nan).swapaxes(0, 1)
            last = places.shape[0]  # frames after the last one with a point are not kept
            np.testing.assert_allclose(places[:, 0] + 0.5, seen[:last], atol=1e-4)
            assert np.isnan(seen[last:]).all()


def check_queries_of(tracks: Tracks, path: Path) -> None:
    """Points out are points in: each where it is first seen, or first is where it never is."""
    if path.suffix in (".h5", ".slp"):
        pytest.importorskip("h5py")
    expected = []
    for point, visible in enumerate(tracks.visible):
        frame = int(visible.argmax())
        x, y = tracks.xy[point, frame]
        expected.append([frame, y, x])
    np.testing.assert_allclose(sorted(read_queries(path).tolist()), sorted(expected), atol=2e-4)
