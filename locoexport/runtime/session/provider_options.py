"""``--provider NAME[:OPTION=VALUE,...]``: the options of every provider, what we set and why; and
which provider a file was opened on, with the reason.

Names and meanings are ONNX Runtime's own (OpenVINO: its properties, shortened). An option that is
not in the table is refused: ONNX Runtime ignores some unknown ones without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from locoexport.errors import UsageError, did_you_mean

__all__ = [
    "OPTIONS",
    "USUAL_RUN",
    "ChosenBy",
    "ProviderChoice",
    "ProviderOption",
    "RunChoice",
    "computed_precision",
    "parse_provider",
    "provider_name",
]

ChosenBy = Literal["user", "tune", "default", "fallback"]
"""Who chose a provider. ``fallback``: the file's own choice does not work here."""


@dataclass(frozen=True)
class ProviderOption:
    """One option: its default here ("" leaves it to the provider), and what it does."""

    default: str
    meaning: str


OPTIONS: Mapping[str, Mapping[str, ProviderOption]] = {
    "cpu": {},
    "cuda": {
        "device_id": ProviderOption("", "which GPU (default 0)"),
        "gpu_mem_limit": ProviderOption("", "bytes of GPU memory that the arena may take"),
        "use_tf32": ProviderOption(
            "0", "1: products in TF32, 10 bits of mantissa: faster, and tracks are pixels off"
        ),
        "cudnn_conv_algo_search": ProviderOption(
            "", "EXHAUSTIVE (ONNX Runtime's default), HEURISTIC or DEFAULT"
        ),
        "arena_extend_strategy": ProviderOption("", "kNextPowerOfTwo or kSameAsRequested"),
    },
    "tensorrt": {
        "device_id": ProviderOption("", "which GPU (default 0)"),
        "trt_fp16_enable": ProviderOption("0", "1: layers in float16 where TensorRT likes"),
        "trt_max_workspace_size": ProviderOption("", "bytes of scratch memory for building"),
        "trt_engine_cache_enable": ProviderOption(
            "", "1: keep built engines in trt_engine_cache_path; building takes minutes"
        ),
        "trt_engine_cache_path": ProviderOption("", "a folder"),
        "trt_profile_min_shapes": ProviderOption("", "NAME:AxBxC of each dynamic input, smallest"),
        "trt_profile_opt_shapes": ProviderOption("", "the same, the sizes to be fastest at"),
        "trt_profile_max_shapes": ProviderOption("", "the same, largest"),
    },
    "openvino": {
        "device": ProviderOption("CPU", "CPU, GPU, GPU.1, NPU, AUTO:GPU,CPU"),
        "precision": ProviderOption(
            "f32",
            "f32, f16 or bf16 (CPU only, and only where it is safe); "
            "OpenVINO's own default is bf16 or f16 where that is fast",
        ),
    },
    "dml": {
        "device_id": ProviderOption("", "which adapter (default 0)"),
        "performance_preference": ProviderOption("", "high_performance or minimum_power"),
    },
    "coreml": {
        "ModelFormat": ProviderOption(
            "MLProgram", "MLProgram (macOS 12 on) or NeuralNetwork (fewer operators)"
        ),
        "MLComputeUnits": ProviderOption(
            "", "ALL, CPUOnly, CPUAndGPU or CPUAndNeuralEngine (which computes in float16)"
        ),
        "RequireStaticInputShapes": ProviderOption("", "1: only nodes whose shapes are fixed"),
    },
    "webgpu": {
        "preferredLayout": ProviderOption("", "NCHW or NHWC (default)"),
        "dawnBackendType": ProviderOption("", "Vulkan or D3D12"),
    },
}
"""By short name of the provider."""


@dataclass(frozen=True)
class ProviderChoice:
    """A provider and its options: those that were given, else the defaults that are ours."""

    name: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class RunChoice:
    """What a file is run on, and why.

    ``provider`` is as ``parse_provider`` takes it. ``threads`` are of the CPU; None is the usual
    number. ``warning`` says what a user has to know of a choice that could not be kept.
    """

    provider: str
    threads: int | None = None
    chosen_by: ChosenBy = "user"
    warning: str = ""

    @property
    def precision(self) -> str:
        """What the provider computes a float32 graph in: ``f32``, or less."""
        return computed_precision(self.provider)


USUAL_RUN = RunChoice("cpu", chosen_by="default")
"""What a file runs on where neither it nor anybody else says."""


def parse_provider(text: str) -> ProviderChoice:
    """Read ``NAME`` or ``NAME:OPTION=VALUE,OPTION=VALUE``.

    Raises:
        UsageError: no such provider, no such option, or an option without a value.
    """
    name, _, listed = text.partition(":")
    if name not in OPTIONS:
        raise UsageError(
            f"There is no provider {name!r}; the providers are {', '.join(OPTIONS)}."
            + did_you_mean(name, OPTIONS)
        )
    known = OPTIONS[name]
    chosen = {key: option.default for key, option in known.items() if option.default}
    for entry in _entries(listed):
        key, equals, value = entry.partition("=")
        if key not in known:
            raise UsageError(
                f"The provider {name} has no option {key!r}; it has "
                f"{', '.join(known) or 'none'} (docs/commands.md).{did_you_mean(key, known)}"
            )
        if not equals or not value:
            raise UsageError(f"--provider {text}: {key} needs a value, as in {name}:{key}=VALUE.")
        chosen[key] = value
    return ProviderChoice(name, chosen)


def provider_name(text: str) -> str:
    """The provider's short name, without its options."""
    return text.partition(":")[0]


def computed_precision(text: str) -> str:
    """What a provider so chosen computes a float32 file in: ``f32``, or parts of it in less."""
    return parse_provider(text).options.get("precision", "f32")


def _entries(listed: str) -> list[str]:
    """Split at commas that begin another option: values such as ``AUTO:GPU,CPU`` hold commas."""
    entries: list[str] = []
    for piece in listed.split(",") if listed else ():
        if entries and "=" not in piece:
            entries[-1] += f",{piece}"
        else:
            entries.append(piece)
    return entries
