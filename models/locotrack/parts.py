"""Names for the parts of the tracker, so that profilers and exporters can tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

__all__ = ["Part"]


class Part(nn.Module):
    """A named place in the model: calls a function inside a module of its own, so that whoever
    records modules knows which part of the tracker an operation belongs to. It has no state."""

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)``."""
        return function(*arguments)
