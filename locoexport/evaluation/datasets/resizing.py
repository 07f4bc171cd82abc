"""Frames at the size that the benchmark scores at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locoexport.machine.installation import require_packages

__all__ = ["resize_as_published"]


def resize_as_published(
    frames_rgb: NDArray[np.uint8], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Frames uint8 (t, h, w, 3) resized by Pillow's Lanczos filter, as the published readers do.

    Frames of that size already are given back as they are.

    Raises:
        PackageMissingError: they are of another size and Pillow is not installed.
    """
    if frames_rgb.shape[1:3] == size_hw:
        return frames_rgb
    require_packages("PIL", extra="eval")
    from PIL import Image

    height, width = size_hw
    return np.stack(
        [
            np.asarray(
                Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS), np.uint8
            )
            for frame in frames_rgb
        ]
    )
