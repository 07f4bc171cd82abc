"""What was found of a machine, and what is wrong with it: data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from locoexport.machine.hardware import Cpu, Memory
from locoexport.machine.installation import (
    CacheFolder,
    Package,
)

if TYPE_CHECKING:
    from locoexport.pipeline.diagnosis.outlook import ModelOutlook

__all__ = ["DoctorReport", "Installation", "Problem", "ProviderState", "Severity"]

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class ProviderState:
    """An execution provider: whether a one-node model really ran on it here.

    ``listed`` is what ONNX Runtime says of itself, which proves nothing. ``remedy`` is empty where
    the provider works.
    """

    name: str
    listed: bool
    works: bool
    missing: str
    remedy: str


@dataclass(frozen=True)
class Problem:
    """Something missing or wrong and the command that fixes it (empty where there is none).

    An ``error`` stops everything, a ``warning`` some commands, an ``info`` is good to know.
    """

    severity: Severity
    text: str
    command: str


@dataclass(frozen=True)
class Installation:
    """What was found, before it is judged. ``broken`` maps modules to why they do not import."""

    packages: tuple[Package, ...]
    broken: dict[str, str]
    providers: tuple[ProviderState, ...]
    built_for: str | None
    driver: str | None
    cpu: Cpu
    memory: Memory
    cache: CacheFolder

    @property
    def cpu_provider_works(self) -> bool:
        """What the exit code of ``doctor`` hangs on."""
        return any(state.name == "cpu" and state.works for state in self.providers)

    def installed(self, *names: str) -> list[Package]:
        """Those of the named packages that are installed."""
        return [found for found in self.packages if found.name in names and found.version]


@dataclass(frozen=True)
class DoctorReport:
    """All that ``doctor`` has to say; ``outlook`` of the file that it was given, if any."""

    version: str
    python: str
    system: str
    found: Installation
    problems: tuple[Problem, ...]
    outlook: ModelOutlook | None = None
