"""Where a file's nodes run on providers that are here, and would run on those that are not."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from locoexport.errors import LocoExportError, ModelFileError
from locoexport.machine.bounded_child import file_allowance, run_bounded
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.machine.writing.output_files import is_file
from locoexport.parity.probes import make_probe, to_uint8
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.placement import Placement, count_placed, placed_elsewhere
from locoexport.runtime.session.provider_options import provider_name
from locoexport.runtime.session.single import open_session
from locoexport.runtime.session.split import open_split
from locoexport.runtime.session.split_files import find_split_files

if TYPE_CHECKING:
    from locoexport.inspection.forecast import Forecast

__all__ = ["ModelOutlook", "forecast_here", "forecast_sentence", "foresee", "place_nodes"]

_FRAMES, _POINTS = 2, 1


@dataclass(frozen=True)
class ModelOutlook:
    """A file on every provider: run on those that work here, forecast on those that do not.

    ``note`` says why there is no forecast, and is empty where there is one.
    """

    path: Path
    ran: tuple[Placement, ...]
    forecasts: tuple[Forecast, ...]
    note: str


def place_nodes(path: Path, provider: str) -> Placement:
    """Run a file once on small inputs, and tell where each node ran, from the session's profile.

    Raises:
        ModelFileError, ProviderUnavailableError, MachineError: it cannot be opened or run there.
    """
    with scratch_folder() as folder:
        prefix = folder / "profile"
        if find_split_files(path) is None:
            model: Model = open_session(
                path, provider, profile_prefix=prefix, require_metadata=False
            )
        else:
            model = open_split(path, provider, profile_prefix=prefix)
        probe = make_probe(
            "textured",
            batch=model.fixed_batch or 1,
            frames=model.fixed_frames or _FRAMES,
            points=model.fixed_points or _POINTS,
            size_hw=model.resolution_hw,
            seed=0,
        )
        video: NDArray[Any] = probe.video
        if model.signature.input_type == "uint8":
            video = to_uint8(video)
        model.run(video, probe.query_points_tyx)
        nodes = model.placed_nodes()
    return Placement(provider, count_placed(nodes), placed_elsewhere(nodes, provider))


def foresee(path: Path, working: Sequence[str], absent: Sequence[str]) -> ModelOutlook:
    """A file on every provider; what fails on one of them is told, and the others follow.

    Raises:
        ModelFileError: there is no such file.
    """
    if not is_file(path) and find_split_files(path) is None:
        raise ModelFileError(f"There is no model file {path}.")
    ran = []
    for provider in working:
        try:
            ran.append(place_nodes(path, provider))
        except LocoExportError as error:
            ran.append(Placement(provider, (), (), str(error)))
    forecasts, note = _forecast(path, absent)
    return ModelOutlook(path, tuple(ran), forecasts, note)


def forecast_sentence(path: Path | None, provider: str) -> str:
    """What the list of kernels says of a file on a provider that is not here, for a message."""
    if path is None:
        return "`locoexport inspect MODEL.onnx` forecasts where the nodes of a file would run."
    forecasts, note = _forecast(path, [provider_name(provider)])
    if not forecasts:
        return note
    (forecast,) = forecasts
    said = f"{forecast.covered} of the {forecast.total} nodes of {path.name} have a kernel there"
    groups = f"; {forecast.groups}" if forecast.groups else ""
    unknown = f"; unknown: {forecast.unknown_groups}" if forecast.unknown else ""
    return f"Forecast (from lists of kernels read {forecast.read}): {said}{groups}{unknown}."


def _forecast(path: Path, providers: Sequence[str]) -> tuple[tuple[Forecast, ...], str]:
    """The forecasts, or none and why."""
    if importlib.util.find_spec("onnx") is None:
        return (), "No forecast: onnx is not installed (pip install 'locoexport[inspect]')."
    if not is_file(path):
        return (), f"No forecast: {path} is not one file; name the parts of a split one by one."
    try:
        found = run_bounded(
            forecast_here,
            path,
            providers,
            allowance=file_allowance(path.stat().st_size),
            subject=path,
            error_type=ModelFileError,
        )
    except ModelFileError as error:
        return (), f"No forecast: {error}"
    return found, ""


def forecast_here(path: Path, providers: Sequence[str]) -> tuple[Forecast, ...]:
    """The forecasts for a file in this process, which a file made to do harm may take down."""
    from locoexport.graphs.reading import read_model
    from locoexport.inspection.forecast import forecast_providers

    return forecast_providers(read_model(path), providers)
