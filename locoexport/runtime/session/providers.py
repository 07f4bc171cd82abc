"""ONNX Runtime's execution providers by short name, and whether one of them really works here.

What ONNX Runtime says of itself proves nothing: ``get_available_providers()`` lists what the
package was built with, and a session that cannot have the provider it asked for runs on the CPU
without raising. So a provider counts as there only once a one-node model has run on it.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime

from locoexport.errors import ProviderUnavailableError
from locoexport.machine.installation import installed_version
from locoexport.runtime.session.openvino.compiled import OPENVINO_PROVIDER, OpenVinoSession
from locoexport.runtime.session.provider_options import (
    ProviderChoice,
    parse_provider,
    provider_name,
)
from locoexport.runtime.session.tensorrt_shapes import read_shape_options

__all__ = [
    "ORT_ERRORS",
    "PROVIDERS",
    "ProviderProbe",
    "built_for",
    "create_session",
    "probe_provider",
    "require_provider",
    "resolve_provider",
    "working_providers",
]

PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "cpu": "CPUExecutionProvider",
        "cuda": "CUDAExecutionProvider",
        "tensorrt": "TensorrtExecutionProvider",
        "openvino": OPENVINO_PROVIDER,
        "dml": "DmlExecutionProvider",
        "coreml": "CoreMLExecutionProvider",
        "webgpu": "WebGpuExecutionProvider",
    }
)
"""ONNX Runtime's provider names by the short names that users type."""

_REMEDIES = {
    "cuda": "pip install 'onnxruntime-gpu[cuda,cudnn]' on a machine with an NVIDIA driver",
    "tensorrt": (
        "pip install 'onnxruntime-gpu[cuda,cudnn]' 'tensorrt-cu13<11' (ONNX Runtime 1.31 is built "
        "for TensorRT 10), with its tensorrt_libs folder on LD_LIBRARY_PATH"
    ),
    "openvino": "pip install 'locoexport[openvino]'",
    "dml": "on Windows: pip uninstall onnxruntime onnxruntime-gpu && "
    "pip install onnxruntime-directml",
    "coreml": "on macOS: pip install onnxruntime",
    "webgpu": "pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-webgpu",
}

# y = x + x over float32[1], opset 16, IR 8. Made once with onnx.helper; tests/runtime/
# test_providers.py makes it again and compares the bytes. The runtime itself never needs onnx.
_PROBE_MODEL = (
    b'\x08\x08:9\n\x0e\n\x01x\n\x01x\x12\x01y"\x03Add\x12\x05probeZ\x0f\n\x01x\x12\n\n\x08\x08'
    b"\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n"
    b"\x00\x10\x10"
)

_probe_lock = threading.Lock()


def _exception_types() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: its own types have no common base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (
        value
        for value in vars(state).values()
        if isinstance(value, type) and issubclass(value, Exception)
    )
    return (*own, RuntimeError, ValueError)


ORT_ERRORS = _exception_types()
"""For ``except``: everything that creating or running a session raises."""


@dataclass(frozen=True)
class ProviderProbe:
    """Whether a provider works; where it does not, ``missing`` says what is in the way."""

    name: str
    works: bool
    missing: str = ""


def resolve_provider(name: str) -> str:
    """ONNX Runtime's name of a provider, given as ``parse_provider`` takes it.

    Raises:
        UsageError: there is no such provider, or it has no such option.
    """
    return PROVIDERS[parse_provider(name).name]


def require_provider(name: str) -> None:
    """Check that a provider works on this machine; no model file is needed.

    Raises:
        UsageError: there is no such provider.
        ProviderUnavailableError: it does not work here.
    """
    probe = probe_provider(name)
    if probe.works:
        return
    remedy = _remedy(provider_name(name))
    raise ProviderUnavailableError(
        f"The provider {name!r} cannot be used on this machine: {probe.missing}. "
        f"Providers that work here: {', '.join(working_providers()) or 'none'}. "
        f"To get {provider_name(name)}: {remedy}."
    )


def _remedy(name: str) -> str:
    remedy = _REMEDIES.get(name, "install ONNX Runtime again")
    # Beside the plain package the one for GPUs would overwrite its files.
    if "onnxruntime-gpu[" in remedy and installed_version("onnxruntime") is not None:
        return f"pip uninstall -y onnxruntime && {remedy}"
    return remedy


def working_providers() -> tuple[str, ...]:
    """The short names of all providers that really work on this machine."""
    return tuple(name for name in PROVIDERS if probe_provider(name).works)


