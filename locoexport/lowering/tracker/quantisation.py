"""8-bit integers where they are tolerable, by ONNX Runtime's own quantiser.

Static, with QuantizeLinear and DequantizeLinear around each node and ranges from real clips: the
backbone's convolutions and the products of cmdtop by their weights. Dynamic, with ranges taken in
each run: the products of the transformer by their weights (what it reads spans too many orders of
magnitude for one range). Everything else stays float32: positions and indices
(``coordinates`` proves it), sampling, cost volume, normalisation, softmax, and the
projection that moves positions.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from locoexport.contract.lowered_homes import MOVES_POSITIONS
from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.node_homes import node_homes
from locoexport.machine.writing.drafts import scratch_folder

__all__ = ["quantise"]

Inputs = Mapping[str, NDArray[np.float32]]

_STATIC = re.compile(
    r"/(first_)?encoder/[^/]+/|/refinement_\d+/correlation_\w+/cmdtop/cmdtop\.\d+/"
)
_DYNAMIC = re.compile(r"/refinement_\d+/torch_pips_mixer/")
# The projection that moves positions, and the averages and spreads of the last GroupNorm.
_KEPT = re.compile(MOVES_POSITIONS + r"|/head/MatMul(_\d+)?$")


def quantise(model: onnx.ModelProto, clips: Iterable[Inputs]) -> onnx.ModelProto:
    """A new model with 8-bit products; ``clips`` hold one array for each input of the model.

    Weights are int8 in 7 bits, one scale a channel: on processors without VNNI sums of 8-bit
    products overflow their 16 bits. Activations are uint8.

    Raises:
        GraphCheckFailedError: nothing in the model carries the names of our tracker.
    """
    model = _split_gemms(model)
    static = _weighted_products(model, _STATIC, ("Conv", "MatMul"))
    dynamic = _weighted_products(model, _DYNAMIC, ("MatMul",))
    if not static and not dynamic:
        raise GraphCheckFailedError(
            "--precision int8: no node has a name that an export gives, so it is "
            "unknown which are safe."
        )
    with scratch_folder() as folder, _quiet():
        first, second = folder / "static.onnx", folder / "dynamic.onnx"
        quantize_static(
            model,
            first,
            _Clips(clips),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=static,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantize_dynamic(
            first,
            second,
            nodes_to_quantize=dynamic,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load(second)


class _Clips(CalibrationDataReader):  # type: ignore[misc]
    """Hands the clips to ONNX Runtime one by one."""

    def __init__(self, clips: Iterable[Inputs]) -> None:
        self._clips: Iterator[Inputs] = iter(clips)

    def get_next(self) -> Inputs | None:
        """The next clip; None after the last."""
        clip = next(self._clips, None)
        return None if clip is None else dict(clip)


def _split_gemms(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which a Gemm that is x·W + b is a MatMul and an Add: the dynamic quantiser knows
    no Gemm, and the static one would quantise the bias by its input's range."""
    split = onnx.ModelProto()
    split.CopyFrom(model)
    del split.graph.node[:]
    for node in model.graph.node:
        if node.op_type != "Gemm" or not _is_plain(node):
            split.graph.node.append(node)
            continue
        product = f"{node.output[0]}_product"
        split.graph.node.extend(
            (
                onnx.helper.make_node("MatMul", node.input[:2], [product], f"{node.name}_MatMul"),
                onnx.helper.make_node("Add", [product, node.input[2]], node.output, node.name),
            )
        )
    return split


def _is_plain(node: onnx.NodeProto) -> bool:
    """Whether a Gemm neither scales nor transposes."""
    plain = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return len(node.input) == 3 and plain | values == plain


def _weighted_products(
    model: onnx.ModelProto, scope: re.Pattern[str], op_types: tuple[str, ...]
) -> list[str]:
    """Names of the products by weights in that scope."""
    weights = {tensor.name for tensor in model.graph.initializer}
    homes = node_homes(model.graph)
    return [
        node.name
        for node in model.graph.node
        if node.op_type in op_types
        and scope.match(homes[node.name])
        and not _KEPT.search(homes[node.name])
        and node.input[1] in weights
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser logs advice to the root logger; what matters is measured afterwards."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
