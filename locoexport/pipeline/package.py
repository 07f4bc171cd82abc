"""An exported file → what NVIDIA Triton or OpenVINO Model Server is started over."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from locoexport.contract.interface import LIVE_ROLES, MEMORY_INPUT, MEMORY_OUTPUT
from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import CheckFailedError, ModelFileError, UsageError
from locoexport.machine.telemetry import load_openvino
from locoexport.notices import Listener, Notice, ignore
from locoexport.runtime.live.session import open_live
from locoexport.runtime.live.tracker import DEFAULT_LIVE_WINDOW
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.single import create_checked_session, one_line
from locoexport.runtime.session.split_files import find_split_files, is_live_export
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
from locoexport.serving.triton_live import live_readme, pin_live_models
from locoexport.serving.triton_schema import check_config, check_ensemble, schema_is_here
from locoexport.serving.tuning import tuned_for_openvino, tuned_for_triton

__all__ = ["PackageReport", "package_for_openvino", "package_for_triton"]


_NOT_CHECKED = (
    "The configurations were not checked against Triton's schema: tritonclient is not installed "
    "(pip install 'locoexport[triton]')."
)


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
        start: the shell command that starts it in ``folder``, a line a row.
        tuning: what became of the choice of ``locoexport tune``, a sentence a row; none where the
            file carries none.
    """

    folder: Path
    model: Path
    name: str
    models: tuple[str, ...]
    files: tuple[Path, ...]
    schema_checked: bool
    server: Literal["triton", "openvino"] = "triton"
    start: tuple[str, ...] = ()
    tuning: tuple[str, ...] = ()


def package_for_triton(
    model: str | Path,
    folder: str | Path,
    *,
    name: str | None = None,
    options: ServingOptions | None = None,
    force: bool = False,
    notify: Listener = ignore,
) -> PackageReport:
    """Write a Triton model repository for a single file, for a split export as an ensemble, or for
    a live export as two ensembles and a state that the server keeps.

    Args:
        model: a file written by ``locoexport export``; any of the three of a split or live export.
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
    if is_live_export(model):
        return _package_live(Path(model), Path(folder), name, options, force=force, notify=notify)
    opened = _open(Path(model), name)
    tuned = tuned_for_triton(opened.metadata.tuning, options)
    options = tuned.options
    entries = _entries(opened, options)
    checked = _check(entries, ensembles=1 if opened.split else 0)
    if not checked:
        notify(Notice(_NOT_CHECKED, warning=True))
    for text in (*_doubts(opened.metadata, options), *tuned.departures):
        notify(Notice(text, warning=True))
    facts = [*_facts(opened.metadata), *tuned.said]
    readme = readme_text(entries, opened.inputs, opened.outputs, options, facts)
    written = write_repository(Path(folder), entries, readme, force=force)
    names = tuple(entry.name for entry in entries)
    return PackageReport(
        *(Path(folder), opened.path, opened.name, names, written, checked),
        start=_start(readme),
        tuning=tuned.said,
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
    opened = _open(Path(model), name, single_for="OpenVINO Model Server")
    tuned = tuned_for_openvino(opened.metadata.tuning, options)
    options = tuned.options
    checked = _compiles(opened.path, compile_settings(options))
    if not checked:
        text = "The file was not tried with OpenVINO, which is not installed "
        notify(Notice(text + "(pip install 'locoexport[openvino]').", warning=True))
    for text in tuned.departures:
        notify(Notice(text, warning=True))
    facts = [*_facts(opened.metadata), *tuned.said]
    readme = server_readme(opened.name, opened.inputs, opened.outputs, options, facts)
    entry = model_entry(opened.name, options)
    written = write_server(Path(folder), opened.path, entry, readme, force=force)
    names = (opened.name,)
    return PackageReport(
        *(Path(folder), opened.path, opened.name, names, written, checked, "openvino"),
        start=_start(readme),
        tuning=tuned.said,
    )


def _package_live(
    model: Path,
    folder: Path,
    name: str | None,
    options: ServingOptions,
    *,
    force: bool,
    notify: Listener,
) -> PackageReport:
    """Three models and two ensembles, for so many points as ``options`` calls usual."""
    if options.tensorrt:
        raise UsageError("A live export is packaged only for ONNX Runtime; leave --tensorrt out.")
    session = open_live(model, cached=True)  # every check of the runtime
    files, name = session.paths, _name(name, session.metadata)
    served = [_served(f"{name}_{role}", files[role]) for role in LIVE_ROLES]
    points, window = options.points.usual, session.window or DEFAULT_LIVE_WINDOW
    models = pin_live_models(name, served, (MEMORY_INPUT, MEMORY_OUTPUT), points, window)
    entries = models.entries(files, options)
    checked = _check(entries, ensembles=2)
    if not checked:
        notify(Notice(_NOT_CHECKED, warning=True))
    for text in _doubts(session.metadata, options):
        notify(Notice(text, warning=True))
    readme = live_readme(models, options, _facts(session.metadata))
    written = write_repository(folder, entries, readme, force=force)
    names = tuple(entry.name for entry in entries)
    return PackageReport(folder, session.path, name, names, written, checked, start=_start(readme))


@dataclass(frozen=True)
class _Opened:
    """A file that passed every check of the runtime, and what a server is told of it.

    ``served`` has a model a file; ``inputs`` and ``outputs`` are those that a client sees, whether
    one file is behind them or three.
    """

    path: Path
    name: str
    metadata: ArtifactMetadata
    split: bool
    files: tuple[Path, ...]
    served: tuple[ServedModel, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.served[0].inputs[:1] + _queries(self.served)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self.served[-1].outputs


def _open(path: Path, name: str | None, *, single_for: str | None = None) -> _Opened:
    """Open, name and check; ``single_for`` names a server that takes no split export."""
    if is_live_export(path):
        raise UsageError(f"{path} is a live export, which is packaged only for Triton (--triton).")
    metadata = open_model(path, "cpu").metadata  # every check of the runtime
    split = find_split_files(path)
    if split is not None and single_for is not None:
        raise UsageError(f"{single_for} needs the single file; export it without --split.")
    name = _name(name, metadata)
    named = {name: path}
    if split is not None:
        named = {f"{name}_{role}": file for role, file in split.items()}
    served = tuple(_served(each, file) for each, file in named.items())
    return _Opened(path, name, metadata, split is not None, tuple(named.values()), served)


def _entries(opened: _Opened, options: ServingOptions) -> list[RepositoryEntry]:
    """An entry a file, and after those of a split the ensemble that clients ask."""
    entries = [
        RepositoryEntry(each.name, model_config(each, options), file)
        for each, file in zip(opened.served, opened.files, strict=True)
    ]
    if opened.split:
        ensemble = ensemble_config(opened.name, opened.served, options)
        entries.append(RepositoryEntry(opened.name, ensemble, None))
    return entries


def _start(readme: str) -> tuple[str, ...]:
    """The README's first command, which starts the server."""
    lines = readme.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("    docker run"))
    last = next(index for index in range(first, len(lines)) if not lines[index].endswith("\\"))
    return tuple(line.removeprefix("    ") for line in lines[first : last + 1])


