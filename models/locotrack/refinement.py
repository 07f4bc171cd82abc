"""The transformer over time, its attention bias, and the encoding of relative motion.

Paper: arXiv 2407.15420, section 3.3; ALiBi: arXiv 2108.12409.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack.config import Gelu, TransformerConfig

__all__ = [
    "MotionTransformer",
    "Remembered",
    "attend",
    "attention_bias",
    "encode_positions",
    "relative_motion",
]

_LARGEST_DEGREE = 10
_SLOPE_BASE = 24.0
_FORBIDDEN = -1e9

Attention = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Remembered(NamedTuple):
    """What later frames see of earlier ones in a layer, of the heads that look back.

    Both are (M, heads/2, frames, d).
    """

    keys: Tensor
    values: Tensor


def relative_motion(positions_xy: Tensor) -> Tensor:
    """(B, N, T, 2) → (B, N, T, 4): forward then backward differences, zero where there is none.

    Forward is p[t] - p[t+1]; backward is p[t] - p[t-1].
    """
    steps = positions_xy[:, :, 1:] - positions_xy[:, :, :-1]
    forward = F.pad(-steps, (0, 0, 0, 1))
    backward = F.pad(steps, (0, 0, 1, 0))
    return torch.cat((forward, backward), -1)


def encode_positions(x: Tensor) -> Tensor:
    """(..., 4) → (..., 84): the numbers, the sines of x·2^k, and those shifted by π/2."""
    scales = 2.0 ** torch.arange(_LARGEST_DEGREE, dtype=x.dtype, device=x.device)
    scaled = (x[..., None, :] * scales[:, None]).flatten(-2)  # (..., 40), k slow
    return torch.cat((x, torch.sin(scaled), torch.sin(scaled + 0.5 * math.pi)), -1)


def attention_bias(frames: Tensor, heads: int) -> Tensor:
    """(T,) frame indices 0..T-1 → (heads, T, T) added to the scores: one half of the heads looks
    back, the other ahead, and nearer frames weigh more (ALiBi)."""
    half = heads // 2
    base = 1 / _SLOPE_BASE ** (1 / half)
    slopes = frames.new_tensor([base ** (i + 1) for i in range(half)])[:, None, None]
    ahead = frames[None, :] - frames[:, None]  # key index - query index
    looks_back = (slopes * ahead).masked_fill(ahead > 0, _FORBIDDEN)
    looks_ahead = (-slopes * ahead).masked_fill(ahead < 0, _FORBIDDEN)
    return torch.cat((looks_back, looks_ahead))


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot products: (M, heads, T, d) three times, (heads, T, T) → (M, heads, T, d)."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


class MotionTransformer(nn.Module):
    """``torch_pips_mixer``: input projection, pre-norm transformer over time, output projection."""

    def __init__(
        self, inputs: int, outputs: int, config: TransformerConfig, gelu: Gelu = "erf"
    ) -> None:
        """``inputs`` and ``outputs`` are widths per frame; ``gelu`` is the activation's form."""
        super().__init__()
        self.transformer = _Transformer(config, gelu)
        self.input_proj = nn.Linear(inputs, config.dim)
        self.output_proj = nn.Linear(config.dim, outputs)

    def forward(self, x: Tensor, bias: Tensor, attention: Attention = attend) -> Tensor:
        """(M, T, inputs), (heads, T, T) → (M, T, outputs)."""
        hidden: Tensor = self.input_proj(x)
        hidden = self.transformer(hidden, bias, attention)
        projected: Tensor = self.output_proj(hidden)
        return projected

    def follow(
        self, x: Tensor, past: Sequence[Remembered], bias: Tensor, attention: Attention = attend
    ) -> tuple[Tensor, list[Remembered]]:
        """The newest frame alone, of what was remembered of those before: one pair a layer.

        x: (M, 1, inputs); bias (..., heads/2, 1, P+1), of the heads that look back. Returns
        (M, 1, outputs) and what is to be remembered of the frame, (M, heads/2, 1, d) each.
        """
        hidden, remembered = self.transformer.follow(self.input_proj(x), past, bias, attention)
        projected: Tensor = self.output_proj(hidden)
        return projected, remembered


