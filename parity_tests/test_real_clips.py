"""Real clips through the demo weights: the whole pipeline against torch, and does it track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import CLIPS, fetch_clips
from exhaustive import matrix
from exported import export_once

from locoexport.contract.profile import load_profile
from locoexport.network.loading import load_network
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip, read_clip

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


@pytest.mark.parametrize("name", matrix(CLIPS, ["bikes.mp4"]))
def test_verify_on_a_real_clip(name: str, clips: dict[str, Path], model_path: Path) -> None:
    report = verify_model(model_path, video=clips[name]).parity
    assert report.passed, report
    assert report.cases[-1].name == f"clip {name}"


WORKING = 256
# Beyond 4e-3 px a point is in order only if the oracle moves as far under input noise of 1e-6
# (parity's own rule, four times). Measured: carphone 1.3e-4 px and bigbuckbunny 5.3e-5 px at worst;
# bikes, whose heatmaps nearly tie, 6.2e-3 px at one point of 36, which noise moves by 9.9e-3 px.
TOLERANCE_PX, NOISE, TIMES_NOISE, MOST_UNSTABLE = 4e-3, 1e-6, 4, {"bikes.mp4": 4}


@pytest.mark.parametrize("name", CLIPS)
def test_tracks_equal_those_of_torch_end_to_end(
    name: str, clips: dict[str, Path], model_path: Path
) -> None:
    """Decode once; resize, run and scale back in torch alone, and compare pixels."""
    clip = read_clip(clips[name], max_frames=FRAMES)
    height, width = clip.frames_rgb.shape[1:3]
    queries = grid_queries(6, height, width)
    with PointTracker(model_path) as tracker:
        tracks = tracker.track(clip, queries)
    expected_xy, visible = oracle_tracks(clip, queries)
    found_xy = tracks.xy * (WORKING / width, WORKING / height)
    worst = np.linalg.norm(found_xy - expected_xy, axis=-1).max(1)
    unstable = worst > TOLERANCE_PX
    assert unstable.sum() <= MOST_UNSTABLE.get(name, 0), worst[unstable]
    if unstable.any():
        moved_xy, _ = oracle_tracks(clip, queries, noise=NOISE)
        moves = np.linalg.norm(moved_xy - expected_xy, axis=-1).max(1)
        assert (worst[unstable] <= TIMES_NOISE * moves[unstable]).all()
    np.testing.assert_array_equal(tracks.visible, visible)


def oracle_tracks(
    clip: Clip, queries: np.ndarray, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (N, T, 2) in pixels of the working resolution, and visibility, by torch alone."""
    model = load_network(load_profile("b0-tiny"), None).model
    height, width = clip.frames_rgb.shape[1:3]
    frames = torch.from_numpy(clip.frames_rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
    resized = torch.nn.functional.interpolate(frames, (WORKING, WORKING), mode="bilinear")
    generator = torch.Generator().manual_seed(0)
    resized += noise * torch.randn(resized.shape, generator=generator)
    scale = torch.tensor([1.0, WORKING / height, WORKING / width])
    with torch.inference_mode():
        result = model.track_resized(
            resized.permute(0, 2, 3, 1)[None], torch.from_numpy(queries)[None] * scale
        )
    return result.tracks[0].numpy(), result.visible[0].numpy()


# Measured over 24 frames, 6x6 points, pixels of 256x256: share of points that both ways call
# visible; of those, the median distance and the share within 4 px. With seeded weights no point is
# called visible. bikes is fast and nearly textureless: the first weights kept 0.67 of its points,
# 1.40 px off; the present ones call more of them hidden. The bounds leave twice the distance, and a
# tenth of the points.
#                          kept  median  within 4 px
# bikes                    0.47   0.52    0.76
# carphone_pristine        0.92   0.41    0.94
# bigbuckbunny             0.86   0.20    1.00
CONSISTENCY = {
    "bikes.mp4": (0.37, 1.04, 0.66),
    "carphone_pristine.mp4": (0.82, 0.82, 0.84),
    "bigbuckbunny.mp4": (0.76, 0.4, 0.90),
}


@pytest.mark.parametrize("name", CLIPS)
def test_there_and_back_returns_to_where_it_began(
    name: str, clips: dict[str, Path], model_path: Path
) -> None:
    """Track forwards, then the reversed clip from the last positions: median distance."""
    clip = read_clip(clips[name], max_frames=2 * FRAMES)
    height, width = clip.frames_rgb.shape[1:3]
    queries = grid_queries(6, height, width)
    reversed_clip = Clip(np.ascontiguousarray(clip.frames_rgb[::-1]), clip.fps)
    with PointTracker(model_path) as tracker:
        there = tracker.track(clip, queries)
        last = there.xy[:, -1]
        inside = (last >= 0).all(1) & (last <= (width, height)).all(1)
        turned = np.concatenate((np.zeros((len(last), 1)), last[:, ::-1]), 1)[inside]
        back = tracker.track(reversed_clip, turned.astype(np.float32))
    visible = there.visible[inside, -1] & back.visible[:, -1]
    apart = (back.xy[:, -1] - queries[inside][:, [2, 1]]) * (WORKING / width, WORKING / height)
    distance = np.linalg.norm(apart, axis=1)[visible]
    least_kept, most_median, least_near = CONSISTENCY[name]
    near = (distance < 4).mean()
    print(f"{name}: {visible.sum()} of {len(queries)}, {np.median(distance):.2f} px, {near:.2f}")
    assert visible.sum() / len(queries) >= least_kept
    assert np.median(distance) <= most_median
    assert near >= least_near