@functools.cache
def probe_provider(name: str) -> ProviderProbe:
    """Run a one-node model on a provider. The answer is kept: a process's libraries do not change.

    Raises:
        UsageError: there is no such provider.
    """
    asked = resolve_provider(name)
    if asked not in onnxruntime.get_available_providers() and not _is_native(asked):
        return ProviderProbe(
            name, False, f"ONNX Runtime {onnxruntime.__version__} as installed was built without it"
        )
    failure: Exception | None = None
    given: list[str] = []
    # ONNX Runtime writes the name of the missing library to file descriptor 2 and nowhere else.
    with _probe_lock, _captured_output() as read_output:
        try:
            options = onnxruntime.SessionOptions()
            session = create_session(_PROBE_MODEL, name, options)
            given = session.get_providers()
            if given[0] == asked:
                session.run(None, {"x": np.ones(1, np.float32)})
        except ORT_ERRORS as error:
            failure = error
        output = read_output()
    if failure is None and given[0] == asked:
        return ProviderProbe(name, True)
    return ProviderProbe(name, False, _missing_part(f"{output}\n{failure or ''}"))


def create_session(model: str | bytes, name: str, options: Any) -> Any:
    """An ``onnxruntime.InferenceSession`` of a path or of bytes that asks for one provider.

    Where ONNX Runtime was built without OpenVINO and OpenVINO's own package is there, its session
    has the same calls (``runtime.session.openvino.compiled``).

    The caller still has to compare ``get_providers()[0]``: ONNX Runtime does not raise when it
    leaves a provider out. Nodes that the provider has no kernel for may run on the CPU (under
    TensorRT first on CUDA): that is placement, not fallback, so ``disable_cpu_ep_fallback`` is
    not set. The Python-side fallback, which builds a CPU session after a failure, is off.

    Raises:
        ORT_ERRORS: the model cannot be loaded or the provider cannot be made.
    """
    choice = parse_provider(name)
    if _is_native(PROVIDERS[choice.name]):
        return _create_native(model, choice, options)
    chain = [(PROVIDERS[choice.name], _ort_options(choice))]
    if choice.name in ("cuda", "tensorrt"):
        _preload_cuda()
    if choice.name == "tensorrt":
        # One engine for all shapes in the file's ranges; what the caller asks for comes first.
        chain[0] = (chain[0][0], {**read_shape_options(model), **chain[0][1]})
        on_cuda = parse_provider("cuda").options
        device = {key: choice.options[key] for key in ("device_id",) if key in choice.options}
        chain.append((PROVIDERS["cuda"], {**on_cuda, **device}))
    if choice.name == "dml":
        # DirectML's documented demands; it refuses to make a session otherwise.
        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(model, options, providers=chain, enable_fallback=0)


def _ort_options(choice: ProviderChoice) -> dict[str, str]:
    """Options as ONNX Runtime's own package names them."""
    if choice.name != "openvino":
        return dict(choice.options)
    names = {"device": "device_type", "precision": "precision"}
    spelled = {"f32": "FP32", "f16": "FP16", "bf16": "ACCURACY"}
    return {names[key]: spelled.get(value, value) for key, value in choice.options.items()}


def _is_native(provider: str) -> bool:
    """Whether OpenVINO's own package stands in for a provider that this ONNX Runtime lacks."""
    return (
        provider == OPENVINO_PROVIDER
        and provider not in onnxruntime.get_available_providers()
        and importlib.util.find_spec("openvino") is not None
    )


def _create_native(model: str | bytes, choice: ProviderChoice, options: Any) -> OpenVinoSession:
    return OpenVinoSession(
        model,
        device=choice.options["device"],
        precision=choice.options["precision"],
        threads=options.intra_op_num_threads or None,
        profiled=options.enable_profiling,
    )


def _preload_cuda() -> None:
    """Load CUDA and cuDNN from pip's nvidia-* packages, where this ONNX Runtime knows how."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        # It prints what it does not find; what matters of that, ONNX Runtime says again.
        with redirect_stdout(io.StringIO()):
            preload()


def _missing_part(text: str) -> str:
    """What is in the way, out of ONNX Runtime's log and exception."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    library = re.search(r"error: (\S+): cannot open shared object file", text) or re.search(
        r'depends on "([^"]+)" which is missing', text
    )
    if library:
        return f"the library {library[1]} is missing"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Log lines look like "<date> [E:onnxruntime:Default, file.cc:1 function] message".
    messages = [re.sub(r"^.*?\[[EFW]:onnxruntime:[^\]]*\] ", "", line) for line in lines]
    return messages[0].rstrip(".") if messages else "ONNX Runtime left it out without saying why"


@contextmanager
def _captured_output() -> Iterator[Callable[[], str]]:
    """Catch what is written to file descriptor 2 meanwhile; the function yielded reads it."""
    try:
        saved = os.dup(2)
    except OSError:  # started without a stderr: there is nothing to catch and nobody to see it
        yield lambda: ""
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as file:

        def read() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        os.dup2(file.fileno(), 2)
        try:
            yield read
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def built_for() -> str | None:
    """The CUDA and cuDNN that the installed ONNX Runtime was built for; None without either."""
    try:
        from onnxruntime.capi import build_and_package_info as info
    except ImportError:
        return None
    cuda, cudnn = getattr(info, "cuda_version", ""), getattr(info, "cudnn_version", "")
    said = [f"{name} {version}" for name, version in (("CUDA", cuda), ("cuDNN", cudnn)) if version]
    return " and ".join(said) or None
