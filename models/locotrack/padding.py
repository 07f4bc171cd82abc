"""TF "SAME" padding, in Python integers so that it is a constant of every traced graph."""

from __future__ import annotations

import math

__all__ = ["same_output_hw", "same_padding"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) for one axis of ``size`` cells; the odd cell goes after."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def same_output_hw(size_hw: tuple[int, int], stride: int) -> tuple[int, int]:
    """(height, width) after a "SAME" convolution of that stride."""
    return math.ceil(size_hw[0] / stride), math.ceil(size_hw[1] / stride)
