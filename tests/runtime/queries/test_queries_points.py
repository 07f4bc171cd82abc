import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locoexport.errors import QueryError, UsageError
from locoexport.runtime.queries.points import (
    check_order,
    check_queries,
    grid_queries,
    parse_points,
    parse_query,
    read_queries,
)

POINTS = np.array([[0, 10.5, 20.25], [3.5, 0, 7]], np.float32)


def test_grid_is_cell_centres_row_by_row() -> None:
    grid = grid_queries(2, 40, 80)
    assert grid.dtype == np.float32
    np.testing.assert_array_equal(grid, [[0, 10, 20], [0, 10, 60], [0, 30, 20], [0, 30, 60]])
    np.testing.assert_array_equal(parse_points("grid:2").queries(40, 80), grid)
    np.testing.assert_array_equal(grid_queries(1, 5, 7), [[0, 2.5, 3.5]])


def test_grid_of_rows_by_columns() -> None:
    grid = parse_points("grid:1x3").queries(40, 60)
    np.testing.assert_array_equal(grid, [[0, 20, 10], [0, 20, 30], [0, 20, 50]])
    np.testing.assert_array_equal(grid_queries(1, 40, 60, columns=3), grid)


@pytest.mark.parametrize(
    "text",
    [
        *("grid:0", "grid:-1", "grid:1001", "grid:", "8", "grid:1e2", "mesh:3", "grid:٣"),
        *("grid:2x", "grid:x2", "grid:2x0", "grid:2x1001", "grid:2X3", "grid:2x3x4"),
    ],
)
def test_bad_points_text(text: str) -> None:
    with pytest.raises(QueryError, match="grid:N"):
        parse_points(text)


def test_parse_query() -> None:
    point = parse_query("3, 120.5,64")
    assert point.dtype == np.float32
    assert point.tolist() == [3, 120.5, 64]
    for text in ("1,2", "1,2,3,4", "a,b,c", "", "1;2;3"):
        with pytest.raises(QueryError, match="A query is t,y,x"):
            parse_query(text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "0,10.5,20.25\n3.5,0,7\n"),
        ("header.csv", "t,y,x\r\n0,10.5,20.25\r\n3.5,0,7\r\n"),
        ("bom.csv", "\ufeffT, Y ,X\n0,10.5,20.25\n\n3.5,0,7"),
        ("reordered.csv", "name,x,y,t\na,20.25,10.5,0\nb,7,0,3.5\n"),
        ("list.json", "[[0, 10.5, 20.25], [3.5, 0, 7]]"),
        ("object.json", '{"query_points_tyx": [[0, 10.5, 20.25], [3.5, 0, 7]], "more": 1}'),
    ],
)
def test_reads_text_files(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    points = read_queries(path)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, POINTS)


def test_reads_npy_of_any_number_type(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", POINTS.astype(np.float64))
    np.testing.assert_array_equal(read_queries(tmp_path / "a.npy"), POINTS)
    np.save(tmp_path / "b.npy", np.array([[1, 2, 3]]))
    np.testing.assert_array_equal(read_queries(tmp_path / "b.npy"), [[1, 2, 3]])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "0,1,2\n0,one,2\n", "line 2 is not t,y,x: '0,one,2'"),
        ("a.csv", "0,1,2\n0,1\n", "line 2"),
        ("a.csv", "0,1,2,3\n", "4 columns"),
        ("a.csv", "time,y,x\n0,1,2\n", "its header is 'time,y,x'"),
        ("a.csv", "", "no query points"),
        ("a.csv", "t,y,x\n", "no query points"),
        ("a.json", "[]", "no query points"),
        ("a.json", "[[1, 2]]", r"shape \(1, 2\)"),
        ("a.json", "[[1, 2, 3], [1, 2]]", "a.json"),
        ("a.json", '[["1", "2", "3"]]', "list of"),
        ("a.json", "[[true, 2, 3]]", "list of"),
        ("a.json", '{"points": []}', "query_points_tyx"),
        ("a.json", "[[1, 2,", "it is not JSON"),
        ("a.json", "[" * 100_000, "it is not JSON: it is nested"),
        ("a.npy", "not numpy", "does not hold query points"),
        ("a.txt", "0,1,2", r"\.csv, \.json, \.npy"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(QueryError, match=says) as caught:
        read_queries(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="No such file"):
        read_queries(tmp_path / "absent.csv")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(QueryError, match="not of plain numbers"):
        read_queries(tmp_path / "objects.npy")
    with open(tmp_path / "archive.npy", "wb") as file:
        np.savez(file, points=POINTS)
    with pytest.raises(QueryError, match="archive"):
        read_queries(tmp_path / "archive.npy")


_CSV_LIKE = st.text(alphabet='0123456789.,-+einf"\n\r\0 txy', max_size=60).map(str.encode)
_JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())
_NPY_LIKE = st.binary(max_size=80).map(lambda tail: b"\x93NUMPY\x01\x00" + tail)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from([".csv", ".json", ".npy"]),
    st.one_of(st.binary(max_size=80), _CSV_LIKE, _JSON_LIKE, _NPY_LIKE),
)
def test_any_bytes_are_points_or_a_query_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    try:
        points = read_queries(path)
    except QueryError:
        return
    assert points.dtype == np.float32
    assert points.ndim == 2
    assert points.shape[1] == 3
    assert len(points) > 0


