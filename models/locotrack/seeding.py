"""Deterministic untrained weights whose heatmaps have one clear peak.

Plain random weights nearly tie in the cost volume, so that float noise flips the argmax and parity
on them means nothing. Here each tensor is drawn from its own name, scaled so that activations stay
of order one, and the cost convolution leans on its centre tap.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import nn

__all__ = ["seed_weights", "seeded_array"]

_BACKBONE = "efficientnet_feature_extractor."
_COST_CENTRE = 1.0
_COST_NOISE = 0.25


def seed_weights(model: nn.Module) -> None:
    """Overwrite every parameter and buffer of ``model`` with its seeded value, in place."""
    state = {
        name: torch.from_numpy(seeded_array(name, tuple(tensor.shape)).reshape(tensor.shape))
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(state)


def seeded_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The seeded tensor of that state-dict name and shape: float32, or int64 zero for counters.

    Raises:
        KeyError: no rule covers the name.
    """
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    normal = np.random.Generator(np.random.PCG64(seed)).standard_normal(size=shape)
    if name.endswith("running_mean"):
        values = 0.04 * normal
    elif name.endswith("running_var"):
        values = 1.0 + 0.2 * np.abs(normal)
    elif name.endswith("bias"):
        values = 0.02 * normal
    elif name.endswith("weight") and len(shape) == 1:
        values = 1.0 + 0.1 * normal
    elif name.endswith("weight"):
        values = _gain(name) * normal / math.sqrt(math.prod(shape[1:]))
        if name == "cost_conv.weight":
            values *= _COST_NOISE
            values[0, :, 1, 1] += _COST_CENTRE
    else:
        raise KeyError(f"no rule seeds {name} {shape}")
    return np.asarray(values, np.float32)


def _gain(name: str) -> float:
    if name.startswith(_BACKBONE):
        for mark, gain in (("._conv_stem.", 4.0), ("._se_", 1.0), ("._project_conv.", 1.4)):
            if mark in name:
                return gain
        return 1.6
    return 1.4 if name.startswith("resnet_torch.") else 1.0
