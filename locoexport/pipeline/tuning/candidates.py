"""What can be tried: graph forms, precisions, runtimes and numbers of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from locoexport.contract.profile import ExportProfile, IntegerForm, Precision, Sampling, Target
from locoexport.contract.profile_tables import QUANTISED_PARTS
from locoexport.machine.cores import usable_cores, usable_threads
from locoexport.notices import counted
from locoexport.pipeline.assembly.precision import weight_bits_here
from locoexport.rewrites import select_passes, select_rewrites
from locoexport.rewrites.registry import GRAPH_PASSES
from locoexport.runtime.session.provider_options import parse_provider, provider_name

__all__ = [
    "Candidate",
    "Form",
    "graph_forms",
    "has_threads",
    "precision_candidates",
    "runtimes_of",
    "thread_counts",
    "usual_form",
]

_ON_GPU = ("cuda", "tensorrt", "dml", "coreml", "webgpu")
_FEW_THREADS = 4


@dataclass(frozen=True)
class Form:
    """What a file holds: how it samples, which rewrites are left out, and in what it computes."""

    sampling: Sampling
    without: tuple[str, ...] = ()
    precision: Precision = "fp32"
    integer_form: IntegerForm | None = None

    @property
    def name(self) -> str:
        """``int8 transformer+cmdtop gather no frame-scan``."""
        words: list[str] = [self.precision]
        if self.integer_form is not None:
            words.append("+".join(self.integer_form.parts))
        words.append(self.sampling)
        return " ".join([*words, *(f"no {name}" for name in self.without)])

    def applied_to(self, profile: ExportProfile) -> ExportProfile:
        """The profile that exports it."""
        return profile.with_options(
            sampling=self.sampling,
            without=self.without,
            precision=self.precision,
            integer_form=self.integer_form,
        )


@dataclass(frozen=True)
class Candidate:
    """A file's form, and how it is run. ``threads`` None is the usual number."""

    form: Form
    provider: str
    threads: int | None = None

    @property
    def name(self) -> str:
        """``fp32 gather, cpu, 2 threads``."""
        words = [self.form.name, self.provider]
        if self.threads is not None:
            words.append(counted(self.threads, "thread"))
        return ", ".join(words)


def usual_form(profile: ExportProfile) -> Form:
    """What an export of ``profile`` without options is, in float32."""
    return Form(profile.sampling, profile.without)


def graph_forms(profile: ExportProfile) -> list[Form]:
    """The usual form, the other sampling, and the usual one without each rewrite that may lose.

    Those are the rewrites that some target leaves out: whether they pay hangs on the machine.
    """
    usual = usual_form(profile)
    others = [name for name in get_args(Sampling) if name != usual.sampling]
    targets = get_args(Target)
    doubtful = [
        rewrite.name
        for rewrite in select_rewrites(profile)
        if set(rewrite.targets) != set(targets) and not rewrite.required
    ]
    passes = select_passes(profile)
    doubtful += [each.name for each in GRAPH_PASSES if each.name in passes]
    return [
        usual,
        *(replace(usual, sampling=sampling) for sampling in others),
        *(replace(usual, without=(*usual.without, name)) for name in doubtful),
    ]


def runtimes_of(providers: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each runtime with the options that are a precision of its own (bf16 in OpenVINO).

    A provider that was given with options is tried as it is.
    """
    return [(name, ["openvino:precision=bf16"] if name == "openvino" else []) for name in providers]


def precision_candidates(form: Form, provider: str, in_runtime: Sequence[str]) -> list[Candidate]:
    """Smaller precisions of a float32 form on a provider: int8 part by part on a processor, float16
    on a GPU, and what the runtime itself lowers."""
    candidates = [Candidate(form, name) for name in in_runtime]
    if _is_gpu(provider):
        return [*candidates, Candidate(replace(form, precision="fp16"), provider)]
    bits = weight_bits_here()
    for count in range(1, len(QUANTISED_PARTS) + 1):
        parts = IntegerForm(QUANTISED_PARTS[:count], bits)
        candidates.append(Candidate(replace(form, precision="int8", integer_form=parts), provider))
    return candidates


def thread_counts() -> list[int]:
    """Numbers of threads to try beside the usual one: 1 to 4, their doubles, and all cores."""
    most = usable_cores()
    counts = [n for n in range(1, most + 1) if n <= _FEW_THREADS or n & (n - 1) == 0]
    return [n for n in dict.fromkeys((*counts, most)) if n != usable_threads()]


def has_threads(provider: str) -> bool:
    """Whether the provider computes in threads of the processor."""
    return not _is_gpu(provider)


def _is_gpu(provider: str) -> bool:
    choice = parse_provider(provider)
    if choice.name == "openvino":
        return choice.options.get("device", "CPU") != "CPU"
    return provider_name(provider) in _ON_GPU
