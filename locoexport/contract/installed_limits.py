"""What this installation allows an exported file to differ by, whatever the file says of itself.

A file names the profile that it was made with. The limits are those of the profile of that name
which is installed here: a stranger's file could allow itself anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.contract.profile import (
    PrecisionLimits,
    Tolerance,
    load_profile,
    profile_names,
)

__all__ = ["InstalledLimits", "installed_limits"]

_CUSTOM_TOLERANCE = Tolerance(4e-3, 4e-3, "the default of every shipped profile")


@dataclass(frozen=True)
class InstalledLimits:
    """What may differ in float32 (``tolerance``), and in a smaller precision (``precision``)."""

    tolerance: Tolerance
    precision: PrecisionLimits


def installed_limits(metadata: ArtifactMetadata) -> InstalledLimits:
    """The limits of the shipped profile that a file names.

    A file of a profile that is not shipped, or of another variant than the shipped profile of its
    name, is held to what every shipped profile allows.
    """
    names = profile_names()
    if metadata.profile in names:
        profile = load_profile(metadata.profile)
        if profile.variant == metadata.variant:
            return InstalledLimits(profile.tolerance, profile.precision_limits)
    if metadata.variant in names:
        limits = load_profile(metadata.variant).precision_limits
        return InstalledLimits(_CUSTOM_TOLERANCE, limits)
    return InstalledLimits(_CUSTOM_TOLERANCE, PrecisionLimits())
