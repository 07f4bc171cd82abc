"""Blender's script, run with a stand-in for its API, and with Blender itself (bpy on PyPI)."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moving_points import FACTS, moving_points
from stand_in_for_bpy import MovieClip, stand_in

from locoexport.runtime.exchange.formats import export_tracks, find_format


def run(path: Path) -> None:
    exec(compile(path.read_text(), str(path), "exec"), {"__file__": str(path)})


def test_a_moving_point_has_markers_from_frame_1_with_y_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tracks = tmp_path / "t.py", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    other, clip = MovieClip("/b/other.mp4", (640, 360)), MovieClip("/b/clip.mp4", (640, 360))
    monkeypatch.setitem(sys.modules, "bpy", stand_in([other, clip]))
    run(path)
    assert [track.name for track in clip.tracking.tracks] == ["point_0", "point_1"]
    assert not other.tracking.tracks
    first = clip.tracking.tracks[0].markers
    np.testing.assert_allclose(first[0].co, (10.125 / 640, 339.25 / 360), atol=1e-8)
    assert [marker.frame for marker in first if marker.mute] == [3, 4]
    for track, xy in zip(clip.tracking.tracks, tracks.xy, strict=True):
        assert [marker.frame for marker in track.markers] == [1, 2, 3, 4, 5, 6]
        back = np.array([marker.co for marker in track.markers]) * (640, -360) + (0, 360)
        np.testing.assert_allclose(back, xy, atol=1e-4)


@pytest.mark.parametrize("count", [0, 2])
def test_a_script_that_cannot_tell_the_clip_says_so(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.py"
    export_tracks(path, moving_points(), replace(FACTS, file_name=None), find_format(path))
    clips = [MovieClip(f"/b/{number}.mp4", (640, 360)) for number in range(count)]
    monkeypatch.setitem(sys.modules, "bpy", stand_in(clips))
    with pytest.raises(SystemExit, match=f"There are {count} clips of 640 x 360 pixels; open"):
        run(path)


def test_a_name_with_quotes_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a'\"\\\n{0}.mp4"
    path = tmp_path / "t.py"
    export_tracks(path, moving_points(), replace(FACTS, file_name=name), find_format(path))
    clip = MovieClip(f"/b/{name}", (1, 1))
    monkeypatch.setitem(sys.modules, "bpy", stand_in([clip]))
    run(path)
    assert len(clip.tracking.tracks) == 2


def test_blender_has_the_same_places(tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy")
    image = bpy.data.images.new("frame", 640, 360)
    image.filepath_raw, image.file_format = str(tmp_path / "clip.png"), "PNG"
    image.save()
    path, tracks = tmp_path / "t.py", moving_points()
    export_tracks(path, tracks, replace(FACTS, file_name="clip.png"), find_format(path))
    run(path)  # no clip is open: the one beside the script is
    (clip,) = bpy.data.movieclips
    assert tuple(clip.size) == (640, 360)
    for track, xy, visible in zip(clip.tracking.tracks, tracks.xy, tracks.visible, strict=True):
        assert [marker.frame for marker in track.markers] == [1, 2, 3, 4, 5, 6]
        back = np.array([marker.co for marker in track.markers]) * (640, -360) + (0, 360)
        np.testing.assert_allclose(back, xy, atol=1e-4)
        assert [not marker.mute for marker in track.markers] == visible.tolist()
