"""What a file says of itself → text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locoexport.rendering.parts.tables import size

if TYPE_CHECKING:
    from locoexport.contract.metadata import ArtifactMetadata

__all__ = ["short_weights", "taken_frames", "trained_settings"]


def taken_frames(metadata: ArtifactMetadata) -> str:
    """What is taken in place of floats at the resolution."""
    return ", from uint8 frames of any size" if metadata.input_type == "uint8" else ""


def trained_settings(metadata: ArtifactMetadata) -> str:
    """What no state dict says of the weights, and the file took for granted."""
    trained = metadata.trained
    first_hw, last_hw = trained.levels
    looked = size(last_hw) if first_hw == last_hw else f"{size(first_hw)}, then {size(last_hw)}"
    initial = "" if trained.resolution_hw is None else size(trained.resolution_hw)
    return (
        f"positions in {initial}, frames at {looked}; refinements {trained.refinements}, softmax "
        f"temperature {trained.softmax_temperature:g}, GELU {trained.gelu}"
    )


def short_weights(metadata: ArtifactMetadata) -> str:
    """The weights' file and the beginning of its SHA-256; or that there is none."""
    weights = metadata.weights
    if weights.seeded or weights.sha256 is None:
        return "seeded (tracks mean nothing)"
    member = "" if weights.member is None else f", {weights.member}"
    return f"{weights.file_name}{member} (sha256 {weights.sha256[:12]}...)"
