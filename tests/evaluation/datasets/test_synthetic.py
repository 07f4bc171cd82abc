"""Generated sequences: repeatable, and their ground truth is what the pictures show."""

import numpy as np
import pytest

from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence

SMALL = SyntheticSettings(frames=8, points=40, side=96)


def test_the_same_seed_gives_the_same_sequence() -> None:
    one, same, other = (make_sequence(index, SMALL) for index in (3, 3, 4))
    for name in ("video", "points", "occluded"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert (one.video != other.video).mean() > 0.5
    reseeded = make_sequence(3, SyntheticSettings(frames=8, points=40, side=96, seed=1))
    assert (one.video != reseeded.video).mean() > 0.5


def test_sizes_and_ranges() -> None:
    clip = make_sequence(0, SMALL)
    assert clip.video.shape == (8, 96, 96, 3)
    assert clip.points.dtype == np.float64
    assert 20 <= len(clip.points) <= 40
    # Every point is seen somewhere, and what is seen lies in the frame.
    seen = ~clip.occluded
    assert seen.any(axis=1).all()
    assert ((clip.points[seen] >= 0) & (clip.points[seen] < 1)).all()


def test_points_move_and_some_are_hidden() -> None:
    clips = [make_sequence(index, SMALL) for index in range(4)]
    motion_px = 96 * np.concatenate(
        [np.abs(np.diff(clip.points, axis=1)).max(axis=(1, 2)) for clip in clips]
    )
    assert np.median(motion_px) > 0.3
    assert motion_px.max() < 24
    hidden = np.concatenate([clip.occluded.ravel() for clip in clips])
    assert 0.02 < hidden.mean() < 0.5


@pytest.mark.parametrize("index", range(3))
def test_a_visible_point_looks_alike_in_every_frame(index: int) -> None:
    """The colour under a track stays, but for light, noise and the sharpness of small detail; the
    colour under another track does not."""
    clip = make_sequence(index, SyntheticSettings(frames=8, points=60, side=128))
    at = np.clip((clip.points * 128).astype(int), 0, 127)
    frames = np.arange(8)
    colours = clip.video[frames, at[..., 1], at[..., 0]].astype(float)
    seen = ~clip.occluded
    first = seen.argmax(axis=1)
    home = colours[np.arange(len(first)), first]
    own = np.abs(colours - home[:, None]).mean(axis=-1)[seen]
    strange = np.abs(colours - np.roll(home, 1, axis=0)[:, None]).mean(axis=-1)[seen]
    assert np.median(own) < 12
    assert np.median(own) < np.median(strange) / 2


def test_a_hidden_point_in_the_frame_does_not_look_alike() -> None:
    differences = []
    for index in range(6):
        clip = make_sequence(index, SyntheticSettings(frames=8, points=80, side=128))
        inside = ((clip.points >= 0) & (clip.points < 1)).all(axis=-1)
        hidden = clip.occluded & inside
        at = np.clip((clip.points * 128).astype(int), 0, 127)
        colours = clip.video[np.arange(8), at[..., 1], at[..., 0]].astype(float)
        home = colours[np.arange(len(at)), (~clip.occluded).argmax(axis=1)]
        differences.append(np.abs(colours - home[:, None]).mean(axis=-1)[hidden])
    assert np.median(np.concatenate(differences)) > 20
