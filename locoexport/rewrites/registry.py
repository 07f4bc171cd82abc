"""Which rewrites there are, which an export takes, and how they are applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from locoexport.profile import Sampling
from locoexport.rewrites import (
    batchnorm_folding,
    correlation_products,
    live_outputs,
    neighbourhood_gather,
    volumetric_gather,
    volumetric_planar,
)
from locotrack import LocoTrack

__all__ = ["REWRITES", "Rewrite", "apply_rewrites", "select_rewrites"]


@dataclass(frozen=True)
class Rewrite:
    """One exact re-expression. ``sampling`` is the form it belongs to; None is both."""

    name: str
    replaces: str
    reason: str
    apply: Callable[[LocoTrack], LocoTrack]
    sampling: Sampling | None = None


REWRITES: tuple[Rewrite, ...] = (
    Rewrite(
        "batchnorm-folding",
        replaces="BatchNorm after a convolution of the backbone",
        reason="one multiply-add a cell less; some runtimes do not fold by themselves",
        apply=batchnorm_folding.rewrite,
    ),
    Rewrite(
        "volumetric-planar",
        replaces="5D grid_sample of the query features",
        reason="rank-5 GridSample exists only from opset 20, and few runtimes have it",
        apply=volumetric_planar.rewrite,
        sampling="planar",
    ),
    Rewrite(
        "volumetric-gather",
        replaces="5D grid_sample of the query features",
        reason="rank-5 GridSample exists only from opset 20, and few runtimes have it",
        apply=volumetric_gather.rewrite,
        sampling="gather",
    ),
    Rewrite(
        "neighbourhood-gather",
        replaces="4D grid_sample of the 7×7 neighbourhoods",
        reason="49 points share one fraction: 64 rows and one product instead of 196 rows",
        apply=neighbourhood_gather.rewrite,
        sampling="gather",
    ),
    Rewrite(
        "correlation-products",
        replaces="local correlation and the convolutions over it",
        reason="runtimes compute a strided convolution of a 7×7 map as one tiny product an image",
        apply=correlation_products.rewrite,
    ),
    Rewrite(
        "live-outputs",
        replaces="rows of the output projection that nothing reads",
        reason="dead work",
        apply=live_outputs.rewrite,
    ),
)


def select_rewrites(sampling: Sampling) -> tuple[Rewrite, ...]:
    """The rewrites that an export with that sampling takes, in order."""
    return tuple(rewrite for rewrite in REWRITES if rewrite.sampling in (None, sampling))


def apply_rewrites(model: LocoTrack, rewrites: Iterable[Rewrite]) -> LocoTrack:
    """A new model, rewritten; ``model`` stays as it was."""
    for rewrite in rewrites:
        model = rewrite.apply(model)
    return model
