"""Points that come and go, drawn by their ids."""

import numpy as np

from locoexport.runtime.drawing.live import LivePainter
from locoexport.runtime.drawing.style import DrawingStyle
from locoexport.runtime.live.tracker import LiveTracks

PLAIN = DrawingStyle(scale=1)
GREY = np.full((60, 80, 3), 90, np.uint8)


def tracks(ids: list[int], xy: list[tuple[float, float]], visible: list[bool]) -> LiveTracks:
    return LiveTracks(
        ids=np.array(ids, np.int64),
        xy=np.array(xy, np.float32).reshape(-1, 2),
        visible=np.array(visible, np.bool_),
        confidence=np.where(visible, np.float32(1), np.float32(0)),
        frame_index=0,
        latency_ms=1.0,
    )


def is_drawn(image: np.ndarray, x: int, y: int) -> bool:
    return bool((image[y, x] != 90).any())


def test_a_point_is_drawn_where_it_is_and_nowhere_else() -> None:
    image = LivePainter((60, 80), PLAIN).paint(GREY, tracks([7], [(20.5, 30.5)], [True]))
    assert is_drawn(image, 20, 30)
    assert not is_drawn(image, 60, 30)


def test_no_points_leave_the_frame_as_it_is() -> None:
    assert (LivePainter((60, 80), PLAIN).paint(GREY, tracks([], [], [])) == 90).all()


def test_a_trail_joins_a_point_to_itself_where_others_came_and_went() -> None:
    painter = LivePainter((60, 80), PLAIN)
    painter.paint(GREY, tracks([1, 2], [(10.5, 10.5), (10.5, 50.5)], [True, True]))
    image = painter.paint(GREY, tracks([2, 3], [(60.5, 50.5), (60.5, 10.5)], [True, True]))
    assert is_drawn(image, 35, 50)  # the way of point 2
    assert not is_drawn(image, 35, 10)  # from 1 to 3 there is none
    assert not is_drawn(image, 10, 10)  # 1 is gone


def test_a_point_keeps_its_colour_while_it_moves() -> None:
    painter = LivePainter((60, 80), DrawingStyle(scale=1, trail_frames=0, point_size=9))
    first = painter.paint(GREY, tracks([1], [(10.5, 30.5)], [True]))[30, 10]
    second = painter.paint(GREY, tracks([1], [(70.5, 30.5)], [True]))[30, 70]
    other = LivePainter((60, 80), PLAIN).paint(GREY, tracks([1], [(70.5, 30.5)], [True]))[30, 70]
    assert (first == second).all()
    assert (first != other).any()


def test_occluded_points_are_rings_or_hidden() -> None:
    ring = LivePainter((60, 80), DrawingStyle(scale=1, point_size=20)).paint(
        GREY, tracks([1], [(40.5, 30.5)], [False])
    )
    assert not is_drawn(ring, 40, 30)
    assert is_drawn(ring, 40 + 10, 30)
    hidden = LivePainter((60, 80), DrawingStyle(scale=1, hide_occluded=True)).paint(
        GREY, tracks([1], [(40.5, 30.5)], [False])
    )
    assert (hidden == 90).all()


def test_small_frames_are_enlarged_and_points_with_them() -> None:
    painter = LivePainter((60, 80), DrawingStyle(scale=2))
    image = painter.paint(GREY, tracks([1], [(20.5, 30.5)], [True]))
    assert (painter.scale, image.shape) == (2, (120, 160, 3))
    assert is_drawn(image, 41, 61)
