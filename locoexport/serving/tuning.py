"""What a server can keep of the choice of ``locoexport tune``, and what is said of the rest.

A server runs the graph itself. OpenVINO in bf16 or f16 keeps points in place only because this
package's own runtime leaves some steps in float32; a server would compute the whole graph in less,
and points would be pixels off. So a package is float32 always, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from locoexport.contract.stamps import TuningStamp
from locoexport.runtime.session.opening import allowed_choice
from locoexport.runtime.session.provider_options import provider_name
from locoexport.serving.options import ServingOptions

__all__ = ["TunedServing", "tuned_for_openvino", "tuned_for_triton"]


@dataclass(frozen=True)
class TunedServing:
    """The options with what the choice adds; ``said`` is what became of it, sentence by sentence.

    ``departures`` are those of ``said`` that a user should be warned of: the server runs something
    else than was measured.
    """

    options: ServingOptions
    said: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()


def tuned_for_triton(stamp: TuningStamp | None, options: ServingOptions) -> TunedServing:
    """Triton runs the file in ONNX Runtime: with the threads of a choice of that, on the CPU."""
    if stamp is None:
        return TunedServing(options)
    choice = allowed_choice(stamp.provider)
    if choice == "cpu":
        return _with_threads(stamp, options)
    if choice == "cuda" and options.device != "cpu":
        return TunedServing(options, (f"{_chose(stamp)}: instances on a GPU run so.",))
    more = " `locoexport package --openvino-ms` serves it in OpenVINO."
    is_openvino = choice is not None and provider_name(choice) == "openvino"
    return _departed(stamp, options, "Triton runs it in ONNX Runtime", more if is_openvino else "")


def tuned_for_openvino(stamp: TuningStamp | None, options: ServingOptions) -> TunedServing:
    """OpenVINO Model Server: with the threads of a choice of OpenVINO in float32."""
    if stamp is None:
        return TunedServing(options)
    choice = allowed_choice(stamp.provider)
    if choice == "openvino":
        return _with_threads(stamp, options)
    is_onnxruntime = choice in ("cpu", "cuda")
    more = " `locoexport package --triton` serves it in ONNX Runtime." if is_onnxruntime else ""
    return _departed(stamp, options, "the server runs it in OpenVINO", more)


def _with_threads(stamp: TuningStamp, options: ServingOptions) -> TunedServing:
    """The user's own number comes first. What counts is the server's machine, not this one."""
    if options.threads is None and stamp.threads is not None:
        options = replace(options, threads=stamp.threads)
    threads = (
        "as many threads as usual" if options.threads is None else f"{options.threads} threads"
    )
    return TunedServing(options, (f"{_chose(stamp)}: the server runs it so, with {threads}.",))


def _departed(stamp: TuningStamp, options: ServingOptions, runs: str, more: str) -> TunedServing:
    why = ""
    if "precision=" in (allowed_choice(stamp.provider) or ""):
        why = (
            " What keeps points in place in bf16 and f16 is the runtime of this package, which a "
            "server does not have."
        )
    text = (
        f"{_chose(stamp)}, but {runs}, in float32: correct as well, without the gain that was "
        f"measured ({stamp.ratio:.3g} times as fast as the float32 file on the CPU).{why}{more}"
    )
    return TunedServing(options, (text,), (text,))


def _chose(stamp: TuningStamp) -> str:
    choice = allowed_choice(stamp.provider) or "a provider that no file may choose"
    return f"`locoexport tune` chose {choice} for this file"
