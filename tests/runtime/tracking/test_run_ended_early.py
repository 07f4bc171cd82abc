"""Videos that end before a point begins: what was tracked is kept, and what is missing is named."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numbered_films import write_numbered

from locoexport.errors import QueryError
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks

FRAMES = np.random.default_rng(4).integers(0, 255, (20, 24, 32, 3), np.uint8)


@pytest.fixture
def tracker(make_model) -> Iterator[PointTracker]:
    with PointTracker(make_model(eyes=True), window=8) as opened:
        yield opened


@pytest.mark.parametrize("late", [25, 10**6])
def test_points_behind_the_end_of_a_stream_are_nowhere(
    tracker: PointTracker, tmp_path: Path, late: int
) -> None:
    asked = [[late, 3, 4], [0, 8, 9], [13, 5, 6], [30, 1, 1]]
    with pytest.warns(RuntimeWarning, match=r"ended after 20 frames, before points 0, 3 could"):
        tracks = tracker.track(iter(FRAMES), asked)
    expected = tracker.track(FRAMES, asked[1:3])
    assert tracks[1:3] == expected
    assert not tracks.visible[[0, 3]].any()
    assert np.isnan(tracks.xy[[0, 3]]).all()
    assert (tracks.confidence[[0, 3]] == 0).all()
    for kind in (".npz", ".json", ".csv"):
        tracks.save(tmp_path / f"t{kind}")
        again = Tracks.load(tmp_path / f"t{kind}")
        np.testing.assert_array_equal(again.xy, tracks.xy)
        np.testing.assert_array_equal(again.visible, tracks.visible)


def test_no_point_begins(tracker: PointTracker) -> None:
    with pytest.raises(QueryError, match="point 0 has t = 20; the video has 20 frames"):
        tracker.track(iter(FRAMES), [[20, 3, 4], [21, 3, 4]])


def _damaged(folder: Path) -> Path:
    path = write_numbered(folder / "a.ts", 100, g="25")
    content = path.read_bytes()
    packets = len(content) // 188
    path.write_bytes(content[: packets // 2 * 188] + content[int(packets * 0.6) * 188 :])
    return path


def test_a_damaged_file_says_so_to_programs_too(tracker: PointTracker, tmp_path: Path) -> None:
    path = _damaged(tmp_path)
    with pytest.warns(RuntimeWarning) as told:
        tracks = tracker.track(path, [[0, 8, 9], [90, 3, 4]])
    texts = [str(each.message) for each in told]
    assert len(texts) == 2
    assert "is damaged after" in texts[0]
    assert "before point 1 could begin" in texts[1]
    assert tracks.warnings == tuple(texts)
    assert 20 < tracks.frames < 90
    assert tracks.frame_hw == (48, 128)
    assert tracks.frames_repeated is not None
    assert not len(tracks.frames_repeated)


def test_a_sound_file_warns_of_nothing(tracker: PointTracker, tmp_path: Path) -> None:
    tracks = tracker.track(write_numbered(tmp_path / "a.mp4", 12), [[0, 8, 9]])
    assert (tracks.warnings, tracks.frame_hw) == ((), (48, 128))
