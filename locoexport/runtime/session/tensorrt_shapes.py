"""The shapes that TensorRT builds an engine for: smallest, usual and largest, out of the file.

Without them TensorRT builds anew for each shape that it meets, minutes each time. A file exported
with ``--target tensorrt`` carries those of its profile's TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from locoexport.contract.metadata import QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import ModelFileError
from locoexport.runtime.session.model_file import read_metadata

__all__ = ["read_shape_options", "shape_options"]

_OPTIONS = ("trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_profile_max_shapes")


def read_shape_options(model: str | bytes) -> dict[str, str]:
    """``shape_options`` of a file, given as its path or its bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no ONNX file.
    """
    data = model if isinstance(model, bytes) else Path(model).read_bytes()
    return shape_options(read_metadata(data))


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
