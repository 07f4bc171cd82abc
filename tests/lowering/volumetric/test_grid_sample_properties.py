"""Every mode, padding and alignment, over shapes and grids, against PyTorch and ONNX Runtime.

25 examples a combination (5 in half and double); LOCOEXPORT_THOROUGH=1 makes it 1000 of each.
LOCOEXPORT_THOROUGH_REPORT=FILE adds a line a combination: oracle, worst error, examples.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling_graphs import (
    COMBINATIONS,
    LOWERINGS,
    TOLERANCE,
    nearest_is_open,
    run,
    sampling_model,
    torch_sample,
    trapped_grid,
)

import locoexport

THOROUGH = bool(os.environ.get("LOCOEXPORT_THOROUGH"))
EXAMPLES = 1000 if THOROUGH else 25
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
WORST: dict[tuple[object, ...], float] = {}
TRIED: dict[tuple[object, ...], int] = {}
ALLOWED = {"float16": 4e-3, "float32": TOLERANCE, "float64": 1e-12}
"""Of linear, on standard normal volumes. One step of float16 at 4, which these reach, is 4e-3; the
others are many times what 1000 examples find: see docs/volumetric-sampling.md."""


@dataclass(frozen=True)
class Case:
    volume_shape: tuple[int, ...]
    points: tuple[int, int, int]
    static: tuple[bool, ...]
    seed: int

    @property
    def grid_shape(self) -> tuple[int, ...]:
        return (self.volume_shape[0], *self.points, 3)

    def declared(self) -> tuple[list[int | None], list[int | None]]:
        """The shapes as the model declares them: some axes known, some not."""
        volume = [n if s else None for n, s in zip(self.volume_shape, self.static, strict=False)]
        grid = [n if s else None for n, s in zip(self.grid_shape, self.static[5:], strict=True)]
        return volume, grid


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, channels = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    lengths = draw(st.tuples(*[st.integers(1, 9)] * 3))
    points = draw(st.tuples(*[st.integers(1, 4)] * 3))
    known = st.one_of(
        st.just((True,) * 10), st.just((False,) * 10), st.tuples(*[st.booleans()] * 10)
    )
    return Case((batch, channels, *lengths), points, draw(known), draw(st.integers(0, 2**32 - 1)))


@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
@PROFILE
@given(case=cases())
def test_equals_onnxruntime_and_torch(mode, padding, align_corners, to, case):
    assert_equals_both_oracles(np.float32, mode, padding, align_corners, to, case)


@pytest.mark.slow
@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@settings(PROFILE, max_examples=EXAMPLES if THOROUGH else 5)
@given(case=cases())
def test_half_and_double_equal_both(mode, padding, align_corners, to, dtype, case):
    assert_equals_both_oracles(dtype, mode, padding, align_corners, to, case)


def assert_equals_both_oracles(dtype, mode, padding, align_corners, to, case):
    """Against the 5D kernels of ONNX Runtime and of PyTorch, which takes float16 as float32.

    PyTorch's own float16 kernel holds coordinates in float16, wrong by whole cells; ONNX Runtime
    computes in float32, and so do both lowerings.
    """
    random = np.random.default_rng(case.seed)
    lengths = case.volume_shape[2:]
    volume = random.standard_normal(case.volume_shape, dtype=np.float32).astype(dtype)
    grid = trapped_grid(random, lengths, case.grid_shape[:-1], align_corners).astype(dtype)
    onnx_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = sampling_model(mode, padding, align_corners, *case.declared(), dtype=onnx_type)
    rewritten = locoexport.rewrite(model, to=to, check=False).model

    found = run(rewritten, volume=volume, grid=grid)[0]
    native = run(model, volume=volume, grid=grid)[0]
    exact = np.promote_types(dtype, np.float32)
    oracle = torch_sample(
        volume.astype(exact), grid.astype(exact), mode, padding, align_corners
    ).astype(dtype)

    assert found.dtype == dtype
    assert no_volumetric(rewritten)
    name = np.dtype(dtype).name
    allowed = 0.0 if mode == "nearest" else ALLOWED[name]
    note(("onnxruntime", name, to, mode, padding, align_corners), found, native)
    assert_near(found, native, allowed)
    if mode == "nearest" and padding == "reflection" and not align_corners:
        # PyTorch reflects before it rounds: at ties outside it takes the other cell.
        closed = ~nearest_is_open(grid, lengths, align_corners)
        found, oracle = (np.moveaxis(value, 1, -1)[closed] for value in (found, oracle))
    note(("torch", name, to, mode, padding, align_corners), found, oracle)
    assert_near(found, oracle, allowed)


@pytest.mark.slow
@pytest.mark.parametrize("to", LOWERINGS)
@pytest.mark.parametrize(("mode", "padding", "align_corners"), COMBINATIONS)
@settings(PROFILE, max_examples=EXAMPLES if THOROUGH else 5)
@given(case=cases())
def test_what_onnx_leaves_open_is_onnxruntimes(mode, padding, align_corners, to, case):
    """NaN and infinity in the grid, NaN and infinity in the volume."""
    random = np.random.default_rng(case.seed)
    volume = random.standard_normal(case.volume_shape, dtype=np.float32)
    holes = random.random(case.volume_shape) < 0.15
    volume[holes] = random.choice((np.nan, np.inf, -np.inf), int(holes.sum()))
    grid = trapped_grid(random, case.volume_shape[2:], case.grid_shape[:-1], align_corners)
    holes = random.random(grid.shape) < 0.1
    grid[holes] = random.choice((np.nan, np.inf, -np.inf), int(holes.sum()))
    model = sampling_model(mode, padding, align_corners, *case.declared())
    rewritten = locoexport.rewrite(model, to=to, check=False).model

    found = run(rewritten, volume=volume, grid=grid)[0]
    native = run(model, volume=volume, grid=grid)[0]

    assert_near(found, native, TOLERANCE)


def no_volumetric(model: onnx.ModelProto) -> bool:
    """Every GridSample that is left samples what was reshaped to rank 4."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*inferred.graph.value_info, *inferred.graph.input)
    }
    return all(
        ranks[node.input[0]] == 4 for node in inferred.graph.node if node.op_type == "GridSample"
    )


def assert_near(found, expected, allowed):
    assert found.shape == expected.shape
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0, np.abs(found - expected))
    assert not np.isnan(error).any()
    assert error.max(initial=0) <= allowed


def note(key, found, expected):
    """The worst error so far, for the table that the thorough run prints."""
    TRIED[key] = TRIED.get(key, 0) + 1
    if found.size and np.isfinite(found).all():
        error = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())
        WORST[key] = max(WORST.get(key, 0.0), error)


@pytest.fixture(scope="module", autouse=True)
def _report_worst():
    yield
    if path := os.environ.get("LOCOEXPORT_THOROUGH_REPORT"):
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(
                f"{error:.2e} {TRIED[key]} {' '.join(map(str, key))}\n"
                for key, error in WORST.items()
            )
