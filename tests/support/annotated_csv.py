"""Films with annotations as CSV, in the two published layouts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from annotated import make_clip

from locoexport.runtime.video.mp4 import write_mp4


def row_of(head: Sequence[object], points: np.ndarray, occluded: np.ndarray) -> str:
    """``head``, then x, y and occluded of every frame."""
    cells = [f"{x:.8f},{y:.8f},{int(h)}" for (x, y), h in zip(points, occluded, strict=True)]
    return ",".join([*map(str, head), *cells])


def write_video_layout(folder: Path, seeds: dict[str, int], **options) -> Path:
    """Perception Test's layout: clips of ``make_clip`` by name, each with its film beside it."""
    folder.mkdir(exist_ok=True)
    rows = []
    for name, seed in seeds.items():
        clip = make_clip(seed, **options)
        write_mp4(folder / f"{name.removesuffix('.mp4')}.mp4", clip["video"], 30)
        tracks = zip(clip["points"], clip["occluded"], strict=True)
        rows += [row_of([name], *track) for track in tracks]
    path = folder / "valid.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def counting_film(path: Path, frames: int, fps: float) -> Path:
    """A small film whose frame i has the grey level i."""
    levels = np.arange(frames, dtype=np.uint8)[:, None, None, None]
    write_mp4(path, np.broadcast_to(levels, (frames, 32, 48, 3)).copy(), fps)
    return path
