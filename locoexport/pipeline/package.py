"""An exported file → what NVIDIA Triton or OpenVINO Model Server is started over."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import CheckFailedError, ModelFileError, UsageError
from locoexport.notices import Listener, Notice, ignore
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.single import create_checked_session, one_line
from locoexport.runtime.session.split_files import find_split_files
from locoexport.serving.openvino import (
    check_options,
    compile_settings,
    model_entry,
    server_readme,
    write_server,
)
from locoexport.serving.options import ServedModel, ServingOptions, Tensor
from locoexport.serving.repository import (
    RepositoryEntry,
    check_name,
    readme_text,
    write_repository,
)
from locoexport.serving.triton_config import ensemble_config, model_config
from locoexport.serving.triton_schema import check_config, check_ensemble, schema_is_here

__all__ = ["PackageReport", "package_for_openvino", "package_for_triton"]


@dataclass(frozen=True)
class PackageReport:
    """What was written.

    Attributes:
        folder: the model repository.
        name: of the model that clients ask.
        models: names of all models, in the order in which they were written.
        files: all of them.
        schema_checked: whether Triton's own schema was there to check the configurations with; of
            OpenVINO, whether it was there and compiled the file with the settings.
        server: which server it is for.
    """

    folder: Path
    model: Path
    name: str
    models: tuple[str, ...]
    files: tuple[Path, ...]
    schema_checked: bool
    server: Literal["triton", "openvino"] = "triton"


def package_for_triton(
    model: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
    force: bool = False,
    notify: Listener = ignore,
) -> PackageReport:
    """Write a Triton model repository for a single file, or for a split export as an ensemble.

    Args:
        model: a file written by ``locoexport export``; any of the three of a split export.
        folder: the repository; it may hold other models.
        name: of the model; None is ``locotrack_<profile>``.
        options: devices, batching, threads, TensorRT.
        force: replace models of the same names.
        notify: is told of warnings.

    Raises:
        ModelFileError: the file is missing, damaged or not ours.
        OutputError, UsageError: see ``write_repository`` and ``ServingOptions``.
        CheckFailedError: a configuration does not fit Triton's schema; nothing is written then.
    """
    options = options or ServingOptions()
    path, folder = Path(model), Path(folder)
    metadata = open_model(path).metadata  # every check of the runtime
    name = _name(name, metadata)
    paths = find_split_files(path)
    if paths is None:
        served = [_served(name, path)]
        files: list[Path] = [path]
    else:
        served = [_served(f"{name}_{role}", file) for role, file in paths.items()]
        files = list(paths.values())
    entries = [
        RepositoryEntry(each.name, model_config(each, options), file)
        for each, file in zip(served, files, strict=True)
    ]
    if paths is not None:
        entries.append(RepositoryEntry(name, ensemble_config(name, served, options), None))
    checked = _check(entries, ensemble=paths is not None)
    if not checked:
        text = "The configurations were not checked against Triton's schema: tritonclient is not "
        notify(Notice(text + "installed (pip install 'locoexport[triton]').", warning=True))
    for text in _doubts(metadata, options):
        notify(Notice(text, warning=True))
    readme = readme_text(
        entries,
        served[0].inputs[:1] + _queries(served),
        served[-1].outputs,
        options,
        _facts(metadata),
    )
    written = write_repository(folder, entries, readme, force=force)
    return PackageReport(
        folder, path, name, tuple(entry.name for entry in entries), written, checked
    )


def package_for_openvino(
    model: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
    force: bool = False,
    notify: Listener = ignore,
) -> PackageReport:
    """Write a single file, config.json and a README for OpenVINO Model Server.

    Args:
        model: a file written by ``locoexport export``; not of a split export.
        folder: of the models; config.json in it may name others, which stay.
        name: of the model; None is ``locotrack_<profile>``.
        options: device, instances (requests at once) and threads; the rest is Triton's.
        force: replace a model of the same name.
        notify: is told of warnings.

    Raises:
        ModelFileError: the file is missing, damaged or not ours.
        OutputError: see ``write_server``.
        UsageError: the file is one of a split export, or an option is Triton's.
        CheckFailedError: OpenVINO is here and cannot compile the file; nothing is written then.
    """
    options = options or ServingOptions()
    check_options(options)
    path, folder = Path(model), Path(folder)
    metadata = open_model(path).metadata
    if find_split_files(path) is not None:
        raise UsageError("OpenVINO Model Server gets the single file; export it without --split.")
    name = _name(name, metadata)
    served = _served(name, path)
    checked = _compiles(path, compile_settings(options))
    if not checked:
        text = "The file was not tried with OpenVINO, which is not installed "
        notify(Notice(text + "(pip install 'locoexport[openvino]').", warning=True))
    readme = server_readme(name, served.inputs, served.outputs, options, _facts(metadata))
    entry = model_entry(name, options)
    written = write_server(folder, path, entry, readme, force=force)
    return PackageReport(folder, path, name, (name,), written, checked, "openvino")


def _compiles(path: Path, settings: dict[str, Any]) -> bool:
    """Whether OpenVINO was there to compile the file on this machine's CPU."""
    if importlib.util.find_spec("openvino") is None:
        return False
    import openvino

    core = openvino.Core()
    try:
        core.compile_model(core.read_model(path), "CPU", settings)
    except RuntimeError as error:
        raise CheckFailedError(f"OpenVINO cannot compile {path}: {one_line(error)}.") from error
    return True


def _name(given: str | None, metadata: ArtifactMetadata) -> str:
    return check_name(given or re.sub(r"[^0-9A-Za-z]", "_", f"locotrack_{metadata.profile}"))


def _served(name: str, path: Path) -> ServedModel:
    session, _ = create_checked_session(path, "cpu", profile_prefix=None, threads=1, cached=True)
    return ServedModel(name, _tensors(session.get_inputs()), _tensors(session.get_outputs()))


def _tensors(arguments: Any) -> tuple[Tensor, ...]:
    tensors = tuple(Tensor(a.name, a.type, tuple(a.shape)) for a in arguments)
    for tensor in tensors:
        if any(size is None for size in tensor.shape):
            raise ModelFileError(f"{tensor.name} has an axis without a name or a size.")
    return tensors


def _queries(served: list[ServedModel]) -> tuple[Tensor, ...]:
    return tuple(t for t in served[-1].inputs if t.name == "query_input")


def _check(entries: list[RepositoryEntry], *, ensemble: bool) -> bool:
    if not schema_is_here():
        return False
    configs = {entry.name: check_config(entry.config or "") for entry in entries}
    if ensemble:
        check_ensemble(configs[entries[-1].name], configs)
    return True


def _doubts(metadata: ArtifactMetadata, options: ServingOptions) -> list[str]:
    """What will work and be slow."""
    doubts = []
    if options.tensorrt and metadata.target != "tensorrt":
        doubts.append(
            f"The file was made for {metadata.target}; TensorRT leaves parts of it to other "
            "providers. Export it again with --target tensorrt."
        )
    elif options.device == "gpu" and metadata.target == "cpu":
        doubts.append("The file was made for the CPU; on a GPU one of --target cuda is faster.")
    return doubts


def _facts(metadata: ArtifactMetadata) -> list[str]:
    weights = (
        "seeded weights: its tracks mean nothing"
        if metadata.weights.seeded
        else (f"weights {metadata.weights.file_name}")
    )
    height, width = metadata.resolution_hw
    return [
        f"Profile {metadata.profile} at {height}x{width}, opset {metadata.opset}, "
        f"{metadata.precision}, made for {metadata.target}; {weights}."
    ]
