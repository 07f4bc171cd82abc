"""The seams of a tracker: values that the PyTorch model and every exported graph both compute.

Rewrites re-express what lies between two seams and never the seams themselves, so a graph can be
compared with the unrewritten model at each of them. In a file a seam is the tensor of that name:
the exporter gives the name, and every later step keeps it. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from locoexport.contract.interface import (
    FIRST_GRID_NAMES,
    FIRST_LEVEL,
    FIRST_SUPPORT_NAMES,
    GRID_NAMES,
    SUPPORT_NAMES,
    FileRole,
)
from locoexport.contract.metadata import OUTPUT_NAMES

__all__ = [
    "ESTIMATES",
    "FIRST_LEVEL",
    "LEVELS",
    "Seam",
    "SeamKind",
    "seam_name",
    "seams_of",
    "traced_seams",
]

SeamKind = Literal[
    "features",
    "grid",
    "support",
    "costs",
    "heatmap",
    "neighbourhood",
    "embedding",
    "inputs",
    "layer",
    "changes",
    "pixels",
    "logit",
]
"""What a seam holds; each kind has a tolerance of its own."""

LEVELS = ("hires", "lowres", "highest")
"""The feature grids, in the model's order."""
ESTIMATES = ("tracks", "occlusion", "expected_dist")
"""What a state of the tracks consists of."""

_IMAGES = ("image", "channel", "y", "x")
_STATE_AXES = {
    "tracks": ("batch", "point", "frame", "xy"),
    "occlusion": ("batch", "point", "frame"),
    "expected_dist": ("batch", "point", "frame"),
}


@dataclass(frozen=True)
class Seam:
    """One value: the tensor that holds it in a file, and the part of the model that ends there.

    ``axes`` name its dimensions; an ``image`` is batch·frame, a ``row`` batch·point·frame, a
    ``track`` batch·point, each in that order. The first ``row_axes`` of them tell one image, point
    or row from another. ``split_output`` is the name that it has as an output of a split file.
    """

    tensor: str
    part: str
    step: str
    kind: SeamKind
    axes: tuple[str, ...]
    row_axes: int
    iteration: int | None = None
    level: str | None = None
    split_output: str | None = None

    def __str__(self) -> str:
        """As people read it: ``refinement 2: sampling, level hires``."""
        part = self.part if self.iteration is None else f"{self.part} {self.iteration}"
        level = "" if self.level is None else f", level {self.level}"
        return f"{part}: {self.step}{level}"


def seam_name(scope: str, quantity: str) -> str:
    """The tensor of a seam; ``scope`` is that of the model part, so that tools attribute it."""
    return f"/{scope}/seam/{quantity}"


def seams_of(
    blocks: int, iterations: int, layers: int, *, two_levels: bool = False
) -> tuple[Seam, ...]:
    """Every seam of a tracker, in the order in which they are computed, outputs last.

    Args:
        blocks: of the backbone.
        iterations: refinements.
        layers: of the transformer.
        two_levels: initial tracks come from grids of a resolution of their own.
    """
    seams = [*_encoder(blocks), *_supports()]
    if two_levels:
        seams += [*_first_level(_encoder(blocks), FIRST_GRID_NAMES)]
        seams += [*_first_level(_supports(), FIRST_SUPPORT_NAMES)]
    seams += _cost_volume()
    for iteration in range(iterations):
        seams += _refinement(iteration, layers, last=iteration == iterations - 1)
    return tuple(seams)


def traced_seams(seams: tuple[Seam, ...], role: FileRole) -> tuple[Seam, ...]:
    """Those that the graph of that role computes and does not give out anyway."""
    if role == "whole":
        chosen = seams
    elif role == "encoder":
        chosen = tuple(seam for seam in seams if seam.kind == "features")
    elif role in ("query", "live"):
        chosen = ()
    else:
        chosen = tuple(seam for seam in seams if seam.part in ("cost volume", "refinement"))
    return tuple(seam for seam in chosen if seam.tensor not in OUTPUT_NAMES)


