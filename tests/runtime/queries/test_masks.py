"""Masks, points in them, and points on corners."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locoexport.errors import QueryError
from locoexport.runtime.queries.masks import (
    MaskSource,
    erode_mask,
    grid_in_mask,
    parse_mask,
    read_mask,
)
from locoexport.runtime.queries.sources import PointSources, collect_points, feature_queries

MASK = np.zeros((20, 30), np.bool_)
MASK[4:12, 6:26] = True


def frame() -> np.ndarray:
    """A white square on black: four corners."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = 255
    return image


def write(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize(
    "image",
    [
        MASK.astype(np.uint8),
        MASK.astype(np.uint8) * 255,
        MASK.astype(np.uint16) * 3,
        np.stack([0 * MASK, 0 * MASK, MASK], axis=2).astype(np.uint8) * 9,
        np.stack([MASK | True] * 3 + [MASK], axis=2).astype(np.uint8) * 255,
    ],
    ids=["labels", "white", "16 bit", "one colour", "alpha"],
)
def test_reads_masks(image: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.png", image)), MASK)


def test_what_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="is empty"):
        read_mask(write(tmp_path / "black.png", np.zeros((3, 3), np.uint8)))
    with pytest.raises(QueryError, match="lossy"):
        read_mask(write(tmp_path / "m.jpg", MASK.astype(np.uint8)))
    with pytest.raises(QueryError, match="Cannot read"):
        read_mask(tmp_path / "no.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(QueryError, match="is not an image"):
        read_mask(tmp_path / "text.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.binary(max_size=100)
    | st.tuples(st.integers(0, 90), st.integers(0, 255)).map(
        lambda change: bytes(
            change[1] if index == change[0] else byte
            for index, byte in enumerate(cv2.imencode(".png", MASK.astype(np.uint8))[1].tobytes())
        )
    )
)
def test_any_bytes_are_a_mask_or_a_query_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(data)
    try:
        mask = read_mask(path)
    except QueryError:
        return
    assert mask.dtype == np.bool_
    assert mask.any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png", MaskSource(Path("a.png"))),
        ("a.png:4", MaskSource(Path("a.png"), 0, (4, 4))),
        ("a.png:4x5", MaskSource(Path("a.png"), 0, (4, 5))),
        ("a.png@7:grid:4", MaskSource(Path("a.png"), 7, (4, 4))),
        ("a@b.png@7", MaskSource(Path("a@b.png"), 7)),
    ],
)
def test_mask_texts(text: str, expected: MaskSource) -> None:
    assert parse_mask(text) == expected


def test_a_name_that_looks_like_more_is_the_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "m@3:4").write_text("")
    assert parse_mask(str(tmp_path / "m@3:4")) == MaskSource(tmp_path / "m@3:4")


@given(st.text(max_size=20))
def test_any_text_is_a_mask_source_or_a_query_error(text: str) -> None:
    try:
        source = parse_mask(text)
    except QueryError:
        return
    assert all(1 <= side <= 1000 for side in source.grid_hw)


def test_erosion_takes_pixels_nearer_than_that_to_the_outside() -> None:
    eroded = erode_mask(MASK, 2)
    expected = np.zeros_like(MASK)
    expected[6:10, 8:24] = True  # the first pixels outside are 1 and 2 pixels from the two lost
    np.testing.assert_array_equal(eroded, expected)
    np.testing.assert_array_equal(erode_mask(MASK, 0), MASK)
    np.testing.assert_array_equal(erode_mask(MASK, 50), MASK)  # nothing would be left
    np.testing.assert_array_equal(erode_mask(np.ones((5, 5), np.bool_), 2), np.ones((5, 5)))
    for wrong in (-1, float("nan")):
        with pytest.raises(QueryError, match="eroded by 0 pixels or more"):
            erode_mask(MASK, wrong)


