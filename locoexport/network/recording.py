"""The seams of a PyTorch tracker while it runs, by forward hooks. Nothing in the model changes.

The same hooks serve the exporter, which gives the seams their names in the file, and the oracle,
which says what they should hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from locoexport.contract.seams import (
    ESTIMATES,
    FIRST_LEVEL,
    LEVELS,
    Seam,
    seam_name,
    seams_of,
)
from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.efficientnet import EfficientNetFeatures

__all__ = ["model_seams", "record_seams", "reference_seams"]


def model_seams(model: LocoTrack) -> tuple[Seam, ...]:
    """Every seam of ``model``, in the order in which they are computed."""
    config = model.config
    two_levels = config.levels[0] != config.levels[1]
    return seams_of(
        len(_blocks(model)), config.refinements, config.transformer.layers, two_levels=two_levels
    )


def reference_seams(
    model: LocoTrack,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    first_video: NDArray[np.float32] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """What every seam of ``model`` holds for one pair of inputs, by tensor name; outputs too.

    Args:
        model: the unrewritten model, where the answer is to be the oracle's.
        video: (B, T, H, W, 3) in [-1, 1] at the working resolution.
        query_points_tyx: (B, N, 3).
        first_video: at the first level, where that is another and is not resized from ``video``.
    """
    frames, queries, first_frames = (
        torch.from_numpy(np.ascontiguousarray(array, np.float32))
        for array in (video, query_points_tyx, video if first_video is None else first_video)
    )
    with torch.inference_mode(), record_seams(model) as tensors:
        first_hw, last_hw = model.config.levels
        first = last = model.extract_features(frames, last_hw, resize=False)
        if first_hw != last_hw:
            first = model.extract_first_features(first_frames, first_hw)
        result = model.track(first, last, queries, last_hw)
    recorded = {name: tensor.numpy() for name, tensor in tensors.items()}
    return recorded | {name: getattr(result, name).numpy() for name in ESTIMATES}


@contextmanager
def record_seams(model: LocoTrack) -> Iterator[Mapping[str, Tensor]]:
    """While this is open, runs of ``model`` leave what its seams hold in the mapping, by name."""
    recorder = _Recorder()
    handles = list(recorder.attach(model))
    try:
        yield recorder.tensors
    finally:
        for handle in handles:
            handle.remove()


def _blocks(model: LocoTrack) -> list[nn.Module]:
    """The backbone's blocks, in the order in which they run."""
    backbone = model.backbone
    if isinstance(backbone, EfficientNetFeatures):
        return list(backbone._blocks)
    return [block for group in backbone.block_groups for block in group.blocks]  # type: ignore[union-attr]


class _Recorder:
    """Keeps what hooks see; parts that serve several levels and refinements are told apart."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._iteration, self._level, self._encoder = 0, "", "encoder"

    def attach(self, model: LocoTrack) -> Iterator[Any]:
        """Hook every seam; yields handles that remove the hooks."""
        for index, block in enumerate(_blocks(model)):
            yield block.register_forward_hook(partial(self._keep_block, index))
        for prefix in ("", FIRST_LEVEL):
            encoder, sampling = f"{prefix}encoder", f"{prefix}query_sampling"
            part = model.parts[encoder]
            yield part.register_forward_pre_hook(partial(self._enter_encoder, encoder))
            yield part.register_forward_hook(self._keep_grids)
            part = model.parts[sampling]
            yield part.register_forward_hook(partial(self._keep_supports, sampling))
        yield model.cost_conv.register_forward_hook(self._keep_heatmaps)
        yield model.parts["cost_volume"].register_forward_hook(self._keep_initial)
        for iteration in range(model.config.refinements):
            part = model.parts[f"refinement_{iteration}"]
            yield part.register_forward_pre_hook(partial(self._enter_refinement, iteration))
            yield part.register_forward_hook(self._keep_refined)
        for level in LEVELS:
            part = model.parts[f"correlation_{level}"]
            yield part.register_forward_pre_hook(partial(self._enter_level, level))
        yield model.parts["sampling"].register_forward_hook(self._keep_neighbourhoods)
        yield model.parts["cmdtop"].register_forward_hook(self._keep_embeddings)
        mixer = model.torch_pips_mixer
        yield mixer.register_forward_pre_hook(self._keep_inputs)
        for index, layer in enumerate(mixer.transformer.layers):
            yield layer.register_forward_hook(partial(self._keep_layer, index))
        yield mixer.register_forward_hook(self._keep_changes)

    def _enter_encoder(self, scope: str, module: nn.Module, given: Any) -> None:
        self._encoder = scope

    def _keep_block(self, index: int, module: nn.Module, given: Any, made: Any) -> None:
        """A ResNet's block gives its size beside its features."""
        name = seam_name(self._encoder, f"block_{index}")
        self.tensors[name] = made if isinstance(made, Tensor) else made[0]

    def _keep_grids(self, module: nn.Module, given: Any, made: Any) -> None:
        for level, grid in zip(LEVELS, made.grids, strict=True):
            self.tensors[seam_name(self._encoder, f"grid_{level}")] = grid

    def _keep_supports(self, scope: str, module: nn.Module, given: Any, made: Any) -> None:
        # Of a first level there are two.
        for level, support in zip(LEVELS, made, strict=False):
            self.tensors[seam_name(scope, f"support_{level}")] = support

    def _keep_heatmaps(self, module: nn.Module, given: Any, made: Any) -> None:
        self.tensors[seam_name("cost_volume", "costs")] = given[0]
        self.tensors[seam_name("cost_volume", "heatmap")] = made

    def _keep_initial(self, module: nn.Module, given: Any, made: Any) -> None:
        self._keep_state("cost_volume", made)

    def _enter_refinement(self, iteration: int, module: nn.Module, given: Any) -> None:
        self._iteration = iteration

    def _keep_refined(self, module: nn.Module, given: Any, made: Any) -> None:
        self._keep_state(self._scope(), made[0])

    def _enter_level(self, level: str, module: nn.Module, given: Any) -> None:
        self._level = level

    def _keep_neighbourhoods(self, module: nn.Module, given: Any, made: Any) -> None:
        scope = f"{self._scope()}/correlation_{self._level}/sampling"
        self.tensors[seam_name(scope, "neighbourhood")] = made

    def _keep_embeddings(self, module: nn.Module, given: Any, made: Any) -> None:
        scope = f"{self._scope()}/correlation_{self._level}/cmdtop"
        self.tensors[seam_name(scope, "embedding")] = made

    def _keep_inputs(self, module: nn.Module, given: Any) -> None:
        self.tensors[seam_name(self._scope(), "inputs")] = given[0]

    def _keep_layer(self, index: int, module: nn.Module, given: Any, made: Any) -> None:
        self.tensors[seam_name(f"{self._scope()}/torch_pips_mixer", f"layer_{index}")] = made

    def _keep_changes(self, module: nn.Module, given: Any, made: Any) -> None:
        self.tensors[seam_name(f"{self._scope()}/torch_pips_mixer", "changes")] = made

    def _keep_state(self, scope: str, estimate: Any) -> None:
        values = (estimate.positions_xy, estimate.occlusion, estimate.expected_dist)
        for name, value in zip(ESTIMATES, values, strict=True):
            self.tensors[seam_name(scope, name)] = value

    def _scope(self) -> str:
        return f"refinement_{self._iteration}"