def _encoder(blocks: int) -> list[Seam]:
    found = [
        Seam(seam_name("encoder", f"block_{i}"), "backbone", f"block {i}", "features", _IMAGES, 1)
        for i in range(blocks)
    ]
    axes = ("batch", "frame", "y", "x", "channel")
    return found + [
        Seam(
            seam_name("encoder", f"grid_{level}"),
            "backbone",
            "normalised grid",
            "grid",
            axes,
            2,
            level=level,
            split_output=output,
        )
        for level, output in zip(LEVELS, GRID_NAMES, strict=True)
    ]


def _supports() -> list[Seam]:
    return [
        Seam(
            seam_name("query_sampling", f"support_{level}"),
            "query sampling",
            "support",
            "support",
            ("batch", "point", "offset", "channel"),
            2,
            level=level,
            split_output=output,
        )
        for level, output in zip(LEVELS, SUPPORT_NAMES, strict=True)
    ]


def _first_level(seams: list[Seam], outputs: tuple[str, ...]) -> list[Seam]:
    """The seams of the last level as those of the first. Of its finest grid nothing is read, so
    that a graph does not hold what only leads there."""
    found = []
    for seam in seams:
        scope, quantity = seam.tensor.removeprefix("/").split("/seam/")
        if seam.level == LEVELS[2]:
            continue
        output = None if seam.level is None else outputs[LEVELS.index(seam.level)]
        found.append(
            replace(
                seam,
                tensor=seam_name(FIRST_LEVEL + scope, quantity),
                part=f"{seam.part}, first level",
                split_output=output,
            )
        )
    return found


def _cost_volume() -> list[Seam]:
    planes = ("row", "channel", "y", "x")
    return [
        Seam(seam_name("cost_volume", "costs"), "cost volume", "costs", "costs", planes, 1),
        Seam(seam_name("cost_volume", "heatmap"), "cost volume", "heatmap", "heatmap", planes, 1),
        *(
            _state(seam_name("cost_volume", name), "cost volume", f"initial {name}", name)
            for name in ESTIMATES
        ),
    ]


def _refinement(iteration: int, layers: int, *, last: bool) -> list[Seam]:
    scope, part = f"refinement_{iteration}", "refinement"
    found = []
    for level in LEVELS:
        found += [
            Seam(
                seam_name(f"{scope}/correlation_{level}/sampling", "neighbourhood"),
                part,
                "sampling",
                "neighbourhood",
                ("batch", "point", "frame", "offset", "channel"),
                2,
                iteration,
                level,
            ),
            Seam(
                seam_name(f"{scope}/correlation_{level}/cmdtop", "embedding"),
                part,
                "correlation and cmdtop",
                "embedding",
                ("row", "channel"),
                1,
                iteration,
                level,
            ),
        ]
    tokens = ("track", "frame", "channel")
    mixer = f"{scope}/torch_pips_mixer"
    found.append(
        Seam(seam_name(scope, "inputs"), part, "transformer inputs", "inputs", tokens, 1, iteration)
    )
    for layer in range(layers):
        name = seam_name(mixer, f"layer_{layer}")
        found.append(Seam(name, part, f"transformer layer {layer}", "layer", tokens, 1, iteration))
    name = seam_name(mixer, "changes")
    found.append(Seam(name, part, "transformer output", "changes", tokens, 1, iteration))
    for name, output in zip(ESTIMATES, OUTPUT_NAMES, strict=True):
        tensor = output if last else seam_name(scope, name)
        found.append(_state(tensor, part, f"updated {name}", name, iteration))
    return found


def _state(tensor: str, part: str, step: str, name: str, iteration: int | None = None) -> Seam:
    kind: SeamKind = "pixels" if name == "tracks" else "logit"
    return Seam(tensor, part, step, kind, _STATE_AXES[name], 2, iteration)
