"""Gathered 8×8 patches equal bilinear sampling with zeros outside."""

import torch
from hypothesis import given
from sampling_cases import Case, by_frame, cases

from locoexport.models import locotrack
from locoexport.models.locotrack.sampling import sample_neighbourhoods
from locoexport.rewrites import neighbourhood_gather

# The reference normalises coordinates in float32, this does not: measured 2e-6.
TOLERANCE = 1e-5


def gathered(grid: torch.Tensor, centres_xy: torch.Tensor) -> torch.Tensor:
    framed = neighbourhood_gather.frame_grid(grid)
    size_hw = (grid.shape[2], grid.shape[3])
    return neighbourhood_gather.sample_neighbourhoods(framed, centres_xy, size_hw)


@given(cases())
def test_equal_to_the_planar_sampling(case: Case) -> None:
    centres_xy = by_frame(case)
    expected = sample_neighbourhoods(case.grid, centres_xy, case.size_hw)
    found = gathered(case.grid, centres_xy)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= TOLERANCE


def test_exact_at_the_centre_of_a_cell() -> None:
    grid = torch.arange(8 * 9, dtype=torch.float32).reshape(1, 1, 8, 9, 1)
    found = gathered(grid, torch.tensor([[[[4.5, 3.5]]]]))
    assert torch.equal(found[0, 0, 0, :, 0].reshape(7, 7), grid[0, 0, 0:7, 1:8, 0])


def test_zero_outside_and_half_on_the_border() -> None:
    grid = torch.ones(1, 1, 4, 4, 1)
    far, border = (gathered(grid, torch.tensor([[[[x, 2.0]]]])).reshape(7, 7) for x in (1e6, 4.0))
    assert torch.equal(far, torch.zeros(7, 7))
    # Columns at x = 1 ... 7 of a grid that ends at 4; rows at y = -1 ... 5.
    columns = torch.tensor([1.0, 1.0, 1.0, 0.5, 0, 0, 0])
    rows = torch.tensor([0, 0.5, 1.0, 1.0, 1.0, 0.5, 0])
    assert torch.equal(border, rows[:, None] * columns)


def test_the_rewritten_model_shares_its_weights() -> None:
    model = locotrack.create_model("b0-tiny")
    rewritten = neighbourhood_gather.rewrite(model)
    operations = rewritten.operations
    assert operations.sample_neighbourhoods is neighbourhood_gather.sample_neighbourhoods
    assert operations.prepare_grid is neighbourhood_gather.frame_grid
    assert model.operations.sample_neighbourhoods is sample_neighbourhoods
    mine, theirs = model.state_dict(), rewritten.state_dict()
    assert all(mine[name].data_ptr() == theirs[name].data_ptr() for name in mine)
