"""CSV of many programs is one table; what could be read in two ways is refused."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError, QueryError
from locoexport.machine.reading.tables import read_table
from locoexport.runtime.queries.points import read_queries

TWO = [[0, 10.5, 20.5], [3, 11, 21]]


@pytest.mark.parametrize(
    "content",
    [
        b"0,10.5,20.5\n3,11,21\n",
        b"0;10,5;20,5\r\n3;11,0;21,0\r\n",
        b"0\t10,5\t20,5\n3\t11\t21\n",
        b"0 10.5   20.5\n 3 11 21 \n",
        b"0.000e+00 1.050e+01 2.050e+01\n3.0 11.0 21.0\n",
        b"# t y x\n0 10.5 20.5\n3 11 21\n",
        b"# t,y,x\n0,10.5,20.5\n3,11,21\n",
        b"# points of Monday\n#by hand\nt,y,x\n0,10.5,20.5\n3,11,21\n",
        b"x,y,frame\n20.5,10.5,0\n21,11,3\n",
        b'"frame", "x", "y"\n"0", "20.5", "10.5"\n"3", "21", "11"\n',
        b",frame,x,y\n0,0,20.5,10.5\n1,3,21,11\n",
        b"t,frame,x,y\n0.00,0,20.5,10.5\n3.0,3,21,11\n",
        b"Frame,X (px),Y [pixels],y_mm\n0,20.5,10.5,7\n3,21,11,8\n",
        b"frame,x_px,y_px\n0,20.5,10.5\n3,21,11\n",
        b't,y,x\n"0","10,5","20,5"\n"3","11,0","21,0"\n',
        b"\n  \nt;y;x;\n0;10,5;20,5;\n\n3;11;21;\n",
        b'"sep=;"\r\nt;y;x\r\n0;10,5;20,5\r\n3;11;21\r\n',
        b"t,y,x\r0,10.5,20.5\r3,11,21\r",
        "Größe;t;y;x\n1;0;10,5;20,5\n1;3;11;21\n".encode("latin-1"),
        "t,y,x\r\n0,10.5,20.5\r\n3,11,21\r\n".encode("utf-16-le"),
        "t,y,x\r\n0,10.5,20.5\r\n3,11,21\r\n".encode("utf-16-be"),
        "\ufefft;y;x\r\n0;10,5;20,5\r\n3;11;21\r\n".encode("utf-16-le"),
        "t,y,x\n0,10.5,20.5\n3,11,21\n".encode("utf-32"),
        "\ufefft,y,x\n0,10.5,20.5\n3,11,21\n".encode(),
    ],
)
def test_all_of_these_are_the_same_points(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    np.testing.assert_array_equal(read_queries(tmp_path / "a.csv"), TWO)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("t,y,x\n0,10,5,20,5\n", "line 2 has 5 values where the first has 3: .*decimal comma"),
        ("0,10,20\n3,10,5,21,5\n", "line 2 has 5 values where the first has 3"),
        ('"frame","x","y"\n"1",3,20.5,10.5\n', "line 2 has 4 values .*row numbers a name"),
        ("t;y;x\n0;1,234;20.5\n", "line 2 has the number '1,234' and line 2 '20.5'"),
        ("t;y;x\n0;10.5;20\n3;11,5;20\n", "line 3 has the number '11,5' and line 2 '10.5'"),
        ('t,y,x\n0,"1,234",20\n', r"'1,234', which may mean 1234 or 1\.234"),
        ("0,1,2\n0,10.5,20.5\n", "line 1 is 0,1,2: a point, or the numbers that pandas gives"),
        ("frame,point,x,y\n0,0,1,2\n1,0,2,3\n", "these are tracks, not queries"),
        ("a,b,c\n0,10,20\n", "its header is 'a,b,c'; it must name t, y and x"),
        ("time,x,y\n0,10,20\n", "must name t, y and x"),
        ("frame,x (mm),y (mm)\n0,10,20\n", "must name t, y and x"),
        ("t,x,y,x_px\n0,1,2,3\n", "two of its columns are called x"),
        ("t,frame,x,y\n0,0,1,2\n0.12,3,1,2\n", "line 3 has t = 0.12 and frame = 3"),
        ("t,y,x\n0,,20\n", "line 2 is not t,y,x"),
        ("t;y;x\n0;1.234,5;20\n", "line 2 is not t,y,x"),
    ],
)
def test_what_could_be_misread_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(QueryError, match=says):
        read_queries(tmp_path / "a.csv")


def test_one_point_may_be_0_1_2_and_a_named_one_always(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content in ("0,1,2\n", "0.0,1,2\n3,4,5\n", "t,y,x\n0,1,2\n3,4,5\n"):
        path.write_text(content)
        np.testing.assert_array_equal(read_queries(path)[0], [0, 1, 2])


def test_points_with_names_of_their_own_are_queries(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("point,frame,x,y\nnose,0,20.5,10.5\near,3,21,11\n")
    np.testing.assert_array_equal(read_queries(path), TWO)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\n\nt;y;x\n\n0;1;2;3\n")
    with pytest.raises(InputError, match="line 5 has 4 values"):
        read_table(path)
