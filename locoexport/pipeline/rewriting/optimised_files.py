"""What to say of a file that ONNX Runtime's optimiser saved."""

from __future__ import annotations

import onnx

from locoexport.graphs.walking import iterate_nodes
from locoexport.notices import Listener, Notice

__all__ = ["warn_of_optimised"]

_MACHINES_OWN = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
_FUSED = {
    *("BiasDropout", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "FastGelu", "FusedConv"),
    *("FusedGemm", "FusedMatMul", "FusedMatMulActivation", "Gelu", "NhwcFusedConv", "NhwcMaxPool"),
    *("QuickGelu", "SkipLayerNormalization", "SkipGroupNorm", "TransposeMatMul"),
    *("EmbedLayerNormalization", "SkipSimplifiedLayerNormalization"),
}
"""What its optimiser writes in place of ONNX's own operators."""


def warn_of_optimised(model: onnx.ModelProto, notify: Listener) -> None:
    """Say what such a file is good for, and what to do; nothing of any other file."""
    nodes = list(iterate_nodes(model))
    machines = sorted({f"{n.domain}::{n.op_type}" for n in nodes if n.domain in _MACHINES_OWN})
    fused = {n.op_type for n in nodes if n.domain == "com.microsoft" and n.op_type in _FUSED}
    if not machines and not fused:
        return
    where = "run in ONNX Runtime only"
    if machines:
        where += ", and only on processors like the one that saved the file"
    shown = [*machines, *(f"com.microsoft::{name}" for name in sorted(fused))]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    notify(
        Notice(
            f"The file holds operators that ONNX Runtime's optimiser writes ({', '.join(shown[:3])}"
            f"{more}). They {where}. If you want other runtimes or an older ONNX Runtime, rewrite "
            "the model from before that optimisation.",
            warning=True,
        )
    )
