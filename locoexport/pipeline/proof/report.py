"""The report of a verification, whether against PyTorch or against a sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.parity.divergence import Localisation
from locoexport.parity.error_growth import ErrorGrowth
from locoexport.parity.pointwise import ParityReport
from locoexport.parity.quantiles import PrecisionParity
from locoexport.parity.sidecar import SidecarMaker
from locoexport.runtime.session.placement import Elsewhere
from locoexport.runtime.session.provider_options import ChosenBy

__all__ = ["VerifyReport"]


@dataclass(frozen=True)
class VerifyReport:
    """What was compared with what, and how it went.

    ``against`` says what the file was compared with, ``proves`` what that proves where it passes,
    ``sidecar`` who made the sidecar, if it was one and says so, and ``judge`` in a word whose
    answers those are. ``elsewhere`` says which nodes ran on another provider than the one asked
    for. ``parity`` is a ``PrecisionParity`` of a file in a smaller precision, judged by its own
    limits. ``localisation`` is set if you chose it or parity failed, and ``growth`` in its
    place for a file in a smaller precision; ``not_localised`` says why it could not be made.
    ``warnings`` were told on the way, and ``chosen_by`` says who chose the provider.
    """

    model_path: Path
    metadata: ArtifactMetadata
    parity: ParityReport | PrecisionParity
    against: str
    proves: str
    elsewhere: tuple[Elsewhere, ...] = ()
    localisation: Localisation | None = None
    not_localised: str = ""
    growth: ErrorGrowth | None = None
    sidecar: SidecarMaker | None = None
    judge: str = "PyTorch"
    warnings: tuple[str, ...] = ()
    chosen_by: ChosenBy = "user"

    @property
    def passed(self) -> bool:
        """True where the outputs agree, and every seam that was compared; in a smaller precision
        where they keep their limits, and no node is known to be another than it should be."""
        if self.growth is not None and self.growth.faulty:
            return False
        return self.parity.passed and (self.localisation is None or not self.localisation.first)
