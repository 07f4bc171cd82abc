"""Between a video's pixels and the model's: the resize-first path of LocoTrack's inference.

Positions are raster coordinates, pixel centres at .5, so a change of size is a plain factor.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import VideoError

__all__ = [
    "check_frames",
    "scale_queries_to_model",
    "scale_tracks_to_model",
    "scale_tracks_to_video",
    "to_model_input",
]

# What each grey level becomes: one look-up in place of three passes over the frame, equal bits.
_NORMALISED = np.arange(256, dtype=np.float32) / np.float32(255) * np.float32(2) - np.float32(1)


def to_model_input(
    frames_rgb: NDArray[np.uint8], resolution_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Normalise frames and resize them to the model's resolution.

    The frames are normalised first and resized as float32, as the reference does it: OpenCV's
    uint8 resize is fixed-point arithmetic and differs by up to half a grey level.

    Args:
        frames_rgb: uint8 (frames, height, width, 3).
        resolution_hw: (height, width) in pixels.

    Returns:
        float32 (1, frames, *resolution_hw, 3) in [-1, 1]; bilinear, align_corners False, no
        antialiasing.

    Raises:
        VideoError: the frames are not uint8 of that rank, or there are none.
    """
    check_frames(frames_rgb)
    height, width = resolution_hw
    video = np.empty((1, len(frames_rgb), height, width, 3), np.float32)
    for frame, resized in zip(frames_rgb, video[0], strict=True):
        normalised = cv2.LUT(frame, _NORMALISED)
        if frame.shape[:2] == (height, width):
            resized[...] = normalised
        else:
            resized[...] = cv2.resize(normalised, (width, height), interpolation=cv2.INTER_LINEAR)
    return video


def check_frames(frames_rgb: NDArray[np.uint8]) -> None:
    """Raises VideoError where frames are not uint8 (frames, height, width, 3), none of them 0."""
    shape = frames_rgb.shape
    if frames_rgb.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise VideoError(
            f"A video is uint8 of shape (frames, height, width, 3), not {frames_rgb.dtype} of "
            f"shape {shape}.{_way_to_rgb(frames_rgb)}"
        )


def _way_to_rgb(frames: NDArray[np.generic]) -> str:
    """What makes RGB of frames that are something else, as far as that can be told."""
    shape = frames.shape
    if frames.dtype.kind == "f":
        return " Of values from 0 to 1, (frame * 255).round().astype(numpy.uint8) makes it."
    if frames.dtype == np.uint16:
        return " Of 16 bits, (frame >> 8).astype(numpy.uint8) makes it."
    if len(shape) == 4 and shape[1] == 3:
        return " Where colours come first, frame.transpose(1, 2, 0) makes it."
    if len(shape) == 4 and shape[3] == 4:
        return " frame[..., :3] drops the fourth channel."
    if len(shape) == 3 and shape[2] > 4:
        return " Of grey frames, numpy.stack([frame] * 3, axis=-1) makes it."
    return ""


def scale_queries_to_model(
    query_points_tyx: NDArray[np.float32],
    video_hw: tuple[int, int],
    model_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Query points (..., 3) in the video's pixels → in the model's. Frame indices stay."""
    factors = np.array([1.0, model_hw[0] / video_hw[0], model_hw[1] / video_hw[1]])
    scaled: NDArray[np.float32] = (query_points_tyx * factors).astype(np.float32)
    return scaled


def scale_tracks_to_model(
    tracks_xy: NDArray[np.float32],
    video_hw: tuple[int, int],
    model_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Tracks (..., 2) in the video's pixels → in the model's."""
    return scale_tracks_to_video(tracks_xy, video_hw, model_hw)


def scale_tracks_to_video(
    tracks_xy: NDArray[np.float32],
    model_hw: tuple[int, int],
    video_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Tracks (..., 2) in the model's pixels → in the video's."""
    factors = np.array([video_hw[1] / model_hw[1], video_hw[0] / model_hw[0]])
    scaled: NDArray[np.float32] = (tracks_xy * factors).astype(np.float32)
    return scaled
