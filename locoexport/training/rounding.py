"""Training in the numbers that an exported file computes with, so that weights get used to them.

The same products are rounded as in the file: those by weights of the transformer and of cmdtop, but
for the projection that moves positions. int8 as ONNX Runtime's dynamic quantiser has it (weights
int8 with one scale a channel, inputs uint8 with the range of the call); bf16 as OpenVINO runs it
(``runtime.session.openvino.bfloat16``), here in every refinement, there in all but the first.
Gradients pass as if nothing had been rounded (straight-through estimator, arXiv 1308.3432).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from locoexport.models.locotrack import LocoTrack
from locoexport.training.recipe import Rounding

__all__ = ["imitating", "round_to_bfloat16", "round_to_int8", "round_to_uint8"]

_INT8_LARGEST, _UINT8_LARGEST = 127, 255
_PRODUCTS = (F.linear, F.conv2d, torch.conv2d)


@contextmanager
def imitating(model: LocoTrack, rounding: Rounding) -> Iterator[None]:
    """Within it, ``model`` computes as a file of that precision does."""
    if rounding == "float32":
        yield
        return
    with _RoundedProducts(model, *_ROUNDED[rounding]):
        yield


def round_to_int8(weight: Tensor) -> Tensor:
    """(out, ...) → the nearest multiples of each output's largest magnitude over 127."""
    largest = weight.detach().flatten(1).abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny)
    scale = (largest / _INT8_LARGEST).reshape(-1, *[1] * (weight.dim() - 1))
    return _straight_through(weight, lambda exact: (exact / scale).round() * scale)


def round_to_uint8(values: Tensor) -> Tensor:
    """Any shape → the nearest of 256 levels from the smallest value to the largest, 0 among them.

    As ONNX's DynamicQuantizeLinear (operator set 11).
    """
    lowest = values.detach().amin().clamp(max=0)
    highest = values.detach().amax().clamp(min=0)
    scale = ((highest - lowest) / _UINT8_LARGEST).clamp(min=torch.finfo(values.dtype).tiny)
    zero = (-lowest / scale).round().clamp(0, _UINT8_LARGEST)

    def round_values(exact: Tensor) -> Tensor:
        return (((exact / scale).round() + zero).clamp(0, _UINT8_LARGEST) - zero) * scale

    return _straight_through(values, round_values)


def round_to_bfloat16(values: Tensor) -> Tensor:
    """Any shape → the nearest numbers of bf16, as ``values``'s own type."""
    return _straight_through(values, lambda exact: exact.to(torch.bfloat16).to(exact.dtype))


def _straight_through(values: Tensor, round_values: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.no_grad():
        change = round_values(values) - values
    return values + change


def _keep(values: Tensor) -> Tensor:
    return values


_Round = Callable[[Tensor], Tensor]
_ROUNDED: Mapping[Rounding, tuple[_Round, _Round, _Round]] = {
    "int8": (round_to_uint8, round_to_int8, _keep),
    "bf16": (round_to_bfloat16, round_to_bfloat16, round_to_bfloat16),
}
"""What is done to the input, the weight and the output of a product."""


class _RoundedProducts(TorchFunctionMode):
    """Rounds the products by certain weights, whoever asks for them."""

    def __init__(
        self, model: LocoTrack, round_input: _Round, round_weight: _Round, round_output: _Round
    ) -> None:
        super().__init__()
        self._input, self._weight, self._output = round_input, round_weight, round_output
        self._weights = {id(weight) for weight in _rounded_weights(model)}

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _PRODUCTS or id(args[1]) not in self._weights:
            return func(*args, **kwargs)
        values, weight, *rest = args
        return self._output(func(self._input(values), self._weight(weight), *rest, **kwargs))


def _rounded_weights(model: LocoTrack) -> Iterator[Tensor]:
    """The weights whose products a file computes in the smaller precision."""
    kept = model.torch_pips_mixer.output_proj
    for part in (model.torch_pips_mixer, model.cmdtop):
        for module in part.modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and module is not kept:
                yield module.weight
