"""Points of a rendered scene followed through its frames, as kubric does.

google-research/kubric, ``challenges/point_tracking/dataset.py`` (``add_tracks``); in formulas:
spec/training.md, section 1.3. Raster coordinates: the centre of pixel (row, column) is at
(column + 0.5, row + 0.5).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.training.data.crops import Window
from locoexport.training.data.rendered.scene import FrameMaps, Scene

__all__ = ["SceneTracks", "choose_pixels", "follow_pixels", "share_points"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.int64]

_DEPTH_SLACK = 0.99
_SEGMENT_SHARE = 0.1
_STRIDE = 4
_NORMAL_CHANGE = 0.0025
_CHANGED_NEIGHBOURS = 2
_LARGEST_U16 = 65535.0
_FAR_PX = 1e6
"""A track is kept within this many pixels: beyond, its square would no longer be finite."""
_CORNERS = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))


@dataclass(frozen=True, eq=False)
class SceneTracks:
    """``tracks_xy`` float64 (N, s, 2) in raster coordinates, ``occluded`` bool (N, s)."""

    tracks_xy: Floats
    occluded: NDArray[np.bool_]


def choose_pixels(
    scene: Scene, window_yxyx: Window, points: int, random: np.random.Generator
) -> Pixels:
    """(N, 3) as (t, row, column): pixels of a random lattice in the window, shared among segments.

    Each segment's are drawn with replacement. Where that makes fewer than ``points``, the last but
    one is repeated; there are none where every segment is tiny.
    """
    top, left, bottom, right = window_yxyx
    at_t, at_y, at_x = random.integers(0, _STRIDE, 3)
    lattice = scene.segments[
        at_t::_STRIDE, top + at_y : bottom : _STRIDE, left + at_x : right : _STRIDE
    ]
    segments = lattice.ravel()
    chosen = [
        random.choice(np.flatnonzero(segments == segment), wanted, replace=True)
        for segment, wanted in enumerate(share_points(np.bincount(segments), points))
        if wanted
    ]
    if not chosen:
        return np.zeros((0, 3), np.int64)
    t, y, x = np.unravel_index(np.concatenate(chosen), lattice.shape)
    pixels = np.stack((at_t + _STRIDE * t, top + at_y + _STRIDE * y, left + at_x + _STRIDE * x), -1)
    filler = np.broadcast_to(pixels[max(len(pixels) - 2, 0)], (points - len(pixels), 3))
    return np.concatenate((pixels, filler))


def share_points(
    candidates: NDArray[np.int64], points: int, largest_share: float = _SEGMENT_SHARE
) -> list[int]:
    """How many points each segment gets, of so many candidates each (``get_num_to_sample``).

    The segments with the fewest candidates come first. Each gets its part of what is left, and at
    most ``largest_share`` of its candidates. kubric's ``max_seg_id`` is no limit here: there it is
    the size of TensorFlow's graph, and a scene with more segments an error.
    """
    order = np.argsort(candidates, kind="stable")
    shares = [0] * len(order)
    left_over = points
    for number, segment in enumerate(order):
        # In float32 as there, so that halves are rounded alike.
        part = np.float32(left_over) * np.float32(1 / (len(order) - number))
        most = np.float32(candidates[segment]) * np.float32(largest_share)
        shares[segment] = int(min(np.rint(part), np.rint(most)))
        left_over -= shares[segment]
    return shares


def follow_pixels(scene: Scene, pixels: Pixels, window_yxyx: Window) -> SceneTracks:
    """Where the points under ``pixels`` (N, 3), as (t, row, column), are in every frame.

    A point is occluded where it is behind the camera, behind something nearer, on no pixel of its
    own segment, outside the window, or turned away.

    Raises:
        InputError: a frame of normals or coordinates cannot be decoded.
    """
    t, row, column = pixels.T
    owner = scene.segments[t, row, column].astype(np.int64)
    places = _place_points(scene, pixels, owner)  # (N, s, 3)
    cameras = _rotations(scene.camera_turns)  # (s, 3, 3)
    sight = places - scene.camera_places[None]
    projected = np.einsum("nfk,fkj,ij->nfi", sight, cameras, _intrinsics(scene), optimize=True)
    height, width = scene.segments.shape[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        tracks = projected[..., :2] / projected[..., 2:] * (width, height)
    tracks = np.nan_to_num(tracks, nan=-_FAR_PX).clip(-_FAR_PX, _FAR_PX)
    top, left, bottom, right = window_yxyx
    outside = (tracks < (left, top)).any(-1) | (tracks > (right, bottom)).any(-1)
    occluded = (
        (projected[..., 2] < 0)
        | _hidden(scene, tracks, np.linalg.norm(sight, axis=-1), owner)
        | outside
        | _turned_away(scene, pixels, owner, sight)
    )
    return SceneTracks(tracks, occluded)


def _place_points(scene: Scene, pixels: Pixels, owner: Pixels) -> Floats:
    """(N, s, 3) in the world."""
    t, row, column = pixels.T
    frames, height, width = scene.segments.shape
    raster = np.stack(((column + 0.5) / width, (row + 0.5) / height, np.ones(len(t))), -1)
    rays = raster @ np.linalg.inv(_intrinsics(scene)).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    rays *= _metres(scene, scene.depth[t, row, column])[:, None]
    turned = np.einsum("nij,nj->ni", _rotations(scene.camera_turns)[t], rays)
    fixed = turned + scene.camera_places[t]
    places = np.repeat(fixed[:, None], frames, axis=1)
    carried = np.flatnonzero(owner > 0)
    if len(carried):
        maps = np.linalg.pinv(np.c_[_CORNERS, np.ones(8)]) @ scene.boxes.astype(np.float64)
        on_box = _at(scene.coordinates, pixels[carried]) / _LARGEST_U16 - 0.5
        local = np.c_[on_box, np.ones(len(carried))]
        places[carried] = np.einsum("ni,nfij->nfj", local, maps[owner[carried] - 1])
    return places


def _hidden(scene: Scene, tracks: Floats, distances: Floats, owner: Pixels) -> NDArray[np.bool_]:
    """Behind all four pixels around, or on none of its own segment."""
    frames, height, width = scene.segments.shape
    corner = np.floor(np.clip(tracks - 0.5, -2, max(height, width) + 1)).astype(np.int64)
    frame = np.arange(frames)[None]
    farthest = np.full(tracks.shape[:2], -np.inf)
    own = np.zeros(tracks.shape[:2], np.bool_)
    for down, across in itertools.product((0, 1), repeat=2):
        y = np.clip(corner[..., 1] + down, 0, height - 1)
        x = np.clip(corner[..., 0] + across, 0, width - 1)
        farthest = np.maximum(farthest, _metres(scene, scene.depth[frame, y, x]))
        own |= scene.segments[frame, y, x] == owner[:, None]
    return (farthest < _DEPTH_SLACK * distances) | ~own


def _turned_away(scene: Scene, pixels: Pixels, owner: Pixels, sight: Floats) -> NDArray[np.bool_]:
    """Instances whose surface faces away from the camera, where its normal can be trusted."""
    away = np.zeros(sight.shape[:2], np.bool_)
    carried = np.flatnonzero(owner > 0)
    if not len(carried):
        return away
    t = pixels[carried, 0]
    normals, trusted = _normals(scene, pixels[carried])
    turns = _rotations(scene.turns)[owner[carried] - 1]  # (n, s, 3, 3)
    own = turns[np.arange(len(carried)), t]
    at_rest = np.einsum("nji,nj->ni", own, normals)
    now = np.einsum("nfij,nj->nfi", turns, at_rest)
    facing_away = np.einsum("nfi,nfi->nf", now, sight[carried]) > 0
    asked_away = facing_away[np.arange(len(carried)), t]
    away[carried] = facing_away & (trusted & ~asked_away)[:, None]
    return away


def _normals(scene: Scene, pixels: Pixels) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, 3) at the pixels, and whether enough of the four diagonal neighbours agree."""
    height, width = scene.segments.shape[1:]
    here = _at(scene.normals, pixels) / _LARGEST_U16 * 2 - 1
    changed = np.zeros(len(pixels), np.int64)
    for down, across in itertools.product((-1, 1), repeat=2):
        beside = pixels + np.array([0, down, across])
        within = beside.clip(0, (len(scene.segments), height - 1, width - 1))
        there = _at(scene.normals, within) / _LARGEST_U16 * 2 - 1
        there[(beside != within).any(-1)] = 0  # the edge is padded with zeros
        changed += np.square(there - here).sum(-1) > _NORMAL_CHANGE
    return here, changed <= _CHANGED_NEIGHBOURS


def _at(maps: FrameMaps, pixels: Pixels) -> NDArray[np.uint16]:
    """(n, 3); only the frames in which there is a pixel are asked for."""
    found = np.empty((len(pixels), 3), np.uint16)
    for frame in np.unique(pixels[:, 0]):
        own = pixels[:, 0] == frame
        found[own] = maps[int(frame)][pixels[own, 1], pixels[own, 2]]
    return found


def _metres(scene: Scene, depth: NDArray[np.uint16]) -> Floats:
    nearest, farthest = scene.depth_range
    return np.asarray(nearest + depth * ((farthest - nearest) / _LARGEST_U16), np.float64)


def _intrinsics(scene: Scene) -> Floats:
    """From the camera's axes to parts of the frame's width and height."""
    _, height, width = scene.segments.shape
    focal = scene.focal_length / scene.sensor_width
    return np.array([[focal, 0, -0.5], [0, -focal * height / width, -0.5], [0, 0, -1]])


def _rotations(turns: NDArray[np.float32]) -> Floats:
    """(..., 4) unit quaternions (w, x, y, z) → (..., 3, 3)."""
    w, x, y, z = np.moveaxis(turns.astype(np.float64), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)
