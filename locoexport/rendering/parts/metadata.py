"""What a file says of itself → text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locoexport.contract.metadata import ArtifactMetadata

__all__ = ["short_weights", "taken_frames"]


def taken_frames(metadata: ArtifactMetadata) -> str:
    """What is taken in place of floats at the resolution."""
    return ", from uint8 frames of any size" if metadata.input_type == "uint8" else ""


def short_weights(metadata: ArtifactMetadata) -> str:
    """The weights' file and the beginning of its SHA-256; or that there is none."""
    weights = metadata.weights
    if weights.seeded or weights.sha256 is None:
        return "seeded (tracks mean nothing)"
    member = "" if weights.member is None else f", {weights.member}"
    return f"{weights.file_name}{member} (sha256 {weights.sha256[:12]}...)"