def test_a_grid_in_a_mask() -> None:
    # The box is 20 wide and 8 high, from (6, 4).
    assert grid_in_mask(MASK, (1, 2)).tolist() == [[8, 11], [8, 21]]
    hole = MASK.copy()
    hole[:, 18:] = False
    assert grid_in_mask(hole, (1, 2), (6, 4, 26, 12)).tolist() == [[8, 11]]
    # Outside the frame there is nothing.
    assert grid_in_mask(MASK, (1, 2), (6, 4, 66, 12)).tolist() == [[8, 21]]


def test_all_pixels_where_the_grid_misses() -> None:
    ring = np.zeros((9, 9), np.bool_)
    ring[0], ring[-1] = True, True
    assert len(grid_in_mask(ring, (1, 1))) == 18
    two = np.zeros((9, 9), np.bool_)
    two[1, 1] = two[7, 7] = True
    # Of the pixels in the box, where there are any.
    assert grid_in_mask(two, (1, 1), (0, 0, 4, 4)).tolist() == [[1.5, 1.5]]
    assert grid_in_mask(two, (1, 1), (3, 3, 5, 5)).tolist() == [[1.5, 1.5], [7.5, 7.5]]


def test_features_are_corners_at_pixel_centres() -> None:
    found = feature_queries(frame(), 10)
    corners = np.array([[10.5, 20.5], [10.5, 39.5], [29.5, 20.5], [29.5, 39.5]])
    distance = np.abs(found[:, None, 1:] - corners).max(axis=2)
    assert len(found) == 4
    assert (distance.min(axis=0) <= 1).all()
    assert (found[:, 0] == 0).all()
    with pytest.raises(QueryError, match="flat"):
        feature_queries(np.zeros((9, 9, 3), np.uint8), 3)
    with pytest.raises(QueryError, match="1 to 100000"):
        feature_queries(frame(), 0)


def test_all_sources_together_in_order(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:40] = 1
    (tmp_path / "q.csv").write_text("3,4,5\n")
    sources = PointSources(
        points="grid:1x2",
        queries=("1,2,3",),
        query_file=tmp_path / "q.csv",
        masks=(f"{write(tmp_path / 'm.png', mask)}@2:1",),
        features=1,
    )
    points = collect_points(sources, 40, 60, frame)
    assert points[:-1].tolist() == [[0, 20, 15], [0, 20, 45], [1, 2, 3], [3, 4, 5], [2, 20, 30]]
    assert points.dtype == np.float32
    assert len(points) == 6
    assert len(collect_points(PointSources(), 40, 60, frame)) == 0
    assert not PointSources().given


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    path = write(tmp_path / "m.png", MASK.astype(np.uint8))
    with pytest.raises(QueryError, match="has 30x20 pixels and the video 60x40"):
        collect_points(PointSources(masks=(str(path),)), 40, 60, frame)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".pgm", ".pam"])
def test_a_mask_may_be_of_any_lossless_kind(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"m{suffix}", MASK.astype(np.uint8) * 255)
    np.testing.assert_array_equal(read_mask(path), MASK)


def test_a_mask_is_measured_before_it_is_decoded(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "m.png", MASK.astype(np.uint8))
    monkeypatch.setenv("LOCOEXPORT_MAX_MASK_PIXELS", "600")
    assert read_mask(path).shape == (20, 30)
    monkeypatch.setenv("LOCOEXPORT_MAX_MASK_PIXELS", "599")
    monkeypatch.setattr(cv2, "imdecode", None)  # would raise TypeError
    with pytest.raises(QueryError, match=r"m\.png has 600 pixels, and at most 599"):
        read_mask(path)


def test_a_lossy_image_is_known_by_its_bytes(tmp_path: Path) -> None:
    write(tmp_path / "m.jpg", MASK.astype(np.uint8)).rename(tmp_path / "m.png")
    with pytest.raises(QueryError, match="lossy image, whatever its name"):
        read_mask(tmp_path / "m.png")
