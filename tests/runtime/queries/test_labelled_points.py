"""Points that were labelled in DeepLabCut, SLEAP, COCO's format and CVAT, as queries."""

import json
from pathlib import Path

import numpy as np
import pytest
from moving_points import FACTS, moving_points

from locoexport.errors import QueryError
from locoexport.runtime.exchange.formats import export_tracks, find_format
from locoexport.runtime.queries.points import read_queries

ONE_ANIMAL = """scorer,ann,ann,ann,ann,ann,ann
bodyparts,snout,snout,paw,paw,tail,tail
coords,x,y,x,y,x,y
labeled-data/clip/img0012.png,10.0,20.5,,,,
labeled-data/clip/img0003.png,8.0,19.5,30.25,40,,
"""
# As DeepLabCut 2.2 and later: the row's name in three columns.
THREE_COLUMNS = """scorer,,,ann,ann,ann,ann
individuals,,,mouse1,mouse1,mouse2,mouse2
bodyparts,,,snout,snout,snout,snout
coords,,,x,y,x,y
labeled-data,clip,img007.png,1,2,3,4
labeled-data,clip,img009.png,5,6,7,8
"""
RESULT = """scorer,net,net,net,net,net,net
bodyparts,snout,snout,snout,paw,paw,paw
coords,x,y,likelihood,x,y,likelihood
0,1.0,2.0,0.1,3.0,4.0,0.2
1,1.5,2.5,0.9,3.5,4.5,0.3
"""


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        (ONE_ANIMAL, [[3, 20, 8.5], [3, 40.5, 30.75]]),
        (ONE_ANIMAL.replace(",", ";"), [[3, 20, 8.5], [3, 40.5, 30.75]]),
        (THREE_COLUMNS, [[7, 2.5, 1.5], [7, 4.5, 3.5]]),
        (RESULT, [[1, 3, 2], [0, 4.5, 3.5]]),
    ],
)
def test_deeplabcut_csv(tmp_path: Path, text: str, queries: list[list[float]]) -> None:
    (tmp_path / "CollectedData_ann.csv").write_text(text)
    np.testing.assert_array_equal(read_queries(tmp_path / "CollectedData_ann.csv"), queries)


@pytest.mark.parametrize("rows", [("labeled-data", "clip"), ()])
def test_deeplabcut_h5_as_pandas_writes_it(tmp_path: Path, rows: tuple[str, ...]) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    pytest.importorskip("h5py")
    names = [("ann", part, axis) for part in ("snout", "paw", "tail") for axis in "xy"]
    columns = pandas.MultiIndex.from_tuples(names, names=["scorer", "bodyparts", "coords"])
    images = ["img0012.png", "img0003.png"]
    index: object = [f"labeled-data/clip/{image}" for image in images]
    if rows:
        index = pandas.MultiIndex.from_tuples([(*rows, image) for image in images])
    values = [[10.0, 20.5, *[np.nan] * 4], [8.0, 19.5, 30.25, 40, np.nan, np.nan]]
    frame = pandas.DataFrame(values, index=index, columns=columns)
    frame.to_hdf(tmp_path / "CollectedData_ann.h5", key="df_with_missing", mode="w")
    np.testing.assert_array_equal(
        read_queries(tmp_path / "CollectedData_ann.h5"), [[3, 20, 8.5], [3, 40.5, 30.75]]
    )


