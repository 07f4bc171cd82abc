"""Real clips through the demo weights: the whole pipeline against torch, and does it track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import CLIPS, fetch_clips
from exported import export_once

from locoexport.network import load_network
from locoexport.pipeline.verify import verify_model
from locoexport.profile import load_profile
from locoexport.runtime.queries import grid_queries
from locoexport.runtime.tracker import PointTracker
from locoexport.runtime.video import Clip, read_clip

pytestmark = pytest.mark.clips
FRAMES = 12


@pytest.fixture(scope="module")
def clips() -> dict[str, Path]:
    try:
        return fetch_clips(Path(__file__).parents[1] / ".data" / "clips")
    except RuntimeError as error:
        pytest.skip(f"the clips cannot be fetched here: {error}")


@pytest.fixture(scope="module")
def model_path() -> Path:
    return export_once(load_profile("b0-tiny"))


@pytest.mark.parametrize("name", CLIPS)
def test_verify_on_a_real_clip(name: str, clips: dict[str, Path], model_path: Path) -> None:
    report = verify_model(model_path, video=clips[name]).parity
    assert report.passed, report
    assert report.cases[-1].name == f"clip {name}"


def test_tracks_equal_those_of_torch_end_to_end(clips: dict[str, Path], model_path: Path) -> None:
    """Decode once; resize, run and scale back in torch alone, and compare pixels."""
    clip = read_clip(clips["carphone_pristine.mp4"], max_frames=FRAMES)
    height, width = clip.frames_rgb.shape[1:3]
    queries = grid_queries(6, height, width)
    with PointTracker(model_path) as tracker:
        tracks = tracker.track(clip, queries)
    model = load_network(load_profile("b0-tiny"), None).model
    frames = torch.from_numpy(clip.frames_rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
    resized = torch.nn.functional.interpolate(frames, (256, 256), mode="bilinear")
    scale = torch.tensor([1.0, 256 / height, 256 / width])
    with torch.inference_mode():
        result = model.track_resized(
            resized.permute(0, 2, 3, 1)[None], torch.from_numpy(queries)[None] * scale
        )
    expected = (result.tracks * torch.tensor([width / 256, height / 256]))[0].numpy()
    # 4e-3 px at the working resolution is less in a clip that is smaller than it.
    np.testing.assert_allclose(tracks.xy, expected, rtol=0, atol=4e-3)
    np.testing.assert_array_equal(tracks.visible, result.visible[0].numpy())


def test_there_and_back_returns_to_where_it_began(clips: dict[str, Path], model_path: Path) -> None:
    """Track forwards, then the reversed clip from the last positions: median distance."""
    clip = read_clip(clips["carphone_pristine.mp4"], max_frames=FRAMES)
    queries = grid_queries(8, *clip.frames_rgb.shape[1:3])
    reversed_clip = Clip(np.ascontiguousarray(clip.frames_rgb[::-1]), clip.fps)
    with PointTracker(model_path) as tracker:
        there = tracker.track(clip, queries)
        last = there.xy[:, -1]
        height, width = clip.frames_rgb.shape[1:3]
        kept = there.visible[:, -1] & (last >= 0).all(1) & (last <= (width, height)).all(1)
        turned = np.concatenate((np.zeros((len(last), 1)), last[:, ::-1]), 1)[kept]
        back = tracker.track(reversed_clip, turned.astype(np.float32))
    distance = np.linalg.norm(back.xy[:, -1] - queries[kept][:, [2, 1]], axis=1)
    # 0.12 px measured over these 12 frames of 176x144; the weights' own page says 0.52 over 24
    # frames at 256x256.
    assert kept.mean() > 0.5
    assert np.median(distance) < 0.5