def _compiles(path: Path, settings: dict[str, Any]) -> bool:
    """Whether OpenVINO was there to compile the file on this machine's CPU."""
    if importlib.util.find_spec("openvino") is None:
        return False
    core = load_openvino().Core()
    try:
        core.compile_model(core.read_model(path), "CPU", settings)
    except RuntimeError as error:
        raise CheckFailedError(f"OpenVINO cannot compile {path}: {one_line(error)}.") from error
    return True


def _name(given: str | None, metadata: ArtifactMetadata) -> str:
    return check_name(given or re.sub(r"[^0-9A-Za-z]", "_", f"locotrack_{metadata.profile}"))


def _served(name: str, path: Path) -> ServedModel:
    opened = create_checked_session(path, "cpu", profile_prefix=None, threads=1, cached=True)
    session = opened.session
    return ServedModel(name, _tensors(session.get_inputs()), _tensors(session.get_outputs()))


def _tensors(arguments: Any) -> tuple[Tensor, ...]:
    tensors = tuple(Tensor(a.name, a.type, tuple(a.shape)) for a in arguments)
    for tensor in tensors:
        if any(size is None for size in tensor.shape):
            raise ModelFileError(f"{tensor.name} has an axis without a name or a size.")
    return tensors


def _queries(served: Sequence[ServedModel]) -> tuple[Tensor, ...]:
    return tuple(t for t in served[-1].inputs if t.name == "query_input")


def _check(entries: list[RepositoryEntry], *, ensembles: int) -> bool:
    """Whether the schema was there to check; the last so many entries are ensembles."""
    if not schema_is_here():
        return False
    configs = {entry.name: check_config(entry.config or "") for entry in entries}
    for entry in entries[len(entries) - ensembles :]:
        check_ensemble(configs[entry.name], configs)
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
