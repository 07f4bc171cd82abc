"""Which nodes of our graph may compute in a smaller precision, told from the scopes they stand in.

One list for two passes: float16 as it is exported (``lowering.tracker.half_precision``) and bf16 as
OpenVINO runs it (``runtime.session.bfloat16``). What neither list of places names stays float32.
Standard library only.
"""

from __future__ import annotations

import re

__all__ = ["MOVES_POSITIONS", "in_encoder", "in_refinement_network", "is_island"]

MOVES_POSITIONS = r"/output_proj/|/seam/changes$"
"""Homes of the projection whose numbers are added to positions; what it writes is a seam."""

_ENCODER = re.compile(r"/(first_)?encoder/[^/]+/")
"""The backbone itself: normalisation lies right under /encoder/."""
_REFINEMENT = re.compile(
    r"/refinement_\d+/correlation_\w+/cmdtop/"  # convolutions over correlation maps
    r"|/refinement_\d+/torch_pips_mixer/"  # the transformer
)
_ISLANDS = re.compile(
    # GroupNorm and LayerNorm: a variance is a difference of large sums. norms.0, layer_norm1,
    # ln_out; bn_0 is an InstanceNorm.
    r"/(norms?(\.\d+)?|layer_norm\d*|ln_out|bn_\w+)/"
    # The CPU's form of the last GroupNorm, but for its convolution.
    r"|/head/(?!conv)"
    # Softmax's bias: -1e9 is no float16, and in bf16 what is added to it is rounded to 2^22.
    r"|/attn/Add(_\d+)?$"
    # At 200 px a float16 is 0.125 px wide and a bf16 1 px; the logits come out of it as well.
    r"|" + MOVES_POSITIONS
)
_RESIDUAL = re.compile(r"/torch_pips_mixer/transformer/layers\.\d+/Add(_\d+)?$")
"""The residual stream: twelve sums, one after the other, would each be rounded."""


def is_island(home: str) -> bool:
    """Whether a node there stays float32 within a network that is lowered."""
    return _ISLANDS.search(home) is not None or _RESIDUAL.search(home) is not None


def in_encoder(home: str) -> bool:
    """Whether it is the backbone's."""
    return _ENCODER.match(home) is not None


def in_refinement_network(home: str) -> bool:
    """Whether it is cmdtop's or the transformer's."""
    return _REFINEMENT.match(home) is not None
