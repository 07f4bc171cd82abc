"""A benchmark's clip as each side takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.parity.probes import to_uint8
from locoexport.runtime.session.single import ModelSession

__all__ = ["Floats", "as_taken"]

Floats = NDArray[np.float32]


def as_taken(session: ModelSession, video: Floats) -> NDArray[Any]:
    """A clip at the working resolution as the file takes it: as it is, or as uint8 frames."""
    return to_uint8(video) if session.signature.input_type == "uint8" else video
