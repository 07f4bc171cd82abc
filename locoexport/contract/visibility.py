"""When a point is seen, from the model's two logits. numpy only: runtime and parity both ask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_visible", "visible_from_logits"]


def visible_from_logits(
    occlusion: NDArray[np.float32], expected_dist: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Visibility and confidence from the model's two logits, all of one shape.

    Confidence is (1 - σ(occlusion))·(1 - σ(expected_dist)); a point is visible where one minus
    that is at most 0.5. No logit overflows; NaN gives NaN and invisible.
    """
    product = _one_minus_sigmoid(occlusion) * _one_minus_sigmoid(expected_dist)
    confidence = product.astype(np.float32)
    return is_visible(confidence), confidence


def is_visible(confidence: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where one minus the confidence is at most 0.5; NaN is invisible."""
    answer: NDArray[np.bool_] = 1 - confidence <= 0.5
    return answer


def _one_minus_sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 / (1 + exp(logit)) with no exponential of a positive number."""
    small = np.exp(-np.abs(logits.astype(np.float64)))
    answer: NDArray[np.float64] = np.where(logits > 0, small, 1.0) / (1 + small)
    return answer
