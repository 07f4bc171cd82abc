"""What a file says of itself → text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locoexport.notices import counted
from locoexport.rendering.parts.tables import size

if TYPE_CHECKING:
    from locoexport.contract.metadata import ArtifactMetadata, TuningStamp

__all__ = ["short_weights", "taken_frames", "trained_settings", "tuning_rows"]


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


def tuning_rows(stamp: TuningStamp | None) -> list[tuple[str, str]]:
    """A row on how a file that ``locoexport tune`` wrote is fastest, and its evidence; or none."""
    if stamp is None:
        return []
    threads = "" if stamp.threads is None else f", {counted(stamp.threads, 'thread')}"
    limits = f"limit {stamp.limit_px:g} px"
    if stamp.limit_aj is not None:
        limits += f" and {stamp.limit_aj:g} AJ"
    text = (
        f"for {stamp.provider}{threads}: {stamp.ratio:.2f} times as fast as the float32 file on "
        f"the CPU (p10 {stamp.ratio_p10:.2f}, p90 {stamp.ratio_p90:.2f}), {stamp.latency_ms:.0f} "
        f"ms at {stamp.frames} x {stamp.points} on {stamp.machine}; p50 {stamp.p50_px:.2g} px, "
        f"p99 {stamp.p99_px:.2g} px, {stamp.flip_share:.2%} flips, AJ "
        f"{stamp.average_jaccard_change:+.2f} on {stamp.sequences} ({limits})"
    )
    return [("tuned", text)]
