"""4D sampling and a lerp in time equal 5D sampling everywhere."""

import torch
from hypothesis import given
from sampling_cases import Case, cases

from locoexport.models import locotrack
from locoexport.models.locotrack.sampling import sample_supports
from locoexport.rewrites import volumetric_planar

# grid_sample normalises coordinates in float32: measured 1e-6 on grids of standard normals.
TOLERANCE = 1e-5


@given(cases())
def test_equal_to_the_volumetric_sampling(case: Case) -> None:
    centres = torch.stack((case.t, case.y, case.x), -1)
    expected = sample_supports(case.grid, centres, case.size_hw)
    found = volumetric_planar.sample_supports(case.grid, centres, case.size_hw)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= TOLERANCE


def test_neighbouring_frames_are_clamped_to_the_clip_and_counted_through_the_batch() -> None:
    grid = torch.zeros(2, 3, 1, 1, 1)
    t = torch.tensor([[0.0, 0.25, 2.0, -1.0], [1.0, 1.5, 2.5, 9.0]])
    first, second, fraction = volumetric_planar.neighbouring_frames(grid, t)
    assert first.tolist() == [[0, 0, 2, 0], [4, 4, 5, 5]]
    assert second.tolist() == [[1, 1, 2, 1], [5, 5, 5, 5]]
    assert fraction.tolist() == [[0, 0.25, 0, 0], [0, 0.5, 0, 0]]


def test_the_rewritten_model_shares_its_weights() -> None:
    model = locotrack.create_model("b0-tiny")
    rewritten = volumetric_planar.rewrite(model)
    assert rewritten.operations.sample_supports is volumetric_planar.sample_supports
    assert model.operations.sample_supports is sample_supports
    mine, theirs = model.state_dict(), rewritten.state_dict()
    assert all(mine[name].data_ptr() == theirs[name].data_ptr() for name in mine)
