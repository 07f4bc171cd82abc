"""Tracks and occlusion of generated layers against the pictures that are rendered of them.

The textures' colours say where on the texture one is and on which layer, so that a picture alone
tells what lies under a track.
"""

import cv2
import numpy as np
import pytest

from locoexport.training.data.generated.layers import (
    TEXTURE_SIDE,
    Layer,
    find_tops,
    follow_points,
    render_frame,
)
from locoexport.training.data.generated.shapes import make_background, make_shape

FRAMES = 6
LEVELS_A_TEXEL = 0.5


def coded_picture(number: int) -> np.ndarray:
    """Red says x, green says y, both by half a level a texel; blue says which layer."""
    # The texel of index 0 has its centre at 0.5.
    ramp = (np.arange(TEXTURE_SIDE) * LEVELS_A_TEXEL).astype(np.uint8)
    picture = np.empty((TEXTURE_SIDE, TEXTURE_SIDE, 3), np.uint8)
    picture[..., 0], picture[..., 1] = ramp[None], ramp[:, None]
    picture[..., 2] = 25 * number
    return picture


def make_layers(seed: int, side: int, difficulty: float, pace: float = 1.0) -> list[Layer]:
    random = np.random.default_rng(seed)
    given = (FRAMES, side, difficulty, pace, random)
    shapes = (make_shape(coded_picture(number), *given) for number in range(1, 6))
    return [make_background(coded_picture(0), *given), *shapes]


def coded_at(layer: Layer, homes_xy: np.ndarray) -> np.ndarray:
    """Red and green of places on a texture; beyond its border it is mirrored about the centres of
    its outermost texels."""
    index = homes_xy - 0.5
    if layer.endless:
        last = TEXTURE_SIDE - 1
        index = last - np.abs(np.mod(index, 2 * last) - last)
    # The texture holds whole levels: floor(i / 2), between which one interpolates.
    low = np.floor(index)
    levels = (np.floor(low * LEVELS_A_TEXEL), np.floor((low + 1) * LEVELS_A_TEXEL))
    return levels[0] + (index - low) * (levels[1] - levels[0])


def look(picture: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The picture's colours at raster positions, bilinearly."""
    at = (xy - 0.5).astype(np.float32)
    if not len(at):
        return np.empty((0, 3), np.float32)
    return cv2.remap(
        picture, at[:, None, 0], at[:, None, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )[:, 0]


def layer_shown(picture: np.ndarray, xy: np.ndarray, reach: float = 1.5) -> np.ndarray:
    """The layer of every position by the blue around it; -1 where there are several."""
    steps = reach * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]])
    blue = np.stack([look(picture, xy + step)[:, 2] for step in steps]) / 25
    shown = np.rint(blue).astype(int)
    clear = (shown == shown[0]).all(0) & (np.abs(blue - shown) < 0.04).all(0)
    return np.where(clear, shown[0], -1)


