"""Tracks as an object of the library: cut, compared, shown, saved and loaded."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError, PackageMissingError, UsageError
from locoexport.runtime.tracks.tracks import Tracks


@pytest.fixture
def tracks() -> Tracks:
    """Three points in eight frames; point p is at (100·p + t, t/4) in frame t."""
    t, p = np.arange(8), np.arange(3)[:, None]
    xy = np.stack([100 * p + t, np.broadcast_to(t / 4, (3, 8))], axis=-1).astype(np.float32)
    confidence = ((t + p) % 4 / 3).astype(np.float32)
    return Tracks(
        xy,
        confidence >= 0.5,
        confidence,
        np.array([[0, 0, 0], [4, 1, 104], [7, 1.75, 207]], np.float32),
        25.0,
        object_ids=np.array([3, -1, 3]),
    )


@pytest.mark.parametrize(
    ("index", "points"),
    [
        (1, [1]),
        (-1, [2]),
        (slice(1, None), [1, 2]),
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
    ],
)
def test_points_are_chosen_as_numpy_chooses(
    tracks: Tracks, index: object, points: list[int]
) -> None:
    part = tracks[index]
    np.testing.assert_array_equal(part.xy, tracks.xy[points])
    np.testing.assert_array_equal(part.visible, tracks.visible[points])
    np.testing.assert_array_equal(part.confidence, tracks.confidence[points])
    np.testing.assert_array_equal(part.query_points, tracks.query_points[points])
    np.testing.assert_array_equal(part.object_ids, tracks.object_ids[points])
    assert (part.time_s, part.fps, part.frames) == (None, 25.0, 8)
    assert part == tracks[index, :]


def test_query_times_count_from_the_first_frame_that_is_kept(tracks: Tracks) -> None:
    part = tracks[:, 2:8]
    np.testing.assert_array_equal(part.xy, tracks.xy[:, 2:8])
    np.testing.assert_array_equal(part.query_points, [[-2, 0, 0], [2, 1, 104], [5, 1.75, 207]])
    # Where a query lies within, its point is there.
    np.testing.assert_array_equal(part.xy[1, 2], part.query_points[1, [2, 1]])
    # Without times of their own, frames would seem to begin at 0 s.
    np.testing.assert_allclose(part.time_s, np.arange(2, 8) / 25)
    assert part.fps == 25


def test_every_second_frame(tracks: Tracks) -> None:
    timed = replace(tracks, time_s=np.array([0, 1, 2, 3, 4, 5, 6, 70.0]))
    part = timed[1:, 1::2]
    assert (part.points, part.frames, part.fps) == (2, 4, 12.5)
    np.testing.assert_array_equal(part.time_s, [1, 3, 5, 70])
    np.testing.assert_array_equal(part.query_points[:, 0], [1.5, 3])
    np.testing.assert_array_equal(part.xy[1, 3], part.query_points[1, [2, 1]])
    one = timed[0, -1]
    assert one.xy.shape == (1, 1, 2)
    assert one.xy[0, 0, 0] == 7
    assert one.query_points[0, 0] == -7


def test_wrong_indices_are_refused(tracks: Tracks) -> None:
    for index in (3, (0, 8), (0, -9)):
        with pytest.raises(IndexError):
            tracks[index]
    for index in ((0, [1, 2]), (0, slice(None, None, -1)), (0, True)):
        with pytest.raises(UsageError, match="slice that goes forwards"):
            tracks[index]
    with pytest.raises(UsageError, match="two axes"):
        tracks[0, 0, 0]


def test_length_iteration_and_repr(tracks: Tracks) -> None:
    assert len(tracks) == 3
    assert [part.xy[0, 0, 0] for part in tracks] == [0, 100, 200]
    assert repr(tracks) == "<Tracks of 3 points in 8 frames, 25 fps, 50% visible>"
    assert repr(tracks[:0]) == "<Tracks of 0 points in 8 frames, 25 fps>"


def test_equality_looks_at_everything(tracks: Tracks) -> None:
    assert tracks == replace(tracks, xy=tracks.xy.copy())
    hidden = np.where(tracks.visible[..., None], tracks.xy, np.float32(np.nan))
    assert replace(tracks, xy=hidden) == replace(tracks, xy=hidden.copy())
    for other in (
        replace(tracks, xy=hidden),
        replace(tracks, fps=24.0),
        replace(tracks, time_s=np.arange(8.0)),
        replace(tracks, object_ids=None),
        replace(tracks, query_points=tracks.query_points + 1),
        tracks[:2],
        "tracks",
    ):
        assert tracks != other
    with pytest.raises(TypeError, match="unhashable"):
        hash(tracks)


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_load_gives_back_what_was_saved(tmp_path: Path, tracks: Tracks, suffix: str) -> None:
    timed = tracks[:, 1:]
    timed.save(tmp_path / f"t{suffix}")
    assert Tracks.load(tmp_path / f"t{suffix}") == timed
    assert Tracks.load(tmp_path / f"t{suffix}", fps=24) == replace(timed, fps=24.0)


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 60.0])
def test_a_csv_gives_back_all_but_the_queries(tmp_path: Path, tracks: Tracks, fps: float) -> None:
    saved = replace(tracks, fps=fps, time_s=np.arange(8) / fps)
    saved.save(tmp_path / "t.csv")
    back = Tracks.load(tmp_path / "t.csv")
    # Point 0 is first seen in frame 2, point 1 in frame 1, point 2 in frame 0.
    queries = np.array([[2, 0.5, 2], [1, 0.25, 101], [0, 0, 200]], np.float32)
    np.testing.assert_allclose(back.time_s, saved.time_s, atol=1e-6)
    assert back == replace(saved, query_points=queries, time_s=back.time_s)


def test_a_csv_of_uneven_frames_has_their_mean_rate(tmp_path: Path, tracks: Tracks) -> None:
    times = np.array([0, 0.04, 0.08, 0.5, 0.54, 0.6, 0.7, 0.7])
    replace(tracks, time_s=times).save(tmp_path / "t.csv")
    back = Tracks.load(tmp_path / "t.csv")
    np.testing.assert_array_equal(back.time_s, times)
    assert back.fps == 10


SPREADSHEET = "Y;X;frame;Visible\r\n1,5;10,25;1;TRUE\r\n\r\n0,5;9,25;0;FALSE\r\n"


@pytest.mark.parametrize(
    "data",
    [
        SPREADSHEET.encode("utf-8-sig"),
        SPREADSHEET.encode("utf-16"),
        ("sep=;\r\n" + SPREADSHEET).encode(),
        SPREADSHEET.replace(";", "\t").encode(),
        b"frame,x,y,visible\n0,9.25,.5,0\n1,10.25,1.5,1\n",
        b"# frame, x, y, visible\n0, 9.25, 0.5, 0\n1, 10.25, 1.5, 1\n",
    ],
)
def test_a_csv_of_other_programs(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    tracks = Tracks.load(tmp_path / "t.csv", fps=50)
    np.testing.assert_array_equal(tracks.xy, [[[9.25, 0.5], [10.25, 1.5]]])
    np.testing.assert_array_equal(tracks.visible, [[False, True]])
    np.testing.assert_array_equal(tracks.query_points, [[1, 1.5, 10.25]])
    assert (tracks.fps, tracks.time_s, tracks.object_ids) == (50, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,x,y\n0,1,2\n", "how many frames a second"),
        ("0,1,2\n", "names no columns"),
        ("frame,y\n0,1\n", "no column x"),
        ("frame,x,x,y\n0,1,2,3\n", "two of its columns are called x"),
        ("frame,x,y\n0,1,2\n2,1,2\n", "2 rows; 1 points in 3 frames are 3"),
        ("frame,x,y\n0,1,2\n0,1,2\n1,1,2\n1,1,2", "4 rows; 1 points in 2 frames are 2"),
        ("frame,point,x,y\n0,0,1,2\n0,0,1,2\n0,0,1,2\n1,1,1,2", "two rows are of the same"),
        ("frame,x,y\n-1,1,2\n", "frame must have whole numbers"),
        ("frame,x,y\n1e300,1,2\n", "frame goes up to"),
        ("frame,x,y\n9,1,2\n", "1 rows; 1 points in 10 frames"),
        ("frame,x,y\n0,one,2\n", "line 2: its x is not a number"),
        ("frame,x,y\n0,,2\n", "no position"),
        ("frame,x,y,confidence,time_s\n0,1,2,1.5,0\n1,1,2,0,1\n", "from 0 to 1"),
        ("frame,x,y,time_s\n0,1,2,3\n1,1,2,4\n2,1,2,3.5\n", "do not increase"),
        ("frame,x,y\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_a_csv_that_is_none_of_tracks(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        Tracks.load(tmp_path / "t.csv")
    assert "t.csv" in str(raised.value)


def test_pandas_gets_what_the_csv_has(tmp_path: Path, tracks: Tracks) -> None:
    pandas = pytest.importorskip("pandas")
    tracks.save(tmp_path / "t.csv")
    frame = tracks.to_pandas()
    read = pandas.read_csv(tmp_path / "t.csv")
    pandas.testing.assert_frame_equal(frame, read, check_dtype=False)
    assert [str(kind) for kind in frame.dtypes] == [
        *("int64", "Int64", "int64", "float32", "float32", "bool", "float32", "float64")
    ]


def test_without_pandas_it_says_what_to_install(
    tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    with pytest.raises(PackageMissingError, match=r"needs pandas.*pip install"):
        tracks.to_pandas()
