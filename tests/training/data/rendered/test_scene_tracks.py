"""A record's tracks against what kubric's own function made of it."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.training.data.crops import crop_frames
from locoexport.training.data.rendered.scene import Scene
from locoexport.training.data.rendered.scene_tracks import choose_pixels, follow_pixels

GOLDEN = Path(__file__).parents[2] / "goldens" / "kubric_tracks.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def scene(golden) -> Scene:
    return Scene(
        name="golden",
        video=golden["video"],
        segments=golden["segmentations"][..., 0],
        depth=golden["depth"][..., 0],
        normals=golden["normal"],
        coordinates=golden["object_coordinates"],
        depth_range=tuple(float(end) for end in golden["depth_range"]),
        boxes=golden["bboxes_3d"],
        turns=golden["quaternions"],
        focal_length=float(golden["focal_length"]),
        sensor_width=float(golden["sensor_width"]),
        camera_places=golden["camera_positions"],
        camera_turns=golden["camera_quaternions"],
    )


@pytest.mark.parametrize("kind", ["full", "crop"])
def test_tracks_and_occlusion_are_kubric_s(golden, scene, kind) -> None:
    top, left, bottom, right = (int(edge) for edge in golden[f"{kind}_window_yxyx"])
    queries = golden[f"{kind}_query_points"].astype(np.float64)
    height, width = scene.segments.shape[1:]
    scale = np.array([(bottom - top) / height, (right - left) / width])
    raster_yx = queries[:, 1:] * scale + (top, left)
    pixels = np.c_[queries[:, 0], np.rint(raster_yx - 0.5)].astype(np.int64)
    found = follow_pixels(scene, pixels, (top, left, bottom, right))
    tracks = (found.tracks_xy - (left, top)) / scale[::-1]
    np.testing.assert_array_equal(found.occluded, golden[f"{kind}_occluded"])
    # The limit; measured apart: see below.
    np.testing.assert_allclose(tracks, golden[f"{kind}_target_points"], atol=1e-3)


@pytest.mark.parametrize("kind", ["full", "crop"])
def test_frames_are_cut_as_tensorflow_cuts_them(golden, scene, kind) -> None:
    window = tuple(int(edge) for edge in golden[f"{kind}_window_yxyx"])
    found = crop_frames(scene.video, window, scene.video.shape[1:3])
    np.testing.assert_allclose(found, golden[f"{kind}_video"], atol=1e-5)


def test_chosen_pixels_lie_in_the_window_and_are_shared_among_segments(scene) -> None:
    window = (6, 10, 58, 50)
    pixels = choose_pixels(scene, window, 96, np.random.default_rng(0))
    assert pixels.shape == (96, 3)
    assert ((pixels[:, 1:] >= (6, 10)) & (pixels[:, 1:] < (58, 50))).all()
    owners = scene.segments[tuple(pixels.T)]
    assert len(np.unique(owners)) == 3