def ask_points(
    layers: list[Layer], side: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Owners and homes of points that lie anywhere in the middle frame, on whatever is on top."""
    xy = np.random.default_rng(seed).uniform(0, side, (count, 2))
    owners = find_tops(layers, xy, FRAMES // 2)
    homes = np.empty_like(xy)
    for number, layer in enumerate(layers):
        homes[owners == number] = layer.locate(xy[owners == number], FRAMES // 2)
    return owners, homes


CASES = [
    pytest.param(256, 1.0, 1.0, id="usual"),
    pytest.param(256, 2.0, 4.0, id="hard and hurried"),
    pytest.param(64, 0.0, 1.0, id="small and flat"),
    pytest.param(64, 2.0, 1.0, id="small and hard"),
]


@pytest.mark.parametrize(("side", "difficulty", "pace"), CASES)
def test_the_picture_shows_under_a_track_the_very_place_that_is_tracked(
    side, difficulty, pace
) -> None:
    drifts, compared, seen = [], 0, 0
    for seed in range(4):
        layers = make_layers(seed, side, difficulty, pace)
        owners, homes = ask_points(layers, side, 300, seed)
        tracks, occluded = follow_points(layers, owners, homes, FRAMES, side)
        for frame in range(FRAMES):
            picture = render_frame(layers, frame, side)
            visible = ~occluded[:, frame]
            # In the outermost half of a pixel there is nothing to interpolate with.
            inner = visible & ((tracks[:, frame] >= 0.5) & (tracks[:, frame] <= side - 0.5)).all(-1)
            shown = layer_shown(picture, tracks[:, frame])
            seen += visible.sum()
            for number, layer in enumerate(layers):
                mine = inner & (owners == number) & (shown == number)
                compared += mine.sum()
                here, home = tracks[mine, frame], homes[mine]
                found = look(picture, here)[:, :2]
                # The texture's kinks at its mirrored border are no ramps.
                ramp = np.ones(len(here), bool)
                if layer.endless:
                    phase = np.mod(home - 0.5, TEXTURE_SIDE - 1)
                    texels = 3 * np.abs(np.linalg.det(layer.to_frame[frame][:2, :2])) ** -0.5
                    ramp = ((phase > texels) & (phase < TEXTURE_SIDE - 1 - texels)).all(-1)
                apart = (found - coded_at(layer, home))[ramp]
                # The texture and the picture are in whole levels, so no single place is told better
                # than by a level or so; measured at most 0.78.
                assert np.abs(apart).max(initial=0) < 1
                drifts.append(_in_pixels(layer, home[ramp], apart, frame))
    # Of visible points this many are far enough from the edge of anything to be read.
    assert compared > 0.7 * seen > 500
    # Together they tell it to a small part of a pixel; half a pixel's error would be 0.5 here.
    # Measured: at most 0.007.
    assert np.abs(np.concatenate(drifts).mean(0)).max() < 0.03


def _in_pixels(layer: Layer, homes: np.ndarray, levels: np.ndarray, frame: int) -> np.ndarray:
    """How far off a track is whose colours are off by so many levels, in pixels of the frame."""
    texels = levels / LEVELS_A_TEXEL
    if layer.endless:
        mirrored = np.mod(np.floor((homes - 0.5) / (TEXTURE_SIDE - 1)), 2) == 1
        texels = np.where(mirrored, -texels, texels)
    return layer.place(homes + texels, frame) - layer.place(homes, frame)


@pytest.mark.parametrize(("side", "difficulty", "pace"), CASES)
def test_hidden_is_what_another_layer_covers_or_lies_outside(side, difficulty, pace) -> None:
    covered = outside = compared = wrong = 0
    for seed in range(4):
        layers = make_layers(seed, side, difficulty, pace)
        owners, homes = ask_points(layers, side, 300, seed)
        tracks, occluded = follow_points(layers, owners, homes, FRAMES, side)
        for frame in range(FRAMES):
            xy = tracks[:, frame]
            inside = ((xy >= 0) & (xy < side)).all(-1)
            assert occluded[~inside, frame].all()
            outside += (~inside).sum()
            shown = layer_shown(render_frame(layers, frame, side), xy)
            told = inside & (shown >= 0)
            hidden = shown != owners
            compared += told.sum()
            wrong += (told & (occluded[:, frame] != hidden)).sum()
            # Above, never below.
            assert (shown[told & hidden] > owners[told & hidden]).all()
            covered += (told & hidden).sum()
    assert compared > 4000
    # A tip that is thinner than a pixel may lie between those that are drawn: measured once, at 64.
    assert wrong <= (1 if side == 64 else 0)
    assert covered > 8
    assert outside > 50 or difficulty == 0


@pytest.mark.parametrize("side", [64, 256])
@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_nothing_that_is_seen_lies_behind_the_camera(side, difficulty) -> None:
    """Of a shape every opaque texel, of the background all that is in the frame."""
    for seed in range(8):
        background, *shapes = make_layers(seed, side, difficulty, pace=4.0)
        corners = side * np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
        for to_frame in background.to_frame:
            assert _depths(np.linalg.inv(to_frame), corners).min() > 0.3
        for shape in shapes:
            rows, columns = np.nonzero(shape.texture[::8, ::8, 3])
            texels = 8.0 * np.stack((columns, rows), -1) + 0.5
            for to_frame in shape.to_frame:
                assert _depths(to_frame, texels).min() > 0.3


def _depths(homography: np.ndarray, xy: np.ndarray) -> np.ndarray:
    return xy @ homography[2, :2] + homography[2, 2]


def test_a_shape_whose_empty_corner_is_behind_the_camera_is_drawn_whole() -> None:
    mask = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
    cv2.circle(mask, (256, 256), 230, 255, -1)
    texture = np.concatenate((coded_picture(1), mask[..., None]), -1)
    centred = np.array([[1.0, 0, -256], [0, 1, -256], [0, 0, 1]])
    tilted = np.array([[0.25, 0, 0], [0, 0.25, 0], [-0.0024, -0.0024, 1]])
    placed = np.array([[1.0, 0, 64], [0, 1, 64], [0, 0, 1]])
    layer = Layer(texture, (placed @ tilted @ centred)[None])
    assert _depths(layer.to_frame[0], np.array([[512.0, 512]])).min() < 0
    ground = Layer(
        np.concatenate((coded_picture(5), np.full_like(mask, 255)[..., None]), -1),
        np.eye(3)[None],
        endless=True,
    )
    picture = render_frame([ground, layer], 0, 256)
    xy = np.stack(np.meshgrid(*[np.arange(256) + 0.5] * 2), -1).reshape(-1, 2)
    tops = find_tops([ground, layer], xy, 0).reshape(256, 256)
    drawn = np.rint(picture[..., 2] / 25).astype(int)
    inner = cv2.erode((tops == 1).astype(np.uint8), np.ones((11, 11))) > 0
    assert inner.sum() > 5000
    assert (drawn[inner] == 1).all()
    outer = cv2.dilate((tops == 1).astype(np.uint8), np.ones((11, 11))) == 0
    assert (drawn[outer] == 5).all()


def test_points_beyond_what_opencv_takes_in_a_row_are_covered_too() -> None:
    layers = make_layers(0, 64, 1.0)
    xy = np.random.default_rng(0).uniform(0, 64, (40_000, 2))
    tops = find_tops(layers, xy, 0)
    np.testing.assert_array_equal(tops[:500], find_tops(layers, xy[:500], 0))
    np.testing.assert_array_equal(tops[-500:], find_tops(layers, xy[-500:], 0))
