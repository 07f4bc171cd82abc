"""One identity, four implementations, one statement of it and one set of cases.

    Trilinear sampling of a volume with border padding and align_corners False is, along each axis
    of length L by itself: the index coordinate x = ((g + 1)·L - 1) / 2, clamped to [0, L - 1]; the
    cells floor(x) and floor(x) + 1 (or the last), with weights 1 - f and f, f = x - floor(x). The
    value is the sum over the eight cells, in whatever order the three axes are taken.

- ``export`` writes it in torch, before tracing: ``rewrites.volumetric_gather`` and
  ``rewrites.volumetric_planar``, for the 49 points of a support that share one fraction;
- ``rewrite`` writes it into a graph: ``lowering.volumetric.gather`` and ``planar``, over
  ``lowering.volumetric.axis``, which states it for every padding and mode.

The oracle of all four is the model's own ``sample_supports``: PyTorch's 5D ``grid_sample``. What is
a fault in one is looked for in all: a case that is added here is tried on each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from sampling_cases import Case, cases
from sampling_graphs import LOWERINGS, sampling_model
from torch import Tensor

import locoexport
from locoexport.models.locotrack.sampling import sample_supports, support_offsets_xy
from locoexport.rewrites import volumetric_gather, volumetric_planar

# In float32 at coordinates up to 1000 times the volume: 2e-6 measured by the torch rewrites' tests.
TOLERANCE = 1e-5


def in_a_graph(case: Case, to: str) -> Tensor:
    """The model's 5D GridSample as a graph of its own, lowered, in ONNX Runtime."""
    centres = centres_of(case)
    offsets = F.pad(support_offsets_xy(centres).flip(-1), (1, 0))
    points = (centres[:, :, None] + offsets).flatten(1, 2)
    sizes = points.new_tensor(case.grid.shape[1:4])
    grid = (2 * (points + points.new_tensor([0.5, 0.0, 0.0])) / sizes - 1).flip(-1)
    volume = case.grid.permute(0, 4, 1, 2, 3).contiguous()
    given = {"volume": volume.numpy(), "grid": grid[:, :, None, None].numpy()}
    found = torch.from_numpy(lowered(to).run(None, given)[0])  # (B, C, N·49, 1, 1)
    return found.flatten(2).permute(0, 2, 1).reshape(*centres.shape[:2], -1, case.grid.shape[-1])


@functools.cache
def lowered(to: str) -> onnxruntime.InferenceSession:
    """Of dynamic sizes, so that one session serves every case."""
    model = sampling_model("linear", "border", 0)
    return session_of(locoexport.rewrite(model, to=to, check=False).model)


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def in_torch(case: Case, rewrite: Callable[..., Tensor]) -> Tensor:
    return rewrite(case.grid, centres_of(case), case.size_hw)


IMPLEMENTATIONS = {
    "export gather": functools.partial(in_torch, rewrite=volumetric_gather.sample_supports),
    "export planar": functools.partial(in_torch, rewrite=volumetric_planar.sample_supports),
    **{f"rewrite {to}": functools.partial(in_a_graph, to=to) for to in LOWERINGS},
}


def centres_of(case: Case) -> Tensor:
    return torch.stack((case.t, case.y, case.x), -1)


def case_of(shape: tuple[int, ...], *points_tyx: tuple[float, float, float]) -> Case:
    """A named place where implementations have differed before."""
    grid = torch.randn(1, *shape, 2, generator=torch.Generator().manual_seed(1))
    t, y, x = torch.tensor([points_tyx]).unbind(-1)
    return Case(grid, t, y, x)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@settings(max_examples=60)
@given(case=cases())
@example(case=case_of((1, 1, 1), (0.0, 0.5, 0.5), (-3.0, 9.0, -9.0)))  # a single cell
@example(case=case_of((3, 4, 5), (2.0, 4.0, 5.0), (2.5, 0.0, 0.0)))  # the last frame, both corners
@example(case=case_of((4, 2, 9), (1.5, 1.0, 4.5), (0.25, -0.5, 9.5)))  # halves and ties
def test_every_implementation_is_the_volumetric_sampling(name: str, case: Case) -> None:
    expected = sample_supports(case.grid, centres_of(case), case.size_hw)
    found = IMPLEMENTATIONS[name](case)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
