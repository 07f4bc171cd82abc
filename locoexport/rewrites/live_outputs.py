"""Only the rows of the output projection that something reads.

Replaces: ``torch_pips_mixer.output_proj`` in variants whose transformer does not read the running
feature.

Identity: rows of a linear map are independent; rows 4 and up are added to a running feature that
no output depends on there.

Why: dead work that an exporter does not see, since the feature is carried from one refinement to
the next.
"""

from __future__ import annotations

import torch
from torch import nn

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.refinement import MotionTransformer

__all__ = ["rewrite"]

_LIVE_ROWS = 4
"""dx, dy, occlusion, expected_dist."""


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model with a 4-row output projection; the same model where all rows live."""
    if model.config.feeds_features:
        return model
    trimmed = model.with_operations(model.operations)
    full = model.torch_pips_mixer
    with torch.device("meta"):
        mixer = MotionTransformer(
            model.config.transformer_inputs, _LIVE_ROWS, model.config.transformer
        )
    mixer.transformer, mixer.input_proj = full.transformer, full.input_proj
    weight, bias = full.output_proj.weight, full.output_proj.bias
    mixer.output_proj.weight = nn.Parameter(weight[:_LIVE_ROWS].detach(), requires_grad=False)
    mixer.output_proj.bias = nn.Parameter(bias[:_LIVE_ROWS].detach(), requires_grad=False)
    trimmed.torch_pips_mixer = mixer
    return trimmed.train(model.training)
