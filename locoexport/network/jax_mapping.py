"""Which array of the JAX LocoTrack is which tensor of the PyTorch one.

Sources: github cvlab-kaist/locotrack, folder ``locotrack/`` (haiku's names of modules), and
``locotrack_pytorch/`` (names of the state dict), Apache-2.0. No converter is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.models.locotrack.config import VARIANTS

__all__ = ["JAX_VARIANTS", "ROOT", "JaxParameter", "parameters_of"]

JAX_VARIANTS = ("resnet-small", "resnet-base", "resnet-large")
"""What JAX calls small, base and large."""
ROOT = "locotrack/~/"
"""What every module's name begins with."""

_TRANSFORMER = "pips_transformer/~/transformer/"
_MIXER = "torch_pips_mixer."
_GROUP_CHANNELS = (64, 128, 256, 256)
_BLOCKS = 2
_CORRELATION_INPUTS = 49
_LEVELS = 3  # of the correlation: hires, lowres, highest
_PROJECTIONS = {"query": "query", "key": "key", "value": "value", "linear": "final"}


@dataclass(frozen=True)
class JaxParameter:
    """One array: where JAX has it, its shape there, and the key of the same tensor in PyTorch."""

    module: str
    leaf: str
    shape: tuple[int, ...]
    key: str

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"{self.module}:{self.leaf}"

    def to_torch(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """JAX's array → PyTorch's tensor, float32 in C order.

        Kernels go from HWIO to OIHW, matrices from (in, out) to (out, in). What is too large for
        float32 becomes infinite.
        """
        if self.leaf == "w":
            values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
        with np.errstate(over="ignore"):
            return np.array(values, np.float32, order="C")  # the caller's own, to be written to


def parameters_of(variant: str) -> tuple[JaxParameter, ...]:
    """All arrays that a checkpoint of that variant has; each key of its state dict is among them.

    Raises:
        KeyError: JAX has no such variant.
    """
    if variant not in JAX_VARIANTS:
        raise KeyError(variant)
    return tuple(
        JaxParameter(ROOT + module, leaf, shape, key)
        for module, leaf, shape, key in (
            *_backbone(),
            *_weighted("cost_volume", (3, 3, 2, 1), "cost_conv"),
            *_weighted("occlusion_out", (6, 2), "occ_linear"),
            *_correlation(variant),
            *_mixer(variant),
        )
    )


_Row = tuple[str, str, tuple[int, ...], str]


def _backbone() -> Iterator[_Row]:
    yield "resnet/~/initial_conv", "w", (7, 7, 3, 64), "resnet_torch.initial_conv.weight"
    width = 64
    for group, channels in enumerate(_GROUP_CHANNELS):
        for block in range(_BLOCKS):
            module = f"resnet/~/block_group_{group}/~/block_{block}/~/"
            key = f"resnet_torch.block_groups.{group}.blocks.{block}."
            if block == 0:
                shortcut = (1, 1, width, channels)
                yield f"{module}shortcut_conv", "w", shortcut, f"{key}proj_conv.weight"
            for number, inputs in enumerate((width, channels)):
                kernel = (3, 3, inputs, channels)
                yield f"{module}conv_{number}", "w", kernel, f"{key}conv_{number}.weight"
                yield from _norm(f"{module}instancenorm_{number}", inputs, f"{key}bn_{number}")
            width = channels


def _correlation(variant: str) -> Iterator[_Row]:
    config = VARIANTS[variant].correlation
    for level in range(_LEVELS):
        inputs = _CORRELATION_INPUTS
        layers = zip(config.out_channels, config.kernels, strict=True)
        for number, (channels, side) in enumerate(layers):
            module = f"{_counted('cmd_top', level)}/~/"
            key = f"cmdtop.{level}.conv.{number}."
            kernel = (side, side, inputs, channels)
            yield from _weighted(f"{module}{_counted('conv2_d', number)}", kernel, f"{key}0")
            yield from _norm(f"{module}{_counted('group_norm', number)}", channels, f"{key}1")
            inputs = channels


def _mixer(variant: str) -> Iterator[_Row]:
    config = VARIANTS[variant]
    dim, layers = config.transformer.dim, config.transformer.layers
    first, last = (config.transformer_inputs, dim), (dim, config.transformer_outputs)
    yield from _weighted("pips_transformer/linear", first, f"{_MIXER}input_proj")
    yield from _weighted("pips_transformer/linear_1", last, f"{_MIXER}output_proj")
    for layer in range(layers):
        key = f"{_MIXER}transformer.layers.{layer}."
        attention = f"{_TRANSFORMER}{_counted('multi_head_attention', layer)}/"
        for theirs, ours in _PROJECTIONS.items():
            yield from _weighted(f"{attention}{theirs}", (dim, dim), f"{key}attn.{ours}_proj")
        for half, shape in enumerate(((dim, 4 * dim), (4 * dim, dim))):
            number = 2 * layer + half
            linear = f"{_TRANSFORMER}{_counted('linear', number)}"
            yield from _weighted(linear, shape, f"{key}dense.{2 * half}")
            norm = f"{_TRANSFORMER}{_counted('layer_norm', number)}"
            yield from _norm(norm, dim, f"{key}layer_norm{half + 1}")
    norm = f"{_TRANSFORMER}{_counted('layer_norm', 2 * layers)}"
    yield from _norm(norm, dim, f"{_MIXER}transformer.ln_out")


def _counted(name: str, number: int) -> str:
    """haiku numbers modules of one name from the second on."""
    return f"{name}_{number}" if number else name


def _weighted(module: str, shape: tuple[int, ...], key: str) -> Iterator[_Row]:
    yield module, "w", shape, f"{key}.weight"
    yield module, "b", shape[-1:], f"{key}.bias"


def _norm(module: str, channels: int, key: str) -> Iterator[_Row]:
    yield module, "scale", (channels,), f"{key}.weight"
    yield module, "offset", (channels,), f"{key}.bias"