class _Transformer(nn.Module):
    def __init__(self, config: TransformerConfig, gelu: Gelu) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config, gelu) for _ in range(config.layers))
        self.ln_out = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, bias: Tensor, attention: Attention) -> Tensor:
        for layer in self.layers:
            x = layer(x, bias, attention)
        normalised: Tensor = self.ln_out(x)
        return normalised

    def follow(
        self, x: Tensor, past: Sequence[Remembered], bias: Tensor, attention: Attention
    ) -> tuple[Tensor, list[Remembered]]:
        remembered = []
        for layer, before in zip(self.layers, past, strict=True):
            assert isinstance(layer, _Layer)
            x, pair = layer.follow(x, before, bias, attention)
            remembered.append(pair)
        return self.ln_out(x), remembered


class _Layer(nn.Module):
    def __init__(self, config: TransformerConfig, gelu: Gelu) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(config.dim, config.heads)
        self.dense = nn.Sequential(
            nn.Linear(config.dim, 4 * config.dim),
            nn.GELU("tanh" if gelu == "tanh" else "none"),
            nn.Linear(4 * config.dim, config.dim),
        )
        self.layer_norm1 = nn.LayerNorm(config.dim)
        self.layer_norm2 = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, bias: Tensor, attention: Attention) -> Tensor:
        x = x + self.attn(self.layer_norm1(x), bias, attention)
        changed: Tensor = x + self.dense(self.layer_norm2(x))
        return changed

    def follow(
        self, x: Tensor, before: Remembered, bias: Tensor, attention: Attention
    ) -> tuple[Tensor, Remembered]:
        mixed, pair = self.attn.follow(self.layer_norm1(x), before, bias, attention)
        x = x + mixed
        return x + self.dense(self.layer_norm2(x)), pair


class MultiHeadAttention(nn.Module):
    """Self-attention over time; heads are contiguous slices of the width."""

    def __init__(self, dim: int, heads: int) -> None:
        """``dim`` is a multiple of ``heads``."""
        super().__init__()
        self.query_proj = nn.Linear(dim, dim)
        self.key_proj = nn.Linear(dim, dim)
        self.value_proj = nn.Linear(dim, dim)
        self.final_proj = nn.Linear(dim, dim)
        self._heads = heads

    def forward(self, x: Tensor, bias: Tensor, attention: Attention = attend) -> Tensor:
        """(M, T, dim), (heads, T, T) → (M, T, dim)."""
        query, key, value = (
            projection(x).reshape(*x.shape[:2], self._heads, -1).transpose(1, 2)
            for projection in (self.query_proj, self.key_proj, self.value_proj)
        )  # (M, heads, T, dim/heads)
        mixed = attention(query, key, value, bias)
        projected: Tensor = self.final_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def follow(
        self, x: Tensor, before: Remembered, bias: Tensor, attention: Attention = attend
    ) -> tuple[Tensor, Remembered]:
        """``forward`` of a clip's last frame (M, 1, dim), of keys and values of those before it.

        The second half of the heads looks ahead (``attention_bias``): in the last frame they see
        that frame alone, so that their answer is its value.
        """
        half = self.query_proj.out_features // 2
        query = self._split(_project_first(self.query_proj, x, half))
        key = self._split(_project_first(self.key_proj, x, half))
        values: Tensor = self.value_proj(x)  # (M, 1, dim)
        pair = Remembered(key, self._split(values[..., :half]))
        keys, seen = (torch.cat(each, 2) for each in zip(before, pair, strict=True))
        mixed = attention(query, keys, seen, bias).transpose(1, 2).flatten(2)
        projected: Tensor = self.final_proj(torch.cat((mixed, values[..., half:]), -1))
        return projected, pair

    def _split(self, of_half: Tensor) -> Tensor:
        """(M, T, dim/2) → (M, heads/2, T, d)."""
        heads = self._heads // 2
        return of_half.reshape(*of_half.shape[:2], heads, -1).transpose(1, 2)


def _project_first(linear: nn.Linear, x: Tensor, width: int) -> Tensor:
    """The first ``width`` outputs of ``linear``."""
    return F.linear(x, linear.weight[:width], linear.bias[:width])
