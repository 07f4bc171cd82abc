from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_tracker import tracker_bytes


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a synthetic tracker (see ``tracker_bytes``) and returns its path."""

    def make(name: str = "model.onnx", **options: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(tracker_bytes(**options))
        return path

    return make


@pytest.fixture
def frames_u8() -> np.ndarray:
    """5 random frames of 48x40 whose brightness rises: dark, dark, middling, bright, bright."""
    noise = np.random.default_rng(0).integers(0, 80, (5, 48, 40, 3))
    return (noise + np.array([0, 20, 90, 150, 175])[:, None, None, None]).astype(np.uint8)
