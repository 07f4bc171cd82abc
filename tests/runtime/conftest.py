import numpy as np
import pytest


@pytest.fixture
def frames_u8() -> np.ndarray:
    """5 random frames of 48x40 whose brightness rises: dark, dark, middling, bright, bright."""
    noise = np.random.default_rng(0).integers(0, 80, (5, 48, 40, 3))
    return (noise + np.array([0, 20, 90, 150, 175])[:, None, None, None]).astype(np.uint8)
