"""Rows of annotations: both published layouts, and what a broken row is told."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError
from locoexport.evaluation.datasets.csv_annotations import index_annotations, read_annotations

KINETICS = "abc_-defghij,10,20" + ",0.5,0.25,0" * 249 + ",0.75,1.5,1"


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_of_frames_as_they_are(tmp_path: Path) -> None:
    text = "\ufeffb.mp4,0.5,0.25,0,-0.1,1e-1,0\r\na,0,0,1.0\n\nb.mp4,1,0,1,nan,nan,1\n"
    path = written(tmp_path, text)
    videos = index_annotations(path)
    assert [(v.name, v.frames, v.resampled) for v in videos] == [("b", 2, False), ("a", 1, False)]
    assert [line for _, _, line in videos[0].rows] == [1, 4]
    points, occluded = read_annotations(path, videos[0])
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, [[[0.5, 0.25], [-0.1, 0.1]], [[1, 0], [np.nan, np.nan]]])
    assert occluded.tolist() == [[False, False], [True, True]]


def test_rows_of_ten_seconds(tmp_path: Path) -> None:
    path = written(tmp_path, f"{KINETICS}\n{KINETICS}")
    (video,) = index_annotations(path)
    assert (video.name, video.frames) == ("abc_-defghij_000010_000020", 250)
    assert video.resampled
    points, occluded = read_annotations(path, video)
    assert points.shape == (2, 250, 2)
    assert points[1, 0].tolist() == [0.5, 0.25]
    assert occluded.nonzero()[1].tolist() == [249, 249]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,0.5,0.5", "it has 3 columns"),
        ("a,0.5,0.5,0,1", "it has 5 columns"),
        ("a", "it has 1 columns"),
        ("video,x,y,occluded", "it holds 'x'; expected a number"),
        ("a,0.5,,0", "it holds ''; expected a number"),
        ("a,1_0,0.5,0", "underscore in a number"),
        ("a,0.5,0.5,2", "neither 0 nor 1"),
        ("a,0.5,0.5,nan", "neither 0 nor 1"),
        ("a,nan,0.5,0", "not occluded is far outside the video"),
        ("a,0.5,inf,0", "not occluded is far outside the video"),
        (",0.5,0.5,0", "it names no video"),
        ('"a,0.5,0.5,0', "it is not CSV in UTF-8"),
        (b"\xff,0.5,0.5,0", "it is not CSV in UTF-8"),
        ("good,0.5,0.5,0,0.5,0.5,0", "it has 2 frames of 'good', which had 1 in line 1"),
        (KINETICS.replace(",10,", ",1.5,", 1), "it names a second '1.5'"),
        (KINETICS.replace(",10,", ",-1,", 1), "it names a second '-1'"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, row: str | bytes, says: str) -> None:
    data = row.encode() if isinstance(row, str) else row
    path = written(tmp_path, b"good,0.5,0.5,0\n" + data + b"\n")
    with pytest.raises(InputError) as caught:
        index_annotations(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert says in str(caught.value)


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no row"):
        index_annotations(written(tmp_path, "\n,,\n"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ANNOTATION_BYTES", 20), ("ANNOTATION_ROW_BYTES", 10), ("ROWS", 1)],
)
def test_limits(tmp_path: Path, monkeypatch, variable: str, value: int) -> None:
    path = written(tmp_path, "a,0.5,0.5,0\na,0.5,0.5,0\n")
    monkeypatch.setenv(f"LOCOEXPORT_MAX_{variable}", str(value))
    with pytest.raises(InputError, match=f"set LOCOEXPORT_MAX_{variable}="):
        index_annotations(path)


def test_a_file_that_changed(tmp_path: Path) -> None:
    path = written(tmp_path, "a,0.5,0.5,0\n")
    (video,) = index_annotations(path)
    path.write_text("b,0.5,0.5,0\n")
    with pytest.raises(InputError, match="was changed while it was used"):
        read_annotations(path, video)
