"""What people publish in place of GridSample: operators of plugins and exporters, as their sources
define them.

Each entry was read in the source that it names. All of them sample as PyTorch's ``grid_sample``
does: inputs (volume, grid), the grid (N, ..., 2 or 3) with its last axis as (x, y[, z]),
coordinates normalised to [-1, 1], one output. They differ in how the attributes are written. What
is not listed is not guessed at (see ``UNLISTED`` for those that mean something else).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from locoexport.graphs.domains import DEFAULT_DOMAINS

__all__ = ["PUBLISHED", "UNLISTED", "PublishedSampler", "Sampling", "UnreadableError"]

_MODES = ("linear", "nearest", "cubic")
_PADDINGS = ("zeros", "border", "reflection")
"""In PyTorch's order: aten/src/ATen/native/GridSamplerUtils.h numbers both enumerations from 0."""
_SPELLINGS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "tricubic": "cubic"}
_PLUGIN_FIELDS = frozenset(
    ("name", "version", "namespace", "plugin_name", "plugin_version", "plugin_namespace")
)
"""How files name the TensorRT plugin that is meant; they change nothing of what it does."""
_ATEN_NAMES = ("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
_GENERIC = "ATen"
"""PyTorch's node for any of its operators; an attribute says which."""

_Constants = Mapping[str, TensorProto]


class UnreadableError(Exception):
    """Why a node of a published operator cannot be read by its definition."""


@dataclass(frozen=True)
class Sampling:
    """What a node does: ``mode`` is linear, nearest or cubic. ``inputs`` are its volume and grid;
    ``cautions`` say where its runtime does something else than its words."""

    mode: str
    padding: str
    align_corners: bool
    inputs: tuple[str, str]
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedSampler:
    """An operator, who writes it, where that can be read, and how to read a node of it.

    ``domains`` is empty where every domain means the same.
    """

    operator: str
    domains: tuple[str, ...]
    writer: str
    source: str
    read: Callable[[onnx.NodeProto, _Constants], Sampling]

    def matches(self, node: onnx.NodeProto) -> bool:
        """Whether the node is of this operator."""
        if node.op_type != self.operator or (self.domains and node.domain not in self.domains):
            return False
        return self.operator != _GENERIC or _aten_operator(node) in _ATEN_NAMES


def _read_integers(node: onnx.NodeProto, _: _Constants) -> Sampling:
    """``interpolation_mode``, ``padding_mode`` and ``align_corners``, 0 where absent."""
    given = _attributes(node, {"interpolation_mode", "padding_mode", "align_corners"})
    return Sampling(
        _numbered(_MODES, _integer(given, "interpolation_mode"), "interpolation_mode"),
        _numbered(_PADDINGS, _integer(given, "padding_mode"), "padding_mode"),
        bool(_integer(given, "align_corners")),
        _two_inputs(node),
    )


def _read_strings(node: onnx.NodeProto, _: _Constants) -> Sampling:
    """ONNX's own attributes; ``bilinear`` and ``zeros`` where absent."""
    given = _attributes(node, {"mode", "padding_mode", "align_corners"})
    mode = _text(given, "mode", "linear")
    mode, padding = _SPELLINGS.get(mode, mode), _text(given, "padding_mode", "zeros")
    for value, known, name in ((mode, _MODES, "mode"), (padding, _PADDINGS, "padding_mode")):
        if value not in known:
            raise UnreadableError(f"its {name} is {value!r}; known are {', '.join(known)}")
    return Sampling(mode, padding, bool(_integer(given, "align_corners")), _two_inputs(node))


def _read_plugin(node: onnx.NodeProto, constants: _Constants) -> Sampling:
    """GridSample3D: the plugin's integers, or the strings of a GridSample that was renamed.

    Export scripts of LivePortrait and Ditto rename the node and leave ONNX's attributes on it, or
    drop all of them; the plugin then takes its defaults, and reads a text as a number.
    """
    names = {attribute.name for attribute in node.attribute} - _PLUGIN_FIELDS
    cautions: tuple[str, ...] = ()
    texts = [a.name for a in node.attribute if a.type == AttributeProto.STRING]
    if "mode" in names or "padding_mode" in texts:
        sampling = _read_strings(node, constants)
        if (sampling.mode, sampling.padding) != ("linear", "zeros"):
            cautions = (
                "its attributes are those of ONNX's GridSample, which are followed; the TensorRT "
                "plugin reads integers alone, and samples linearly with zeros there",
            )
    else:
        sampling = _read_integers(node, constants)
        if not names:
            cautions = (
                "it has no attributes: the plugin's defaults are taken (linear, zeros, "
                "align_corners 0)",
            )
    if sampling.mode == "cubic":
        raise UnreadableError("it is cubic, which the plugin does not know")
    if sampling.mode == "nearest":
        cautions += (
            "it is sampled as PyTorch defines nearest; the TensorRT plugin's kernel rounds halves "
            "away from zero and fills the first channel alone",
        )
    return Sampling(
        sampling.mode, sampling.padding, sampling.align_corners, sampling.inputs, cautions
    )


def _read_aten(node: onnx.NodeProto, constants: _Constants) -> Sampling:
    """PyTorch's own signature: everything is an input, and all but the first two are constants."""
    if len(node.input) != 5:
        raise UnreadableError(f"it has {len(node.input)} inputs, and PyTorch's operator has 5")
    names = ("interpolation_mode", "padding_mode", "align_corners")
    values = []
    for input_name, name in zip(node.input[2:], names, strict=True):
        tensor = constants.get(input_name)
        if tensor is None:
            raise UnreadableError(f"its {name} ({input_name!r}) is no constant")
        value = np.asarray(numpy_helper.to_array(tensor)).reshape(-1)
        if value.size != 1 or value.dtype.kind not in "iub":
            raise UnreadableError(f"its {name} ({input_name!r}) is no single integer")
        values.append(int(value[0]))
    return Sampling(
        _numbered(_MODES, values[0], names[0]),
        _numbered(_PADDINGS, values[1], names[1]),
        bool(values[2]),
        (node.input[0], node.input[1]),
    )


def _aten_operator(node: onnx.NodeProto) -> str:
    for attribute in node.attribute:
        if attribute.name == "operator":
            return str(attribute.s.decode(errors="replace"))
    return ""


def _attributes(node: onnx.NodeProto, known: set[str]) -> dict[str, AttributeProto]:
    given = {a.name: a for a in node.attribute if a.name not in _PLUGIN_FIELDS}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise UnreadableError(
            f"it has an attribute {unknown[0]!r} that its published definition has not"
        )
    return given


def _two_inputs(node: onnx.NodeProto) -> tuple[str, str]:
    if len(node.input) != 2 or not all(node.input):
        raise UnreadableError(f"it has {len(node.input)} inputs; a volume and a grid are expected")
    return node.input[0], node.input[1]


def _integer(given: Mapping[str, AttributeProto], name: str) -> int:
    if name not in given:
        return 0
    if given[name].type != AttributeProto.INT:
        raise UnreadableError(f"its {name} is no integer")
    return int(given[name].i)


def _text(given: Mapping[str, AttributeProto], name: str, default: str) -> str:
    if name not in given:
        return default
    if given[name].type != AttributeProto.STRING:
        raise UnreadableError(f"its {name} is no text")
    return str(given[name].s.decode(errors="replace"))


def _numbered(known: tuple[str, ...], number: int, name: str) -> str:
    if not 0 <= number < len(known):
        raise UnreadableError(
            f"its {name} is {number}; known are "
            + ", ".join(f"{index} ({value})" for index, value in enumerate(known))
        )
    return known[number]


_ATEN = "https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/native_functions.yaml"

PUBLISHED = (
    # src/grid_sample_3d.h numbers the modes, createPlugin of the same source has the defaults (0),
    # compute_index in src/grid_sample_3d.cuh unnormalises, clips and reflects as PyTorch does.
    # onnx-tensorrt finds a plugin by the operator's name, whatever the node's domain is.
    PublishedSampler(
        "GridSample3D",
        (),
        "TensorRT plugin grid-sample3d, used by FasterLivePortrait and Ditto",
        "https://github.com/SeanWangJS/grid-sample3d-trt-plugin",
        _read_plugin,
    ),
    # Its schema: strings, defaults bilinear, zeros and 0. It says rank 4; exporters write it for
    # volumes too, where ONNX Runtime refuses it.
    PublishedSampler(
        "GridSample",
        ("com.microsoft",),
        "ONNX Runtime contrib operator",
        "https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md",
        _read_strings,
    ),
    # Its kernels there: onnxruntime/grid_sample (rank 4) and tensorrt/grid_sampler (both); the
    # plugin is found by name alone, so that some files drop the domain. mmcv's is the older one.
    PublishedSampler(
        "grid_sampler",
        ("mmdeploy", "mmcv", *DEFAULT_DOMAINS),
        "mmdeploy and mmcv",
        "https://github.com/open-mmlab/mmdeploy/tree/main/csrc/mmdeploy/backend_ops",
        _read_integers,
    ),
    *(
        PublishedSampler(name, ("aten",), "PyTorch, ONNX_FALLTHROUGH", _ATEN, _read_aten)
        for name in _ATEN_NAMES
    ),
    PublishedSampler(
        _GENERIC, ("org.pytorch.aten", "aten"), "PyTorch, ONNX_ATEN_FALLBACK", _ATEN, _read_aten
    ),
)

UNLISTED = {
    **dict.fromkeys(
        ("GridSampler2DTRT", "GridSampler2DTRT2", "GridSampler3DTRT", "GridSampler3DTRT2"),
        "BEVFormer_tensorrt's plugin takes the grid with its coordinates as the second axis, ten "
        "times as large (https://github.com/DerryHub/BEVFormer_tensorrt)",
    ),
}
"""Operators whose definition is known and differs: why they are left."""
