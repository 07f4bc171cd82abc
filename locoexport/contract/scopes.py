"""Which part of the tracker a name belongs to, told from the scopes that the exporter leaves.

Our own graphs carry the scopes of ``models.locotrack.tracker``: ``/encoder/…``,
``/query_sampling/…``, ``/cost_volume/…``, ``/refinement_2/correlation_hires/sampling/…`` and so on.
From the same scopes it is told which nodes may compute in a smaller precision: one list for float16
(``lowering.tracker.half_precision``), 8 bits and bf16 as OpenVINO runs it. What neither list of
places names stays float32. Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "BETWEEN",
    "MOVES_POSITIONS",
    "TRACKER_SCOPE",
    "Part",
    "in_cmdtop",
    "in_encoder",
    "in_refinement_network",
    "in_transformer",
    "is_island",
    "tracker_part",
]

TRACKER_SCOPE = re.compile(
    r"/((first_)?encoder|(first_)?query_sampling|cost_volume|refinement_\d+)/"
)
"""How the name of a node in a part of the tracker begins."""
_SCOPES = {
    "encoder": "backbone",
    "first_encoder": "backbone, first level",
    "query_sampling": "query sampling",
    "first_query_sampling": "query sampling, first level",
    "cost_volume": "cost volume",
}
_NETWORK = re.compile(r"/cmdtop\.\d+/")
_FIRST_LAYER = re.compile(r"/cmdtop\.\d+/first/")
"""The rewrite ``correlation-products`` computes the correlation within cmdtop's first layer."""

MOVES_POSITIONS = r"/output_proj/|/seam/changes$"
"""Homes of the projection whose numbers are added to positions; what it writes is a seam."""

_ENCODER = re.compile(r"/(first_)?encoder/[^/]+/")
"""The backbone itself: normalisation lies right under /encoder/."""
_CMDTOP = re.compile(r"/refinement_\d+/correlation_\w+/cmdtop/")
"""Convolutions over correlation maps."""
_TRANSFORMER = re.compile(r"/refinement_\d+/torch_pips_mixer/")
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


@dataclass(frozen=True, order=True)
class Part:
    """A part of a model; ``iteration`` counts refinements from 0 and is None outside them."""

    name: str
    iteration: int | None = None

    def __str__(self) -> str:
        return self.name if self.iteration is None else f"refinement {self.iteration}: {self.name}"


BETWEEN = Part("between the parts")


def tracker_part(name: str) -> Part | None:
    """The part that a node or value of that name belongs to; None where the name does not say."""
    segments = name.split("/")
    if len(segments) < 2 or segments[0]:
        return None
    root, rest = segments[1], segments[2:]
    if not rest:
        return BETWEEN
    if root in _SCOPES:
        return Part(_SCOPES[root])
    if re.fullmatch(r"refinement_\d+", root):
        return Part(_step(name, rest), int(root.removeprefix("refinement_")))
    return None


def _step(name: str, scopes: list[str]) -> str:
    """The step of a refinement; ``scopes`` are those below it and the operation's own name."""
    if scopes[0] == "torch_pips_mixer":
        return "transformer"
    if not scopes[0].startswith("correlation_"):
        return "inputs and updates"
    if _FIRST_LAYER.search(name):
        return "correlation with first layer"
    if _NETWORK.search(name):
        return "cmdtop"
    # Beside the two scopes there is only the scaling of positions to the grid.
    return "correlation" if scopes[1] == "cmdtop" else "sampling"


def is_island(home: str) -> bool:
    """Whether a node there stays float32 within a network that is lowered."""
    return _ISLANDS.search(home) is not None or _RESIDUAL.search(home) is not None


def in_encoder(home: str) -> bool:
    """Whether it is the backbone's."""
    return _ENCODER.match(home) is not None


def in_cmdtop(home: str) -> bool:
    """Whether it is cmdtop's."""
    return _CMDTOP.match(home) is not None


def in_transformer(home: str) -> bool:
    """Whether it is the transformer's."""
    return _TRANSFORMER.match(home) is not None


def in_refinement_network(home: str) -> bool:
    """Whether it is cmdtop's or the transformer's."""
    return in_cmdtop(home) or in_transformer(home)
