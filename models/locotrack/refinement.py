"""The transformer over time, its attention bias, and the encoding of relative motion.

Paper: arXiv 2407.15420, section 3.3; ALiBi: arXiv 2108.12409.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack.config import Gelu, TransformerConfig

__all__ = [
    "MotionTransformer",
    "attend",
    "attention_bias",
    "encode_positions",
    "relative_motion",
]

_LARGEST_DEGREE = 10
_SLOPE_BASE = 24.0
_FORBIDDEN = -1e9

Attention = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def relative_motion(positions_xy: Tensor, joined: Tensor | None = None) -> Tensor:
    """(B, N, T, 2) → (B, N, T, 4): forward then backward differences, zero where there is none.

    Forward is p[t] - p[t+1]; backward is p[t] - p[t-1]. ``joined`` (B, N, T-1) is 0 where frames t
    and t+1 have nothing to do with one another, 1 elsewhere.
    """
    steps = positions_xy[:, :, 1:] - positions_xy[:, :, :-1]
    if joined is not None:
        steps = steps * joined[..., None]
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

    def forward(
        self, x: Tensor, bias: Tensor, attention: Attention = attend, *, newest: bool = False
    ) -> Tensor:
        """(M, T, inputs), (heads, T, T) → (M, T, outputs).

        With ``newest`` (M, 1, outputs), of the last frame alone: the same numbers, and the last
        layer is computed for that frame only.
        """
        return self.mix(self.input_proj(x), bias, attention, newest=newest)

    def mix(
        self, hidden: Tensor, bias: Tensor, attention: Attention = attend, *, newest: bool = False
    ) -> Tensor:
        """``forward`` of inputs that went through ``input_proj``: (M, T, dim)."""
        hidden = self.transformer(hidden, bias, attention, newest)
        projected: Tensor = self.output_proj(hidden)
        return projected


class _Transformer(nn.Module):
    def __init__(self, config: TransformerConfig, gelu: Gelu) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config, gelu) for _ in range(config.layers))
        self.ln_out = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, bias: Tensor, attention: Attention, newest: bool) -> Tensor:
        *others, final = self.layers
        for layer in others:
            x = layer(x, bias, attention, False)
        x = final(x, bias, attention, newest)
        normalised: Tensor = self.ln_out(x)
        return normalised


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

    def forward(self, x: Tensor, bias: Tensor, attention: Attention, newest: bool) -> Tensor:
        if newest:
            # Nothing reads what this layer would make of the frames before.
            seen = self.layer_norm1(x)
            bias = bias[..., -1:, :]
            x = x[:, -1:] + self.attn(seen, bias, attention, seen[:, -1:])
        else:
            x = x + self.attn(self.layer_norm1(x), bias, attention)
        changed: Tensor = x + self.dense(self.layer_norm2(x))
        return changed


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

    def forward(
        self,
        x: Tensor,
        bias: Tensor,
        attention: Attention = attend,
        asking: Tensor | None = None,
    ) -> Tensor:
        """(M, T, dim), (heads, T, T) → (M, T, dim).

        ``asking`` (M, S, dim) are those that look, where they are not all that is looked at; the
        bias is (heads, S, T) then, and the answer (M, S, dim).
        """
        query, key, value = (
            projection(given).reshape(*given.shape[:2], self._heads, -1).transpose(1, 2)
            for projection, given in (
                (self.query_proj, x if asking is None else asking),
                (self.key_proj, x),
                (self.value_proj, x),
            )
        )  # (M, heads, T, dim/heads)
        mixed = attention(query, key, value, bias)
        projected: Tensor = self.final_proj(mixed.transpose(1, 2).flatten(2))
        return projected
