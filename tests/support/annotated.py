"""Clips whose ground truth the synthetic tracker (tests/runtime) follows exactly, as pickles."""

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from synthetic_tracker import MODEL_HW, VELOCITY_XY

# Pixels of 256×256 a frame.
SPEED = np.array(VELOCITY_XY) * 256 / np.array(MODEL_HW[::-1])


def make_clip(
    seed: int = 0, *, frames: int = 6, points: int = 5, size_hw=(256, 256), off_px: float = 0
) -> dict[str, Any]:
    """A dark clip as TAP-Vid keeps it; ``off_px`` is how far right of the tracker the truth lies,
    in every frame but that of the query."""
    random = np.random.default_rng(seed)
    start = random.uniform(60, 190, (points, 1, 2))
    steps = np.arange(frames)[:, None]
    tracks = start + steps * SPEED + (steps > 0) * np.array([off_px, 0])
    video = random.integers(0, 20, (frames, *size_hw, 3), np.uint8)
    occluded = np.zeros((points, frames), bool)
    return {"video": video, "points": (tracks / 256).astype(np.float32), "occluded": occluded}


def as_jpeg(clip: dict[str, Any]) -> dict[str, Any]:
    """The layout of a Kinetics shard: an array of JPEG files, and float64 positions."""
    files = [cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes() for frame in clip["video"]]
    return clip | {"video": np.array(files), "points": clip["points"].astype(np.float64)}


def write_pickle(path: Path, document: Any, protocol: int = 4) -> Path:
    """Plainly, as the published tools do."""
    path.write_bytes(pickle.dumps(document, protocol=protocol))
    return path