@pytest.mark.parametrize("individuals", [False, True])
def test_deeplabcut_results_h5_as_deeplabcut_writes_it(tmp_path: Path, individuals: bool) -> None:
    """Results are in pandas' "table" layout, whose names of columns are pickled."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    pytest.importorskip("h5py")
    animal = ("mouse",) if individuals else ()
    names = [("net", *animal, part, axis) for part in ("a", "b") for axis in ("x", "y", "p")]
    names = [(*name[:-1], "likelihood" if name[-1] == "p" else name[-1]) for name in names]
    values = [[1.0, 2.0, 0.1, 3.0, 4.0, 0.2], [1.5, 2.5, 0.9, 3.5, 4.5, 0.3]]
    frame = pandas.DataFrame(values, columns=pandas.MultiIndex.from_tuples(names))
    path = tmp_path / "clipDLC_resnet50.h5"
    frame.to_hdf(path, key="df_with_missing", format="table", mode="w")
    np.testing.assert_array_equal(read_queries(path), [[1, 3, 2], [0, 4.5, 3.5]])


ANALYSIS_QUERIES = [[4, 2.5, 1.5], [9, 8.75, 8], [2, 61, 31]]


@pytest.mark.parametrize(
    "axes",
    [{}, {"preset": "standard"}, {"frame_dim": 1, "track_dim": 3, "node_dim": 0, "xy_dim": 2}],
)
def test_sleap_analysis_as_sleap_io_writes_it(tmp_path: Path, axes: dict[str, object]) -> None:
    sleap = pytest.importorskip("sleap_io")
    skeleton, one, other = sleap.Skeleton(["a", "b"]), sleap.Track("one"), sleap.Track("other")
    video = sleap.Video("clip.mp4", open_backend=False)
    nowhere = [np.nan, np.nan]
    places = [(4, one, [[1.0, 2.0], nowhere]), (7, one, [[10.0, 20.0], nowhere])]
    places += [(9, one, [[5.0, 6.0], [7.5, 8.25]]), (2, other, [[30.5, 60.5], nowhere])]
    frames = []
    for number, track, points in places:
        instance = sleap.PredictedInstance.from_numpy(np.array(points), skeleton, track=track)
        frames.append(sleap.LabeledFrame(video=video, frame_idx=number, instances=[instance]))
    labels = sleap.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[one, other])
    path = tmp_path / "labels.v001.analysis.h5"
    sleap.save_analysis_h5(labels, str(path), **axes)
    np.testing.assert_array_equal(read_queries(path), ANALYSIS_QUERIES)


@pytest.mark.parametrize("transposed", [True, False, None])
def test_sleap_analysis_of_before_axes_had_names(tmp_path: Path, transposed: bool | None) -> None:
    h5py = pytest.importorskip("h5py")
    places = np.full((2, 2, 10, 2), np.nan)  # tracks, nodes, frames, xy
    for track, node, frame, xy in ((0, 0, 4, (1, 2)), (0, 1, 9, (7.5, 8.25)), (0, 0, 9, (5, 6))):
        places[track, node, frame] = xy
    places[1, 0, 2] = (30.5, 60.5)
    places[1, 1, 3, 0] = 5.0  # half a place is none
    order = (2, 1, 3, 0) if transposed is False else (0, 3, 1, 2)
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = places.transpose(order)
        file["track_occupancy"] = np.zeros((10, 2))
        file["node_names"] = np.array([b"a", b"b"])
        if transposed is not None:
            file.attrs["transpose"] = transposed
    np.testing.assert_array_equal(read_queries(path), ANALYSIS_QUERIES)


@pytest.mark.parametrize(
    ("shape", "dims", "says"),
    [
        ((1, 2, 3, 5), None, "shape .*track, xy, node, frame"),
        ((1, 3, 2, 5), None, "shape .*track, xy, node, frame"),
        ((2, 2, 5), None, "shape"),
        ((1, 2, 2, 5), '["a", "xy", "node", "frame"]', "axes"),
        ((1, 2, 2, 5), "{", "not JSON"),
        ((1, 2, 2, 5), None, "holds no query points"),
    ],
)
def test_what_is_no_sleap_analysis(
    tmp_path: Path, shape: tuple[int, ...], dims: str | None, says: str
) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = np.full(shape, np.nan)
        file["track_occupancy"] = np.zeros((5, 1))
        file["node_names"] = np.array([b"a", b"b"])
        if dims is not None:
            file["tracks"].attrs["dims"] = dims
    with pytest.raises(QueryError, match=says):
        read_queries(path)


def test_sleap_labels_as_sleap_io_writes_them(tmp_path: Path) -> None:
    sleap = pytest.importorskip("sleap_io")
    skeleton, track = sleap.Skeleton(["a", "b"]), sleap.Track("one")
    video = sleap.Video("clip.mp4", open_backend=False)
    places = {7: [[10.0, 20.0], [np.nan, np.nan]], 4: [[1.0, 2.0], [np.nan, np.nan]]}
    places |= {9: [[5.0, 6.0], [7.5, 8.25]]}
    for tracked in (track, None):
        frames = []
        for number, points in places.items():
            instance = sleap.Instance.from_numpy(np.array(points), skeleton, track=tracked)
            guess = sleap.PredictedInstance.from_numpy(np.zeros((2, 2)), skeleton)
            labelled = sleap.LabeledFrame(video=video, frame_idx=number)
            labelled.instances = [guess, instance]
            frames.append(labelled)
        sleap.save_slp(sleap.Labels(frames), str(tmp_path / "l.slp"), verbose=False)
        queries = read_queries(tmp_path / "l.slp")
        np.testing.assert_array_equal(queries, [[4, 2.5, 1.5], [9, 8.75, 8]])


TWO_CLIPS = ONE_ANIMAL.replace("clip/img0003", "other/img0003")
TWO_TASKS = (
    "<annotations><track task_id='1'/><track task_id='1'/><track task_id='2'/></annotations>"
)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", TWO_CLIPS, r"2 folders, such as 'labeled-data/clip' and 'labeled-data/other'"),
        ("a.csv", THREE_COLUMNS.replace("clip,img009", "b,img009"), "images of 2 folders"),
        ("a.xml", TWO_TASKS, "several tasks; export the task of one clip"),
    ],
)
def test_labels_of_two_clips_are_not_mixed(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(QueryError, match=says):
        read_queries(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("a/frame_7.png", "b/frame_7.png"), "2 of its images are frame 7"),
        (("clip_1_1080.png", "clip_2_1080.png"), "2 of its images are frame 1080"),
        (("0cc175b9c0f1b6a8.png", "92eb5ffee6ae2fec.png"), "the frame of the image"),
    ],
)
def test_coco_images_that_do_not_say_their_frames(
    tmp_path: Path, names: tuple[str, str], says: str
) -> None:
    document = coco()
    for image, name in zip(document["images"], names, strict=True):
        image["file_name"] = name
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(QueryError, match=says):
        read_queries(tmp_path / "a.json")


def test_roboflows_names_of_images_say_their_frames(tmp_path: Path) -> None:
    document = coco()
    for image, number in zip(document["images"], (12, 10), strict=True):
        image["file_name"] = f"frame_{number:06d}_png.rf.3f2a0c9d8e7b6a5f4e3d2c1b0a998877.jpg"
    (tmp_path / "a.json").write_text(json.dumps(document))
    np.testing.assert_array_equal(
        read_queries(tmp_path / "a.json"), [[12, 2.5, 1.5], [10, 8.5, 7.5]]
    )


def coco(**track: object) -> dict[str, object]:
    return {
        "images": [
            {"id": 5, "file_name": "clip/frame_000012.png"},
            {"id": 6, "file_name": "clip/frame_000010.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 2]},
            {"id": 2, "image_id": 6, "category_id": 1, "keypoints": [5, 6, 1, 7, 8, 2]},
            {"id": 3, "image_id": 6, "category_id": 2, "bbox": [0, 0, 1, 1]},
        ],
    }


def test_coco_of_one_subject(tmp_path: Path) -> None:
    """Of the first keypoint frame 12 counts, for in 10 it is hidden."""
    path = tmp_path / "person_keypoints.json"
    path.write_text(json.dumps(coco()))
    np.testing.assert_array_equal(read_queries(path), [[12, 2.5, 1.5], [10, 8.5, 7.5]])


def test_coco_of_several_subjects(tmp_path: Path) -> None:
    document = coco()
    document["annotations"].append(
        {"id": 4, "image_id": 6, "category_id": 1, "keypoints": [9, 9, 2, 0, 0, 0]}
    )
    path = tmp_path / "c.json"
    path.write_text(json.dumps(document))
    everything = [[12, 2.5, 1.5], [12, 4.5, 3.5], [10, 6.5, 5.5], [10, 8.5, 7.5], [10, 9.5, 9.5]]
    np.testing.assert_array_equal(read_queries(path), everything)
    for annotation, track in zip(document["annotations"], (1, 1, 1, 2), strict=True):
        annotation["attributes"] = {"track_id": track}
    path.write_text(json.dumps(document))
    by_track = [[12, 2.5, 1.5], [10, 8.5, 7.5], [10, 9.5, 9.5]]
    np.testing.assert_array_equal(read_queries(path), by_track)


@pytest.mark.parametrize(("name", "to"), [("t.json", "coco"), ("t.xml", "cvat")])
def test_what_convert_writes_can_be_asked_again(tmp_path: Path, name: str, to: str) -> None:
    tracks = moving_points()
    export_tracks(tmp_path / name, tracks, FACTS, find_format(name, to))
    queries = read_queries(tmp_path / name)
    np.testing.assert_allclose(queries, tracks.query_points, atol=1e-4)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<track id="0" label="eye">
 <points frame="3" keyframe="1" outside="1" occluded="0" points="1.00,2.00"/>
 <points frame="4" keyframe="0" outside="0" occluded="0" points="3.00,4.00"/>
 <points frame="5" keyframe="1" outside="0" occluded="0" points="5.25,6.50;7,8"/>
 <points frame="6" keyframe="1" outside="0" occluded="0" points="9,9"/>
</track>
<track id="1" label="face">
 <skeleton frame="2" keyframe="1">
  <points label="a" keyframe="1" outside="0" points="1,2"/>
  <points label="b" keyframe="1" outside="1" points="3,4"/>
 </skeleton>
 <skeleton frame="8" keyframe="1">
  <points label="a" keyframe="1" outside="0" points="5,6"/>
  <points label="b" keyframe="1" outside="0" points="7,8"/>
 </skeleton>
</track>
<track id="2" label="car"><box frame="0" xtl="1" ytl="2" xbr="3" ybr="4"/></track>
<image id="11" name="frame_000011"><points label="eye" points="12.5,13.5;14,15"/></image>
</annotations>"""


