"""``examples/face_parsing_segmenter.py``, with small networks made here."""

import sys
from pathlib import Path

import numpy as np
import pytest
from face_parser_file import write_face_parser

from locoexport.errors import InputError, UsageError
from locoexport.runtime.objects.gaps import object_points

EXAMPLES = Path(__file__).parents[3] / "examples"
HEIGHT, WIDTH = 60, 80
BOX = np.array([20, 10, 60, 50], np.float32)


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    try:
        import face_parsing_segmenter

        yield face_parsing_segmenter
    finally:
        sys.modules.pop("face_parsing_segmenter", None)


def frame_with(colour: tuple[int, int, int], where: tuple[slice, slice]) -> np.ndarray:
    frame = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    frame[where] = colour
    return frame


SQUARE = (slice(15, 45), slice(25, 55))


def test_the_mask_is_where_the_classes_are(example, tmp_path: Path) -> None:
    segmenter = example.FaceParsingSegmenter(write_face_parser(tmp_path / "f.onnx"), erosion_px=0)
    mask = segmenter.segment(frame_with((240, 20, 20), SQUARE), BOX)
    assert (mask.dtype, mask.shape) == (np.bool_, (HEIGHT, WIDTH))
    expected = np.zeros_like(mask)
    expected[SQUARE] = True
    # The network sees 72x72 pixels at 32x48: an edge is right to a pixel or two.
    assert (mask != expected).sum() < 2 * 4 * 30
    assert mask[18:42, 28:52].all()
    assert not mask[:13].any()
    # Hair is no face, unless it is asked for; the rest of the frame never is.
    hair = frame_with((20, 240, 20), SQUARE)
    assert not segmenter.segment(hair, BOX).any()
    also = example.FaceParsingSegmenter(tmp_path / "f.onnx", classes=(17,), erosion_px=0)
    assert also.segment(hair, BOX)[18:42, 28:52].all()
    everywhere = also.segment(np.full_like(hair, (20, 240, 20)), BOX)
    assert np.argwhere(everywhere).min(axis=0).tolist() == [10, 20]
    assert np.argwhere(everywhere).max(axis=0).tolist() == [49, 59]
    assert everywhere.sum() == 40 * 40


@pytest.mark.parametrize(
    ("channel", "mean", "deviation"), [(0, 0.485, 0.229), (1, 0.456, 0.224), (2, 0.406, 0.225)]
)
def test_colours_are_normalised_as_imagenet_is(
    example, tmp_path: Path, channel: int, mean: float, deviation: float
) -> None:
    """A limit between the normalised values of 200 and 201 tells them apart, and only there."""
    limit = (200.5 / 255 - mean) / deviation
    limits = [99.0] * 3
    limits[channel] = limit
    path = write_face_parser(tmp_path / "f.onnx", limits=tuple(limits))
    segmenter = example.FaceParsingSegmenter(path, classes=(1, 17, 10), erosion_px=0)
    for value, seen in ((200, False), (201, True)):
        frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        frame[..., channel] = value
        assert segmenter.segment(frame, BOX).any() == seen


def test_points_stay_away_from_the_edge_unless_nothing_would_be_left(
    example, tmp_path: Path
) -> None:
    path = write_face_parser(tmp_path / "f.onnx")
    frame = frame_with((240, 20, 20), SQUARE)
    wide = example.FaceParsingSegmenter(path, erosion_px=0).segment(frame, BOX)
    narrow = example.FaceParsingSegmenter(path, erosion_px=3).segment(frame, BOX)
    assert narrow.sum() < wide.sum()
    assert not (narrow & ~wide).any()
    nothing_left = example.FaceParsingSegmenter(path, erosion_px=40).segment(frame, BOX)
    np.testing.assert_array_equal(nothing_left, wide)


@pytest.mark.parametrize(
    "options",
    [{"size": ("h", "w")}, {"batch": "n"}, {"stride": 4}, {"size": (8, 8)}, {"size": (512, 256)}],
    ids=str,
)
def test_files_of_other_sizes(example, tmp_path: Path, options) -> None:
    segmenter = example.FaceParsingSegmenter(write_face_parser(tmp_path / "f.onnx", **options))
    mask = segmenter.segment(frame_with((240, 20, 20), SQUARE), BOX)
    assert mask[25:35, 35:45].all()
    assert not mask[:, :18].any()


def test_boxes_at_the_frames_edge_and_small_ones(example, tmp_path: Path) -> None:
    segmenter = example.FaceParsingSegmenter(write_face_parser(tmp_path / "f.onnx"), erosion_px=1)
    frame = np.full((HEIGHT, WIDTH, 3), (240, 20, 20), np.uint8)
    for box in ([0, 0, 10, 12], [70, 50, 80, 60], [0, 0, 80, 60], [5, 5, 5.5, 6]):
        corners = np.array(box, np.float32)
        points = object_points(frame, 3, corners, segmenter, (4, 4))
        assert len(points) == 16
        assert (points[:, 0] == 3).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": 5}, "has 5 classes; class 13 was asked for"),
        ({"channels": 1}, "a face parser takes one float32 image"),
        ({"batch": 2}, "a face parser takes one float32 image"),
        ({"flat": True}, "a face parser's first output is logits"),
        ({"size": (5000, 8)}, "takes images of 5000x8"),
    ],
    ids=str,
)
def test_files_that_are_no_face_parsers(example, tmp_path: Path, options, says: str) -> None:
    path = write_face_parser(tmp_path / "f.onnx", **options)
    with pytest.raises(InputError, match=says):
        example.FaceParsingSegmenter(path).segment(frame_with((9, 9, 9), SQUARE), BOX)


def test_what_a_face_parser_refuses(example, tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    for path in (tmp_path / "no.onnx", tmp_path / "missing.onnx"):
        with pytest.raises(InputError, match=r"cannot be opened as an \.onnx file"):
            example.FaceParsingSegmenter(path)
    with pytest.raises(UsageError, match="--segmenter-model"):
        example.open_segmenter()
    for wrong in ({"classes": ()}, {"classes": (-1,)}, {"margin": -1}, {"erosion_px": -1}):
        with pytest.raises(UsageError, match="A face parser needs"):
            example.FaceParsingSegmenter(write_face_parser(tmp_path / "f.onnx"), **wrong)
