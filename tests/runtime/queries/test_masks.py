"""Masks, points in them, and points on corners."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from locoexport.errors import QueryError
from locoexport.runtime.queries.masks import (
    MaskSource,
    erode_mask,
    grid_in_mask,
    parse_mask,
    read_mask,
    read_mask_objects,
)
from locoexport.runtime.queries.sources import (
    PointSources,
    collect_asked_points,
    collect_points,
    feature_queries,
)

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


DAVIS_PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def palette_png(path: Path, indices: np.ndarray, palette: list[int], bits: int = 8) -> Path:
    """A PNG as Pillow writes it, which filters and packs as others do."""
    image = Image.fromarray(indices.astype(np.uint8), mode="P")
    image.putpalette(palette)
    image.save(path, bits=bits)
    return path


def two_objects() -> np.ndarray:
    """Object 1 at the left, object 3 at the right, in 40x60 pixels."""
    indices = np.zeros((40, 60), np.uint8)
    indices[4:24, 2:22] = 1
    indices[10:30, 36:56] = 3
    return indices


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_palette_has_an_object_an_index(tmp_path: Path, bits: int) -> None:
    path = palette_png(tmp_path / "00000.png", two_objects(), DAVIS_PALETTE, bits)
    found = read_mask_objects(path)
    assert [name for name, _ in found] == [1, 3]
    for name, mask in found:
        np.testing.assert_array_equal(mask, two_objects() == name)
    np.testing.assert_array_equal(read_mask(path), two_objects() > 0)


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
def test_points_are_spread_in_each_object_and_know_it(tmp_path: Path) -> None:
    path = palette_png(tmp_path / "m.png", two_objects(), DAVIS_PALETTE)
    sources = PointSources(queries=("0,1,1",), masks=(f"{path}@7:2",))
    asked = collect_asked_points(sources, 40, 60, frame)
    np.testing.assert_array_equal(asked.object_ids, [-1, 1, 1, 1, 1, 3, 3, 3, 3])
    # The centres of 2x2 cells of what is left of each object 2 px from its edge.
    left = [[7, 9, 7], [7, 9, 17], [7, 19, 7], [7, 19, 17]]
    right = [[7, 15, 41], [7, 15, 51], [7, 25, 41], [7, 25, 51]]
    np.testing.assert_allclose(asked.query_points_tyx, [[0, 1, 1], *left, *right], atol=1.01)
    assert collect_asked_points(PointSources(points="grid:2"), 40, 60, frame).object_ids is None


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
def test_what_a_palette_has_besides_objects(tmp_path: Path) -> None:
    """Black is outside wherever it stands, VOC's border is of nobody, shades are one object."""
    swapped = two_objects()
    swapped[two_objects() == 0], swapped[two_objects() == 1] = 1, 0
    path = palette_png(tmp_path / "a.png", swapped, [128, 0, 0, 0, 0, 0, 0, 9, 0, 9, 9, 0])
    assert [(name, int(mask.sum())) for name, mask in read_mask_objects(path)] == [
        (0, 400),
        (3, 400),
    ]
    bordered = two_objects()
    bordered[3, 2:22] = 255
    voc = DAVIS_PALETTE + [0] * (765 - len(DAVIS_PALETTE)) + [224, 224, 192]
    names = [name for name, _ in read_mask_objects(palette_png(tmp_path / "b.png", bordered, voc))]
    assert names == [1, 3]
    one = palette_png(tmp_path / "c.png", two_objects() == 3, DAVIS_PALETTE)
    shades = np.arange(2400).reshape(40, 60) % 256
    grey = palette_png(tmp_path / "d.png", shades, np.repeat(np.arange(256), 3).tolist())
    labels = write(tmp_path / "e.png", two_objects())
    for path in (one, grey, labels):
        ((name, mask),) = read_mask_objects(path)
        assert name is None
        np.testing.assert_array_equal(mask, read_mask(path))
