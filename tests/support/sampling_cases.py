"""Grids and points for tests of sampling: every border, corner, exact centre, and far outside."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

# Sides of one cell are legal, and the places where clamping and framing go wrong.
sides = st.integers(1, 9)


@dataclass(frozen=True)
class Case:
    """A grid (B, T, h, w, C) of normal numbers and coordinates by axis, each (B, N)."""

    grid: torch.Tensor
    t: torch.Tensor
    y: torch.Tensor
    x: torch.Tensor

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.grid.shape[2], self.grid.shape[3]


def coordinates(size: int) -> st.SearchStrategy[float]:
    """One raster coordinate: anywhere, at centres and edges of cells, and far away."""
    return st.one_of(
        st.floats(-5, size + 5, width=32),
        st.integers(-10, 2 * size + 10).map(lambda half: half / 2),
        st.sampled_from([-1000.0, 1000.0, 0.0, float(size), 0.5, size - 0.5]),
    )


def times(frames: int) -> st.SearchStrategy[float]:
    """A time: whole, half, any fraction, and outside the clip."""
    last = frames - 1
    return st.one_of(
        st.integers(0, last).map(float),
        st.floats(0, last, width=32),
        st.sampled_from([-1.0, 0.5, last - 0.125, last + 0.5, last + 3.0]),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, frames, channels = (draw(st.integers(1, most)) for most in (2, 4, 3))
    height, width, points = draw(sides), draw(sides), draw(st.integers(1, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 100)))
    grid = torch.randn(batch, frames, height, width, channels, generator=generator)

    def drawn(strategy: st.SearchStrategy[float]) -> torch.Tensor:
        count = batch * points
        values = draw(st.lists(strategy, min_size=count, max_size=count))
        return torch.tensor(values, dtype=torch.float32).reshape(batch, points)

    return Case(grid, drawn(times(frames)), drawn(coordinates(height)), drawn(coordinates(width)))


def by_frame(case: Case) -> torch.Tensor:
    """Another position in every frame: (B, N, T, 2) as (x, y)."""
    steps = torch.arange(case.grid.shape[1]) * 0.75
    centres = torch.stack((case.x, case.y), -1)[:, :, None]
    return centres + steps[:, None]
