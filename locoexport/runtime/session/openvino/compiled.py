"""An .onnx file in OpenVINO itself, behind the calls of ``onnxruntime.InferenceSession`` we use.

ONNX Runtime's OpenVINO package cannot be installed beside onnxruntime-gpu; OpenVINO's own can. It
compiles the whole graph for one device: no node is left to another.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.machine.interruption import stoppable
from locoexport.machine.telemetry import load_openvino
from locoexport.runtime.session.model_file import read_metadata
from locoexport.runtime.session.openvino.bfloat16 import carries_our_names, lower_to_bfloat16

__all__ = ["OPENVINO_PROVIDER", "OpenVinoSession", "check_bfloat16"]

OPENVINO_PROVIDER = "OpenVINOExecutionProvider"
_FUSED = "undef"
"""How OpenVINO calls the primitive of a node that another one computes."""
_ENDS = ("Parameter", "Constant", "Result")
_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)", "u8": "tensor(uint8)"}


@dataclass(frozen=True)
class Argument:
    """An input or output: a dynamic size is a text, as in ONNX Runtime."""

    name: str
    type: str
    shape: list[int | str]


@dataclass(frozen=True)
class ModelMeta:
    """What ``get_modelmeta`` gives."""

    custom_metadata_map: Mapping[str, str] = field(default_factory=dict)


class OpenVinoSession:
    """A compiled model. ``run`` may be called from several threads at once."""

    def __init__(
        self,
        model: str | bytes,
        *,
        device: str = "CPU",
        precision: str = "f32",
        threads: int | None = None,
        profiled: bool = False,
    ) -> None:
        """Read and compile.

        Args:
            model: a path, or the bytes of a file.
            device: OpenVINO's name of it: CPU, GPU, NPU.
            precision: what it computes in; left alone, OpenVINO takes bf16 or f16 where it is fast.
                bf16 is for the CPU, and for what ``bfloat16`` says is safe in it: the rest of the
                graph computes in float32.
            threads: of the CPU; None leaves it to OpenVINO.
            profiled: count the time of each node (slower).

        Raises:
            RuntimeError: OpenVINO cannot read or compile the model, or this processor has no bf16.
        """
        core = load_openvino().Core()
        in_bfloat16 = precision == "bf16"
        if in_bfloat16:
            check_bfloat16(core, device)
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # For bf16 the types in the graph say what computes in it.
            "INFERENCE_PRECISION_HINT": "f32" if in_bfloat16 else precision,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        if profiled:
            settings["PERF_COUNT"] = True
        read = core.read_model(io.BytesIO(model) if isinstance(model, bytes) else model)
        self.unprotected = in_bfloat16 and not carries_our_names(read)
        """bf16 was asked for, and no name in the file says where that is safe."""
        if in_bfloat16:
            lower_to_bfloat16(read)
        # Compiling joins tensors, and with them their names.
        self._output_names = [port.get_any_name() for port in read.outputs]
        self._compiled = core.compile_model(read, device, settings)
        self._profiled = profiled
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._last: Any = None
        data = model if isinstance(model, bytes) else Path(model).read_bytes()
        try:
            self._metadata = read_metadata(data)
        except ValueError as error:
            raise RuntimeError(f"its metadata cannot be read: {error}") from error

    def get_providers(self) -> list[str]:
        """The one provider, by ONNX Runtime's name."""
        return [OPENVINO_PROVIDER]

    def get_inputs(self) -> list[Argument]:
        """Inputs, in order."""
        return [_argument(port, port.get_any_name()) for port in self._compiled.inputs]

    def get_outputs(self) -> list[Argument]:
        """Outputs, in order."""
        return [
            _argument(port, name)
            for port, name in zip(self._compiled.outputs, self._output_names, strict=True)
        ]

    def get_modelmeta(self) -> ModelMeta:
        """The metadata properties of the file."""
        return ModelMeta(self._metadata)

    def run(
        self,
        outputs: Sequence[str] | None,
        inputs: Mapping[str, NDArray[Any]],
        options: object = None,
    ) -> list[NDArray[Any]]:
        """The outputs of these names (None: all, in order).

        Raises:
            RuntimeError: OpenVINO fails while it runs.
        """
        request = self._take()
        try:
            with stoppable(request.cancel):
                request.infer(dict(inputs), share_inputs=True)
            names = self._output_names if outputs is None else outputs
            # What a request holds is overwritten by its next run.
            results = [np.array(request.get_tensor(name).data) for name in names]
            if self._profiled:
                self._last = request.profiling_info
        finally:
            with self._lock:
                self._idle.append(request)
        return results

    def executed_nodes(self) -> list[tuple[str, str]]:
        """(name, type) of the nodes that the last run computed, where it is profiled.

        Not by their status: OpenVINO marks a node that took less than a microsecond as not run.
        """
        return [
            (info.node_name, info.node_type)
            for info in self._last or ()
            if info.exec_type != _FUSED and info.node_type not in _ENDS
        ]

    def _take(self) -> Any:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._compiled.create_infer_request()


def check_bfloat16(core: Any, device: str) -> None:
    """Raises RuntimeError where OpenVINO has no bf16 kernels."""
    if device != "CPU":
        raise RuntimeError(f"precision=bf16 is for device=CPU, not {device}; f16 is for others")
    if "BF16" not in core.get_property(device, "OPTIMIZATION_CAPABILITIES"):
        name = core.get_property(device, "FULL_DEVICE_NAME")
        raise RuntimeError(
            f"precision=bf16 needs a processor with AVX512_BF16 or AMX, and OpenVINO finds neither "
            f"in this one ({name}); use precision=f32"
        )


def _argument(port: Any, name: str) -> Argument:
    shape: list[int | str] = [
        f"axis_{axis}" if dimension.is_dynamic else dimension.get_length()
        for axis, dimension in enumerate(port.get_partial_shape())
    ]
    kind = port.get_element_type().get_type_name()
    return Argument(name, _TYPES.get(kind, f"tensor({kind})"), shape)
