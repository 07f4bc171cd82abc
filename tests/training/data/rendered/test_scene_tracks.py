"""A record's tracks against what kubric's own function made of it."""

from dataclasses import replace

import numpy as np
import pytest
from rendered_records import golden_arrays

from locoexport.training.data.crops import crop_frames
from locoexport.training.data.rendered.scene import Scene
from locoexport.training.data.rendered.scene_tracks import (
    choose_pixels,
    follow_pixels,
    share_points,
)

WHOLE = (0, 0, 64, 64)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return golden_arrays()


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


def asked_pixels(golden: dict[str, np.ndarray], kind: str) -> np.ndarray:
    """(N, 3) as (t, row, column) of the golden's queries, which are those of its window."""
    top, left, bottom, right = golden[f"{kind}_window_yxyx"]
    queries = golden[f"{kind}_query_points"].astype(np.float64)
    rows = queries[:, 1] * (bottom - top) / 64 + top - 0.5
    columns = queries[:, 2] * (right - left) / 64 + left - 0.5
    return np.rint(np.stack((queries[:, 0], rows, columns), -1)).astype(np.int64)


@pytest.mark.parametrize("kind", ["full", "crop"])
def test_tracks_and_occlusion_are_kubric_s(golden, scene, kind) -> None:
    top, left, bottom, right = window = tuple(int(edge) for edge in golden[f"{kind}_window_yxyx"])
    found = follow_pixels(scene, asked_pixels(golden, kind), window)
    scale = np.array([64 / (right - left), 64 / (bottom - top)])
    tracks = (found.tracks_xy - (left, top)) * scale
    np.testing.assert_array_equal(found.occluded, golden[f"{kind}_occluded"])
    # kubric computes in float32, this in float64: at most 2.1e-5 px apart were measured.
    np.testing.assert_allclose(tracks, golden[f"{kind}_target_points"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["full", "crop"])
def test_frames_are_cut_as_kubric_cuts_them(golden, scene, kind) -> None:
    window = tuple(int(edge) for edge in golden[f"{kind}_window_yxyx"])
    found = crop_frames(scene.video, window, (64, 64), half_pixel_centres=False)
    np.testing.assert_array_equal(found, golden[f"{kind}_video"])


@pytest.mark.parametrize("kind", ["full", "crop"])
def test_segments_get_as_many_points_as_in_kubric_and_the_last_but_one_is_repeated(
    golden, scene, kind
) -> None:
    pixels = asked_pixels(golden, kind)
    top, left, bottom, right = golden[f"{kind}_window_yxyx"]
    # All queries lie on one lattice, whose offset was drawn.
    offset = pixels[0] % 4
    assert (pixels % 4 == offset).all()
    t, y, x = offset[0], top + (offset[1] - top) % 4, left + (offset[2] - left) % 4
    candidates = np.bincount(scene.segments[t::4, y:bottom:4, x:right:4].ravel())
    # The golden was drawn with a max_sampled_frac of 0.3: of 0.1, 0.15, ... only that fits.
    shares = share_points(candidates, len(pixels), 0.3)
    drawn = sum(shares)
    assert drawn == {"full": 96, "crop": 78}[kind]
    owners = scene.segments[tuple(pixels[:drawn].T)]
    assert np.bincount(owners).tolist() == shares
    assert (np.diff(owners.astype(int)) >= 0).all()
    assert (pixels[drawn:] == pixels[drawn - 2]).all()


def test_small_segments_come_first_and_give_at_most_a_tenth() -> None:
    # By hand: 0 of 0; min(85, 2) of 20; min(127, 5) of 50; min(249, 100) of 1000.
    assert share_points(np.array([1000, 50, 20, 0]), 256) == [100, 5, 2, 0]
    # 64 each of four large ones; what a small one leaves goes to the larger ones.
    assert share_points(np.array([9000, 9000, 9000, 9000]), 256) == [64, 64, 64, 64]
    assert share_points(np.array([9000, 9000, 9000, 40]), 256) == [84, 84, 84, 4]


def test_halves_are_rounded_to_even() -> None:
    assert [share_points(np.array([count]), 99)[0] for count in (5, 15, 25, 35)] == [0, 2, 2, 4]
    # 1.5 of three points for two segments, then the one that is left.
    assert share_points(np.array([100, 100]), 3) == [2, 1]


@pytest.mark.parametrize("seed", range(20))
def test_shares_never_exceed_what_is_wanted_and_what_is_there(seed) -> None:
    random = np.random.default_rng(seed)
    candidates = random.integers(0, 3000, random.integers(1, 60))
    shares = np.array(share_points(candidates, 256))
    assert shares.sum() <= 256
    assert (shares <= np.rint(0.1 * candidates)).all()


@pytest.mark.parametrize("seed", range(5))
def test_chosen_pixels_lie_on_one_lattice_in_the_window(scene, seed) -> None:
    pixels = choose_pixels(scene, (6, 10, 58, 50), 96, np.random.default_rng(seed))
    assert pixels.shape == (96, 3)
    assert ((pixels[:, 1:] >= (6, 10)) & (pixels[:, 1:] < (58, 50))).all()
    assert (pixels % 4 == pixels[0] % 4).all()
    assert len(np.unique(scene.segments[tuple(pixels.T)])) == 3


def test_where_every_segment_is_tiny_nothing_is_chosen(scene) -> None:
    assert choose_pixels(scene, (0, 0, 4, 4), 96, np.random.default_rng(0)).shape == (0, 3)


def test_one_point_alone_is_repeated(scene) -> None:
    alone = replace(scene, segments=np.zeros((4, 12, 12), np.uint8))
    # 9 candidates: a tenth is rounded to one point.
    pixels = choose_pixels(alone, (0, 0, 12, 12), 5, np.random.default_rng(0))
    assert len(pixels) == 5
    assert len(np.unique(pixels, axis=0)) == 1


def test_a_point_is_seen_at_its_own_pixel_when_it_is_asked(scene) -> None:
    pixels = choose_pixels(scene, WHOLE, 200, np.random.default_rng(3))
    found = follow_pixels(scene, pixels, WHOLE)
    here = np.arange(200), pixels[:, 0]
    assert not found.occluded[here].any()
    error = np.abs(found.tracks_xy[here] - (pixels[:, :0:-1] + 0.5))
    on_background = scene.segments[tuple(pixels.T)] == 0
    # The camera's quaternions are units to float32 only: 2.8e-6 px were measured.
    assert error[on_background].max() < 1e-5
    # Places on a box are kept in 16 bits: 8.8e-5 px were measured.
    assert error.max() < 2e-4


def test_what_is_behind_the_camera_is_occluded(scene) -> None:
    turns = scene.camera_turns.copy()
    w, x, y, z = turns[5]
    turns[5] = -y, z, w, -x  # about the camera's own upward axis, by half a turn
    pixels = choose_pixels(scene, WHOLE, 50, np.random.default_rng(0))
    pixels = pixels[pixels[:, 0] != 5]
    found = follow_pixels(replace(scene, camera_turns=turns), pixels, WHOLE)
    assert found.occluded[:, 5].all()
    assert not found.occluded.all()


def test_a_point_at_the_camera_s_centre_has_a_finite_track(scene) -> None:
    pixels = np.array([[0, 3, 3]])
    assert scene.segments[0, 3, 3] == 0
    found = follow_pixels(replace(scene, depth_range=(0.0, 0.0)), pixels, WHOLE)
    assert np.isfinite(found.tracks_xy).all()
    assert np.abs(found.tracks_xy).max() <= 1e6
    assert found.occluded[0, 0]


def test_normals_are_asked_for_in_the_frames_of_queries_alone(scene) -> None:
    class Asked:
        def __init__(self, maps: np.ndarray) -> None:
            self.maps, self.frames = maps, set()

        def __getitem__(self, frame: int) -> np.ndarray:
            self.frames.add(frame)
            return self.maps[frame]

    normals, coordinates = Asked(scene.normals), Asked(scene.coordinates)
    pixels = choose_pixels(scene, WHOLE, 96, np.random.default_rng(1))
    lazy = replace(scene, normals=normals, coordinates=coordinates)
    found = follow_pixels(lazy, pixels, WHOLE)
    owners = scene.segments[tuple(pixels.T)]
    assert normals.frames == coordinates.frames == set(pixels[owners > 0, 0].tolist())
    assert len(normals.frames) == 2
    np.testing.assert_array_equal(found.occluded, follow_pixels(scene, pixels, WHOLE).occluded)
