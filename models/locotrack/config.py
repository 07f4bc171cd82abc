"""The table of variants: everything that tells one LocoTrack from another, in one place.

Sources: github cvlab-kaist/locotrack (resnet-*), github zyp-up/locotrack-pytorch-efficientnet
(the EfficientNet variants), both Apache-2.0; arXiv 2407.15420.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from locoexport.models.locotrack.resolutions import check_levels

__all__ = [
    "MOST_REFINEMENTS",
    "SUPPORT_SIDE",
    "VARIANTS",
    "BackboneConfig",
    "CorrelationConfig",
    "Gelu",
    "Tap",
    "TrackerConfig",
    "TransformerConfig",
]

SUPPORT_SIDE = 7
"""A support is the 7×7 neighbourhood of a point (paper, section 3.2)."""
MOST_REFINEMENTS = 32
Gelu = Literal["erf", "tanh"]
"""The transformer's activation: exact, as PyTorch's models have it, or tanh's form, as JAX's."""
_TEMPERATURES = (1e-3, 1e4)


@dataclass(frozen=True)
class Tap:
    """Where a feature grid is taken: block (ResNet: group) index, channels, stride.

    ``projected_from`` is the block's own width where a 1×1 convolution maps it to ``channels``.
    """

    index: int
    channels: int
    stride: int
    projected_from: int | None = None


@dataclass(frozen=True)
class BackboneConfig:
    """A backbone: EfficientNet scaling coefficients and nominal size (unused by ResNet)."""

    family: Literal["efficientnet", "resnet"]
    highest: Tap
    hires: Tap
    lowres: Tap
    width: float = 1.0
    depth: float = 1.0
    nominal_hw: tuple[int, int] = (224, 224)


@dataclass(frozen=True)
class CorrelationConfig:
    """The small CNN over local 4D correlation (``cmdtop``); its input has 49 channels."""

    out_channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class TransformerConfig:
    """The transformer over time."""

    dim: int
    heads: int
    layers: int = 3


@dataclass(frozen=True)
class TrackerConfig:
    """One variant, and what no state dict can say of its weights.

    ``motion_first``: the transformer reads relative motion before the logits and the
    correlation embeddings; the original LocoTrack reads it after them.
    ``feeds_features``: the running feature is an input of the transformer.

    The other fields fit any state dict of the variant, and each of them changes the function.
    ``resolution_hw`` is the initial resolution, (height, width) in pixels: positions are kept in
    its pixels. ``refinement_resolutions`` are the levels that frames are looked at, by default
    one, the initial resolution; only the first and the last are ever computed. ``refinements``
    are made at the last level (``num_pips_iter`` of the published code). The heatmaps' softmax
    has ``softmax_temperature``.
    """

    name: str
    backbone: BackboneConfig
    correlation: CorrelationConfig
    transformer: TransformerConfig
    resolution_hw: tuple[int, int] = (256, 256)
    motion_first: bool = True
    feeds_features: bool = False
    refinement_resolutions: tuple[tuple[int, int], ...] | None = None
    refinements: int = 4
    softmax_temperature: float = 20.0
    gelu: Gelu = "erf"

    def __post_init__(self) -> None:
        """Check what a caller may set; raises ValueError naming it."""
        if not 1 <= self.refinements <= MOST_REFINEMENTS:
            raise ValueError(
                f"refinements is {self.refinements}; expected 1 to {MOST_REFINEMENTS}."
            )
        low, high = _TEMPERATURES
        if not (
            math.isfinite(self.softmax_temperature) and low <= self.softmax_temperature <= high
        ):
            raise ValueError(
                f"softmax_temperature is {self.softmax_temperature}; expected {low:g} to {high:g}."
            )
        if self.gelu not in get_args(Gelu):
            raise ValueError(f"gelu is {self.gelu!r}; expected one of {', '.join(get_args(Gelu))}.")
        if self.refinement_resolutions is not None:
            check_levels(self.refinement_resolutions)

    @property
    def levels(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and the last level, (height, width) each; often the same."""
        levels = self.refinement_resolutions or (self.resolution_hw,)
        return levels[0], levels[-1]

    @property
    def working_hw(self) -> tuple[int, int]:
        """(height, width) of the last level: what the resize-first path takes frames at."""
        return self.levels[-1]

    @property
    def feature_channels(self) -> int:
        """Width of the running feature: hires + lowres (+ highest where it is an input)."""
        taps = self.backbone
        both = taps.hires.channels + taps.lowres.channels
        return both + (taps.highest.channels if self.feeds_features else 0)

    @property
    def transformer_inputs(self) -> int:
        """Width of the transformer's input: 2 logits, 84 of motion, 3 embeddings (, features)."""
        embeddings = 3 * 2 * self.correlation.out_channels[-1]
        return 2 + 84 + embeddings + (self.feature_channels if self.feeds_features else 0)

    @property
    def transformer_outputs(self) -> int:
        """dx, dy, occlusion, expected_dist, and the change of the running feature."""
        return 4 + self.feature_channels


