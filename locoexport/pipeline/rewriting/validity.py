"""Does a rewritten model still pass the checks, load where the original does, and equal it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime

from locoexport.errors import GraphCheckFailedError, InputError, ModelFileError
from locoexport.graphs.reading import read_model
from locoexport.graphs.weights.external_data import without_external
from locoexport.lowering.opset.versions import default_opset
from locoexport.lowering.proof.runners import one_thread_options
from locoexport.lowering.proof.whole.whole_model import (
    RUNNING_REWRITTEN,
    Model,
    Traits,
    WholeModelProof,
    not_proven,
    prove_whole_model,
    traits_of,
)
from locoexport.lowering.volumetric.samplers.foreign_samplers import normalise_samplers
from locoexport.machine.bounded_child import Allowance, file_allowance, run_bounded
from locoexport.machine.limits import EVALUATION_SECONDS, PROOF_BYTES
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.rewriting.stated_lengths import without_statements

__all__ = ["check_still_valid", "check_written_file", "proof_allowance", "prove_models"]

_NO_KERNEL = "NOT_IMPLEMENTED"
_SERIALISED_LIMIT = 2**31 - 2**20


def check_still_valid(original: onnx.ModelProto, rewritten: onnx.ModelProto) -> None:
    """Check a rewritten model with ``onnx.checker`` (full check), its external data left out.

    A fault that the original had too is not this rewrite's: many files in use have some.

    Raises:
        GraphCheckFailedError: the rewritten model is not valid and the original is.
    """
    fault = _fault(rewritten)
    if fault is not None and _fault(original) is None:
        raise GraphCheckFailedError(f"The rewritten graph is not valid ONNX: {fault}")


def check_written_file(
    original: Path, rewritten: Path, model: onnx.ModelProto, size_bytes: int, notify: Listener
) -> tuple[str, WholeModelProof]:
    """Load the rewritten file in ONNX Runtime, and run it beside the original as a whole.

    Both in a process of its own. What takes too long or too much memory there is not proven.

    Args:
        original: the original file.
        rewritten: the other one's, with its external data beside it.
        model: what is in it.
        size_bytes: of the file and its data together.
        notify: is told of every step.

    Returns:
        Why the rewritten file does not load ("" where it does), and the proof.

    Raises:
        GraphCheckFailedError: see ``check_still_loads``.
        ModelFileError: loading takes too much.
    """
    steps = [""]

    def listen(notice: Notice) -> None:
        if notice.text not in steps:
            notify(notice)
        steps.append(notice.text)

    traits = traits_of(model)
    try:
        return run_bounded(
            _load_and_prove,
            *(original, rewritten, traits),
            allowance=proof_allowance(size_bytes),
            subject="the proof of the whole model",
            error_type=_ProofStoppedError,
            notify=listen,
        )
    except _ProofStoppedError as stopped:
        crashed = "crashed" in str(stopped) and steps[-1] == RUNNING_REWRITTEN
        loads = run_bounded(
            check_still_loads,
            *(original, rewritten),
            allowance=file_allowance(size_bytes),
            subject=original,
            error_type=ModelFileError,
        )
        if crashed:
            reason = "ONNX Runtime crashes of the rewritten model, and not of the original"
            return loads or "", WholeModelProof(failure=reason)
        return loads or "", not_proven(str(stopped))


def proof_allowance(size_bytes: int) -> Allowance:
    """A proof runs nodes on inputs as large as the model's own: it may take the whole of a minute
    and some gigabytes, whatever the size of the file."""
    reading = file_allowance(size_bytes)
    return Allowance(
        reading.size_bytes + PROOF_BYTES.value, EVALUATION_SECONDS.value, raised_by=PROOF_BYTES
    )


def prove_models(
    original: onnx.ModelProto, rewritten: onnx.ModelProto, folder: Path | None, notify: Listener
) -> WholeModelProof:
    """Run two models in memory side by side, in this process."""
    traits = traits_of(rewritten)
    try:
        first, second = original.SerializeToString(), rewritten.SerializeToString()
    except ValueError:  # as protobuf says it
        return not_proven("it is over 2 GB, which only a file with external data can be")
    proof = prove_whole_model(first, second, traits=traits, folder=folder, notify=notify)
    if proof.complete or proof.exhausted or not proof.passed:
        return proof
    return _beside_corrected(proof, original, second, folder, notify, traits=traits)


def _beside_corrected(
    proof: WholeModelProof,
    original: onnx.ModelProto,
    rewritten: Model,
    folder: Path | None,
    notify: Listener,
    *,
    traits: Traits,
) -> WholeModelProof:
    """The proof beside the original in words that ONNX Runtime knows: its foreign samplers written
    as GridSample, and nothing stated of its values, some of which may keep ONNX Runtime from
    running it. ``proof`` where this says no more.
    """
    standard = normalise_samplers(original, default_opset(original) or 0).model
    bare = without_statements(standard, folder)
    try:
        stated_less = bare.SerializeToString()
    except ValueError:
        return proof
    if bare is original:
        return proof
    more = prove_whole_model(stated_less, rewritten, traits=traits, folder=folder, notify=notify)
    # What does not run at a size that the original file does not run at is no worse than that.
    better = more.complete or (more.original_ran and not proof.original_ran)
    if more.failure or (more.passed and not better):
        return proof
    note = "beside the original without the shapes that it states of its values"
    if standard is not original:
        note = "beside the original with GridSample in place of its foreign samplers"
    return replace(more, note=note)


def check_still_loads(original: Path, rewritten: Path) -> str | None:
    """Load the rewritten file in ONNX Runtime; returns why it does not load.

    ONNX Runtime has no kernel for each operator, version and type of the standard. A file for which
    it has none is a good one, for other runtimes.

    Raises:
        GraphCheckFailedError: the original loads, and the rewritten file is refused for another
            reason than a kernel that is not there.
    """
    reason = _refusal(rewritten)
    if reason is None or _NO_KERNEL in reason:
        return reason
    if _refusal(original) is None:
        raise GraphCheckFailedError(
            f"ONNX Runtime loads the original and not the rewritten file: {reason}"
        )
    return reason


class _ProofStoppedError(InputError):
    """The proof took too much time or memory, or its process died."""


def _load_and_prove(
    original: Path, rewritten: Path, traits: Traits, *, notify: Listener = ignore
) -> tuple[str, WholeModelProof]:
    notify(Notice("loading the finished file again"))
    reason = check_still_loads(original, rewritten)
    if reason is not None:
        return reason, not_proven("ONNX Runtime does not load it")
    proof = prove_whole_model(original, rewritten, traits=traits, notify=notify)
    if not (proof.complete or proof.exhausted) and proof.passed:
        model = read_model(original)
        proof = _beside_corrected(proof, model, rewritten, original.parent, notify, traits=traits)
    return "", proof


def _fault(model: onnx.ModelProto) -> str | None:
    if model.ByteSize() > _SERIALISED_LIMIT:
        return None
    try:
        onnx.checker.check_model(without_external(model), full_check=True)
    except Exception as error:  # its errors have no common class
        return str(error)
    return None


def _refusal(path: Path) -> str | None:
    options = one_thread_options(optimised=False)
    # Whether it loads is asked, not how fast it is; planning buffers takes longer than all else.
    options.enable_mem_reuse = False
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        return str(error)
    return None
