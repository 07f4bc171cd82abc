"""Graphs with a volumetric GridSample, grids with every trap, and the two oracles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

MODES = ("linear", "nearest")
PADDINGS = ("zeros", "border", "reflection")
LOWERINGS = ("gather", "planar")
COMBINATIONS = tuple(itertools.product(MODES, PADDINGS, (0, 1)))
TOLERANCE = 2e-5

Array = NDArray[np.generic]
Shape = Sequence[int | str | None]


def sampling_model(
    mode: str | None,
    padding: str | None,
    align_corners: int | None,
    volume_shape: Shape = (None,) * 5,
    grid_shape: Shape = (None,) * 5,
    *,
    opset: int = 20,
    dtype: int = TensorProto.FLOAT,
    grid_dtype: int | None = None,
    name: str = "sample",
) -> onnx.ModelProto:
    """One GridSample from inputs ``volume`` and ``grid``; None leaves an attribute out."""
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": align_corners}
    given = {key: value for key, value in attributes.items() if value is not None}
    node = helper.make_node("GridSample", ["volume", "grid"], ["sampled"], name=name, **given)
    rank = len(volume_shape)
    graph = helper.make_graph(
        [node],
        "graph",
        [
            helper.make_tensor_value_info("volume", dtype, volume_shape),
            helper.make_tensor_value_info("grid", grid_dtype or dtype, grid_shape),
        ],
        [helper.make_tensor_value_info("sampled", dtype, [None] * rank)],
    )
    return make_model(graph, opset=opset)


def make_model(
    graph: onnx.GraphProto, *, opset: int = 20, functions: Sequence[onnx.FunctionProto] = ()
) -> onnx.ModelProto:
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, 1) for domain in {f.domain for f in functions}]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)


def run(model: onnx.ModelProto | bytes, *, optimise: bool = True, **inputs: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimise:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    contents = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def torch_sample(
    volume: Array, grid: Array, mode: str, padding: str, align_corners: int
) -> NDArray[np.floating]:
    """The oracle that models are trained with."""
    return torch.nn.functional.grid_sample(
        torch.from_numpy(volume),
        torch.from_numpy(grid),
        mode={"linear": "bilinear"}.get(mode, mode),
        padding_mode=padding,
        align_corners=bool(align_corners),
    ).numpy()


def trapped_grid(
    random: np.random.Generator,
    lengths: Sequence[int],
    points: tuple[int, ...],
    align_corners: int,
    *,
    ties: bool = True,
) -> NDArray[np.float32]:
    """Within, far outside, exact -1, 0, 1, cell centres and (with ``ties``) the middles between."""
    columns = []
    for length in reversed(lengths):
        cells = random.integers(-2 * length - 1, 3 * length + 1, points).astype(np.float64)
        if ties:
            cells += random.choice((0, 0.5), points)
        span = max(length - 1, 1) if align_corners else length
        at_cells = 2 * cells / span - 1 if align_corners else (2 * cells + 1) / span - 1
        kinds = (
            random.uniform(-1.2, 1.2, points),
            random.uniform(-4, 4, points),
            random.choice((-1.0, 0.0, 1.0, -2.0, 2.0), points),
            at_cells,
            random.choice((-1e3, -77.7, 77.7, 1e3), points),
        )
        columns.append(np.choose(random.integers(0, len(kinds), points), kinds))
    return np.stack(columns, -1).astype(np.float32)


def nearest_is_open(
    grid: NDArray[np.floating], lengths: Sequence[int], align_corners: int
) -> NDArray[np.bool_]:
    """Points within rounding of the middle between two cells along any axis."""
    sizes = np.array(lengths[::-1], dtype=np.float64)
    if align_corners:
        x = (grid.astype(np.float64) + 1) / 2 * (sizes - 1)
    else:
        x = ((grid.astype(np.float64) + 1) * sizes - 1) / 2
    fraction = x - np.floor(x)
    return (np.abs(fraction - 0.5) < 1e-3 * np.maximum(1, np.abs(x) / 100)).any(-1)
