"""Files of objects, and TAP-Vid's pickles, which never run what is in them."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from bombs import Bomb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locoexport.errors import InputError, UsageError
from locoexport.runtime.objects.box_files import read_boxes
from locoexport.runtime.objects.object_files import (
    read_object_tracks,
    write_boxes,
    write_object_tracks,
)
from locoexport.runtime.objects.tracked import ObjectTracks, TrackedObject
from locoexport.runtime.tracks.tapvid import TapVidClip, read_tapvid, write_tapvid
from locoexport.runtime.tracks.tracks import Tracks

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 10, 20, 3), np.uint8)


@pytest.fixture
def found() -> ObjectTracks:
    rng = np.random.default_rng(1)
    tracks = Tracks(
        rng.uniform(0, 10, (2, 3, 2)).astype(np.float32),
        np.array([[True, False, True], [True, True, True]]),
        rng.uniform(0, 1, (2, 3)).astype(np.float32),
        np.array([[0, 1, 2], [1, 3, 4]], np.float32),
        12.5,
    )
    boxes = np.array([[1, 2, 3, 4], [np.nan] * 4, [0.1, 2, 3.7, 4]], np.float32)
    hull = np.array([[1, 2], [3, 2], [2, 4]], np.float32)
    item = TrackedObject(
        5,
        boxes,
        np.array([1, 0, 2], np.uint8),
        np.array([0.3, 0, 1], np.float32),
        (hull, hull[:0], hull + 1),
    )
    return ObjectTracks(tracks, np.array([5, -1], np.int64), (item,))


def test_npz_is_read_as_it_was_written(found: ObjectTracks, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_object_tracks(path, found, FRAMES, "clip")
    again = read_object_tracks(path)
    np.testing.assert_array_equal(again.tracks.xy, found.tracks.xy)
    np.testing.assert_array_equal(again.object_ids, found.object_ids)
    for name in ("boxes_xyxy", "source", "confidence"):
        one, other = getattr(again.objects[0], name), getattr(found.objects[0], name)
        np.testing.assert_array_equal(one, other)
    hulls = zip(again.objects[0].hulls_xy, found.objects[0].hulls_xy, strict=True)
    assert all((one == other).all() for one, other in hulls)
    assert again.objects[0].object_id == 5
    with np.load(path) as arrays:
        assert arrays["boxes_xyxy"].shape == (1, 3, 4)
        assert arrays["box_source"].tolist() == [[1, 0, 2]]
        assert arrays["hull_starts"].tolist() == [0, 3, 3, 6]


def test_no_objects_in_npz(found: ObjectTracks, tmp_path: Path) -> None:
    none = ObjectTracks(found.tracks, np.array([-1, -1], np.int64), ())
    write_object_tracks(tmp_path / "a.npz", none, FRAMES, "clip")
    assert read_object_tracks(tmp_path / "a.npz").objects == ()


def test_csv_has_a_row_a_frame_and_point(found: ObjectTracks, tmp_path: Path) -> None:
    write_object_tracks(tmp_path / "a.csv", found, FRAMES, "clip")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["frame", "object", "point", "x", "y", "visible", "confidence", "time_s"]
    assert [row[:3] for row in rows[1:4]] == [["0", "5", "0"], ["0", "", "1"], ["1", "5", "0"]]
    assert [row[5] for row in rows[1:]] == ["1", "1", "0", "1", "1", "1"]
    assert np.float32(rows[1][3]) == found.tracks.xy[0, 0, 0]


def test_json_holds_the_same(found: ObjectTracks, tmp_path: Path) -> None:
    write_object_tracks(tmp_path / "a.json", found, FRAMES, "clip")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["schema"] == "locoexport.object-tracks/1"
    assert np.array_equal(np.float32(document["tracks_xy"]), found.tracks.xy)
    (item,) = document["objects"]
    assert item["boxes_xyxy"] == [[1, 2, 3, 4], None, [0.1, 2, 3.7, 4]]
    assert item["source"] == ["detected", "lost", "tracked"]
    assert document["object_ids"] == [5, -1]


@pytest.mark.parametrize("time_s", [None, np.array([0.0, 0.04, 0.24])])
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_boxes_can_be_given_again(
    name: str, time_s: np.ndarray | None, found: ObjectTracks, tmp_path: Path
) -> None:
    write_boxes(tmp_path / name, found.objects, time_s)
    assert ("0.24" in (tmp_path / name).read_text()) == (time_s is not None)
    again = read_boxes(tmp_path / name)
    assert again.frames.tolist() == [0, 2]
    assert again.object_ids.tolist() == [5, 5]
    np.testing.assert_array_equal(again.boxes.xyxy, found.objects[0].boxes_xyxy[[0, 2]])
    np.testing.assert_array_equal(again.boxes.confidence, np.float32([0.3, 1]))


def test_other_suffixes(found: ObjectTracks, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"written as \.npz, \.csv, \.json, \.pkl"):
        write_object_tracks(tmp_path / "a.txt", found, FRAMES, "clip")
    with pytest.raises(UsageError, match=r"written as \.csv, \.json"):
        write_boxes(tmp_path / "a.npz", found.objects)
    with pytest.raises(InputError, match=r"read from \.npz"):
        read_object_tracks(tmp_path / "a.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_npz_is_an_input_error(data, found: ObjectTracks, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_object_tracks(path, found, FRAMES, "clip")
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    path.write_bytes(
        data.draw(
            st.sampled_from([whole[:place], whole[:place] + bytes([byte]) + whole[place + 1 :]])
        )
    )
    try:
        read_object_tracks(path)
    except InputError:
        return


def test_tapvid_layout(found: ObjectTracks, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    write_object_tracks(path, found, FRAMES, "clip")
    with open(path, "rb") as file:
        document = pickle.load(file)  # as TAP-Vid's own tools do
    (clip,) = document.values()
    assert list(document) == ["clip"]
    assert sorted(clip) == ["occluded", "points", "video"]
    np.testing.assert_array_equal(clip["video"], FRAMES)
    np.testing.assert_allclose(clip["points"] * (20, 10), found.tracks.xy, rtol=1e-6)
    np.testing.assert_array_equal(clip["occluded"], ~found.tracks.visible)
    again = read_tapvid(path)["clip"]
    np.testing.assert_array_equal(again.points, clip["points"])


def test_tapvid_of_other_protocols_lists_and_float64(tmp_path: Path) -> None:
    clip = {"video": FRAMES, "points": np.zeros((1, 3, 2)), "occluded": np.zeros((1, 3), np.int64)}
    for protocol in (3, 4, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps([clip, clip], protocol=protocol))
        again = read_tapvid(tmp_path / "a.pkl")
        assert list(again) == ["0", "1"]
        assert again["1"].points.dtype == np.float64  # a benchmark's positions are not rounded
        assert again["1"].occluded.dtype == np.bool_


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_reading_a_pickle_runs_nothing(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"clip": Bomb(tmp_path / "harm")}, protocol=protocol))
    with pytest.raises(InputError, match=r"wants to make \w+\.mkdir"):
        read_tapvid(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "document",
    [
        *(3, {"a": 3}, {"a": {}}, {"a": {"video": 1, "points": 2, "occluded": 3}}, "text", None),
        {"a": {"video": FRAMES, "points": np.array(["x"]), "occluded": np.zeros((1, 3))}},
        {"a": {"video": FRAMES, "points": np.zeros((1, 2, 2)), "occluded": np.zeros((1, 3))}},
    ],
    ids=range(8),
)
def test_pickles_of_something_else(document, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(document))
    with pytest.raises(InputError, match=r"a\.pkl"):
        read_tapvid(tmp_path / "a.pkl")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_any_bytes_are_clips_or_an_input_error(data, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    small = TapVidClip(
        FRAMES[:, :1, :1], np.zeros((1, 3, 2), np.float32), np.zeros((1, 3), np.bool_)
    )
    write_tapvid(path, {"a": small})
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole if data.draw(st.booleans()) else data.draw(st.binary(max_size=60)))
    try:
        read_tapvid(path)
    except InputError:
        return
