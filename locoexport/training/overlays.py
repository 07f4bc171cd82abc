"""A picture of a validated clip of each dataset: what the tracker said over what is true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from locoexport.errors import OutputError
from locoexport.evaluation.films import caption_scores, compared_tracks, safe_part
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.drawing.comparison import draw_comparison
from locoexport.training.run_folder import RunFolder
from locoexport.training.tracker_module import TrackerModule
from locoexport.training.validation import ValidatedClip

__all__ = ["OverlayWriter", "draw_overlay", "write_overlays"]

_FRAMES = 3
_GAP_PX = 8
_HIGHEST_PX, _QUALITY = 480, 85
"""A run of 300 000 steps keeps 300 such pictures of each dataset: as PNG they are seven times as
large."""


class OverlayWriter(Callback):
    """Writes the overlays of every validation."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what was just validated."""
        assert isinstance(pl_module, TrackerModule)
        if trainer.is_global_zero:
            write_overlays(self._folder.overlays, trainer.global_step, pl_module.latest_clips)


def write_overlays(folder: Path, step: int, clips: Sequence[ValidatedClip]) -> tuple[Path, ...]:
    """Write ``step-N-DATASET-CLIP.jpg`` of the first clip of each dataset; returns their paths.

    Args:
        folder: for the pictures; it is made where there is none.
        step: how many steps the tracker had learned.
        clips: with the answers; those of one dataset in any order, the first is drawn.

    Raises:
        OutputError: a picture cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quality = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
    firsts: dict[str, ValidatedClip] = {}
    for clip in clips:
        firsts.setdefault(clip.dataset, clip)
    paths = []
    for dataset, clip in firsts.items():
        path = folder / f"step-{step}-{safe_part(dataset)}-{safe_part(clip.name)}.jpg"
        with whole_file(path) as draft:
            encoded, content = cv2.imencode(".jpg", draw_overlay(clip)[:, :, ::-1], quality)
            if not encoded:
                raise OutputError(f"{path}: OpenCV cannot write the picture.")
            draft.write_bytes(content.tobytes())
        paths.append(path)
    return tuple(paths)


def draw_overlay(validated: ValidatedClip) -> NDArray[np.uint8]:
    """A few frames beside one another, the last among them, with ``draw_comparison``'s marks.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    clip, found = validated.clip, validated.found
    frames = len(clip.video)
    # In the first frame most points are where they were asked for.
    shown = np.unique(np.linspace(0, frames - 1, _FRAMES + 1).round().astype(int)[1:]).tolist()
    drawn = draw_comparison(clip.video, compared_tracks(clip, found), caption_scores(found))
    panels = [_fitted(frame) for index, frame in enumerate(drawn) if index in shown]
    gap = np.full((panels[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=1)


def _fitted(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if height <= _HIGHEST_PX:
        return frame
    size = (round(width * _HIGHEST_PX / height), _HIGHEST_PX)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
