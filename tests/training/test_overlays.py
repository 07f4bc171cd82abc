"""Pictures of validated clips: one a dataset, and both truth and answer in it."""

import cv2
import numpy as np
import pytest
from moving_square import square_frames

from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.metrics import sample_queries
from locoexport.evaluation.scored_clip import ScoredClip
from locoexport.evaluation.scores import Scores
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.training.overlays import draw_overlay, write_overlays
from locoexport.training.validation import ValidatedClip

FRAMES = 7


def validated(dataset: str, name: str, off_px: float = 0.0, frames: int = FRAMES) -> ValidatedClip:
    """Two points that stand still; the answer is ``off_px`` of 256 to the right."""
    points = np.repeat(np.array([[[0.25, 0.25]], [[0.5, 0.75]]], np.float32), frames, 1)
    occluded = np.zeros((2, frames), bool)
    clip = TapVidClip(square_frames(frames), points, occluded)
    asked = sample_queries(occluded, points * 256.0, "first")
    tracks = (points * 256 + np.array([off_px, 0])).astype(np.float32)[None]
    visible, _ = visible_from_logits(*np.full((2, 1, 2, frames), -9, np.float32))
    scores = Scores(0.625, 0.75, 0.875, (0.5,) * 5, (0.5,) * 5, off_px)
    found = ScoredClip(asked, 2, frames, (scores,), (0.0,), ((tracks, visible),))
    return ValidatedClip(dataset, name, clip, found)


def test_the_first_clip_of_each_dataset_is_drawn(tmp_path) -> None:
    clips = [validated(*names) for names in (("a", "0/x"), ("a", "1"), ("../b", ".."))]
    paths = write_overlays(tmp_path / "overlays", 120, clips)
    assert [path.name for path in paths] == ["step-120-a-0_x.jpg", "step-120-_b-_.jpg"]
    assert sorted(paths) == sorted((tmp_path / "overlays").iterdir())
    picture = cv2.imread(str(paths[0]))
    assert picture is not None
    assert picture.shape == draw_overlay(clips[0]).shape


@pytest.mark.parametrize(("frames", "panels"), [(FRAMES, 3), (3, 2), (2, 2), (1, 1)])
def test_frames_stand_side_by_side(frames: int, panels: int) -> None:
    picture = draw_overlay(validated("a", "x", frames=frames))
    assert picture.dtype == np.uint8
    assert picture.shape[0] <= 480
    # Between two frames there is a white gap of 8 px.
    white = (picture == 255).all(axis=(0, 2))
    assert np.count_nonzero(white) == 8 * (panels - 1)
    assert picture.shape[1] > panels * 400


def test_an_answer_that_is_off_is_drawn_off() -> None:
    right, wrong = (draw_overlay(validated("a", "x", off)).astype(int) for off in (0.0, 40.0))
    changed = np.abs(right - wrong).max(axis=2) > 30
    height = len(changed)
    assert changed[height // 8 : -height // 8].any()
    # Both points are lower than this.
    assert not changed[: height // 8].any()
