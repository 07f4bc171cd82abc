"""What works on this machine, what is missing, and the command that fixes it."""

from __future__ import annotations

import platform
from pathlib import Path

from locoexport.errors import ProviderUnavailableError
from locoexport.machine.hardware import read_cpu, read_memory
from locoexport.machine.installation import (
    cache_folder,
    find_packages,
    import_failure,
    nvidia_driver,
)
from locoexport.pipeline.diagnosis.problems import NATIVE_MODULES, find_problems
from locoexport.pipeline.diagnosis.report import (
    DoctorReport,
    Installation,
    ProviderState,
)
from locoexport.version import __version__

__all__ = ["examine"]


def examine(model: str | Path | None = None) -> DoctorReport:
    """Look at everything; nothing is installed or written.

    Args:
        model: a file to run once on every provider that works here, to tell where its nodes ran;
            for the others it is forecast. Left out where ONNX Runtime cannot be imported.

    Raises:
        ModelFileError: there is no file ``model``.
    """
    broken = {
        module: reason
        for module in NATIVE_MODULES
        if (reason := import_failure(module)) is not None
    }
    working = "onnxruntime" not in broken
    found = Installation(
        packages=find_packages(),
        broken=broken,
        providers=_probe_providers() if working else (),
        built_for=_built_for() if working else None,
        driver=nvidia_driver(),
        cpu=read_cpu(),
        memory=read_memory(),
        cache=cache_folder(),
    )
    outlook = None
    if model is not None and working:
        from locoexport.pipeline.diagnosis.outlook import foresee

        here = [state.name for state in found.providers if state.works]
        absent = [state.name for state in found.providers if not state.works]
        outlook = foresee(Path(model), here, absent)
    return DoctorReport(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        found=found,
        problems=tuple(find_problems(found)),
        outlook=outlook,
    )


def _probe_providers() -> tuple[ProviderState, ...]:
    import onnxruntime

    from locoexport.runtime.session.providers import PROVIDERS, probe_provider, require_provider

    listed = onnxruntime.get_available_providers()
    states = []
    for name, full in PROVIDERS.items():
        probe, remedy = probe_provider(name), ""
        try:
            require_provider(name)
        except ProviderUnavailableError as error:
            remedy = str(error).rpartition(f"To get {name}: ")[2].rstrip(".")
        states.append(ProviderState(name, full in listed, probe.works, probe.missing, remedy))
    return tuple(states)


def _built_for() -> str | None:
    # Imported here: the module needs ONNX Runtime, which doctor may have come to find broken.
    from locoexport.runtime.session.providers import built_for

    return built_for()
