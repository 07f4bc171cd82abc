"""Which rewrites there are, which an export takes, and how they are applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

from locoexport.contract.profile import ExportProfile, Sampling, Target
from locoexport.errors import UsageError, did_you_mean
from locoexport.models.locotrack import LocoTrack
from locoexport.rewrites import (
    batchnorm_folding,
    correlation_products,
    frame_gather,
    group_norm_products,
    heatmap_columns,
    live_outputs,
    neighbourhood_gather,
    shared_correlation,
    soft_argmax_disk,
    volumetric_gather,
    volumetric_planar,
)

__all__ = [
    "GRAPH_PASSES",
    "REWRITES",
    "GraphPass",
    "Rewrite",
    "apply_rewrites",
    "select_passes",
    "select_rewrites",
]


@dataclass(frozen=True)
class Rewrite:
    """One exact re-expression. ``sampling`` is the form it belongs to; None is both.

    ``needs`` names a rewrite without which this one has nothing to do. A ``required`` one keeps
    what every exported file promises and cannot be switched off. ``targets`` are those it is for;
    one that is ``of_resizes`` is for graphs that resize frames.
    """

    name: str
    replaces: str
    reason: str
    apply: Callable[[LocoTrack], LocoTrack]
    sampling: Sampling | None = None
    needs: str | None = None
    required: bool = False
    targets: tuple[Target, ...] = get_args(Target)
    of_resizes: bool = False


REWRITES: tuple[Rewrite, ...] = (
    Rewrite(
        "batchnorm-folding",
        replaces="BatchNorm after a convolution of the backbone",
        reason="saves one multiply-add per cell; some runtimes do not fold it themselves",
        apply=batchnorm_folding.rewrite,
        required=True,
    ),
    Rewrite(
        "frame-gather",
        replaces="the resize of frames of any size, or to a first level",
        reason="only the pixels that a resize reads become floats; no frame is converted whole",
        apply=frame_gather.rewrite,
        required=True,
        of_resizes=True,
    ),
    Rewrite(
        "volumetric-planar",
        replaces="5D grid_sample of the query features",
        reason="rank-5 GridSample exists only from opset 20, and few runtimes have it",
        apply=volumetric_planar.rewrite,
        required=True,
        sampling="planar",
    ),
    Rewrite(
        "volumetric-gather",
        replaces="5D grid_sample of the query features",
        reason="rank-5 GridSample exists only from opset 20, and few runtimes have it",
        apply=volumetric_gather.rewrite,
        required=True,
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
        reason="runtimes compute a strided convolution of 7×7 maps as one tiny product per image",
        apply=correlation_products.rewrite,
    ),
    Rewrite(
        "shared-correlation",
        replaces="the two correlation products of a level with many channels",
        reason="from 40 channels on, one product and copies of it cost less than two products",
        apply=shared_correlation.rewrite,
        needs="correlation-products",
        targets=("cpu",),
    ),
    Rewrite(
        "group-norm-products",
        replaces="the last GroupNorm of cmdtop",
        reason="runtimes normalise rows of 16 numbers one by one; products take whole rows",
        apply=group_norm_products.rewrite,
        needs="correlation-products",
        targets=("cpu",),
    ),
    Rewrite(
        "heatmap-columns",
        replaces="the convolution of cost planes into a heatmap",
        reason="runtimes compute 8 or 16 output channels at a time: eight columns in place of one",
        apply=heatmap_columns.rewrite,
        targets=("cpu",),
    ),
    Rewrite(
        "soft-argmax-disk",
        replaces="softmax over the whole heatmap",
        reason="the softmax's normaliser cancels: only the cells near the peak are needed",
        apply=soft_argmax_disk.rewrite,
    ),
    Rewrite(
        "live-outputs",
        replaces="rows of the output projection that nothing reads",
        reason="dead work",
        apply=live_outputs.rewrite,
    ),
)

REWRITES_BY_NAME = {rewrite.name: rewrite for rewrite in REWRITES}


@dataclass(frozen=True)
class GraphPass:
    """An exact rewrite of the exported graph (``locoexport.lowering``) in place of the model."""

    name: str
    replaces: str
    reason: str
    targets: tuple[Target, ...]


GRAPH_PASSES = (
    GraphPass(
        "frame-scan",
        replaces="the encoder over all frames at once",
        reason="memory does not grow with the clip, and one frame stays in the processor's cache",
        targets=("cpu",),
    ),
)


def select_rewrites(profile: ExportProfile) -> tuple[Rewrite, ...]:
    """The rewrites that an export of ``profile`` takes, in order.

    Raises:
        UsageError: a rewrite that is to be switched off does not exist or is required.
    """
    for name in profile.without:
        known = REWRITES_BY_NAME.get(name)
        passes = [graph_pass.name for graph_pass in GRAPH_PASSES]
        if known is None and name not in passes:
            raise UsageError(
                f"There is no rewrite {name!r} to switch off; there are "
                f"{', '.join((*REWRITES_BY_NAME, *passes))}."
                + did_you_mean(name, (*REWRITES_BY_NAME, *passes))
            )
        if known is not None and known.required:
            raise UsageError(
                f"The rewrite {name!r} cannot be switched off: without it the graph would hold "
                f"what no exported file may hold ({known.replaces})."
            )
    chosen: list[Rewrite] = []
    for rewrite in REWRITES:
        fits = (
            rewrite.sampling in (None, profile.sampling)
            and profile.target in rewrite.targets
            and (profile.resizes_frames or not rewrite.of_resizes)
        )
        if fits and rewrite.name not in profile.without and _has_needs(rewrite, chosen):
            chosen.append(rewrite)
    return tuple(chosen)


def _has_needs(rewrite: Rewrite, chosen: list[Rewrite]) -> bool:
    return rewrite.needs is None or rewrite.needs in (other.name for other in chosen)


def select_passes(profile: ExportProfile) -> tuple[str, ...]:
    """Names of the graph passes that an export of ``profile`` takes."""
    return tuple(
        graph_pass.name
        for graph_pass in GRAPH_PASSES
        if profile.target in graph_pass.targets and graph_pass.name not in profile.without
    )


def apply_rewrites(model: LocoTrack, rewrites: Iterable[Rewrite]) -> LocoTrack:
    """A new model, rewritten; ``model`` stays as it was."""
    for rewrite in rewrites:
        model = rewrite.apply(model)
    return model
