"""The shapes that TensorRT builds an engine for: smallest, usual and largest, out of the file.

Without them TensorRT builds anew for each shape that it meets, minutes each time. A file exported
with ``--target tensorrt`` carries those of its profile's TOML.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnxruntime

from locoexport.contract.metadata import QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import ModelFileError

__all__ = ["read_shape_options", "shape_options"]

_OPTIONS = ("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes")


def read_shape_options(path: str) -> dict[str, str]:
    """``shape_options`` of a file; it is opened for its metadata alone, on the CPU, as it is.

    Raises:
        ORT_ERRORS: the file cannot be opened.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return shape_options(dict(session.get_modelmeta().custom_metadata_map))


def shape_options(properties: Mapping[str, str]) -> dict[str, str]:
    """ONNX Runtime's provider options for a file with these metadata properties; none where it
    carries no ranges of shapes, or is not ours."""
    try:
        metadata = ArtifactMetadata.from_properties(properties)
    except ModelFileError:
        return {}
    if metadata.shape_ranges is None or metadata.part != "whole":
        return {}
    height, width = metadata.resolution_hw
    return {
        option: f"{VIDEO_INPUT}:{batch}x{frames}x{height}x{width}x3,"
        f"{QUERY_INPUT}:{batch}x{points}x3"
        for option, (batch, frames, points) in zip(_OPTIONS, metadata.shape_ranges, strict=True)
    }