def test_cvat_tracks_skeletons_and_images(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(CVAT)
    np.testing.assert_array_equal(
        read_queries(tmp_path / "annotations.xml"),
        [[5, 6.5, 5.25], [5, 8, 7], [2, 2, 1], [8, 8, 7], [11, 13.5, 12.5], [11, 15, 14]],
    )


def test_a_cvat_track_begins_where_it_is_seen(tmp_path: Path) -> None:
    shape = '<points frame="{}" keyframe="1" outside="0" occluded="{}" points="{},2"/>'
    tracks = [[(3, 1, 30), (4, 0, 40), (5, 0, 50)], [(6, 1, 60), (7, 1, 70)]]
    text = "".join(
        f"<track>{''.join(shape.format(*each) for each in track)}</track>" for track in tracks
    )
    (tmp_path / "a.xml").write_text(f"<annotations>{text}</annotations>")
    np.testing.assert_array_equal(read_queries(tmp_path / "a.xml"), [[4, 2, 40], [6, 2, 60]])


LAUGHS = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><annotations>&b;</annotations>"
OUTER = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotations/>"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xml", LAUGHS, "document type"),
        ("a.xml", OUTER, "document type"),
        ("a.xml", "<annotations>", "not XML"),
        ("a.xml", "", "not XML"),
        ("a.xml", '<?xml version="1.0" encoding="utf-9"?><annotations/>', "not XML: unknown encod"),
        ("a.xml", "<x>" * 200, "200|101"),
        ("a.xml", "<svg/>", "'svg', not CVAT"),
        ("a.xml", "<annotations/>", "no query points"),
        ("a.xml", "<annotations><points frame='x' points='1,2'/></annotations>", "frame 'x'"),
        ("a.xml", "<annotations><points frame='1' points='1'/></annotations>", "x,y;x,y"),
        ("a.csv", "scorer,a,a\nbodyparts,p,p\n", "no bodyparts and coords"),
        ("a.csv", ONE_ANIMAL.replace("img0012", "img"), "the frame of the image"),
        ("a.csv", ONE_ANIMAL.replace("10.0", "ten"), "line 4 holds something"),
        ("a.csv", "frame,object,point,x,y,visible\n0,,0,1,2,1\n", "these are tracks"),
        ("a.json", '{"images": [], "annotations": []}', "no query points"),
        ("a.json", '{"images": 1, "annotations": []}', "not a list of objects"),
        ("a.json", '{"images": [], "annotations": [1]}', "not a list of objects"),
        ("a.json", '{"images": [{"id": []}], "annotations": []}', "does not hold"),
        ("a.json", '{"images": [], "annotations": [{"keypoints": [1]}]}', "does not hold|three"),
    ],
)
def test_what_is_no_file_of_these(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(QueryError, match=says):
        read_queries(tmp_path / name)


@pytest.mark.parametrize("name", ["a.h5", "a.slp"])
def test_damaged_hdf5_is_told(tmp_path: Path, name: str) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(QueryError, match=name):
        read_queries(tmp_path / name)
    with h5py.File(tmp_path / name, "w") as file:
        file["x"] = 1
        file["frames"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(QueryError, match=r"holds neither|is not SLEAP"):
        read_queries(tmp_path / name)
