import numpy as np
import pytest

from locoexport.errors import UsageError
from locoexport.runtime.drawing.points import Painter, Pen, confidence_colours, draw_tracks
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.tracks.tracks import Tracks

GREY = 90
QUERY = np.array([[0, 30.5, 20.5]], np.float32)


def paint(style: DrawingStyle, visible: bool = True, sure: float = 1.0) -> np.ndarray:
    """One frame of 60x160 with a point in (20.5, 30.5)."""
    painter = Painter((60, 160), QUERY, style=style)
    frame = np.full((60, 160, 3), GREY, np.uint8)
    xy = QUERY[:, :0:-1].copy()
    return painter.paint(frame, xy, np.array([visible]), np.array([sure], np.float32))


def inked(image: np.ndarray) -> np.ndarray:
    return np.abs(image.astype(int) - GREY).max(axis=-1) > 20


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(48, 64, 4), (120, 160, 3), (144, 176, 3), (240, 320, 2), (359, 640, 2), (360, 640, 1)],
)
def test_small_frames_are_enlarged_by_their_shorter_side(
    height: int, width: int, scale: int
) -> None:
    assert OVERLAY_STYLE.scale_for(height, width) == scale
    assert OVERLAY_STYLE.scale_for(width, height) == scale
    assert DrawingStyle().scale_for(height, width) == 1
    assert OVERLAY_STYLE.within("1GiB").scale_for(height, width) == 1
    assert OVERLAY_STYLE.within(None).scale_for(height, width) == scale
    assert DrawingStyle(scale=2).scale_for(height, width) == 2


def test_a_point_of_an_enlarged_frame_lies_where_its_pixel_does() -> None:
    image = paint(DrawingStyle(scale=4))
    assert image.shape == (240, 640, 3)
    rows, columns = np.nonzero(inked(image))
    # The centre of pixel (20, 30) is (82, 122) four times as large, at the corner of four pixels.
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((82, 122), abs=0.1)


def test_a_dot_has_the_size_that_was_asked_for() -> None:
    image = paint(DrawingStyle(point_size=21))
    width = int((image[30, :, :].max(axis=1) > 200).sum())
    assert 20 <= width <= 22
    assert Pen.for_frame(60, 160).in_style(DrawingStyle(line_width=7)).trail == 7


def test_occluded_points_can_be_left_out() -> None:
    assert inked(paint(DrawingStyle(), visible=False)).any()
    assert not inked(paint(DrawingStyle(hide_occluded=True), visible=False)).any()
    assert inked(paint(DrawingStyle(hide_occluded=True))).any()


@pytest.mark.parametrize("trail", [0, 1, 3, 8])
def test_trails_are_as_long_as_asked_for(trail: int) -> None:
    count, step = 6, 20
    xs = 20.5 + step * np.arange(count, dtype=np.float32)
    xy = np.stack([xs, np.full(count, 30.5, np.float32)], -1)[None]
    visible = np.ones((1, count), bool)
    tracks = Tracks(xy, visible, visible.astype(np.float32), QUERY, 25.0)
    frames = np.full((count, 60, 160, 3), GREY, np.uint8)
    last = list(draw_tracks(frames, tracks, style=DrawingStyle(trail)))[-1]
    first_column = int(np.flatnonzero(np.abs(last[30].astype(int) - GREY).max(-1) > 5)[0])
    assert first_column == pytest.approx(20 + step * max(0, count - 1 - trail), abs=4)


def test_colours_say_how_sure_the_model_is() -> None:
    low, half, high = confidence_colours(np.array([0, 0.5, 1], np.float32))
    assert low[0] == 255
    assert low[1] < 60
    assert half[0] > 240
    assert half[1] > 240
    assert high[1] == 255
    assert high[0] < 60
    red, green, _ = paint(DrawingStyle(colour="confidence"), sure=0.0)[30, 20]
    assert red == 255
    assert green < 60


@pytest.mark.parametrize(
    "values",
    [
        {"trail_frames": -1},
        {"trail_frames": 10**9},
        {"point_size": 0},
        {"point_size": float("nan")},
        {"line_width": 501},
        {"scale": 0},
        {"scale": 9},
        {"colour": "mood"},
    ],
)
def test_values_out_of_range_are_refused(values: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        DrawingStyle(**values)
