"""Boxes from texts and files; no bytes end in anything but boxes or a QueryError."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locoexport.errors import QueryError
from locoexport.runtime.objects.box_files import (
    check_boxes,
    parse_box,
    read_boxes,
    read_or_parse_boxes,
)
from locoexport.runtime.objects.boxes import NO_OBJECT


def rows(found) -> list[tuple]:
    ids, trust = found.object_ids.tolist(), found.boxes.confidence.tolist()
    return list(zip(found.frames.tolist(), found.boxes.xyxy.tolist(), trust, ids, strict=True))


def test_a_box_in_words() -> None:
    assert rows(parse_box("60,30.5,120,95@12")) == [(12, [60, 30.5, 120, 95], 1, NO_OBJECT)]
    assert rows(parse_box(" 0, 0, 1, 1")) == [(0, [0, 0, 1, 1], 1, NO_OBJECT)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,4@x", "1,2,3,4@1.5", "1,2,3,4@-1"),
        *("3,2,1,4", "1,2,3,nan", "1,2,3,inf", "1,2,3,1e300", "1,2,3,4@1e30"),
    ],
)
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(QueryError, match="A box is x0,y0,x1,y1"):
        parse_box(text)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "1,2,3,4\n5,6,7,8\n", [(0, [1, 2, 3, 4], 1, -1), (0, [5, 6, 7, 8], 1, -1)]),
        ("a.csv", "9,1,2,3,4\n", [(9, [1, 2, 3, 4], 1, -1)]),
        (
            "a.csv",
            "\ufeffobject,name,X0,y0, x1 ,y1,confidence,frame\r\n"
            "3,me,1,2,3,4,0.5,7\r\n,,1,2,3,4,,8",
            [(7, [1, 2, 3, 4], 0.5, 3), (8, [1, 2, 3, 4], 1, -1)],
        ),
        ("a.csv", "frame,x0,y0,x1,y1\n0,,,,\n1,1,2,3,4\n", [(1, [1, 2, 3, 4], 1, -1)]),
        ("a.json", "[[1,2,3,4],[9,1,2,3,4]]", [(0, [1, 2, 3, 4], 1, -1), (9, [1, 2, 3, 4], 1, -1)]),
        (
            "a.json",
            '{"boxes": [{"x0":1,"y0":2,"x1":3,"y1":4,"object":2,"frame":5,"confidence":0.25},'
            '{"x0":null,"y0":null,"x1":null,"y1":null,"frame":6}], "more": 1}',
            [(5, [1, 2, 3, 4], 0.25, 2)],
        ),
    ],
)
def test_reads_text_files(tmp_path: Path, name: str, content: str, expected) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert rows(read_boxes(tmp_path / name)) == expected


def test_reads_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1, 2, 3, 4]]))
    assert rows(read_boxes(tmp_path / "a.npy")) == [(0, [1, 2, 3, 4], 1, -1)]
    np.save(tmp_path / "b.npy", np.array([[6, 1, 2, 3, 4]], np.float64))
    assert rows(read_boxes(tmp_path / "b.npy")) == [(6, [1, 2, 3, 4], 1, -1)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "1,2,3\n", "must have the columns"),
        ("a.csv", "1,2,3,4\n1,2,3\n", "line 2 is not a box: '1,2,3'"),
        ("a.csv", "1,2,3,4\n1,2,3,x\n", "line 2"),
        ("a.csv", "x0,y0,x1,y1\n1,2,3,\n", "line 2"),
        ("a.csv", "3,2,1,4\n", "Box 0 is"),
        ("a.csv", "-1,1,2,3,4\n", "frame = -1"),
        ("a.csv", "x0,y0,x1,y1,object\n1,2,3,4,0.5\n", "object = 0.5"),
        ("a.csv", "x0,y0,x1,y1,object\n1,2,3,4,2\n1,2,3,4,2\n", "Object 2 has 2 boxes in frame 0"),
        ("a.csv", "", "holds no boxes"),
        ("a.json", "[]", "holds no boxes"),
        ("a.json", "[[1,2,3,true]]", "box 0 is neither"),
        ("a.json", '[["1",2,3,4]]', "box 0 is neither"),
        ("a.json", "[[1,2,3]]", "box 0 is neither"),
        ("a.json", "{}", "does not hold boxes: 'boxes'"),
        ("a.json", '{"boxes": 3}', "must hold a list"),
        ("a.json", "[[1,2,3,4", "it is not JSON"),
        ("a.txt", "1,2,3,4", "boxes are read from .csv, .json, .npy files"),
    ],
)
def test_malformed_files(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(QueryError, match=says):
        read_boxes(tmp_path / name)


def test_files_and_words_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3,4\n")
    found = read_or_parse_boxes([str(tmp_path / "a.csv"), "5,6,7,8@2"])
    assert found.frames.tolist() == [0, 2]
    with pytest.raises(QueryError, match=r"Cannot read .*no\.csv"):
        read_or_parse_boxes([str(tmp_path / "no.csv")])
    assert len(read_or_parse_boxes([])) == 0


def test_an_object_in_two_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x0,y0,x1,y1,object\n1,2,3,4,1\n")
    with pytest.raises(QueryError, match="Object 1 has 2 boxes"):
        read_or_parse_boxes([str(tmp_path / "a.csv")] * 2)


def test_boxes_must_be_of_the_video() -> None:
    cut = check_boxes(parse_box("-3,2,9,50@4"), 5, 20, 30)
    assert rows(cut) == [(4, [0, 2, 9, 20], 1, -1)]
    with pytest.raises(QueryError, match="Box 0 is of frame 5; the video has 5 frames"):
        check_boxes(parse_box("1,2,3,4@5"), 5, 20, 30)
    with pytest.raises(QueryError, match="Box 0 is 31,2,33,4, which is outside"):
        check_boxes(parse_box("31,2,33,4"), 5, 20, 30)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.sampled_from(["boxes", "x0", "y0", "x1", "y1", "frame", "object"]), inner
        )
    ),
    max_leaves=25,
)
CELLS = st.sampled_from(["1", "-2", "0.5", "x0", "y0", "x1", "y1", "frame", "object", "", '"', "é"])
CSV = st.lists(st.lists(CELLS, max_size=8).map(",".join), max_size=6).map("\n".join)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.sampled_from([".csv", ".json", ".npy"]),
    st.binary(max_size=200)
    | st.builds(lambda value: json.dumps(value).encode(), JSON)
    | st.builds(str.encode, CSV)
    | st.binary(max_size=60).map(lambda tail: b"\x93NUMPY\x01\x00" + tail),
)
def test_any_bytes_are_boxes_or_a_query_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"boxes{suffix}"
    path.write_bytes(data)
    try:
        found = read_boxes(path)
    except QueryError as error:
        found, message = None, str(error)
    if found is None:
        assert str(path) in message
    else:
        assert len(found) > 0
        assert np.isfinite(found.boxes.xyxy).all()


@given(st.text(max_size=30) | st.from_regex(r"[-0-9.e]{1,4}(,[-0-9.e]{1,4}){3}(@[0-9]{1,3})?"))
def test_any_text_is_a_box_or_a_query_error(text: str) -> None:
    try:
        found = parse_box(text)
    except QueryError:
        return
    assert len(found) == 1
    assert np.isfinite(found.boxes.xyxy).all()


def test_boxes_of_one_frame_are_few(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "b.csv"
    path.write_text("0,1,1,2,2\n0,1,1,3,3\n1,1,1,2,2\n")
    monkeypatch.setenv("LOCOEXPORT_MAX_FRAME_BOXES", "2")
    assert len(read_boxes(path)) == 3
    monkeypatch.setenv("LOCOEXPORT_MAX_FRAME_BOXES", "1")
    with pytest.raises(QueryError, match="2 boxes in one frame, and at most 1"):
        read_boxes(path)


def test_a_long_line_is_quoted_short(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text(",".join(["1"] * 100_000))
    with pytest.raises(QueryError) as caught:
        read_boxes(path)
    assert len(str(caught.value)) < 500
