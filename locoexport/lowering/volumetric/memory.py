"""What a lowered GridSample takes at its peak, predicted from its stated sizes.

Of one run in ONNX Runtime's CPU provider, inputs not counted and the output counted. The factors
were fitted to 30 measured runs in float32 with ONNX Runtime 1.31 (0.5 to 720 MB, both lowerings):
above 10 MB the prediction was 0.85 to 1.12 times what was measured. Over several runs ONNX
Runtime keeps up to twice as much, because its arena gives nothing back.
"""

from __future__ import annotations

import math

from locoexport.lowering.volumetric.layouts import layout_name
from locoexport.lowering.volumetric.planar import sliced_axis
from locoexport.lowering.volumetric.samplers.node import VolumetricSample

__all__ = ["gather_peak_bytes", "planar_peak_bytes"]

# Bytes a point (coordinates, indices and weights, whatever the channels), and arrays of the
# result's size that live at once.
_GATHER_POINT, _GATHER_RESULTS = 106, 3.0
_GATHER_POINT_ZEROS, _GATHER_RESULTS_ZEROS = 133, 4.1
_INDEX_RESULTS = 8
_PLANAR_POINT, _PLANAR_RESULTS = 60, 3.5


def gather_peak_bytes(sample: VolumetricSample) -> int | None:
    """Bytes at the peak of ``--to gather``; None where a size is open."""
    sizes = _sizes(sample)
    if sizes is None:
        return None
    cells, points, values = sizes
    zeros = sample.padding == "zeros"
    peak = float(points * (_GATHER_POINT_ZEROS if zeros else _GATHER_POINT))
    results = _GATHER_RESULTS_ZEROS if zeros else _GATHER_RESULTS
    peak += results * values * sample.work_dtype.itemsize
    layout = layout_name(sample)
    if layout == "one row":
        peak += _INDEX_RESULTS * values
    elif layout != "one volume":
        peak += cells * sample.volume_dtype.itemsize
    return round(peak)


def planar_peak_bytes(sample: VolumetricSample) -> int | None:
    """Bytes at the peak of ``--to planar``; None where a size is open."""
    sizes = _sizes(sample)
    slices = sample.volume_shape[sliced_axis(sample)]
    if sizes is None or slices is None:
        return None
    cells, points, values = sizes
    size = sample.work_dtype.itemsize
    stack = slices * (values + 2 * points)
    peak = size * (cells + stack + _PLANAR_RESULTS * values) + _PLANAR_POINT * points
    return round(peak)


def _sizes(sample: VolumetricSample) -> tuple[int, int, int] | None:
    """Values of the volume, points of all grids, and values of the result."""
    volume = [size for size in sample.volume_shape if size is not None]
    grid = [size for size in sample.grid_shape[:4] if size is not None]
    if len(volume) != len(sample.volume_shape) or len(grid) != 4:
        return None
    points = math.prod(grid)
    return math.prod(volume), points, points * volume[1]
