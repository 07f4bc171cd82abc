"""8-bit integers part by part, by ONNX Runtime's own quantisers.

Dynamic, with ranges taken in each run: the products by weights of the transformer and of cmdtop,
whose inputs span too many orders of magnitude for one range. ONNX Runtime runs each as one kernel.
Static, with QuantizeLinear and DequantizeLinear and ranges from clips: the encoder's convolutions
with the SiLU and the sums between them, so that whole blocks stay in 8 bits. The gates of
squeeze-excite stay float32, and only the product with them is in 8 bits. Everything else stays
float32 too: positions and indices (``coordinates`` proves it), sampling, cost volume,
normalisation, softmax, and the projection that moves positions.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

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
from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data

from locoexport.contract.profile_tables import IntegerForm, QuantisedPart
from locoexport.contract.scopes import MOVES_POSITIONS, in_cmdtop, in_encoder, in_transformer
from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.node_homes import node_homes
from locoexport.machine.writing.drafts import scratch_folder

__all__ = ["quantise"]

Inputs = Mapping[str, NDArray[np.float32]]

_SCOPES: Mapping[QuantisedPart, Callable[[str], bool]] = {
    "transformer": in_transformer,
    "cmdtop": in_cmdtop,
    "encoder": in_encoder,
}
# The projection that moves positions, and the averages and spreads of the last GroupNorm.
_KEPT = re.compile(MOVES_POSITIONS + r"|/head/MatMul(_\d+)?$")
_GATES = re.compile(r"/_se_(reduce|expand)/")
_BETWEEN = ("Add", "Mul", "Relu", "Sigmoid")
"""What may lie between two convolutions of the encoder in 8 bits."""
_PERCENTILE = 99.99
"""Of the magnitudes that a value's range holds. Measured on b0-tiny's encoder: the median error is
0.033 px with it and 0.061 px with the whole range, which a few outliers stretch."""


def quantise(
    model: onnx.ModelProto, form: IntegerForm, clips: Iterable[Inputs] = ()
) -> onnx.ModelProto:
    """A new model whose parts of ``form`` compute in 8 bits.

    Weights are int8, symmetric, with one scale a channel; activations are uint8.

    Args:
        model: the tracker in float32, its encoder not in a Scan.
        form: which parts, and how many bits weights use.
        clips: one array for each input of the model; read for the encoder only.

    Raises:
        GraphCheckFailedError: a part holds nothing that can be in 8 bits.
    """
    model = _split_gemms(model)
    with scratch_folder() as folder, _quiet():
        for part in form.parts:
            if part == "encoder":
                model = _quantise_encoder(model, form, clips, folder)
            else:
                model = _quantise_products(model, part, form, folder)
    return model


def _quantise_products(
    model: onnx.ModelProto, part: QuantisedPart, form: IntegerForm, folder: Path
) -> onnx.ModelProto:
    """Dynamic: each run takes the range of what a product reads."""
    written = folder / f"{part}.onnx"
    quantize_dynamic(
        model,
        written,
        nodes_to_quantize=_found(part, _weighted_products(model, part, ("MatMul",))),
        per_channel=True,
        reduce_range=form.weight_bits == 7,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return onnx.load(written)


def _quantise_encoder(
    model: onnx.ModelProto, form: IntegerForm, clips: Iterable[Inputs], folder: Path
) -> onnx.ModelProto:
    """Static: ranges are those of the clips, and what lies between convolutions is in 8 bits."""
    nodes = _found("encoder", _weighted_products(model, "encoder", ("Conv",)))
    nodes += _between(model)
    kinds = ["Conv", *_BETWEEN]
    source, ranges, written = (folder / f"{n}" for n in ("float.onnx", "ranges", "encoder.onnx"))
    onnx.save(model, source)
    # Clip by clip: a calibrator keeps every value of all that it is given at once.
    calibrator = create_calibrator(
        source,
        kinds,
        augmented_model_path=str(folder / "augmented.onnx"),
        calibrate_method=CalibrationMethod.Percentile,
        extra_options={"percentile": _PERCENTILE},
    )
    for clip in clips:
        calibrator.collect_data(_Clips([clip]))
    save_tensors_data(calibrator.compute_data(), ranges)
    quantize_static(
        source,
        written,
        None,
        quant_format=QuantFormat.QDQ,
        nodes_to_quantize=nodes,
        op_types_to_quantize=kinds,
        per_channel=True,
        reduce_range=form.weight_bits == 7,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Percentile,
        calibration_cache_path=ranges,
    )
    return onnx.load(written)


def _found(part: QuantisedPart, nodes: list[str]) -> list[str]:
    if not nodes:
        raise GraphCheckFailedError(
            f"--precision int8: no product of the {part} has a name that an export gives, so it is "
            "unknown which are safe."
        )
    return nodes


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
    model: onnx.ModelProto, part: QuantisedPart, op_types: tuple[str, ...]
) -> list[str]:
    """Names of the products by weights in that part."""
    weights = {tensor.name for tensor in model.graph.initializer}
    homes = node_homes(model.graph)
    return [
        node.name
        for node in model.graph.node
        if node.op_type in op_types
        and _SCOPES[part](homes[node.name])
        and not _KEPT.search(homes[node.name])
        and not _GATES.search(homes[node.name])
        and node.input[1] in weights
    ]


def _between(model: onnx.ModelProto) -> list[str]:
    """Names of the encoder's SiLUs, sums and products with a gate, but not of what makes a gate.

    A gate begins with the mean over a frame, and ends where it is multiplied with the frame.
    """
    of_gates = {tensor.name for tensor in model.graph.initializer}
    names = []
    for node in model.graph.node:
        if not in_encoder(node.name):
            continue
        if node.op_type == "ReduceMean" or of_gates.issuperset(filter(None, node.input)):
            of_gates.update(node.output)
        elif node.op_type in _BETWEEN:
            names.append(node.name)
    return names


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantisers log advice to the root logger, and print; stdout is the result's."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