_SMALL_CORRELATION = CorrelationConfig((64, 128), (5, 2), (4, 2))
_BASE_CORRELATION = CorrelationConfig((64, 128, 128), (3, 3, 2), (2, 2, 2))
_LARGE_CORRELATION = CorrelationConfig((128, 192, 192), (3, 3, 2), (2, 2, 2))
_TINY_CORRELATION = CorrelationConfig((32, 64), (5, 2), (4, 2))
_SMALL_TRANSFORMER = TransformerConfig(256, 4)
_BASE_TRANSFORMER = TransformerConfig(384, 6)
_TINY_TRANSFORMER = TransformerConfig(128, 2)

_RESNET = BackboneConfig(
    "resnet", highest=Tap(0, 64, 2), hires=Tap(1, 128, 4), lowres=Tap(3, 256, 8)
)
_B0_PROJECTED = BackboneConfig(
    "efficientnet",
    highest=Tap(0, 64, 2, projected_from=16),
    hires=Tap(2, 128, 4, projected_from=24),
    lowres=Tap(4, 256, 8, projected_from=40),
)
_B0 = BackboneConfig(
    "efficientnet", highest=Tap(0, 16, 2), hires=Tap(2, 24, 4), lowres=Tap(4, 40, 8)
)
_B0_WIDE = BackboneConfig(
    "efficientnet", highest=Tap(0, 16, 2), hires=Tap(4, 40, 8), lowres=Tap(10, 112, 16)
)
_EFFNET256 = BackboneConfig(
    "efficientnet",
    highest=Tap(1, 16, 2),
    hires=Tap(7, 40, 8),
    lowres=Tap(11, 88, 16),
    width=1.095,
    depth=1.19,
    nominal_hw=(256, 256),
)
_B2 = BackboneConfig(
    "efficientnet",
    highest=Tap(1, 16, 2),
    hires=Tap(7, 48, 8),
    lowres=Tap(15, 120, 16),
    width=1.1,
    depth=1.2,
    nominal_hw=(260, 260),
)
_B5 = BackboneConfig(
    "efficientnet",
    highest=Tap(7, 40, 4),
    hires=Tap(12, 64, 8),
    lowres=Tap(26, 176, 16),
    width=1.6,
    depth=2.2,
    nominal_hw=(384, 512),
)

_B0_CONFIG = TrackerConfig("b0", _B0, _SMALL_CORRELATION, _SMALL_TRANSFORMER)

VARIANTS: dict[str, TrackerConfig] = {
    config.name: config
    for config in (
        TrackerConfig(
            "resnet-small", _RESNET, _SMALL_CORRELATION, _SMALL_TRANSFORMER, motion_first=False
        ),
        TrackerConfig(
            "resnet-base", _RESNET, _BASE_CORRELATION, _BASE_TRANSFORMER, motion_first=False
        ),
        TrackerConfig(
            "resnet-large",
            _RESNET,
            _LARGE_CORRELATION,
            _BASE_TRANSFORMER,
            motion_first=False,
            gelu="tanh",
        ),
        TrackerConfig(
            "b0-proj-small",
            _B0_PROJECTED,
            _SMALL_CORRELATION,
            _SMALL_TRANSFORMER,
            motion_first=False,
        ),
        TrackerConfig(
            "b0-proj-base", _B0_PROJECTED, _BASE_CORRELATION, _BASE_TRANSFORMER, motion_first=False
        ),
        _B0_CONFIG,
        replace(_B0_CONFIG, name="b0-384", resolution_hw=(384, 512)),
        TrackerConfig("b0-wide", _B0_WIDE, _SMALL_CORRELATION, _SMALL_TRANSFORMER),
        TrackerConfig("b0-mlp", _B0, _SMALL_CORRELATION, _SMALL_TRANSFORMER, feeds_features=True),
        TrackerConfig("b0-tiny", _B0, _TINY_CORRELATION, _TINY_TRANSFORMER, feeds_features=True),
        TrackerConfig("effnet256", _EFFNET256, _SMALL_CORRELATION, _SMALL_TRANSFORMER),
        TrackerConfig("b2", _B2, _SMALL_CORRELATION, _SMALL_TRANSFORMER),
        TrackerConfig("b5", _B5, _SMALL_CORRELATION, _SMALL_TRANSFORMER, resolution_hw=(384, 512)),
    )
}
"""Every variant by name. b0-384 is b0's network at another initial resolution; resnet-large exists
in the JAX implementation alone."""
