"""Models from the table of variants."""

from __future__ import annotations

from dataclasses import replace

import torch

from locoexport.models.locotrack.config import VARIANTS, TrackerConfig
from locoexport.models.locotrack.seeding import seed_weights
from locoexport.models.locotrack.tracker import LocoTrack

__all__ = ["configure", "create_model", "create_uninitialised"]


def create_model(
    variant: str | TrackerConfig, resolution: tuple[int, int] | None = None
) -> LocoTrack:
    """A model of that variant with seeded weights, in eval mode.

    Args:
        variant: a name in ``VARIANTS``, or a configuration (``dataclasses.replace`` one of them).
        resolution: (height, width) of the initial resolution; the variant's own by default.

    Raises:
        ValueError: there is no such variant.
    """
    model = create_uninitialised(configure(variant, resolution))
    seed_weights(model)
    return model


def create_uninitialised(config: TrackerConfig) -> LocoTrack:
    """A model in eval mode whose weights are whatever memory held: load or seed them."""
    with torch.device("meta"):
        model = LocoTrack(config)
    return model.to_empty(device="cpu").eval()


def configure(
    variant: str | TrackerConfig, resolution: tuple[int, int] | None = None
) -> TrackerConfig:
    """The configuration of a variant; raises ValueError for an unknown name."""
    if isinstance(variant, str) and variant not in VARIANTS:
        raise ValueError(f"There is no variant {variant!r}; known are {', '.join(VARIANTS)}.")
    config = VARIANTS[variant] if isinstance(variant, str) else variant
    return config if resolution is None else replace(config, resolution_hw=resolution)
