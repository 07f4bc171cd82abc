"""An exported file opened, whichever form it has, on the provider that it is fastest on.

``locoexport tune`` writes into a file which provider that is. The file may be a stranger's: of what
it names, only providers and precisions of a short list are taken, and never an option that has a
path, a device or a size in it. A choice that does not work here is left for the CPU, which computes
the same function; a provider that the caller named is never left for another.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from locoexport.contract.metadata import METADATA_PREFIX, TuningStamp
from locoexport.errors import ModelFileError, ProviderUnavailableError, UsageError
from locoexport.machine.cores import usable_threads
from locoexport.machine.hardware import read_cpu
from locoexport.machine.limits import METADATA_BYTES
from locoexport.machine.reading.documents import quote
from locoexport.runtime.session.model_file import ModelFile, read_metadata, read_model_file
from locoexport.runtime.session.provider_options import RunChoice, parse_provider
from locoexport.runtime.session.providers import probe_provider
from locoexport.runtime.session.single import ModelSession, open_session
from locoexport.runtime.session.split import SplitSession, open_split
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["Model", "allowed_choice", "choose_proof_run", "choose_run", "open_model"]

_USUAL = "cpu"
_TUNING = f"{METADATA_PREFIX}tuning"
_NEEDS = {
    "bf16": (("AVX-512 BF16", "AMX BF16"), "bfloat16"),
    "f16": (("AVX-512 FP16", "NEON FP16"), "float16"),
}
"""What a processor has to have for OpenVINO to gain by a precision; it emulates it elsewhere."""


def open_model(
    path: str | Path, provider: str | None = None, *, threads: int | None = None, **options: Any
) -> Model:
    """A single file, or a split export by the name of any of its files.

    Args:
        path: of the file.
        provider: on exactly that one; None is the file's own choice (``choose_run``), which falls
            back to the CPU where it does not work.
        threads: of the CPU; None is the file's own choice with its provider, else the usual number.
        options: the rest of ``open_session``.

    Returns:
        The open model. ``choice`` of it says who chose, and warns of a choice that was not kept.

    Raises:
        UsageError, ProviderUnavailableError, ModelFileError: see ``open_session``.
    """
    if provider is not None:
        return _open(path, RunChoice(provider, threads), None, options)
    file = _stamped_file(path)
    stamp = None if file is None else _read_stamp(file)
    choice = _chosen(path, stamp, threads)
    try:
        return _open(path, choice, file, options)
    except (ModelFileError, ProviderUnavailableError) as error:
        if stamp is None or choice.provider == _USUAL:
            raise
        # Where the file is at fault, the CPU says so too.
        return _open(path, _fallback(path, stamp, threads, str(error).rstrip(".")), file, options)


def choose_run(
    path: str | Path, provider: str | None = None, threads: int | None = None
) -> RunChoice:
    """What ``open_model`` would open a file on: for a caller that must know it before.

    A file that is missing, damaged, or without a tuning is for the CPU; opening it tells more.
    """
    if provider is not None:
        return RunChoice(provider, threads)
    file = _stamped_file(path)
    return _chosen(path, None if file is None else _read_stamp(file), threads)


def choose_proof_run(
    path: str | Path, provider: str | None = None, *, judged_in: tuple[str, ...] = ("f32",)
) -> RunChoice:
    """As ``choose_run``, for a proof that has a limit for each precision in ``judged_in``.

    A file's own choice may compute in another one. Then the CPU is taken, where the graph is what
    it says, and the warning tells what was not proven.
    """
    choice = choose_run(path, provider)
    if provider is not None or choice.precision in judged_in:
        return choice
    file = _stamped_file(path)
    stamp = None if file is None else _read_stamp(file)
    apart = "" if stamp is None else f": there tune measured a p99 of {stamp.p99_px:.2g} px"
    warning = (
        f"{path} is verified on the CPU, in the graph's own precision. `locoexport tune` chose "
        f"{choice.provider} for it, which computes in less, and that is not verified{apart}. "
        "`locoexport eval` scores it as it runs."
    )
    return RunChoice(_USUAL, None, "default", warning)


def allowed_choice(text: str) -> str | None:
    """The provider that a file may choose, spelled as we do; None for anything else.

    These are cpu, cuda without options, and openvino on the CPU in f32, f16 or bf16.
    """
    try:
        asked = parse_provider(text)
    except UsageError:
        return None
    if asked.name in ("cpu", "cuda"):
        return asked.name if asked == parse_provider(asked.name) else None
    if asked.name != "openvino" or asked.options["device"] != "CPU":
        return None
    precision = asked.options["precision"]
    if precision not in ("f32", *_NEEDS):
        return None
    return "openvino" if precision == "f32" else f"openvino:precision={precision}"


def _open(
    path: str | Path, choice: RunChoice, file: ModelFile | None, options: dict[str, Any]
) -> Model:
    given = options | {"threads": choice.threads, "choice": choice, "file": file}
    if find_split_files(path) is None:
        return open_session(path, choice.provider, **given)
    return open_split(path, choice.provider, **given)


def _stamped_file(path: str | Path) -> ModelFile | None:
    """The file that carries the tuning, of a split export the tracker; None where it is not read:
    opening it says why."""
    split = find_split_files(path)
    try:
        return read_model_file(Path(path) if split is None else split["tracker"])
    except ModelFileError:
        return None


def _read_stamp(file: ModelFile) -> TuningStamp | None:
    """None where there is none, or where it is damaged: opening the file refuses that."""
    data = file.data
    try:
        if data is None:  # tensors lie beside it
            data = file.path.read_bytes()
            if hashlib.sha256(data).hexdigest() != file.sha256:
                return None
        text = read_metadata(data).get(_TUNING)
        if text is None:
            return None
        METADATA_BYTES.check(len(text), _TUNING, ModelFileError)
        return TuningStamp.parse(text)
    except (OSError, ValueError, ModelFileError):
        return None


def _chosen(path: str | Path, stamp: TuningStamp | None, threads: int | None) -> RunChoice:
    if stamp is None:
        return RunChoice(_USUAL, threads, "default")
    provider = allowed_choice(stamp.provider)
    if provider is None:
        reason = "a file may choose only cpu, cuda, or openvino on the CPU in f32, f16 or bf16"
        return _fallback(path, stamp, threads, reason)
    obstacle = _obstacle(provider)
    if obstacle is not None:
        return _fallback(path, stamp, threads, obstacle)
    if threads is None and stamp.threads is not None and provider != "cuda":
        threads = min(stamp.threads, usable_threads())
    return RunChoice(provider, threads, "tune")


def _obstacle(provider: str) -> str | None:
    """Why a provider does not work here as it was chosen; None where it does."""
    asked = parse_provider(provider)
    probe = probe_provider(asked.name)
    if not probe.works:
        return f"{probe.missing} (`locoexport doctor` says how to get {asked.name})"
    features, kind = _NEEDS.get(asked.options.get("precision", "f32"), ((), ""))
    cpu = read_cpu()
    if features and not any(cpu.has(feature) for feature in features):
        return f"this processor ({cpu.model}) is not known to compute in {kind}"
    return None


def _fallback(path: str | Path, stamp: TuningStamp, threads: int | None, reason: str) -> RunChoice:
    warning = (
        f"{path} runs on the CPU. `locoexport tune` chose {quote(stamp.provider)} for it, which "
        f"does not work here: {reason}. On the CPU the file is correct as well and slower: the "
        f"choice was {stamp.ratio:.3g} times as fast as the float32 file there (measured on "
        f"{quote(stamp.machine)}). --provider cpu says that the CPU is meant."
    )
    return RunChoice(_USUAL, threads, "fallback", warning)


Model = ModelSession | SplitSession
