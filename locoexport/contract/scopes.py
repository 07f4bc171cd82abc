"""Which part of the tracker a name belongs to, told from the scopes that the exporter leaves.

Our own graphs carry the scopes of ``models.locotrack.tracker``: ``/encoder/…``,
``/query_sampling/…``, ``/cost_volume/…``, ``/refinement_2/correlation_hires/sampling/…`` and so on.
Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["BETWEEN", "TRACKER_SCOPE", "Part", "tracker_part"]

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
