"""Rewrites: exact re-expressions of one function of the model, for export.

Each file holds one rewrite: what it replaces, the identity it relies on, why it is needed, and
``rewrite(model)``, which gives a new model over the same weights. Applying one changes nothing but
the form of the computation; its test proves it against the unrewritten function.
"""

from locoexport.rewrites.registry import (
    GRAPH_PASSES,
    REWRITES,
    Rewrite,
    apply_rewrites,
    select_passes,
    select_rewrites,
)

__all__ = [
    "GRAPH_PASSES",
    "REWRITES",
    "Rewrite",
    "apply_rewrites",
    "select_passes",
    "select_rewrites",
]
