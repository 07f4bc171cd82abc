"""Gathered corners and weights equal 5D sampling everywhere."""

import torch
from hypothesis import given
from sampling_cases import Case, cases

from locoexport.models import locotrack
from locoexport.models.locotrack.sampling import sample_supports
from locoexport.rewrites import volumetric_gather

# The reference normalises coordinates in float32, this does not: measured 2e-6.
TOLERANCE = 1e-5


@given(cases())
def test_equal_to_the_volumetric_sampling(case: Case) -> None:
    centres = torch.stack((case.t, case.y, case.x), -1)
    expected = sample_supports(case.grid, centres, case.size_hw)
    found = volumetric_gather.sample_supports(case.grid, centres, case.size_hw)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= TOLERANCE


def test_exact_at_the_centre_of_a_cell() -> None:
    grid = torch.arange(2 * 8 * 9, dtype=torch.float32).reshape(1, 2, 8, 9, 1)
    centres = torch.tensor([[[1.0, 3.5, 4.5]]])
    found = volumetric_gather.sample_supports(grid, centres, (8, 9))
    assert torch.equal(found[0, 0, :, 0].reshape(7, 7), grid[0, 1, 0:7, 1:8, 0])


def test_beyond_the_border_the_border_cell_is_repeated() -> None:
    grid = torch.arange(4.0).reshape(1, 1, 2, 2, 1)
    centres = torch.tensor([[[5.0, -100.0, 100.0]]])
    found = volumetric_gather.sample_supports(grid, centres, (2, 2))
    assert torch.equal(found, torch.full((1, 1, 49, 1), 1.0))


def test_the_rewritten_model_shares_its_weights() -> None:
    model = locotrack.create_model("b0-tiny")
    rewritten = volumetric_gather.rewrite(model)
    assert rewritten.operations.sample_supports is volumetric_gather.sample_supports
    assert model.operations.sample_supports is sample_supports
    mine, theirs = model.state_dict(), rewritten.state_dict()
    assert all(mine[name].data_ptr() == theirs[name].data_ptr() for name in mine)
