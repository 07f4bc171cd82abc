"""Objects of a stream: their points come with them, stay while they are seen, and go with them."""

import numpy as np
import pytest

from locoexport.errors import UsageError
from locoexport.pipeline.live.objects import NO_OBJECT, LiveDetection, LiveObjects
from locoexport.runtime.live.tracker import LiveTracks
from locoexport.runtime.objects.boxes import Boxes

FRAME = np.zeros((60, 100, 3), np.uint8)
ONE, OTHER = [10.0, 10.0, 30.0, 30.0], [60.0, 20.0, 90.0, 50.0]


class Seer:
    """Sees what it is told to."""

    def __init__(self) -> None:
        self.boxes: list[list[float]] = []

    def detect(self, frame_rgb: np.ndarray) -> Boxes:
        return Boxes.of(self.boxes)


class Follower:
    """Keeps points, as a ``LiveTracker`` does, where they were added."""

    def __init__(self) -> None:
        self.at: dict[int, tuple[float, float]] = {}
        self.next = 0

    @property
    def ids(self) -> np.ndarray:
        return np.array(sorted(self.at), np.int64)

    def add(self, points_yx: np.ndarray) -> np.ndarray:
        new = range(self.next, self.next + len(points_yx))
        self.at.update(zip(new, map(tuple, points_yx.tolist()), strict=True))
        self.next += len(points_yx)
        return np.array(new, np.int64)

    def remove(self, ids: list[int]) -> None:
        for name in ids:
            del self.at[name]

    def tracks(self, *, hidden: tuple[int, ...] = ()) -> LiveTracks:
        xy = np.array([self.at[name][::-1] for name in self.ids], np.float32).reshape(-1, 2)
        visible = ~np.isin(self.ids, hidden)
        return LiveTracks(self.ids, xy, visible, visible.astype(np.float32), 0, 1.0)


@pytest.fixture
def scene() -> tuple[Seer, Follower, LiveObjects]:
    seer = Seer()
    return seer, Follower(), LiveObjects(seer, LiveDetection("face", every=5))


def test_each_object_gets_points_in_its_box(scene) -> None:
    seer, follower, objects = scene
    seer.boxes = [ONE, OTHER]
    objects.look(follower, FRAME, None)
    owners = objects.of_points(follower.ids)
    assert set(owners) == {0, 1}
    for name, owner in zip(follower.ids.tolist(), owners, strict=True):
        y, x = follower.at[name]
        x0, y0, x1, y1 = (ONE, OTHER)[owner]
        assert x0 < x < x1
        assert y0 < y < y1
    assert objects.of_points(np.array([999])) == [NO_OBJECT]


def test_what_is_seen_again_keeps_its_points_and_its_name(scene) -> None:
    seer, follower, objects = scene
    seer.boxes = [ONE]
    objects.look(follower, FRAME, None)
    before = follower.ids.tolist()
    seer.boxes = [OTHER, [side + 2 for side in ONE]]
    objects.look(follower, FRAME, follower.tracks())
    assert follower.ids.tolist()[: len(before)] == before
    assert objects.of_points(np.array(before)) == [0] * len(before)
    assert set(objects.of_points(follower.ids)) == {0, 1}


def test_what_the_detector_misses_is_kept_while_its_points_are_seen(scene) -> None:
    seer, follower, objects = scene
    seer.boxes = [ONE]
    objects.look(follower, FRAME, None)
    count, seer.boxes = len(follower.ids), []
    objects.look(follower, FRAME, follower.tracks())
    assert len(follower.ids) == count
    objects.look(follower, FRAME, follower.tracks(hidden=tuple(follower.ids.tolist())))
    assert len(follower.ids) == 0


def test_an_object_whose_points_are_hidden_gets_new_ones_where_it_is_seen(scene) -> None:
    seer, follower, objects = scene
    seer.boxes = [ONE]
    objects.look(follower, FRAME, None)
    before = follower.ids.tolist()
    objects.look(follower, FRAME, follower.tracks(hidden=tuple(before)))
    assert len(follower.ids) == len(before)
    assert not set(follower.ids.tolist()) & set(before)
    assert set(objects.of_points(follower.ids)) == {0}


def test_points_that_were_removed_elsewhere_are_forgotten(scene) -> None:
    seer, follower, objects = scene
    seer.boxes = [ONE]
    objects.look(follower, FRAME, None)
    follower.remove(follower.ids.tolist())
    objects.look(follower, FRAME, follower.tracks())
    assert len(follower.ids) > 0


def test_it_looks_every_so_many_frames(scene) -> None:
    _, _, objects = scene
    assert [n for n in range(12) if objects.is_due(n)] == [0, 5, 10]
    with pytest.raises(UsageError, match="--detect-every is 0"):
        LiveDetection("face", every=0)