def test_check_accepts_the_borders_and_converts() -> None:
    points = check_queries([[0, 0, 0], [4, 48, 40], [3.25, 1, 2]], 5, 48, 40)
    assert points.dtype == np.float32
    assert points.shape == (3, 3)


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ([5, 1, 1], "point 1 has t = 5; the video has 5 frames of 48x40, so t must be from 0 to 4"),
        ([-0.5, 1, 1], "t = -0.5"),
        ([4.01, 1, 1], "t = 4.01"),
        ([0, 48.5, 1], "y = 48.5.*from 0 to 48"),
        ([0, -1, 1], "y = -1"),
        ([0, 1, 41], "x = 41.*from 0 to 40"),
        ([0, np.nan, 1], "y = nan"),
        ([np.inf, 1, 1], "t = inf"),
        ([0, 1, 1e300], "x = inf"),
    ],
)
def test_check_names_what_is_outside(point: list[float], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        check_queries([[0, 1, 1], point], 5, 48, 40)


def test_check_refuses_shapes_and_nothing_at_all() -> None:
    with pytest.raises(QueryError, match="no query points"):
        check_queries(np.zeros((0, 3), np.float32), 5, 48, 40)
    with pytest.raises(QueryError, match=r"shape \(3,\)"):
        check_queries([0, 1, 2], 5, 48, 40)
    with pytest.raises(QueryError, match="numbers"):
        check_queries([["a", "b", "c"]], 5, 48, 40)
    with pytest.raises(QueryError, match="1 more points are wrong"):
        check_queries([[9, 1, 1], [0, 99, 1]], 5, 48, 40)


@pytest.mark.parametrize(
    "data",
    [
        "t;y;x\r\n0;10,5;20,25\r\n3,5;0;7\r\n".encode("utf-8-sig"),
        b"frame,x,y\n0,20.25,10.5\n3.5,7,0\n",
        "X\tY\tFrame\n20,25\t10,5\t0\n7\t0\t3,5\n".encode("utf-16"),
        b"# t,y,x\n0,10.5,20.25\n3.5,0,7\n",
        b"0;10,5;20,25\n3,5;0;7\n",
        b"id,frame,t,y,x\n9,0,0,10.5,20.25\n9,3.5,3.5,0,7\n",
    ],
)
def test_csv_of_other_programs(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "q.csv").write_bytes(data)
    np.testing.assert_array_equal(read_queries(tmp_path / "q.csv"), POINTS)


def test_another_order_counts_where_nothing_names_the_numbers(tmp_path: Path) -> None:
    txy = POINTS[:, [0, 2, 1]]
    np.save(tmp_path / "q.npy", txy)
    (tmp_path / "q.json").write_text(json.dumps(txy.tolist()))
    (tmp_path / "q.csv").write_text("0,20.25,10.5\n3.5,7,0\n")
    for name in ("q.npy", "q.json", "q.csv"):
        np.testing.assert_array_equal(read_queries(tmp_path / name, "txy"), POINTS)
    (tmp_path / "q.json").write_text(json.dumps({"query_points_tyx": POINTS.tolist()}))
    (tmp_path / "q.csv").write_text("t,y,x\n0,10.5,20.25\n3.5,0,7\n")
    for name in ("q.json", "q.csv"):
        np.testing.assert_array_equal(read_queries(tmp_path / name, "txy"), POINTS)
    np.testing.assert_array_equal(parse_query("0,20.25,10.5", "txy"), POINTS[0])
    with pytest.raises(QueryError, match="A query is t,x,y"):
        parse_query("0,1", "txy")
    with pytest.raises(UsageError, match="tyx or txy, not 'xyt'"):
        check_order("xyt")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([0, 2, 1], "inside as t,x,y.*--query-order"),
        ([2, 1, 0], "inside as x,y,t.*header line: x,y,t"),
        ([1, 2, 0], "inside as y,x,t.*header line: y,x,t"),
    ],
)
def test_numbers_in_another_order_are_recognised(columns: list[int], says: str) -> None:
    points = np.array([[3, 90, 300], [9, 5, 10]], np.float32)
    check_queries(points, 10, 100, 320)
    with pytest.raises(QueryError, match=says):
        check_queries(points[:, columns], 10, 100, 320)
    with pytest.raises(QueryError) as raised:
        check_queries(points * 10, 10, 100, 320)
    assert "inside as" not in str(raised.value)
